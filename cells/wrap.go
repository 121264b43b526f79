package cells

import (
	"github.com/seqzoo/seqzoo/internal/steps"
	"github.com/seqzoo/seqzoo/nodes"
)

// Wrapper is a cell around another one, such as Zoneout.
type Wrapper interface {
	Cell
	Unwrap() Cell
}

// wrapped is the cell inside a wrapper, which must have one.
func wrapped(wrapper string, c Cell) Cell {
	if c == nil {
		nodes.Failf(wrapper, "the cell is nil")
	}
	return c
}

// Role is what a weight of a cell multiplies.
type Role int

const (
	NoRole  Role = iota // neither of the others
	OfInput             // the input of the step
	OfState             // the state before the step, or what is made of it
)

// Roles is a cell that says itself what its weights multiply, by the last names of their paths,
// such as "W_hh". Of a cell without it a product of what depends on the state is of the state, and
// any other of the input.
type Roles interface{ Role(leaf string) Role }

// rolesOf are those that the innermost cell says, if it says any.
func rolesOf(c Cell) (said Roles, ok bool) {
	for c != nil {
		if said, ok = c.(Roles); ok {
			return said, true
		}
		w, wraps := c.(Wrapper)
		if !wraps {
			break
		}
		c = w.Unwrap()
	}
	return nil, false
}

// aroundProducts runs one step of a wrapped cell while f computes its products with parameters.
// Role is what the operand makes of a weight, unless the cell says it itself.
func aroundProducts(c Cell, x *nodes.Node, s State,
	f func(role func(x *nodes.Node, w *nodes.Param) Role, trace *nodes.Trace) steps.Product) State {
	said, ok := rolesOf(c)
	g := steps.Innermost(append(State{x}, s...)...)
	trace, stop := g.Trace(s...)
	defer stop()
	defer steps.OnProduct(g, f(func(x *nodes.Node, w *nodes.Param) Role {
		switch {
		case ok:
			return said.Role(w.Leaf())
		case trace.Reaches(x):
			return OfState
		}
		return OfInput
	}, trace))()
	return c.Step(x, s)
}
