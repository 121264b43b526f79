package main

import (
	"context"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/seqzoo/seqzoo/examples/internal/cli"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/metrics"
	"github.com/seqzoo/seqzoo/zoo/series"
)

// report prints the errors of m on a part of a series, and beside them those of naive forecasts of the same windows.
func report(ctx context.Context, out io.Writer, m *zoo.Forecaster, part *series.Series, season int, name string) error {
	e, err := m.Evaluate(ctx, part)
	if err != nil {
		return err
	}
	c := m.Config()
	fmt.Fprintf(out, "%s: %d windows, %d steps ahead, standardised\n%-34s %8s %8s\n", name, e.Windows, c.Horizon, "", "MSE", "MAE")
	fmt.Fprintf(out, "%-34s %8.4f %8.4f\n", "model", e.MSE, e.MAE)
	for _, n := range []struct {
		name  string
		steps int
	}{{"naive: the last value again", 1}, {fmt.Sprintf("naive: the last %d rows again", season), season}} {
		mse, mae, err := naive(m, part, n.steps)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%-34s %8.4f %8.4f\n", n.name, mse, mae)
	}
	for v, target := range c.Targets {
		fmt.Fprintf(out, "    %-30s %8.4f\n", target, e.ByTarget[v])
	}
	return nil
}

// naive is the errors of a forecast that repeats the last rows of each window, over the windows that m is evaluated on.
func naive(m *zoo.Forecaster, part *series.Series, season int) (mse, mae float64, err error) {
	c := m.Config()
	if season > c.Lookback {
		return 0, 0, fmt.Errorf("a season of %d rows is longer than the %d that the model reads", season, c.Lookback)
	}
	var predicted, truth []float64
	n := 0.
	for end := c.Lookback; end+c.Horizon <= part.Len(); end++ { // a window at a time, to hold little
		predicted, truth = predicted[:0], truth[:0]
		for h := range c.Horizon {
			for _, target := range c.Targets {
				v := slices.Index(c.Variables, target)
				z := func(t int) float64 { return (part.Row(t)[v] - m.Scale().Mean[v]) / m.Scale().Deviation[v] }
				predicted, truth = append(predicted, z(end-season+h%season)), append(truth, z(end+h))
			}
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
	return mse / n, mae / n, nil
}

// forecastCommand is the flags of forecast.
type forecastCommand struct {
	model string
	each  bool
}

func (c *forecastCommand) register(f *flag.FlagSet) {
	f.StringVar(&c.model, "model", "", "`directory` of the model")
	f.BoolVar(&c.each, "each", false, "forecast behind every row, as soon as there are enough, with an empty line after each forecast")
}

func (c *forecastCommand) check() error { return cli.Required("model", c.model) }

// run reads rows and writes forecasts, as CSV in the units of the series.
func (c *forecastCommand) run(ctx context.Context, s cli.Std) error {
	m, err := zoo.LoadForecaster(c.model)
	if err != nil {
		return err
	}
	cfg := m.Config()
	out := csv.NewWriter(s.Out)
	if err := out.Write(append([]string{"step"}, cfg.Targets...)); err != nil {
		return err
	}
	answer := func(history [][]float64) error {
		forecast, err := m.Forecast(history)
		if err != nil {
			return err
		}
		for h, row := range forecast {
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
	header := ""
	var history [][]float64
	err = cli.Lines(ctx, s.In, s.Messages, func(line string) error {
		switch {
		case strings.TrimSpace(line) == "":
			return nil
		case header == "":
			header = line
			return nil
		}
		row, err := series.Parse(header+"\n"+line, series.Options{Columns: cfg.Variables})
		if err != nil {
			return err
		}
		history = append(history, row.Row(0))
		if len(history) > cfg.Lookback {
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
	if err != nil {
		return err
	}
	if header == "" {
		return errors.New("standard input is empty; want a line of names, and rows")
	}
	if c.each && len(history) == cfg.Lookback {
		return nil
	}
	return answer(history)
}
