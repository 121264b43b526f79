package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/decode"
)

// settings are the command line.
type settings struct {
	text, level, cells    string
	layers, hidden, batch int
	window, epochs, steps int
	minCount, maxVocab    int
	lr, clip, dropout     float64
	tied                  bool
	seed                  uint64
	prompt                string
	anyPrompt             bool // the default, which may have no word of a text of one's own
	next, generate        int
	temperature, topP     float64
	save                  string
	saveEvery             int
	quick                 bool
}

const usage = `Trains an RNN, a GRU and an LSTM on the same text, compares them, and completes a phrase.

    go run ./examples/nextword
    go run ./examples/nextword -quick
    go run ./examples/nextword -data novel.txt -epochs 10 -prompt "it was a"
    go run ./examples/nextword -cells lstm -level char -save models

Perplexity is measured on the last tenth of the text, which no model is trained on. Ctrl-C stops after
the step at hand; with -save, the same command goes on from there.

`

// parse reads the command line. If it asks for help, that goes to out, and the error is
// flag.ErrHelp.
func parse(args []string, out io.Writer) (*settings, error) {
	s := &settings{}
	f := flag.NewFlagSet("nextword", flag.ContinueOnError)
	cli.DataFlag(f, &s.text, "of text to learn from, UTF-8 or gzip of it, instead of the "+
		"embedded Shakespeare")
	cli.OldNames(f, "text", "data")
	f.StringVar(&s.level, "level", "word", "`unit` that is predicted: word or char")
	f.StringVar(&s.cells, "cells", "rnn,gru,lstm",
		"comma-separated `list` of cells to train and compare; options stand\n"+
			"behind their cell, as in gru,reset_before,lstm, and / parts layers.\n"+cli.CellsHelp())
	f.IntVar(&s.layers, "layers", 1, "recurrent layers")
	f.IntVar(&s.hidden, "hidden", 0,
		"width of the layers and of the embedding (default 128 for words, 256 for characters)")
	cli.BatchFlag(f, &s.batch, 0, ": tracks of the text (default 16 for words, 32 for characters)")
	f.IntVar(&s.window, "window", 0,
		"steps that the gradient goes back (default 20 for words, 50 for characters)")
	cli.EpochsFlag(f, &s.epochs, 0, " (default 2 for words, 1 for characters)")
	cli.StepsFlag(f, &s.steps, 0)
	cli.MinCountFlag(f, &s.minCount, 3)
	f.IntVar(&s.maxVocab, "max-vocab", 10000, "size of the vocabulary at most")
	cli.RateFlag(f, &s.lr, 0, "along a cosine (default 0.005 for words, 0.003 for characters)")
	cli.ClipFlag(f, &s.clip, 1)
	f.Float64Var(&s.dropout, "dropout", 0,
		"share of embedding, output and what goes between layers that is dropped\n"+
			"(default 0.1 for words, 0.25 for characters)")
	f.BoolVar(&s.tied, "tied", true, "the embedding is the output layer too")
	cli.SeedFlag(f, &s.seed, 1, "weights and noise")
	f.StringVar(&s.prompt, "prompt", "some of them looks like",
		"`phrase` to complete; by default also one of -data")
	f.IntVar(&s.next, "next", 5, "likeliest next words to list")
	f.IntVar(&s.generate, "generate", 0,
		"length of the continuation (default 20 words, 100 characters)")
	f.Float64Var(&s.temperature, "temperature", 0.7,
		"of the continuation; 0 takes the likeliest word each time")
	f.Float64Var(&s.topP, "top-p", 0.95,
		"nucleus of the continuation: the likeliest words that make up this share")
	cli.SaveFlag(f, &s.save, "")
	cli.SaveEveryFlag(f, &s.saveEvery, 200)
	cli.QuickFlag(f, &s.quick)
	if err := cli.Parse(f, args, usage+cli.Lesson("05-gru"), out); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, cli.Usagef("unexpected argument %q; put a phrase of several words in quotes",
			f.Arg(0))
	}
	given := cli.Given(f)
	s.complete(given)
	s.anyPrompt = s.text != "" && !given["prompt"]
	if err := s.check(); err != nil {
		return nil, cli.Usagef("%w", err)
	}
	return s, nil
}

// preset is the value of a flag that was not given: by level, and with -quick.
type preset[T any] struct {
	flag                         string
	value                        *T
	word, char, quick, quickChar T
}

func (p preset[T]) fill(s *settings, given map[string]bool) {
	values := []T{p.word, p.quick}
	if s.level == "char" {
		values = []T{p.char, p.quickChar}
	}
	if given[p.flag] {
		return
	}
	if *p.value = values[0]; s.quick {
		*p.value = values[1]
	}
}

// complete sets the flags that were not given and depend on others.
func (s *settings) complete(given map[string]bool) {
	for _, p := range []preset[int]{
		{"hidden", &s.hidden, 128, 256, 48, 48},
		{"batch", &s.batch, 16, 32, 32, 32},
		{"window", &s.window, 20, 50, 20, 20},
		{"epochs", &s.epochs, 2, 1, 1, 1},
		{"generate", &s.generate, 20, 100, 20, 100},
		{"max-vocab", &s.maxVocab, s.maxVocab, s.maxVocab, 500, 500},
		{"steps", &s.steps, s.steps, s.steps, 60, 60},
	} {
		p.fill(s, given)
	}
	for _, p := range []preset[float64]{
		{"lr", &s.lr, 0.005, 0.003, 0.02, 0.02},
		{"dropout", &s.dropout, 0.1, 0.25, 0.25, 0.25},
	} {
		p.fill(s, given)
	}
}

// check reports everything that is out of range.
func (s *settings) check() error {
	var errs []error
	report := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	report(s.level == "word" || s.level == "char", "-level is %q; want word or char", s.level)
	for _, c := range s.cellList() {
		report(c != "", "-cells: %q names no cell; want some of %s", s.cells,
			strings.Join(cells.Registered(), ","))
		err := zoo.Recurrent{Cell: c, Hidden: 1}.Validate()
		report(err == nil, "-cells: %w", err)
	}
	for _, size := range []struct {
		flag         string
		value, least int
	}{
		{"layers", s.layers, 1}, {"hidden", s.hidden, 1}, {"batch", s.batch, 1},
		{"window", s.window, 1},
		{"epochs", s.epochs, 1}, {"steps", s.steps, 0}, {"min-count", s.minCount, 1},
		{"max-vocab", s.maxVocab, 10},
		{"next", s.next, 1}, {"generate", s.generate, 1}, {"save-every", s.saveEvery, 1},
	} {
		report(size.value >= size.least, "-%s is %d; want at least %d", size.flag, size.value,
			size.least)
	}
	report(s.lr > 0 && s.lr < 1, "-lr is %g; want more than 0 and less than 1", s.lr)
	report(s.dropout >= 0 && s.dropout < 1, "-dropout is %g; want at least 0 and less than 1",
		s.dropout)
	return errors.Join(errors.Join(errs...), train.Clip{Norm: s.clip}.Validate(),
		s.sampler().Validate())
}

func (s *settings) cellList() []string {
	names := cells.Registered()
	var list []string
	for i, piece := range strings.Split(s.cells, ",") {
		piece = strings.TrimSpace(piece)
		if name, _, _ := strings.Cut(piece, "/"); i == 0 || slices.Contains(names, name) ||
			!hasOption(list[len(list)-1], piece) {
			list = append(list, piece)
		} else {
			list[len(list)-1] += "," + piece
		}
	}
	var distinct []string
	for _, c := range list {
		if !slices.Contains(distinct, c) {
			distinct = append(distinct, c)
		}
	}
	return distinct
}

// hasOption reports whether the last layer's cell of a spec has an option, which then belongs to it
// in a list.
func hasOption(spec, option string) bool {
	last := spec[strings.LastIndex(spec, "/")+1:]
	_, err := cells.Parse(last + "," + option)
	return err == nil || strings.HasPrefix(option, "hidden=")
}

func (s *settings) sampler() *decode.Sampler {
	if s.temperature == 0 {
		return &decode.Sampler{} // the default of top-p is for a temperature above 0
	}
	return &decode.Sampler{Temperature: s.temperature, TopP: s.topP}
}

func main() {
	ctx, stop := cli.Interruptible("nextword")
	defer stop()
	cli.Main("nextword", func(args []string, out io.Writer) error {
		s, err := parse(args, out)
		if err != nil {
			return err
		}
		return run(ctx, s, out, os.Stderr)
	})
}
