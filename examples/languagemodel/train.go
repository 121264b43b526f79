package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/text"
	_ "github.com/seqzoo/seqzoo/zoo/text/japanese" // level ja
)

// trainer is the command train.
type trainer struct {
	cli.Training
	set *flag.FlagSet
	own map[string]bool // flags of the command line, and of no preset

	preset                string
	train, valid          string
	level                 lm.Level
	cell                  string
	spaced, keepCase      bool
	unicode               text.Form
	minCount, maxVocab    int
	bpeSize               int
	layers, hidden, embed int
	window                int
	dropout, embedStd     float64
	init                  string
	tied                  bool
	cutoffs               string
	sampled               int
	optimizer, schedule   string
	average               float64
	validate              int
}

func (t *trainer) flags(f *flag.FlagSet) {
	t.set = f
	t.Training = cli.Training{Epochs: 10, Batch: 32, LR: 0.003, Seed: 1}
	t.Register(f)
	var names []string
	for _, name := range slices.Sorted(maps.Keys(presets)) {
		names = append(names, fmt.Sprintf("%s (%s): %s", name, presets[name].about,
			presets[name].flags))
	}
	f.StringVar(&t.preset, "preset", "shakespeare",
		"`task` whose settings hold where a flag does not say otherwise:\n"+
			strings.Join(names, "\n"))
	cli.DataFlag(f, &t.train, "of text to learn from, UTF-8 or gzip of it, instead of the preset's")
	cli.ValidFlag(f, &t.valid,
		"of text to validate on; the default with -data is the last tenth of that")
	cli.OldNames(f, "train", "data")
	f.StringVar((*string)(&t.level), "level", string(lm.Words),
		"`unit` that is predicted: word, char, bpe (pieces that are learned) or ja (Japanese "+
			"words)")
	f.IntVar(&t.bpeSize, "bpe-size", 4000, "pieces that level bpe learns")
	f.BoolVar(&t.spaced, "spaced", false,
		"words: the text is tokenised already, and cut at white space alone")
	cli.KeepCaseFlag(f, &t.keepCase, " of words")
	cli.UnicodeFlag(f, &t.unicode)
	cli.MinCountFlag(f, &t.minCount, 1)
	f.IntVar(&t.maxVocab, "max-vocab", 0, "size of the vocabulary at most; 0 for no limit")
	cli.CellFlag(f, &t.cell, "lstm", "")
	f.IntVar(&t.layers, "layers", 2, "recurrent layers")
	f.IntVar(&t.hidden, "hidden", 200, "width of a layer")
	f.IntVar(&t.embed, "embed", 0, "width of the embedding; 0 for that of a layer")
	f.Float64Var(&t.embedStd, "embed-std", 0,
		"deviation of the first embedding, normal; 0 for uniform in ±0.1")
	f.StringVar(&t.init, "init", "",
		"first weights of the layers: uniform, the option of -cell, in ±1/√hidden as PyTorch has "+
			"them; by default Xavier and orthogonal ones")
	f.IntVar(&t.window, "window", 35, "steps that the gradient goes back")
	f.Float64Var(&t.dropout, "dropout", 0,
		"share of embedding, output and what goes between layers that is dropped")
	f.BoolVar(&t.tied, "tied", false, "the embedding is the output layer too")
	f.StringVar(&t.cutoffs, "cutoffs", "",
		"make the output an adaptive softmax with clusters that end at these `ids`, such as "+
			"2000,10000")
	f.IntVar(&t.sampled, "sampled", 0,
		"train on a softmax over the target and so many tokens drawn; 0 for all tokens")
	f.StringVar(&t.optimizer, "optimizer", "adam", "adam or sgd")
	f.StringVar(&t.schedule, "schedule", "cosine",
		"course of the rate: constant, cosine, or plateau (a quarter after an epoch without "+
			"progress)")
	f.Float64Var(&t.average, "average", 0,
		"share that a moving average of the weights keeps at each step, such as 0.999; 0 for none")
	f.IntVar(&t.validate, "validate", 0,
		"tokens of the validation text that are measured after an epoch; 0 for all")
}

func (t *trainer) check() error {
	p, ok := presets[t.preset]
	if !ok {
		return fmt.Errorf("-preset is %q; there are %s", t.preset,
			strings.Join(slices.Sorted(maps.Keys(presets)), ", "))
	}
	given := cli.Given(t.set)
	words := strings.Fields(p.flags)
	for i := 0; i < len(words); i++ {
		name, value := strings.TrimPrefix(words[i], "-"), "true"
		if i+1 < len(words) && !strings.HasPrefix(words[i+1], "-") {
			i++
			value = words[i]
		}
		if given[name] {
			continue
		}
		if err := t.set.Set(name, value); err != nil {
			return err
		}
	}
	if t.own == nil { // compare checks several times
		t.own = given
	}
	if t.Quick {
		small := map[string]string{"hidden": "16", "steps": "40", "batch": "4", "window": "10",
			"validate": "500"}
		if t.level != "bpe" {
			small["max-vocab"] = "300"
		} else {
			small["bpe-size"] = "300"
		}
		if t.sampled > 0 {
			small["sampled"] = "50"
		}
		if t.cutoffs != "" {
			small["cutoffs"] = "20,100"
		}
		for name, value := range small {
			if !given[name] {
				_ = t.set.Set(name, value) // it parses
			}
		}
	}
	var errs []error
	report := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	report(slices.Contains([]string{"adam", "sgd"}, t.optimizer),
		"-optimizer is %q; want adam or sgd", t.optimizer)
	report(slices.Contains([]string{"constant", "cosine", "plateau"}, t.schedule),
		"-schedule is %q; want constant, cosine or plateau", t.schedule)
	report(t.average >= 0 && t.average < 1, "-average is %g; want at least 0 and less than 1",
		t.average)
	report(t.window >= 1, "-window is %d; want at least 1", t.window)
	report(t.minCount >= 1 && t.maxVocab >= 0, "-min-count %d -max-vocab %d: want at least 1 and 0",
		t.minCount, t.maxVocab)
	report(t.sampled >= 0 && t.validate >= 0, "-sampled %d -validate %d: want 0 or more", t.sampled,
		t.validate)
	report(t.valid == "" || t.train != "", "-valid is set without -data")
	report(t.bpeSize >= 256 && t.bpeSize <= text.MaxBPE, "-bpe-size is %d; want 256 … %d",
		t.bpeSize, text.MaxBPE)
	cfg, err := t.config()
	if err == nil {
		if cfg.Level == "bpe" {
			cfg.BPE = &text.BPE{} // the pieces are learned later
		}
		err = cfg.Validate()
	}
	return errors.Join(errors.Join(errs...), err, t.Training.Check())
}

func (t *trainer) config() (c lm.Config, err error) {
	spec, layers := cli.WithOption(t.cell, t.init, t.init != ""), t.layers
	if !t.own["init"] { // it is a preset's, and not for every cell
		spec = cli.WithDefault(t.cell, t.init, "memory")
	}
	if !t.own["layers"] && strings.Contains(spec, "/") {
		layers = 1 // and as many as the spec names; see cli.Recurrent
	}
	c = lm.Config{
		Recurrent: cli.Recurrent(spec, t.hidden, layers, t.dropout),
		Level:     t.level, Spaced: t.spaced, KeepCase: t.keepCase, Unicode: t.unicode,
		Embed: t.embed, EmbedStd: t.embedStd, Tied: t.tied, IODropout: t.dropout,
	}
	if t.cutoffs != "" && json.Unmarshal([]byte("["+t.cutoffs+"]"), &c.Cutoffs) != nil {
		err = fmt.Errorf("-cutoffs is %q; want numbers such as 2000,10000", t.cutoffs)
	}
	return c, err
}

// corpus is the texts as ids.
type corpus struct {
	vocabulary   *text.Vocabulary
	train, valid []int
}

// read cuts the texts into tokens, and numbers them by a vocabulary of the training text alone,
// from which the pieces of level bpe are learned too: it completes cfg with them.
func (t *trainer) read(ctx context.Context, cfg *lm.Config) (*corpus, error) {
	p := presets[t.preset]
	trainPath, validPath := t.train, t.valid
	var err error
	if trainPath == "" {
		if trainPath, err = cli.DataFile(p.train, "give a text with -data"); err != nil {
			return nil, err
		}
		if p.valid != "" {
			if validPath, err = cli.DataFile(p.valid,
				"give texts with -data and -valid"); err != nil {
				return nil, err
			}
		}
	}
	raw, err := t.text(trainPath)
	if err != nil {
		return nil, err
	}
	if cfg.Level == "bpe" {
		learn := raw
		if validPath == "" {
			learn = strings.ToValidUTF8(raw[:len(raw)*9/10], "")
		}
		if cfg.BPE, err = text.TrainBPE(ctx, text.BPEConfig{Size: t.bpeSize},
			cfg.Unicode.Of(learn)); err != nil {
			return nil, fmt.Errorf("%s: %w", trainPath, err)
		}
	}
	tokens, err := text.TokensContext(ctx, cfg.Tokeniser(), raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", trainPath, err)
	}
	var valid []string
	if validPath == "" {
		cut := len(tokens) * 9 / 10
		tokens, valid = tokens[:cut], tokens[cut:]
	} else if raw, err = t.text(validPath); err != nil {
		return nil, err
	} else if valid, err = text.TokensContext(ctx, cfg.Tokeniser(), raw); err != nil {
		return nil, fmt.Errorf("%s: %w", validPath, err)
	}
	c := &corpus{}
	var pieces []string // of level bpe, all of them, so that no text has unknown ones
	if cfg.BPE != nil {
		for id := range cfg.BPE.Size() {
			pieces = append(pieces, cfg.BPE.Token(id))
		}
	}
	vocabulary := text.VocabularyConfig{MinCount: t.minCount, MaxSize: t.maxVocab,
		Specials: []string{text.Unk}}
	c.vocabulary, err = text.NewVocabularyContext(ctx, vocabulary, tokens, pieces)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", trainPath, err)
	}
	if c.train, err = c.vocabulary.Encode(tokens); err != nil {
		return nil, fmt.Errorf("%s: %w", trainPath, err)
	}
	c.valid, err = c.vocabulary.Encode(valid)
	return c, err
}

func (t *trainer) text(path string) (string, error) {
	raw, err := text.ReadFile(path)
	if t.Quick {
		raw = strings.ToValidUTF8(raw[:min(len(raw), 100_000)], "")
	}
	return raw, err
}

func (t *trainer) run(ctx context.Context, s cli.Std) error {
	cfg, err := t.config()
	if err != nil {
		return err
	}
	c, err := t.read(ctx, &cfg)
	if err != nil {
		return err
	}
	_, err = t.learn(ctx, s, cfg, c)
	return err
}

// outcome is what a training came to.
type outcome struct {
	parameters int
	rate       float64 // tokens a second; 0 if it was too short to time
	// of the validation text in 10 tracks or fewer, in nats; NaN if there is none
	loss float64
}

// learn trains a model of a corpus and measures it.
func (t *trainer) learn(ctx context.Context, s cli.Std, cfg lm.Config, c *corpus) (outcome, error) {
	m, err := lm.New(cfg, c.vocabulary, t.Seed)
	if err != nil {
		return outcome{}, err
	}
	fmt.Fprintf(s.Out,
		"%d %s to train on and %d to validate, vocabulary %d; %s with %d parameters\n",
		len(c.train), unit(t.level), len(c.valid), c.vocabulary.Len(), t.cell, m.Params().Count())
	measured := c.valid
	if t.validate > 0 {
		measured = c.valid[:min(len(c.valid), t.validate)]
	}
	task, err := m.Task(lm.Data{
		Train: c.train, Valid: measured, Batch: t.Batch, Window: unroll.Window{Stride: t.window},
		Sampled: t.sampled,
	})
	if err != nil {
		return outcome{}, err
	}
	watch := &stopwatch{Carrying: task.(train.Carrying)}
	r := cli.Run{
		Model: m, Task: watch, Name: t.cell, Unit: unit(t.level), Monitor: "valid_loss",
		Describe: map[string]string{
			"-unicode": string(t.unicode), "-window": fmt.Sprint(t.window),
			"-sampled": fmt.Sprint(t.sampled), "-optimizer": t.optimizer,
			"-schedule": t.schedule,
			"-average":  fmt.Sprint(t.average), "-dropout": fmt.Sprint(t.dropout),
			"text": fmt.Sprintf("of %d and %d %s", len(c.train), len(measured), unit(t.level)),
		},
	}
	if err := t.optimise(&r, task.Len()); err != nil {
		return outcome{}, err
	}
	result, err := t.Fit(ctx, s, r)
	if err != nil {
		return outcome{}, err
	}
	loss := math.NaN()
	if tracks := min(10, len(c.valid)-1); tracks > 0 {
		measured, err := m.Measure(ctx, c.valid, lm.MeasureOptions{Tracks: tracks})
		if err != nil {
			return outcome{}, err
		}
		loss = measured.Loss
	}
	fmt.Fprintf(s.Out, "%s: %d steps, %s; validation loss %.4f nats, perplexity %.2f\n", t.cell,
		result.Steps, watch.rate(unit(t.level)), loss, math.Exp(loss))
	return outcome{m.Params().Count(), watch.perSecond(), loss}, nil
}

// optimise chooses what moves the weights.
func (t *trainer) optimise(r *cli.Run, batches int) (err error) {
	if t.optimizer == "sgd" {
		if r.Optimizer, err = train.NewSGD(train.SGDConfig{LR: t.LR}); err != nil {
			return err
		}
	}
	switch t.schedule { // a cosine is what Fit chooses
	case "constant":
		r.Schedule, err = train.NewConstant(t.LR)
	case "plateau":
		r.Schedule, err = train.NewPlateau(train.PlateauConfig{LR: t.LR, Factor: 0.25})
	}
	if err == nil && t.average > 0 {
		r.Average, err = train.NewAverage(train.AverageConfig{Decay: t.average})
	}
	return err
}

// stopwatch times a task from its second batch, as a graph is compiled in the first. Validation
// does not count.
type stopwatch struct {
	train.Carrying
	calls, tokens, last int // batches begun, tokens in those timed, tokens in the latest
	begun, now          time.Time
	away                time.Duration // in validation
}

func (w *stopwatch) Next(seed uint64, counter int) (train.Batch, error) {
	if err := w.Advance(); err != nil {
		return train.Batch{}, err
	}
	return w.Shard(0, 1, seed, counter)
}

func (w *stopwatch) Advance() error {
	w.now = time.Now()
	if w.calls++; w.calls == 2 {
		w.begun = w.now
	} else if w.calls > 2 {
		w.tokens += w.last
	}
	w.last = 0
	return w.Carrying.Advance()
}

// Shard counts the tokens of the shards of this process.
func (w *stopwatch) Shard(k, n int, seed uint64, counter int) (train.Batch, error) {
	b, err := w.Carrying.Shard(k, n, seed, counter)
	w.last += b.Count
	return b, err
}

func (w *stopwatch) Validate(ctx context.Context) (map[string]float64, error) {
	if begun := time.Now(); w.calls >= 2 {
		defer func() { w.away += time.Since(begun) }()
	}
	return w.Carrying.Validate(ctx)
}

// Warnings are those of the task.
func (w *stopwatch) Warnings() []string { return train.Warnings(w.Carrying) }

// rate is the speed of this run.
func (w *stopwatch) rate(unit string) string {
	speed := w.perSecond()
	if speed == 0 {
		return "too short to time"
	}
	return fmt.Sprintf("%.1f ms a step, %.0f %s a second",
		1000*float64(w.tokens)/speed/float64(w.calls-2), speed, unit)
}

// perSecond is the tokens a second, or 0 if the run was too short to time.
func (w *stopwatch) perSecond() float64 {
	took := w.now.Sub(w.begun) - w.away
	if w.calls < 3 || took <= 0 {
		return 0
	}
	return float64(w.tokens) / took.Seconds()
}
