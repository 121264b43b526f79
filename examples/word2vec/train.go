package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
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
}

func trainCommand() cli.Command {
	var t training
	return cli.Command{
		Name: "train", About: "learns vectors",
		Flags: func(f *flag.FlagSet) {
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
			return t.Validate()
		},
		Run: func(ctx context.Context, s cli.Std) error { return t.run(ctx, s) },
	}
}

func (t *training) run(ctx context.Context, s cli.Std) error {
	path, err := cli.File(t.text, "wikitext-2/train.txt.gz", "give a text by -data")
	if err != nil {
		return err
	}
	sentences, err := read(ctx, path,
		t.Unicode.Tokeniser(text.Words{Lower: !t.keepCase, Spaced: !t.tokenise}))
	if err != nil {
		return err
	}
	if t.quick {
		sentences = sentences[:min(len(sentences), 1000)]
	}
	for range t.phrases {
		p, err := word2vec.FindPhrases(ctx, word2vec.PhrasesConfig{MinCount: t.MinCount}, sentences)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.Out, "%d phrases\n", p.Len())
		for i, sentence := range sentences {
			sentences[i] = p.Join(sentence)
		}
	}
	m, lock, err := begin(ctx, t.Config, sentences, t.save)
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
	fmt.Fprintf(s.Out, "%s: %d lines, vocabulary %d\n", path, len(sentences), m.Vocabulary().Len())

	options := word2vec.TrainOptions{
		Workers: t.workers, Progress: show(s.Messages),
		Warn: func(message string) { cli.Warn(s.Messages, path, []string{message}) },
	}
	if t.save != "" {
		defer cli.Hold()()
		options.AfterEpoch = save
	}
	err = m.Train(ctx, sentences, options)
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

func read(ctx context.Context, path string, words text.Tokeniser) ([][]string, error) {
	s, err := text.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var sentences [][]string
	for line := range strings.Lines(s) {
		tokens, err := text.TokensContext(ctx, words, line)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if len(tokens) > 0 {
			sentences = append(sentences, tokens)
		}
	}
	return sentences, nil
}

// begin makes a new model, or takes up the one that an earlier call of the same command left in
// dir, which is locked.
func begin(ctx context.Context, cfg word2vec.Config, sentences [][]string,
	dir string) (m *word2vec.Model, lock *cli.Lock, err error) {
	m, err = word2vec.New(ctx, cfg, sentences)
	if err != nil || dir == "" {
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
		fmt.Fprintf(w, "epoch %d/%d  %5.1f %%  lr %.5f  %.0f words/s  %v left\n",
			p.Epoch, p.Epochs, 100*float64(p.Words)/float64(p.Total), p.LR, p.WordsPerSec,
			left.Round(time.Second))
	}
}
