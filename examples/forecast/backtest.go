package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"

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
	if b.Quick {
		b.every = 1 << 30 // one model
	}
	return errors.Join(append(errs, b.trainCommand.check())...)
}

func (b *backtestCommand) run(ctx context.Context, s cli.Std) error {
	all, err := b.read(s.Messages, cli.List(b.static)...)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(all, func(one parted) bool { return one.ends[0] != all[0].ends[0] }) {
		fmt.Fprintln(s.Messages, "warning: the series begin to be forecast at different rows, and "+
			"each counts its rows from its own first: if that is not the same time in all, a model "+
			"may learn from one series what came later than what it forecasts in another")
	}
	// All series are learned from together, so that each fold has one model for all of them.
	var models []*forecast.Model
	fit := func(ctx context.Context, fold int, _ *series.Series) (*forecast.Model, error) {
		for len(models) <= fold {
			m, err := b.fit(ctx, s, all, len(models))
			if err != nil {
				return nil, err
			}
			models = append(models, m)
		}
		return models[fold], nil
	}
	for _, one := range all {
		r, err := forecast.Rolling(ctx, one.Slice(0, one.ends[2]), forecast.RollingOptions{
			From: one.ends[0], Every: b.every, Window: b.window, Fit: fit})
		if err != nil {
			return err
		}
		if len(all) > 1 {
			fmt.Fprintln(s.Out, one.which)
		}
		for i, f := range r.Folds {
			fmt.Fprintf(s.Out, "model %d, rows %d to %d: MSE %.4f, MAE %.4f, standardised\n", i+1,
				f.From, f.To-1, f.MSE, f.MAE)
		}
		for v, target := range r.Targets {
			fmt.Fprintf(s.Out, "%-34s RMSE %.4g, MAE %.4g in its own units\n", target, r.RMSE[v],
				r.MeanAbs[v])
		}
	}
	return nil
}

// fit trains the model of a fold on what each series has before it.
func (b *backtestCommand) fit(ctx context.Context, s cli.Std, all []parted,
	fold int) (*forecast.Model, error) {
	var learn []*series.Series
	rows := 0
	for _, one := range all {
		to := one.ends[2]
		if ahead := fold * b.every; ahead < to-one.ends[0] {
			to = one.ends[0] + ahead
		}
		from := 0
		if b.window > 0 {
			from = max(0, to-b.window)
		}
		learn = append(learn, one.Slice(from, to))
		rows += to - from
	}
	scale, err := learn[0].Scale(learn[1:]...)
	if err != nil {
		return nil, err
	}
	m, err := forecast.New(b.config(all[0].Names, cli.List(b.targets)), scale, b.Seed)
	if err != nil {
		return nil, err
	}
	task, err := m.Task(forecast.Data{Train: learn[0], More: learn[1:], Batch: b.Batch,
		Seed: b.Seed})
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(s.Messages, "model %d learns from %d rows\n", fold+1, rows)
	t := b.Training
	t.Patience = 0 // nothing is validated: what comes is not known yet
	_, err = t.Fit(ctx, s, cli.Run{Model: m, Task: task, Name: b.cell, Unit: "windows"})
	return m, err
}
