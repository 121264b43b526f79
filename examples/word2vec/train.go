package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo/text"
	"github.com/seqzoo/seqzoo/zoo/word2vec"
)

// training is the command line of train.
type training struct {
	word2vec.Config
	text, save         string
	tokenise, keepCase bool
	quick              bool
	phrases, workers   int
	lockFree, loss     bool
	extend             string
	flags              *flag.FlagSet
}

func trainCommand() cli.Command {
	var t training
	return cli.Command{
		Name: "train", About: "learns vectors",
		Flags: func(f *flag.FlagSet) {
			t.flags = f
			cli.DataFlag(f, &t.text,
				"of text to learn from, UTF-8 or gzip of it, a sentence or paragraph a line")
			cli.SaveFlag(f, &t.save, "")
			cli.QuickFlag(f, &t.quick)
			f.BoolVar(&t.tokenise, "tokenise", false,
				"set punctuation apart; otherwise words are what stands between white space")
			cli.KeepCaseFlag(f, &t.keepCase, "")
			cli.OldNames(f, "text", "data", "case", "keep-case")
			cli.UnicodeFlag(f, &t.Unicode)
			f.IntVar(&t.phrases, "phrases", 0,
				"`times` to join frequent neighbours to phrases first")
			cli.WorkersFlag(f, &t.workers)
			f.BoolVar(&t.lockFree, "lock-free", false,
				"all cores write to the same vectors without locks, as gensim's do: faster on "+
					"many cores and with -output hierarchical, and another result each time")
			f.BoolVar(&t.TextOrder, "text-order", false,
				"take the steps of negative sampling in the order of the text, on one core unless "+
					"-lock-free")
			f.BoolVar(&t.loss, "loss", false, "show the mean loss as well; slower")
			f.StringVar(&t.extend, "extend", "",
				"`directory` of a model to go on from, with this text and its new words")
			f.StringVar((*string)(&t.Model), "arch", string(word2vec.SkipGram), "skipgram or cbow")
			f.StringVar((*string)(&t.Output), "output", string(word2vec.Negative),
				"negative or hierarchical")
			f.IntVar(&t.Dim, "dim", 100, "width of the vectors")
			f.IntVar(&t.Window, "window", 5, "neighbours on either side")
			f.IntVar(&t.MinCount, "min-count", 5, "leave out words seen less often")
			f.IntVar(&t.MaxVocab, "max-vocab", 0, "keep the most frequent words; 0 for all")
			f.IntVar(&t.Negatives, "negatives", 5, "words drawn for each pair")
			f.Float64Var(&t.Sample, "sample", 1e-3,
				"`share` of the text above which words are thinned out; 1 for never")
			cli.RateFlag(f, &t.LR, 0.025, "in a straight line")
			cli.EpochsFlag(f, &t.Epochs, 5, "")
			cli.SeedFlag(f, &t.Seed, 1, "everything random")
		},
		Check: func() error {
			if t.quick {
				t.Epochs, t.Dim, t.MinCount = 1, min(t.Dim, 16), 1
			}
			if err := t.checkExtend(); err != nil {
				return err
			}
			if t.Output == word2vec.Hierarchical && !cli.Given(t.flags)["negatives"] {
				t.Negatives = 0 // it draws none
			}
			if t.Output == word2vec.Hierarchical && t.TextOrder {
				return errors.New("-text-order is given, and a hierarchical softmax always " +
					"takes its steps in that order: leave it out")
			}
			return t.Validate()
		},
		Run: func(ctx context.Context, s cli.Std) error { return t.run(ctx, s) },
	}
}

// checkExtend refuses settings that a model to go on from has already.
func (t *training) checkExtend() error {
	var err error
	t.flags.Visit(func(f *flag.Flag) {
		switch f.Name {
		case "arch", "output", "dim", "window", "min-count", "max-vocab", "negatives", "sample",
			"unicode", "text-order":
			if t.extend != "" {
				err = fmt.Errorf("-%s is that of the model that -extend names: leave one "+
					"of them out", f.Name)
			}
		}
	})
	return err
}

func (t *training) run(ctx context.Context, s cli.Std) error {
	path, err := cli.File(t.text, "wikitext-2/train.txt.gz", "give a text by -data")
	if err != nil {
		return err
	}
	lines := 0
	sentences := counted(text.Sentences(path,
		t.Unicode.Tokeniser(text.Words{Lower: !t.keepCase, Spaced: !t.tokenise})), &lines, t.most())
	for range t.phrases {
		p, err := word2vec.FindPhrasesFrom(ctx, word2vec.PhrasesConfig{MinCount: t.MinCount},
			sentences)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.Out, "%d phrases\n", p.Len())
		sentences = joined(ctx, p, sentences)
	}
	processes, err := cli.Processes(s.Messages)
	if err != nil {
		return err
	}
	if processes != nil && processes.Rank() > 0 {
		t.save = "" // the first one reads and writes, and gives the others its weights
	}
	m, lock, err := t.begin(ctx, sentences)
	if err != nil {
		return err
	}
	save := func(m *word2vec.Model) error {
		if err := lock.Check(); err != nil {
			return err
		}
		return m.Save(t.save)
	}
	if lock != nil {
		defer lock.Close()
	}
	if m.Done() {
		fmt.Fprintf(s.Messages, "the training in %s is complete already\n", t.save)
	}
	fmt.Fprintf(s.Out, "%s: %d lines, vocabulary %d\n", path, lines, m.Vocabulary().Len())

	options := word2vec.TrainOptions{
		Workers: t.workers, LockFree: t.lockFree, Loss: t.loss, Progress: show(s.Messages),
		Warn: func(message string) { cli.Warn(s.Messages, path, []string{message}) },
	}
	if processes != nil {
		options.Processes = processes
	}
	if t.save != "" {
		defer cli.Hold()()
		options.AfterEpoch = save
	}
	err = m.TrainFrom(ctx, sentences, options)
	switch {
	case errors.Is(err, context.Canceled) && t.save == "":
		return fmt.Errorf("%w in epoch %d; nothing is saved without -save", train.ErrInterrupted,
			m.Epoch()+1)
	case errors.Is(err, context.Canceled):
		if err := save(m); err != nil {
			return err
		}
		return fmt.Errorf("%w in epoch %d; the same command goes on from there",
			train.ErrInterrupted, m.Epoch()+1)
	case err != nil:
		return err
	}
	if t.save != "" {
		fmt.Fprintf(s.Out, "saved in %s\n", t.save)
	}
	return nil
}

// sentences are the lines of a text as words, which is read anew each time that it is ranged over,
// so that it need not fit in memory.
type sentences = iter.Seq2[[]string, error]

// most is how many lines of the text are read; 0: all.
func (t *training) most() int {
	if t.quick {
		return 1000
	}
	return 0
}

// counted are the first so many sentences of a text, or with 0 all, whose number it tells.
func counted(of sentences, n *int, most int) sentences {
	return func(yield func([]string, error) bool) {
		*n = 0
		for words, err := range of {
			if err == nil {
				*n++
			}
			if !yield(words, err) || *n == most && most > 0 {
				return
			}
		}
	}
}

// joined are sentences with neighbours joined to phrases.
func joined(ctx context.Context, p *word2vec.Phrases, of sentences) sentences {
	return func(yield func([]string, error) bool) {
		for words, err := range of {
			if err == nil {
				words, err = p.JoinContext(ctx, words)
			}
			if !yield(words, err) {
				return
			}
		}
	}
}

// begin makes a new model, or takes up the one that an earlier call of the same command left in
// the directory, which is locked.
func (t *training) begin(ctx context.Context, text sentences) (m *word2vec.Model,
	lock *cli.Lock, err error) {
	dir := t.save
	if m, err = t.model(ctx, text); err != nil || dir == "" {
		return m, nil, err
	}
	if lock, err = cli.LockDir(dir); err != nil {
		return nil, nil, err
	}
	old, err := word2vec.Load(dir)
	switch {
	case errors.Is(err, word2vec.ErrNoModel):
		return m, lock, nil
	case err == nil && old.Config() != m.Config():
		err = fmt.Errorf("%s holds a model with other settings; use another directory", dir)
	}
	if err != nil {
		lock.Close()
		return nil, nil, err
	}
	return old, lock, nil
}

// model is a new one, or one that goes on from another.
func (t *training) model(ctx context.Context, text sentences) (*word2vec.Model, error) {
	if t.extend == "" {
		return word2vec.NewFrom(ctx, t.Config, text)
	}
	m, err := word2vec.Load(t.extend)
	if err != nil {
		return nil, err
	}
	return m.ExtendFrom(ctx, word2vec.ExtendConfig{Epochs: t.Epochs, LR: t.LR, Seed: t.Seed}, text)
}

// show prints a line every few seconds and at the end of each epoch.
func show(w io.Writer) func(word2vec.Progress) {
	shown := time.Duration(0)
	return func(p word2vec.Progress) {
		atEnd := p.Words*p.Epochs == p.Epoch*p.Total
		if p.Elapsed-shown < 2*time.Second && !atEnd {
			return
		}
		shown = p.Elapsed
		left := time.Duration(float64(p.Total-p.Words) / max(p.WordsPerSec,
			1) * float64(time.Second))
		loss := ""
		if p.Loss > 0 {
			loss = fmt.Sprintf("  loss %.4f", p.Loss)
		}
		fmt.Fprintf(w, "epoch %d/%d  %5.1f %%%s  lr %.5f  %.0f words/s  %v left\n",
			p.Epoch, p.Epochs, 100*float64(p.Words)/float64(p.Total), loss, p.LR, p.WordsPerSec,
			left.Round(time.Second))
	}
}
