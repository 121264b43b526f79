package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strings"
	"time"

	"github.com/seqzoo/seqzoo/examples/nextword/data"
	"github.com/seqzoo/seqzoo/internal/ngram"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// corpus is the text as ids, cut into nine tenths and one.
type corpus struct {
	vocabulary   *text.Vocabulary
	train, valid []int
}

// outcome is what a cell's line of the table holds.
type outcome struct {
	model    *zoo.LanguageModel
	steps    int
	perStep  time.Duration // of the training steps of this run, validation left out
	rate     float64       // tokens a second
	trainPPL float64       // on a part of the training text as long as the validation text, without dropout
	validPPL float64
}

func (s *settings) modelConfig(cell string) zoo.LanguageModelConfig {
	return zoo.LanguageModelConfig{
		Recurrent: zoo.Recurrent{Cell: cell, Hidden: s.hidden, Layers: s.layers, Dropout: s.dropout},
		Level:     s.level, Tied: s.tied, IODropout: s.dropout,
	}
}

func run(ctx context.Context, s *settings, out, progress io.Writer) error {
	c, err := s.read()
	if err != nil {
		return err
	}
	unit := map[string]string{"word": "words", "char": "chars"}[s.level]
	fmt.Fprintf(out, "%d %s to train on, %d to validate, vocabulary %d", len(c.train), unit, len(c.valid), c.vocabulary.Len())
	if id, ok := c.vocabulary.ID(text.Unk); ok && len(c.train) > 0 {
		n := 0
		for _, t := range c.valid {
			if t == id {
				n++
			}
		}
		fmt.Fprintf(out, " (%.1f %% of the validation text is <unk>)", 100*float64(n)/float64(len(c.valid)))
	}
	fmt.Fprintln(out)
	if err := baselines(c, out); err != nil {
		return err
	}
	results := map[string]*outcome{}
	for _, cell := range s.cellList() {
		if results[cell], err = s.train(ctx, cell, c, unit, progress); err != nil {
			return fmt.Errorf("%s: %w", cell, err)
		}
	}
	s.table(results, unit, out)
	for _, cell := range s.cellList() {
		if err := s.complete(ctx, cell, results[cell].model, out); err != nil {
			return fmt.Errorf("%s: %w", cell, err)
		}
	}
	return nil
}

// read gets the text and numbers its tokens. The vocabulary comes from the training part alone.
func (s *settings) read() (*corpus, error) {
	var raw string
	var err error
	if s.text == "" {
		raw, err = data.Text()
	} else {
		raw, err = text.ReadFile(s.text)
	}
	if err != nil {
		return nil, err
	}
	tokens, err := s.modelConfig("lstm").Tokenizer().Tokens(raw)
	if err != nil {
		return nil, err
	}
	if need := (s.window + 2) * 10; len(tokens) < need {
		return nil, fmt.Errorf("the text has %d tokens; windows of %d steps need at least %d", len(tokens), s.window, need)
	}
	cut := len(tokens) * 9 / 10
	cfg := text.VocabularyConfig{MinCount: s.minCount, MaxSize: s.maxVocab, Specials: []string{text.Unk}}
	if s.level == "char" {
		cfg.MinCount = 1
	}
	c := &corpus{}
	if c.vocabulary, err = text.NewVocabulary(cfg, tokens[:cut]); err != nil {
		return nil, err
	}
	if c.train, err = c.vocabulary.Encode(tokens[:cut]); err != nil {
		return nil, err
	}
	c.valid, err = c.vocabulary.Encode(tokens[cut:])
	return c, err
}

// baselines prints what counting alone reaches.
func baselines(c *corpus, out io.Writer) error {
	u, err := ngram.NewUnigram(c.train, c.vocabulary.Len(), 1)
	if err != nil {
		return err
	}
	b, err := ngram.NewBigram(c.train, c.vocabulary.Len())
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "validation perplexity of counting: unigram %.1f, Kneser-Ney bigram %.1f\n\n",
		ngram.Perplexity(u, c.valid), ngram.Perplexity(b, c.valid))
	return nil
}

// train trains one cell. All cells see the same batches in the same order.
func (s *settings) train(ctx context.Context, cell string, c *corpus, unit string, progress io.Writer) (*outcome, error) {
	m, err := zoo.NewLanguageModel(s.modelConfig(cell), c.vocabulary, s.seed)
	if err != nil {
		return nil, err
	}
	batch := min(s.batch, (len(c.train)-1)/s.window)
	task, err := m.Task(zoo.LanguageModelData{Train: c.train, Valid: c.valid, Batch: batch, Window: unroll.Window{Stride: s.window}})
	if err != nil {
		return nil, err
	}
	optimizer, err := train.NewAdam(train.AdamConfig{})
	if err != nil {
		return nil, err
	}
	total := s.epochs * task.Len()
	schedule, err := train.NewCosine(train.CosineConfig{LR: s.lr, MinLR: s.lr / 50, Warmup: min(50, total-1), Total: total})
	if err != nil {
		return nil, err
	}
	timed := &stopwatch{Task: task}
	cfg := train.Config{
		Optimizer: optimizer, Schedule: schedule, Epochs: s.epochs, MaxSteps: s.steps, Seed: s.seed,
		Clip: train.Clip{Norm: s.clip}, Progress: train.NewProgress(progress, fmt.Sprintf("%-4s", cell), unit),
		SaveEvery: s.saveEvery, Resume: s.resume,
		Describe: map[string]string{
			"cell": cell, "level": s.level, "batch": fmt.Sprint(batch), "window": fmt.Sprint(s.window),
			"epochs": fmt.Sprint(s.epochs), "learning rate": fmt.Sprint(s.lr), "dropout": fmt.Sprint(s.dropout),
			"clipping": fmt.Sprint(s.clip), "text": fmt.Sprintf("%d tokens, hash %x", len(c.train), hash(c.train, c.valid)),
		},
	}
	if s.save != "" {
		if cfg.Checkpoints, err = train.OpenCheckpoints(filepath.Join(s.save, cell, "checkpoints"), 0); err != nil {
			return nil, err
		}
		defer cfg.Checkpoints.Close()
	}
	r, err := train.Fit(ctx, timed, cfg)
	if errors.Is(err, train.ErrInterrupted) {
		if s.save == "" {
			return nil, fmt.Errorf("%w; nothing is saved, since -save was not given", err)
		}
		return nil, fmt.Errorf("%w after step %d; the same command with -resume goes on from there", err, r.Steps)
	}
	if err != nil {
		return nil, err
	}
	o := &outcome{model: m, steps: r.Steps}
	if timed.steps > 0 {
		o.perStep = timed.total / time.Duration(timed.steps)
		o.rate = float64(timed.count) / timed.total.Seconds()
	}
	if o.validPPL, err = m.Perplexity(ctx, c.valid); err != nil {
		return nil, err
	}
	if o.trainPPL, err = m.Perplexity(ctx, c.train[:min(len(c.train), len(c.valid))]); err != nil {
		return nil, err
	}
	if s.save != "" {
		if err := m.Save(filepath.Join(s.save, cell)); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// hash tells texts apart (FNV-1a over the ids).
func hash(parts ...[]int) uint64 {
	h := uint64(14695981039346656037)
	for _, ids := range parts {
		for _, id := range ids {
			h = (h ^ uint64(id)) * 1099511628211
		}
	}
	return h
}

// stopwatch times the training steps of a task. The first, in which the graph is compiled, does not count.
type stopwatch struct {
	train.Task
	started bool
	last    time.Time
	total   time.Duration
	steps   int
	count   int
}

func (w *stopwatch) Next(seed uint64, counter int) (train.Batch, error) {
	if w.started {
		w.total += time.Since(w.last)
	}
	begin := time.Now()
	b, err := w.Task.Next(seed, counter)
	if w.started {
		w.steps++
		w.count += b.Count
		w.total += time.Since(begin)
	}
	w.started, w.last = true, time.Now()
	return b, err
}

func (w *stopwatch) Validate(ctx context.Context) (map[string]float64, error) {
	w.total += time.Since(w.last) // the update after the last batch
	m, err := w.Task.Validate(ctx)
	w.started = false
	return m, err
}

func (s *settings) table(results map[string]*outcome, unit string, out io.Writer) {
	fmt.Fprintf(out, "\n%-5s %10s %8s %9s %10s %10s %10s\n", "cell", "parameters", "steps", "ms/step", unit+"/s", "train ppl", "valid ppl")
	for _, cell := range s.cellList() {
		o := results[cell]
		fmt.Fprintf(out, "%-5s %10d %8d %9.2f %10.0f %10.1f %10.1f\n", cell, o.model.Params().Count(), o.steps,
			float64(o.perStep.Microseconds())/1000, o.rate, o.trainPPL, o.validPPL)
	}
}

// complete prints what a model makes of the phrase.
func (s *settings) complete(ctx context.Context, cell string, m *zoo.LanguageModel, out io.Writer) error {
	next, p, err := m.Next(s.prompt, s.next)
	if err != nil {
		return err
	}
	if len(p.Unknown) > 0 {
		fmt.Fprintf(out, "\n%s: the vocabulary lacks %s; read as <unk>", cell, strings.Join(p.Unknown, ", "))
	}
	fmt.Fprintf(out, "\n%s: %q is followed by", cell, s.prompt)
	for _, t := range next {
		fmt.Fprintf(out, "  %s %.1f %%", show(t.Token), 100*t.Prob)
	}
	g, err := m.Generate(ctx, s.prompt, zoo.GenerateOptions{
		Max: s.generate, Seed: s.seed, Sample: decode.Sampler{Temperature: s.temperature, TopP: s.topP},
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n      %s\n", strings.ReplaceAll(g.Text, "\n", "\n      "))
	if math.IsNaN(g.LogProb) {
		return errors.New("the continuation has no probability")
	}
	return nil
}

// show makes a token visible.
func show(token string) string {
	switch token {
	case "\n":
		return `\n`
	case " ":
		return "␣"
	}
	return token
}
