package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/plot"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// flowCommand is the flags of flow.
type flowCommand struct {
	models, draw        string
	hidden, step, batch int
	seed                uint64
}

func (c *flowCommand) register(f *flag.FlagSet) {
	f.StringVar(&c.models, "models", "",
		"comma-separated `directories` of models of pictures, to draw beside untrained ones")
	cli.DrawFlag(f, &c.draw, "", "the figure to this `file`, SVG")
	cli.OldNames(f, "to", "draw")
	f.IntVar(&c.hidden, "hidden", 64, "width of the untrained layers")
	f.IntVar(&c.step, "step", 1, "pixels a step of the untrained ones, a divisor of 784")
	cli.BatchFlag(f, &c.batch, 50, ", whose gradients are measured")
	cli.SeedFlag(f, &c.seed, 1, "the untrained weights")
}

func (c *flowCommand) check() error {
	err := cli.Required("draw", c.draw)
	if c.step < 1 || pixels%c.step != 0 || c.batch < 1 || c.batch > 1000 || c.hidden < 1 ||
		c.hidden > 1<<12 {
		err = errors.Join(err, fmt.Errorf("-step %d, -batch %d, -hidden %d: want a divisor of "+
			"%d, 1 … 1000, 1 … 4096", c.step, c.batch, c.hidden, pixels))
	}
	return err
}

// run draws how large the gradient of the loss is in the state h at every step, on its way back
// from the last.
func (c *flowCommand) run(ctx context.Context, s cli.Std) error {
	set, err := mnist("train")
	if err != nil {
		return err
	}
	set = set.Slice(0, min(c.batch, set.Len()))
	figure := plot.Plot{
		Title: "Gradient of the loss in the state, sequential MNIST", X: "step", Y: "‖dL/dh‖",
		LogY: true,
	}
	add := func(name string, m *label.Classifier) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		examples, err := pictures(m, set)
		if err != nil {
			return err
		}
		flow, err := m.GradientFlow(examples)
		if err != nil {
			return err
		}
		for _, l := range flow.Layers {
			if l.Part != "h" || !strings.HasSuffix(l.Path, "l0") {
				continue
			}
			curve := plot.Curve{Name: name, Y: l.Norms}
			for t := range l.Norms {
				curve.X = append(curve.X, float64(t+1))
			}
			figure.Curves = append(figure.Curves, curve)
			last := len(l.Norms) - 1
			fmt.Fprintf(s.Out, "%-24s %s  first step %.2g, middle %.2g, last %.2g\n",
				name, plot.Spark(l.Norms, 40, true), l.Norms[0], l.Norms[last/2], l.Norms[last])
		}
		return nil
	}
	for _, cell := range []string{"rnn", "gru", "lstm"} {
		t := &trainCommand{task: "mnist", cell: cell, hidden: c.hidden, layers: 1, step: c.step,
			pool: "last"}
		labels, err := digits()
		if err != nil {
			return err
		}
		m, err := label.NewClassifier(t.config(), nil, labels, c.seed)
		if err != nil {
			return err
		}
		if err := add(cell+", untrained", m); err != nil {
			return err
		}
	}
	for _, dir := range strings.Split(c.models, ",") {
		if dir = strings.TrimSpace(dir); dir == "" {
			continue
		}
		m, err := label.LoadClassifier(dir)
		if err != nil {
			return err
		}
		if m.Vocabulary() != nil {
			return fmt.Errorf("%s reads texts; flow is drawn for pictures", dir)
		}
		if err := add(fmt.Sprintf("%s, trained (%s)", m.Config().Cell, filepath.Base(dir)),
			m); err != nil {
			return err
		}
	}
	return cli.WriteFile(c.draw, figure.WriteSVG)
}

// digits are the labels of MNIST.
func digits() (*text.Vocabulary, error) {
	var names []string
	for i := range 10 {
		names = append(names, strconv.Itoa(i))
	}
	return text.NewVocabulary(text.VocabularyConfig{}, names)
}
