package nodes_test

import (
	"maps"
	"math"
	"slices"

	"github.com/seqzoo/seqzoo/internal/gradcheck"
	"github.com/seqzoo/seqzoo/nodes"
)

// expressions has an entry for every function that makes nodes; TestEveryFunctionIsTested sees to
// it.
func expressions() map[string][]expression {
	table := map[string][]expression{}
	for _, family := range []map[string][]expression{elementwiseExpressions(), shapeExpressions(),
		reductionExpressions(), rowExpressions(), lossExpressions()} {
		maps.Copy(table, family)
	}
	table["MatMul"], table["MatMulT"] = products()
	table["CrossEntropy"] = crossEntropies()
	return table
}

// x23 is an input of shape [2, 3].
var x23 = []gradcheck.Input{between(-2, 2, 1, 2, 3)}

// one is a function of x23 alone.
func one(f func(x *nodes.Node) *nodes.Node, shape []int,
	want func(x []float64) []float64) expression {
	return expression{in: x23, shape: shape, build: func(_ *nodes.Graph,
		in ns) *nodes.Node {
		return f(in[0])
	},
		want: func(x xs) []float64 { return want(x[0]) }}
}

func same(x []float64) []float64 { return x }

// reduced is a loss with each reduction, and once with a scalar target.
func reduced(f func(x, target nodes.Operand, r nodes.Reduction) *nodes.Node,
	want func(x, t float64) float64) []expression {
	var out []expression
	for _, r := range []nodes.Reduction{nodes.ReduceMean, nodes.ReduceSum, nodes.ReduceNone} {
		e := expression{
			in:    []gradcheck.Input{between(-2, 2, 1, 2, 3), between(0.05, 0.95, 2, 2, 3)},
			build: func(_ *nodes.Graph, in ns) *nodes.Node { return f(in[0], in[1], r) },
			want: func(x xs) (y []float64) {
				for i, v := range x[0] {
					y = append(y, want(v, x[1][i]))
				}
				switch r {
				case nodes.ReduceMean:
					return scalar(sum(y) / 6)
				case nodes.ReduceSum:
					return scalar(sum(y))
				}
				return y
			},
		}
		if r == nodes.ReduceNone {
			e.shape = []int{2, 3}
		}
		out = append(out, e)
	}
	return append(out, expression{
		in: x23, build: func(_ *nodes.Graph, in ns) *nodes.Node {
			return f(in[0],
				nodes.Scalar(1), nodes.ReduceSum)
		},
		want: func(x xs) []float64 {
			return scalar(sum(each(x[0], func(v float64) float64 { return want(v, 1) })))
		},
	})
}

// elementwiseExpressions are functions of single numbers.
func elementwiseExpressions() map[string][]expression {
	around := []float64{-2, -0.5, 0.25, 3}
	positive := []float64{0.25, 1.5, 3}
	return map[string][]expression{
		"Sub":     of2(nodes.Sub, func(a, b float64) float64 { return a - b }),
		"Mul":     of2(nodes.Mul, func(a, b float64) float64 { return a * b }),
		"Div":     of2(nodes.Div, func(a, b float64) float64 { return a / b }),
		"Maximum": of2(nodes.Maximum, math.Max), "Minimum": of2(nodes.Minimum, math.Min),
		"Less":      of2(nodes.Less, func(a, b float64) float64 { return truth(a < b) }),
		"LessEqual": of2(nodes.LessEqual, func(a, b float64) float64 { return truth(a <= b) }),
		"Greater":   of2(nodes.Greater, func(a, b float64) float64 { return truth(a > b) }),
		"GreaterEqual": of2(nodes.GreaterEqual, func(a,
			b float64) float64 {
			return truth(a >= b)
		}),
		"Equal":    of2(nodes.Equal, func(a, b float64) float64 { return truth(a == b) }),
		"NotEqual": of2(nodes.NotEqual, func(a, b float64) float64 { return truth(a != b) }),
		"Tanh":     of1(nodes.Tanh, math.Tanh, around...),
		"Sigmoid": of1(nodes.Sigmoid,
			func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, around...),
		"ReLU": of1(nodes.ReLU, func(x float64) float64 { return math.Max(x, 0) },
			around...),
		"Softplus": of1(nodes.Softplus,
			func(x float64) float64 { return math.Log1p(math.Exp(x)) }, around...),
		"Exp":   of1(nodes.Exp, math.Exp, around...),
		"Expm1": of1(nodes.Expm1, math.Expm1, around...),
		"Log":   of1(nodes.Log, math.Log, positive...),
		"Log1p": of1(nodes.Log1p, math.Log1p, positive...),
		"Sqrt":  of1(nodes.Sqrt, math.Sqrt, positive...), "Abs": of1(nodes.Abs, math.Abs, around...),
		"Sign": of1(nodes.Sign, func(x float64) float64 { return math.Copysign(1, x) },
			around...),
		"Square":   of1(nodes.Square, func(x float64) float64 { return x * x }, around...),
		"Inverse":  of1(nodes.Inverse, func(x float64) float64 { return 1 / x }, around...),
		"Sin":      of1(nodes.Sin, math.Sin, around...),
		"Cos":      of1(nodes.Cos, math.Cos, around...),
		"Neg":      of1(nodes.Neg, func(x float64) float64 { return -x }, around...),
		"OneMinus": of1(nodes.OneMinus, func(x float64) float64 { return 1 - x }, around...),
		"Scale": of1(func(x nodes.Operand) *nodes.Node { return nodes.Scale(x, 3) },
			func(x float64) float64 { return 3 * x }, around...),
		"Shift": of1(func(x nodes.Operand) *nodes.Node { return nodes.Shift(x, 3) },
			func(x float64) float64 { return x + 3 }, around...),
		"Affine": of1(func(x nodes.Operand) *nodes.Node { return nodes.Affine(x, 3, -2) },
			func(x float64) float64 { return 3*x - 2 }, around...),
		"Power": of1(func(x nodes.Operand) *nodes.Node { return nodes.Power(x, 1.5) },
			func(x float64) float64 { return x * math.Sqrt(x) }, positive...),
		"Clip": of1(func(x nodes.Operand) *nodes.Node { return nodes.Clip(x, -1, 1) },
			func(x float64) float64 { return math.Max(-1, math.Min(1, x)) }, around...),
		"Add": append(of2(func(a, b nodes.Operand) *nodes.Node { return nodes.Add(a, b) },
			func(a, b float64) float64 { return a + b }), expression{
			in:    []gradcheck.Input{between(-1, 1, 1, 2, 1), between(-1, 1, 2, 1, 3)},
			shape: []int{2, 3},
			build: func(_ *nodes.Graph, in ns) *nodes.Node {
				return nodes.Add(in[0], in[1],
					nodes.Scalar(2))
			},
			want: func(x xs) []float64 {
				a, b := x[0], x[1]
				return []float64{a[0] + b[0] + 2, a[0] + b[1] + 2, a[0] + b[2] + 2, a[1] + b[0] + 2,
					a[1] + b[1] + 2, a[1] + b[2] + 2}
			},
		}),
		"Select": {{
			in: []gradcheck.Input{row(1, 2, 3), row(10, 20, 30)}, shape: []int{3},
			build: func(g *nodes.Graph, in ns) *nodes.Node {
				return nodes.Select(nodes.Concat(0, g.Const(1, 1), g.Const(0, 1), g.Const(-0.5, 1)),
					in[0], in[1])
			},
			want: func(x xs) []float64 { return []float64{x[0][0], x[1][1], x[0][2]} },
		}},
		"StopGradient": {{in: x23, shape: []int{2, 3}, jumps: true,
			build: func(_ *nodes.Graph, in ns) *nodes.Node { return nodes.StopGradient(in[0]) },
			want:  func(x xs) []float64 { return x[0] }}},
	}
}

// shapeExpressions change shapes, cut and join.
func shapeExpressions() map[string][]expression {
	return map[string][]expression{
		"Reshape": {
			one(func(x *nodes.Node) *nodes.Node { return nodes.Reshape(x, 3, 2) }, []int{3, 2},
				same),
			one(func(x *nodes.Node) *nodes.Node { return nodes.Reshape(x, -1) }, []int{6}, same),
			one(func(x *nodes.Node) *nodes.Node { return nodes.Reshape(x, 1, 2, -1, 1) },
				[]int{1, 2, 3, 1}, same),
			one(func(x *nodes.Node) *nodes.Node { return nodes.Reshape(x, 6, -1) }, []int{6, 1},
				same),
			one(func(x *nodes.Node) *nodes.Node { return nodes.Reshape(x, 2, 3) }, []int{2, 3},
				same),
		},
		"Transpose": {
			one(func(x *nodes.Node) *nodes.Node { return nodes.Transpose(x) }, []int{3, 2},
				func(x []float64) []float64 {
					return []float64{x[0], x[3], x[1], x[4], x[2], x[5]}
				}),
			one(func(x *nodes.Node) *nodes.Node { return nodes.Transpose(x, 0, 1) }, []int{2, 3},
				same),
		},
		"Slice": {
			one(func(x *nodes.Node) *nodes.Node { return nodes.Slice(x, -1, 1, 2) }, []int{2, 1},
				func(x []float64) []float64 { return []float64{x[1], x[4]} }),
			one(func(x *nodes.Node) *nodes.Node { return nodes.Slice(x, 0, 0, 2) }, []int{2, 3},
				same),
		},
		"TimeSlice": {one(func(x *nodes.Node) *nodes.Node { return nodes.TimeSlice(x, 1) },
			[]int{3}, func(x []float64) []float64 { return x[3:] })},
		"Split": {one(func(x *nodes.Node) *nodes.Node {
			parts := nodes.Split(x, 3, 1)
			return nodes.Sub(parts[2], parts[0])
		}, []int{2, 1}, func(x []float64) []float64 {
			return []float64{x[2] - x[0],
				x[5] - x[3]}
		})},
		"Stack": {one(func(x *nodes.Node) *nodes.Node { return nodes.Stack(x, nodes.Neg(x)) },
			[]int{2, 2, 3}, func(x []float64) []float64 {
				return append(slices.Clone(x), each(x, func(v float64) float64 { return -v })...)
			})},
		"Concat": {
			one(func(x *nodes.Node) *nodes.Node {
				return nodes.Concat(-1, x,
					nodes.Slice(x, 1, 0, 1))
			}, []int{2, 4}, func(x []float64) []float64 {
				return []float64{x[0], x[1], x[2], x[0], x[3], x[4], x[5], x[3]}
			}),
			one(func(x *nodes.Node) *nodes.Node { return nodes.Concat(0, x) }, []int{2, 3}, same),
		},
		"Broadcast": {
			one(func(x *nodes.Node) *nodes.Node { return nodes.Broadcast(x, 2, 2, 3) },
				[]int{2, 2, 3}, func(x []float64) []float64 {
					return append(slices.Clone(x),
						x...)
				}),
			one(func(x *nodes.Node) *nodes.Node { return nodes.Broadcast(x, 2, 3) }, []int{2, 3},
				same),
		},
	}
}

// reductionExpressions reduce axes.
func reductionExpressions() map[string][]expression {
	return map[string][]expression{
		"Sum": {
			one(func(x *nodes.Node) *nodes.Node { return nodes.Sum(x) }, nil,
				func(x []float64) []float64 { return scalar(sum(x)) }),
			one(func(x *nodes.Node) *nodes.Node { return nodes.Sum(x, 0) }, []int{3},
				func(x []float64) []float64 {
					return []float64{x[0] + x[3], x[1] + x[4], x[2] + x[5]}
				}),
			one(func(x *nodes.Node) *nodes.Node { return nodes.Sum(x, -1, -2) }, nil,
				func(x []float64) []float64 { return scalar(sum(x)) }),
		},
		"SumKeep": {one(func(x *nodes.Node) *nodes.Node { return nodes.SumKeep(x, 1) }, []int{2, 1},
			func(x []float64) []float64 {
				return []float64{x[0] + x[1] + x[2], x[3] + x[4] + x[5]}
			})},
		"Mean": {one(func(x *nodes.Node) *nodes.Node { return nodes.Mean(x, -1) }, []int{2},
			func(x []float64) []float64 {
				return []float64{(x[0] + x[1] + x[2]) / 3, (x[3] + x[4] + x[5]) / 3}
			})},
		"MeanKeep": {one(func(x *nodes.Node) *nodes.Node { return nodes.MeanKeep(x, 0) },
			[]int{1, 3}, func(x []float64) []float64 {
				return []float64{(x[0] + x[3]) / 2, (x[1] + x[4]) / 2, (x[2] + x[5]) / 2}
			})},
		"Max": {one(func(x *nodes.Node) *nodes.Node { return nodes.Max(x, 1) }, []int{2},
			func(x []float64) []float64 {
				return []float64{slices.Max(x[:3]), slices.Max(x[3:])}
			})},
	}
}

// rowExpressions work on rows.
func rowExpressions() map[string][]expression {
	return map[string][]expression{
		"Softmax": {one(func(x *nodes.Node) *nodes.Node { return nodes.Softmax(x) }, []int{2, 3},
			func(x []float64) []float64 { return rows(x, 3, softmax) })},
		"LogSoftmax": {one(func(x *nodes.Node) *nodes.Node { return nodes.LogSoftmax(x) },
			[]int{2, 3}, func(x []float64) []float64 {
				return each(rows(x, 3, softmax), math.Log)
			})},
		"LogSumExp": {one(func(x *nodes.Node) *nodes.Node { return nodes.LogSumExp(x) }, []int{2},
			func(x []float64) []float64 {
				return rows(x, 3, func(r []float64) []float64 {
					return scalar(math.Log(sum(each(r,
						math.Exp))))
				})
			})},
		"LayerNorm": {{
			in:    []gradcheck.Input{between(-2, 2, 1, 2, 3), row(1.5, -0.5, 2), row(0.1, 0.2, 0.3)},
			shape: []int{2, 3},
			build: func(_ *nodes.Graph, in ns) *nodes.Node {
				return nodes.LayerNorm(in[0], in[1],
					in[2], 0.01)
			},
			want: func(x xs) []float64 {
				return rows(x[0], 3, func(r []float64) (y []float64) {
					mean := sum(r) / 3
					variance := sum(each(r, func(v float64) float64 { return (v - mean) * (v - mean) })) / 3
					for i, v := range r {
						y = append(y, (v-mean)/math.Sqrt(variance+0.01)*x[1][i]+x[2][i])
					}
					return y
				})
			},
		}},
		"Embedding": {{
			in: x23, shape: []int{4, 3},
			build: func(g *nodes.Graph, in ns) *nodes.Node {
				return nodes.Embedding(in[0], gradcheck.Ints(g, "ids", []int{1, 0, 0, 1}, 4), -7)
			},
			want: func(x xs) []float64 {
				return slices.Concat(x[0][3:], x[0][:3], x[0][:3],
					x[0][3:])
			},
		}},
	}
}

// products are matrix products, and those with the second matrix transposed.
func products() (plain, transposed []expression) {
	for _, shapes := range [][2][]int{{{2, 3}, {3, 5}}, {{1, 1}, {1, 1}}, {{2, 7, 3}, {3, 1}},
		{{2, 1, 2, 3}, {3, 2}}, {{2, 5, 3}, {2, 3, 1}}} {
		k := len(shapes[0]) - 1
		m, inner, n := shapes[0][k-1], shapes[0][k], shapes[1][len(shapes[1])-1]
		want := func(x xs) (y []float64) {
			for r := range len(x[0]) / inner {
				w := x[1]
				if len(shapes[1]) == 3 {
					w = w[r/m*inner*n:]
				}
				for j := range n {
					var s float64
					for l := range inner {
						s += x[0][r*inner+l] * w[l*n+j]
					}
					y = append(y, s)
				}
			}
			return y
		}
		e := expression{
			in:    []gradcheck.Input{between(-1, 1, 1, shapes[0]...), between(-1, 1, 2, shapes[1]...)},
			want:  want,
			shape: append(slices.Clone(shapes[0][:k]), n),
			build: func(_ *nodes.Graph, in ns) *nodes.Node { return nodes.MatMul(in[0], in[1]) },
		}
		plain = append(plain, e)
		e.build = func(_ *nodes.Graph, in ns) *nodes.Node {
			perm := []int{1, 0}
			if len(shapes[1]) == 3 {
				perm = []int{0, 2, 1}
			}
			return nodes.MatMulT(in[0], nodes.Transpose(in[1], perm...))
		}
		transposed = append(transposed, e)
	}
	return plain, transposed
}

// crossEntropies are cross-entropies with every option.
func crossEntropies() (all []expression) {
	for _, o := range []nodes.CrossEntropyOptions{{}, {Reduction: nodes.ReduceSum},
		{Reduction: nodes.ReduceNone, Smoothing: 0.2},
		{Ignore: []int{2, -1}}, {Ignore: []int{0, 1, 2}},
		{Ignore: []int{2}, Smoothing: 0.5, Reduction: nodes.ReduceSum}} {
		ids := []int{2, 0, 2, 1}
		e := expression{
			in: []gradcheck.Input{between(-1, 1, 1, 2, 2, 3)},
			build: func(g *nodes.Graph, in ns) *nodes.Node {
				return nodes.CrossEntropy(in[0], gradcheck.Ints(g, "ids", ids, 2, 2), o)
			},
			want: func(x xs) []float64 {
				var losses []float64
				count := 0.0
				for i, id := range ids {
					var l float64
					if !slices.Contains(o.Ignore, id) {
						count++
						for j, p := range softmax(x[0][i*3 : i*3+3]) {
							l -= ((1-o.Smoothing)*truth(j == id) + o.Smoothing/3) * math.Log(p)
						}
					}
					losses = append(losses, l)
				}
				switch o.Reduction {
				case nodes.ReduceMean:
					return scalar(sum(losses) / math.Max(count, 1))
				case nodes.ReduceSum:
					return scalar(sum(losses))
				}
				return losses
			},
		}
		if o.Reduction == nodes.ReduceNone {
			e.shape = []int{2, 2}
		}
		all = append(all, e)
	}
	return all
}
