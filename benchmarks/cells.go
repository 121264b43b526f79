package benchmarks

import (
	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
)

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
	return &mgu{hidden, weight("W_f", in), weight("U_f", hidden), weight("W_h", in), weight("U_h", hidden), s.Param("b", nodes.Zeros(), hidden)}
}

func (m *mgu) Parts() []cells.Part { return []cells.Part{{Name: "h", Width: m.hidden}} }

func (m *mgu) Step(x *nodes.Node, s cells.State) cells.State {
	h := s[0]
	f := nodes.Sigmoid(nodes.Add(nodes.MatMul(x, m.wF), nodes.MatMul(h, m.uF), m.b))
	n := nodes.Tanh(nodes.Add(nodes.MatMul(x, m.wH), nodes.MatMul(nodes.Mul(f, h), m.uH)))
	return cells.State{nodes.Add(nodes.Mul(nodes.OneMinus(f), h), nodes.Mul(f, n))}
}

// indRNN is an RNN whose units see only themselves in the state (Li et al., 2018):
//
//	h' = relu(x·W + u∘h + b)
type indRNN struct {
	hidden  int
	w, u, b *nodes.Param
}

func newIndRNN(s *nodes.Scope, in, hidden int) cells.Cell {
	return &indRNN{hidden, s.Param("W", nodes.XavierUniform(1), in, hidden), s.Param("u", nodes.Uniform(0, 1), hidden), s.Param("b", nodes.Zeros(), hidden)}
}

func (c *indRNN) Parts() []cells.Part { return []cells.Part{{Name: "h", Width: c.hidden}} }

func (c *indRNN) Step(x *nodes.Node, s cells.State) cells.State {
	return cells.State{nodes.ReLU(nodes.Add(nodes.MatMul(x, c.w), nodes.Mul(s[0], c.u), c.b))}
}

// sru is a simple recurrent unit (Lei et al., 2018):
//
//	f, r = σ(x·W_f + v_f∘c + b_f), σ(x·W_r + v_r∘c + b_r)
//	c'   = f∘c + (1 − f)∘(x·W)
//	h    = r∘c' + (1 − r)∘x
type sru struct {
	width             int
	w, vF, vR, bF, bR *nodes.Param
}

func newSRU(s *nodes.Scope, width int) cells.Cell {
	vector := func(name string) *nodes.Param { return s.Param(name, nodes.Uniform(-0.5, 0.5), width) }
	return &sru{width, s.Param("W", nodes.XavierUniform(1), width, 3*width), vector("v_f"), vector("v_r"), vector("b_f"), vector("b_r")}
}

func (c *sru) Parts() []cells.Part {
	return []cells.Part{{Name: "h", Width: c.width}, {Name: "c", Width: c.width}}
}

func (c *sru) Step(x *nodes.Node, s cells.State) cells.State {
	of := nodes.Split(nodes.MatMul(x, c.w), 3, -1)
	f := nodes.Sigmoid(nodes.Add(of[1], nodes.Mul(s[1], c.vF), c.bF))
	r := nodes.Sigmoid(nodes.Add(of[2], nodes.Mul(s[1], c.vR), c.bR))
	next := nodes.Add(nodes.Mul(f, s[1]), nodes.Mul(nodes.OneMinus(f), of[0]))
	return cells.State{nodes.Add(nodes.Mul(r, next), nodes.Mul(nodes.OneMinus(r), x)), next}
}
