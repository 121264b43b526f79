package plan

import (
	"slices"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// pairs are the losses of a flow that one instruction computes together with the gradient of their
// logits.
type pairs struct {
	*flow
	gradOf map[*ir.Value]*ir.Value // of a loss
	lossOf map[*ir.Value]*ir.Value // the same turned round
}

// newPairs decides which losses are pairs; without pair none is. A loss waits for the gradient that
// comes to it, so that gradient must not need the loss, by way of other pairs either.
func newPairs(f *flow, pair bool) *pairs {
	p := &pairs{f, map[*ir.Value]*ir.Value{}, map[*ir.Value]*ir.Value{}}
	if !pair {
		return p
	}
	for _, v := range p.order {
		fn, ok := v.Fn.(ops.CrossEntropy)
		if !ok {
			continue
		}
		for _, u := range p.readers[v.Args[0]] {
			g, ok := u.Fn.(ops.CrossEntropyGrad)
			if ok && u.Args[0] == v.Args[0] && u.Args[1] == v.Args[1] &&
				g.CrossEntropy.Key() == fn.Key() &&
				p.lossOf[u] == nil && !p.needs(u.Args[2], v) {
				p.gradOf[v], p.lossOf[u] = u, v
				break
			}
		}
	}
	return p
}

// operands are the values that v is computed from, or in one instruction with.
func (p *pairs) operands(v *ir.Value) []*ir.Value {
	if g := p.gradOf[v]; g != nil {
		return append(slices.Clone(v.Args), g.Args[2])
	}
	return v.Args
}

// needs reports whether w must have been computed before v can be.
func (p *pairs) needs(v, w *ir.Value) bool {
	seen := map[*ir.Value]bool{}
	var visit func(v *ir.Value) bool
	visit = func(v *ir.Value) bool {
		if v == w {
			return true
		}
		if seen[v] {
			return false
		}
		seen[v] = true
		if l := p.lossOf[v]; l != nil && visit(l) { // a gradient comes with its loss
			return true
		}
		return slices.ContainsFunc(p.operands(v), visit)
	}
	return visit(v)
}
