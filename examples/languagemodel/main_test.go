package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// do runs a command line.
func do(in string, args ...string) (out, messages string, err error) {
	var o, m bytes.Buffer
	err = program().Run(context.Background(), args,
		cli.Std{In: strings.NewReader(in), Out: &o, Messages: &m})
	return o.String(), m.String(), err
}

// write is the path of a file that holds s.
func write(t testing.TB, s string) string {
	path := filepath.Join(t.TempDir(), "text.txt")
	require.NoError(t, os.WriteFile(path, []byte(s), 0o666))
	return path
}

var story = strings.Repeat(" the cat sat on the <unk> . \n \n The dog sat on a = rug = \n some "+
	"of them looks like a bird ! \n", 80)

// Each preset trains a tiny model, which then measures, scores and writes.
func TestPresets(t *testing.T) {
	path := write(t, story)
	for name, p := range presets {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "model")
			quick := []string{"train", "-quick", "-preset", name, "-data", path, "-save", dir,
				"-steps", "12"}
			if strings.Contains(p.flags, "cutoffs") {
				quick = append(quick, "-cutoffs", "3,9")
			}
			if strings.Contains(p.flags, "sampled") {
				quick = append(quick, "-sampled", "7")
			}
			if strings.Contains(p.flags, "bpe") {
				quick = append(quick, "-bpe-size", "280")
			}
			out, messages, err := do("", quick...)
			require.NoError(t, err, messages)
			require.Regexp(t, `: 12 steps, .+; validation loss \d+\.\d{4} nats, perplexity \d+\.\d\d\n$`, out)

			out, _, err = do("", "evaluate", "-model", dir, "-data", path)
			require.NoError(t, err)
			require.Regexp(t, `: \d+ (characters|words|pieces), of which \d+ are <unk>: loss \d+\.\d+ nats, \d+\.\d+ bits, perplexity \d+\.\d+\n$`, out)
			out, _, err = do("the cat\n\nthe dog\n", "generate", "-model", dir, "-length", "5")
			require.NoError(t, err)
			require.GreaterOrEqual(t, strings.Count(out, "\n"), 3)
			require.Contains(t, out, "the cat")
			out, _, err = do("the cat\n\nthe dog\n", "perplexity", "-model", dir)
			require.NoError(t, err)
			require.Equal(t, 3, strings.Count(out, "\n"))
			require.Contains(t, out, "\tthe dog\n")
		})
	}
}

// Every token of a file counts once, a line end too, and nothing is folded, whatever else is in the
// line: the perplexity of a file of one line is that of the line.
func TestEvaluateAsPyTorchDoes(t *testing.T) {
	path, dir := write(t, story), filepath.Join(t.TempDir(), "model")
	_, messages, err := do("", "train", "-quick", "-preset", "wikitext2", "-data", path, "-save",
		dir)
	require.NoError(t, err, messages)
	m, err := lm.Load(dir)
	require.NoError(t, err)
	for _, word := range []string{"The", "the", "<unk>", "<eos>", "=", "!"} {
		_, ok := m.Vocabulary().ID(word)
		require.True(t, ok, word)
	}
	line := " The cat sat on <unk> okapi "
	out, _, err := do("", "evaluate", "-model", dir, "-data", write(t, line+"\n"))
	require.NoError(t, err)
	require.Contains(t, out, ": 7 words, of which 2 are <unk>: ")
	lines, _, err := do(line+"\n", "perplexity", "-model", dir)
	require.NoError(t, err)
	perplexity, _, _ := strings.Cut(lines, "\t")
	require.Contains(t, out, "perplexity "+perplexity+"\n")

	// An empty line is an <eos>; -last measures the end alone.
	out, _, err = do("", "evaluate", "-model", dir, "-data", write(t, " \n a \n \n"))
	require.NoError(t, err)
	require.Contains(t, out, ": 4 words, of which 0")
	out, _, err = do("", "evaluate", "-model", dir, "-data", path, "-last", "100", "-tracks", "10")
	require.NoError(t, err)
	require.Contains(t, out, ": 100 words")
}

// Ended early and called again, with the same command, it ends where one that was never stopped
// does.
func TestResume(t *testing.T) {
	path, whole, parts := write(t, story), filepath.Join(t.TempDir(), "whole"),
		filepath.Join(t.TempDir(), "parts")
	args := func(dir, steps string) []string {
		return []string{"train", "-quick", "-preset", "shakespeare", "-data", path, "-save", dir,
			"-steps", steps, "-epochs", "1", "-average", "0.9"}
	}
	_, messages, err := do("", args(whole, "30")...)
	require.NoError(t, err, messages)
	for _, steps := range []string{"9", "30"} {
		_, messages, err = do("", args(parts, steps)...)
		require.NoError(t, err, messages)
	}
	require.Contains(t, messages, "going on from step 9")
	want, err := os.ReadFile(filepath.Join(whole, "model.safetensors"))
	require.NoError(t, err)
	got, err := os.ReadFile(filepath.Join(parts, "model.safetensors"))
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, got))

	_, _, err = do("", append(args(parts, "30"), "-lr", "0.5")...)
	require.ErrorContains(t, err, "-lr")
}

func TestMistakes(t *testing.T) {
	path := write(t, story)
	for want, args := range map[string][]string{
		"a command is missing": {},
		`"learn" is no command; there are train, compare, evaluate, generate, perplexity`: {"learn"},
		`-preset is "x"; there are neko`: {"train",
			"-preset", "x"},
		`level is "sentence"`: {"train",
			"-level", "sentence"},
		`-optimizer is "sdg"`: {"train",
			"-optimizer", "sdg"},
		`-schedule is "linear"`: {"train",
			"-schedule", "linear"},
		"-average is 1": {"train",
			"-average", "1"},
		"-window is 0": {"train",
			"-window", "0"},
		"-min-count 0": {"train",
			"-min-count", "0"},
		"-sampled -1": {"train",
			"-sampled", "-1"},
		"-bpe-size is 255": {"train",
			"-level", "bpe", "-bpe-size", "255"},
		"-valid is set without -data": {"train",
			"-valid", path},
		"-lr is 0": {"train", "-lr",
			"0"},
		"hidden is -1": {"train",
			"-hidden", "-1"},
		"tied: embed is 3": {"train", "-tied",
			"-embed", "3"},
		`-cutoffs is "many"`: {"train",
			"-cutoffs", "many"},
		"cutoffs are [9 3]": {"train",
			"-cutoffs", "9,3"},
		"no output layer of the embedding's shape": {"train",
			"-cutoffs", "3", "-tied"},
		"absent: no such file": {"train",
			"-data", "absent"},
		"rising ones in 1 … ": {"train",
			"-quick", "-data", path, "-cutoffs", "100000"},
		"want 1 … V of them": {"train",
			"-quick", "-data", path, "-sampled", "100000"},
		"-model is missing\n-data is missing": {"evaluate"},
		"-tracks 0": {"evaluate",
			"-model", "m", "-data", "t", "-tracks", "0"},
		"-length is 0": {"generate",
			"-model", "m", "-length", "0"},
		"TopP is 2": {"generate",
			"-model", "m", "-top-p", "2"},
		"no-such-model": {"perplexity",
			"-model", "no-such-model"},
		"the text has ": {"train",
			"-data", write(t, "this is too short for a batch of 50"), "-level", "char"},
		"is not UTF-8": {"train",
			"-data", write(t, "bad \xff"), "-level", "char"},
		"unexpected argument": {"train",
			"loudly"},
		"flag provided but not defined: -louder; languagemodel tr": {"train", "-louder"},
	} {
		out, _, err := do("", args...)
		require.ErrorContains(t, err, want, args)
		require.NotContains(t, out, "validation loss")
	}
}

// A line that cannot be read does not end the work.
func TestLines(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	_, messages, err := do("", "train", "-quick", "-preset", "wikitext2", "-data", write(t, story),
		"-save", dir, "-steps", "2")
	require.NoError(t, err, messages)
	out, messages, err := do("xx yy\nthe xx\n\xff\nthe cat\n", "generate", "-model", dir, "-length",
		"2")
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(out, "\n"))
	require.Contains(t, messages, "line 1: ")
	require.Contains(t, messages, "not in the vocabulary, and read as <unk>: xx\n")
	require.Contains(t, messages, "line 3: ")
	_, messages, err = do("\xff\n", "perplexity", "-model", dir)
	require.NoError(t, err)
	require.Contains(t, messages, "line 1: ")
}

// The presets parse, and their tasks are those of the documentation.
// A model that has no token for words that it does not know names the line of one.
func TestUnknownWordsNameTheirLine(t *testing.T) {
	v, err := text.NewVocabulary(text.VocabularyConfig{}, []string{"a", "b", text.EOS})
	require.NoError(t, err)
	m, err := lm.New(lm.Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 4}}, v, 1)
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "model")
	require.NoError(t, m.Save(dir))
	_, _, err = do("", "evaluate", "-model", dir, "-data", write(t, "a b\n\nb zebra a\nzebra\n"))
	require.ErrorContains(t, err, "text.txt: line 3: ")
	require.ErrorContains(t, err, "zebra")
}

func TestPresetFlags(t *testing.T) {
	said, _, err := do("", "train", "-help")
	require.NoError(t, err)
	for name, p := range presets {
		require.Contains(t, said, name+" ("+p.about+")")
	}
}

// What a preset says of first weights and of layers is for a cell that takes it, unless the command
// line says it.
func TestAnyCellUnderAPreset(t *testing.T) {
	for _, c := range []struct {
		args, cell string
		layers     int
	}{
		{"", "lstm,uniform", 2},
		{"-cell mlstm,heads=2", "mlstm,heads=2", 2},
		{"-cell lstm,uniform", "lstm,uniform", 2},
		{"-cell gru,memory=9 -layers 1", "gru,memory=9", 1},
		{"-cell gru/ssm/rnn", "gru,uniform/ssm/rnn,uniform", 3},
		{"-cell gru/ssm -init uniform", "has no option \"uniform\"", 0},
		{"-cell gru/ssm/gru -layers 2", "cell names 3 layers, and layers is 2", 0},
	} {
		var tr trainer
		f := flag.NewFlagSet("train", flag.ContinueOnError)
		tr.flags(f)
		require.NoError(t, f.Parse(strings.Fields(c.args)))
		if err := tr.check(); c.layers == 0 {
			require.ErrorContains(t, err, c.cell, c.args)
			continue
		} else {
			require.NoError(t, err, c.args)
		}
		cfg, err := tr.config()
		require.NoError(t, err)
		require.Equal(t, c.cell, cfg.Cell, c.args)
		require.Equal(t, c.layers, cfg.Recurrent.WithDefaults().Layers, c.args)
	}
}

// Cells are compared on one budget of parameters, each in a folder of its own.
func TestCompare(t *testing.T) {
	path, dir := write(t, story), t.TempDir()
	args := []string{"compare", "-quick", "-data", path, "-steps", "40", "-lr", "0.02", "-layers", "1",
		"-save", dir, "-parameters", "6000", "-cells", "gru mlstm,heads=2 gru/rnn"}
	out, messages, err := do("", args...)
	require.NoError(t, err, messages)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	require.Len(t, lines, 4)
	require.Regexp(t, `^ *cell +width +parameters +characters/s +validation loss, nats$`, lines[0])
	for i, cell := range []string{"gru", "mlstm,heads=2", "gru/rnn"} {
		var name string
		var width, parameters int
		var rate, loss float64
		_, err := fmt.Sscan(lines[i+1], &name, &width, &parameters, &rate, &loss)
		require.NoError(t, err)
		require.Equal(t, cell, name)
		require.InDelta(t, 6000, parameters, 2000)
		require.Zero(t, width%8)
		require.InDelta(t, 3, loss, 1)
		m, err := lm.Load(filepath.Join(dir, strings.ReplaceAll(cell, "/", "+")))
		require.NoError(t, err)
		require.Equal(t, parameters, m.Params().Count())
	}
	for _, c := range []struct{ args, message string }{
		{"-cell gru", "want -cells"}, {"-parameters -1", "-parameters is -1"},
		{"-cells nonsense", "nonsense"},
	} {
		_, _, err := do("", append([]string{"compare", "-data", path}, strings.Fields(c.args)...)...)
		require.ErrorContains(t, err, c.message)
	}
}
