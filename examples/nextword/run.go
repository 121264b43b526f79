package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/examples/nextword/data"
	"github.com/seqzoo/seqzoo/examples/nextword/ngram"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// run does everything. Whatever can be wrong with the settings is found before the first model is
// trained.
func run(ctx context.Context, s *settings, out, progress io.Writer) error {
	c, err := s.read()
	if err != nil {
		return err
	}
	var jobs []*job
	for _, cell := range s.cellList() {
		j, err := s.prepare(cell, c, progress)
		if err != nil {
			return fmt.Errorf("%s: %w", cell, err)
		}
		defer j.close()
		jobs = append(jobs, j)
	}
	prompt, err := jobs[0].model.Prompt(s.prompt)
	if err != nil && s.anyPrompt {
		s.prompt = c.phrase
		prompt, err = jobs[0].model.Prompt(s.prompt)
	}
	if err != nil {
		return fmt.Errorf("-prompt: %w", err)
	}

	c.describe(out)
	counted, err := c.count()
	if err != nil {
		return err
	}
	for _, b := range counted {
		fmt.Fprintf(out, "by counting, %s: validation perplexity %.1f\n", b.name, b.validPPL)
	}
	fmt.Fprintln(out)
	s.mention(prompt.Unknown, out)
	fmt.Fprintf(out, "%-18s %10s %7s %8s %13s %10s %10s\n", "cell", "parameters",
		"steps", "ms/step", c.unit+"/s", "train ppl", "valid ppl")
	for _, j := range jobs { // each line as soon as it is known
		if err := j.train(ctx, c); err != nil {
			return fmt.Errorf("%s: %w", j.cell, err)
		}
		perStep, perSecond := j.task.rates()
		line(out, j.cell, fmt.Sprint(j.model.Params().Count()), fmt.Sprint(j.steps), perStep,
			perSecond, j.trainPPL, j.validPPL)
	}
	for _, b := range counted {
		line(out, b.name, "-", "-", "-", "-", b.trainPPL, b.validPPL)
	}
	fmt.Fprintf(out, "\n%q goes on:\n\n", s.prompt)
	s.mention(prompt.Unknown, out)
	for _, j := range jobs {
		if err := s.continuePrompt(ctx, j, out); err != nil {
			return fmt.Errorf("%s: %w", j.cell, err)
		}
	}
	return nil
}

// corpus is the text as ids, cut into nine tenths and one.
type corpus struct {
	name, unit   string
	phrase       string // out of the part kept apart, of known tokens; "" if there is none
	vocabulary   *text.Vocabulary
	train, valid []int
}

// read gets the text and numbers its tokens. The vocabulary comes from the training part alone.
func (s *settings) read() (*corpus, error) {
	c := &corpus{name: s.text, unit: map[string]string{"word": "words",
		"char": "characters"}[s.level]}
	var raw string
	var err error
	if s.text == "" {
		c.name = "tiny-shakespeare"
		raw, err = data.Text()
	} else {
		raw, err = text.ReadFile(s.text)
	}
	if err != nil {
		return nil, err
	}
	tokens, err := s.modelConfig("").Tokeniser().Tokens(raw)
	if err != nil {
		return nil, err
	}
	// a tenth of it must fill a window
	if need := (float64(s.window) + 2) * 10; float64(len(tokens)) < need {
		return nil, fmt.Errorf("%s has %d %s, line ends included; -window %d needs at least %.0f",
			c.name, len(tokens), c.unit, s.window, need)
	}
	cut := len(tokens) * 9 / 10
	cfg := text.VocabularyConfig{MinCount: s.minCount, MaxSize: s.maxVocab,
		Specials: []string{text.Unk}}
	if s.level == "char" {
		cfg.MinCount = 1
	}
	if c.vocabulary, err = text.NewVocabulary(cfg, tokens[:cut]); err != nil {
		return nil, err
	}
	if c.train, err = c.vocabulary.Encode(tokens[:cut]); err != nil {
		return nil, err
	}
	c.phrase = s.phrase(c.vocabulary, tokens[cut:])
	c.valid, err = c.vocabulary.Encode(tokens[cut:])
	return c, err
}

// phrase is the first run of three words, or ten characters, that are known, within a line.
func (s *settings) phrase(v *text.Vocabulary, tokens []string) string {
	want, between := 3, " "
	if s.level == "char" {
		want, between = 10, ""
	}
	for from, i := 0, 0; i < len(tokens); i++ {
		if _, known := v.ID(tokens[i]); !known || tokens[i] == text.EOS || tokens[i] == "\n" {
			from = i + 1
		} else if i-from+1 == want {
			return strings.Join(tokens[from:i+1], between)
		}
	}
	return ""
}

func (c *corpus) describe(out io.Writer) {
	unknown := 0
	unk, _ := c.vocabulary.ID(text.Unk)
	for _, id := range c.valid {
		if id == unk {
			unknown++
		}
	}
	fmt.Fprintf(out, "%s: %d %s to train on and %d to validate, of which %.1f %% are <unk>; "+
		"vocabulary %d\n",
		c.name, len(c.train), c.unit, len(c.valid), 100*float64(unknown)/float64(len(c.valid)),
		c.vocabulary.Len())
}

// baseline is a model that only counts, which a recurrent one must beat.
type baseline struct {
	name               string
	trainPPL, validPPL float64 // as in job
}

// count measures what counting alone reaches.
func (c *corpus) count() ([]baseline, error) {
	u, err := ngram.NewUnigram(c.train, c.vocabulary.Len(), 1)
	if err != nil {
		return nil, err
	}
	b, err := ngram.NewBigram(c.train, c.vocabulary.Len())
	if err != nil {
		return nil, err
	}
	part := c.trainPart()
	return []baseline{
		{"unigram", ngram.Perplexity(u, part), ngram.Perplexity(u, c.valid)},
		{"Kneser-Ney bigram", ngram.Perplexity(b, part), ngram.Perplexity(b, c.valid)},
	}, nil
}

// trainPart is a part of the training text as long as the validation text.
func (c *corpus) trainPart() []int { return c.train[:min(len(c.train), len(c.valid))] }

// mention names the words of the prompt that the models do not know.
func (s *settings) mention(unknown []string, out io.Writer) {
	if len(unknown) > 0 {
		fmt.Fprintf(out, "not in the vocabulary, and read as <unk>: %s\n\n",
			strings.Join(unknown, ", "))
	}
}

// job is a cell with everything for its training, and then its outcome.
type job struct {
	cell   string
	dir    string // where the model is saved, or ""
	model  *lm.Model
	task   stopwatch
	config train.Config

	steps int
	// without dropout; the former on a part as long as the validation text
	trainPPL, validPPL float64
}

func (s *settings) modelConfig(cell string) lm.Config {
	return lm.Config{
		Recurrent: cli.Recurrent(cell, s.hidden, s.layers, s.dropout),
		Level:     lm.Level(s.level), Tied: s.tied, IODropout: s.dropout,
	}
}

// prepare makes a model and what trains it. All cells see the same batches in the same order.
func (s *settings) prepare(cell string, c *corpus, progress io.Writer) (*job, error) {
	j := &job{cell: cell}
	var err error
	if j.model, err = lm.New(s.modelConfig(cell), c.vocabulary, s.seed); err != nil {
		return nil, err
	}
	batch := min(s.batch, (len(c.train)-1)/s.window)
	j.task.Task, err = j.model.Task(lm.Data{Train: c.train, Valid: c.valid, Batch: batch,
		Window: unroll.Window{Stride: s.window}})
	if err != nil {
		return nil, err
	}
	optimizer, err := train.NewAdam(train.AdamConfig{})
	if err != nil {
		return nil, err
	}
	steps := s.epochs * j.task.Len()
	if s.steps > 0 {
		steps = min(steps, s.steps)
	}
	schedule, err := train.NewCosine(train.CosineConfig{LR: s.lr, MinLR: s.lr / 50,
		Warmup: min(50, steps/10), Total: steps})
	if err != nil {
		return nil, err
	}
	j.config = train.Config{
		Optimizer: optimizer, Schedule: schedule, Epochs: s.epochs, MaxSteps: s.steps, Seed: s.seed,
		Clip: train.Clip{Norm: s.clip}, Progress: train.NewProgress(progress,
			fmt.Sprintf("%-4s", cell), c.unit),
		Resume: s.save != "",
		Warn:   func(message string) { fmt.Fprintf(progress, "warning: %s\n", message) },
		Describe: map[string]string{
			"-cells": cell, "-level": s.level, "-batch": fmt.Sprint(batch),
			"-window": fmt.Sprint(s.window),
			"-epochs": fmt.Sprint(s.epochs), "-steps": fmt.Sprint(s.steps), "-lr": fmt.Sprint(s.lr),
			"-dropout": fmt.Sprint(s.dropout), "-clip": fmt.Sprint(s.clip),
			"text": fmt.Sprintf("of %d %s", len(c.train)+len(c.valid), c.unit),
		},
	}
	j.config.AfterStep = j.task.stepped
	if s.save == "" {
		return j, nil
	}
	j.config.SaveEvery = s.saveEvery
	j.dir = filepath.Join(s.save, strings.ReplaceAll(cell, "/", "+"))
	if j.config.Checkpoints, err = train.OpenCheckpoints(filepath.Join(j.dir, "checkpoints"),
		0); err != nil {
		return nil, err
	}
	if steps := j.config.Checkpoints.Steps(); len(steps) > 0 {
		fmt.Fprintf(progress, "going on from step %d of %s\n", steps[len(steps)-1], j.dir)
	}
	return j, nil
}

func (j *job) close() {
	if j.config.Checkpoints != nil {
		j.config.Checkpoints.Close()
	}
}

func (j *job) train(ctx context.Context, c *corpus) error {
	defer cli.HoldAfterStep(&j.config)()
	r, err := train.Fit(ctx, &j.task, j.config)
	switch {
	case errors.Is(err, train.ErrInterrupted) && j.dir == "":
		return fmt.Errorf("%w after step %d; nothing is saved without -save", err, r.Steps)
	case errors.Is(err, train.ErrInterrupted):
		return fmt.Errorf("%w after step %d; the same command goes on from there", err,
			r.Steps)
	case err != nil:
		return err
	}
	j.steps = r.Steps
	if j.validPPL, err = j.model.Perplexity(ctx, c.valid); err != nil {
		return err
	}
	if j.trainPPL, err = j.model.Perplexity(ctx, c.trainPart()); err != nil {
		return err
	}
	if j.dir == "" {
		return nil
	}
	if err := j.model.Save(j.dir); err != nil {
		return err
	}
	return cli.WriteFile(filepath.Join(j.dir, "history.csv"), r.History.WriteCSV)
}

// stopwatch times the steps of a task in this run. The first, in which the graph is compiled, does
// not count.
type stopwatch struct {
	train.Task
	begun  time.Time // the step at hand
	tokens int       // in it
	ran    int       // steps, the first included

	total time.Duration // of the steps after the first
	count int           // tokens in them
}

func (w *stopwatch) Next(seed uint64, counter int) (train.Batch, error) {
	w.begun = time.Now()
	b, err := w.Task.Next(seed, counter)
	w.tokens = b.Count
	return b, err
}

// Warnings are those of the task.
func (w *stopwatch) Warnings() []string { return train.Warnings(w.Task) }

// stepped is called after each step.
func (w *stopwatch) stepped(int) error {
	if w.ran++; w.ran > 1 {
		w.total += time.Since(w.begun)
		w.count += w.tokens
	}
	return nil
}

// rates are milliseconds a step and tokens a second, or dashes if this run did no more than one
// step.
func (w *stopwatch) rates() (perStep, perSecond string) {
	if w.total <= 0 {
		return "-", "-"
	}
	return fmt.Sprintf("%.2f", 1000*w.total.Seconds()/float64(w.ran-1)),
		fmt.Sprintf("%.0f", float64(w.count)/w.total.Seconds())
}

// line writes a line of the table.
func line(out io.Writer, name, parameters, steps, perStep, perSecond string, train, valid float64) {
	fmt.Fprintf(out, "%-18s %10s %7s %8s %13s %10.1f %10.1f\n", name, parameters, steps, perStep,
		perSecond, train, valid)
}

// continuePrompt prints what a model makes of the prompt.
func (s *settings) continuePrompt(ctx context.Context, j *job, out io.Writer) error {
	next, _, err := j.model.Next(s.prompt, s.next)
	if err != nil {
		return err
	}
	o := lm.GenerateOptions{Max: s.generate, Sample: *s.sampler()}
	if s.temperature > 0 {
		o.Seed = s.seed
	}
	g, err := j.model.Generate(ctx, s.prompt, o)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%-4s next:", j.cell)
	for _, t := range next {
		fmt.Fprintf(out, "  %s %.1f %%", show(t.Token), 100*t.Prob)
	}
	line := strings.ReplaceAll(g.Text, "\n", " / ")
	if s.level == "word" {
		line = strings.Join(strings.Fields(line), " ")
	}
	fmt.Fprintf(out, "\n     %s\n\n", line)
	return nil
}

// show makes a token visible.
func show(token string) string {
	switch token {
	case "\n", text.EOS:
		return "⏎"
	case " ":
		return "␣"
	}
	return token
}
