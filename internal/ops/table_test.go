package ops_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/gradcheck"
	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/internal/rng"
	"github.com/seqzoo/seqzoo/internal/steps"
	"github.com/seqzoo/seqzoo/nodes"
)

// operand is an input of a case: floats, or ints if Ints is set.
type operand struct {
	gradcheck.Input
	Ints  []int
	fixed bool // floats that are not differentiated
}

func floats(low, high float64, seed int, shape ...int) operand {
	return operand{Input: gradcheck.Between(low, high, seed, shape...)}
}

func given(values []float64, shape ...int) operand {
	return operand{Input: gradcheck.Input{Shape: shape, Values: values}}
}

func ints(values []int, shape ...int) operand {
	return operand{Input: gradcheck.Input{Shape: shape}, Ints: values}
}

// opCase is one use of an operation.
type opCase struct {
	name  string
	fn    func(dtype tensor.Dtype) ops.Operation
	build func(g *nodes.Graph, in []*nodes.Node) *nodes.Node // in place of fn
	in    []operand
	want  func(in []array) array // by plain loops; ints come as floats

	stops  bool   // it hides a dependence from the gradient
	ids    bool   // its result is ints
	first  string // the error of a first derivative, if that is refused
	second string // the error of a second derivative, if that is refused
}

// cases of every operation but the element-wise ones, by the name of its type.
func opCases() map[string][]opCase {
	always := func(fn ops.Operation) func(tensor.Dtype) ops.Operation {
		return func(tensor.Dtype) ops.Operation { return fn }
	}
	table := map[string][]opCase{}
	add := func(c opCase, kind string) {
		c.name = fmt.Sprintf("%s %s", kind, c.name)
		table[kind] = append(table[kind], c)
	}

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
			add(opCase{
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

	for _, s := range [][]int{{}, {1}, {3, 5}} {
		add(opCase{
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
		add(opCase{
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
		add(opCase{
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

	for _, s := range []struct {
		shape          []int
		axis, from, to int
	}{{[]int{5}, 0, 1, 3}, {[]int{5}, 0, 4, 5}, {[]int{1}, 0, 0, 1}, {[]int{3, 7}, 1, 2, 7},
		{[]int{3, 7}, 0, 0, 1}, {[]int{2, 5, 3}, 1, 1, 4}, {[]int{2, 1, 3}, 1, 0, 1}} {
		out := with(s.shape, s.axis, s.to-s.from)
		add(opCase{
			name: fmt.Sprint(s), fn: always(ops.Slice{Axis: s.axis, From: s.from, To: s.to}),
			in: []operand{floats(-1, 1, 1, s.shape...)},
			want: func(in []array) array {
				return generate(out, func(ix []int) float64 {
					return in[0].at(with(ix, s.axis,
						ix[s.axis]+s.from)...)
				})
			},
		}, "Slice")
		add(opCase{
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
		add(opCase{
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

	for _, s := range [][2][]int{{{2, 3}, {}}, {{2, 3}, {3}}, {{2, 3}, {1, 3}}, {{2, 3}, {2, 1}},
		{{2, 3, 5}, {3, 1}}, {{7, 1, 2}, {1, 1, 2}}, {{1}, {}}, {{5, 2, 3}, {1, 2, 1}}} {
		large, small := s[0], s[1]
		add(opCase{
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
		add(opCase{
			name: fmt.Sprint(s), fn: always(ops.Broadcast{Shape: large}),
			in:   []operand{floats(-1, 1, 1, small...)},
			want: func(in []array) array { return generate(large, in[0].repeated) },
		}, "Broadcast")
	}

	for _, s := range []struct {
		shape []int
		axis  int
	}{{[]int{7}, 0}, {[]int{1}, 0}, {[]int{2, 3}, 0}, {[]int{2, 3}, 1}, {[]int{2, 5, 3}, 1},
		{[]int{3, 1, 2}, 1}} {
		x := floats(-1, 1, 1, s.shape...)
		for i := range x.Values { // far from ties
			x.Values[i] = float64(i*11%len(x.Values)) - 3
		}
		add(opCase{
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
		add(c, "Gather")
		add(opCase{
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

	ids := ints([]int{3, 0, 1, 1, 2, 4}, 2, 3)
	add(opCase{
		name: "[2 3]", in: []operand{ids},
		fn: func(d tensor.Dtype) ops.Operation { return ops.OneHot{Dtype: d, V: 5} },
		want: func(in []array) array {
			return generate([]int{2, 3, 5},
				func(ix []int) float64 { return truth(int(in[0].at(ix[:2]...)) == ix[2]) })
		},
	}, "OneHot")
	add(opCase{
		name: "a scalar", in: []operand{ints([]int{0})},
		fn:   func(d tensor.Dtype) ops.Operation { return ops.OneHot{Dtype: d, V: 1} },
		want: func([]array) array { return array{[]int{1}, []float64{1}} },
	}, "OneHot")
	add(opCase{
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
	add(opCase{
		name: "[2 3]", ids: true, in: []operand{ids}, fn: always(ops.Within{N: 2}),
		want: func(in []array) array {
			return generate([]int{2, 3},
				func(ix []int) float64 { return in[0].at(ix...) * truth(in[0].at(ix...) < 2) })
		},
	}, "Within")
	add(opCase{
		name: "[2 3]", ids: true, in: []operand{given([]float64{1, 0, -2, 0, 0.5, 0}, 2, 3), ids},
		fn: always(ops.MaskIDs{}),
		want: func(in []array) array {
			return generate([]int{2, 3},
				func(ix []int) float64 { return truth(in[0].at(ix...) != 0) * in[1].at(ix...) })
		},
	}, "MaskIDs")
	for _, n := range []int{1, 5} {
		add(opCase{
			name: fmt.Sprint(n), in: []operand{floats(-1, 1, 1, 2)},
			fn: func(d tensor.Dtype) ops.Operation { return ops.Range{Dtype: d, N: n} },
			want: func([]array) array {
				return generate([]int{n},
					func(ix []int) float64 { return float64(ix[0]) })
			},
		}, "Range")
	}
	for _, x := range []operand{floats(-1, 1, 1, 2, 3, 5), given([]float64{2, 7, 7, -1}, 4),
		given([]float64{-3}, 1, 1)} {
		add(opCase{
			name: fmt.Sprint(x.Shape), ids: true, in: []operand{x}, fn: always(ops.ArgMax{}),
			want: func(in []array) array {
				k := len(x.Shape) - 1
				return generate(x.Shape[:k], func(ix []int) float64 {
					best := 0
					for j := range x.Shape[k] {
						if in[0].at(append(slices.Clone(ix),
							j)...) > in[0].at(append(slices.Clone(ix), best)...) {
							best = j
						}
					}
					return float64(best)
				})
			},
		}, "ArgMax")
	}
	add(opCase{
		name: "[4]", in: []operand{ints([]int{3, 0, 1, 2}, 4)},
		fn: func(d tensor.Dtype) ops.Operation { return ops.LengthMask{Dtype: d, T: 3} },
		want: func(in []array) array {
			return generate([]int{3, 4, 1},
				func(ix []int) float64 { return truth(float64(ix[0]) < in[0].at(ix[1])) })
		},
	}, "LengthMask")

	for _, kind := range []string{"bernoulli", "uniform", "normal"} {
		add(opCase{
			name: kind, in: []operand{ints([]int{42, 7}, 2)},
			fn: func(d tensor.Dtype) ops.Operation {
				return ops.Noise{Dtype: d, Shape: []int{3, 5}, Kind: kind, P: 0.3, Label: "test"}
			},
			want: func([]array) array {
				key := rng.New(42).Numbered(7).Named("test")
				out := array{[]int{3, 5}, make([]float64, 15)}
				for i := range out.v {
					u := key.Float64(uint64(i))
					out.v[i] = map[string]float64{"bernoulli": truth(float64(key.Block(uint64(i / 4))[i%4]) < 0.3*0x1p32), "uniform": u, "normal": key.Normal(uint64(i))}[kind]
				}
				return out
			},
		}, "Noise")
	}

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
		add(opCase{
			name: fmt.Sprint(s), fn: always(ops.LogSoftmax{}), in: x,
			want: func(in []array) array {
				return generate(s, func(ix []int) float64 {
					return in[0].at(ix...) - logZ(in[0],
						ix)
				})
			},
		}, "LogSoftmax")
		add(opCase{
			name: fmt.Sprint(s), fn: always(ops.Softmax{}), in: x,
			want: func(in []array) array {
				return generate(s, func(ix []int) float64 { return math.Exp(in[0].at(ix...) - logZ(in[0], ix)) })
			},
		}, "Softmax")
	}

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
		const refused = "CrossEntropy: it has no second derivative; build it from LogSoftmax where one is needed"
		add(opCase{
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
		add(opCase{
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

	for _, s := range []scanSize{{T: 3, B: 2, In: 3, H: 2}, {T: 1, B: 1, In: 1, H: 1},
		{T: 5, B: 1, In: 2, H: 3, Reverse: true}} {
		in := []operand{floats(-1, 1, 1, s.T, s.B, s.In), floats(-1, 1, 2, s.B, s.H),
			floats(-1, 1, 3, s.B, s.H), floats(-1, 1, 4, s.In, s.H), floats(-1, 1, 5, s.H)}
		add(opCase{
			name: fmt.Sprint(s), in: in, want: s.loop,
			fn:     func(d tensor.Dtype) ops.Operation { return s.scan(d) },
			second: "Scan: its gradient has no derivative of its own; unroll with Expand where a second derivative is needed",
		}, "Scan")
		add(opCase{
			name: fmt.Sprint(s), in: in,
			build: func(g *nodes.Graph, in []*nodes.Node) *nodes.Node {
				y := steps.Op(g, "Scan", s.scan(g.Dtype()), slices.Clone(in)...)
				var flat []*nodes.Node
				for _, d := range g.Backward([]*nodes.Node{y},
					[]*nodes.Node{g.Const(1, y.Shape()...)}, operands(in)...) {
					flat = append(flat, nodes.Reshape(d, -1))
				}
				return nodes.Concat(0, flat...)
			},
			// The derivative of the sum of everything that the loop computes, by differences.
			want: func(in []array) array {
				var out array
				sum := func() (total float64) {
					for _, v := range s.loop(in).v {
						total += v
					}
					return total
				}
				for _, x := range in {
					for i := range x.v {
						out.v = append(out.v, slope(sum, &x.v[i]))
					}
				}
				out.shape = []int{len(out.v)}
				return out
			},
			first: "Scan: its gradient has no derivative of its own; unroll with Expand where a second derivative is needed",
		}, "ScanGrad")
		add(opCase{
			name: fmt.Sprint(s), in: in,
			build: func(g *nodes.Graph, in []*nodes.Node) *nodes.Node {
				y := steps.Op(g, "Scan", s.scan(g.Dtype()), slices.Clone(in)...)
				g.Backward([]*nodes.Node{y}, []*nodes.Node{g.Const(1, y.Shape()...)}, operands(in)...)
				flows, err := ops.Flows(g.Expr())
				if err != nil {
					panic(err)
				}
				return g.Of(flows[0].Nodes[0])
			},
			// What the sum of everything gains by a little more of h' at one time.
			want: func(in []array) array {
				more := generate([]int{s.T, s.B, s.H}, func([]int) float64 { return 0 })
				out := array{shape: more.shape}
				for i := range more.v {
					out.v = append(out.v, slope(func() (total float64) {
						for _, v := range s.loop(append(slices.Clone(in), more)).v {
							total += v
						}
						return total
					}, &more.v[i]))
				}
				return out
			},
			first: "GradientFlow: it has no derivative",
		}, "ScanFlow")
	}
	return table
}

// slope is df/dx by Richardson's extrapolation of central differences.
func slope(f func() float64, x *float64) float64 {
	at := *x
	defer func() { *x = at }()
	d := func(h float64) float64 {
		*x = at + h
		up := f()
		*x = at - h
		return (up - f()) / (2 * h)
	}
	const h = 2e-3
	return (64*d(h) - 20*d(2*h) + d(4*h)) / 45
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func operands(ns []*nodes.Node) []nodes.Operand {
	var xs []nodes.Operand
	for _, n := range ns {
		xs = append(xs, n)
	}
	return xs
}

// scanSize is a recurrence of two states with an output beside them:
//
//	h' = tanh(x·W + h∘c + b), c' = h, y = h'∘c
type scanSize struct {
	T, B, In, H int
	Reverse     bool
}

func (s scanSize) scan(dtype tensor.Dtype) ops.Scan {
	g := G.NewGraph()
	in := func(name string, shape ...int) *G.Node {
		return ops.Input(g, name, ops.Type{Dtype: dtype, Shape: shape})
	}
	x, h, c := in("x", s.B, s.In), in("h", s.B, s.H), in("c", s.B, s.H)
	w, b := in("W", s.In, s.H), in("b", s.H)
	next := ops.Apply(ops.Elementwise{Kind: "tanh"},
		ops.Add(ops.Add(ops.Apply(ops.MatMul{}, x, w), ops.Mul(h, c)), b))
	step := ops.NewStep(&ops.Step{
		Seqs: []*G.Node{x}, States: []*G.Node{h, c}, Consts: []*G.Node{w, b},
		Next: []*G.Node{next, h}, Ys: []*G.Node{ops.Mul(next, c)}, Mask: -1,
		Raw: []*G.Node{next}, Parts: []string{"h"},
	})
	return ops.Scan{Step: step, T: s.T, Reverse: s.Reverse}
}

// loop is the recurrence as plain loops, packed as the scan packs: h' of all times, c', y. A sixth
// input is added to h'.
func (s scanSize) loop(in []array) array {
	x, h, c, w, b := in[0], in[1], in[2], in[3], in[4]
	state := generate([]int{3, s.T, s.B, s.H}, func([]int) float64 { return math.NaN() })
	for i := range s.T {
		t := i
		if s.Reverse {
			t = s.T - 1 - i
		}
		next := generate(h.shape, func(ix []int) float64 {
			sum := h.at(ix...)*c.at(ix...) + b.at(ix[1])
			for k := range s.In {
				sum += x.at(t, ix[0], k) * w.at(k, ix[1])
			}
			if len(in) > 5 {
				return math.Tanh(sum) + in[5].at(t, ix[0], ix[1])
			}
			return math.Tanh(sum)
		})
		each(h.shape, func(_ int, ix []int) {
			put := func(slot int, v float64) {
				state.v[state.offset([]int{slot, t, ix[0],
					ix[1]})] = v
			}
			put(0, next.at(ix...))
			put(1, h.at(ix...))
			put(2, next.at(ix...)*c.at(ix...))
		})
		h, c = next, h
	}
	return array{[]int{len(state.v)}, state.v}
}

func allCases() map[string][]opCase {
	table := opCases()
	addOthers(table)
	return table
}

// eachCase runs a subtest for every case of every operation.
func eachCase(t *testing.T, test func(t *testing.T, c opCase)) {
	for kind, cases := range allCases() {
		t.Run(kind, func(t *testing.T) {
			for _, c := range cases {
				t.Run(c.name, func(t *testing.T) { test(t, c) })
			}
		})
	}
}

// Every value type with a Key method is an operation, and needs cases whose graphs contain it.
func TestEveryOperationIsTested(t *testing.T) {
	names, err := filepath.Glob("*.go")
	require.NoError(t, err)
	table := allCases()
	found := 0
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv == nil || f.Name.Name != "Key" {
				continue
			}
			receiver, ok := f.Recv.List[0].Type.(*ast.Ident)
			if !ok {
				continue // a pointer: operations are values
			}
			name := receiver.Name
			require.NotEmpty(t, table[name], "a new operation needs cases in opCases")
			found++
		}
	}
	require.Len(t, table, found)
	for name, cases := range table {
		for _, c := range cases {
			g := nodes.NewGraph(nodes.Options{})
			c.apply(g, c.inputs(g))
			require.True(t, slices.ContainsFunc(g.Expr().AllNodes(), func(n *G.Node) bool {
				op, ok := n.Op().(*ops.Op)
				return ok && reflect.TypeOf(op.Fn).Name() == name
			}), "%s does not use %s", c.name, name)
		}
	}
}

// inputs declares and binds the operands.
func (c opCase) inputs(g *nodes.Graph) (in []*nodes.Node) {
	for i, x := range c.in {
		name := fmt.Sprintf("operand %d", i)
		if x.Ints != nil {
			in = append(in, gradcheck.Ints(g, name, x.Ints, x.Shape...))
			continue
		}
		n := g.Input(name, x.Shape...)
		gradcheck.Bind(n, x.Values)
		in = append(in, n)
	}
	return in
}

func (c opCase) apply(g *nodes.Graph, in []*nodes.Node) *nodes.Node {
	if c.build != nil {
		return c.build(g, in)
	}
	return steps.Op(g, "Op", c.fn(g.Dtype()), slices.Clone(in)...)
}

// machine runs a graph and gives the values of nodes.
type machine func(t gradcheck.T, g *nodes.Graph, want []*G.Node) [][]float64

func plainly(t gradcheck.T, _ *nodes.Graph, want []*G.Node) (values [][]float64) {
	p, err := ops.NewProgram(want)
	require.NoError(t, err)
	for range 2 { // the second run must not see the first
		require.NoError(t, p.Run())
	}
	for _, n := range want {
		values = append(values, gradcheck.Floats(p.At(p.Index(n))))
	}
	return values
}

func compiled(t gradcheck.T, g *nodes.Graph, want []*G.Node) (values [][]float64) {
	m, err := graph.Compile(g.Expr(), graph.Keep(want...))
	require.NoError(t, err)
	defer m.Close()
	for range 2 {
		require.NoError(t, m.RunAll())
	}
	for _, n := range want {
		v, err := ops.TensorOf(n.Value())
		require.NoError(t, err)
		values = append(values, gradcheck.Floats(v))
	}
	return values
}

func onTape(t gradcheck.T, g *nodes.Graph, want []*G.Node) (values [][]float64) {
	into := make([]G.Value, len(want))
	for i, n := range want {
		if n.Op() == nil {
			into[i] = n.Value()
			continue
		}
		G.Read(n, &into[i])
	}
	m := G.NewTapeMachine(g.Expr())
	defer m.Close()
	require.NoError(t, m.RunAll())
	for _, x := range into {
		v, err := ops.TensorOf(x)
		require.NoError(t, err)
		values = append(values, gradcheck.Floats(v))
	}
	return values
}

// values of the operation alone.
func (c opCase) values(t *testing.T, dtype tensor.Dtype, run machine) []float64 {
	t.Helper()
	g := nodes.NewGraph(nodes.Options{Dtype: dtype})
	n := c.apply(g, c.inputs(g)).Gorgonia()
	return run(t, g, []*G.Node{n})[0]
}
