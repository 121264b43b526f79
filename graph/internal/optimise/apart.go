package optimise

import (
	"slices"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// apart notes products of one operand that stay products of their own, as their weights are
// several.
func apart(l *level) {
	type product struct {
		at      ops.Place
		weights *ir.Value
	}
	of := map[*ir.Value][]product{}
	var lefts []*ir.Value
	for _, v := range l.order {
		left, right := (*ir.Value)(nil), (*ir.Value)(nil)
		var fn ops.MatMul
		switch f := v.Fn.(type) {
		case ops.MatMul:
			fn, left, right = f, v.Args[0], v.Args[1]
		case ir.MatMulAcc:
			fn, left, right = f.MatMul, v.Args[1], v.Args[2]
		}
		// gradients of weights share their right operand
		if left == nil || len(v.Shape) != 2 || fn.TransA {
			continue
		}
		for len(right.Args) > 0 && !ir.Computed(right) { // a part of a matrix, or a view of it
			right = right.Args[0]
		}
		if of[left] == nil {
			lefts = append(lefts, left)
		}
		if !slices.ContainsFunc(of[left], func(p product) bool { return p.weights == right }) {
			of[left] = append(of[left], product{v.At, right})
		}
	}
	for _, left := range lefts {
		if ps := of[left]; len(ps) > 1 {
			l.notes.Add("%v: %d products of one operand are not joined to one: their "+
				"weights lie apart", ps[0].at, len(ps))
		}
	}
}
