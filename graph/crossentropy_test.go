package graph_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/nodes"
)

// The loss and its gradient are one instruction where that is right: in all these graphs the
// numbers are the plain run's.
func TestCrossEntropyAgainstPlain(t *testing.T) {
	type variant struct {
		name      string
		smoothing float64
		ignore    []int
		reduction nodes.Reduction
		more      func(logits, loss *nodes.Node) *nodes.Node // what the loss becomes
	}
	variants := []variant{
		{name: "mean"},
		{name: "ignore and smoothing", smoothing: 0.1, ignore: []int{0, 2}},
		{name: "sum", reduction: nodes.ReduceSum},
		{name: "the gradient needs the loss", more: func(_,
			loss *nodes.Node) *nodes.Node {
			return nodes.Square(loss)
		}},
		{name: "the logits are read again", more: func(logits,
			loss *nodes.Node) *nodes.Node {
			return nodes.Add(loss,
				nodes.Mean(nodes.Square(logits)))
		}},
	}
	for _, dt := range []tensor.Dtype{nodes.Float32, nodes.Float64} {
		for _, size := range [][3]int{{1, 1, 2}, {3, 2, 7}, {5, 3, 101}} {
			for _, v := range variants {
				for _, bias := range []string{"none", "vector", "matrix"} {
					t.Run(fmt.Sprintf("%v/%v/%s/bias %s", dt, size, v.name, bias),
						func(t *testing.T) {
							m := model{g: nodes.NewGraph(nodes.Options{Dtype: dt, Training: true})}
							s := nodes.NewStore(dt, 1)
							r := rand.New(rand.NewPCG(1, 2))
							n, in, V := size[0]*2, size[1], size[2]
							x := m.g.Input("x", n, in)
							ids := m.g.IntInput("ids", n)
							random(t, r, x)
							targets := make([]int, n)
							for i := range targets {
								targets[i] = r.IntN(V)
							}
							bindInts(t, ids, targets)
							require.NoError(t, nodes.Try(func() {
								w := s.Root().Param("W", nodes.Normal(0, 2), in, V)
								logits := nodes.MatMul(x, w)
								wrt := []nodes.Operand{x, w}
								switch bias {
								case "vector":
									b := s.Root().Param("b", nodes.Normal(0, 1), V)
									logits, wrt = nodes.Add(logits, b), append(wrt, b)
								case "matrix":
									b := s.Root().Param("b", nodes.Normal(0, 1), n, V)
									logits, wrt = nodes.Add(logits, b), append(wrt, b)
								}
								loss := nodes.CrossEntropy(logits, ids,
									nodes.CrossEntropyOptions{Smoothing: v.smoothing, Ignore: v.ignore,
										Reduction: v.reduction})
								if v.more != nil {
									loss = v.more(logits, loss)
								}
								m.keep = append(m.keep, loss.Gorgonia())
								for _, d := range m.g.Gradients(loss, wrt...) {
									m.keep = append(m.keep, d.Gorgonia())
								}
							}))
							want := m.outcome(t, graph.Plain())
							one := m.outcome(t, graph.Workers(1))
							requireSame(t, want, one, map[tensor.Dtype]float64{nodes.Float32: 2e-5,
								nodes.Float64: 1e-12}[dt], "one worker")
							requireSame(t, want, m.outcome(t, graph.Without("fuse")), 2e-5,
								"without fuse")
							require.Equal(t, one, m.outcome(t, graph.Workers(3), graph.ShareAll()),
								"three workers")
						})
				}
			}
		}
	}
}
