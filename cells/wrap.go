package cells

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/nodes"
)

// Zoneout keeps single elements of a cell's state at their old value at random (Krueger et al., 2017):
//
//	s' = m∘s + (1 − m)∘step(s)
//
// where m is 1 with probability Rates[i] for part i of the state, anew at every step, in training, and is the
// probability itself in evaluation. Parts beyond the end of Rates are not touched.
type Zoneout struct {
	Cell
	Rates []float64 // each in [0, 1)
}

// Parts is the wrapped cell's.
func (z Zoneout) Parts() []Part { return wrapped("Zoneout", z.Cell).Parts() }

// Step advances one time step.
func (z Zoneout) Step(x *nodes.Node, s State) State {
	parts := z.Parts()
	if len(z.Rates) > len(parts) {
		nodes.Failf("Zoneout", "%d rates for a state of %d parts", len(z.Rates), len(parts))
	}
	next := slices.Clone(z.Cell.Step(x, slices.Clone(s)))
	for i, p := range z.Rates {
		nodes.CheckRate("Zoneout", p)
		switch {
		case p == 0:
		case x.Graph().Training():
			keep := x.Graph().Noise(nodes.NoiseRequest{
				Label: "zoneout " + parts[i].Name, Kind: nodes.Bernoulli, P: p, Shape: next[i].Shape(),
			})
			next[i] = nodes.Select(keep, s[i], next[i])
		default:
			next[i] = nodes.Add(nodes.Scale(s[i], p), nodes.Scale(next[i], 1-p))
		}
	}
	return next
}

// wrapped is the cell inside a wrapper, which must have one.
func wrapped(wrapper string, c Cell) Cell {
	if c == nil {
		nodes.Failf(wrapper, "the cell is nil")
	}
	return c
}

// Variational is dropout inside a cell, with the same mask at every step of a sequence (Gal and Ghahramani, 2016).
// Input is the probability for what the cell multiplies by its parameters W_ih…, Hidden for W_hh…: the mask goes on the
// operand of the product alone, so a gate that passes h on unmultiplied passes all of it.
type Variational struct {
	Cell
	Input, Hidden float64 // each in [0, 1)
}

// Parts is the wrapped cell's.
func (v Variational) Parts() []Part { return wrapped("Variational", v.Cell).Parts() }

// Step advances one time step.
func (v Variational) Step(x *nodes.Node, s State) State {
	wrapped("Variational", v.Cell)
	nodes.CheckRate("Variational", v.Input)
	nodes.CheckRate("Variational", v.Hidden)
	g := x.Graph()
	if !g.Training() {
		return v.Cell.Step(x, s)
	}
	masks := map[string]*nodes.Node{} // by label and shape: products of one operand share a mask
	mask := func(label string, p float64, x *nodes.Node) *nodes.Node {
		if p == 0 {
			return x
		}
		key := fmt.Sprint(label, x.Shape())
		if masks[key] == nil {
			masks[key] = g.Noise(nodes.NoiseRequest{
				Label: label, Kind: nodes.Bernoulli, P: 1 - p, Shape: x.Shape(), PerSequence: true,
			})
		}
		return nodes.Masked(x, masks[key], p)
	}
	defer g.OnProduct(func(x *nodes.Node, w *nodes.Param) *nodes.Node {
		switch {
		case strings.HasPrefix(w.Leaf(), "W_ih"):
			return mask("variational input", v.Input, x)
		case strings.HasPrefix(w.Leaf(), "W_hh"):
			return mask("variational hidden", v.Hidden, x)
		}
		return x
	})()
	return v.Cell.Step(x, s)
}
