package exec

import (
	"fmt"
	"unsafe"

	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// matrix is how a matrix operand lies.
type matrix struct {
	layout *layout
	trans  bool // stored transposed
	ld     int
	stack  int // elements from one matrix of a stack to the next
}

// asMatrix describes the last two axes of l, [rows, cols], for Gemm; false if neither axis is contiguous.
func asMatrix(l *layout) (matrix, bool) {
	k := len(l.shape) - 2
	rows, cols := l.shape[k], l.shape[k+1]
	m := matrix{layout: l}
	if k == 1 {
		m.stack = l.strides[0]
	}
	sr, sc := l.strides[k], l.strides[k+1]
	switch {
	case cols == 1 && rows == 1:
		m.ld = 1
	case (sc == 1 || cols == 1) && rows == 1:
		m.ld = cols
	case sc == 1 && sr >= cols:
		m.ld = sr
	case cols == 1 && sr >= 1:
		m.ld = sr
	case sr == 1 && cols > 1 && sc >= rows:
		m.ld, m.trans = sc, true
	case rows == 1 && sc >= 1:
		m.ld, m.trans = sc, true
	default:
		return m, false
	}
	return m, true
}

// gemm is C = op(A)·op(B), or C += …, of matrices or of stacks of them.
type gemm[F kernels.Float] struct {
	a, b, c        matrix
	transA, transB bool
	m, n, k        int
	count          int // matrices in a stack
	acc            bool
	pack           int // index of the packed B, or −1
	split          int
	byCols         bool // units are panels of columns, else blocks of rows
	block          int  // rows or columns of a unit
	tall           bool // rows are taken a unit at a time
}

func (g *gemm[F]) units() int { return g.split }

func (g *gemm[F]) cost() int {
	var z F
	return 50 + g.count*productCost(g.m, g.n, g.k, int(unsafe.Sizeof(z)))
}

// productCost is about how many nanoseconds a product takes: those of its arithmetic, or, with few rows, those of
// fetching B from the cache that it fits.
func productCost(m, n, k, size int) int {
	const perNano = 100 // floating-point operations
	bytes, rate := n*k*size, 80
	if bytes > 1<<20 {
		rate = 25
	}
	return max(2*m*n*k/perNano, bytes/rate)
}

func (g *gemm[F]) String() string {
	s := fmt.Sprintf("gemm %d×%d×%d", g.m, g.n, g.k)
	if g.count > 1 {
		s = fmt.Sprintf("%d × %s", g.count, s)
	}
	for _, f := range []struct {
		on   bool
		name string
	}{{g.transA, "Aᵀ"}, {g.transB, "Bᵀ"}, {g.acc, "accumulating"}, {g.pack >= 0, "packed"}} {
		if f.on {
			s += " " + f.name
		}
	}
	return s
}

func (g *gemm[F]) run(x *worker[F], lo, hi int) error {
	a, b, c := at(x, g.a.layout), at(x, g.b.layout), at(x, g.c.layout)
	if len(g.c.layout.shape) == 3 {
		for i := lo; i < hi; i++ {
			kernels.Gemm(g.transA, g.transB, g.m, g.n, g.k, a[i*g.a.stack:], g.a.ld, b[i*g.b.stack:], g.b.ld, c[i*g.c.stack:], g.c.ld, g.acc)
		}
		return nil
	}
	if g.byCols {
		from, to := lo*g.block, min(hi*g.block, g.n)
		if g.pack >= 0 {
			kernels.GemmPackedCols(g.transA, g.m, a, g.a.ld, &x.p.packs[g.pack], c, g.c.ld, g.acc, from, to)
			return nil
		}
		first := from
		if g.transB {
			first = from * g.b.ld
		}
		kernels.Gemm(g.transA, g.transB, g.m, to-from, g.k, a, g.a.ld, b[first:], g.b.ld, c[from:], g.c.ld, g.acc)
		return nil
	}
	if g.pack >= 0 && g.tall && hi-lo > 1 {
		for u := lo; u < hi; u++ { // block by block, so that each stays in the cache
			if err := g.run(x, u, u+1); err != nil {
				return err
			}
		}
		return nil
	}
	from, to := lo*g.block, min(hi*g.block, g.m)
	first := from * g.a.ld
	if g.transA {
		first = from
	}
	if g.pack >= 0 {
		kernels.GemmPacked(g.transA, to-from, a[first:], g.a.ld, &x.p.packs[g.pack], c[from*g.c.ld:], g.c.ld, g.acc)
		return nil
	}
	kernels.Gemm(g.transA, g.transB, to-from, g.n, g.k, a[first:], g.a.ld, b, g.b.ld, c[from*g.c.ld:], g.c.ld, g.acc)
	return nil
}

// pack lays out a B that is multiplied by at every step of a loop.
type pack[F kernels.Float] struct {
	b      matrix
	trans  bool
	k, n   int
	buf    int
	target int
}

func (p *pack[F]) units() int     { return max(1, min(64, p.n/48)) }
func (p *pack[F]) cost() int      { return p.k * p.n / 2 }
func (p *pack[F]) String() string { return fmt.Sprintf("pack %d×%d", p.k, p.n) }

// begin is called before run, by one worker.
func (p *pack[F]) begin(x *worker[F]) {
	t := &x.p.packs[p.target]
	t.Use(x.p.bufs[p.buf])
	t.Layout(p.k, p.n)
}

func (p *pack[F]) run(x *worker[F], lo, hi int) error {
	t, b, of := &x.p.packs[p.target], at(x, p.b.layout), p.units()
	for u := lo; u < hi; u++ {
		t.PackPart(u, of, p.trans, b, p.b.ld)
	}
	return nil
}

// evaluate runs an operation by its plain definition, on contiguous operands.
type evaluate[F kernels.Float] struct {
	fn  ops.Operation
	at  ops.Place
	in  []*layout
	out *layout
}

func (e *evaluate[F]) units() int     { return 1 }
func (e *evaluate[F]) cost() int      { return 2 * ops.Size(e.out.shape) }
func (e *evaluate[F]) String() string { return "eval " + e.fn.Key() }

func (e *evaluate[F]) run(x *worker[F], _, _ int) error {
	in := x.tensor[:0]
	for _, l := range e.in {
		in = append(in, whole(x, l))
	}
	x.tensor = in
	if err := e.fn.Eval(in, whole(x, e.out)); err != nil {
		return ops.Failed(e.at, err)
	}
	return nil
}
