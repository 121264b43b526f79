package ops

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
)

// Gradients adds to the graph the nodes of Σ_o ⟨cots[o], ∂outs[o]/∂wrt⟩ for every wrt; nil where
// nothing depends on it. It visits each node once, in the reverse of the order in which they were
// made, so its cost is linear in the graph.
//
// It differs from gorgonia.Backpropagate in that outs may coincide, may feed each other, may be wrt
// themselves, or be independent of all wrt, and in that it may be called more than once on a graph.
func Gradients(outs, cots, wrt []*G.Node) ([]*G.Node, error) {
	if len(outs) == 0 || len(wrt) == 0 {
		return make([]*G.Node, len(wrt)), nil
	}
	g := outs[0].Graph()
	children, err := Children(g)
	if err != nil {
		return nil, err
	}
	order := slices.Clone(g.AllNodes()) // in order of creation: operands first; grows below
	depends := make(map[*G.Node]bool, len(order))
	for _, n := range wrt {
		depends[n] = true
	}
	reached := make(map[*G.Node]bool, len(order)) // by going down from outs
	for _, n := range outs {
		reached[n] = true
	}
	need := func(n *G.Node) []bool {
		cs := children[n]
		d := make([]bool, len(cs))
		op, ok := n.Op().(G.SDOp)
		if !ok || len(cs) == 0 {
			return d
		}
		for i, w := range op.DiffWRT(len(cs)) {
			d[i] = w && depends[cs[i]]
		}
		return d
	}
	for _, n := range order {
		if !depends[n] {
			depends[n] = slices.Contains(need(n), true)
		}
	}
	parts := map[*G.Node][]*G.Node{} // contributions to dL/dn
	for i, n := range outs {
		parts[n] = append(parts[n], cots[i])
	}
	sums := map[*G.Node]*G.Node{}
	for i := len(order) - 1; i >= 0; i-- {
		n := order[i]
		if len(parts[n]) == 0 || !depends[n] {
			continue
		}
		first, at := len(g.AllNodes()), PlaceOf(n)
		at.Grad = true
		dy := sum(parts[n])
		sums[n] = dy
		if op, ok := n.Op().(*Op); ok && op.State != nil {
			op.State.Grad = dy
		}
		want := need(n)
		if !slices.Contains(want, true) {
			Mark(g, first, at)
			continue
		}
		ds, err := operandGradients(n, children[n], dy, want)
		if err != nil {
			return nil, err
		}
		Mark(g, first, at)
		for k, d := range ds {
			if want[k] && d != nil {
				if !slices.Equal([]int(d.Shape()), []int(children[n][k].Shape())) {
					return nil, fmt.Errorf("gradient of %v: shape %v for operand %d, which is %v",
						n.Op(), d.Shape(), k, children[n][k].Shape())
				}
				parts[children[n][k]] = append(parts[children[n][k]], d)
			}
		}
	}
	out := make([]*G.Node, len(wrt))
	for i, n := range wrt {
		out[i] = sums[n]
	}
	return out, nil
}

// operandGradients adds the gradients of n's operands to the graph, given that of n, dy.
func operandGradients(n *G.Node, operands []*G.Node, dy *G.Node, want []bool) ([]*G.Node, error) {
	if op, ok := n.Op().(*Op); ok {
		return op.diff(operands, n, dy, want), nil
	}
	ds, err := n.Op().(G.SDOp).SymDiff(operands, n, dy)
	if err != nil {
		return nil, fmt.Errorf("gradient of %v: %w", n.Op(), err)
	}
	// Gorgonia's BatchNorm and CTCLoss give nil for operands that they do not have.
	for len(ds) > len(want) && ds[len(ds)-1] == nil {
		ds = ds[:len(ds)-1]
	}
	if len(ds) != len(want) {
		return nil, fmt.Errorf("gradient of %v: SymDiff gave %d nodes for %d operands",
			n.Op(), len(ds), len(want))
	}
	return ds, nil
}

// sum adds contributions up. Slices of one tensor send back one Pad each; those that do not overlap
// are joined instead, which turns the backward pass of a split, or of taking every time step, from
// quadratic into linear.
func sum(parts []*G.Node) *G.Node {
	type pad struct {
		Pad
		n    *G.Node // the operand of the Pad
		size int
	}
	groups := map[int][]pad{} // by axis
	var rest []*G.Node
	for _, p := range parts {
		if op, ok := p.Op().(*Op); ok {
			if fn, ok := op.Fn.(Pad); ok {
				operand := p.Graph().From(p.ID())
				operand.Next()
				n := operand.Node().(*G.Node)
				groups[fn.Axis] = append(groups[fn.Axis], pad{fn, n, n.Shape()[fn.Axis]})
				continue
			}
		}
		rest = append(rest, p)
	}
	for axis := range len(parts[0].Shape()) {
		g := groups[axis]
		slices.SortStableFunc(g, func(a, b pad) int { return a.From - b.From })
		for len(g) > 0 {
			// Take as many as follow each other without overlap; what is left goes into the next
			// round.
			var joined, left []pad
			end := 0
			for _, p := range g {
				if p.From >= end {
					joined, end = append(joined, p), p.From+p.size
				} else {
					left = append(left, p)
				}
			}
			rest = append(rest, joinPads(axis, len(joined), func(i int) (int, int,
				*G.Node) {
				return joined[i].From, joined[i].Total, joined[i].n
			}))
			g = left
		}
	}
	total := rest[0]
	for _, p := range rest[1:] {
		total = Add(total, p)
	}
	return total
}

func joinPads(axis, n int, at func(int) (from, total int, piece *G.Node)) *G.Node {
	var pieces []*G.Node
	end := 0
	gap := func(to int, like *G.Node) {
		if to > end {
			t := TypeOf(like)
			t.Shape[axis] = to - end
			pieces = append(pieces, Apply(Fill{t.Dtype, t.Shape, 0}, like))
		}
	}
	var total int
	var piece *G.Node
	for i := range n {
		var from int
		from, total, piece = at(i)
		gap(from, piece)
		pieces = append(pieces, piece)
		end = from + piece.Shape()[axis]
	}
	gap(total, piece)
	if len(pieces) == 1 {
		return pieces[0]
	}
	return Apply(Concat{axis}, pieces...)
}
