// Nextword trains a plain RNN, a GRU and an LSTM on the same text, compares them, and completes a phrase with each.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/train"
)

// settings are the command line.
type settings struct {
	text, level, cells    string
	layers, hidden, batch int
	window, epochs        int
	minCount, maxVocab    int
	lr, clip, dropout     float64
	tied                  bool
	seed                  uint64
	prompt                string
	next, generate        int
	temperature, topP     float64
	save                  string
	resume, quick         bool
	saveEvery             int
	steps                 int
}

var cellNames = []string{"rnn", "gru", "lstm"}

func parse(args []string, out io.Writer) (*settings, error) {
	s := &settings{}
	f := flag.NewFlagSet("nextword", flag.ContinueOnError)
	f.SetOutput(out)
	f.StringVar(&s.text, "text", "", "train on this UTF-8 `file` (.gz too) instead of the embedded Shakespeare")
	f.StringVar(&s.cells, "cells", "rnn,gru,lstm", "cells to train and compare")
	f.StringVar(&s.level, "level", "word", "unit of the text: word or char")
	f.IntVar(&s.layers, "layers", 1, "recurrent layers")
	f.IntVar(&s.hidden, "hidden", 0, "width of the layers and of the embedding (0: 128 for words, 256 for characters)")
	f.IntVar(&s.batch, "batch", 32, "tracks of the text read side by side")
	f.IntVar(&s.window, "window", 0, "steps of truncated backpropagation (0: 20 for words, 50 for characters)")
	f.IntVar(&s.epochs, "epochs", 0, "passes over the text (0: 6 for words, 1 for characters)")
	f.IntVar(&s.minCount, "min-count", 3, "words seen less often become <unk>")
	f.IntVar(&s.maxVocab, "max-vocab", 10000, "size of the vocabulary at most")
	f.Float64Var(&s.lr, "lr", 0.004, "highest learning rate of Adam; it falls along a cosine")
	f.Float64Var(&s.clip, "clip", 1, "limit of the gradient's norm")
	f.Float64Var(&s.dropout, "dropout", 0.3, "dropout of embedding, output and between layers")
	f.BoolVar(&s.tied, "tied", true, "use the embedding as the output layer too")
	f.Uint64Var(&s.seed, "seed", 1, "seed of weights and noise")
	f.StringVar(&s.prompt, "prompt", "some of them looks like", "phrase to complete")
	f.IntVar(&s.next, "next", 5, "likeliest next words to list")
	f.IntVar(&s.generate, "generate", 20, "words to continue the phrase by")
	f.Float64Var(&s.temperature, "temperature", 0.7, "of the continuation; 0 takes the likeliest word each time")
	f.Float64Var(&s.topP, "top-p", 0.95, "nucleus of the continuation")
	f.StringVar(&s.save, "save", "", "save each model in a folder of this `directory`, with checkpoints on the way")
	f.BoolVar(&s.resume, "resume", false, "go on from the checkpoints in -save")
	f.IntVar(&s.saveEvery, "save-every", 200, "steps between checkpoints")
	f.IntVar(&s.steps, "steps", 0, "stop each cell after so many steps (0: no limit)")
	f.BoolVar(&s.quick, "quick", false, "a run of a few seconds, to see that everything works")
	f.Usage = func() {
		fmt.Fprint(out, `Trains an RNN, a GRU and an LSTM on the same text, compares them, and completes a phrase.

    go run ./examples/nextword
    go run ./examples/nextword -text novel.txt -epochs 10 -prompt "it was a"
    go run ./examples/nextword -cells lstm -level char -save models
    go run ./examples/nextword -cells lstm -level char -save models -resume

The last tenth of the text is kept apart to measure perplexity on. Ctrl-C stops after the step at hand; with -save
the run can then be resumed.

`)
		f.PrintDefaults()
	}
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q; put a phrase of several words in quotes", f.Arg(0))
	}
	return s, s.check()
}

// check fills in what depends on other settings, and reports everything that is out of range.
func (s *settings) check() error {
	var errs []error
	for _, c := range s.cellList() {
		if !slices.Contains(cellNames, c) {
			errs = append(errs, fmt.Errorf("-cells: %q is unknown; want some of %s", c, strings.Join(cellNames, ", ")))
		}
	}
	if s.level != "word" && s.level != "char" {
		errs = append(errs, fmt.Errorf("-level is %q; want word or char", s.level))
	}
	byLevel := func(v *int, word, char int) {
		if *v == 0 {
			if *v = word; s.level == "char" {
				*v = char
			}
		}
	}
	byLevel(&s.hidden, 128, 256)
	byLevel(&s.window, 20, 50)
	byLevel(&s.epochs, 6, 1)
	if s.quick {
		s.hidden, s.epochs, s.steps = min(s.hidden, 32), 1, 20
		s.maxVocab = min(s.maxVocab, 500)
	}
	for name, v := range map[string]int{
		"layers": s.layers, "hidden": s.hidden, "batch": s.batch, "window": s.window, "epochs": s.epochs,
		"min-count": s.minCount, "next": s.next, "generate": s.generate, "save-every": s.saveEvery,
	} {
		if v < 1 {
			errs = append(errs, fmt.Errorf("-%s is %d; want at least 1", name, v))
		}
	}
	if s.maxVocab < 10 {
		errs = append(errs, fmt.Errorf("-max-vocab is %d; want at least 10", s.maxVocab))
	}
	if s.steps < 0 {
		errs = append(errs, fmt.Errorf("-steps is %d; want 0 or more", s.steps))
	}
	if !(s.lr > 0) {
		errs = append(errs, fmt.Errorf("-lr is %g; want more than 0", s.lr))
	}
	if s.resume && s.save == "" {
		errs = append(errs, errors.New("-resume needs -save, the directory to resume from"))
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

func (s *settings) cellList() []string {
	var cells []string
	for _, c := range strings.Split(s.cells, ",") {
		if c = strings.TrimSpace(c); !slices.Contains(cells, c) {
			cells = append(cells, c)
		}
	}
	return cells
}

func main() {
	s, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "nextword:", err)
		os.Exit(2)
	}
	ctx, stop := train.Interruptible(context.Background())
	defer stop()
	if err := run(ctx, s, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "nextword:", err)
		os.Exit(train.ExitCode())
	}
}
