package nodes

import (
	"slices"

	"gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/internal/steps/lent"
)

// product is what stands around the products of a step with its weights; see steps.Product.
type product = lent.Product[*Node, *Param]

// weight is the factor of a product that has parameters; see steps.Weight.
type weight = lent.Weight[*Node, *Param]

// onProduct makes f compute every product of an operand and a weight, until the returned function
// is called. What an earlier call asked for stands around it.
func (g *Graph) onProduct(f product) (restore func()) {
	old := g.product
	g.product = f
	if old != nil {
		g.product = func(x *Node, w weight, as *Node, times func(x, as *Node) *Node) *Node {
			return old(x, w, as, func(x, as *Node) *Node { return f(x, w, as, times) })
		}
	}
	return func() { g.product = old }
}

// timesWeight is matMul where something stands around products. The weight may be on the left, as
// in W·hᵀ, which is (h·Wᵀ)ᵀ; ok says whether one of both is a weight.
func (g *Graph) timesWeight(around product, op string, xo, wo Operand, trans bool) (y *Node,
	ok bool) {
	if w, ok := g.weightOf(wo); ok {
		return around(xo.in(g), w, nil, func(x, as *Node) *Node {
			if as == nil {
				return times(op, x, wo, trans)
			}
			return times(op, x, as, trans)
		}), true
	}
	left, ok := g.weightOf(xo)
	z := wo.in(g)
	if rank := len(xo.in(g).Shape()); !ok || rank != len(z.Shape()) || rank != 2 && rank != 3 {
		return nil, false
	}
	if !trans {
		z = swapped(z)
	}
	return swapped(around(z, left, nil, func(x, as *Node) *Node {
		if as == nil {
			return times(op, x, xo, true)
		}
		return times(op, x, as, true)
	})), true
}

// swapped is n with its last two axes swapped: what n was made of, if it was made so.
func swapped(n *Node) *Node {
	last := len(n.Shape()) - 1
	perm := []int{0, 1, 2}[:last+1]
	perm[last], perm[last-1] = last-1, last
	if of := n.g.swaps[n.n]; of != nil {
		return of
	}
	return Transpose(n, perm...)
}

// weightOf is x as a weight: a parameter, or what was computed from parameters, numbers and noise
// alone. What a trace follows is none, though it may begin so, such as a state that is learnt.
func (g *Graph) weightOf(x Operand) (w weight, ok bool) {
	if p, ok := x.(*Param); ok {
		return weight{Params: []*Param{p}}, true
	}
	n := x.in(g)
	params := g.made[n.n]
	reached := slices.ContainsFunc(g.current().traces, func(t *Trace) bool { return t.Reaches(n) })
	if len(params) == 0 || reached {
		return w, false
	}
	if g.params[params[0]] == n { // the parameter itself
		return weight{Params: params}, true
	}
	return weight{Params: params, Made: n}, true
}

// note keeps what n was made of, as far as products need it.
func (g *Graph) note(n *Node, fn ops.Operation, in []*Node) {
	if g.product != nil {
		g.noteSwap(n, fn, in)
	}
	var params []*Param
	for _, x := range in {
		of, without := g.made[x.n]
		if !without {
			return // it holds data
		}
		for _, p := range of {
			if !slices.Contains(params, p) {
				params = append(params, p)
			}
		}
	}
	g.made[n.n] = params
}

// noData notes that n holds nothing of the data.
func (g *Graph) noData(n *Node) *Node {
	if _, known := g.made[n.n]; !known {
		g.made[n.n] = nil
	}
	return n
}

// noteSwap keeps what a transposition of the last two axes was made of.
func (g *Graph) noteSwap(n *Node, fn ops.Operation, in []*Node) {
	t, ok := fn.(ops.Transpose)
	last := len(t.Perm) - 1
	if !ok || last < 1 || t.Perm[last] != last-1 || t.Perm[last-1] != last {
		return
	}
	for i, axis := range t.Perm[:last-1] {
		if axis != i {
			return
		}
	}
	if g.swaps == nil {
		g.swaps = map[*gorgonia.Node]*Node{}
	}
	g.swaps[n.n] = in[0]
}
