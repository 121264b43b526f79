package main

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/zoo/forecast"
	"github.com/seqzoo/seqzoo/zoo/series"
)

// backtestCommand is the flags of backtest.
type backtestCommand struct {
	trainCommand
	every, window int
}

func (b *backtestCommand) register(f *flag.FlagSet) {
	b.trainCommand.register(f)
	f.IntVar(&b.every, "every", 500, "rows after which a model is trained anew")
	f.IntVar(&b.window, "last", 0, "rows that a model is trained on, the last there are; 0 for all")
}

func (b *backtestCommand) check() error {
	var errs []error
	if b.every < 1 || b.window < 0 {
		errs = append(errs, fmt.Errorf("-every is %d and -last %d; want 1 or more, and 0 or more",
			b.every, b.window))
	}
	if b.Save != "" {
		errs = append(errs, errors.New("-save is of one model, and backtest trains "+
			"many; use train"))
	}
	if b.by != "" {
		errs = append(errs, errors.New("-by is of several series, and backtest goes through one"))
	}
	if b.Quick {
		b.every = 1 << 30 // one model
	}
	return errors.Join(append(errs, b.trainCommand.check())...)
}

func (b *backtestCommand) run(ctx context.Context, s cli.Std) error {
	read, err := b.read(s.Messages)
	if err != nil {
		return err
	}
	all := read[0]
	fit := func(ctx context.Context, fold int, part *series.Series) (*forecast.Model, error) {
		scale, err := part.Scale()
		if err != nil {
			return nil, err
		}
		m, err := forecast.New(b.config(all.Names, cli.List(b.targets)), scale, b.Seed)
		if err != nil {
			return nil, err
		}
		task, err := m.Task(forecast.Data{Train: part, Batch: b.Batch, Seed: b.Seed})
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(s.Messages, "model %d learns from %d rows\n", fold+1, part.Len())
		t := b.Training
		t.Patience = 0 // nothing is validated: what comes is not known yet
		_, err = t.Fit(ctx, s, cli.Run{Model: m, Task: task, Name: b.cell, Unit: "windows"})
		return m, err
	}
	r, err := forecast.Rolling(ctx, all.Slice(0, all.ends[2]), forecast.RollingOptions{
		From: all.ends[0], Every: b.every, Window: b.window, Fit: fit})
	if err != nil {
		return err
	}
	for i, f := range r.Folds {
		fmt.Fprintf(s.Out, "model %d, rows %d to %d: MSE %.4f, MAE %.4f, standardised\n",
			i+1, f.From, f.To-1, f.MSE, f.MAE)
	}
	for v, target := range r.Targets {
		fmt.Fprintf(s.Out, "%-34s RMSE %.4g, MAE %.4g in its own units\n", target, r.RMSE[v],
			r.MeanAbs[v])
	}
	return nil
}
