package vm

import (
	"fmt"
	"unsafe"

	"github.com/seqzoo/seqzoo/internal/kernels"
)

// Matrix is how a matrix operand lies.
type Matrix struct {
	Layout *Layout
	Trans  bool // stored transposed
	Ld     int
	stack  int // elements from one matrix of a stack to the next
}

// AsMatrix describes the last two axes of l, [rows, cols], for Gemm; false if neither axis is
// contiguous.
func AsMatrix(l *Layout) (Matrix, bool) {
	k := len(l.Shape) - 2
	rows, cols := l.Shape[k], l.Shape[k+1]
	m := Matrix{Layout: l}
	if k == 1 {
		m.stack = l.Strides[0]
	}
	sr, sc := l.Strides[k], l.Strides[k+1]
	switch {
	case cols == 1 && rows == 1:
		m.Ld = 1
	case (sc == 1 || cols == 1) && rows == 1:
		m.Ld = cols
	case sc == 1 && sr >= cols:
		m.Ld = sr
	case cols == 1 && sr >= 1:
		m.Ld = sr
	case sr == 1 && cols > 1 && sc >= rows:
		m.Ld, m.Trans = sc, true
	case rows == 1 && sc >= 1:
		m.Ld, m.Trans = sc, true
	default:
		return m, false
	}
	return m, true
}

// Gemm is C = op(A)·op(B), or C += …, of matrices or of stacks of them.
type Gemm[F kernels.Float] struct {
	A, B, C        Matrix
	TransA, TransB bool
	M, N, K        int
	Count          int // matrices in a stack
	Acc            bool
	Pack           int // index of the packed B, or −1
	Split          int
	ByCols         bool // units are panels of columns, else blocks of rows
	Block          int  // rows or columns of a unit
	Tall           bool // rows are taken a unit at a time
}

func (g *Gemm[F]) units() int { return g.Split }

func (g *Gemm[F]) cost() int {
	var z F
	return 50 + g.Count*ProductCost(g.M, g.N, g.K, int(unsafe.Sizeof(z)))
}

// ProductCost is about how many nanoseconds a product takes: for its arithmetic or, with few rows,
// for fetching B from the cache that it fits.
func ProductCost(m, n, k, size int) int {
	const perNano = 100 // floating-point operations
	bytes, rate := n*k*size, 80
	if bytes > 1<<20 {
		rate = 25
	}
	return max(2*m*n*k/perNano, bytes/rate)
}

func (g *Gemm[F]) String() string {
	s := fmt.Sprintf("gemm %d×%d×%d", g.M, g.N, g.K)
	if g.Count > 1 {
		s = fmt.Sprintf("%d × %s", g.Count, s)
	}
	for _, f := range []struct {
		on   bool
		name string
	}{{g.TransA, "Aᵀ"}, {g.TransB, "Bᵀ"}, {g.Acc, "accumulating"}, {g.Pack >= 0, "packed"}} {
		if f.on {
			s += " " + f.name
		}
	}
	return s
}

func (g *Gemm[F]) run(x *worker[F], lo, hi int) error {
	a, b, c := at(x, g.A.Layout), at(x, g.B.Layout), at(x, g.C.Layout)
	if len(g.C.Layout.Shape) == 3 {
		for i := lo; i < hi; i++ {
			kernels.Gemm(g.TransA, g.TransB, g.M, g.N, g.K, a[i*g.A.stack:], g.A.Ld,
				b[i*g.B.stack:], g.B.Ld, c[i*g.C.stack:], g.C.Ld, g.Acc)
		}
		return nil
	}
	if g.ByCols {
		from, to := lo*g.Block, min(hi*g.Block, g.N)
		if g.Pack >= 0 {
			kernels.GemmPackedCols(g.TransA, g.M, a, g.A.Ld, &x.p.packs[g.Pack], c, g.C.Ld, g.Acc,
				from, to)
			return nil
		}
		first := from
		if g.TransB {
			first = from * g.B.Ld
		}
		kernels.Gemm(g.TransA, g.TransB, g.M, to-from, g.K, a, g.A.Ld, b[first:], g.B.Ld, c[from:],
			g.C.Ld, g.Acc)
		return nil
	}
	if g.Pack >= 0 && g.Tall && hi-lo > 1 {
		for u := lo; u < hi; u++ { // block by block, so that each stays in the cache
			if err := g.run(x, u, u+1); err != nil {
				return err
			}
		}
		return nil
	}
	from, to := lo*g.Block, min(hi*g.Block, g.M)
	first := from * g.A.Ld
	if g.TransA {
		first = from
	}
	if g.Pack >= 0 {
		kernels.GemmPacked(g.TransA, to-from, a[first:], g.A.Ld, &x.p.packs[g.Pack],
			c[from*g.C.Ld:], g.C.Ld, g.Acc)
		return nil
	}
	kernels.Gemm(g.TransA, g.TransB, to-from, g.N, g.K, a[first:], g.A.Ld, b, g.B.Ld,
		c[from*g.C.Ld:], g.C.Ld, g.Acc)
	return nil
}
