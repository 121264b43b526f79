package text_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/memtest"
	"github.com/seqzoo/seqzoo/zoo/text"
)

func TestReadDialogues(t *testing.T) {
	for _, c := range []struct{ name, content, want, err string }{
		{"two dialogues", "a b\tc\nd\te\tf g\n", "[[a b] [c]] [[d] [e] [f g]]", ""},
		{"one line, no line end", "a\tb", "[[a] [b]]", ""},
		{"CRLF, byte order mark, spaces", "\ufeffa \t b\r\nc\td  e\r\n", "[[a] [b]] [[c] [d e]]",
			""},
		{"gzip", zip(t, "a\tb\n"), "[[a] [b]]", ""},
		{"line of 10 MB", "a\t" + strings.Repeat("b", 10<<20), "", ""},
		{"most turns", strings.Repeat("a\t", text.MaxTurns-1) + "a", "", ""},

		{"empty", "", "", "d.txt: the file is empty"},
		{"only line ends", "\n\n", "", "d.txt: line 1: utterance 1 is empty"},
		{"blank line", "a\tb\n\nc\td\n", "", "d.txt: line 2: utterance 1 is empty"},
		{"empty utterance", "a\tb\t \tc\n", "", "d.txt: line 1: utterance 3 is empty"},
		{"tab at the end", "a\tb\t\n", "", "d.txt: line 1: utterance 3 is empty"},
		{"single utterance", "a\tb\nc d\n", "", "d.txt: line 2 has a single utterance"},
		{"too many turns", strings.Repeat("a\t", text.MaxTurns) + "a", "",
			"d.txt: line 1 has 1025 utterances; at most 1024"},
		{"several", "a\tb\n\nc\nd\t\n", "",
			"d.txt: line 2: utterance 1 is empty; in all, refused are lines: 2 with an empty " +
				"utterance (lines 2, 4); 1 with a single utterance (line 3)"},
		{"invalid UTF-8", "a\tb\nc\td\xff\n", "", "d.txt: line 2: byte 0xff"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "d.txt")
			require.NoError(t, os.WriteFile(path, []byte(c.content), 0o600))
			d, err := text.ReadDialogues(path)
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				require.ErrorContains(t, err, path)
				return
			}
			require.NoError(t, err)
			tokens, err := d.Tokens(context.Background(), text.Words{Spaced: true})
			require.NoError(t, err)
			require.Len(t, tokens, d.Len())
			turns := 0
			var got []string
			for _, u := range tokens {
				got = append(got, fmt.Sprint(u))
				turns += len(u)
			}
			require.Equal(t, turns, d.Turns())
			if c.want != "" {
				require.Equal(t, c.want, strings.Join(got, " "))
			}
		})
	}
	_, err := text.ReadDialogues(filepath.Join(t.TempDir(), "absent"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// Whatever a file holds, it gives dialogues of two utterances or more, with something in each, or
// an error, in memory of at most twice the file and 64 kB.
func FuzzReadDialogues(f *testing.F) {
	for _, s := range []string{"a\tb\n", "a\tb\nc\td\te", "\ufeffa\tb\r\nc\td\r\n", "a", "\t\t\t",
		"a\t\xff", "\x1f\x8b\x08", "a\tb\n\n", strings.Repeat("a\tb\n", 50000),
		strings.Repeat(strings.Repeat("a\t", 1000)+"b\n", 100)} {
		f.Add([]byte(s))
	}
	path := filepath.Join(f.TempDir(), "d.txt")
	f.Fuzz(func(t *testing.T, content []byte) {
		require.NoError(t, os.WriteFile(path, content, 0o600))
		d, err := text.ReadDialogues(path)
		// what gzip expands to has a limit of its own
		if len(content) < 2 || content[0] != 0x1f || content[1] != 0x8b {
			memtest.Within(t, len(content), func() { _, _ = text.ReadDialogues(path) })
		}
		if err != nil {
			return
		}
		n := 0
		for utterances := range d.All() {
			n++
			require.GreaterOrEqual(t, len(utterances), 2)
			for _, u := range utterances {
				require.NotEmpty(t, strings.TrimSpace(u))
			}
		}
		require.Equal(t, n, d.Len())
	})
}
