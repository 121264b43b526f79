package cells

import (
	"fmt"
	"maps"
	"slices"

	"github.com/seqzoo/seqzoo/internal/steps"
	"github.com/seqzoo/seqzoo/nodes"
)

// Zoneout keeps single elements of a cell's state at their old value at random (Krueger et al.,
// 2017):
//
//	s' = m∘s + (1 − m)∘step(s)
//
// where m is 1 with the probability of its part of the state, anew at every step, in training, and
// is the probability itself in evaluation. Parts that neither Rates nor ByPart speaks of are not
// touched.
type Zoneout struct {
	Cell
	Rates  []float64          // of the parts in order; each in [0, 1)
	ByPart map[string]float64 // of parts by their names, in place of Rates
}

// Parts is the wrapped cell's.
func (z Zoneout) Parts() []Part { return wrapped("Zoneout", z.Cell).Parts() }

// FreeParts is the wrapped cell's.
func (z Zoneout) FreeParts() []string { return FreeParts(wrapped("Zoneout", z.Cell)) }

// Check panics with a *nodes.BuildError if a rate is out of range, or speaks of a part that the
// cell does not have.
func (z Zoneout) Check() { z.rates() }

// rates are those of all parts.
func (z Zoneout) rates() []float64 {
	parts := z.Parts()
	if len(z.Rates) > len(parts) {
		nodes.Failf("Zoneout", "%d rates for a state of %d parts", len(z.Rates), len(parts))
	}
	if z.ByPart != nil && z.Rates != nil {
		nodes.Failf("Zoneout", "Rates and ByPart are both set; set one of them")
	}
	rates, found := slices.Grow(slices.Clone(z.Rates), len(parts))[:len(parts)], 0
	clear(rates[len(z.Rates):])
	for i, p := range parts {
		if rate, ok := z.ByPart[p.Name]; ok {
			rates[i] = rate
			found++
		}
		nodes.CheckRate("Zoneout", rates[i])
	}
	if found < len(z.ByPart) {
		nodes.Failf("Zoneout", "rates of the parts %v; the cell has %v",
			slices.Sorted(maps.Keys(z.ByPart)), parts)
	}
	return rates
}

// Step advances one time step.
func (z Zoneout) Step(x *nodes.Node, s State) State {
	parts, next := z.Parts(), slices.Clone(z.Cell.Step(x, slices.Clone(s)))
	rates := z.rates() // behind the step, so that an error knows where it is
	for i, p := range rates {
		switch {
		case p == 0:
		case x.Graph().Training():
			keep := x.Graph().Noise(nodes.NoiseRequest{
				Label: "zoneout " + parts[i].Name, Kind: nodes.Bernoulli, P: p,
				Shape: next[i].Shape(),
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

// Variational is dropout inside a cell, with the same mask at every step of a sequence (Gal and
// Ghahramani, 2016). Input is the probability for what the cell multiplies by weights of its input,
// Hidden for what it multiplies by weights of its state: the mask goes on the operand of the
// product alone, so a gate that passes h on unmultiplied passes all of it. Where the operand is a
// concatenation, such as [x; h], each piece has the mask of its own kind. Which weights are of the
// state is seen from the operands, unless the cell says it (see Roles).
type Variational struct {
	Cell
	Input, Hidden float64 // each in [0, 1)
}

// Parts is the wrapped cell's.
func (v Variational) Parts() []Part { return wrapped("Variational", v.Cell).Parts() }

// FreeParts is the wrapped cell's.
func (v Variational) FreeParts() []string { return FreeParts(wrapped("Variational", v.Cell)) }

// roles are those that the innermost cell says, if it says any.
func (v Variational) roles() (Roles, bool) {
	inner := wrapped("Variational", v.Cell)
	for {
		switch w := inner.(type) {
		case Variational:
			inner = w.Cell
		case Zoneout:
			inner = w.Cell
		default:
			r, ok := inner.(Roles)
			return r, ok
		}
	}
}

// Step advances one time step.
func (v Variational) Step(x *nodes.Node, s State) State {
	roles, said := v.roles()
	nodes.CheckRate("Variational", v.Input)
	nodes.CheckRate("Variational", v.Hidden)
	g := steps.Innermost(append(State{x}, s...)...)
	if !g.Training() {
		return v.Cell.Step(x, s)
	}
	trace, stop := g.Trace(s...)
	defer stop()
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
	var masked func(x *nodes.Node) *nodes.Node
	masked = func(x *nodes.Node) *nodes.Node {
		if pieces := trace.Pieces(x); len(pieces) > 0 {
			pieces = slices.Clone(pieces)
			for i, piece := range pieces {
				pieces[i] = masked(piece)
			}
			return nodes.Concat(-1, pieces...)
		}
		if trace.Reaches(x) {
			return mask("variational hidden", v.Hidden, x)
		}
		return mask("variational input", v.Input, x)
	}
	defer steps.OnProduct(g, func(x *nodes.Node, w *nodes.Param) *nodes.Node {
		if !said {
			return masked(x)
		}
		switch roles.Role(w.Leaf()) {
		case OfInput:
			return mask("variational input", v.Input, x)
		case OfState:
			return mask("variational hidden", v.Hidden, x)
		}
		return x
	})()
	return v.Cell.Step(x, s)
}
