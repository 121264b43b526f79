package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/seqzoo/seqzoo/internal/safefile"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo/text"
	"github.com/seqzoo/seqzoo/zoo/word2vec"
)

func runTrain(ctx context.Context, f *flag.FlagSet, args []string, _ io.Reader, out, messages io.Writer) error {
	var cfg word2vec.Config
	path := f.String("text", "", "`file` to learn from, UTF-8 or gzip of it, a sentence or paragraph a line")
	save := f.String("save", "", "`directory` for the model; it is saved after each epoch")
	tokenise := f.Bool("tokenise", false, "set punctuation apart; otherwise words are what stands between white space")
	keepCase := f.Bool("case", false, "keep capital letters")
	phrases := f.Int("phrases", 0, "`times` to join frequent neighbours to phrases first")
	workers := f.Int("workers", 0, "cores to use; 0 for all")
	f.StringVar(&cfg.Model, "arch", word2vec.SkipGram, "skipgram or cbow")
	f.StringVar(&cfg.Output, "output", word2vec.Negative, "negative or hierarchical")
	f.IntVar(&cfg.Dim, "dim", 100, "width of the vectors")
	f.IntVar(&cfg.Window, "window", 5, "neighbours on either side")
	f.IntVar(&cfg.MinCount, "min-count", 5, "leave out words seen less often")
	f.IntVar(&cfg.MaxVocab, "max-vocab", 0, "keep the most frequent words; 0 for all")
	f.IntVar(&cfg.Negatives, "negatives", 5, "words drawn for each pair")
	f.Float64Var(&cfg.Sample, "sample", 1e-3, "`share` of the text above which words are thinned out; 1 for never")
	f.Float64Var(&cfg.LR, "lr", 0.025, "learning `rate` at the start")
	f.IntVar(&cfg.Epochs, "epochs", 5, "passes over the text")
	f.Uint64Var(&cfg.Seed, "seed", 1, "seed of everything random")
	if err := parse(f, args); err != nil {
		return err
	}
	if err := cfg.Validate(); err != nil {
		return errUsage{err}
	}
	if *path == "" {
		var err error
		if *path, err = dataFile("wikitext-2/train.txt.gz", "give a text by -text"); err != nil {
			return err
		}
	}
	sentences, err := read(*path, text.Words{Lower: !*keepCase, Spaced: !*tokenise})
	if err != nil {
		return err
	}
	for range *phrases {
		p, err := word2vec.FindPhrases(word2vec.PhrasesConfig{MinCount: cfg.MinCount}, sentences)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%d phrases\n", p.Len())
		for i, s := range sentences {
			sentences[i] = p.Join(s)
		}
	}
	m, unlock, err := begin(cfg, sentences, *save)
	if err != nil {
		return err
	}
	defer unlock()
	fmt.Fprintf(out, "%s: %d lines, vocabulary %d\n", *path, len(sentences), m.Vocabulary().Len())

	options := word2vec.TrainOptions{Workers: *workers, Progress: show(messages)}
	if *save != "" {
		options.AfterEpoch = func(m *word2vec.Model) error { return m.Save(*save) }
	}
	err = m.Train(ctx, sentences, options)
	switch {
	case errors.Is(err, context.Canceled) && *save == "":
		return fmt.Errorf("%w in epoch %d; nothing is saved without -save", train.ErrInterrupted, m.Epoch()+1)
	case errors.Is(err, context.Canceled):
		if err := m.Save(*save); err != nil {
			return err
		}
		return fmt.Errorf("%w in epoch %d; the same command goes on from there", train.ErrInterrupted, m.Epoch()+1)
	case err != nil:
		return err
	}
	if *save != "" {
		fmt.Fprintf(out, "saved in %s\n", *save)
	}
	return nil
}

func read(path string, words text.Words) ([][]string, error) {
	s, err := text.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var sentences [][]string
	for line := range strings.Lines(s) {
		tokens, err := words.Tokens(line)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if len(tokens) > 0 {
			sentences = append(sentences, tokens)
		}
	}
	return sentences, nil
}

// begin makes a new model, or takes up the one that an earlier call of the same command left in dir.
func begin(cfg word2vec.Config, sentences [][]string, dir string) (m *word2vec.Model, unlock func(), err error) {
	m, err = word2vec.New(cfg, sentences)
	if err != nil || dir == "" {
		return m, func() {}, err
	}
	if err := safefile.MkdirAll(safefile.OS, dir); err != nil {
		return nil, nil, err
	}
	lock, err := safefile.LockDir(dir)
	if err != nil {
		return nil, nil, err
	}
	old, err := word2vec.Load(dir)
	switch {
	case errors.Is(err, word2vec.ErrNoModel):
		return m, func() { lock.Close() }, nil
	case err == nil && old.Config() != m.Config():
		err = fmt.Errorf("%s holds a model with other settings; use another directory", dir)
	case err == nil && old.Done():
		err = fmt.Errorf("%s holds a model whose training is complete; use another directory", dir)
	}
	if err != nil {
		lock.Close()
		return nil, nil, err
	}
	return old, func() { lock.Close() }, nil
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
		left := time.Duration(float64(p.Total-p.Words) / max(p.WordsPerSec, 1) * float64(time.Second))
		fmt.Fprintf(w, "epoch %d/%d  %5.1f %%  lr %.5f  %.0f words/s  %v left\n",
			p.Epoch, p.Epochs, 100*float64(p.Words)/float64(p.Total), p.LR, p.WordsPerSec, left.Round(time.Second))
	}
}
