package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/examples/cli"
)

// do runs a command line.
func do(in string, args ...string) (out, messages string, err error) {
	var o, m bytes.Buffer
	err = program().Run(context.Background(), args,
		cli.Std{In: strings.NewReader(in), Out: &o, Messages: &m})
	return o.String(), m.String(), err
}

func TestFromPairsToSums(t *testing.T) {
	data, dir := t.TempDir(), t.TempDir()
	t.Setenv("SEQZOO_DATA", data)
	pairs := strings.Repeat("sun\t☀️\tTrue\nmoon\t🌙\tTrue\nnew york\t🗽\tTrue\n", 4)
	for name, content := range map[string]string{
		"wikitext-2/train.txt.gz": strings.Repeat("The sun and the moon .\nNew York has bread and butter\n\n", 300),
		"emoji2vec/train.txt":     pairs,
		"emoji2vec/dev.txt":       "sun\t☀\tTrue\nmoon\t☀\tFalse\n",
		"emoji2vec/test.txt":      "moon\t🌙\tTrue\nmoon\t🗽\tFalse\nzebra\t🌙\tFalse\nsun\t🍞\tTrue\n",
	} {
		path := filepath.Join(data, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
		if strings.HasSuffix(path, ".gz") {
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			_, err := z.Write([]byte(content))
			require.NoError(t, errors.Join(err, z.Close()))
			content = b.String()
		}
		require.NoError(t, os.WriteFile(path, []byte(content), 0o666))
	}
	model := filepath.Join(dir, "a model")
	// another training is at the words' vectors: said before any is learned
	lock, err := cli.LockDir(filepath.Join(model, "word2vec"))
	require.NoError(t, err)
	_, messages, err := do("", "train", "-quick", "-save", model)
	require.ErrorContains(t, err, "is in use by process")
	require.NotContains(t, messages, "words: epoch")
	require.NoError(t, lock.Close())

	var out string
	out, messages, err = do("", "train", "-quick", "-save", model)
	require.NoError(t, err)
	require.Contains(t, out, "validation: AUC")
	require.Contains(t, messages, "12 pairs, 3 emoji, ")
	// finds everything done
	_, messages, err = do("", "train", "-quick", "-save", model, "-epochs", "2")
	require.NoError(t, err)
	require.NotContains(t, messages, "words: epoch")
	_, _, err = do("", "train", "-quick", "-vectors", filepath.Join(model, "word2vec"))
	require.NoError(t, err)

	out, _, err = do("", "evaluate", "-model", model)
	require.NoError(t, err)
	require.Contains(t, out, "of 2 pairs; left out for unknown words: 1, for emoji "+
		"never described: 1")
	mine := filepath.Join(dir, "mine.txt")
	require.NoError(t, os.WriteFile(mine, []byte("new york\t🗽\tTrue\nthe sun\t🗽\tFalse\n"), 0o666))
	out, _, err = do("", "evaluate", "-model", model, "-data", mine)
	require.NoError(t, err)
	require.Contains(t, out, mine+": AUC")

	out, messages, err = do("☀️ + 🌙\n\nsun+moon - 🗽\n🍞\nking\nsun moon\nsun +\n- sun\n", "emoji",
		"-model", model, "-n", "1", "-words", "2")
	require.NoError(t, err)
	require.Equal(t, 3*4, strings.Count(out, "\n"))
	require.Contains(t, out, "☀️ + 🌙\n    ")
	for _, want := range []string{"line 4: no vector for 🍞", `line 5: no vector for "king"`,
		`line 6: "sun moon": a + or - is missing before "moon"`,
		"line 7: \"sun +\": a term is missing at the end"} {
		require.Contains(t, messages, want)
	}
}

func TestMistakes(t *testing.T) {
	t.Setenv("SEQZOO_DATA", t.TempDir())
	for args, want := range map[string]string{
		"train":                   "give pairs by -data",
		"train -data nothing.txt": "nothing.txt",
		"train -negatives -1":     "negatives is -1",
		"train -epochs 0":         "-epochs is 0",
		"evaluate":                "-model is missing",
		"evaluate -model nothing": "no such file",
		"emoji -model x -n 0":     "want something to list",
		"emoji":                   "-model is missing",
	} {
		_, _, err := do("", strings.Fields(args)...)
		require.ErrorContains(t, err, want, args)
	}
	for line, want := range map[string]string{
		"+ a": "before \"+\"", "a + - b": "before \"-\"", "a -": "at the end", "-": "at the end",
		"a b": "before \"b\"", "a ++ b": "before \"+\"",
	} {
		_, _, err := parseSum(line)
		require.ErrorContains(t, err, want, line)
	}
	positive, negative, err := parseSum(" - a + b−c + d − e")
	require.NoError(t, err)
	require.Equal(t, []string{"b−c", "d"}, positive)
	require.Equal(t, []string{"a", "e"}, negative)
}
