package cells

import (
	"strings"

	"gorgonia.org/gorgonia"

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

// Role says which operand a weight of a cell multiplies.
type Role int

const (
	NoRole  Role = iota // neither of the others
	OfInput             // the input of the step
	OfState             // the state before the step, or a value computed from it
)

// Roles is a cell that says itself what its weights multiply, by the last names of their paths,
// such as "W_hh". A weight that is made of several, such as a difference, has the role that all of
// them have. Of a cell without it a product of what depends on the state is of the state, and
// any other of the input.
type Roles interface{ Role(leaf string) Role }

// rolesOf returns the roles that the innermost cell states, if it states any.
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

// aroundProducts runs one step of a wrapped cell while f computes its products with weights. Role
// is what the operand makes of a weight, unless the cell says it itself.
func aroundProducts(c Cell, x *nodes.Node, s State,
	f func(role func(x *nodes.Node, w steps.Weight) Role, trace *nodes.Trace) steps.Product) State {
	said, ok := rolesOf(c)
	g := steps.Innermost(append(State{x}, s...)...)
	_, stopInput := g.Trace(x) // what depends on it is no weight
	defer stopInput()
	trace, stop := g.Trace(s...)
	defer stop()
	defer steps.OnProduct(g, f(func(x *nodes.Node, w steps.Weight) Role {
		if ok {
			if role, agreed := roleOf(said, w); agreed {
				return role
			}
		}
		if trace.Reaches(x) {
			return OfState
		}
		return OfInput
	}, trace))()
	return c.Step(x, s)
}

// roleOf returns the role that a cell states for all parameters that a weight is made of.
func roleOf(said Roles, w steps.Weight) (role Role, agreed bool) {
	role = said.Role(w.Params[0].Leaf())
	for _, p := range w.Params[1:] {
		if said.Role(p.Leaf()) != role {
			return role, false
		}
	}
	return role, true
}

// leaf names a weight by the parameters that it is made of.
func leaf(w steps.Weight) string {
	var names []string
	for _, p := range w.Params {
		names = append(names, p.Leaf())
	}
	return strings.Join(names, "+")
}

// weightKey tells the weights of a step from each other: made of these parameters, and the n-th of
// those.
type weightKey struct {
	params string
	n      int
}

// weightKeys numbers the weights of one step. A step that is run again has the same keys, in
// another graph too.
type weightKeys struct {
	nodes map[*gorgonia.Node]weightKey
	count map[string]int
}

func (k *weightKeys) of(w steps.Weight) weightKey {
	var names []string
	for _, p := range w.Params {
		names = append(names, p.Name())
	}
	params := strings.Join(names, " ")
	if w.Made == nil {
		return weightKey{params: params}
	}
	if k.nodes == nil {
		k.nodes, k.count = map[*gorgonia.Node]weightKey{}, map[string]int{}
	}
	node := w.Made.Gorgonia()
	if _, known := k.nodes[node]; !known {
		k.count[params]++
		k.nodes[node] = weightKey{params, k.count[params]}
	}
	return k.nodes[node]
}
