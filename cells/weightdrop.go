package cells

import (
	"github.com/seqzoo/seqzoo/internal/steps"
	"github.com/seqzoo/seqzoo/nodes"
)

// WeightDrop is dropout of the weights that a cell multiplies its state by, the same at every step
// of a sequence and in all rows of a batch (Wan et al., 2013, on recurrent weights: Merity, Keskar
// and Socher, 2018). In evaluation it is the cell. Which weights are of the state is seen from what
// they multiply, unless the cell says it (see Roles). A cell that multiplies its state by no
// weights is a mistake.
type WeightDrop struct {
	Cell
	P float64 // the probability that a weight is 0, in [0, 1)
}

// Parts is the wrapped cell's.
func (d WeightDrop) Parts() []Part { return wrapped("WeightDrop", d.Cell).Parts() }

// Unwrap is the wrapped cell.
func (d WeightDrop) Unwrap() Cell { return d.Cell }

// FreeParts is the wrapped cell's.
func (d WeightDrop) FreeParts() []string { return FreeParts(wrapped("WeightDrop", d.Cell)) }

// Step advances one time step.
func (d WeightDrop) Step(x *nodes.Node, s State) State {
	inner := wrapped("WeightDrop", d.Cell)
	nodes.CheckRate("WeightDrop", d.P)
	g := steps.Innermost(append(State{x}, s...)...)
	if !g.Training() || d.P == 0 {
		return inner.Step(x, s)
	}
	dropped := map[weightKey]*nodes.Node{} // a weight that is used twice is dropped once
	var keys weightKeys
	next := aroundProducts(inner, x, s, func(role func(*nodes.Node, steps.Weight) Role,
		_ *nodes.Trace) steps.Product {
		return func(x *nodes.Node, w steps.Weight, as *nodes.Node,
			times func(x, as *nodes.Node) *nodes.Node) *nodes.Node {
			if role(x, w) != OfState {
				return times(x, as)
			}
			key := keys.of(w)
			if dropped[key] == nil {
				keep := g.Noise(nodes.NoiseRequest{Label: "weight drop " + leaf(w),
					Kind: nodes.Bernoulli, P: 1 - d.P, Shape: steps.WeightShape(w),
					PerSequence: true, Whole: true})
				// The mask is a node outside of the loop, and so is its product with a parameter,
				// which is computed once a sequence.
				var weight nodes.Operand = w.Params[0]
				switch {
				case as != nil:
					weight = as
				case w.Made != nil:
					weight = w.Made
				}
				dropped[key] = nodes.Masked(weight, keep, d.P)
			}
			return times(x, dropped[key])
		}
	})
	if len(dropped) == 0 {
		nodes.Failf("WeightDrop", "P is %g, and the cell %T multiplies its state by no matrix: "+
			"nothing would be dropped", d.P, inner)
	}
	return next
}
