// Package mycells is a user's own cells.
package mycells

import (
	"fmt"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
)

// LeakyConfig is a leaky unit: h' = a∘h + (1 − a)∘tanh([x; h]·mix + shift), a = σ(leak).
type LeakyConfig struct {
	In, Hidden int
	Start      float64 `json:"start"` // of leak
}

func (c LeakyConfig) Sized(in, hidden int) cells.Config { c.In, c.Hidden = in, hidden; return c }

func (c LeakyConfig) Validate() error {
	if c.In < 1 || c.Hidden < 1 {
		return fmt.Errorf("leaky: In %d, Hidden %d", c.In, c.Hidden)
	}
	return nil
}

func (c LeakyConfig) New(s *nodes.Scope) cells.Cell {
	return leaky{c, s.Param("mix", nodes.XavierUniform(1), c.In+c.Hidden, c.Hidden),
		s.Param("shift", nodes.Zeros(), c.Hidden),
		s.Param("leak", nodes.Constant(c.Start), c.Hidden)}
}

type leaky struct {
	LeakyConfig
	mix, shift, leak *nodes.Param
}

func (c leaky) Parts() []cells.Part { return []cells.Part{{Name: "level", Width: c.Hidden}} }

func (c leaky) Step(x *nodes.Node, s cells.State) cells.State {
	a := nodes.Sigmoid(x.Graph().Param(c.leak))
	n := nodes.Tanh(nodes.Add(nodes.MatMul(nodes.Concat(-1, x, s[0]), c.mix), c.shift))
	return cells.State{nodes.Add(nodes.Mul(a, s[0]), nodes.Mul(nodes.OneMinus(a), n))}
}

// FastConfig has a state of three parts, one of them a matrix of fast weights F [H, H]:
//
//	k, v = tanh(x·read)    F' = 0.9·F + kᵀ·v    p' = k    h' = tanh(k·F' + h·again + p·late)
type FastConfig struct{ In, Hidden int }

func (c FastConfig) Sized(in, hidden int) cells.Config { return FastConfig{in, hidden} }
func (c FastConfig) Validate() error {
	return LeakyConfig{In: c.In,
		Hidden: c.Hidden}.Validate()
}

func (c FastConfig) New(s *nodes.Scope) cells.Cell {
	w := func(name string, in, out int) *nodes.Param {
		return s.Param(name,
			nodes.XavierUniform(0.5), in, out)
	}
	return fast{c, w("read", c.In, 2*c.Hidden), w("again", c.Hidden, c.Hidden),
		w("late", c.Hidden, c.Hidden)}
}

type fast struct {
	FastConfig
	read, again, late *nodes.Param
}

func (c fast) Parts() []cells.Part {
	return []cells.Part{{Name: "out", Width: c.Hidden}, cells.Matrix("fast", c.Hidden, c.Hidden),
		{Name: "past", Width: c.Hidden}}
}

func (c fast) Step(x *nodes.Node, s cells.State) cells.State {
	B, H := x.Dim(0), c.Hidden
	kv := nodes.Split(nodes.Tanh(nodes.MatMul(x, c.read)), 2, -1)
	k, v := nodes.Reshape(kv[0], B, H, 1), nodes.Reshape(kv[1], B, 1, H)
	f := nodes.Add(nodes.Scale(s[1], 0.9), nodes.Mul(k, v))
	h := nodes.Add(nodes.Sum(nodes.Mul(k, f), 1), nodes.MatMul(s[0], c.again),
		nodes.MatMul(s[2], c.late))
	return cells.State{nodes.Tanh(h), f, kv[0]}
}

func init() {
	cells.Register("leaky", LeakyConfig{Start: 1})
	cells.Register("fast", FastConfig{})
}
