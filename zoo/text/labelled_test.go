package text_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/memtest"
	"github.com/seqzoo/seqzoo/zoo/text"
)

func TestParseLabelled(t *testing.T) {
	lines, err := text.ParseLabelled("\ufeffgood\tvery\tnice \r\n\n bad \t awful")
	require.NoError(t, err)
	require.Equal(t, []text.Labelled{{"good", "very\tnice", 1}, {"bad", "awful", 3}}, lines)
	for s, want := range map[string]string{
		"":             "there is no line",
		"\n \n":        "there is no line",
		"a\tb\nnice":   `line 2: there is no tab; want label TAB text, not "nice"`,
		"\tx":          "line 1: the label is empty",
		"\n\nx\t ":     "line 3: the text is empty",
		"a\tb\n\xff\t": "line 2: byte 0xff at offset 4 is not UTF-8",
	} {
		_, err := text.ParseLabelled(s)
		require.ErrorContains(t, err, want, "%q", s)
	}
	path := filepath.Join(t.TempDir(), "x")
	require.NoError(t, os.WriteFile(path, []byte("a\tb\nc"), 0o666))
	_, err = text.ReadLabelled(path)
	require.ErrorContains(t, err, path+": line 2")
	_, err = text.ReadTagged(path)
	require.ErrorContains(t, err, path+": line 2")
	_, err = text.ReadTagged(path + "absent")
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestParseTagged(t *testing.T) {
	sentences, err := text.ParseTagged("# comment\nthe\tDT\tO\ncat\tNN\tO\r\n\r\n\n#\tX\n# \tY\n")
	require.NoError(t, err)
	require.Equal(t, []text.Tagged{{[]string{"the", "cat"}, []string{"O", "O"}, 2},
		{[]string{"#", "#"}, []string{"X", "Y"}, 6}}, sentences)
	for s, want := range map[string]string{
		"":           "there is no line",
		"# only\n":   "there is no line",
		"a\tb\n\nc":  `line 3: there is no tab; want token TAB tag, not "c"`,
		"\tx":        "line 1: the token is empty",
		"x\ty\nz\t ": `line 2: the tag of "z" is empty`,
		"\xc0":       "is not UTF-8",
	} {
		_, err := text.ParseTagged(s)
		require.ErrorContains(t, err, want, "%q", s)
	}
}

func FuzzParseTagged(f *testing.F) {
	for _, s := range []string{"a\tb\n\nc\td\te\n", "# x\na\tb", "\ufeffa\tb\r\r\n",
		strings.Repeat("a\tb\n", 5000), strings.Repeat("a\tb\n\n", 5000), " \ufeff 0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		// Five bytes make a sentence of one word, which takes 80 and as much again while a slice
		// grows: in proportion to the file.
		memtest.Within(t, 30*len(s), func() { _, _ = text.ParseTagged(s) })
		memtest.Within(t, 30*len(s), func() { _, _ = text.ParseLabelled(s) })
		if sentences, err := text.ParseTagged(s); err == nil {
			var b strings.Builder
			for _, sentence := range sentences {
				if len(sentence.Tokens) == 0 || len(sentence.Tokens) != len(sentence.Tags) {
					t.Fatalf("%d tokens, %d tags", len(sentence.Tokens), len(sentence.Tags))
				}
				for i, token := range sentence.Tokens {
					b.WriteString(token + "\t" + sentence.Tags[i] + "\n")
				}
				b.WriteString("\n")
			}
			if strings.HasPrefix(b.String(), "\ufeff") {
				return // a token; at the start of a file it is a byte order mark
			}
			again, err := text.ParseTagged(b.String())
			require.NoError(t, err)
			for _, some := range [][]text.Tagged{sentences, again} {
				for i := range some {
					require.Positive(t, some[i].Line)
					some[i].Line = 0
				}
			}
			require.Equal(t, sentences, again, "what was read, written and read again")
		}
		if lines, err := text.ParseLabelled(s); err == nil {
			for _, l := range lines {
				if l.Label == "" || l.Text == "" {
					t.Fatalf("%+v", l)
				}
			}
		}
	})
}
