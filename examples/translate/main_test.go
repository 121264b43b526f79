package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/examples/cli/clitest"
	"github.com/seqzoo/seqzoo/train"
)

// run is the program with arguments and standard input.
func run(in string, args ...string) (out, messages string, err error) {
	var o, m bytes.Buffer
	err = program().Run(context.Background(), args,
		cli.Std{In: strings.NewReader(in), Out: &o, Messages: &m})
	return o.String(), m.String(), err
}

// write makes a file.
func write(t *testing.T, dir, name, content string) string {
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// A toy language, in which each word has its translation and the order turns round.
const (
	german = "eins zwei\nzwei drei\ndrei eins zwei\neins\nzwei eins drei zwei\ndrei zwei eins " +
		"eins drei\n"
	english = "two one\nthree two\ntwo one three\none\ntwo three one two\nthree one one two three\n"
)

func TestTranslate(t *testing.T) {
	dir := t.TempDir()
	source, target := write(t, dir, "de", strings.Repeat(german, 20)),
		write(t, dir, "en", strings.Repeat(english, 20))
	dev := []string{write(t, dir, "dev.de", german), write(t, dir, "dev.en", english)}
	model := filepath.Join(dir, "model")
	train := []string{
		"train", "-source", source, "-target", target, "-valid-source", dev[0], "-valid-target",
		dev[1],
		"-save", model,
		"-hidden", "16", "-embed", "16", "-readout", "16", "-epochs", "15", "-batch", "8", "-lr",
		"0.03", "-warmup", "0", "-dropout", "0", "-best", "bleu", "-patience", "0",
	}
	out, messages, err := run("", train...)
	require.NoError(t, err)
	require.Contains(t, messages, "120 pairs to train on, 6 to choose by")
	require.Contains(t, messages, "valid_bleu ")
	require.Contains(t, out, "BLEU by length of the source")
	_, messages, err = run("", train...)
	require.NoError(t, err)
	require.Contains(t, messages, "going on from step 225")

	out, _, err = run("", "evaluate", "-model", model, "-source", dev[0], "-target", dev[1],
		"-beam", "2")
	require.NoError(t, err)
	require.Contains(t, out, "6 pairs; 0.0 %")
	require.Contains(t, out, "beam 2, alpha 1")
	require.Contains(t, out, "BLEU 100.00 (100.0 / 100.0 / 100.0 / 100.0;")
	out, _, err = run("", "evaluate", "-model", model, "-source", dev[0], "-target", dev[1],
		"-beam", "2", "-alphas")
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(out, "beam 2, alpha 1.8"))

	_, _, err = run("", "evaluate", "-model", model, "-source", dev[1], "-target", dev[0])
	require.ErrorContains(t, err,
		"100.0 % of the words of the sources are unknown to the model: does it translate from "+
			"that language?")

	plateau := append(slices.Clone(train), "-schedule", "plateau", "-save",
		filepath.Join(dir, "plateau"), "-epochs", "1")
	_, _, err = run("", plateau...)
	require.NoError(t, err)
	// more epochs may follow, as the schedule does not depend on their number
	plateau[len(plateau)-1] = "2"
	_, messages, err = run("", plateau...)
	require.NoError(t, err)
	require.Contains(t, messages, "going on from step 15")

	out, messages, err = run("drei eins zwei\n\neins vier\nzwei\n", "translate", "-model", model)
	require.NoError(t, err)
	lines := strings.Split(out, "\n")
	require.Len(t, lines, 5) // a line for each, and the last line end
	require.Equal(t, "two one three", lines[0])
	require.Empty(t, lines[1])
	require.Contains(t, messages, "line 2: there is nothing to translate")
	require.Contains(t, messages, "line 3: unknown to the model: vier")

	out, _, err = run("eins zwei", "translate", "-model", model, "-draw", "-", "-best", "2")
	require.NoError(t, err)
	require.Regexp(t, `(?m)^-\d\.\d{3}\ttwo one$`, out)
	require.Contains(t, out, "    two  ←  ")
	drawings := filepath.Join(dir, "drawings")
	_, _, err = run("eins zwei\nzwei", "translate", "-model", model, "-draw", drawings)
	require.NoError(t, err)
	svg, err := os.ReadFile(filepath.Join(drawings, "2.svg"))
	require.NoError(t, err)
	require.Contains(t, string(svg), "two, zwei: 1<")
}

func TestQuick(t *testing.T) {
	clitest.Need(t, "small_parallel_enja")
	out, _, err := run("", "train", "-quick")
	require.NoError(t, err)
	require.Contains(t, out, "50 pairs; ")
}

// A sentence that takes more memory than there is, and one that is too long, are named by their
// lines in the files, also behind lines that are left out.
func TestLongSentence(t *testing.T) {
	dir := t.TempDir()
	short := write(t, dir, "short", "a b\nb\n")
	source := write(t, dir, "source", "a b\n\nb a\n"+strings.Repeat("a b ", 200)+"\nb\n")
	clitest.LimitMemory(t, 4<<20)
	_, _, err := run("", "train", "-min-count", "1", "-skip-blank", "-epochs", "1", "-save",
		filepath.Join(dir, "m"), "-source", source, "-target", source, "-valid-source", short,
		"-valid-target", short)
	require.ErrorContains(t, err, "source: line 4: ")
	require.ErrorContains(t, err, "800 tokens") // of both sides
	require.ErrorIs(t, err, train.ErrMemory)
}

func TestMistakes(t *testing.T) {
	const dir = "." // so that no argument has its name, which may have spaces
	t.Chdir(t.TempDir())
	one, two := write(t, dir, "one", "a\n"), write(t, dir, "two", "b\nc\n")
	blank, empty := write(t, dir, "blank", "a\n \n"), write(t, dir, "empty", "")
	long := write(t, dir, "long", strings.Repeat("a ", 9000))
	for _, c := range []struct{ args, want string }{
		{"train -source x", "-source and -target go together"},
		{"train -source x -target y", "-source and -valid-source go together"},
		{"train -hidden 0", "-hidden is 0"},
		{"train -cell elman", `cell is "elman"`},
		{"train -dropout 1", "dropout is 1"},
		{"train -schedule step", `-schedule is "step"`},
		{"train -best luck", `-best is "luck"`},
		{"train -epochs 0", "-epochs is 0"},
		{"train -corpus none", "there is no "},
		{"train -source " + one + " -target " + two + " -valid-source x -valid-target y",
			"two: 2; each needs"},
		{"train -source " + two + " -target " + blank + " -valid-source x -valid-target y",
			"blank: line 2 is empty"},
		{"train -source " + empty + " -target " + two + " -valid-source x -valid-target y",
			"empty: the file is empty"},
		{"train -source " + one + " -target " + one + " -valid-source x -valid-target y",
			"x: no such file"},
		{"train -min-count 1 -source " + one + " -target " + long + " -valid-source " + one +
			" -valid-target " + one, "the target has 9000 tokens"},
		{"train -source " + one + " -target " + one + " -valid-source " + one + " -valid-target " +
			one + " -smoothing 1", "Smoothing is 1"},
		{"evaluate", "-model is missing"},
		{"evaluate -model " + dir, "config.json"},
		{"evaluate -model " + dir + " -beam 0", "-beam is 0"},
		{"translate -model x -beam 3 -n 4", "-n is 4"},
		{"translate -model x -alpha -1", "-alpha is -1"},
	} {
		_, _, err := run("", strings.Fields(c.args)...)
		require.ErrorContains(t, err, c.want, c.args)
	}
}

// A model with -pointer copies names that no vocabulary has.
func TestTranslatePointer(t *testing.T) {
	dir := t.TempDir()
	var de, en strings.Builder
	for i := range 240 {
		fmt.Fprintf(&de, "wo ist N%d ?\nN%d schläft\n", i, i+1000)
		fmt.Fprintf(&en, "where is N%d ?\nN%d is asleep\n", i, i+1000)
	}
	source, target := write(t, dir, "de", de.String()), write(t, dir, "en", en.String())
	dev := []string{write(t, dir, "dev.de", "wo ist Zoe ?\n"), write(t, dir, "dev.en",
		"where is Zoe ?\n")}
	model := filepath.Join(dir, "model")
	_, _, err := run("", "train", "-source", source, "-target", target, "-valid-source", dev[0],
		"-valid-target", dev[1], "-save", model, "-pointer", "-hidden", "16", "-embed",
		"16", "-readout",
		"16", "-epochs", "20", "-batch", "16", "-lr", "0.02", "-warmup", "0", "-dropout", "0",
		"-patience", "0")
	require.NoError(t, err)
	out, _, err := run("wo ist Kim ?\nBo schläft\n", "translate", "-model", model)
	require.NoError(t, err)
	require.Contains(t, out, "where is Kim ?")
	require.Contains(t, out, "Bo is asleep")
}
