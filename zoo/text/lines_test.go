package text_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/memtest"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// all is the lines of r, and in their place what is wrong with those that are refused.
func all(t *testing.T, r io.Reader) (lines []string) {
	t.Helper()
	reader := text.NewLineReader(r)
	for {
		line, err := reader.Next()
		var refused *text.LineError
		switch {
		case errors.Is(err, io.EOF):
			return lines
		case errors.As(err, &refused):
			require.Equal(t, len(lines)+1, refused.Line)
			line = err.Error()
		default:
			require.NoError(t, err)
		}
		lines = append(lines, line)
		require.Equal(t, len(lines), reader.Line())
	}
}

func TestLineReader(t *testing.T) {
	long := strings.Repeat("x", text.MaxLineBytes)
	for in, want := range map[string][]string{
		"":                        nil,
		"\n":                      {""},
		"a":                       {"a"},
		"a\r\n\r\nb\r":            {"a", "", "b "},
		"\ufeffa\n\ufeffb\n":      {"a", "\ufeffb"},
		"\ufeff":                  {""},
		"a\rb\u2028c\u0085d\ve\n": {"a b\u2028c\u0085d\ve"},
		"a\r\r\nb\n":              {"a ", "b"},
		"a\nb\xffc\nd\n":          {"a", "line 2: byte 0xff at offset 3 is not UTF-8", "d"},
		"\ufeffa\x00\nd\n": {"line 1: byte 0x00 at offset 4: this is no text, or it is in " +
			"UTF-16; want UTF-8", "d"}, long + "\r\nb": {long, "b"},
		"a\n" + long + "abc\nb": {"a",
			fmt.Sprintf("line 2: the line is too long: it has %d bytes, and at most %d are taken",
				text.MaxLineBytes+4, text.MaxLineBytes), "b"},
	} {
		require.Equal(t, want, all(t, strings.NewReader(in)), "%.40q", in)
		if len(in) < 100 {
			require.Equal(t, want, all(t, iotest.OneByteReader(strings.NewReader(in))), "%.40q", in)
		}
	}
	broken := errors.New("broken")
	_, err := text.NewLineReader(iotest.ErrReader(broken)).Next()
	require.ErrorIs(t, err, broken)
	_, err = text.NewLineReader(nil).Next()
	require.ErrorIs(t, err, io.EOF)
	// A line without end takes no more memory than one that is taken.
	memtest.Within(t, 4*text.MaxLineBytes, func() {
		_, _ = text.NewLineReader(io.LimitReader(endless{}, 100<<20)).Next()
	})
}

// endless is a line that does not end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}
