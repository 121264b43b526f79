package ops_test

import (
	"fmt"
	"math"
	"slices"

	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/rng"
)

// maxima adds cases of the largest along an axis.
func (t caseTable) maxima() {
	for _, s := range []struct {
		shape []int
		axis  int
	}{{[]int{7}, 0}, {[]int{1}, 0}, {[]int{2, 3}, 0}, {[]int{2, 3}, 1}, {[]int{2, 5, 3}, 1},
		{[]int{3, 1, 2}, 1}} {
		x := floats(-1, 1, 1, s.shape...)
		for i := range x.Values { // far from ties
			x.Values[i] = float64(i*11%len(x.Values)) - 3
		}
		t.add(opCase{
			name: fmt.Sprint(s), fn: always(ops.Max{Axis: s.axis}), in: []operand{x},
			want: func(in []array) array {
				return generate(with(s.shape, s.axis, 1), func(ix []int) float64 {
					top := math.Inf(-1)
					for i := range s.shape[s.axis] {
						top = math.Max(top, in[0].at(with(ix, s.axis, i)...))
					}
					return top
				})
			},
		}, "Max")
	}
}

// softmaxes adds cases of softmaxes.
func (t caseTable) softmaxes() {
	for _, s := range [][]int{{5}, {1}, {3, 7}, {2, 1, 3}, {7, 1}} {
		k := len(s) - 1
		logZ := func(x array, ix []int) float64 {
			var sum float64
			for i := range s[k] {
				sum += math.Exp(x.at(with(ix, k, i)...))
			}
			return math.Log(sum)
		}
		x := []operand{floats(-3, 3, 1, s...)}
		t.add(opCase{
			name: fmt.Sprint(s), fn: always(ops.LogSoftmax{}), in: x,
			want: func(in []array) array {
				return generate(s, func(ix []int) float64 {
					return in[0].at(ix...) - logZ(in[0],
						ix)
				})
			},
		}, "LogSoftmax")
		t.add(opCase{
			name: fmt.Sprint(s), fn: always(ops.Softmax{}), in: x,
			want: func(in []array) array {
				return generate(s, func(ix []int) float64 {
					return math.Exp(in[0].at(ix...) - logZ(in[0], ix))
				})
			},
		}, "Softmax")
	}
}

// crossEntropies adds cases of cross-entropies and their gradients.
func (t caseTable) crossEntropies() {
	for _, s := range []struct {
		shape   []int
		targets []int
		fn      ops.CrossEntropy
	}{
		{[]int{2, 3, 5}, []int{4, 0, 2, 2, 4, 1}, ops.CrossEntropy{}},
		{[]int{6, 5}, []int{4, 0, -1, 2, 4, 1}, ops.CrossEntropy{Ignore: []int{4, -1},
			Smoothing: 0.1}},
		{[]int{3}, []int{1}, ops.CrossEntropy{Smoothing: 0.5}},
		{[]int{2, 1}, []int{0, 0}, ops.CrossEntropy{}},
		{[]int{2, 7}, []int{9, 9}, ops.CrossEntropy{Ignore: []int{9}}},
	} {
		k := len(s.shape) - 1
		v, lead := s.shape[k], s.shape[:k]
		counts := func(id float64) bool { return !slices.Contains(s.fn.Ignore, int(id)) }
		p := func(x array, ix []int, j int) float64 { // softmax(x)[ix, j]
			var sum float64
			for i := range v {
				sum += math.Exp(x.at(append(slices.Clone(ix), i)...))
			}
			return math.Exp(x.at(append(slices.Clone(ix), j)...)) / sum
		}
		q := func(id float64, j int) float64 {
			return (1-s.fn.Smoothing)*truth(int(id) == j) + s.fn.Smoothing/float64(v)
		}
		const refused = "CrossEntropy: it has no second derivative; build it from LogSoftmax " +
			"where one is needed"
		t.add(opCase{
			name: fmt.Sprint(s), fn: always(s.fn),
			in:     []operand{floats(-2, 2, 1, s.shape...), ints(s.targets, lead...)},
			second: refused,
			want: func(in []array) array {
				return generate(lead, func(ix []int) (loss float64) {
					for j := range v {
						if id := in[1].at(ix...); counts(id) {
							loss -= q(id, j) * math.Log(p(in[0], ix, j))
						}
					}
					return loss
				})
			},
		}, "CrossEntropy")
		t.add(opCase{
			name: fmt.Sprint(s), fn: always(ops.CrossEntropyGrad{CrossEntropy: s.fn}),
			first: refused,
			in: []operand{floats(-2, 2, 1, s.shape...), ints(s.targets, lead...),
				floats(-1, 1, 2, lead...)},
			want: func(in []array) array {
				return generate(s.shape, func(ix []int) float64 {
					at, j := ix[:k], ix[k]
					id := in[1].at(at...)
					if !counts(id) {
						return 0
					}
					return in[2].at(at...) * (p(in[0], at, j) - q(id, j))
				})
			},
		}, "CrossEntropyGrad")
	}
}

// noise adds cases of seeded noise.
func (t caseTable) noise() {
	for _, kind := range []string{"bernoulli", "uniform", "normal"} {
		t.add(opCase{
			name: kind, in: []operand{ints([]int{42, 7}, 2)},
			fn: func(d tensor.Dtype) ops.Operation {
				return ops.Noise{Dtype: d, Shape: []int{3, 5}, Kind: kind, P: 0.3, Label: "test"}
			},
			want: func([]array) array {
				key := rng.New(42).Numbered(7).Named("test")
				out := array{[]int{3, 5}, make([]float64, 15)}
				for i := range out.v {
					u := key.Float64(uint64(i))
					out.v[i] = map[string]float64{
						"bernoulli": truth(float64(key.Block(uint64(i / 4))[i%4]) < 0.3*0x1p32),
						"uniform":   u, "normal": key.Normal(uint64(i)),
					}[kind]
				}
				return out
			},
		}, "Noise")
	}
}
