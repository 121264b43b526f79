package ops_test

import (
	"fmt"
	"slices"

	"github.com/seqzoo/seqzoo/internal/ops"
)

// matMul adds cases of products of matrices.
func (t caseTable) matMul() {
	for _, m := range []struct{ n, rows, inner, cols int }{{0, 2, 3, 5}, {0, 1, 1, 1}, {0, 7, 1, 2},
		{0, 1, 5, 1}, {3, 2, 5, 3}, {1, 1, 1, 1}, {2, 1, 3, 1}} {
		for _, fn := range []ops.MatMul{{}, {TransA: true}, {TransB: true},
			{TransA: true, TransB: true}} {
			a, b, out := []int{m.rows, m.inner}, []int{m.inner, m.cols}, []int{m.rows, m.cols}
			if fn.TransA {
				slices.Reverse(a)
			}
			if fn.TransB {
				slices.Reverse(b)
			}
			if m.n > 0 {
				a, b, out = append([]int{m.n}, a...), append([]int{m.n}, b...),
					append([]int{m.n}, out...)
			}
			t.add(opCase{
				name: fmt.Sprintf("%v·%v %+v", a, b, fn), fn: always(fn),
				in: []operand{floats(-1, 1, 1, a...), floats(-1, 1, 2, b...)},
				want: func(in []array) array {
					return generate(out, func(ix []int) (sum float64) {
						k := len(ix) - 2
						for l := range m.inner {
							i, j := []int{ix[k], l}, []int{l, ix[k+1]}
							if fn.TransA {
								slices.Reverse(i)
							}
							if fn.TransB {
								slices.Reverse(j)
							}
							sum += in[0].at(append(slices.Clone(ix[:k]),
								i...)...) * in[1].at(append(slices.Clone(ix[:k]), j...)...)
						}
						return sum
					})
				},
			}, "MatMul")
		}
	}
}
