package exec

import (
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/graph/internal/pass"
	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// gradients is one or several products Aᵀ·B with one tall B, and the sum of B's rows: what the gradients of the weights and
// biases of a recurrence are. B, which holds the gates' gradients of all steps, is too large for the cache; it goes
// through it once, for all of them.
type gradients[F kernels.Float] struct {
	products []*gemm[F]
	sums     []*sum[F]
	k, n     int

	mask *layout // [T, rows of a step, 1]: where it is 0, so are the rows of B, which are left out; nil: none
	buf  *layout // [workers, each], to pack in
	each int
}

const gradientCols = 64 // columns of a unit

func (g *gradients[F]) units() int { return (g.n + gradientCols - 1) / gradientCols }

func (g *gradients[F]) cost() int {
	c := 0
	for _, p := range g.products {
		c += p.cost()
	}
	return c
}

func (g *gradients[F]) String() string {
	var parts []string
	for _, p := range g.products {
		parts = append(parts, p.String())
	}
	for _, s := range g.sums {
		parts = append(parts, s.String())
	}
	return "together: " + strings.Join(parts, ", ")
}

func (g *gradients[F]) run(x *worker[F], lo, hi int) error {
	from, to := lo*gradientCols, min(hi*gradientCols, g.n)
	lefts := x.lefts[:0]
	for _, p := range g.products {
		lefts = append(lefts, kernels.Left[F]{M: p.m, A: at(x, p.a.layout), LDA: p.a.ld, C: at(x, p.c.layout)[from:], LDC: p.c.ld})
	}
	for _, s := range g.sums {
		lefts = append(lefts, kernels.Left[F]{M: 1, C: at(x, s.out)[from:], LDC: g.n})
	}
	var runs []kernels.Run
	if g.mask != nil {
		runs = g.counting(x)
	}
	b := g.products[0].b
	kernels.GemmMulti(lefts, to-from, g.k, at(x, b.layout)[from:], b.ld, false, runs, at(x, g.buf)[x.number*g.each:][:g.each])
	return nil
}

// counting are the rows of B that count, step by step.
func (g *gradients[F]) counting(x *worker[F]) []kernels.Run {
	mask := at(x, g.mask)
	steps, batch := g.mask.shape[0], g.mask.shape[1]
	runs := x.runs[:0]
	for t := range steps {
		lo, hi := counting(mask[t*g.mask.strides[0]:], batch, g.mask.strides[1])
		runs = append(runs, kernels.Run{From: t*batch + lo, To: t*batch + max(lo, hi)})
	}
	return runs
}

// emitGradients compiles v, a product with a transposed left operand, together with the other products and sums of
// the same right operand, if there are any; false if its operands do not lie as that wants it.
func (k *block[F]) emitGradients(v *ir.Value) bool {
	if k.outer != nil || k.cfg.Without[pass.Fuse] {
		return false
	}
	base := unshaped(v.Args[1])
	var products, sums []*ir.Value
	for _, u := range k.order {
		switch fn := u.Fn.(type) {
		case ops.MatMul:
			if k.layouts[u] == nil && fn.TransA && !fn.TransB && len(u.Shape) == 2 && u.Args[1] == v.Args[1] && (u == v || k.ready(u.Args[0])) {
				products = append(products, u)
			}
		case ops.SumTo:
			if k.layouts[u] == nil && unshaped(u.Args[0]) == base && u.Size() == v.Shape[1] && len(fn.Shape) > 0 &&
				fn.Shape[len(fn.Shape)-1] == v.Shape[1] && u.Args[0].Shape[len(u.Args[0].Shape)-1] == v.Shape[1] {
				sums = append(sums, u)
			}
		}
	}
	g := &gradients[F]{k: v.Args[1].Shape[0], n: v.Shape[1]}
	if m := k.zeroRows[base]; m != nil && m.shape[0]*m.shape[1] == g.k {
		g.mask = m
	}
	var layouts []*layout
	for _, u := range products {
		a, okA := asMatrix(k.layout(u.Args[0]))
		b, okB := asMatrix(k.layout(u.Args[1]))
		if !okA || !okB || a.trans || b.trans {
			return false
		}
		c, _ := asMatrix(k.target(u))
		g.products = append(g.products, &gemm[F]{a: a, b: b, c: c, transA: true, m: u.Shape[0], n: g.n, k: g.k, count: 1, pack: -1})
		layouts = append(layouts, a.layout, b.layout, c.layout)
	}
	for _, u := range sums {
		l := k.target(u)
		g.sums = append(g.sums, &sum[F]{in: g.products[0].b.layout, out: l, outer: 1, n: g.k, inner: g.n})
		layouts = append(layouts, l)
	}
	// the first packs B while it works, if it has rows enough for that
	slices.SortStableFunc(g.products, func(p, q *gemm[F]) int { return q.m - p.m })
	rows := len(sums)
	for _, p := range g.products {
		rows += p.m
	}
	g.each = kernels.GemmMultiLen(rows, g.n, g.k)
	g.buf = k.fresh(ops.Type{Dtype: k.floatType(), Shape: []int{k.cfg.Workers, g.each}}, arena)
	layouts = append(layouts, g.buf)
	k.lefts = max(k.lefts, len(products)+len(sums))
	if g.mask != nil {
		layouts = append(layouts, g.mask)
		k.runs = max(k.runs, g.mask.shape[0])
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

// unshaped is what v is a reshaping of.
func unshaped(v *ir.Value) *ir.Value {
	for {
		if _, ok := v.Fn.(ops.Reshape); !ok {
			return v
		}
		v = v.Args[0]
	}
}
