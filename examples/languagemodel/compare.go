package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/zoo/lm"
)

// comparer is the command compare: train for one cell after another.
type comparer struct {
	trainer
	cells      string
	parameters int
}

func (c *comparer) flags(f *flag.FlagSet) {
	c.trainer.flags(f)
	f.StringVar(&c.cells, "cells", "", "`specs` of the cells, as of -cell of train, with spaces "+
		"between them; by default every registered one")
	f.IntVar(&c.parameters, "parameters", 0,
		"give each model the width with which it has about so many parameters; 0: that of -hidden")
}

func (c *comparer) check() error {
	if cli.Given(c.set)["cell"] {
		return errors.New("-cell is of the command train; want -cells")
	}
	if c.parameters < 0 {
		return fmt.Errorf("-parameters is %d; want at least 1, or 0 for the width of -hidden",
			c.parameters)
	}
	if !cli.Given(c.set)["init"] { // a preset's is an option that not all cells have
		if err := c.set.Set("init", ""); err != nil {
			return err
		}
	}
	if c.cells == "" {
		c.cells = strings.Join(cells.Registered(), " ")
	}
	for _, spec := range strings.Fields(c.cells) {
		c.cell = spec
		if err := c.trainer.check(); err != nil {
			return fmt.Errorf("%s: %w", spec, err)
		}
	}
	return nil
}

func (c *comparer) run(ctx context.Context, s cli.Std) error {
	specs := strings.Fields(c.cells)
	if len(specs) == 0 {
		return errors.New("-cells names no cell")
	}
	c.cell = specs[0]
	cfg, err := c.config()
	if err != nil {
		return err
	}
	texts, err := c.read(ctx, &cfg)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(s.Out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(table, "cell\twidth\tparameters\t%s/s\tvalidation loss, nats\t\n",
		unit(c.level))
	save := c.Save
	for _, spec := range specs {
		c.cell = spec
		own, err := c.config()
		if err != nil {
			return err
		}
		own.BPE = cfg.BPE
		if own, err = c.sized(own, texts); err != nil {
			return fmt.Errorf("%s: %w", spec, err)
		}
		if c.Save = save; save != "" {
			c.Save = filepath.Join(save, strings.ReplaceAll(spec, "/", "+"))
		}
		quiet := s
		quiet.Out = s.Messages
		r, err := c.learn(ctx, quiet, own, texts)
		if err != nil { // hours may have gone into those before it
			return errors.Join(fmt.Errorf("%s: %w", spec, err), table.Flush())
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%.0f\t%.4f\t\n", spec, own.Hidden, r.parameters, r.rate,
			r.loss)
	}
	return table.Flush()
}

// step is what widths are multiples of, so that heads divide them.
const step = 8

// sized is a configuration with the width at which the parameters are closest to the budget.
func (c *comparer) sized(cfg lm.Config, texts *corpus) (lm.Config, error) {
	if c.parameters == 0 {
		return cfg, nil
	}
	count := func(width int) (n int, err error) {
		cfg.Hidden = width
		m, err := lm.New(cfg, texts.vocabulary, c.Seed)
		if err != nil {
			return 0, err
		}
		return m.Params().Count(), nil
	}
	low, high := 0, 1 // in steps: low has too few parameters, high enough
	least := 0
	for {
		n, err := count(high * step)
		if err != nil {
			return cfg, err
		}
		if n >= c.parameters {
			break
		}
		low, least, high = high, n, 2*high
	}
	most := 0
	for {
		n, err := count(high * step)
		if err != nil {
			return cfg, err
		}
		if most = n; high-low <= 1 {
			break
		}
		middle := (low + high) / 2
		if n, err = count(middle * step); err != nil {
			return cfg, err
		}
		if n >= c.parameters {
			high = middle
		} else {
			low, least = middle, n
		}
	}
	if low > 0 && c.parameters-least < most-c.parameters {
		high = low
	}
	cfg.Hidden = high * step
	return cfg, nil
}
