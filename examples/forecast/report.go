package main

import (
	"context"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/zoo/forecast"
	"github.com/seqzoo/seqzoo/zoo/metrics"
	"github.com/seqzoo/seqzoo/zoo/series"
)

// report prints the errors of m on a part of each series, and beside them those of naive forecasts
// of the same windows.
func report(ctx context.Context, out io.Writer, m *forecast.Model, parts []*series.Series,
	season int, name string) error {
	e, err := m.Evaluate(ctx, parts[0], parts[1:]...)
	if err != nil {
		return err
	}
	c := m.Config()
	fmt.Fprintf(out, "%s: %d windows, %d steps ahead, standardised\n%-34s %8s %8s\n", name,
		e.Windows, c.Horizon, "", "MSE", "MAE")
	fmt.Fprintf(out, "%-34s %8.4f %8.4f\n", "model", e.MSE, e.MAE)
	for _, n := range []struct {
		name  string
		steps int
	}{{"naive: the last value again", 1}, {fmt.Sprintf("naive: the last %d rows again", season),
		season}} {
		mse, mae, err := naive(m, parts, n.steps)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%-34s %8.4f %8.4f\n", n.name, mse, mae)
	}
	for v, target := range c.Targets {
		fmt.Fprintf(out, "    %-30s %8.4f   RMSE %.4g, MAE %.4g in its own units\n", target,
			e.ByTarget[v], e.RMSE[v], e.MeanAbs[v])
	}
	for i, q := range c.Quantiles {
		fmt.Fprintf(out, "quantile %-25g %8.4f   of the values are below its forecast\n",
			q, e.Below[i])
	}
	if len(c.Quantiles) < 2 {
		return nil
	}
	for i, part := range parts {
		of := ""
		if len(parts) > 1 {
			of = fmt.Sprintf(", series %d", i+1)
		}
		b, err := m.Backtest(ctx, part, forecast.BacktestOptions{Level: outer(c.Quantiles)})
		said := any(b)
		if err != nil {
			if ctx.Err() != nil {
				return err
			}
			said = err // the part is short: all else is told
		}
		fmt.Fprintf(out, "rolling conformal intervals of %.3g %%%s: %v\n",
			100*outer(c.Quantiles), of, said)
	}
	return nil
}

// outer is the level of the interval from the first to the last quantile.
func outer(quantiles []float64) float64 { return quantiles[len(quantiles)-1] - quantiles[0] }

// naive is the errors of a forecast that repeats the last rows of each window, over the windows
// that m is evaluated on.
func naive(m *forecast.Model, parts []*series.Series, season int) (mse, mae float64, err error) {
	c := m.Config()
	if season > c.Lookback {
		return 0, 0, fmt.Errorf("a season of %d rows is longer than the %d that the model reads",
			season, c.Lookback)
	}
	n := 0.
	for _, part := range parts {
		for end := c.Lookback; end+c.Horizon <= part.Len(); end++ {
			predicted, truth := again(m, part, end, season)
			if len(truth) == 0 {
				continue
			}
			squared, err := metrics.MSE(predicted, truth)
			if err != nil {
				return 0, 0, err
			}
			absolute, err := metrics.MAE(predicted, truth)
			if err != nil {
				return 0, 0, err
			}
			mse, mae, n = mse+squared, mae+absolute, n+1
		}
	}
	return mse / n, mae / n, nil
}

// again repeats the last rows before end, so many as a season has, and says what came instead.
func again(m *forecast.Model, part *series.Series, end, season int) (predicted, truth []float64) {
	c := m.Config()
	for h := range c.Horizon {
		for _, target := range c.Targets {
			v := slices.Index(c.Variables, target)
			mean, deviation := m.Scale().Mean[v], m.Scale().Deviation[v]
			z := func(t int) float64 { return (part.Row(t)[v] - mean) / deviation }
			p, is := z(end-season+h%season), z(end+h)
			if math.IsNaN(p + is) {
				continue // one of them is a gap
			}
			predicted, truth = append(predicted, p), append(truth, is)
		}
	}
	return predicted, truth
}

// forecastCommand is the flags of forecast.
type forecastCommand struct {
	cli.Table
	model string
	each  bool
}

func (c *forecastCommand) register(f *flag.FlagSet) {
	cli.ModelFlag(f, &c.model, "")
	c.Table.RegisterCells(f)
	f.BoolVar(&c.each, "each", false,
		"forecast behind every row, as soon as there are enough, with an empty line after each "+
			"forecast")
	c.KeepGaps(false)
}

func (c *forecastCommand) check() error {
	return errors.Join(cli.Required("model", c.model), c.Table.Check())
}

// run reads rows and writes forecasts, as CSV in the units of the series.
func (c *forecastCommand) run(ctx context.Context, s cli.Std) error {
	m, err := forecast.Load(c.model)
	if err != nil {
		return err
	}
	cfg := m.Config()
	out := csv.NewWriter(s.Out)
	if err := out.Write(append([]string{"step"}, cfg.Targets...)); err != nil {
		return err
	}
	ahead := 0 // rows at the end that hold what is known ahead, and no targets
	if len(cfg.Known) > 0 {
		if ahead = cfg.Horizon; c.each {
			return fmt.Errorf("-each forecasts behind every row, and the model reads %s of the %d "+
				"rows ahead: leave it out", strings.Join(cfg.Known, ", "), ahead)
		}
	}
	answer := func(history [][]float64) error { return write(out, m, history, ahead) }
	c.KeepGaps(ahead > 0 || cfg.Gaps != forecast.RefuseGaps)
	lines, err := c.lines(cfg.Variables)
	if err != nil {
		return err
	}
	var history [][]float64
	empty := true
	// a row that cannot be read ends it: without it, those before would move
	inner, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	err = cli.EachLine(inner, s.In, s.Messages, func(_ int, line string, err error) error {
		if err != nil {
			stop(err)
			return nil
		}
		row, err := lines.Line(line)
		empty = empty && strings.TrimSpace(line) == ""
		if err != nil {
			stop(c.Table.Explain(err))
			return nil
		}
		if row == nil {
			return nil
		}
		history = append(history, slices.Clone(row))
		if len(history) > cfg.Lookback+ahead {
			history = slices.Delete(history, 0, 1)
		}
		if !c.each || len(history) < cfg.Lookback {
			return nil
		}
		if err := answer(history); err != nil {
			return err
		}
		_, err = fmt.Fprintln(s.Out)
		return err
	})
	if err == nil && empty {
		return errors.New("standard input is empty; want a line of names, and rows")
	}
	if err == nil {
		err = lines.End()
	} else if ctx.Err() == nil && inner.Err() != nil {
		err = context.Cause(inner)
	}
	if err != nil {
		return fmt.Errorf("standard input: %w", err)
	}
	cli.Warn(s.Messages, "standard input", lines.Warnings())
	if c.each && len(history) == cfg.Lookback {
		return nil
	}
	return answer(history)
}

// write forecasts behind a history, the last rows of which, as many as ahead, hold what is known
// ahead.
func write(out *csv.Writer, m *forecast.Model, history [][]float64, ahead int) error {
	if len(history) < ahead {
		return fmt.Errorf("there are %d rows; the last %d must hold %s as they are known ahead",
			len(history), ahead, strings.Join(m.Config().Known, ", "))
	}
	var known [][]float64
	for _, row := range history[len(history)-ahead:] {
		var some []float64
		for _, name := range m.Config().Known {
			some = append(some, row[slices.Index(m.Config().Variables, name)])
		}
		known = append(known, some)
	}
	y, err := m.Forecast(history[:len(history)-ahead], known...)
	if err != nil {
		return err
	}
	for h, row := range y {
		fields := []string{strconv.Itoa(h + 1)}
		for _, x := range row {
			fields = append(fields, strconv.FormatFloat(x, 'g', 7, 64))
		}
		if err := out.Write(fields); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// lines reads standard input, which holds variables among other columns.
func (c *forecastCommand) lines(variables []string) (*series.Reader, error) {
	o, err := c.Table.Options()
	if err != nil {
		return nil, err
	}
	o.Columns = variables
	return series.NewReader(o)
}
