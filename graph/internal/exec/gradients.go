package exec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// gradients is several products Aᵀ·B with one tall B, and the sum of B's rows: what the gradients of the weights and
// biases of a recurrence are. B, which holds the gates' gradients of all steps, is too large for the cache; it goes
// through it once, for all of them: some rows at a time if the results stay in the cache, else some columns.
type gradients[F kernels.Float] struct {
	products []*gemm[F]
	sums     []*sum[F]
	rows     int // of B in a pass
	cols     int // of B in a pass; 0: all
	k, n     int
}

const (
	gradientCols  = 64      // columns of a unit
	gradientStrip = 1024    // columns of a pass, if the results are large
	gradientCache = 3 << 18 // bytes of results that stay in a core's cache beside the rows of a pass
)

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
	some := fmt.Sprintf("%d rows", g.rows)
	if g.cols > 0 {
		some = fmt.Sprintf("%d columns", g.cols)
	}
	return fmt.Sprintf("together, %s at a time: %s", some, strings.Join(parts, ", "))
}

func (g *gradients[F]) run(x *ctx[F], lo, hi int) error {
	from, to := lo*gradientCols, min(hi*gradientCols, g.n)
	if g.cols == 0 {
		g.strip(x, from, to)
		return nil
	}
	for ; from < to; from += g.cols {
		g.strip(x, from, min(from+g.cols, to))
	}
	return nil
}

// strip does the columns from ≤ j < to.
func (g *gradients[F]) strip(x *ctx[F], from, to int) {
	b := g.products[0].b
	src := at(x, b.loc)
	for k := 0; k < g.k; k += g.rows {
		rows := min(g.rows, g.k-k)
		for _, p := range g.products {
			kernels.Gemm(true, false, p.m, to-from, rows, at(x, p.a.loc)[k*p.a.ld:], p.a.ld, src[k*b.ld+from:], b.ld, at(x, p.c.loc)[from:], p.c.ld, k > 0)
		}
		for _, s := range g.sums {
			dst := at(x, s.out)
			for c := from; c < to; c += sumCols {
				y := dst[c:min(c+sumCols, to)]
				if k == 0 {
					clear(y)
				}
				addRows(y, src[k*b.ld+c:], b.ld, rows)
			}
		}
	}
}

// emitGradients compiles v, a product with a transposed left operand, together with the other products and sums of
// the same right operand; false if there is nothing to gain.
func (k *block[F]) emitGradients(v *ir.Value) bool {
	if k.outer != nil || k.cfg.Without["fuse"] {
		return false
	}
	base := unshaped(v.Args[1])
	var products, sums []*ir.Value
	results := 0
	for _, u := range k.order {
		switch fn := u.Fn.(type) {
		case ops.MatMul:
			if k.locs[u] == nil && fn.TransA && !fn.TransB && len(u.Shape) == 2 && u.Args[1] == v.Args[1] && (u == v || k.ready(u.Args[0])) {
				products = append(products, u)
				results += u.Size() * k.elementSize()
			}
		case ops.SumTo:
			if k.locs[u] == nil && unshaped(u.Args[0]) == base && u.Size() == v.Shape[1] && len(fn.Shape) > 0 &&
				fn.Shape[len(fn.Shape)-1] == v.Shape[1] && u.Args[0].Shape[len(u.Args[0].Shape)-1] == v.Shape[1] {
				sums = append(sums, u)
			}
		}
	}
	if len(products)+len(sums) < 2 {
		return false
	}
	g := &gradients[F]{k: v.Args[1].Shape[0], n: v.Shape[1]}
	g.rows = max(sumBlock, min(256, (1<<19)/(g.n*k.elementSize())/sumBlock*sumBlock))
	if results > gradientCache {
		g.rows, g.cols = g.k, gradientStrip
	}
	var locs []*loc
	for _, u := range products {
		a, okA := asMatrix(k.loc(u.Args[0]))
		b, okB := asMatrix(k.loc(u.Args[1]))
		if !okA || !okB || a.trans || b.trans {
			return false
		}
		c, _ := asMatrix(k.target(u))
		g.products = append(g.products, &gemm[F]{a: a, b: b, c: c, transA: true, m: u.Shape[0], n: g.n, k: g.k, count: 1, pack: -1})
		locs = append(locs, a.loc, b.loc, c.loc)
	}
	for _, u := range sums {
		l := k.target(u)
		g.sums = append(g.sums, &sum[F]{in: g.products[0].b.loc, out: l, outer: 1, n: g.k, inner: g.n})
		locs = append(locs, l)
	}
	all := slices.Concat(products, sums)
	for _, u := range all {
		k.locs[u] = k.dest[u]
	}
	k.at = placesOf(all)
	k.add(g, locs...)
	return true
}

// ready reports whether a value can be had without computing anything more.
func (k *block[F]) ready(v *ir.Value) bool {
	v = unshaped(v)
	_, input := v.Fn.(ir.Input)
	return input || k.locs[v] != nil
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
