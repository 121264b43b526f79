package graph_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/owncells"
	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
)

// model is a graph with the nodes that a test compares: a loss, outputs and gradients.
type model struct {
	g    *nodes.Graph
	keep []*gorgonia.Node
}

// outcome compiles and runs a model, twice, and gives the values of its nodes.
func (m model) outcome(t require.TestingT, opts ...graph.Option) [][]float64 {
	vm, err := graph.Compile(m.g.Expr(), append(opts, graph.Keep(m.keep...))...)
	require.NoError(t, err)
	defer vm.Close()
	require.NoError(t, vm.RunAll())
	require.NoError(t, vm.RunAll())
	var out [][]float64
	for _, n := range m.keep {
		out = append(out, testkit.Floats(n.Value()))
	}
	return out
}

// requireSame holds values against the oracle's, relative to the largest of a tensor.
func requireSame(t require.TestingT, want, got [][]float64, tol float64, what string) {
	require.Equal(t, len(want), len(got))
	for i := range want {
		require.Equal(t, len(want[i]), len(got[i]))
		top := 1e-3
		for _, v := range want[i] {
			top = max(top, math.Abs(v))
		}
		for k := range want[i] {
			if math.Abs(want[i][k]-got[i][k]) > tol*top ||
				math.IsNaN(got[i][k]) != math.IsNaN(want[i][k]) {
				require.FailNow(t, "differs from the plain run",
					"%s: value %d, element %d: want %v, got %v", what, i, k, want[i][k], got[i][k])
			}
		}
	}
}

// requireBits holds values to others, to the bit; all NaNs are one.
func requireBits(t require.TestingT, want, got [][]float64, what string) {
	require.Equal(t, len(want), len(got))
	for i := range want {
		require.Equal(t, len(want[i]), len(got[i]))
		for k, w := range want[i] {
			if g := got[i][k]; w != g && !(math.IsNaN(w) && math.IsNaN(g)) {
				require.FailNow(t, "differs", "%s: value %d, element %d: want %v, got %v", what, i,
					k, w, g)
			}
		}
	}
}

// random binds numbers in [−1, 1) to an input.
func random(t require.TestingT, r *rand.Rand, n *nodes.Node) {
	size := 1
	for _, d := range n.Shape() {
		size *= d
	}
	v := tensor.New(tensor.WithShape(n.Shape()...), tensor.Of(n.Dtype()))
	for i := range size {
		if n.Dtype() == nodes.Float32 {
			v.Data().([]float32)[i] = float32(2*r.Float64() - 1)
		} else {
			v.Data().([]float64)[i] = 2*r.Float64() - 1
		}
	}
	require.NoError(t, gorgonia.Let(n.Gorgonia(), v))
}

func bindInts(t require.TestingT, n *nodes.Node, v []int) {
	require.NoError(t, gorgonia.Let(n.Gorgonia(), tensor.New(tensor.WithShape(n.Shape()...),
		tensor.WithBacking(v))))
}

// simple is a cell of a user's own (SRU; Lei et al., 2018): all its products are of x, and the
// gates look at the last state element by element, so that everything but a few products of
// elements can be taken out of the loop.
type simple struct {
	hidden     int
	w, v, b, p *nodes.Param
}

func (c *simple) Parts() []cells.Part {
	return []cells.Part{{Name: "h", Width: c.hidden}, {Name: "c", Width: c.hidden}}
}

func (c *simple) Step(x *nodes.Node, s cells.State) cells.State {
	m := s[1]
	parts := nodes.Split(nodes.MatMul(x, c.w), 3, -1)
	v, b := nodes.Split(x.Graph().Param(c.v), 2, -1), nodes.Split(x.Graph().Param(c.b), 2, -1)
	f := nodes.Sigmoid(nodes.Add(parts[1], nodes.Mul(m, v[0]), b[0]))
	r := nodes.Sigmoid(nodes.Add(parts[2], nodes.Mul(m, v[1]), b[1]))
	m = nodes.Add(nodes.Mul(f, m), nodes.Mul(nodes.OneMinus(f), parts[0]))
	return cells.State{nodes.Add(nodes.Mul(r, m), nodes.Mul(nodes.OneMinus(r),
		nodes.MatMul(x, c.p))), m}
}

// attentive reads the whole input at every step, weighted by how it fits its state: products of
// stacks, a softmax, sums.
type attentive struct {
	hidden int
	memory *nodes.Node // [B, S, H]
	w, u   *nodes.Param
}

func (a *attentive) Parts() []cells.Part { return []cells.Part{{Name: "h", Width: a.hidden}} }

func (a *attentive) Step(x *nodes.Node, s cells.State) cells.State {
	h := s[0]
	b := a.memory.Dim(0)
	scores := nodes.MatMulT(nodes.Reshape(h, b, 1, a.hidden), a.memory) // [B, 1, S]
	weights := nodes.Softmax(scores)
	read := nodes.Reshape(nodes.MatMul(weights, a.memory), b, a.hidden)
	return cells.State{nodes.Tanh(nodes.Add(nodes.MatMul(x, a.w), nodes.MatMul(read, a.u), h))}
}

// hiddenRate is a rate of variational dropout of the state, 0 for a kind of cell that multiplies
// its state by no matrix, around which the wrapper refuses it.
func hiddenRate(kind string, rate float64) float64 {
	if kind == "independent" || kind == "simple" {
		return 0
	}
	return rate
}

// drawnModel is what a drawn model is made of.
type drawnModel struct {
	T, B, I, H    int
	kind          string // of cell
	layers        int
	bidirectional bool
	options       unroll.Options
	lengths       bool // sequences end before T
	embed         bool // x are ids
	zoneout       bool
	variational   bool
	final         bool // the loss reads the final state
	given         bool // the initial state is an input
	dtype         tensor.Dtype

	t *rapid.T
	r *rand.Rand
	model
	wrt    []nodes.Operand
	memory *nodes.Node // of cells that attend
}

// draw builds a random recurrent model.
func draw(t *rapid.T) (model, string) {
	size := rapid.SampledFrom([]int{1, 2, 3, 5, 7, 16, 17})
	yes := func(what string) bool { return rapid.Bool().Draw(t, what) }
	d := &drawnModel{t: t, T: size.Draw(t, "T"), B: size.Draw(t, "B"), I: size.Draw(t, "I"),
		H: size.Draw(t, "H"),
		kind: rapid.SampledFrom([]string{"rnn", "relu", "gru", "gru before", "lstm",
			"lstm diagonal", "lstm full", "lstm coupled", "lstm projected", "lstm norm",
			"lstm norm each", "mgu", "independent", "simple", "attentive"}).Draw(t, "cell"),
		layers: rapid.IntRange(1, 2).Draw(t, "layers"), bidirectional: yes("bidirectional"),
		options: unroll.Options{Reverse: yes("reverse")}, lengths: yes("lengths"),
		embed: yes("embed"), zoneout: yes("zoneout"), variational: yes("variational"),
		final: yes("final"), given: yes("given state"), dtype: nodes.Float64}
	if yes("float32") {
		d.dtype = nodes.Float32
	}
	if yes("expand") && d.T < 8 {
		d.options.Strategy = unroll.Expand
	}
	d.options.Recompute = rapid.SampledFrom([]int{0, 0, unroll.SqrtT, 1, 2, 3,
		5}).Draw(t, "recompute")
	d.r = rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	require.NoError(t, nodes.Try(d.build))
	return d.model, fmt.Sprintf("%s T=%d B=%d I=%d H=%d %v recompute=%d", d.kind, d.T, d.B, d.I,
		d.H, d.dtype, d.options.Recompute)
}

// build makes the loss and its gradients.
func (d *drawnModel) build() {
	store := nodes.NewStore(d.dtype, d.r.Uint64())
	d.g = nodes.NewGraph(nodes.Options{Dtype: d.dtype, Training: true})
	x := d.x(store)
	d.memory = d.g.Input("memory", d.B, 4, d.H)
	random(d.t, d.r, d.memory)
	if d.kind == "attentive" {
		d.wrt = append(d.wrt, d.memory)
	}
	if d.lengths {
		d.options.Lengths = d.g.IntInput("lengths", d.B)
		v := make([]int, d.B)
		for i := range v {
			v[i] = d.r.IntN(d.T + 1)
		}
		bindInts(d.t, d.options.Lengths, v)
	}
	stack := d.stack(store)
	var init cells.State
	if d.given {
		for i, p := range stack.Parts() {
			s := d.g.Input(fmt.Sprintf("init %d", i), d.B, p.Width)
			random(d.t, d.r, s)
			init, d.wrt = append(init, s), append(d.wrt, s)
		}
	}
	res := stack.Unroll(x, init, d.options)
	loss := nodes.Mean(nodes.Square(res.Y()))
	if d.final {
		for _, s := range res.Final() {
			loss = nodes.Add(loss, nodes.Mean(nodes.Tanh(s)))
		}
	}
	for _, p := range store.Params() {
		d.wrt = append(d.wrt, p)
	}
	d.keep = append(d.keep, loss.Gorgonia(), res.Y().Gorgonia())
	for _, dx := range d.g.Gradients(loss, d.wrt...) {
		d.keep = append(d.keep, dx.Gorgonia())
	}
}

// x is the input of the lowest layer [T, B, I].
func (d *drawnModel) x(store *nodes.Store) *nodes.Node {
	if !d.embed {
		x := d.g.Input("x", d.T, d.B, d.I)
		random(d.t, d.r, x)
		d.wrt = append(d.wrt, x)
		return x
	}
	ids := d.g.IntInput("ids", d.T, d.B)
	v := make([]int, d.T*d.B)
	for i := range v {
		v[i] = d.r.IntN(11)
	}
	bindInts(d.t, ids, v)
	return nodes.Embedding(store.Root().Param("E", nodes.Normal(0, 1), 11, d.I), ids,
		d.r.IntN(3)-1)
}

func (d *drawnModel) stack(store *nodes.Store) unroll.Stack {
	cell := func(s *nodes.Scope, in int) unroll.Layer {
		c := newCell(s, d.kind, in, d.H, d.memory)
		if d.zoneout {
			c = cells.Zoneout{Cell: c, Rates: []float64{0.3}}
		}
		if d.variational {
			c = cells.Variational{Cell: c, Input: 0.2, Hidden: hiddenRate(d.kind, 0.4)}
		}
		return unroll.Over(c)
	}
	stack := unroll.Stack{Dropout: 0.25}
	in := d.I
	for i := range d.layers {
		l := cell(store.Root().In("l%d", i), in)
		if d.bidirectional {
			l = unroll.Bidirectional{Forward: l, Backward: cell(store.Root().In("b%d", i), in)}
		}
		stack.Layers = append(stack.Layers, l)
		in = l.Width()
	}
	return stack
}

func newCell(s *nodes.Scope, kind string, in, hidden int, memory *nodes.Node) cells.Cell {
	l := cells.LSTMConfig{In: in, Hidden: hidden}
	switch kind {
	case "rnn":
		return cells.NewRNN(s, cells.RNNConfig{In: in, Hidden: hidden})
	case "relu":
		return cells.NewRNN(s, cells.RNNConfig{In: in, Hidden: hidden, Activation: cells.ReLU})
	case "gru", "gru before":
		return cells.NewGRU(s, cells.GRUConfig{In: in, Hidden: hidden,
			ResetBefore: kind == "gru before"})
	case "mgu":
		return owncells.NewMinimalGatedUnit(s, in, hidden)
	case "independent":
		return owncells.NewIndependent(s, in, hidden, nodes.Softplus)
	case "simple":
		return &simple{hidden, s.Param("W", nodes.Normal(0, 0.5), in, 3*hidden),
			s.Param("v", nodes.Normal(0, 0.5), 2*hidden),
			s.Param("b", nodes.Zeros(), 2*hidden), s.Param("W_p", nodes.Normal(0, 0.5), in, hidden)}
	case "attentive":
		return &attentive{hidden, memory, s.Param("W", nodes.Normal(0, 0.5), in, hidden),
			s.Param("U", nodes.Normal(0, 0.5), hidden, hidden)}
	case "lstm diagonal":
		l.Peephole = cells.Diagonal
	case "lstm full":
		l.Peephole = cells.Full
	case "lstm coupled":
		l.Coupled = true
	case "lstm projected":
		l.Projection = 2
	case "lstm norm":
		l.LayerNorm = cells.NormGates
	case "lstm norm each":
		l.LayerNorm = cells.NormGate
	}
	return cells.NewLSTM(s, l)
}

func TestRecurrentModelsAgainstPlain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, what := draw(t)
		tol := 1e-10
		if m.g.Dtype() == nodes.Float32 {
			if tol = 3e-4; strings.HasPrefix(what, "lstm norm") {
				// a normalisation of two numbers that are nearly equal magnifies rounding errors
				tol = 1e-2
			}
		}
		want := m.outcome(t, graph.Plain())
		got := m.outcome(t, graph.Workers(1))
		requireSame(t, want, got, tol, what)
		share := rapid.SampledFrom([]graph.Sharing{graph.ShareAuto, graph.ShareRows,
			graph.ShareOperations}).Draw(t, "share")
		for _, n := range []int{2, 3} {
			requireBits(t, got, m.outcome(t, graph.Workers(n), graph.Share(share),
				graph.ShareAll()), fmt.Sprintf("%s: %d workers", what, n))
		}
		off := rapid.SampledFrom(graph.Passes()).Draw(t, "off")
		requireSame(t, want, m.outcome(t, graph.Without(off)), tol, what+" without "+string(off))
		requireSame(t, want, m.outcome(t, graph.Without(graph.Passes()...)), tol,
			what+" without passes")
	})
}
