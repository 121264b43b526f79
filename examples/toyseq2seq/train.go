package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/plot"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// trainer is the command train.
type trainer struct {
	cli.Training
	taskName, variant string
	cell              string
	hidden, embed     int
	plot              string

	task task
}

func (t *trainer) flags(f *flag.FlagSet) {
	f.StringVar(&t.taskName, "task", "addition",
		"reversal, addition or dates; sizes and rates that are 0 are then the task's own")
	f.StringVar(&t.variant, "variant", "", "train this `one` only (default: all of the task)")
	t.Training.Seed = 1
	t.Register(f)
	cli.CellFlag(f, &t.cell, "", "; default lstm for addition, else gru")
	f.IntVar(&t.hidden, "hidden", 0, "width of the layers")
	f.IntVar(&t.embed, "embed", 0, "width of the embeddings")
	cli.DrawFlag(f, &t.plot, "", "the share of exact answers by epoch to this `file`, SVG")
	cli.OldNames(f, "plot", "draw")
}

func (t *trainer) check() (err error) {
	if t.task, err = findTask(t.taskName); err != nil {
		return err
	}
	d := t.task.training
	for _, o := range []struct {
		value    *int
		standard int
	}{
		{&t.Epochs, d.Epochs}, {&t.Batch, d.Batch}, {&t.Warmup, d.Warmup},
		{&t.hidden, t.task.hidden}, {&t.embed, t.task.embed},
	} {
		if *o.value == 0 {
			*o.value = o.standard
		}
	}
	if t.LR == 0 {
		t.LR = d.LR
	}
	if t.Clip == 0 {
		t.Clip = d.Clip
	}
	if t.cell == "" {
		t.cell = t.task.cell
	}
	if t.Quick {
		t.task.train, t.hidden, t.Epochs = 640, min(t.hidden, 16), 1
	}
	var names []string
	for _, v := range t.task.variants {
		names = append(names, v.name)
	}
	errs := []error{t.Training.Check(), t.config(variant{}).Validate()}
	if t.variant != "" && !slices.Contains(names, t.variant) {
		errs = append(errs, fmt.Errorf("-variant is %q; want one of %s", t.variant,
			strings.Join(names, ", ")))
	}
	return errors.Join(errs...)
}

func (t *trainer) config(v variant) seq2seq.Config {
	r := zoo.Recurrent{Cell: t.cell, Hidden: t.hidden}
	c := seq2seq.Config{Encoder: r, EmbedSource: t.embed, EmbedTarget: t.embed}
	if v.change != nil {
		v.change(&c)
	}
	return c
}

// followed is how many of the held-out pairs are answered after every epoch.
func (t *trainer) followed() int {
	if t.Quick {
		return 50
	}
	return heldOut
}

func (t *trainer) run(ctx context.Context, std cli.Std) error {
	train, valid, _, err := t.task.corpus(t.task.train, t.followed(), t.Seed)
	if err != nil {
		return err
	}
	for i := range min(3, len(train.sources)) {
		fmt.Fprintf(std.Out, "%s  →  %s\n", t.task.tokens.Join(train.sources[i]),
			t.task.tokens.Join(train.targets[i]))
	}
	figure := plot.Plot{Title: t.taskName, X: "epoch", Y: "exact answers, %"}
	var names []string
	var exact [][]float64
	for _, v := range t.task.variants {
		if t.variant != "" && t.variant != v.name {
			continue
		}
		by, err := t.learn(ctx, std, v, train, valid)
		if err != nil {
			return fmt.Errorf("%s: %w", v.name, err)
		}
		names, exact = append(names, v.name), append(exact, by)
		curve := plot.Curve{Name: v.name, Y: by}
		for e := range by {
			curve.X = append(curve.X, float64(e+1))
		}
		figure.Curves = append(figure.Curves, curve)
	}
	fmt.Fprintf(std.Out, "\nexact answers to %d questions that were not trained on, %%\nepoch",
		len(valid.sources))
	for _, name := range names {
		fmt.Fprintf(std.Out, " %10s", name)
	}
	fmt.Fprintln(std.Out)
	for e := range exact[0] {
		fmt.Fprintf(std.Out, "%5d", e+1)
		for _, by := range exact {
			fmt.Fprintf(std.Out, " %10.2f", by[e])
		}
		fmt.Fprintln(std.Out)
	}
	if t.plot == "" {
		return nil
	}
	return cli.WriteFile(t.plot, figure.WriteSVG)
}

// learn trains a variant and returns the share of exact answers by epoch, in percent.
func (t *trainer) learn(ctx context.Context, std cli.Std, v variant, train, valid pairs) ([]float64,
	error) {
	source, err := text.NewVocabulary(text.VocabularyConfig{}, train.sources...)
	if err != nil {
		return nil, err
	}
	target, err := text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.BOS, text.EOS}},
		train.targets...)
	if err != nil {
		return nil, err
	}
	m, err := seq2seq.New(t.config(v), source, target, t.Seed)
	if err != nil {
		return nil, err
	}
	learned, err := m.Pairs(v.read(train.sources), train.targets)
	if err != nil {
		return nil, err
	}
	task, err := m.Task(seq2seq.Data{Train: learned, Batch: t.Batch, Seed: t.Seed})
	if err != nil {
		return nil, err
	}
	sizes, err := json.Marshal(m.Config())
	if err != nil {
		return nil, err
	}
	training := t.Training
	if training.Save != "" {
		training.Save = filepath.Join(t.Save, v.name)
	}
	result, err := training.Fit(ctx, std, cli.Run{
		Model: m, Task: exactly{task, m, v.style, valid}, Name: v.name, Unit: "tokens",
		Describe: map[string]string{"-task": t.taskName, "-seed": fmt.Sprint(t.Seed),
			"model": string(sizes), "reversed": fmt.Sprint(v.Reversed)},
	})
	if err != nil {
		return nil, err
	}
	if training.Save != "" {
		err := cli.WriteFile(filepath.Join(training.Save, styleFile),
			func(w io.Writer) error {
				return json.NewEncoder(w).Encode(v.style)
			})
		if err != nil {
			return nil, err
		}
	}
	_, values := result.History.Column("valid_exact")
	return values, nil
}

// exactly is a task whose validation counts exact answers.
type exactly struct {
	train.Task
	m     *seq2seq.Model
	style style
	valid pairs
}

// Warnings are those of the task.
func (t exactly) Warnings() []string { return train.Warnings(t.Task) }

func (t exactly) Validate(ctx context.Context) (map[string]float64, error) {
	found, err := answers(ctx, t.m, t.style, t.valid.sources)
	if err != nil {
		return nil, err
	}
	return map[string]float64{"valid_exact": exact(found, t.valid.targets)}, nil
}
