package ops

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/internal/kernels"
)

// MatMul is op(A)·op(B) of two matrices, or of two stacks of matrices [N, ·, ·] pair by pair; op
// transposes or not.
type MatMul struct{ TransA, TransB bool }

func (m MatMul) Key() string { return fmt.Sprintf("matmul{%t %t}", m.TransA, m.TransB) }

// dims of op(A) [M, K] and op(B) [K, N], and the number of matrices.
func (m MatMul) dims(a, b []int) (n, rows, inner, inner2, cols int) {
	k, l := len(a)-2, len(b)-2
	rows, inner, inner2, cols = a[k], a[k+1], b[l], b[l+1]
	if m.TransA {
		rows, inner = inner, rows
	}
	if m.TransB {
		inner2, cols = cols, inner2
	}
	return Size(a[:k]), rows, inner, inner2, cols
}

func (m MatMul) Infer(in []Type) (Type, error) {
	if err := sameFloat(in...); err != nil {
		return in[0], err
	}
	a, b := in[0].Shape, in[1].Shape
	if len(a) < 2 || len(b) < 2 {
		return in[0], fmt.Errorf("want two matrices; a vector is a matrix of one row or one column")
	}
	n, rows, inner, inner2, cols := m.dims(a, b)
	if inner != inner2 {
		want := slices.Clone(a)
		if m.TransA {
			want[len(a)-2] = inner2
		} else {
			want[len(a)-1] = inner2
		}
		return in[0], fmt.Errorf("inner dimensions %d and %d differ: to fit the second operand, "+
			"the first must be %s", inner, inner2, ShapeString(want))
	}
	if len(a) != len(b) || len(a) > 3 {
		return in[0], fmt.Errorf("want two matrices, or two stacks [N, rows, columns] of matrices")
	}
	if len(a) == 3 && a[0] != b[0] {
		return in[0], fmt.Errorf("stacks of %d and %d matrices: want as many", a[0], b[0])
	}
	out := Type{in[0].Dtype, []int{rows, cols}}
	if len(a) == 3 {
		out.Shape = []int{n, rows, cols}
	}
	return out, nil
}

func (m MatMul) Eval(in []Tensor, out Tensor) error {
	return evaluate(out, func() error { return evalMatMul[float32](m, in, out) },
		func() error { return evalMatMul[float64](m, in, out) })
}

func evalMatMul[F kernels.Float](m MatMul, in []Tensor, out Tensor) error {
	n, rows, inner, _, cols := m.dims(in[0].Shape, in[1].Shape)
	lda, ldb := in[0].Shape[len(in[0].Shape)-1], in[1].Shape[len(in[1].Shape)-1]
	a, b, c := data[F](in[0]), data[F](in[1]), data[F](out)
	for i := range n {
		kernels.Gemm(m.TransA, m.TransB, rows, cols, inner, a[i*rows*inner:(i+1)*rows*inner], lda,
			b[i*inner*cols:(i+1)*inner*cols], ldb, c[i*rows*cols:(i+1)*rows*cols], cols, false)
	}
	return nil
}

func (m MatMul) Diff(in []*G.Node, _, dy *G.Node, need []bool) []*G.Node {
	a, b := in[0], in[1]
	ds := make([]*G.Node, 2)
	if need[0] {
		if m.TransA {
			ds[0] = Apply(MatMul{m.TransB, true}, b, dy)
		} else {
			ds[0] = Apply(MatMul{false, !m.TransB}, dy, b)
		}
	}
	if need[1] {
		if m.TransB {
			ds[1] = Apply(MatMul{true, m.TransA}, dy, a)
		} else {
			ds[1] = Apply(MatMul{!m.TransA, false}, a, dy)
		}
	}
	return ds
}
