package cli_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/examples/cli"
)

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"": "",
		"plain\n\ttext é 日本 👩‍🚀 ﷽": "plain\n\ttext é 日本 👩‍🚀 ﷽",
		"\x1b[2J\x1b]0;owned\a":    `\x1b[2J\x1b]0;owned\x07`,
		"a\rb\bc\x7f\x00":          `a\rb\x08c\x7f\x00`,
		"\u009b31m \u0085":         `\u009b31m \u0085`,
		"\x9b31m":                  `\x9b31m`,
		"a\u202eb\u2066c":          `a\u202eb\u2066c`,
		"\u200f שלום":              "\u200f שלום",
		"\ufffd is a letter":       "\ufffd is a letter",
		"cut \xe6\x97":             `cut \xe6\x97`,
	} {
		require.Equal(t, want, cli.Show(in))
		for piece := 1; piece < 6; piece++ { // letters are cut between two writes
			var out bytes.Buffer
			w := cli.Printable(&out)
			for i := 0; i < len(in); i += piece {
				n, err := w.Write([]byte(in[i:min(i+piece, len(in))]))
				require.NoError(t, err)
				require.Equal(t, min(i+piece, len(in))-i, n)
			}
			require.NoError(t, w.Flush())
			require.Equal(t, want, out.String())
		}
	}
}

// A program whose results cannot be written ends with an error, whatever its prints ignore.
func TestResultsThatCannotBeWritten(t *testing.T) {
	full := errors.New("no space left on device")
	p := cli.Program{Name: "p", Commands: []cli.Command{{Name: "say", Run: func(_ context.Context,
		s cli.Std) error {
		fmt.Fprintln(s.Out, "first")
		fmt.Fprintln(s.Out, "second")
		fmt.Fprintln(s.Messages, "done")
		return nil
	}}}}
	for room, want := range []error{full, full, nil} {
		err := p.Run(context.Background(), []string{"say"},
			cli.Std{Out: &small{room, full}, Messages: io.Discard})
		require.ErrorIs(t, err, want, room)
	}
	// a terminal that does not take messages is no reason to fail
	require.NoError(t, p.Run(context.Background(), []string{"say"},
		cli.Std{Out: io.Discard, Messages: &small{0, full}}))
}

// small has room for so many writes.
type small struct {
	room int
	full error
}

func (s *small) Write(b []byte) (int, error) {
	if s.room--; s.room < 0 {
		return 0, s.full
	}
	return len(b), nil
}

// No program gives its user's terminal what stands in a file.
func TestProgramsPrintForPeople(t *testing.T) {
	p := cli.Program{Name: "demo",
		Commands: []cli.Command{{Name: "show", Run: func(_ context.Context, s cli.Std) error {
			fmt.Fprintln(s.Out, "\x1b[2J")
			fmt.Fprintln(s.Messages, "\a")
			return nil
		}}}}
	var out, messages bytes.Buffer
	require.NoError(t, p.Run(context.Background(), []string{"show"},
		cli.Std{Out: &out, Messages: &messages}))
	require.Equal(t, `\x1b[2J`+"\n", out.String())
	require.Equal(t, `\x07`+"\n", messages.String())
}
