package cli_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/text"
)

func TestCommands(t *testing.T) {
	n := 1
	p := cli.Program{Name: "demo", About: "Shows how it is done.", Commands: []cli.Command{{
		Name: "count", About: "counts",
		Flags: func(f *flag.FlagSet) { f.IntVar(&n, "n", 1, "how far") },
		Check: func() error {
			if n < 1 {
				return errors.New("-n is too small")
			}
			return nil
		},
		Run: func(_ context.Context, s cli.Std) error {
			_, err := io.WriteString(s.Out, strings.Repeat("a", n))
			return err
		},
	}}}
	var out, messages bytes.Buffer
	run := func(args ...string) error {
		out.Reset()
		messages.Reset()
		return p.Run(context.Background(), args, cli.Std{Out: &out, Messages: &messages})
	}
	require.NoError(t, run("count", "-n", "3"))
	require.Equal(t, "aaa", out.String())
	require.NoError(t, run("help"))
	require.Contains(t, out.String(), "counts")
	require.NoError(t, run("count", "-help"))
	require.Contains(t, out.String(), "how far")

	require.True(t, cli.IsUsage(run("count", "-n", "0")))
	require.False(t, cli.IsUsage(context.Canceled))
	require.ErrorContains(t, run(), "a command is missing")
	require.ErrorContains(t, run("sum"), `"sum" is no command; there are count`)
	require.ErrorContains(t, run("count", "3"), `unexpected argument "3"`)
	require.ErrorContains(t, run("count", "-n", "0"), "too small")
	require.ErrorContains(t, run("count", "-m", "0"), "-m")
}

func TestLines(t *testing.T) {
	var messages bytes.Buffer
	var got []string
	err := cli.Lines(context.Background(), strings.NewReader("a\n\nb"), &messages,
		func(line string) error {
			if line == "" {
				return errors.New("empty")
			}
			got = append(got, line)
			return nil
		})
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, got)
	require.Equal(t, "line 2: empty\n", messages.String())

	messages.Reset()
	var out bytes.Buffer
	err = cli.Answers(context.Background(),
		cli.Std{In: strings.NewReader("\ufeffa\n\xff\nb\rc\r\n"), Out: &out, Messages: &messages},
		func(line string) error {
			_, err := io.WriteString(&out, line+"!\n")
			return err
		})
	require.NoError(t, err)
	require.Equal(t, "a!\n\nb c!\n", out.String())
	require.Equal(t, "line 2: byte 0xff at offset 5 is not UTF-8\n", messages.String())

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	never, w := io.Pipe()
	defer w.Close()
	require.ErrorIs(t, cli.Lines(ctx, never, &messages, func(string) error { return nil }),
		context.Canceled)
}

// endless is the same line for ever.
type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = "a\n"[i%2]
	}
	return len(b) &^ 1, nil
}

// Lines that are interrupted end with the context's error, whether their reader sees it first or
// not.
func TestLinesInterrupted(t *testing.T) {
	for range 50 {
		ctx, cancel := context.WithCancel(context.Background())
		err := cli.EachLine(ctx, endless{}, io.Discard, func(n int, _ string, _ error) error {
			if n == 3 {
				go cancel()
			}
			return nil
		})
		require.ErrorIs(t, err, context.Canceled)
	}
}

func TestDataFile(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("SEQZOO_DATA", dir)
	_, err := cli.DataFile("some/file", "give one by -file")
	require.ErrorContains(t, err, "give one by -file")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "some"), 0o777))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "some", "file"), nil, 0o666))
	path, err := cli.File("", "some/file", "")
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "some", "file"), path)
}

// fit trains a small language model by the flags given.
func fit(t *testing.T, ctx context.Context, save string,
	change func(*cli.Training, *cli.Run)) (*lm.Model, string, error) {
	t.Helper()
	tokens := strings.Split(strings.Repeat("a b c d e ", 40), " ")
	v, err := text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.Unk}}, tokens)
	require.NoError(t, err)
	ids, err := v.Encode(tokens)
	require.NoError(t, err)
	m, err := lm.New(lm.Config{Recurrent: zoo.Recurrent{Cell: "rnn", Hidden: 8}}, v, 1)
	require.NoError(t, err)
	task, err := m.Task(lm.Data{Train: ids, Valid: ids[:50], Batch: 4})
	require.NoError(t, err)
	training := cli.Training{Epochs: 3, Batch: 4, LR: 0.01, Clip: 1, Save: save}
	training.Register(flag.NewFlagSet("", flag.ContinueOnError))
	require.NoError(t, training.Check())
	r := cli.Run{Model: m, Task: task, Name: "rnn", Unit: "words", Monitor: "valid_loss"}
	if change != nil {
		change(&training, &r)
	}
	var messages bytes.Buffer
	_, err = training.Fit(ctx, cli.Std{Messages: &messages}, r)
	return m, messages.String(), err
}

func TestFit(t *testing.T) {
	ctx := context.Background()
	_, _, err := fit(t, ctx, "", nil)
	require.NoError(t, err)

	dir := t.TempDir()
	m, said, err := fit(t, ctx, dir, nil)
	require.NoError(t, err)
	require.Contains(t, said, "saved in "+dir)
	loaded, err := lm.Load(dir)
	require.NoError(t, err)
	for i, p := range m.Params().Params() {
		require.Equal(t, p.Value().Data(), loaded.Params().Params()[i].Value().Data(), p.Name())
	}

	events := filepath.Join(dir, "events")
	_, _, err = fit(t, ctx, "", func(c *cli.Training, _ *cli.Run) { c.Events = events })
	require.NoError(t, err)
	files, err := filepath.Glob(filepath.Join(events, "events.out.tfevents.*"))
	require.NoError(t, err)
	require.Len(t, files, 1)

	_, said, err = fit(t, ctx, dir, nil) // complete already
	require.NoError(t, err)
	require.Contains(t, said, "going on from step")

	_, _, err = fit(t, ctx, dir, func(c *cli.Training, _ *cli.Run) { c.LR = 0.02 })
	require.ErrorContains(t, err, "-lr")

	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, _, err = fit(t, cancelled, "", nil)
	require.ErrorIs(t, err, train.ErrInterrupted)
	require.ErrorContains(t, err, "nothing is saved without -save")
}

func TestTrainingCheck(t *testing.T) {
	err := (&cli.Training{Epochs: 0, Batch: -1, LR: -2, Clip: -1, Steps: -1, Patience: -1,
		Warmup: -1}).Check()
	for _, flag := range []string{"-epochs", "-batch", "-lr", "-steps", "-patience", "-warmup",
		"-save-every"} {
		require.ErrorContains(t, err, flag)
	}
}
