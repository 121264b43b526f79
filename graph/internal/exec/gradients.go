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

	mask *loc // [T, rows of a step, 1]: where it is 0, so are the rows of B, which are left out; nil: none
}

const (
	gradientCols  = 64      // columns of a unit
	maskedRows    = 128     // rows of a pass, if some are left out
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
	if g.mask != nil {
		g.counting(x, src, from, to)
		return
	}
	for k := 0; k < g.k; k += g.rows {
		g.add(x, func(p *gemm[F]) ([]F, int) { return at(x, p.a.loc)[k*p.a.ld:], p.a.ld }, src[k*b.ld:], b.ld, min(g.rows, g.k-k), nil, from, to, k > 0)
	}
}

// counting is strip for the rows that count. They are copied side by side, as many as make a pass. Sums are taken of the
// same blocks of rows as without a mask, so that the rows which are left out change no bit.
func (g *gradients[F]) counting(x *ctx[F], src []F, from, to int) {
	mask, b := at(x, g.mask), g.products[0].b
	steps, batch := g.mask.shape[0], g.mask.shape[1]
	buf := x.gather
	bufB := buf[:maskedRows*(to-from)]
	var starts [maskedRows]int // of blocks
	rows, blocks, last, seen := 0, 0, -1, false
	flush := func() {
		at := len(bufB)
		g.add(x, func(p *gemm[F]) ([]F, int) {
			a := buf[at : at+maskedRows*p.m]
			at += len(a)
			return a, p.m
		}, bufB, to-from, rows, starts[:blocks], from, to, seen)
		rows, blocks, seen = 0, 0, true
	}
	for t := range steps {
		lo, hi := counting(mask[t*g.mask.strides[0]:], batch, g.mask.strides[1])
		for i := t*batch + lo; i < t*batch+hi; i++ {
			if block := i / sumBlock; block != last {
				if rows > maskedRows-sumBlock {
					flush()
				}
				starts[blocks], last = rows, block
				blocks++
			}
			copy(bufB[rows*(to-from):(rows+1)*(to-from)], src[i*b.ld+from:])
			off := len(bufB)
			for _, p := range g.products {
				copy(buf[off+rows*p.m:off+(rows+1)*p.m], at(x, p.a.loc)[i*p.a.ld:])
				off += maskedRows * p.m
			}
			rows++
		}
	}
	if rows > 0 || !seen {
		flush()
	}
}

// add adds some rows to the results, or makes them the results; b has its rows from column 0 on, or, if it is gathered,
// from column `from` on, in blocks that begin at starts.
func (g *gradients[F]) add(x *ctx[F], a func(p *gemm[F]) ([]F, int), b []F, ldb, rows int, starts []int, from, to int, more bool) {
	skip := from
	if g.mask != nil {
		skip = 0
	}
	for _, p := range g.products {
		op, lda := a(p)
		kernels.Gemm(true, false, p.m, to-from, rows, op, lda, b[skip:], ldb, at(x, p.c.loc)[from:], p.c.ld, more)
	}
	for _, s := range g.sums {
		dst := at(x, s.out)
		for c := from; c < to; c += sumCols {
			y := dst[c:min(c+sumCols, to)]
			if !more {
				clear(y)
			}
			for i, start := range starts {
				end := rows
				if i+1 < len(starts) {
					end = starts[i+1]
				}
				addRows(y, b[start*ldb+c-from:], ldb, end-start)
			}
			if g.mask == nil {
				addRows(y, b[c:], ldb, rows)
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
	if m := k.zeroRows[base]; m != nil && m.shape[0]*m.shape[1] == g.k {
		g.mask = m
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
	if g.mask != nil {
		locs = append(locs, g.mask)
		width := g.n
		if g.cols > 0 {
			width = g.cols
		}
		for _, p := range g.products {
			width += p.m
		}
		k.gather = max(k.gather, maskedRows*width)
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
