package ops_test

import (
	"fmt"
	"math"
	"slices"

	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/ops"
)

// addOthers adds the cases that stand outside of opCases.
func addOthers(table map[string][]opCase) {
	table["Elementwise"] = elementwiseCases()
	add := func(c opCase, kind string) {
		c.name = fmt.Sprintf("%s %s", kind, c.name)
		table[kind] = append(table[kind], c)
	}
	addConvCases(add)
	addFunctionCases(add)
}

// convCase is a window over x [N, C, in...] and, of a convolution, weights of M results.
type convCase struct {
	n, c, m, groups int
	in              []int
	w               ops.Window
	up              bool
}

// convTestCases have one to three axes, strides, dilations, uneven zeros around, groups, and sizes
// 1.
func convTestCases() []convCase {
	w := func(lists ...[]int) ops.Window {
		return ops.Window{Kernel: lists[0], Stride: lists[1], Dilation: lists[2], Before: lists[3],
			Behind: lists[4]}
	}
	cases := []convCase{
		{1, 1, 1, 1, []int{1}, w([]int{1}, []int{1}, []int{1}, []int{0}, []int{0}), false},
		{2, 3, 5, 1, []int{7}, w([]int{3}, []int{2}, []int{1}, []int{1}, []int{0}), false},
		{2, 4, 6, 2, []int{5}, w([]int{2}, []int{1}, []int{3}, []int{2}, []int{2}), false},
		{3, 2, 3, 1, []int{4, 5}, w([]int{3, 3}, []int{1, 1}, []int{1, 1}, []int{1, 1},
			[]int{1, 1}), false},
		{2, 2, 4, 2, []int{6, 3}, w([]int{3, 2}, []int{2, 1}, []int{1, 2}, []int{0, 1},
			[]int{1, 0}), false},
		{2, 3, 2, 1, []int{3, 2}, w([]int{1, 1}, []int{1, 1}, []int{1, 1}, []int{0, 0},
			[]int{0, 0}), false},
		{1, 2, 2, 1, []int{3, 3, 4}, w([]int{2, 2, 2}, []int{1, 2, 1}, []int{1, 1, 2},
			[]int{0, 0, 1}, []int{0, 1, 0}), false},
		{1, 18, 2, 1, []int{4}, w([]int{2}, []int{1}, []int{1}, []int{0}, []int{0}), false},
		{1, 1, 1, 1, []int{6}, w([]int{3}, []int{2}, []int{1}, []int{0}, []int{0}), true},
		// as many places as elements, which are read in one piece
		{2, 2, 2, 1, []int{3, 2, 4}, w([]int{3, 1, 3}, []int{2, 1, 1}, []int{1, 1, 1},
			[]int{1, 0, 1}, []int{1, 0, 1}), false},
		{2, 1, 2, 1, []int{4, 5}, w([]int{2, 3}, []int{1, 1}, []int{3, 2}, []int{2, 1},
			[]int{0, 3}), false},
		{1, 2, 1, 1, []int{2, 2}, w([]int{5, 5}, []int{1, 1}, []int{1, 1}, []int{2, 2},
			[]int{2, 2}), false},
		// squares beside each other
		{2, 3, 1, 1, []int{5, 7}, w([]int{2, 2}, []int{2, 2}, []int{1, 1}, []int{0, 0},
			[]int{0, 0}), false},
	}
	for i, c := range cases {
		out, err := c.w.Places(c.in, c.up)
		if err != nil {
			panic(err)
		}
		cases[i].w.Out = out
	}
	return cases
}

func (c convCase) String() string {
	return fmt.Sprintf("%d %d %d %d %v %v %v %v %v", c.n, c.c, c.m, c.groups, c.in, c.w.Kernel,
		c.w.Stride, c.w.Dilation, c.w.Out)
}

func (c convCase) x() []int { return slices.Concat([]int{c.n, c.c}, c.in) }
func (c convCase) y(channels int) []int {
	return slices.Concat([]int{c.n, channels}, c.w.Out)
}
func (c convCase) weights() []int { return slices.Concat([]int{c.m, c.c / c.groups}, c.w.Kernel) }

// seen visits what the window sees at place out: the indices within the window and in x.
func (c convCase) seen(out []int, visit func(k, in []int)) {
	each(c.w.Kernel, func(_ int, k []int) {
		at := make([]int, len(k))
		for i := range k {
			at[i] = out[i]*c.w.Stride[i] + k[i]*c.w.Dilation[i] - c.w.Before[i]
			if at[i] < 0 || at[i] >= c.in[i] {
				return
			}
		}
		visit(k, at)
	})
}

// terms visits every product of a convolution: indices of x, of the weights and of the result.
func (c convCase) terms(visit func(x, w, y []int)) {
	each(c.y(c.m), func(_ int, y []int) {
		group := y[1] / (c.m / c.groups)
		for ch := range c.c / c.groups {
			c.seen(y[2:], func(k, in []int) {
				visit(slices.Concat([]int{y[0], group*(c.c/c.groups) + ch}, in),
					slices.Concat([]int{y[1], ch}, k), y)
			})
		}
	})
}

func zeros(shape []int) array { return generate(shape, func([]int) float64 { return 0 }) }

// addConvCases adds the cases of what slides a window.
func addConvCases(add func(c opCase, kind string)) {
	fixed := func(fn ops.Operation) func(tensor.Dtype) ops.Operation {
		return func(tensor.Dtype) ops.Operation { return fn }
	}
	for _, c := range convTestCases() {
		conv := ops.Conv{Window: c.w, Groups: c.groups}
		x, w, y := floats(-1, 1, 1, c.x()...), floats(-1, 1, 2, c.weights()...),
			floats(-1, 1, 3, c.y(c.m)...)
		if !c.up {
			add(opCase{name: c.String(), fn: fixed(conv), in: []operand{x, w},
				want: func(in []array) array {
					out := zeros(c.y(c.m))
					c.terms(func(x, w, y []int) {
						out.v[out.offset(y)] += in[0].at(x...) * in[1].at(w...)
					})
					return out
				}}, "Conv")
			add(opCase{name: c.String(), fn: fixed(ops.ConvX{Conv: conv, Shape: c.x()}),
				in: []operand{w, y},
				want: func(in []array) array {
					out := zeros(c.x())
					c.terms(func(x, w, y []int) {
						out.v[out.offset(x)] += in[0].at(w...) * in[1].at(y...)
					})
					return out
				}}, "ConvX")
			add(opCase{name: c.String(), fn: fixed(ops.ConvW{Conv: conv, Shape: c.weights()}),
				in: []operand{x, y},
				want: func(in []array) array {
					out := zeros(c.weights())
					c.terms(func(x, w, y []int) {
						out.v[out.offset(w)] += in[0].at(x...) * in[1].at(y...)
					})
					return out
				}}, "ConvW")
		}
		c.addPools(add)
		c.addUnfold(add)
	}
}

func (c convCase) addUnfold(add func(c opCase, kind string)) {
	size := ops.Size(c.w.Kernel)
	shape := slices.Concat([]int{c.n}, c.w.Out, []int{c.c * size})
	// pairs visits every element of the result that sees one of x.
	pairs := func(visit func(y, x []int)) {
		each(c.y(c.c), func(_ int, at []int) {
			c.seen(at[2:], func(k, in []int) {
				place := array{shape: c.w.Kernel}.offset(k)
				visit(slices.Concat(at[:1], at[2:], []int{at[1]*size + place}),
					slices.Concat(at[:2], in))
			})
		})
	}
	add(opCase{name: c.String(), in: []operand{floats(-1, 1, 1, c.x()...)},
		fn: func(tensor.Dtype) ops.Operation { return ops.Unfold{Window: c.w} },
		want: func(in []array) array {
			out := zeros(shape)
			pairs(func(y, x []int) { out.v[out.offset(y)] = in[0].at(x...) })
			return out
		}}, "Unfold")
	add(opCase{name: c.String(), in: []operand{floats(-1, 1, 1, shape...)},
		fn: func(tensor.Dtype) ops.Operation { return ops.Fold{Window: c.w, Shape: c.x()} },
		want: func(in []array) array {
			out := zeros(c.x())
			pairs(func(y, x []int) { out.v[out.offset(x)] += in[0].at(y...) })
			return out
		}}, "Fold")
}

func (c convCase) addPools(add func(c opCase, kind string)) {
	fixed := func(fn ops.Operation) func(tensor.Dtype) ops.Operation {
		return func(tensor.Dtype) ops.Operation { return fn }
	}
	x, y := floats(-1, 1, 1, c.x()...), floats(-1, 1, 3, c.y(c.c)...)
	// best is the index in x of the largest element at a place.
	best := func(x array, at []int) (index []int) {
		top := math.Inf(-1)
		c.seen(at[2:], func(_, in []int) {
			i := slices.Concat(at[:2], in)
			if v := x.at(i...); v > top {
				top, index = v, i
			}
		})
		return index
	}
	add(opCase{name: c.String(), fn: fixed(ops.MaxPool{Window: c.w}), in: []operand{x},
		want: func(in []array) array {
			return generate(c.y(c.c), func(at []int) float64 {
				return in[0].at(best(in[0], at)...)
			})
		}}, "MaxPool")
	add(opCase{name: c.String(), fn: fixed(ops.MaxPoolGrad{Window: c.w}),
		in: []operand{x, y},
		want: func(in []array) array {
			out := zeros(c.x())
			each(c.y(c.c), func(k int, at []int) {
				out.v[out.offset(best(in[0], at))] += in[1].v[k]
			})
			return out
		}}, "MaxPoolGrad")
	for _, byColumn := range []bool{false, true} {
		add(opCase{name: fmt.Sprint(c, byColumn), ids: true, in: []operand{x},
			fn: fixed(ops.MaxPlaces{Window: c.w, ByColumn: byColumn}),
			want: func(in []array) array {
				return generate(c.y(c.c), func(at []int) float64 {
					i := best(in[0], at)
					if byColumn {
						slices.Reverse(i[2:])
						shape := c.x()
						slices.Reverse(shape[2:])
						return float64(array{shape, nil}.offset(i))
					}
					return float64(in[0].offset(i))
				})
			}}, "MaxPlaces")
	}
	c.addAverages(add)
}

func (c convCase) addAverages(add func(c opCase, kind string)) {
	fixed := func(fn ops.Operation) func(tensor.Dtype) ops.Operation {
		return func(tensor.Dtype) ops.Operation { return fn }
	}
	x, y := floats(-1, 1, 1, c.x()...), floats(-1, 1, 3, c.y(c.c)...)
	for _, withPad := range []bool{false, true} {
		pool := ops.AvgPool{Window: c.w, WithPad: withPad}
		// share is 1 over how many elements count at a place.
		share := func(at []int) float64 {
			n := 0
			wide := c
			if withPad {
				wide.in = slices.Clone(c.in)
				for i := range wide.in {
					wide.in[i] += c.w.Before[i] + c.w.Behind[i]
				}
				wide.w.Before = make([]int, len(c.in))
			}
			wide.seen(at[2:], func(_, _ []int) { n++ })
			return 1 / float64(max(n, 1))
		}
		add(opCase{name: fmt.Sprint(c, withPad), fn: fixed(pool), in: []operand{x},
			want: func(in []array) array {
				return generate(c.y(c.c), func(at []int) (sum float64) {
					c.seen(at[2:], func(_, i []int) {
						sum += in[0].at(slices.Concat(at[:2], i)...) * share(at)
					})
					return sum
				})
			}}, "AvgPool")
		add(opCase{name: fmt.Sprint(c, withPad), in: []operand{y},
			fn: fixed(ops.AvgPoolGrad{AvgPool: pool, Shape: c.x()}),
			want: func(in []array) array {
				out := zeros(c.x())
				each(c.y(c.c), func(k int, at []int) {
					c.seen(at[2:], func(_, i []int) {
						out.v[out.offset(slices.Concat(at[:2], i))] += in[0].v[k] * share(at)
					})
				})
				return out
			}}, "AvgPoolGrad")
	}
}

// addFunctionCases adds those of functions that are not fused.
func addFunctionCases(add func(c opCase, kind string)) {
	for name, f := range map[string]struct {
		f         func(float64) float64
		low, high float64
	}{"erf": {math.Erf, -2, 2}, "tan": {math.Tan, -1, 1}, "asin": {math.Asin, -0.9, 0.9},
		"acos": {math.Acos, -0.9, 0.9}, "atan": {math.Atan, -2, 2}, "sinh": {math.Sinh, -2, 2},
		"cosh": {math.Cosh, -2, 2}, "asinh": {math.Asinh, -2, 2}, "acosh": {math.Acosh, 1.2, 3},
		"atanh": {math.Atanh, -0.9, 0.9}} {
		for _, shape := range [][]int{nil, {1}, {3, 7}} {
			add(opCase{name: fmt.Sprint(name, shape),
				in: []operand{floats(f.low, f.high, 1, shape...)},
				fn: func(tensor.Dtype) ops.Operation { return ops.Function{Name: name} },
				want: func(in []array) array {
					return generate(shape, func(ix []int) float64 { return f.f(in[0].at(ix...)) })
				}}, "Function")
		}
	}
}
