package cells

import (
	"slices"

	"github.com/seqzoo/seqzoo/nodes"
)

// Residual is a cell whose output is its input beside the output of the wrapped cell (He et al.,
// 2016; in recurrent stacks: Wu et al., 2016): y = x + h. The recurrence itself goes on with h. For
// whole layers unroll.Stack has Residual, which needs no state of its own.
//
// Its state is {y} and the wrapped cell's behind it.
type Residual struct{ Cell }

// Parts is {y} and the wrapped cell's.
func (r Residual) Parts() []Part {
	inner := wrapped("Residual", r.Cell).Parts()
	if len(inner) == 0 {
		nodes.Failf("Residual", "the cell %T has a state of no parts; want one at least, its output",
			r.Cell)
	}
	y := inner[0]
	y.Name = "y"
	for slices.ContainsFunc(inner, func(p Part) bool { return p.Name == y.Name }) {
		y.Name += "'"
	}
	return append([]Part{y}, inner...)
}

// Unwrap is the wrapped cell.
func (r Residual) Unwrap() Cell { return r.Cell }

// FreeParts is the wrapped cell's: y is computed anew at every step.
func (r Residual) FreeParts() []string { return FreeParts(wrapped("Residual", r.Cell)) }

// Step advances one time step.
func (r Residual) Step(x *nodes.Node, s State) State {
	inner := wrapped("Residual", r.Cell)
	if len(s) == 0 {
		nodes.Failf("Residual", "the state has no parts")
	}
	next := inner.Step(x, slices.Clone(s[1:]))
	if len(next) == 0 || !slices.Equal(x.Shape(), next[0].Shape()) {
		nodes.Failf("Residual", "x is %v and the output of the cell %v: want them alike", x.Shape(),
			shapesOf(next))
	}
	return append(State{nodes.Add(x, next[0])}, next...)
}

func shapesOf(s State) any {
	if len(s) == 0 {
		return "nothing"
	}
	return s[0].Shape()
}
