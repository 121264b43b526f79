package unroll_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/owncells"
	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
)

// zoo are the cells that the property tests draw from; each has an output of the given width.
var zoo = map[string]func(s *nodes.Scope, in, out int) cells.Cell{
	"rnn": func(s *nodes.Scope, in, out int) cells.Cell {
		return cells.NewRNN(s, cells.RNNConfig{In: in, Hidden: out})
	},
	"rnn relu": func(s *nodes.Scope, in, out int) cells.Cell {
		return cells.NewRNN(s, cells.RNNConfig{In: in, Hidden: out, Activation: cells.ReLU,
			NoBias: true})
	},
	"lstm": func(s *nodes.Scope, in, out int) cells.Cell {
		return cells.NewLSTM(s, cells.LSTMConfig{In: in, Hidden: out})
	},
	"lstm projection": func(s *nodes.Scope, in, out int) cells.Cell {
		return cells.NewLSTM(s, cells.LSTMConfig{In: in, Hidden: out + 1, Projection: out,
			Coupled: true, Peephole: cells.Full})
	},
	"lstm norm": func(s *nodes.Scope, in, out int) cells.Cell {
		// The larger ε keeps the gradients of narrow layers of a size that float32 can follow.
		return cells.NewLSTM(s, cells.LSTMConfig{In: in, Hidden: out, LayerNorm: cells.NormGate,
			Peephole: cells.Diagonal, NormEps: 0.1})
	},
	"gru": func(s *nodes.Scope, in, out int) cells.Cell {
		return cells.NewGRU(s, cells.GRUConfig{In: in, Hidden: out})
	},
	"gru before": func(s *nodes.Scope, in, out int) cells.Cell {
		return cells.NewGRU(s, cells.GRUConfig{In: in, Hidden: out, ResetBefore: true})
	},
	"indrnn bounded": func(s *nodes.Scope, in, out int) cells.Cell { // u within ±1.0000001
		return cells.IndRNNConfig{In: in, Hidden: out, Bounded: true, Steps: 1e7}.New(s)
	},
	"ssm": func(s *nodes.Scope, in, out int) cells.Cell {
		return cells.SSMConfig{In: in, Hidden: out, Units: 2}.New(s)
	},
	"convlstm": func(s *nodes.Scope, in, out int) cells.Cell {
		if in%2 == 0 && out%2 == 0 {
			return cells.ConvLSTMConfig{In: in, Hidden: out, Width: 2, Peephole: true}.New(s)
		}
		return cells.ConvLSTMConfig{In: in, Hidden: out}.New(s)
	},
	"independent": func(s *nodes.Scope, in, out int) cells.Cell {
		return owncells.NewIndependent(s, in, out, nodes.ReLU)
	},
}

// init adds every registered cell that is not there under a setting of its own.
func init() {
	for _, name := range cells.Registered() {
		if zoo[name] != nil {
			continue
		}
		zoo[name] = func(s *nodes.Scope, in, out int) cells.Cell {
			cfg, err := cells.Parse(name)
			if err != nil {
				panic(err)
			}
			return cfg.Sized(in, out).New(s)
		}
	}
}

// multipliesState reports whether a wrapper of the products with the state has something to do.
func multipliesState(s *nodes.Scope, c cells.Cell, in int) bool {
	return nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{Dtype: s.Dtype(), Training: true})
		dropped := cells.WeightDrop{Cell: c, P: 0.5}
		cells.Advance(dropped, g.Input("x", 1, in), cells.Zero(g, dropped, 1))
	}) == nil
}

// layerSpec describes a layer; exactly one of its three kinds is set.
type layerSpec struct {
	Cell        string // of zoo
	Zoneout     []float64
	Variational []float64 // of input and hidden
	WeightDrop  float64
	Norm        bool

	Both  []layerSpec // directions
	Merge unroll.Merge

	Stack    []layerSpec
	Dropout  float64
	Residual bool
}

func (l layerSpec) build(s *nodes.Scope, in, out int) unroll.Layer {
	switch {
	case l.Both != nil:
		return unroll.Bidirectional{
			Forward:  l.Both[0].build(s.In("forward"), in, out),
			Backward: l.Both[1].build(s.In("backward"), in, out), Merge: l.Merge,
		}
	case l.Stack != nil:
		stack := unroll.Stack{Dropout: l.Dropout, Residual: l.Residual}
		for i, spec := range l.Stack {
			layer := spec.build(s.In("l%d", i), in, out)
			stack.Layers, in = append(stack.Layers, layer), layer.Width()
		}
		return stack
	}
	c := zoo[l.Cell](s, in, out)
	if l.Norm { // a larger ε, as above
		c = cells.NewLayerNormed(s.In("norm"), c, in, 0.1)
	}
	free := !multipliesState(s, c, in)
	if l.WeightDrop > 0 && !free {
		c = cells.WeightDrop{Cell: c, P: l.WeightDrop}
	}
	if l.Variational != nil {
		v := cells.Variational{Cell: c, Input: l.Variational[0], Hidden: l.Variational[1]}
		if free {
			v.Hidden = 0
		}
		c = v
	}
	if l.Zoneout != nil {
		c = cells.Zoneout{Cell: c, Rates: l.Zoneout[:min(len(l.Zoneout), len(c.Parts()))]}
	}
	return over(c)
}

// hasDirections reports whether a layer is or holds a bidirectional one.
func (l layerSpec) hasDirections() bool {
	for _, k := range l.Stack {
		if k.hasDirections() {
			return true
		}
	}
	return l.Both != nil
}

// problem is a layer, the sequence that it runs over, and what of its result enters the loss.
type problem struct {
	Layer         layerSpec
	T, B, In, Out int
	Reverse       bool
	Cut           int   // of the options
	Lengths       []int // nil: none given
	Init          bool  // an initial state is given
	StateAt       int   // a time whose state enters the loss, or −1
	Training      bool
	Generator     bool // noise from the library's generator, not given (and no reference then)
	// Behind is what x holds behind the ends of the sequences, and the initial state for those of
	// length 0; 0: numbers like all others.
	Behind float64
}

// bounded are cells whose gradients float32 can follow from any state.
var bounded = []string{"rnn", "rnn relu", "lstm", "lstm projection", "lstm norm", "gru", "gru before",
	"independent"}

// drawProblem draws a problem of layers of some of the cells.
func drawProblem(t *rapid.T, of []string) problem {
	size := rapid.IntRange(1, 7)
	chance := func(label string) bool { return rapid.Bool().Draw(t, label) }
	rate := rapid.SampledFrom([]float64{0, 0.25, 0.5, 0.8})
	names := rapid.SampledFrom(of)
	cell := func() layerSpec {
		l := layerSpec{Cell: names.Draw(t, "cell")}
		if chance("zoneout") {
			l.Zoneout = []float64{rate.Draw(t, "rate"), rate.Draw(t, "rate")}
		}
		if chance("variational") {
			l.Variational = []float64{rate.Draw(t, "input"), rate.Draw(t, "hidden")}
		}
		if chance("weight drop") {
			l.WeightDrop = rate.Draw(t, "dropped")
		}
		l.Norm = chance("norm")
		return l
	}
	layer := func(merges ...unroll.Merge) layerSpec {
		if chance("bidirectional") {
			return layerSpec{Both: []layerSpec{cell(), cell()},
				Merge: rapid.SampledFrom(merges).Draw(t, "merge")}
		}
		return cell()
	}
	p := problem{
		T: size.Draw(t, "T"), B: rapid.IntRange(1, 4).Draw(t, "B"), In: size.Draw(t, "In"),
		Out:     rapid.IntRange(1, 5).Draw(t, "Out"),
		Reverse: chance("reverse"), Init: chance("init"), Training: chance("training"),
		Generator: chance("generator"), StateAt: -1,
	}
	if chance("stack") {
		l := layerSpec{Dropout: rate.Draw(t, "dropout"), Residual: chance("residual")}
		merges := []unroll.Merge{unroll.Sum, unroll.Mean, unroll.Product}
		if !l.Residual {
			merges = append(merges, unroll.Concat)
		}
		for range rapid.IntRange(1, 3).Draw(t, "layers") {
			l.Stack = append(l.Stack, layer(merges...))
		}
		p.Layer = l
	} else {
		p.Layer = layer(unroll.Concat, "", unroll.Sum, unroll.Mean, unroll.Product)
	}
	p.Cut = max(0, rapid.IntRange(-4, 8).Draw(t, "cut"))
	if chance("lengths") {
		p.Lengths = rapid.SliceOfN(rapid.IntRange(0, p.T), p.B, p.B).Draw(t, "lengths")
	}
	if !p.Layer.hasDirections() {
		p.StateAt = rapid.IntRange(-1, p.T-1).Draw(t, "state at")
	}
	return p
}

// setting is a problem's layer and parameters, built once for all graphs.
type setting struct {
	problem
	store *nodes.Store
	layer unroll.Layer
}

func (p problem) setting(t testkit.T, dtype tensor.Dtype) setting {
	s := setting{problem: p, store: nodes.NewStore(dtype, 1)}
	try(t, func() { s.layer = p.Layer.build(s.store.Root(), p.In, p.Out) })
	randomise(s.store)
	return s
}

// sequence is x.
func (p problem) sequence() []float64 {
	x := numbers("x", p.T*p.B*p.In)
	for i := range x {
		if t, b := i/p.In/p.B, i/p.In%p.B; p.Behind != 0 && t >= p.Lengths[b] {
			x[i] = p.Behind
		}
	}
	return x
}

// state is a part of the initial state.
func (p problem) state(name string, width int) []float64 {
	s := numbers(name, p.B*width)
	for i := range s {
		if p.Behind != 0 && p.Lengths[i/width] == 0 {
			s[i] = p.Behind
		}
	}
	return s
}

// named is a value under the name that a failure reports.
type named struct {
	name  string
	value []float64
}

// run unrolls one way and returns outputs, final states, the state asked for, and all gradients.
func (s setting) run(t testkit.T, strategy unroll.Strategy, on engine) []named {
	t.Helper()
	var want []*nodes.Node
	var names []string
	note := func(name string, n *nodes.Node) { want, names = append(want, n), append(names, name) }
	var g *nodes.Graph
	options := nodes.Options{Dtype: s.store.Dtype(), Training: s.Training}
	if !s.Generator {
		asked := 0
		options.Noise = func(q nodes.NoiseRequest) *nodes.Node {
			asked++
			return input(g, fmt.Sprint("noise ", asked), draw(asked, q.Kind, q.P, product(q.Shape)),
				q.Shape...)
		}
	}
	g = nodes.NewGraph(options)
	try(t, func() {
		gorgonia.Let(g.NoiseKey().Gorgonia(), tensor.New(tensor.WithShape(2),
			tensor.WithBacking([]int{5, 17})))
		x := input(g, "x", s.sequence(), s.T, s.B, s.In)
		wrt := append(operands(s.store), x)
		var init cells.State
		for i, p := range s.layer.Parts() {
			if s.Init {
				name := fmt.Sprint("init ", i)
				n := input(g, name, s.state(name, p.Width), s.B, p.Width)
				init, wrt = append(init, n), append(wrt, n)
			}
		}
		o := unroll.Options{Strategy: strategy, Reverse: s.Reverse, Cut: s.Cut}
		if s.Lengths != nil {
			o.Lengths = ints(g, "lengths", s.Lengths, s.B)
		}
		r := s.layer.Unroll(x, init, o)
		note("y", r.Y())
		for i, n := range r.Final() {
			note(fmt.Sprint("final ", i), n)
		}
		if s.StateAt >= 0 {
			for i, n := range r.StateAt(s.StateAt) {
				note(fmt.Sprint("state ", i), n)
			}
		}
		loss := g.Const(0)
		for i, n := range want {
			loss = nodes.Add(loss, nodes.Sum(nodes.Mul(random(g, "probe "+names[i], n.Shape()...),
				n)))
		}
		for i, d := range g.Gradients(loss, wrt...) {
			name := "x"
			if i > len(s.store.Params()) {
				name = "an initial state"
			}
			if p, ok := wrt[i].(*nodes.Param); ok {
				name = p.Name()
			}
			note("gradient of "+name, d)
		}
	})
	var out []named
	for i, v := range on(t, g, want) {
		out = append(out, named{names[i], v})
	}
	return out
}

// reference is what run must return for outputs and states.
func (s setting) reference(t testkit.T) []named {
	r := &reference{t: t, store: s.store, T: s.T, B: s.B, training: s.Training, lengths: s.Lengths}
	all := numbers("x", s.T*s.B*s.In)
	x := make(seq, s.T)
	for k := range x {
		x[k] = all[k*s.B*s.In : (k+1)*s.B*s.In]
	}
	var init [][]float64
	for i, p := range s.layer.Parts() {
		v := make([]float64, s.B*p.Width)
		if s.Init {
			v = numbers(fmt.Sprint("init ", i), s.B*p.Width)
		}
		init = append(init, v)
	}
	y, final, at := r.layer(s.layer, x, init, s.Reverse)
	out := []named{{name: "y"}}
	for _, v := range y {
		out[0].value = append(out[0].value, v...)
	}
	for i, v := range final {
		out = append(out, named{fmt.Sprint("final ", i), v})
	}
	if s.StateAt >= 0 {
		for i, v := range at[s.StateAt] {
			out = append(out, named{fmt.Sprint("state ", i), v})
		}
	}
	return out
}

func requireSame(t testkit.T, want, got []named, tol float64, what string) {
	t.Helper()
	require.GreaterOrEqual(t, len(got), len(want)) // the reference has no gradients
	for i, w := range want {
		require.Equal(t, w.name, got[i].name)
		testkit.RequireClose(t, w.value, got[i].value, tol, what+": "+w.name)
	}
}

func (p problem) check(t testkit.T, dtype tensor.Dtype, tol float64) {
	t.Helper()
	s := p.setting(t, dtype)
	expand := s.run(t, unroll.Expand, plain)
	requireSame(t, expand, s.run(t, unroll.Scan, plain), tol, "scan, held against expand")
	requireSame(t, expand, s.run(t, unroll.Scan, compiled), tol,
		"compiled scan, held against expand")
	if !p.Generator {
		requireSame(t, s.reference(t), expand, tol, "expand, held against the loop")
	}
}

// The property on which the package stands: Scan, Expand and the plain loop agree, gradients and
// all.
func TestScanEqualsExpandEqualsTheLoop(t *testing.T) {
	t.Run("float64", func(t *testing.T) {
		all := slices.Sorted(maps.Keys(zoo))
		rapid.Check(t, func(t *rapid.T) { drawProblem(t, all).check(t, nodes.Float64, 1e-10) })
	})
	t.Run("float32", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) { drawProblem(t, bounded).check(t, nodes.Float32, 1e-4) })
	})
}
