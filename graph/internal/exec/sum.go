package exec

import (
	"fmt"
	"slices"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// emitSum compiles a sum over axes that, once neighbours are joined, are one axis: in is [outer, n, inner] and the
// result [outer, inner].
func (k *block[F]) emitSum(v *ir.Value, fn ops.SumTo) bool {
	in := v.Args[0].Shape
	kept := make([]bool, len(in)) // axes that are not added up; those of size 1 belong to either side
	skip := len(in) - len(fn.Shape)
	for i := range in {
		kept[i] = i >= skip && fn.Shape[i-skip] == in[i]
	}
	s := &sum[F]{outer: 1, n: 1, inner: 1}
	stage := 0
	for i, d := range in {
		switch {
		case d == 1:
		case kept[i] && stage == 0:
			s.outer *= d
		case !kept[i] && stage <= 1:
			stage = 1
			s.n *= d
		case kept[i]:
			stage = 2
			s.inner *= d
		default:
			return false
		}
	}
	s.in = k.layout(v.Args[0])
	as := s.in.reshape([]int{s.outer, s.n, s.inner})
	if as == nil || s.inner > 1 && as.strides[2] != 1 || s.inner == 1 && s.n > 1 && as.strides[1] != 1 {
		s.in = k.compact(s.in, v.Args[0].Type)
		as = s.in.reshape([]int{s.outer, s.n, s.inner})
	}
	s.stride = as.strides[:2]
	s.out = k.target(v)
	k.layouts[v] = s.out
	if k.batch > 0 {
		s.split = k.batch
	} else if s.inner == 1 {
		s.split = s.outer
	} else {
		s.split = s.outer * ((s.inner + sumCols - 1) / sumCols)
	}
	s.byBatch = k.batch > 0
	k.add(s, s.in, s.out)
	return true
}

// sum adds up the middle axis of [outer, n, inner]. The order of the additions depends on the shape alone.
type sum[F kernels.Float] struct {
	in, out         *layout
	outer, n, inner int
	stride          []int // of outer and n
	split           int
	byBatch         bool
}

const (
	sumCols  = 128 // columns of a unit
	sumBlock = 64  // terms that are added up on their own, so that rounding errors grow slowly
)

func (s *sum[F]) units() int     { return s.split }
func (s *sum[F]) cost() int      { return s.outer * (10 + s.n*(2+s.inner/8)) }
func (s *sum[F]) String() string { return fmt.Sprintf("sum %d×[%d]×%d", s.outer, s.n, s.inner) }

func (s *sum[F]) run(x *worker[F], lo, hi int) error {
	src, dst := at(x, s.in), at(x, s.out)
	switch {
	case s.byBatch:
		each := s.outer / s.split
		for i := lo * each; i < hi*each; i++ {
			s.columns(x, dst, src, i, 0, s.inner)
		}
	case s.inner == 1:
		for i := lo; i < hi; i++ {
			dst[i] = s.total(src[i*s.stride[0]:][:s.n])
		}
	default:
		parts := s.split / s.outer
		for u := lo; u < hi; u++ {
			from := u % parts * sumCols
			s.columns(x, dst, src, u/parts, from, min(from+sumCols, s.inner))
		}
	}
	return nil
}

func (s *sum[F]) total(v []F) F {
	if len(v) <= 1024 {
		return kernels.Sum(v)
	}
	var t float64
	for c := range slices.Chunk(v, 1024) {
		t += float64(kernels.Sum(c))
	}
	return F(t)
}

func (s *sum[F]) columns(x *worker[F], dst, src []F, i, from, to int) {
	if s.inner == 1 {
		dst[i] = s.total(src[i*s.stride[0]:][:s.n])
		return
	}
	src = src[i*s.stride[0]:]
	for ; from < to; from += sumCols {
		w := min(sumCols, to-from)
		y := dst[i*s.inner+from:][:w]
		clear(y)
		addRows(y, src[from:], s.stride[1], s.n)
	}
}

// addRows adds n rows, stride elements apart, to y, which has at most sumCols elements.
func addRows[F kernels.Float](y, src []F, stride, n int) {
	var buf [sumCols]F
	acc := buf[:len(y)]
	for r := 0; r < n; r += sumBlock {
		clear(acc)
		for q := r; q < min(r+sumBlock, n); q++ {
			kernels.Add(acc, acc, src[q*stride:][:len(y)])
		}
		kernels.Add(y, y, acc)
	}
}
