package cells

import (
	"fmt"
	"slices"

	"github.com/seqzoo/seqzoo/internal/steps"
	"github.com/seqzoo/seqzoo/nodes"
)

// Variational is dropout inside a cell, with the same mask at every step of a sequence (Gal and
// Ghahramani, 2016). Input is the probability for what the cell multiplies by weights of its input,
// Hidden for what it multiplies by weights of its state: the mask goes on the operand of the
// product alone, so a gate that passes h on unmultiplied passes all of it. Where the operand is a
// concatenation, such as [x; h], each piece has the mask of its own kind. Which weights are of the
// state is seen from the operands, unless the cell says it (see Roles). A cell that has no product
// for a probability to be of is a mistake.
type Variational struct {
	Cell
	Input, Hidden float64 // each in [0, 1)
}

// Parts is the wrapped cell's.
func (v Variational) Parts() []Part { return wrapped("Variational", v.Cell).Parts() }

// Unwrap is the wrapped cell.
func (v Variational) Unwrap() Cell { return v.Cell }

// FreeParts is the wrapped cell's.
func (v Variational) FreeParts() []string { return FreeParts(wrapped("Variational", v.Cell)) }

// Step advances one time step.
func (v Variational) Step(x *nodes.Node, s State) State {
	inner := wrapped("Variational", v.Cell)
	nodes.CheckRate("Variational", v.Input)
	nodes.CheckRate("Variational", v.Hidden)
	g := steps.Innermost(append(State{x}, s...)...)
	if !g.Training() {
		return inner.Step(x, s)
	}
	_, said := rolesOf(inner)
	batch := x.Dim(0)
	masks := map[string]*nodes.Node{} // by label and shape: products of one operand share a mask
	masksOf := map[string]bool{}
	mask := func(label string, p float64, x *nodes.Node, w steps.Weight) *nodes.Node {
		if p == 0 {
			return x
		}
		masksOf[label] = true
		key := fmt.Sprint(label, x.Shape())
		if masks[key] == nil {
			of := nodes.NoiseRequest{Label: label, Kind: nodes.Bernoulli, P: 1 - p,
				Shape: x.Shape(), PerSequence: true}
			if len(steps.WeightShape(w)) == 2 && of.Shape[0] == batch { // no stack of products
				of.RowAxes = len(of.Shape) - 1
			}
			masks[key] = g.Noise(of)
		}
		return nodes.Masked(x, masks[key], p)
	}
	next := aroundProducts(inner, x, s, func(role func(*nodes.Node, steps.Weight) Role,
		trace *nodes.Trace) steps.Product {
		var masked func(x *nodes.Node, w steps.Weight) *nodes.Node
		masked = func(x *nodes.Node, w steps.Weight) *nodes.Node {
			if pieces := trace.Pieces(x); !said && len(pieces) > 0 {
				pieces = slices.Clone(pieces)
				for i, piece := range pieces {
					pieces[i] = masked(piece, w)
				}
				return nodes.Concat(-1, pieces...)
			}
			switch role(x, w) {
			case OfInput:
				return mask(ofInput, v.Input, x, w)
			case OfState:
				return mask(ofHidden, v.Hidden, x, w)
			}
			return x
		}
		return func(x *nodes.Node, w steps.Weight, as *nodes.Node,
			times func(x, as *nodes.Node) *nodes.Node) *nodes.Node {
			return times(masked(x, w), as)
		}
	})
	if v.Input > 0 && !masksOf[ofInput] {
		nodes.Failf("Variational", "Input is %g, and the cell %T multiplies its input by no "+
			"matrix: nothing would be dropped", v.Input, inner)
	}
	if v.Hidden > 0 && !masksOf[ofHidden] {
		nodes.Failf("Variational", "Hidden is %g, and the cell %T multiplies its state by no "+
			"matrix: nothing would be dropped", v.Hidden, inner)
	}
	return next
}

// What the masks are of, as noise is labelled.
const ofInput, ofHidden = "variational input", "variational hidden"
