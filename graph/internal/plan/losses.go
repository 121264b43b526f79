package plan

import (
	"slices"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/graph/internal/pass"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// pairLosses decides which losses are computed together with the gradient of their logits. Such a
// loss waits for the gradient that comes to it, so that must not need the loss, by way of other
// pairs either.
func (k *block[F]) pairLosses() {
	k.gradOf, k.lossOf = map[*ir.Value]*ir.Value{}, map[*ir.Value]*ir.Value{}
	if k.outer != nil || k.cfg.Without[pass.Fuse] {
		return
	}
	for _, v := range k.order {
		fn, ok := v.Fn.(ops.CrossEntropy)
		if !ok {
			continue
		}
		for _, u := range k.readers[v.Args[0]] {
			g, ok := u.Fn.(ops.CrossEntropyGrad)
			if ok && u.Args[0] == v.Args[0] && u.Args[1] == v.Args[1] &&
				g.CrossEntropy.Key() == fn.Key() &&
				k.lossOf[u] == nil && !k.needs(u.Args[2], v) {
				k.gradOf[v], k.lossOf[u] = u, v
				break
			}
		}
	}
}

// operands are the values that v is computed from, or in one instruction with.
func (k *block[F]) operands(v *ir.Value) []*ir.Value {
	if g := k.gradOf[v]; g != nil {
		return append(slices.Clone(v.Args), g.Args[2])
	}
	return v.Args
}

// needs reports whether w must have been computed before v can be.
func (k *block[F]) needs(v, w *ir.Value) bool {
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
		if l := k.lossOf[v]; l != nil && visit(l) { // a gradient comes with its loss
			return true
		}
		return slices.ContainsFunc(k.operands(v), visit)
	}
	return visit(v)
}
