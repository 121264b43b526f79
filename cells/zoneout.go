package cells

import (
	"maps"
	"slices"

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

// Unwrap is the wrapped cell.
func (z Zoneout) Unwrap() Cell { return z.Cell }

// FreeParts is the wrapped cell's.
func (z Zoneout) FreeParts() []string { return FreeParts(wrapped("Zoneout", z.Cell)) }

// Check panics with a *nodes.BuildError if a rate is out of range, or speaks of a part that the
// cell does not have.
func (z Zoneout) Check() { z.rates() }

// rates returns the rate of each part.
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
			shape := next[i].Shape()
			keep := x.Graph().Noise(nodes.NoiseRequest{
				Label: "zoneout " + parts[i].Name, Kind: nodes.Bernoulli, P: p,
				Shape: shape, RowAxes: len(shape) - 1,
			})
			next[i] = nodes.Select(keep, s[i], next[i])
		default:
			next[i] = nodes.Add(nodes.Scale(s[i], p), nodes.Scale(next[i], 1-p))
		}
	}
	return next
}
