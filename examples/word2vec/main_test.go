package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/train"
)

// do runs a command line.
func do(ctx context.Context, in string, args ...string) (out, messages string, err error) {
	var o, m bytes.Buffer
	err = program().Run(ctx, args, cli.Std{In: strings.NewReader(in), Out: &o, Messages: &m})
	return o.String(), m.String(), err
}

func TestFromTextToAnswers(t *testing.T) {
	dir, ctx := t.TempDir(), context.Background()
	book, model := filepath.Join(dir, "book.txt"), filepath.Join(dir, "my model")
	require.NoError(t, os.WriteFile(book,
		[]byte(strings.Repeat("The sun and the moon .\nNew York has bread and butter\n\n", 300)),
		0o666))
	command := []string{"train", "-data", book, "-save", model, "-dim", "8", "-sample", "1",
		"-epochs", "3", "-phrases", "1"}

	stopped, stop := context.WithCancel(ctx)
	stop()
	_, _, err := do(stopped, "", command...)
	require.ErrorIs(t, err, train.ErrInterrupted)
	out, messages, err := do(ctx, "", command...)
	require.NoError(t, err)
	require.Contains(t, out, "saved in "+model)
	require.Contains(t, messages, "epoch 3/3  100.0 %")
	out, messages, err = do(ctx, "", command...) // as after a kill behind the last save
	require.NoError(t, err)
	require.Contains(t, messages, "is complete already")
	require.Contains(t, out, "saved in "+model)
	require.NoError(t, os.WriteFile(book+"2",
		[]byte(strings.Repeat("The moon and the sun .\nNew York has bread and butter\n\n", 300)),
		0o666))
	_, _, err = do(ctx, "", append(command, "-data", book+"2")...)
	require.ErrorContains(t, err, "not the text that the training began with")
	_, _, err = do(ctx, "", append(command, "-window", "2")...)
	require.ErrorContains(t, err, "other settings")

	more := filepath.Join(dir, "more")
	_, messages, err = do(ctx, "", "train", "-data", book+"2", "-save", more, "-extend", model,
		"-epochs", "1", "-workers", "1", "-lock-free", "-loss")
	require.NoError(t, err)
	require.Contains(t, messages, "  loss ")
	_, _, err = do(ctx, "", "train", "-data", book, "-extend", model, "-dim", "9")
	require.ErrorContains(t, err, "-dim is that of the model")
	_, _, err = do(ctx, "", "train", "-data", book, "-extend", filepath.Join(dir, "nowhere"))
	require.ErrorContains(t, err, "nowhere")

	file := filepath.Join(dir, "v.bin")
	_, _, err = do(ctx, "", "export", "-model", model, "-to", file, "-format", "binary")
	require.NoError(t, err)
	for _, from := range []string{model, file} {
		out, messages, err = do(ctx, "SUN\n\nunheard\nsun moon", "similar", "-model", from, "-n",
			"2")
		require.NoError(t, err)
		require.Equal(t, 6, strings.Count(out, "\n"))
		require.Contains(t, messages, `no vector for "unheard"`)
		out, messages, err = do(ctx, "sun moon the\nsun moon\n", "analogy", "-model", from, "-mul",
			"-first", "50")
		require.NoError(t, err)
		require.Contains(t, out, "sun moon the\n    ")
		require.Contains(t, messages, "2 words; want three")
	}
	questions, pairs := filepath.Join(dir, "q"), filepath.Join(dir, "p")
	require.NoError(t, os.WriteFile(questions, []byte(": a\nsun moon the .\n"), 0o666))
	require.NoError(t, os.WriteFile(pairs, []byte("sun\tmoon\t9\nsun\tbread\t1\nsun\tand\t0\n"),
		0o666))
	out, _, err = do(ctx, "", "evaluate", "-model", model, "-analogies", questions, "-pairs", pairs)
	require.NoError(t, err)
	require.Contains(t, out, "of      1")
	require.Contains(t, out, "similarity of 3 pairs")
}

// Capitals are found where there are no small letters, or the error says how the word is written.
func TestCapitals(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "v.txt")
	require.NoError(t, os.WriteFile(path, []byte("4 2\nBerlin 1 2\nParis 2 1\nthe 1 1\nThe 2 2\n"),
		0o666))
	for _, c := range []struct{ in, out, messages string }{
		{"Berlin", "Berlin\n    ", ""}, {"berlin", "",
			`no vector for "berlin"; there is "Berlin", as it is written here`},
		{"The", "the\n", ""}, {"BERLIN paris rome", "",
			`no vector for "berlin", "paris", "rome"; there is "Berlin", "Paris"`},
	} {
		out, messages, err := do(ctx, c.in+"\n", "similar", "-model", path, "-n", "1")
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(out, c.out), out)
		require.Contains(t, messages, c.messages)
	}
	_, messages, err := do(ctx, "THE\n", "similar", "-model", path, "-keep-case")
	require.NoError(t, err)
	require.Contains(t, messages, `no vector for "THE"; there is "the"`)
	out, _, err := do(ctx, "The\n", "similar", "-model", path, "-keep-case")
	require.NoError(t, err)
	require.Contains(t, out, "The\n")
}

func TestMistakes(t *testing.T) {
	dir, ctx := t.TempDir(), context.Background()
	t.Setenv("SEQZOO_DATA", dir)
	t.Chdir(dir) // so that no argument has its name, which may have spaces
	require.NoError(t, os.WriteFile("empty", nil, 0o666))
	for _, c := range []struct {
		args  string
		want  string
		usage bool
	}{
		{"", "a command is missing", true},
		{"learn", `"learn" is no command`, true},
		{"train -dimension 3", "not defined", true},
		{"train -dim -3", "Dim is -3", true},
		{"train", "give a text by -data, or let SEQZOO_DATA", false},
		{"train -data empty", "the file is empty", false},
		{"train -data none.txt", "no such file", false},
		{"similar", "-model is missing", true},
		{"similar -model .", "there is no model", false},
		{"similar -model empty", "no words", false},
		{"analogy -model x -n 0", "-n is 0", true},
		{"evaluate -model x", "give a file by -analogies", false},
		{"evaluate -model x -first 0", "-first is 0", true},
		{"export -model x -to y -format z", `-format is "z"`, true},
		{"train extra", `unexpected argument "extra"`, true},
	} {
		_, _, err := do(ctx, "", strings.Fields(c.args)...)
		require.ErrorContains(t, err, c.want)
		require.Equal(t, c.usage, cli.IsUsage(err), "%v", err)
	}
	said, _, err := do(ctx, "", "help")
	require.NoError(t, err)
	require.Contains(t, said, "go run ./examples/word2vec train")
	said, _, err = do(ctx, "", "train", "-help")
	require.NoError(t, err)
	require.Contains(t, said, "-window")
}
