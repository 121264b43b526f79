package graph_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/nodes"
)

// TestLossesAgainstPlain has losses whose gradient waits for what is computed beside the loss: the
// number of targets that count divides both, and of two losses multiplied each is the other's
// gradient.
func TestLossesAgainstPlain(t *testing.T) {
	for name, build := range map[string]func(x, y, ids *nodes.Node) *nodes.Node{
		"mean of those that count": func(x, _, ids *nodes.Node) *nodes.Node {
			return nodes.CrossEntropy(x, ids, nodes.CrossEntropyOptions{Ignore: []int{-1}})
		},
		"product": func(x, y, ids *nodes.Node) *nodes.Node {
			return nodes.Mul(nodes.CrossEntropy(x, ids, nodes.CrossEntropyOptions{}),
				nodes.CrossEntropy(y, ids, nodes.CrossEntropyOptions{Smoothing: 0.1}))
		},
		"its exponential": func(x, _, ids *nodes.Node) *nodes.Node {
			return nodes.Exp(nodes.CrossEntropy(x, ids,
				nodes.CrossEntropyOptions{Ignore: []int{-1}}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got [2][][]float64
			for i, options := range [][]graph.Option{nil, {graph.Plain()}} {
				g := nodes.NewGraph(nodes.Options{})
				x, y, ids := g.Input("x", 3, 2, 5), g.Input("y", 3, 2, 5), g.IntInput("ids", 3, 2)
				loss := build(x, y, ids)
				keep := []*gorgonia.Node{loss.Gorgonia()}
				for _, d := range g.Gradients(loss, x, y) {
					keep = append(keep, d.Gorgonia())
				}
				m, err := graph.Compile(g.Expr(), append(options, graph.Keep(keep...))...)
				require.NoError(t, err)
				defer m.Close()
				for k, n := range []*nodes.Node{x, y} {
					v := make([]float32, 30)
					for j := range v {
						v[j] = float32((j*7+k*3)%11) / 5
					}
					require.NoError(t, gorgonia.Let(n.Gorgonia(),
						tensor.New(tensor.WithShape(3, 2, 5), tensor.WithBacking(v))))
				}
				id := []int{0, 1, 2, 3, 4, 0}
				if name != "product" {
					id[4] = -1
				}
				require.NoError(t, gorgonia.Let(ids.Gorgonia(),
					tensor.New(tensor.WithShape(3, 2), tensor.WithBacking(id))))
				require.NoError(t, m.RunAll())
				for _, n := range keep {
					got[i] = append(got[i], testkit.Floats(n.Value()))
				}
			}
			for i := range got[0] {
				testkit.RequireInDelta(t, got[1][i], got[0][i], 1e-6)
			}
			require.NotZero(t, got[0][1][0])
		})
	}
}

// TestIgnoredTargetsHideTheirLogits has NaN in the logits of targets that count nothing: losses and
// gradients do not know of it.
func TestIgnoredTargetsHideTheirLogits(t *testing.T) {
	for _, reduction := range []nodes.Reduction{nodes.ReduceMean, nodes.ReduceSum,
		nodes.ReduceNone} {
		for _, options := range [][]graph.Option{nil, {graph.Plain()}} {
			var want [][]float64
			for _, behind := range []float32{1, float32(math.NaN()), float32(math.Inf(1)),
				float32(math.Inf(-1))} {
				g := nodes.NewGraph(nodes.Options{})
				x, ids := g.Input("x", 3, 5), g.IntInput("ids", 3)
				o := nodes.CrossEntropyOptions{Ignore: []int{-1}, Smoothing: 0.1,
					Reduction: reduction}
				losses := nodes.CrossEntropy(x, ids, o)
				keep := []*gorgonia.Node{losses.Gorgonia()}
				for _, d := range g.Gradients(nodes.Sum(losses), x) {
					keep = append(keep, d.Gorgonia())
				}
				v := make([]float32, 15)
				for i := range v {
					if v[i] = float32(i%7) / 3; i/5 == 1 {
						v[i] = behind
					}
				}
				require.NoError(t, gorgonia.Let(x.Gorgonia(),
					tensor.New(tensor.WithShape(3, 5), tensor.WithBacking(v))))
				bindInts(t, ids, []int{2, -1, 0})
				m, err := graph.Compile(g.Expr(), append(options, graph.Keep(keep...))...)
				require.NoError(t, err)
				require.NoError(t, m.RunAll())
				var got [][]float64
				for _, n := range keep {
					got = append(got, testkit.Floats(n.Value()))
				}
				require.NoError(t, m.Close())
				if want == nil {
					want = got
				}
				require.Equal(t, want, got, "%v in the logits of an ignored target", behind)
			}
		}
	}
}
