package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/examples/cli"
)

// talk runs the program.
func talk(t *testing.T, in string, args ...string) (out, messages string, err error) {
	t.Helper()
	var o, m bytes.Buffer
	err = program().Run(context.Background(), args,
		cli.Std{In: strings.NewReader(in), Out: &o, Messages: &m})
	return o.String(), m.String(), err
}

// Every model trains, is measured and talks.
func TestDialogue(t *testing.T) {
	dir := t.TempDir()
	data, valid := filepath.Join(dir, "train.txt"), filepath.Join(dir, "valid.txt")
	require.NoError(t, os.WriteFile(data,
		[]byte(strings.Repeat("hello there\thi .\thow are you ?\tfine !\nhi\thello\n", 30)), 0o600))
	require.NoError(t, os.WriteFile(valid, []byte("hi there\thello\thow is the zebra ?\tfine\n"),
		0o600))
	for _, kind := range []string{"hred", "vhred", "seq2seq", "hred -pointer", "vhred -pointer",
		"seq2seq -pointer"} {
		t.Run(kind, func(t *testing.T) {
			model := filepath.Join(dir, kind)
			train := append([]string{"train", "-quick", "-data", data, "-save", model, "-kind"},
				strings.Fields(kind)...)
			_, messages, err := talk(t, "", train...)
			require.NoError(t, err)
			require.Contains(t, messages,
				"40 dialogues of 120 turns to learn from and 20 to validate on")
			_, messages, err = talk(t, "", train...) // complete already
			require.NoError(t, err)
			require.Contains(t, messages, "going on from step")

			out, _, err := talk(t, "", "evaluate", "-model", model, "-data", valid, "-samples", "2")
			require.NoError(t, err)
			require.Contains(t, out, "valid.txt: 1 dialogues, 10 words to predict with the ends "+
				"of turns, of which 30.0 % are <unk>")
			require.Contains(t, out, "perplexity")
			require.Contains(t, out, "3 replies in 1 dialogues")
			require.Equal(t, strings.HasPrefix(kind, "vhred"),
				strings.Contains(out, "latent units"))

			for _, flags := range [][]string{nil, {"-beam", "2"},
				{"-temperature", "1", "-top-p", "0.9"}, {"-listen"}} {
				out, messages, err := talk(t, "hi there\nyou zebra\n\nhi there\n/new\n",
					append([]string{"reply", "-model", model}, flags...)...)
				require.NoError(t, err)
				require.Equal(t, 5, strings.Count(out, "\n"))
				require.Contains(t, messages, "zebra")
			}
		})
	}
	for want, args := range map[string][]string{
		"-kind is \"gpt\"":           {"train", "-kind", "gpt"},
		`the level is "syllable"`:    {"train", "-level", "syllable"},
		"-hidden is 3":               {"train", "-hidden", "3"},
		"-latent 0":                  {"train", "-latent", "0"},
		"-hold-out is -1":            {"train", "-hold-out", "-1"},
		"-free-bits is NaN":          {"train", "-free-bits", "NaN"},
		"-word-dropout is -1":        {"train", "-word-dropout", "-1"},
		"-word-dropout is 1;":        {"train", "-word-dropout", "1"},
		"-epochs is 0":               {"train", "-epochs", "0"},
		"none is left to learn from": {"train", "-quick", "-data", valid, "-hold-out", "1"},
		"-model is missing":          {"evaluate"},
		"-samples 0":                 {"evaluate", "-model", "x", "-samples", "0"},
		"config.json":                {"reply", "-model", dir},
		"-beam is 0":                 {"reply", "-model", dir, "-beam", "0"},
		"-beam and -temperature are both": {"reply", "-model", dir, "-beam", "2", "-temperature",
			"1"},
		"single utterance": {"train", "-quick", "-data", os.Args[0] + ".absent"},
	} {
		if want == "single utterance" {
			args[3] = filepath.Join(dir, "flat.txt")
			require.NoError(t, os.WriteFile(args[3], []byte("no tab\n"), 0o600))
		}
		_, _, err := talk(t, "", args...)
		require.ErrorContains(t, err, want)
	}
}

// What is wrong with a dialogue names its line, in a file that is held out of the training too.
func TestErrorsNameLines(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "data.txt")
	long := strings.Repeat("word ", 1<<13+1) + "\tb\n"
	write := func(before, behind int) {
		require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("a\tb\tc\n", before)+
			long+strings.Repeat("a\tb\n", behind)), 0o600))
	}
	model := filepath.Join(dir, "model")
	for _, kind := range []string{"hred", "seq2seq"} {
		for before, behind := range map[int]int{4: 30, 30: 4} {
			write(before, behind)
			_, _, err := talk(t, "", "train", "-quick", "-kind", kind, "-data", path)
			require.ErrorContains(t, err, fmt.Sprintf("data.txt: line %d: ", before+1))
			require.Equal(t, 1, strings.Count(err.Error(), "line"), err)
		}
		require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("a\tb\n", 30)), 0o600))
		_, _, err := talk(t, "", "train", "-quick", "-kind", kind, "-data", path, "-save", model)
		require.NoError(t, err)
		write(7, 2)
		_, _, err = talk(t, "", "evaluate", "-model", model, "-data", path)
		require.ErrorContains(t, err, "data.txt: line 8: ")
		require.NoError(t, os.RemoveAll(model))
	}
}

// How a model cuts what is said is part of its configuration, so that one that was killed behind
// its first save talks as it learned to; half-width and decomposed characters are read as it
// learned them.
func TestCutIsSavedWithTheModel(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "train.txt")
	require.NoError(t, os.WriteFile(data, []byte(strings.Repeat("ガラス\tカフェ\nか゛\tcafé\n", 30)),
		0o600))
	for _, kind := range []string{"hred", "seq2seq"} {
		model := filepath.Join(dir, kind)
		_, _, err := talk(t, "", "train", "-kind", kind, "-level", "char", "-unicode", "nfkc",
			"-quick", "-data", data, "-save", model)
		require.NoError(t, err)
		config, err := os.ReadFile(filepath.Join(model, "config.json"))
		require.NoError(t, err)
		require.Contains(t, string(config), `"level": "char"`)
		require.Contains(t, string(config), `"unicode": "nfkc"`)
		out, messages, err := talk(t, "ｶﾞﾗｽ\ncafe\u0301\n", "reply", "-model", model, "-listen")
		require.NoError(t, err)
		require.NotContains(t, messages, "unknown")
		require.Equal(t, 2, strings.Count(out, "\n"))
		_, messages, err = talk(t, "犬\n", "reply", "-model", model)
		require.NoError(t, err)
		require.Contains(t, messages, "unknown")
	}

	// A model from before says so in a file beside it.
	model := filepath.Join(dir, "old")
	_, _, err := talk(t, "", "train", "-quick", "-data", data, "-save", model)
	require.NoError(t, err)
	config, err := os.ReadFile(filepath.Join(model, "config.json"))
	require.NoError(t, err)
	require.Contains(t, string(config), `"level": "word"`)
	_, err = oldLevel(model)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(model, levelFile), []byte(`"ja"`), 0o600))
	cut, err := oldLevel(model)
	require.NoError(t, err)
	require.Equal(t, "ja", cut.Level)
	require.NoError(t, os.WriteFile(filepath.Join(model, levelFile), []byte(`"syllable"`), 0o600))
	_, err = oldLevel(model)
	require.ErrorContains(t, err, levelFile)
}
