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
	"github.com/seqzoo/seqzoo/examples/cli/clitest"
)

// run runs the program, and returns what it printed and said.
func run(t *testing.T, in string, args ...string) (out, messages string, err error) {
	t.Helper()
	var o, m bytes.Buffer
	err = program().Run(context.Background(), args,
		cli.Std{In: strings.NewReader(in), Out: &o, Messages: &m})
	return o.String(), m.String(), err
}

// The whole way on a small file: what is learned is saved, evaluated and used.
func TestText(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data.txt")
	var b strings.Builder
	for range 60 {
		b.WriteString("good\tthis is very nice\nbad\tthat is awful\ngood\tnice and good\nbad\tan " +
			"awful thing\n")
	}
	require.NoError(t, os.WriteFile(data, []byte(b.String()), 0o666))
	model := filepath.Join(dir, "model")
	out, messages, err := run(t, "", "train", "-data", data, "-valid", data, "-hidden", "8",
		"-epochs", "8", "-lr", "0.02", "-save", model)
	require.NoError(t, err, messages)
	require.Contains(t, out, "accuracy 100.00 %, loss")
	require.Contains(t, out, "naive Bayes over words: 100.00 %")
	again, messages, err := run(t, "", "train", "-data", data, "-valid", data, "-hidden", "8",
		"-epochs", "8", "-lr", "0.02", "-save", model)
	require.NoError(t, err)
	require.Contains(t, messages, "going on from step")
	require.Equal(t, out, again)
	out, _, err = run(t, "", "evaluate", "-model", model, "-data", data)
	require.NoError(t, err)
	require.Contains(t, out, "240 examples, accuracy 100.00 %")
	out, messages, err = run(t, "Very NICE\n\nawful\n", "classify", "-model", model)
	require.NoError(t, err)
	require.Regexp(t, `^good\t[01]\.\d+\nbad\t[01]\.\d+\n$`, out)
	require.Contains(t, messages, "line 2: zoo: sequence classifier: the sequence is empty")
	_, _, err = run(t, "", "evaluate", "-model", model, "-data", data, "-labels", data)
	require.ErrorContains(t, err, "the model reads texts")
}

func TestQuick(t *testing.T) {
	clitest.Need(t, "mnist/train-images-idx3-ubyte.gz")
	dir := filepath.Join(t.TempDir(), "rows")
	out, messages, err := run(t, "", "train", "-task", "mnist", "-step", "28", "-quick", "-save",
		dir)
	require.NoError(t, err, messages)
	require.Contains(t, out, "sequential MNIST: 960 to learn from")
	out, messages, err = run(t, strings.Repeat("0 ", 784)+"\n1 x\n", "classify", "-model", dir)
	require.NoError(t, err)
	require.Regexp(t, `^\d\t0\.\d+\n$`, out)
	require.Contains(t, messages, `line 2: pixels: number 2 is "x"`)
	svg := filepath.Join(dir, "flow.svg")
	out, _, err = run(t, "", "flow", "-draw", svg, "-step", "28", "-batch", "4", "-hidden", "8",
		"-models", dir)
	require.NoError(t, err)
	require.Contains(t, out, "gru, trained (rows)")
	require.FileExists(t, svg)
	if testing.Short() {
		return
	}
	out, messages, err = run(t, "", "train", "-quick")
	require.NoError(t, err, messages)
	require.Contains(t, out, "2 classes")
}

// Several labels of a text, rare ones that count as much as others, a hidden head and the largest
// of each unit.
func TestSeveralLabels(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data.tsv")
	require.NoError(t, os.WriteFile(data, []byte(strings.Repeat(
		"sea, sun\tblue waves and bright light\nsea\tblue waves\nsun\tbright light\n", 40)), 0o666))
	model := filepath.Join(dir, "model")
	out, messages, err := run(t, "", "train", "-data", data, "-valid", data, "-hidden", "8", "-pool",
		"max", "-head", "6", "-several", "-balanced", "-best", "f1", "-epochs", "25", "-lr", "0.03", "-dropout", "0",
		"-save", model)
	require.NoError(t, err, messages)
	require.Contains(t, out, "120 examples, accuracy 100.00 %")
	out, _, err = run(t, "waves of light\n", "classify", "-model", model)
	require.NoError(t, err)
	require.Regexp(t, `^(sea|sun)\t[01]\.\d{4}\t(sea|sun)\t[01]\.\d{4}\n$`, out)
	out, _, err = run(t, "", "evaluate", "-model", model, "-data", data)
	require.NoError(t, err)
	require.Contains(t, out, "macro mean       1.0000     1.0000     1.0000        160")
}

func TestMistakes(t *testing.T) {
	for want, args := range map[string][]string{
		`-task is "x"`:          {"train", "-task", "x"},
		"go together":           {"train", "-data", "x"},
		`-best is "x"`:          {"train", "-best", "x"},
		"-several is for texts": {"train", "-task", "mnist", "-several"},
		"-step is 5":            {"train", "-task", "mnist", "-step", "5"},
		`pool is "sum"`:         {"train", "-pool", "sum"},
		"-model is missing":     {"classify"},
		"-draw is missing":      {"flow"},
		"-data is missing":      {"evaluate", "-model", "x", "-labels", "y"},
		"files of texts":        {"train", "-task", "mnist", "-data", "x", "-valid", "x"},
		"no such file":          {"evaluate", "-model", "absent"},
		"hidden is -1":          {"train", "-hidden", "-1"},
		"there are train, eval": {"tag"},
	} {
		_, _, err := run(t, "", args...)
		require.ErrorContains(t, err, want, "%q", args)
	}
}
