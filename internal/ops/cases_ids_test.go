package ops_test

import (
	"fmt"
	"math"
	"slices"

	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/ops"
)

// gathered adds cases of rows by ids.
func (t caseTable) gathered() {
	for _, s := range []struct {
		v, e    int
		ids     []int
		shape   []int
		padding int
	}{{5, 3, []int{4, 0, 2, 2, 4, 1}, []int{2, 3}, -1},
		{5, 3, []int{4, 0, 2, 2, 4, 1}, []int{6}, 2}, {1, 1, []int{0}, []int{1}, -1},
		{3, 1, []int{2}, nil, -1},
		{2, 7, []int{1, 0, 1}, []int{3, 1, 1}, 0}} {
		rows := append(slices.Clone(s.shape), s.e)
		c := opCase{
			name: fmt.Sprint(s), fn: always(ops.Gather{Padding: s.padding}),
			in:    []operand{floats(-1, 1, 1, s.v, s.e), ints(s.ids, s.shape...)},
			stops: s.padding >= 0,
			want: func(in []array) array {
				return generate(rows, func(ix []int) float64 {
					k := len(ix) - 1
					return in[0].at(int(in[1].at(ix[:k]...)), ix[k])
				})
			},
		}
		t.add(c, "Gather")
		t.add(opCase{
			name: fmt.Sprint(s), fn: always(ops.ScatterAdd{V: s.v, Padding: s.padding}),
			in: []operand{ints(s.ids, s.shape...), floats(-1, 1, 1, rows...)},
			want: func(in []array) array {
				out := generate([]int{s.v, s.e}, func([]int) float64 { return 0 })
				each(rows, func(i int, ix []int) {
					k := len(ix) - 1
					if id := int(in[0].at(ix[:k]...)); id != s.padding {
						out.v[id*s.e+ix[k]] += in[1].v[i]
					}
				})
				return out
			},
		}, "ScatterAdd")
	}
}

// masks adds cases of what compares ids and counts.
func (t caseTable) masks() {
	ids := ints([]int{3, 0, 1, 1, 2, 4}, 2, 3)
	t.add(opCase{
		name: "[2 3]", in: []operand{ids},
		fn: func(d tensor.Dtype) ops.Operation { return ops.OneHot{Dtype: d, V: 5} },
		want: func(in []array) array {
			return generate([]int{2, 3, 5},
				func(ix []int) float64 { return truth(int(in[0].at(ix[:2]...)) == ix[2]) })
		},
	}, "OneHot")
	t.add(opCase{
		name: "a scalar", in: []operand{ints([]int{0})},
		fn:   func(d tensor.Dtype) ops.Operation { return ops.OneHot{Dtype: d, V: 1} },
		want: func([]array) array { return array{[]int{1}, []float64{1}} },
	}, "OneHot")
	t.add(opCase{
		name: "[2 3]", in: []operand{ids},
		fn: func(d tensor.Dtype) ops.Operation {
			return ops.Differs{Dtype: d,
				Values: []int{1, 3}}
		},
		want: func(in []array) array {
			return generate([]int{2, 3},
				func(ix []int) float64 {
					return truth(in[0].at(ix...) != 1 &&
						in[0].at(ix...) != 3)
				})
		},
	}, "Differs")
	t.add(opCase{
		name: "[2 3]", ids: true, in: []operand{ids}, fn: always(ops.Within{N: 2}),
		want: func(in []array) array {
			return generate([]int{2, 3},
				func(ix []int) float64 { return in[0].at(ix...) * truth(in[0].at(ix...) < 2) })
		},
	}, "Within")
	t.add(opCase{
		name: "[2 3]", ids: true, in: []operand{given([]float64{1, 0, -2, 0, 0.5, 0}, 2, 3), ids},
		fn: always(ops.MaskIDs{}),
		want: func(in []array) array {
			return generate([]int{2, 3},
				func(ix []int) float64 { return truth(in[0].at(ix...) != 0) * in[1].at(ix...) })
		},
	}, "MaskIDs")
	t.add(opCase{
		name: "[4]", in: []operand{ints([]int{3, 0, 1, 2}, 4)},
		fn: func(d tensor.Dtype) ops.Operation { return ops.LengthMask{Dtype: d, T: 3} },
		want: func(in []array) array {
			return generate([]int{3, 4, 1},
				func(ix []int) float64 { return truth(float64(ix[0]) < in[0].at(ix[1])) })
		},
	}, "LengthMask")
}

// indices adds cases that give ids.
func (t caseTable) indices() {
	for _, n := range []int{1, 5} {
		t.add(opCase{
			name: fmt.Sprint(n), in: []operand{floats(-1, 1, 1, 2)},
			fn: func(d tensor.Dtype) ops.Operation { return ops.Range{Dtype: d, N: n} },
			want: func([]array) array {
				return generate([]int{n},
					func(ix []int) float64 { return float64(ix[0]) })
			},
		}, "Range")
	}
	for _, x := range []operand{floats(-1, 1, 1, 2, 3, 5), given([]float64{2, 7, 7, -1}, 4),
		given([]float64{-3}, 1, 1),
		given([]float64{1, math.NaN(), math.Inf(1), math.NaN(), math.NaN(), 2}, 2, 3)} {
		t.add(opCase{
			name: fmt.Sprint(x.Shape), ids: true, in: []operand{x}, fn: always(ops.ArgMax{}),
			want: func(in []array) array {
				k := len(x.Shape) - 1
				return generate(x.Shape[:k], func(ix []int) float64 {
					best := 0
					for j := range x.Shape[k] {
						v := in[0].at(append(slices.Clone(ix), j)...)
						most := in[0].at(append(slices.Clone(ix), best)...)
						if v > most || math.IsNaN(v) && !math.IsNaN(most) {
							best = j
						}
					}
					return float64(best)
				})
			},
		}, "ArgMax")
	}
}
