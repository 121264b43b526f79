package cells_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/rng"
)

// size is one row of the tables that every cell is tested over: batch, input width, hidden width.
type size struct{ B, In, H int }

var sizes = []size{{1, 1, 1}, {1, 3, 2}, {2, 1, 1}, {3, 2, 1}, {2, 1, 5}, {4, 7, 3}}

func (s size) String() string { return fmt.Sprintf("B=%d,In=%d,H=%d", s.B, s.In, s.H) }

// build makes a cell in a scope. A mistake in it fails the test.
type build func(s *nodes.Scope) cells.Cell

// oneStep is one step of a cell, built into a graph with its inputs bound to random numbers. All of
// its parameters are random too: an initial bias or peephole of 0 would hide that it is not used.
type oneStep struct {
	store *nodes.Store
	cell  cells.Cell
	g     *nodes.Graph
	x     *nodes.Node
	state cells.State
	next  cells.State
	loss  *nodes.Node
	wrt   []nodes.Operand // parameters, x, parts of the state
	names []string        // of wrt
	grads []*nodes.Node
}

func newStep(t *testing.T, dtype tensor.Dtype, batch, in int, training bool,
	newCell build) *oneStep {
	t.Helper()
	o := &oneStep{store: nodes.NewStore(dtype, 1)}
	require.NoError(t, nodes.Try(func() {
		o.cell = newCell(o.store.Root().In("cell"))
		o.g = nodes.NewGraph(nodes.Options{Dtype: dtype, Training: training})
		for _, p := range o.store.Params() {
			randomise(p.Value(), p.Name())
			o.wrt, o.names = append(o.wrt, p), append(o.names, p.Name())
		}
		o.x = randomInput(o.g, "x", batch, in)
		o.wrt, o.names = append(o.wrt, o.x), append(o.names, "x")
		for i, part := range o.cell.Parts() {
			name := fmt.Sprintf("state %d", i)
			n := randomInput(o.g, name, batch, part.Width)
			o.state = append(o.state, n)
			o.wrt, o.names = append(o.wrt, n), append(o.names, name)
		}
		o.next = cells.Advance(o.cell, o.x, o.state)
		// Random weights on every element of every part, so that no two errors of a gradient
		// cancel.
		o.loss = o.g.Const(0)
		for i, n := range o.next {
			probe := randomInput(o.g, fmt.Sprintf("probe %d", i), n.Shape()...)
			o.loss = nodes.Add(o.loss, nodes.Sum(nodes.Mul(probe, n)))
		}
		o.grads = o.g.Gradients(o.loss, o.wrt...)
	}))
	return o
}

// randomise fills v with normal numbers that float32 holds exactly, a function of name alone.
func randomise(v *tensor.Dense, name string) {
	key := rng.New(7).Named(name)
	number := func(i int) float32 { return float32(0.8 * key.Normal(uint64(i))) }
	switch d := v.Data().(type) {
	case []float32:
		for i := range d {
			d[i] = number(i)
		}
	case []float64:
		for i := range d {
			d[i] = float64(number(i))
		}
	}
}

func randomInput(g *nodes.Graph, name string, shape ...int) *nodes.Node {
	n := g.Input(name, shape...)
	v := tensor.New(tensor.Of(g.Dtype()), tensor.WithShape(shape...))
	randomise(v, name)
	if err := gorgonia.Let(n.Gorgonia(), v); err != nil {
		panic(err)
	}
	return n
}

// run compiles the graph for the nodes in want and runs it once.
func (o *oneStep) run(t *testing.T, want ...*nodes.Node) *graph.Machine {
	t.Helper()
	m := compile(t, o.g, want...)
	require.NoError(t, m.RunAll())
	return m
}

func compile(t *testing.T, g *nodes.Graph, want ...*nodes.Node) *graph.Machine {
	t.Helper()
	var keep []*gorgonia.Node
	for _, n := range want {
		keep = append(keep, n.Gorgonia())
	}
	m, err := graph.Compile(g.Expr(), graph.Keep(keep...))
	require.NoError(t, err)
	return m
}

// weights are the parameters of a cell as plain numbers, for the oracles.
type weights struct{ store *nodes.Store }

// at is element [i, j] of a matrix, or j of a vector with i = 0. A parameter that the cell lacks is
// 0.
func (w weights) at(name string, i, j int) float64 {
	p, ok := w.store.Get("cell/" + name)
	if !ok {
		return 0
	}
	shape := p.Shape()
	return p.Value().Data().([]float64)[i*shape[len(shape)-1]+j]
}

// row is Σ_i x[i]·W[i, j].
func (w weights) row(x []float64, name string, j int) (sum float64) {
	for i := range x {
		sum += x[i] * w.at(name, i, j)
	}
	return sum
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// requireOracle compares one step in float64 with a loop over the rows of the batch.
func requireOracle(t *testing.T, o *oneStep, oracle func(w weights, x []float64,
	s [][]float64) [][]float64) {
	t.Helper()
	o.run(t, o.next...)
	rows := func(n *nodes.Node, b int) []float64 {
		width := n.Dim(1)
		return testkit.Floats(n.Value())[b*width : (b+1)*width]
	}
	for b := range o.x.Dim(0) {
		var s [][]float64
		for _, n := range o.state {
			s = append(s, rows(n, b))
		}
		want := oracle(weights{o.store}, rows(o.x, b), s)
		require.Len(t, o.next, len(want))
		for i, part := range o.cell.Parts() {
			testkit.RequireClose(t, want[i], rows(o.next[i], b), 1e-12,
				fmt.Sprintf("row %d of %s", b, part.Name))
		}
	}
}

// requireGradients compares every derivative in float64 with differences of fourth order, and
// float32 with float64.
func requireGradients(t *testing.T, batch, in int, training bool, newCell build) {
	t.Helper()
	o := newStep(t, nodes.Float64, batch, in, training, newCell)
	m := o.run(t, append(o.grads, o.loss)...)
	exact := allFloats(o.grads)
	for k, x := range o.wrt {
		data := leaf(x).Data().([]float64)
		got := exact[k]
		for i, at := range data {
			const h = 1e-4
			loss := func(v float64) float64 {
				data[i] = v
				require.NoError(t, m.RunAll())
				return testkit.Floats(o.loss.Value())[0]
			}
			want := (8*(loss(at+h)-loss(at-h)) - (loss(at+2*h) - loss(at-2*h))) / (12 * h)
			data[i] = at
			require.InDeltaf(t, want, got[i], 1e-8*max(1, math.Abs(want)), "dL/d(%s)[%d]",
				o.names[k], i)
		}
	}

	single := newStep(t, nodes.Float32, batch, in, training, newCell)
	single.run(t, append(append([]*nodes.Node{}, single.grads...), single.next...)...)
	o.run(t, o.next...)
	for i := range o.next {
		testkit.RequireClose(t, testkit.Floats(o.next[i].Value()),
			testkit.Floats(single.next[i].Value()), 1e-5, "float32 value")
	}
	for k := range exact {
		testkit.RequireClose(t, exact[k], testkit.Floats(single.grads[k].Value()), 1e-4,
			"float32 dL/d("+o.names[k]+")")
	}
}

func allFloats(ns []*nodes.Node) [][]float64 {
	var out [][]float64
	for _, n := range ns {
		out = append(out, testkit.Floats(n.Value()))
	}
	return out
}

// leaf is the tensor behind a parameter or an input.
func leaf(x nodes.Operand) *tensor.Dense {
	if p, ok := x.(*nodes.Param); ok {
		return p.Value()
	}
	return x.(*nodes.Node).Value().(*tensor.Dense)
}
