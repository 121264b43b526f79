package plan

import (
	"slices"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/graph/internal/vm"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// place decides where values are written that become part of another, so that joining costs no
// copy. Users are visited before what they use.
func (k *block[F]) place() {
	for _, v := range slices.Backward(k.order) {
		k.placeOperands(v)
	}
}

func (k *block[F]) placeOperands(v *ir.Value) {
	if k.placed[v] {
		return
	}
	k.placed[v] = true
	put := func(a *ir.Value, axis, from int) {
		to := k.dest[v].Slice(axis, from, from+a.Shape[axis])
		switch {
		case strided(a) && k.dest[a] == nil && !(k.outer == nil && k.roots[a]):
			k.dest[a] = to
			k.placeOperands(a)
		case isElementwise(a) && !k.cfg.Without[passFuse]:
			k.also[a] = append(k.also[a], to)
		default:
			k.placeStored(a, to)
		}
	}
	switch fn := v.Fn.(type) {
	case ir.Copy:
		k.placeCopied(v)
	case ops.Concat:
		if !strided(v) {
			return
		}
		k.target(v)
		at := 0
		for _, a := range v.Args {
			put(a, fn.Axis, at)
			at += a.Shape[fn.Axis]
		}
	case ops.Pad:
		if strided(v) {
			k.target(v)
			put(v.Args[0], fn.Axis, fn.From)
		}
	case ir.MatMulAcc:
		if u := v.Args[0]; k.users[u] == 1 && strided(u) && k.dest[u] == nil && !k.roots[u] {
			k.dest[u] = k.target(v)
			k.placeOperands(u)
		}
	}
}

// placeStored has what a loop over segments stores, of which v is a reshaping, written to where it
// is joined with others.
func (k *block[F]) placeStored(v *ir.Value, to *vm.Layout) {
	o := unshaped(v)
	out, ok := o.Fn.(ir.Output)
	if !ok || out.Kind != ir.Stored || k.dest[o] != nil || k.roots[o] ||
		!o.Args[0].Fn.(*ir.Loop).Segments {
		return
	}
	k.dest[o] = to.Reshape(o.Shape) // nil if it does not lie so
}

// placeCopied has what v is a copy of, in another shape, computed where the copy is to lie: the
// state of a loop is [B, n] to the loop, and a matrix to the cell that computes it.
func (k *block[F]) placeCopied(v *ir.Value) {
	a := unshaped(v.Args[0])
	if k.outer == nil || k.dest[v] == nil || k.dest[a] != nil || k.roots[a] || !strided(a) ||
		!k.dest[v].Contiguous() {
		return
	}
	k.dest[a] = k.dest[v].Reshape(a.Shape)
	k.placeOperands(a)
}

// copied reports whether v is a copy that lies where what it is a copy of was computed.
func (k *block[F]) copied(v *ir.Value) bool {
	if _, ok := v.Fn.(ir.Copy); !ok || k.dest[v] == nil {
		return false
	}
	k.emit(v.Args[0])
	l := k.layouts[v.Args[0]]
	return l != nil && l.Contiguous() && k.dest[v].Contiguous() && l.Same(k.dest[v])
}

// target is where v is to be written.
func (k *block[F]) target(v *ir.Value) *vm.Layout {
	if k.dest[v] == nil {
		k.dest[v] = k.freshFor(v, v.Type)
	}
	return k.dest[v]
}
