// Package owncells has cells as a user of the library would write them, which tests and benchmarks
// use beside the library's own.
package owncells

import (
	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
)

// MinimalGatedUnit (Zhou et al., 2016) has two products one after the other:
//
//	f  = σ(x·W_f + h·U_f + b)
//	h' = (1 − f)∘h + f∘tanh(x·W_h + (f∘h)·U_h)
type MinimalGatedUnit struct {
	Hidden            int
	WF, UF, WH, UH, B *nodes.Param
}

// NewMinimalGatedUnit declares the parameters W_f, U_f, W_h, U_h and b.
func NewMinimalGatedUnit(s *nodes.Scope, in, hidden int) *MinimalGatedUnit {
	weight := func(name string, rows int) *nodes.Param {
		return s.Param(name, nodes.XavierUniform(1), rows, hidden)
	}
	return &MinimalGatedUnit{
		Hidden: hidden,
		WF:     weight("W_f", in), UF: weight("U_f", hidden),
		WH: weight("W_h", in), UH: weight("U_h", hidden),
		B: s.Param("b", nodes.Zeros(), hidden),
	}
}

func (m *MinimalGatedUnit) Parts() []cells.Part {
	return []cells.Part{{Name: "h", Width: m.Hidden}}
}

func (m *MinimalGatedUnit) Step(x *nodes.Node, s cells.State) cells.State {
	h := s[0]
	f := nodes.Sigmoid(nodes.Add(nodes.MatMul(x, m.WF), nodes.MatMul(h, m.UF), m.B))
	n := nodes.Tanh(nodes.Add(nodes.MatMul(x, m.WH), nodes.MatMul(nodes.Mul(f, h), m.UH)))
	return cells.State{nodes.Add(nodes.Mul(nodes.OneMinus(f), h), nodes.Mul(f, n))}
}

// Independent is an RNN whose units see only themselves in the state, so that its step has no
// product with h (IndRNN; Li et al., 2018):
//
//	h' = act(x·W + u∘h + b)
type Independent struct {
	hidden  int
	act     func(nodes.Operand) *nodes.Node
	w, u, b *nodes.Param
}

// NewIndependent declares the parameters W, u and b.
func NewIndependent(
	s *nodes.Scope, in, hidden int, act func(nodes.Operand) *nodes.Node,
) *Independent {
	return &Independent{hidden, act,
		s.Param("W", nodes.XavierUniform(1), in, hidden),
		s.Param("u", nodes.Uniform(-1, 1), hidden),
		s.Param("b", nodes.Zeros(), hidden),
	}
}

func (c *Independent) Parts() []cells.Part { return []cells.Part{{Name: "h", Width: c.hidden}} }

func (c *Independent) Step(x *nodes.Node, s cells.State) cells.State {
	return cells.State{c.act(nodes.Add(nodes.MatMul(x, c.w), nodes.Mul(s[0], c.u), c.b))}
}
