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

// files writes two files and returns their paths.
func files(t testing.TB, dir, source, target string) (a, b string) {
	t.Helper()
	a, b = filepath.Join(dir, "s.txt"), filepath.Join(dir, "t.txt")
	require.NoError(t, os.WriteFile(a, []byte(source), 0o600))
	require.NoError(t, os.WriteFile(b, []byte(target), 0o600))
	return a, b
}

func TestReadParallel(t *testing.T) {
	spaced := text.Words{Spaced: true}
	for _, c := range []struct{ name, source, target, want, err string }{
		{"two lines", "a b\nc\n", "x\ny z\n", "[a b]-[x] [c]-[y z]", ""},
		{"one line, no line end", "a", "x\n", "[a]-[x]", ""},
		{"CRLF, byte order mark, spaces", "\ufeffa  b \r\nc\r\n", "x\ny\n", "[a b]-[x] [c]-[y]",
			""},
		{"gzip", zip(t, "a\nb\n"), "x\ny", "[a]-[x] [b]-[y]", ""},
		{"line of 10 MB", strings.Repeat("a", 10<<20), "x", "", ""},

		{"empty", "", "x\n", "", "s.txt: the file is empty"},
		{"empty target", "a\n", "", "", "t.txt: the file is empty"},
		{"too few", "a\nb\n", "x\n", "", "s.txt: 2, in "},
		{"a blank line", "a\n \t\nc\n", "x\ny\nz\n", "", "s.txt: line 2 is empty"},
		{"a blank target", "a\nb\n", "x\n\n", "", "t.txt: line 2 is empty"},
		{"only line ends", "\n", "x\n", "", "s.txt: line 1 is empty"},
		{"invalid UTF-8", "a\nb\n", "x\ny\xff\n", "", "t.txt: line 2: byte 0xff"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := files(t, t.TempDir(), c.source, c.target)
			p, err := text.ReadParallel(a, b)
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				require.ErrorContains(t, err, filepath.Dir(a))
				return
			}
			require.NoError(t, err)
			s, u, err := p.Tokens(context.Background(), spaced, spaced)
			require.NoError(t, err)
			require.Len(t, s, p.Len())
			var got []string
			for i := range s {
				got = append(got, fmt.Sprint(s[i], "-", u[i]))
			}
			if c.want != "" {
				require.Equal(t, c.want, strings.Join(got, " "))
			}
		})
	}
	a, b := files(t, t.TempDir(), "a\nb\n", "x\ny\n")
	p, err := text.ReadParallel(a, b)
	require.NoError(t, err)
	for range p.Lines() {
		break // a loop may end early
	}
	_, _, err = p.Tokens(context.Background(), none{}, spaced)
	require.ErrorContains(t, err, "s.txt: line 1: there are no tokens")
	_, err = text.ReadParallel(a, filepath.Join(filepath.Dir(a), "absent"))
	require.ErrorContains(t, err, "absent")
}

// What is wrong is counted, and all of it is said; what is left out on request is counted too.
func TestParallelLeavesOut(t *testing.T) {
	spaced := text.Words{Spaced: true}
	a, b := files(t, t.TempDir(), "a\n\nb\nc c c\nd\n\u2028\re\n", "A\nB\n\nC\nD D D\n\f\n")
	_, err := text.ReadParallel(a, b)
	require.ErrorContains(t, err, "s.txt: line 2 is empty")
	require.ErrorContains(t, err, "t.txt: 2 lines are empty: lines 3, 6")
	a, b = files(t, t.TempDir(), "a\n\nb\nc c c\nd\ne\n", "A\nB\n\nC\nD D D\nE\n")
	for _, c := range []struct {
		options       text.ParallelOptions
		want, leftOut string
		err           string
	}{
		{text.ParallelOptions{SkipBlank: true}, "[a]-[A] [c c c]-[C] [d]-[D D D] [e]-[E]",
			"2 with a blank side (lines 2, 3)", ""},
		{text.ParallelOptions{SkipBlank: true, MaxTokens: 2, SkipLong: true}, "[a]-[A] [e]-[E]",
			"2 with a blank side (lines 2, 3), 2 with a side of more than 2 tokens (lines 4, 5)",
			""},
		{text.ParallelOptions{SkipBlank: true, MaxTokens: 2}, "", "",
			"s.txt: line 4: the source has 3 tokens; at most 2 are taken; so it is with 2 pairs, " +
				"of lines 4, 5"},
	} {
		p, err := c.options.Read(a, b)
		require.NoError(t, err)
		require.Equal(t, 4, p.Len())
		for range 2 {
			s, u, err := p.Tokens(context.Background(), spaced, spaced)
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				break
			}
			require.NoError(t, err)
			var got []string
			for i := range s {
				got = append(got, fmt.Sprint(s[i], "-", u[i]))
			}
			require.Equal(t, c.want, strings.Join(got, " "))
			require.Equal(t, c.leftOut, p.LeftOut())
			require.Equal(t, len(got), p.Len())
		}
	}
	_, err = text.ParallelOptions{MaxTokens: -1}.Read(a, b)
	require.ErrorContains(t, err, "MaxTokens is -1")
	all := strings.Repeat("\n", 30)
	a, b = files(t, t.TempDir(), all, strings.Repeat("x\n", 30))
	_, err = text.ReadParallel(a, b)
	require.ErrorContains(t, err,
		"s.txt: 30 lines are empty: lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 20 more")
	_, err = text.ParallelOptions{SkipBlank: true}.Read(a, b)
	require.ErrorContains(t, err, "all 30 pairs of lines have a blank side")
}

// none finds no tokens anywhere.
type none struct{ text.Chars }

func (none) Tokens(string) ([]string, error) { return nil, nil }

// The worst case for memory: as many lines as a file can hold.
func TestReadParallelMemory(t *testing.T) {
	lines := strings.Repeat("a\n", 1<<20)
	a, b := files(t, t.TempDir(), lines, lines)
	var p *text.Parallel
	var err error
	memtest.Within(t, 2*len(lines), func() { p, err = text.ReadParallel(a, b) })
	require.NoError(t, err)
	require.Equal(t, 1<<20, p.Len())
}

func FuzzReadParallel(f *testing.F) {
	f.Add([]byte("a b\nc\n"), []byte("x\ny z"))
	f.Add([]byte("\ufeffa\r\nb\rc"), []byte("\x1f\x8b"))
	f.Add([]byte("a\n\n"), []byte("x\xff\n\n"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, source, target []byte) {
		a, b := files(t, dir, string(source), string(target))
		p, err := text.ReadParallel(a, b)
		if zip := "\x1f\x8b"; !strings.HasPrefix(string(source), zip) &&
			!strings.HasPrefix(string(target), zip) {
			// Two files, so two buffers.
			memtest.Within(t, len(source)+len(target)+memtest.Slack/2,
				func() { _, _ = text.ReadParallel(a, b) })
		}
		if err != nil {
			require.ErrorContains(t, err, dir)
			return
		}
		s, u, err := p.Tokens(context.Background(), text.Words{Spaced: true},
			text.Words{Spaced: true})
		require.NoError(t, err)
		require.Len(t, s, p.Len())
		require.Len(t, u, p.Len())
		for i := range s {
			require.NotEmpty(t, s[i])
			require.NotEmpty(t, u[i])
		}
	})
}
