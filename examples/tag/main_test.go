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
	"github.com/seqzoo/seqzoo/zoo/text"
)

// run runs the program, and returns what it printed and said.
func run(t *testing.T, in string, args ...string) (out, messages string, err error) {
	t.Helper()
	var o, m bytes.Buffer
	err = program().Run(context.Background(), args,
		cli.Std{In: strings.NewReader(in), Out: &o, Messages: &m})
	return o.String(), m.String(), err
}

func TestStrip(t *testing.T) {
	require.Equal(t, text.Tagged{Tokens: []string{"yes", "what", "is"},
		Tags: []string{",", "O", "?"}},
		strip(strings.Fields(", yes , what is ? !")))
	require.Empty(t, strip([]string{"?"}).Tokens)
}

func TestCounts(t *testing.T) {
	c := newCounts([]text.Tagged{{Tokens: []string{"a", "b", "a"}, Tags: []string{"X", "Y", "Z"}},
		{Tokens: []string{"a", "c"}, Tags: []string{"X", "X"}}})
	require.Equal(t, "Z", c.tag([]string{"a"}, 0), "at the end")
	require.Equal(t, "X", c.tag([]string{"a", "new"}, 0), "the word alone")
	require.Equal(t, "X", c.tag([]string{"new"}, 0), "neither")
}

// The whole way on a small file: what is learned is saved, evaluated and used.
func TestColumns(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data.tsv")
	require.NoError(t, os.WriteFile(data,
		[]byte(strings.Repeat("the\tD\ncat\tN\nsees\tV\n\na\tD\ndog\tN\n\n", 60)), 0o666))
	model := filepath.Join(dir, "model")
	out, messages, err := run(t, "", "train", "-data", data, "-valid", data, "-hidden", "8",
		"-epochs", "8", "-lr", "0.02", "-save", model)
	require.NoError(t, err, messages)
	require.Contains(t, out, "model: accuracy 100.00 %")
	require.Contains(t, out, "counting words and pairs: accuracy 100.00 %")
	out, _, err = run(t, "", "evaluate", "-model", model, "-data", data, "-counting", "-count-in",
		data)
	require.NoError(t, err)
	require.Contains(t, out, "120 sentences, 300 tokens")
	out, _, err = run(t, "The cat sees\n\n", "tag", "-model", model)
	require.NoError(t, err)
	require.Equal(t, "The/D cat/N sees/V\n\n", out)
	out, _, err = run(t, "a dog\n", "tag", "-model", model, "-show", "columns")
	require.NoError(t, err)
	require.Equal(t, "a\tD\ndog\tN\n\n", out)
}

func TestQuick(t *testing.T) {
	clitest.Need(t, "sgd-dialogues")
	out, messages, err := run(t, "", "train", "-quick")
	require.NoError(t, err, messages)
	require.Contains(t, out, "5 tags")
}

func TestMistakes(t *testing.T) {
	for want, args := range map[string][]string{
		"go together":                    {"train", "-data", "x"},
		`cell is "x"`:                    {"train", "-cell", "x"},
		"-model is missing":              {"tag"},
		`-show is "x"`:                   {"tag", "-model", "m", "-show", "x"},
		"-count-in is what -counting":    {"evaluate", "-model", "m", "-count-in", "x"},
		"there are train, evaluate, tag": {"classify"},
	} {
		_, _, err := run(t, "", args...)
		require.ErrorContains(t, err, want, "%q", args)
	}
}

// Tags of entities are scored as entities, and tags that depend on each other are learned so.
func TestEntities(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data.tsv")
	require.NoError(t, os.WriteFile(data, []byte(strings.Repeat(
		"see\tO\nNew\tB-LOC\nYork\tI-LOC\n\nAda\tB-PER\nsings\tO\n\n", 40)), 0o666))
	out, messages, err := run(t, "", "train", "-data", data, "-valid", data, "-hidden", "8", "-crf",
		"-head", "6", "-epochs", "10", "-lr", "0.03")
	require.NoError(t, err, messages)
	require.Contains(t, out, "all              1.0000     1.0000     1.0000         80")
	require.Contains(t, out, "LOC              1.0000     1.0000     1.0000         40")
}

// The last line of a sentence gives its label, and both are learned by one model.
func TestIntent(t *testing.T) {
	dir := t.TempDir()
	data, model := filepath.Join(dir, "data.tsv"), filepath.Join(dir, "model")
	require.NoError(t, os.WriteFile(data, []byte(strings.Repeat(
		"fly\tO\nto\tO\nRome\tB-LOC\nEOS\tflight\n\nplay\tO\nJazz\tB-STYLE\nEOS\tmusic\n\n", 40)),
		0o666))
	out, messages, err := run(t, "", "train", "-intent", "-data", data, "-valid", data, "-hidden", "8",
		"-crf", "-epochs", "10", "-lr", "0.03", "-save", model)
	require.NoError(t, err, messages)
	require.Contains(t, out, "80 sentences to learn from, 80 to validate; 2 labels, 3 tags")
	out, _, err = run(t, "", "evaluate", "-model", model, "-data", data)
	require.NoError(t, err)
	require.Contains(t, out, "labels right 1.0000, tags 1.0000, all of a sentence 1.0000")
	require.Contains(t, out, "LOC")
	_, _, err = run(t, "", "evaluate", "-model", model, "-data", data, "-counting")
	require.ErrorContains(t, err, "-counting is of taggers")
	out, _, err = run(t, "fly to Rome\n\n", "tag", "-model", model)
	require.NoError(t, err)
	require.Equal(t, "flight\tfly/O to/O Rome/B-LOC\n\n", out)
	require.NoError(t, os.WriteFile(data, []byte("alone\tO\n\n"), 0o666))
	_, _, err = run(t, "", "train", "-intent", "-data", data, "-valid", data)
	require.ErrorContains(t, err, "line 1: the sentence has 1 lines")
}
