package cells

import (
	"github.com/seqzoo/seqzoo/internal/steps"
	"github.com/seqzoo/seqzoo/nodes"
)

// LayerNormed is a cell whose products with weights of its input and its state are normalised over
// the units (Ba, Kiros and Hinton, 2016): LN(x·W_ih) in place of x·W_ih, with a gain and a bias of
// their own. Products that the cell says are neither (see Roles), such as a projection, are left
// alone, and so is everything else inside the cell.
type LayerNormed struct {
	Cell
	norms map[weightKey]*layerNorm
}

// NewLayerNormed declares gain_W and bias_W, as wide as the product, under s for every weight W
// that a step of c multiplies, seen from a step on an input of width in. Eps stands inside the
// root; 0: 1e-5. It panics with a *nodes.BuildError if there is no such weight.
func NewLayerNormed(s *nodes.Scope, c Cell, in int, eps float64) LayerNormed {
	l := LayerNormed{Cell: c, norms: map[weightKey]*layerNorm{}}
	wrapped("LayerNormed", c)
	g := nodes.NewGraph(nodes.Options{Dtype: s.Dtype()})
	steps.Sketch(g)
	var state State
	for _, p := range c.Parts() {
		state = append(state, g.Input("part "+p.Name, append([]int{1}, p.dims()...)...))
	}
	taken := func(name string) bool { // by another weight, or a parameter of the cell
		return declared(s, "gain_"+name) || declared(s, "bias_"+name)
	}
	l.around(g.Input("x", 1, in), state, func(w steps.Weight, key weightKey,
		y *nodes.Node) *nodes.Node {
		if l.norms[key] == nil {
			name := leaf(w)
			for taken(name) {
				name += "_"
			}
			l.norms[key] = newLayerNorm(s, name, y.Dim(-1), 1, eps)
		}
		return y
	})
	if len(l.norms) == 0 {
		nodes.Failf("LayerNormed", "the cell %T multiplies neither its input nor its state by a "+
			"matrix: there is nothing to normalise", c)
	}
	return l
}

// declared reports whether a scope has a parameter of this name.
func declared(s *nodes.Scope, name string) bool {
	return nodes.Try(func() { s.Shared(name) }) == nil
}

// around runs one step in which f has the products of the weights that are normalised.
func (l LayerNormed) around(x *nodes.Node, s State,
	f func(w steps.Weight, key weightKey, y *nodes.Node) *nodes.Node) State {
	var keys weightKeys
	return aroundProducts(l.Cell, x, s, func(role func(*nodes.Node, steps.Weight) Role,
		_ *nodes.Trace) steps.Product {
		return func(x *nodes.Node, w steps.Weight, as *nodes.Node,
			times func(x, as *nodes.Node) *nodes.Node) *nodes.Node {
			y := times(x, as)
			if role(x, w) == NoRole {
				return y
			}
			return f(w, keys.of(w), y)
		}
	})
}

// Parts is the wrapped cell's.
func (l LayerNormed) Parts() []Part { return wrapped("LayerNormed", l.Cell).Parts() }

// Unwrap is the wrapped cell.
func (l LayerNormed) Unwrap() Cell { return l.Cell }

// FreeParts is the wrapped cell's.
func (l LayerNormed) FreeParts() []string { return FreeParts(wrapped("LayerNormed", l.Cell)) }

// Step advances one time step.
func (l LayerNormed) Step(x *nodes.Node, s State) State {
	wrapped("LayerNormed", l.Cell)
	if len(l.norms) == 0 {
		nodes.Failf("LayerNormed", "it has no gains: make it with NewLayerNormed")
	}
	return l.around(x, s, func(w steps.Weight, key weightKey, y *nodes.Node) *nodes.Node {
		norm := l.norms[key]
		if norm == nil || norm.width() != y.Dim(-1) {
			nodes.Failf("LayerNormed", "the step of the cell %T multiplies %s to %v, which it did "+
				"not when it was wrapped", l.Cell, leaf(w), y.Shape())
		}
		return norm.of(y)
	})
}
