package vm

import (
	"fmt"
	"slices"

	"github.com/seqzoo/seqzoo/internal/kernels"
)

// Sum adds up the middle axis of [outer, n, inner]. The order of the additions depends on the shape
// alone.
type Sum[F kernels.Float] struct {
	In, Out         *Layout
	Outer, N, Inner int
	Stride          []int // of outer and n
	Split           int
	ByBatch         bool
}

const (
	SumCols  = 128 // columns of a unit
	sumBlock = 64  // terms that are added up on their own, so that rounding errors grow slowly
)

func (s *Sum[F]) units() int { return s.Split }

func (s *Sum[F]) cost() int { return s.Outer * (10 + s.N*(2+s.Inner/8)) }

func (s *Sum[F]) String() string { return fmt.Sprintf("sum %d×[%d]×%d", s.Outer, s.N, s.Inner) }

func (s *Sum[F]) run(x *worker[F], lo, hi int) error {
	src, dst := at(x, s.In), at(x, s.Out)
	switch {
	case s.ByBatch:
		each := s.Outer / s.Split
		if s.Inner == 1 {
			s.totals(dst, src, lo*each, hi*each)
			return nil
		}
		for i := lo * each; i < hi*each; i++ {
			s.columns(x, dst, src, i, 0, s.Inner)
		}
	case s.Inner == 1:
		s.totals(dst, src, lo, hi)
	default:
		parts := s.Split / s.Outer
		for u := lo; u < hi; u++ {
			from := u % parts * SumCols
			s.columns(x, dst, src, u/parts, from, min(from+SumCols, s.Inner))
		}
	}
	return nil
}

// totals are the sums lo ≤ i < hi of rows.
func (s *Sum[F]) totals(dst, src []F, lo, hi int) {
	if s.N <= 1024 {
		kernels.SumRows(dst[lo:hi], src[lo*s.Stride[0]:], s.Stride[0], s.N)
		return
	}
	for i := lo; i < hi; i++ {
		dst[i] = s.total(src[i*s.Stride[0]:][:s.N])
	}
}

func (s *Sum[F]) total(v []F) F {
	var t float64
	for c := range slices.Chunk(v, 1024) {
		t += float64(kernels.Sum(c))
	}
	return F(t)
}

func (s *Sum[F]) columns(x *worker[F], dst, src []F, i, from, to int) {
	src = src[i*s.Stride[0]:]
	for ; from < to; from += SumCols {
		w := min(SumCols, to-from)
		y := dst[i*s.Inner+from:][:w]
		clear(y)
		addRows(y, src[from:], s.Stride[1], s.N)
	}
}

// addRows adds n rows, stride elements apart, to y, which has at most sumCols elements.
func addRows[F kernels.Float](y, src []F, stride, n int) {
	if n <= sumBlock {
		kernels.AddRows(y, src, stride, n)
		return
	}
	var buf [SumCols]F
	acc := buf[:len(y)]
	for r := 0; r < n; r += sumBlock {
		clear(acc)
		kernels.AddRows(acc, src[r*stride:], stride, min(sumBlock, n-r))
		kernels.Add(y, y, acc)
	}
}
