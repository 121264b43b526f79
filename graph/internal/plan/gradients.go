package plan

import (
	"slices"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/graph/internal/vm"
	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// emitGradients compiles v, a product with a transposed left operand, together with the other
// products and sums of the same right operand, if there are any; false if its operands do not lie
// as that wants it.
func (k *block[F]) emitGradients(v *ir.Value) bool {
	if k.outer != nil || k.cfg.Without[passFuse] {
		return false
	}
	base := unshaped(v.Args[1])
	var products, sums []*ir.Value
	for _, u := range k.order {
		switch fn := u.Fn.(type) {
		case ops.MatMul:
			if k.layouts[u] == nil && fn.TransA && !fn.TransB && len(u.Shape) == 2 &&
				u.Args[1] == v.Args[1] && (u == v || k.ready(u.Args[0])) {
				products = append(products, u)
			}
		case ops.SumTo:
			if k.layouts[u] == nil && unshaped(u.Args[0]) == base && u.Size() == v.Shape[1] &&
				len(fn.Shape) > 0 &&
				fn.Shape[len(fn.Shape)-1] == v.Shape[1] &&
				u.Args[0].Shape[len(u.Args[0].Shape)-1] == v.Shape[1] {
				sums = append(sums, u)
			}
		}
	}
	g := &vm.Gradients[F]{K: v.Args[1].Shape[0], N: v.Shape[1]}
	if m := k.zeroRows[base]; m != nil && m.Shape[0]*m.Shape[1] == g.K {
		g.Mask = m
	}
	var layouts []*vm.Layout
	for _, u := range products {
		a, okA := vm.AsMatrix(k.layout(u.Args[0]))
		b, okB := vm.AsMatrix(k.layout(u.Args[1]))
		if !okA || !okB || a.Trans || b.Trans {
			return false
		}
		c, _ := vm.AsMatrix(k.target(u))
		g.Products = append(g.Products, &vm.Gemm[F]{A: a, B: b, C: c, TransA: true, M: u.Shape[0],
			N: g.N, K: g.K, Count: 1, Pack: -1})
		layouts = append(layouts, a.Layout, b.Layout, c.Layout)
	}
	for _, u := range sums {
		l := k.target(u)
		g.Sums = append(g.Sums, &vm.Sum[F]{In: g.Products[0].B.Layout, Out: l, Outer: 1, N: g.K,
			Inner: g.N})
		layouts = append(layouts, l)
	}
	// the first packs B while it works, if it has rows enough for that
	slices.SortStableFunc(g.Products, func(p, q *vm.Gemm[F]) int { return q.M - p.M })
	rows := len(sums)
	for _, p := range g.Products {
		rows += p.M
	}
	g.Each = kernels.GemmMultiLen(rows, g.N, g.K)
	g.Buf = k.fresh(ops.Type{Dtype: k.floatType(), Shape: []int{k.cfg.Workers, g.Each}}, vm.InArena)
	layouts = append(layouts, g.Buf)
	k.code.Scratch.Lefts = max(k.code.Scratch.Lefts, len(products)+len(sums))
	if g.Mask != nil {
		layouts = append(layouts, g.Mask)
		k.code.Scratch.Runs = max(k.code.Scratch.Runs, g.Mask.Shape[0])
	}
	all := slices.Concat(products, sums)
	for _, u := range all {
		k.layouts[u] = k.dest[u]
	}
	k.at = placesOf(all)
	k.add(g, layouts...)
	return true
}

// ready reports whether a value can be had without computing anything more.
func (k *block[F]) ready(v *ir.Value) bool {
	v = unshaped(v)
	_, input := v.Fn.(ir.Input)
	return input || k.layouts[v] != nil
}
