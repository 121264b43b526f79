package zoo

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// Inside is what the layers of a model compute on one example, hidden states and attention, by
// name: the path of a layer's parameters and, where it has several results, which, such as
// "layers/l0/c". Models have a method Inside of their own, which says which there are and what
// their shapes are. A layer that is used again has # and a number behind its name.
type Inside = shared.Inside

// Cost is the time and memory of running a model once.
type Cost struct {
	What string // "training step", or the name of a layout, such as "sequence"
	// examples side by side, and steps of each; 1 of what has no steps, or a number of its own,
	// such as rows and the windows of a forecaster
	Batch, Steps int
	// bytes of all values while it runs: inputs, intermediate values, results, and in training
	// gradients. Parameters, which all runs share, are not in it, nor what an optimiser keeps: for
	// Adam twice the parameters
	Memory int
	// floating-point operations of the matrix products, a multiplication and its addition being two
	Flop float64
}

// The methods of models that have costs, and the sizes that these are for.
type (
	learner interface {
		TrainingStep(steps, batch int) (*run.Step, error)
	}
	laidOut  interface{ Layouts() []Layout }
	costable struct{ steps, batch int }
)

// SummariseFor is Summarise with Costs: of a step of training on batch examples of so many steps,
// if the model is trained so, and of a request, which is each of its Layouts for one example of so
// many steps. They are compiled, and nothing runs. The error is run.ErrMemory, with numbers, if one
// of them could not run on this machine.
func SummariseFor(m Model, steps, batch int) (s Summary, err error) {
	if s = Summarise(m); s.Architecture == "" {
		return s, fmt.Errorf("zoo: summary: the model is nil, or an empty value")
	}
	var bad check.Problems
	bad.Int("steps", steps, 1, 1<<20)
	bad.Int("batch", batch, 1, 1<<20)
	if err := bad.Err(); err != nil {
		return s, fmt.Errorf("zoo: summary: %w", err)
	}
	of := costable{steps, batch}
	if l, ok := m.(learner); ok {
		c, err := of.training(l)
		if err != nil {
			return s, err
		}
		s.Costs = append(s.Costs, c)
	}
	if l, ok := m.(laidOut); ok {
		for _, layout := range l.Layouts() {
			step, err := of.compile(layout, m.Params())
			if err != nil {
				return s, fmt.Errorf("zoo: summary: %s: %s: %w", m.Architecture(), layout.Name, err)
			}
			one := costable{1, 1}
			if slices.ContainsFunc(layout.Sizes,
				func(name string) bool { return name != "batch" }) {
				one.steps = steps
			}
			s.Costs = append(s.Costs, one.cost(layout.Name, step))
		}
	}
	return s, nil
}

// training is the cost of a step of training. One that takes as much for a single step as for many
// has no such steps.
func (c costable) training(l learner) (Cost, error) {
	const what = "training step"
	step, err := l.TrainingStep(c.steps, c.batch)
	if err != nil {
		return Cost{}, err
	}
	all := c.cost(what, step)
	if step, err = l.TrainingStep(1, c.batch); err != nil {
		return Cost{}, err
	}
	one := (costable{1, c.batch}).cost(what, step)
	if one.Memory == all.Memory && one.Flop == all.Flop {
		return one, nil
	}
	return all, nil
}

// cost is that of a step, which it closes.
func (c costable) cost(what string, step *run.Step) Cost {
	defer step.Close()
	machine := step.Machine()
	return Cost{What: what, Batch: c.batch, Steps: c.steps, Flop: machine.Flop(),
		Memory: machine.Memory() + step.Memory() - machine.OwnMemory()}
}

// compile is a layout for one example.
func (c costable) compile(l Layout, weights *nodes.Store) (*run.Step, error) {
	sizes := make([]int, len(l.Sizes))
	for i, name := range l.Sizes {
		if sizes[i] = c.steps; name == "batch" {
			sizes[i] = 1
		}
	}
	var outputs []*nodes.Node
	err := nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{Dtype: weights.Dtype()})
		_, out := l.Build(g, sizes)
		for _, p := range out {
			outputs = append(outputs, p.Node)
		}
	})
	if err != nil {
		return nil, err
	}
	return run.New(outputs)
}

// costs is a table of them.
func (s Summary) costs(w *strings.Builder) {
	if len(s.Costs) == 0 {
		return
	}
	table(w, func(row func(cells ...any)) {
		row("run", "examples", "steps", "bytes", "MFLOP of products")
		for _, c := range s.Costs {
			row(c.What, c.Batch, c.Steps, c.Memory, fmt.Sprintf("%.3g", c.Flop/1e6))
		}
	})
}
