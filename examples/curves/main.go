package main

import (
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/plot"
	"github.com/seqzoo/seqzoo/train"
)

func main() {
	cli.Main("curves", run)
}

const about = `Draws learning curves of saved trainings:

    go run ./examples/curves [flags] models/*/history.csv
    go run ./examples/curves [flags] models

A directory stands for all runs in its folders, such as those of a sweep, which are also compared in a
table, the best first, with the settings in which they differ.`

func run(args []string, out io.Writer) error {
	f := flag.NewFlagSet("curves", flag.ContinueOnError)
	var path string
	var quick bool
	cli.DrawFlag(f, &path, "curves.svg", "the figure to this `file`, SVG")
	cli.OldNames(f, "o", "draw")
	cli.QuickFlag(f, &quick)
	metric := f.String("metric", "valid_perplexity", "`column` of the histories to draw")
	title := f.String("title", "", "heading of the figure")
	log := f.Bool("log", false, "logarithmic axis")
	from := f.Int("from", 0, "leave out what was measured before this `step`")
	levels := f.String("levels", "", "dashed lines, as `name=value,…`")
	if err := cli.Parse(f, args, about, out); err != nil {
		return err
	}
	p := plot.Plot{Title: *title, X: "step", Y: *metric, LogY: *log}
	if quick {
		p.Curves = madeUp()
	} else if f.NArg() == 0 {
		return cli.Usagef("no histories given; name one or more history.csv, such as " +
			"models/*/history.csv")
	}
	names, err := histories(f.Args(), *metric, out)
	if err != nil {
		return err
	}
	for _, name := range names {
		h, err := read(name)
		if err != nil {
			return err
		}
		steps, values := h.Column(*metric)
		if len(steps) == 0 {
			if len(h.Names()) == 0 {
				return fmt.Errorf("%s has no %q, and no other metric: nothing was recorded yet",
					name, *metric)
			}
			return fmt.Errorf("%s has no %q; it has %s; -metric names another", name, *metric,
				strings.Join(h.Names(), ", "))
		}
		for len(steps) > 0 && steps[0] < *from {
			steps, values = steps[1:], values[1:]
		}
		if len(steps) == 0 {
			return fmt.Errorf("%s has no %q from step %d on", name, *metric, *from)
		}
		x := make([]float64, len(steps))
		for i, s := range steps {
			x[i] = float64(s)
		}
		p.Curves = append(p.Curves, plot.Curve{Name: filepath.Base(filepath.Dir(name)),
			Label: name, X: x, Y: values})
		fmt.Fprintf(out, "%s: %s %.4g at step %d\n", name, *metric, values[len(values)-1],
			steps[len(steps)-1])
	}
	for _, l := range strings.Split(*levels, ",") {
		if l == "" {
			continue
		}
		name, value, ok := strings.Cut(l, "=")
		y, err := strconv.ParseFloat(value, 64)
		if !ok || err != nil {
			return fmt.Errorf("-levels: %q: want name=value", l)
		}
		p.Levels = append(p.Levels, plot.Level{Name: name, Y: y})
	}
	return cli.WriteFile(path, p.WriteSVG)
}

// histories are the files of arguments, of which a directory stands for those of its runs: these
// are compared in a table.
func histories(args []string, metric string, out io.Writer) (names []string, err error) {
	for _, name := range args {
		if info, err := os.Stat(name); err != nil || !info.IsDir() {
			names = append(names, name)
			continue
		}
		runs, err := train.ReadRuns(name)
		if err != nil {
			return nil, err
		}
		if len(runs) == 0 {
			return nil, fmt.Errorf("%s has no folder with a history.csv", name)
		}
		if err := train.WriteRuns(out, runs, metric, ""); err != nil {
			return nil, err
		}
		before := len(names)
		for _, r := range runs {
			if _, values := r.History.Column(metric); len(values) > 0 {
				names = append(names, filepath.Join(name, r.Name, "history.csv"))
			}
		}
		if len(names) == before {
			return nil, fmt.Errorf("no run in %s has a %q; -metric names another", name, metric)
		}
	}
	return names, nil
}

// madeUp is what -quick draws beside the histories that are given: the course of two trainings that
// never were.
func madeUp() (curves []plot.Curve) {
	for i, name := range []string{"made up, fast", "made up, slow"} {
		c := plot.Curve{Name: name, Label: name}
		for step := 0; step <= 1000; step += 100 {
			c.X = append(c.X, float64(step))
			c.Y = append(c.Y, 80+400*math.Exp(-float64(step)/float64(100*(1+2*i))))
		}
		curves = append(curves, c)
	}
	return curves
}

func read(name string) (*train.History, error) {
	f, err := cli.OpenFile(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := &train.History{}
	if err := h.ReadCSV(f); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return h, nil
}
