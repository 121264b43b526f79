package main

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/course"
	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/plot"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/unroll"
)

// picture lays a graph out by the number of operations since the inputs.
func picture(g *nodes.Graph) (*plot.Plot, [][]any) {
	expr := g.Expr()
	depth, label := map[int64]int{}, map[int64]string{}
	operands := func(n *gorgonia.Node) (of []*gorgonia.Node) {
		for it := expr.From(n.ID()); it.Next(); {
			of = append(of, it.Node().(*gorgonia.Node))
		}
		slices.SortFunc(of, func(a, b *gorgonia.Node) int { return cmp.Compare(a.ID(), b.ID()) })
		return of
	}
	var all []*gorgonia.Node
	var measure func(n *gorgonia.Node) int
	measure = func(n *gorgonia.Node) int {
		if d, ok := depth[n.ID()]; ok {
			return d
		}
		d := 0
		for _, o := range operands(n) {
			d = max(d, measure(o)+1)
		}
		depth[n.ID()], label[n.ID()] = d, name(n)
		all = append(all, n)
		return d
	}
	for _, n := range expr.AllNodes() {
		if len(operands(n)) > 0 {
			measure(n)
		}
	}
	across, at := map[int]int{}, map[int64]float64{}
	figure := &plot.Plot{Height: 420, XRange: plot.Range{Low: -0.3, High: 4.5},
		YRange: plot.Range{Low: -0.3, High: 4}}
	dots := plot.Curve{Dots: true}
	var rows [][]any
	for _, n := range all {
		d := depth[n.ID()]
		x := float64(across[d]) + float64(d)/2
		if d > 1 {
			x = 0
			for _, o := range operands(n) {
				x += at[o.ID()] / float64(len(operands(n)))
			}
		}
		at[n.ID()] = x
		across[d]++
		dots.X, dots.Y = append(dots.X, x), append(dots.Y, float64(d))
		dots.Texts = append(dots.Texts, label[n.ID()])
		var of []string
		for _, o := range operands(n) {
			of = append(of, label[o.ID()])
			figure.Curves = append(figure.Curves, plot.Curve{X: plot.Values{at[o.ID()], x},
				Y: plot.Values{float64(depth[o.ID()]), float64(d)}})
		}
		operation := "input"
		if n.Op() != nil {
			operation = "operation"
		}
		rows = append(rows, []any{label[n.ID()], operation, strings.Join(of, ", "),
			fmt.Sprint(n.Shape())})
	}
	figure.Curves = append(figure.Curves, dots)
	return figure, rows
}

// name is what a node is called in the picture.
func name(n *gorgonia.Node) string {
	if n.Op() == nil {
		return n.Name()
	}
	s := fmt.Sprint(n.Op())
	if i := strings.IndexAny(s, "{( "); i > 0 {
		s = s[:i]
	}
	return s
}

// model is a graph of a training step: the loss and the gradients of all parameters.
type model struct {
	Loss   *nodes.Node
	Grads  []*nodes.Node
	x, len *nodes.Node
}

// build makes a training step of sequences [T, B, H], of an LSTM or another cell with H units.
func build(s unroll.Strategy, T, B, H int, cell func(s *nodes.Scope) cells.Cell) (m model,
	err error) {
	return buildIn(nodes.Float64, s, T, B, H, cell, false)
}

func buildIn(dtype tensor.Dtype, s unroll.Strategy, T, B, H int,
	cell func(s *nodes.Scope) cells.Cell,
	lengths bool) (m model, err error) {
	if cell == nil {
		cell = func(s *nodes.Scope) cells.Cell {
			return cells.NewLSTM(s, cells.LSTMConfig{In: H,
				Hidden: H})
		}
	}
	err = nodes.Try(func() {
		store := nodes.NewStore(dtype, 1)
		layer := unroll.Over(cell(store.Root()))
		g := nodes.NewGraph(nodes.Options{Dtype: dtype})
		m.x = g.Input("x", T, B, H)
		o := unroll.Options{Strategy: s}
		if lengths {
			m.len = g.IntInput("lengths", B)
			o.Lengths = m.len
		}
		m.Loss = nodes.Mean(nodes.Square(layer.Unroll(m.x, nil, o).Y()))
		var of []nodes.Operand
		for _, p := range store.Params() {
			of = append(of, p)
		}
		m.Grads = g.Gradients(m.Loss, of...)
	})
	if err != nil {
		return m, err
	}
	var in run.Inputs
	xs := in.Floats(m.x)
	var ls []int
	if lengths {
		ls = in.Ints(m.len)
	}
	if err := in.Err(); err != nil {
		return m, err
	}
	r := rand.New(rand.NewPCG(1, 15))
	for i := range xs.Len() {
		xs.Set(i, r.NormFloat64())
	}
	for i := range ls { // sorted, from all steps down to a quarter
		ls[i] = T - i*3*T/(4*len(ls))
	}
	return m, nil
}

func (m model) compile(options ...graph.Option) (*run.Step, error) {
	return run.New(append([]*nodes.Node{m.Loss}, m.Grads...), append(options, graph.Workers(1))...)
}

// way is one layout on one machine.
type way struct {
	Layout, Machine   string
	Nodes             int
	Compile, Run, Off float64 // milliseconds; of the size of the gradients
}

// machine is Gorgonia's own, and the engine.
type machine interface {
	RunAll() error
	Reset()
	Close() error
}

// fourWays is Expand and Scan on Gorgonia's own machine and on the engine.
func fourWays(p *course.Page) (out []way, err error) {
	var first [][]float64
	for _, s := range []unroll.Strategy{unroll.Expand, unroll.Scan} {
		for _, name := range []string{"Gorgonia's", "the engine"} {
			m, err := build(s, 16, 8, 32, nil)
			if err != nil {
				return nil, err
			}
			w := way{Layout: s.String(), Machine: name,
				Nodes: len(m.Loss.Graph().Expr().AllNodes()), Run: math.Inf(1)}
			start := time.Now()
			var vm machine
			if name == "the engine" {
				keep := []*gorgonia.Node{m.Loss.Gorgonia()}
				for _, g := range m.Grads {
					keep = append(keep, g.Gorgonia())
				}
				vm, err = graph.Compile(m.Loss.Graph().Expr(), graph.Keep(keep...),
					graph.Workers(1))
			} else {
				vm = gorgonia.NewTapeMachine(m.Loss.Graph().Expr())
			}
			if err != nil {
				return nil, err
			}
			w.Compile = milliseconds(start)
			for range course.Pick(p, 2, 400, 400) {
				start := time.Now()
				if err := vm.RunAll(); err != nil {
					return nil, errors.Join(err, vm.Close())
				}
				w.Run = min(w.Run, milliseconds(start))
				var grads [][]float64
				for _, g := range m.Grads {
					grads = append(grads, slices.Clone(g.Gorgonia().Value().Data().([]float64)))
				}
				if first == nil {
					first = grads
				}
				w.Off = apart(grads, first)
				vm.Reset()
			}
			if err := vm.Close(); err != nil {
				return nil, err
			}
			p.Progress("%s on %s: %.1f ms", w.Layout, name, w.Run)
			out = append(out, w)
		}
	}
	return out, nil
}

func milliseconds(since time.Time) float64 { return float64(time.Since(since).Microseconds()) / 1000 }

// apart is the largest difference of gradients, of the largest of each.
func apart(a, b [][]float64) (worst float64) {
	for i := range a {
		size, d := 0.0, 0.0
		for j, v := range a[i] {
			size, d = max(size, math.Abs(b[i][j])), max(d, math.Abs(v-b[i][j]))
		}
		worst = max(worst, d/size)
	}
	return worst
}

// without is what a training step takes without a pass, in each case.
type without struct {
	Pass   string
	Time   []float64 // least of many, milliseconds
	Memory int       // of the first case
}

// cases are the training steps that are timed. In the first, sequences have many lengths.
var cases = []struct {
	Name    string
	T, B, H int
	Lengths bool
}{
	{"32 rows, 64 units", 32, 32, 64, true},
	{"4 rows, 16 units", 32, 4, 16, false},
}

// does says what each pass does.
var does = map[graph.Pass]string{
	graph.PassHoist:      "one product for all steps, where it can be",
	graph.PassPull:       "element-wise work of a loop is done in it",
	graph.PassAccumulate: "products are added to a sum in place",
	graph.PassSlice:      "gates are cut out before the functions, not behind",
	graph.PassGates:      "one product for each gate that is read alone",
	graph.PassSkip:       "sequences that have ended are left out",
	graph.PassFuse:       "functions in one pass over memory",
	graph.PassPack:       "weights are laid out once for all products",
}

func measure(p *course.Page) (out []without, err error) {
	ways := append([]graph.Pass{""}, graph.Passes()...)
	for _, w := range ways {
		out = append(out, without{Pass: cmp.Or(string(w), "—")})
	}
	out = append(out, without{Pass: "all"})
	for k, c := range cases {
		var steps []*run.Step
		for i := range out {
			m, err := buildIn(nodes.Float32, unroll.Scan, c.T, c.B, c.H, nil, c.Lengths)
			if err != nil {
				return nil, err
			}
			off := graph.Without(graph.Passes()...)
			if i < len(ways) {
				off = graph.Without(slices.DeleteFunc([]graph.Pass{ways[i]},
					func(q graph.Pass) bool { return q == "" })...)
			}
			step, err := m.compile(off)
			if err != nil {
				return nil, err
			}
			defer step.Close()
			steps = append(steps, step)
			out[i].Time = append(out[i].Time, math.Inf(1))
			if k == 0 {
				out[i].Memory = step.Machine().Memory()
			}
		}
		for round := range course.Pick(p, 2, 200, 500) {
			for i, step := range steps {
				start := time.Now()
				if err := step.Run(1, round); err != nil {
					return nil, err
				}
				out[i].Time[k] = min(out[i].Time[k], milliseconds(start))
			}
			if p.Context().Err() != nil {
				return nil, p.Context().Err()
			}
		}
	}
	return out, nil
}
