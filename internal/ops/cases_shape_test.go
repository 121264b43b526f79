package ops_test

import (
	"fmt"
	"math"

	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/ops"
)

// reshaped adds cases of what changes a shape and no value.
func (t caseTable) reshaped() {
	for _, s := range [][]int{{}, {1}, {3, 5}} {
		t.add(opCase{
			name: fmt.Sprint(s), in: []operand{floats(-1, 1, 1, 2)},
			fn: func(d tensor.Dtype) ops.Operation {
				return ops.Fill{Dtype: d, Shape: s,
					Value: -1.25}
			},
			want: func([]array) array { return generate(s, func([]int) float64 { return -1.25 }) },
		}, "Fill")
	}
	for _, s := range [][2][]int{{{2, 3}, {3, 2}}, {{1}, {}}, {{}, {1, 1}}, {{2, 3, 5}, {30}},
		{{7, 1}, {1, 7, 1}}} {
		t.add(opCase{
			name: fmt.Sprint(s), fn: always(ops.Reshape{Shape: s[1]}),
			in:   []operand{floats(-1, 1, 1, s[0]...)},
			want: func(in []array) array { return array{s[1], in[0].v} },
		}, "Reshape")
	}
	for _, s := range []struct{ shape, perm []int }{{[]int{2, 3}, []int{1, 0}},
		{[]int{2, 3, 5}, []int{2, 0, 1}}, {[]int{2, 3, 5}, []int{0, 2, 1}},
		{[]int{1, 7, 1}, []int{1, 2, 0}}, {[]int{4}, []int{0}}, {nil, nil},
		{[]int{2, 1, 3, 2}, []int{3, 1, 0, 2}}} {
		var out []int
		for _, a := range s.perm {
			out = append(out, s.shape[a])
		}
		t.add(opCase{
			name: fmt.Sprint(s), fn: always(ops.Transpose{Perm: s.perm}),
			in: []operand{floats(-1, 1, 1, s.shape...)},
			want: func(in []array) array {
				return generate(out, func(ix []int) float64 {
					from := make([]int, len(ix))
					for i, a := range s.perm {
						from[a] = ix[i]
					}
					return in[0].at(from...)
				})
			},
		}, "Transpose")
	}
}

// parts adds cases of parts and wholes along an axis.
func (t caseTable) parts() {
	for _, s := range []struct {
		shape          []int
		axis, from, to int
	}{{[]int{5}, 0, 1, 3}, {[]int{5}, 0, 4, 5}, {[]int{1}, 0, 0, 1}, {[]int{3, 7}, 1, 2, 7},
		{[]int{3, 7}, 0, 0, 1}, {[]int{2, 5, 3}, 1, 1, 4}, {[]int{2, 1, 3}, 1, 0, 1}} {
		out := with(s.shape, s.axis, s.to-s.from)
		t.add(opCase{
			name: fmt.Sprint(s), fn: always(ops.Slice{Axis: s.axis, From: s.from, To: s.to}),
			in: []operand{floats(-1, 1, 1, s.shape...)},
			want: func(in []array) array {
				return generate(out, func(ix []int) float64 {
					return in[0].at(with(ix, s.axis,
						ix[s.axis]+s.from)...)
				})
			},
		}, "Slice")
		t.add(opCase{
			name: fmt.Sprint(s), fn: always(ops.Pad{Axis: s.axis, From: s.from,
				Total: s.shape[s.axis]}), in: []operand{floats(-1, 1, 1, out...)},
			want: func(in []array) array {
				return generate(s.shape, func(ix []int) float64 {
					if at := ix[s.axis]; at < s.from || at >= s.to {
						return 0
					}
					return in[0].at(with(ix, s.axis, ix[s.axis]-s.from)...)
				})
			},
		}, "Pad")
	}
	for _, s := range []struct {
		axis   int
		shapes [][]int
	}{{0, [][]int{{2, 3}, {1, 3}, {5, 3}}}, {1, [][]int{{2, 3}, {2, 1}}}, {0, [][]int{{1}, {1}}},
		{1, [][]int{{2, 1, 3}, {2, 2, 3}}}, {2, [][]int{{1, 1, 1}, {1, 1, 7}}}, {0, [][]int{{3}}}} {
		var in []operand
		for i, shape := range s.shapes {
			in = append(in, floats(-1, 1, i, shape...))
		}
		t.add(opCase{
			name: fmt.Sprint(s), fn: always(ops.Concat{Axis: s.axis}), in: in,
			want: func(in []array) array {
				total := 0
				for _, x := range in {
					total += x.shape[s.axis]
				}
				return generate(with(in[0].shape, s.axis, total), func(ix []int) float64 {
					at := ix[s.axis]
					for _, x := range in {
						if at < x.shape[s.axis] {
							return x.at(with(ix, s.axis, at)...)
						}
						at -= x.shape[s.axis]
					}
					return math.NaN()
				})
			},
		}, "Concat")
	}
}

// broadcast adds cases of sums to a shape and of their reverse.
func (t caseTable) broadcast() {
	for _, s := range [][2][]int{{{2, 3}, {}}, {{2, 3}, {3}}, {{2, 3}, {1, 3}}, {{2, 3}, {2, 1}},
		{{2, 3, 5}, {3, 1}}, {{7, 1, 2}, {1, 1, 2}}, {{1}, {}}, {{5, 2, 3}, {1, 2, 1}}} {
		large, small := s[0], s[1]
		t.add(opCase{
			name: fmt.Sprint(s), fn: always(ops.SumTo{Shape: small}),
			in: []operand{floats(-1, 1, 1, large...)},
			want: func(in []array) array {
				// Every element goes where the broadcast would have taken it from.
				out := generate(small, func([]int) float64 { return 0 })
				index := array{small, nil}
				each(large, func(k int, ix []int) {
					ix = ix[len(large)-len(small):]
					for i, d := range small {
						if d == 1 {
							ix[i] = 0
						}
					}
					out.v[index.offset(ix)] += in[0].v[k]
				})
				return out
			},
		}, "SumTo")
		t.add(opCase{
			name: fmt.Sprint(s), fn: always(ops.Broadcast{Shape: large}),
			in:   []operand{floats(-1, 1, 1, small...)},
			want: func(in []array) array { return generate(large, in[0].repeated) },
		}, "Broadcast")
	}
}
