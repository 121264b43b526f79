package benchmarks

import (
	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
)

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
	vector := func(name string) *nodes.Param {
		return s.Param(name, nodes.Uniform(-0.5, 0.5),
			width)
	}
	return &sru{width, s.Param("W", nodes.XavierUniform(1), width, 3*width), vector("v_f"),
		vector("v_r"), vector("b_f"), vector("b_r")}
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
