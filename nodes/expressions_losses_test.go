package nodes_test

import (
	"math"

	"github.com/seqzoo/seqzoo/internal/gradcheck"
	"github.com/seqzoo/seqzoo/nodes"
)

// lossExpressions are losses and divergences.
func lossExpressions() map[string][]expression {
	return map[string][]expression{
		"CopyCrossEntropy": {{
			in: []gradcheck.Input{between(-2, 2, 1, 4, 3), row(0.3, -1, 2, 0.5),
				row(0.2, 0.8, 0.6, 0.4, 0.5, 0.5, 1, 0)},
			shape: []int{4},
			build: func(g *nodes.Graph, in ns) *nodes.Node {
				// written or copied; copied from either place; written alone; neither
				here := nodes.Concat(0, g.Const(1, 1, 1), g.Const(0, 1, 1), g.Const(1, 2, 1),
					g.Const(0, 4, 1))
				return nodes.CopyCrossEntropy(in[0], in[1], nodes.Reshape(in[2], 4, 2),
					nodes.Reshape(here, 4, 2), gradcheck.Ints(g, "targets", []int{2, -1, 0, -1}, 4),
					nodes.CrossEntropyOptions{Ignore: []int{-1}, Reduction: nodes.ReduceNone})
			},
			want: func(x xs) []float64 {
				p := each(x[1], func(v float64) float64 { return 1 / (1 + math.Exp(-v)) })
				write := rows(x[0], 3, softmax)
				return []float64{
					-math.Log(p[0]*write[2] + (1-p[0])*x[2][0]),
					-math.Log((1 - p[1]) * (x[2][2] + x[2][3])),
					-math.Log(p[2] * write[6]),
					0,
				}
			},
		}},
		"BCEWithLogits": reduced(nodes.BCEWithLogits, func(x, t float64) float64 {
			p := 1 / (1 + math.Exp(-x))
			return -t*math.Log(p) - (1-t)*math.Log(1-p)
		}),
		"MSE": reduced(nodes.MSE, func(x, t float64) float64 { return (x - t) * (x - t) }),
		"L1":  reduced(nodes.L1, func(x, t float64) float64 { return math.Abs(x - t) }),
		"Huber": reduced(func(x, t nodes.Operand,
			r nodes.Reduction) *nodes.Node {
			return nodes.Huber(x, t, 0.75, r)
		},
			func(x, t float64) float64 {
				e := math.Abs(x - t)
				if e <= 0.75 {
					return e * e / 2
				}
				return 0.75 * (e - 0.375)
			}),
		"Pinball": reduced(func(x, t nodes.Operand, r nodes.Reduction) *nodes.Node {
			return nodes.Pinball(x, t, 0.2, r)
		}, func(x, t float64) float64 { return max(0.2*(t-x), 0.8*(x-t)) }),
		"KLStandardNormal": {{
			in:    []gradcheck.Input{between(-1, 1, 1, 2, 3), between(-1, 1, 2, 2, 3)},
			shape: []int{2},
			build: func(_ *nodes.Graph, in ns) *nodes.Node {
				return nodes.KLStandardNormal(in[0],
					in[1])
			},
			want: func(x xs) []float64 {
				y := make([]float64, 2)
				for i, mu := range x[0] {
					y[i/3] += (mu*mu + math.Exp(x[1][i]) - 1 - x[1][i]) / 2
				}
				return y
			},
		}},
		"KLGaussians": {{
			in: []gradcheck.Input{between(-1, 1, 1, 2, 3), between(-1, 1, 2, 2, 3),
				between(-1, 1, 3, 2, 3), between(-1, 1, 4, 2, 3)},
			shape: []int{2},
			build: func(_ *nodes.Graph, in ns) *nodes.Node {
				return nodes.KLGaussians(in[0], in[1],
					in[2], in[3])
			},
			want: func(x xs) []float64 {
				y := make([]float64, 2)
				for i := range x[0] {
					d, vq, vp := x[0][i]-x[2][i], math.Exp(x[1][i]), math.Exp(x[3][i])
					y[i/3] += (math.Log(vp/vq) + (vq+d*d)/vp - 1) / 2
				}
				return y
			},
		}},
		"Masked": {{
			in: []gradcheck.Input{row(1, 2, 3), row(1, 0, 1)}, shape: []int{3},
			build: func(_ *nodes.Graph, in ns) *nodes.Node {
				return nodes.Masked(in[0], in[1],
					0.75)
			},
			want: func(x xs) []float64 {
				return []float64{4 * x[0][0] * x[1][0], 4 * x[0][1] * x[1][1],
					4 * x[0][2] * x[1][2]}
			},
		}},
	}
}
