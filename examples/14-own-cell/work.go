package main

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/course"
	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
)

func noise(x run.Floats, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 14))
	for i := range x.Len() {
		x.Set(i, r.NormFloat64())
	}
}

// besideLoops is h of all steps [T, H], of the cell and by plain loops.
func besideLoops(T, In, H int) (got, want []float64, err error) {
	store := nodes.NewStore(nodes.Float64, 1)
	var x, y *nodes.Node
	var cell *MGU
	err = nodes.Try(func() {
		cell = Config{In: In, Hidden: H, Start: 0.5}.New(store.Root()).(*MGU)
		g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
		x = g.Input("x", T, 1, In)
		y = unroll.Over(cell).Unroll(x, nil, unroll.Options{}).Y()
	})
	if err != nil {
		return nil, nil, err
	}
	step, err := run.New([]*nodes.Node{y})
	if err != nil {
		return nil, nil, err
	}
	defer step.Close()
	var in run.Inputs
	xs := in.Floats(x)
	if err := in.Err(); err != nil {
		return nil, nil, err
	}
	noise(xs, 1)
	if err := step.Run(0, 0); err != nil {
		return nil, nil, err
	}
	return slices.Clone(step.Output(0).Float64s()), cell.byLoops(xs.Float64s(), T), nil
}

// byLoops is the equations again, number by number: x [T, In] to h [T, H].
func (m *MGU) byLoops(x []float64, T int) (out []float64) {
	w, b := run.ParamFloats(m.w), run.ParamFloats(m.b)
	uF, uN := run.ParamFloats(m.uF), run.ParamFloats(m.uN)
	h, next, f := make([]float64, m.Hidden), make([]float64, m.Hidden), make([]float64, m.Hidden)
	for t := range T {
		for j := range f {
			sum := b.At(j)
			for i := range m.In {
				sum += x[t*m.In+i] * w.At(i*2*m.Hidden+j)
			}
			for i := range h {
				sum += h[i] * uF.At(i*m.Hidden+j)
			}
			f[j] = 1 / (1 + math.Exp(-sum))
		}
		for j := range next {
			sum := b.At(m.Hidden + j)
			for i := range m.In {
				sum += x[t*m.In+i] * w.At(i*2*m.Hidden+m.Hidden+j)
			}
			for i := range h {
				sum += f[i] * h[i] * uN.At(i*m.Hidden+j)
			}
			next[j] = (1-f[j])*h[j] + f[j]*math.Tanh(sum)
		}
		h, next = next, h
		out = append(out, h...)
	}
	return out
}

// gradient is what one way to unroll gives.
type gradient struct {
	Report *graph.GradientReport
	Grads  [][]float64
}

func gradients(s unroll.Strategy) (out gradient, err error) {
	const T, B, In, H = 7, 3, 2, 5
	store := nodes.NewStore(nodes.Float64, 1)
	var x, loss *nodes.Node
	var grads []*nodes.Node
	var inputs, ds []*gorgonia.Node
	err = nodes.Try(func() {
		cell := Config{In: In, Hidden: H}.New(store.Root())
		g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
		x = g.Input("x", T, B, In)
		loss = nodes.Sum(nodes.Square(unroll.Over(cell).Unroll(x, nil,
			unroll.Options{Strategy: s}).Y()))
		var of []nodes.Operand
		for _, p := range store.Params() {
			of = append(of, p)
			inputs = append(inputs, g.Param(p).Gorgonia())
		}
		for _, d := range g.Gradients(loss, of...) {
			grads, ds = append(grads, d), append(ds, d.Gorgonia())
		}
	})
	if err != nil {
		return out, err
	}
	var in run.Inputs
	xs := in.Floats(x)
	if err := in.Err(); err != nil {
		return out, err
	}
	noise(xs, 2)
	if out.Report, err = graph.CheckGradients(loss.Gorgonia(), inputs, ds,
		graph.GradientCheck{Samples: 1000}); err != nil {
		return out, err
	}
	step, err := run.New(grads)
	if err != nil {
		return out, err
	}
	defer step.Close()
	if err := step.Run(0, 0); err != nil {
		return out, err
	}
	for i := range grads {
		out.Grads = append(out.Grads, slices.Clone(step.Output(i).Float64s()))
	}
	return out, nil
}

// contestant is what is timed.
type contestant struct {
	Name, Spec string
	Options    []graph.Option
}

var contestants = []contestant{
	{"rnn", "rnn", nil},
	{"mgu", "mgu", nil},
	{"unfused", "mgu", []graph.Option{graph.Without(graph.PassFuse)}},
	{"plain", "mgu", []graph.Option{graph.Plain()}},
	{"gru", "gru", nil},
	{"lstm", "lstm", nil},
}

var timedWidths = []int{16, 32, 64}

// Params is how many numbers the cell learns, H units that read as many.
func (c contestant) Params(H int) int {
	store := nodes.NewStore(nodes.Float32, 1)
	if err := nodes.Try(func() { cellOf(c.Spec)(store.Root(), H) }); err != nil {
		return 0
	}
	return store.Count()
}

// cellOf makes cells by a spec, as models do.
func cellOf(spec string) func(s *nodes.Scope, H int) cells.Cell {
	return func(s *nodes.Scope, H int) cells.Cell {
		c, err := cells.Parse(spec)
		if err != nil {
			panic(err) // the specs stand above
		}
		return c.Sized(H, H).New(s)
	}
}

// training compiles a step of training: T = 16 steps of B sequences, H units that read H numbers.
func training(cell func(s *nodes.Scope, H int) cells.Cell, B, H int,
	options ...graph.Option) (*train.Step, error) {
	const T = 16
	store := nodes.NewStore(nodes.Float32, 1)
	var x, loss *nodes.Node
	err := nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{Training: true})
		x = g.Input("x", T, B, H)
		loss = nodes.Mean(nodes.Square(unroll.Over(cell(store.Root(), H)).Unroll(x, nil,
			unroll.Options{}).Y()))
	})
	if err != nil {
		return nil, err
	}
	step, err := train.NewStepWith(train.StepConfig{Options: append(options, graph.Workers(1))},
		loss)
	if err != nil {
		return nil, err
	}
	var in run.Inputs
	xs := in.Floats(x)
	if err := in.Err(); err != nil {
		return nil, errors.Join(err, step.Close())
	}
	noise(xs, 3)
	return step, nil
}

// measure is the least time of a step in microseconds, by name, for each width: one after another,
// in
// rounds, so that what else the machine does falls on all alike.
func measure(p *course.Page) (map[string][]float64, error) {
	out := map[string][]float64{}
	for _, H := range timedWidths {
		var steps []*train.Step
		for _, c := range contestants {
			step, err := training(cellOf(c.Spec), 16, H, c.Options...)
			if err != nil {
				return nil, err
			}
			defer step.Close()
			steps = append(steps, step)
			out[c.Name] = append(out[c.Name], math.Inf(1))
		}
		for round := range course.Pick(p, 2, 400, 400) {
			for i, step := range steps {
				start := time.Now()
				if _, err := step.Run(1, round); err != nil {
					return nil, err
				}
				t := out[contestants[i].Name]
				t[len(t)-1] = min(t[len(t)-1], float64(time.Since(start).Nanoseconds())/1000)
			}
			if p.Context().Err() != nil {
				return nil, p.Context().Err()
			}
		}
	}
	return out, nil
}

// ratio is the time of a contestant over the GRU's.
func ratio(times map[string][]float64, name string, H int) float64 {
	at := slices.Index(timedWidths, H)
	return times[name][at] / times["gru"][at]
}

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}
