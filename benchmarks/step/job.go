package main

import (
	"fmt"
	"math"
	"time"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
)

// job is what is timed.
type job struct {
	vm        gorgonia.VM
	step      func() error
	check     func() (loss, gradU float64)
	compileMs float64
}

// mgu is a minimal gated unit (Zhou et al., 2016), a cell of a user's own:
//
//	f  = σ(x·W_f + h·U_f + b)
//	h' = (1 − f)∘h + f∘tanh(x·W_h + (f∘h)·U_h)
type mgu struct {
	hidden         int
	wF, uF, wH, uH *nodes.Param
	b              *nodes.Param
}

func newMGU(s *nodes.Scope, in, hidden int) cells.Cell {
	weight := func(name string, rows int) *nodes.Param { return s.Param(name, nodes.XavierUniform(1), rows, hidden) }
	return &mgu{hidden, weight("W_f", in), weight("U_f", hidden), weight("W_h", in), weight("W_hh", hidden), s.Param("b", nodes.Zeros(), hidden)}
}

func (m *mgu) Parts() []cells.Part { return []cells.Part{{Name: "h", Width: m.hidden}} }

func (m *mgu) Step(x *nodes.Node, s cells.State) cells.State {
	h := s[0]
	f := nodes.Sigmoid(nodes.Add(nodes.MatMul(x, m.wF), nodes.MatMul(h, m.uF), m.b))
	n := nodes.Tanh(nodes.Add(nodes.MatMul(x, m.wH), nodes.MatMul(nodes.Mul(f, h), m.uH)))
	return cells.State{nodes.Add(nodes.Mul(nodes.OneMinus(f), h), nodes.Mul(f, n))}
}

func newCell(s *nodes.Scope, kind string, in, hidden int) (cells.Cell, error) {
	switch kind {
	case "rnn":
		return cells.NewRNN(s, cells.RNNConfig{In: in, Hidden: hidden}), nil
	case "gru":
		return cells.NewGRU(s, cells.GRUConfig{In: in, Hidden: hidden}), nil
	case "lstm":
		return cells.NewLSTM(s, cells.LSTMConfig{In: in, Hidden: hidden}), nil
	case "mgu":
		return newMGU(s, in, hidden), nil
	}
	return nil, fmt.Errorf("no cell %q: want rnn, gru, lstm or mgu", kind)
}

func build(c Config) (*job, error) {
	switch c.Mode {
	case "train", "infer":
		return sequence(c)
	case "generate":
		return generate(c)
	}
	return nil, fmt.Errorf("no mode %q: want train, infer or generate", c.Mode)
}

// load fills the weights of a cell with the common numbers. Gates i, f, g, o and r, z, n stand in the order of the
// library's cells.
func load(s *nodes.Store, c Config) {
	scale := 1 / math.Sqrt(float64(c.H))
	for _, p := range s.Params() {
		v := p.Value().Data().([]float32)
		switch p.Leaf() {
		case "W_ih":
			fill(v, 2, scale)
		case "W_hh":
			fill(v, 3, scale)
		case "b", "b_hn":
			clear(v)
		}
	}
}

func sequence(c Config) (*job, error) {
	start := time.Now()
	store := nodes.NewStore(nodes.Float32, 1)
	var g *nodes.Graph
	var loss, dU *nodes.Node
	var keep []*gorgonia.Node
	var lengths, x *nodes.Node
	var failed error
	err := nodes.Try(func() {
		cell, err := newCell(store.Root(), c.Cell, c.I, c.H)
		if err != nil {
			failed = err
			return
		}
		g = nodes.NewGraph(nodes.Options{})
		x = g.Input("x", c.T, c.B, c.I)
		o := unroll.Options{}
		if c.Engine == "tapemachine" || c.Expand {
			o.Strategy = unroll.Expand
		}
		if c.Mask {
			lengths = g.IntInput("lengths", c.B)
			o.Lengths = lengths
		}
		y := unroll.Over(cell).Unroll(x, nil, o).Y()
		if c.Mode == "infer" {
			loss = y
			keep = append(keep, y.Gorgonia())
			return
		}
		loss = nodes.Mean(nodes.Square(y))
		keep = append(keep, loss.Gorgonia())
		var wrt []nodes.Operand
		for _, p := range store.Params() {
			wrt = append(wrt, p)
		}
		for i, d := range g.Gradients(loss, append(wrt, x)...) {
			keep = append(keep, d.Gorgonia())
			if i < len(wrt) && store.Params()[i].Leaf() == "W_hh" {
				dU = d
			}
		}
	})
	if err != nil || failed != nil {
		return nil, fmt.Errorf("%v%v", err, failed)
	}
	load(store, c)
	in := tensor.New(tensor.WithShape(c.T, c.B, c.I), tensor.Of(tensor.Float32))
	fill(in.Data().([]float32), 1, 1)
	if err := gorgonia.Let(x.Gorgonia(), in); err != nil {
		return nil, err
	}
	if c.Mask {
		n := make([]int, c.B)
		for i := range n {
			n[i] = 1 + i*(c.T-1)/max(1, c.B-1)
		}
		if err := gorgonia.Let(lengths.Gorgonia(), tensor.New(tensor.WithShape(c.B), tensor.WithBacking(n))); err != nil {
			return nil, err
		}
	}
	j := &job{}
	compiled := time.Now()
	if j.vm, err = compile(c, g, keep); err != nil {
		return nil, err
	}
	j.compileMs = float64(time.Since(compiled).Microseconds()) / 1e3
	_ = start
	j.step = func() error {
		defer j.vm.Reset()
		return j.vm.RunAll()
	}
	j.check = func() (float64, float64) {
		if c.Mode == "infer" || dU == nil {
			return norm(keep[0].Value()), 0
		}
		return norm(loss.Value()), norm(dU.Value())
	}
	return j, nil
}

func compile(c Config, g *nodes.Graph, keep []*gorgonia.Node) (gorgonia.VM, error) {
	opts := []graph.Option{graph.Keep(keep...), graph.Workers(c.Threads)}
	switch c.Share {
	case "rows":
		opts = append(opts, graph.Share(graph.ShareRows))
	case "operations":
		opts = append(opts, graph.Share(graph.ShareOperations))
	}
	switch c.Engine {
	case "seqzoo":
	case "plain":
		opts = append(opts, graph.Plain())
	case "tapemachine":
		return gorgonia.NewTapeMachine(g.Expr()), nil
	default:
		return nil, fmt.Errorf("no engine %q: want seqzoo, plain or tapemachine", c.Engine)
	}
	return graph.Compile(g.Expr(), opts...)
}

// norm is the Euclidean norm of a value; of a scalar, its magnitude.
func norm(v gorgonia.Value) float64 {
	var sum float64
	switch d := v.Data().(type) {
	case float32:
		return math.Abs(float64(d))
	case []float32:
		for _, x := range d {
			sum += float64(x) * float64(x)
		}
	}
	return math.Sqrt(sum)
}
