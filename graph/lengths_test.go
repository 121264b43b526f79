package graph_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
)

// Rows that have ended are skipped, in any order of the lengths, and nothing changes but the time.
func TestLengthsAgainstPlain(t *testing.T) {
	const T, B, I, H = 6, 8, 3, 5
	lengths := map[string][]int{
		"rising":  {0, 1, 1, 2, 3, 4, 5, 6},
		"falling": {6, 5, 5, 4, 2, 1, 1, 0},
		"mixed":   {3, 0, 6, 1, 2, 2, 6, 0},
		"full":    {6, 6, 6, 6, 6, 6, 6, 6},
		"none":    {0, 0, 0, 0, 0, 0, 0, 0},
	}
	for _, kind := range []string{"rnn", "gru", "lstm", "mgu"} {
		for _, reverse := range []bool{false, true} {
			for name, n := range lengths {
				t.Run(fmt.Sprintf("%s/reverse %t/%s", kind, reverse, name), func(t *testing.T) {
					store := nodes.NewStore(nodes.Float64, 1)
					m := model{g: nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})}
					r := rand.New(rand.NewPCG(3, 4))
					x, l := m.g.Input("x", T, B, I), m.g.IntInput("lengths", B)
					random(t, r, x)
					bindInts(t, l, n)
					require.NoError(t, nodes.Try(func() {
						cell := newCell(store.Root(), kind, I, H, nil)
						u := unroll.Over(cell).Unroll(x, nil,
							unroll.Options{Lengths: l, Reverse: reverse})
						loss := nodes.Add(nodes.Mean(nodes.Square(u.Y())),
							nodes.Mean(nodes.Square(u.Final()[0])))
						m.keep = []*gorgonia.Node{loss.Gorgonia(), u.Y().Gorgonia(),
							u.Final()[0].Gorgonia()}
						wrt := []nodes.Operand{x}
						for _, p := range store.Params() {
							wrt = append(wrt, p)
						}
						for _, d := range m.g.Gradients(loss, wrt...) {
							m.keep = append(m.keep, d.Gorgonia())
						}
					}))
					want := m.outcome(t, graph.Plain())
					vm, err := graph.Compile(m.g.Expr(), graph.Keep(m.keep...), graph.Workers(1))
					require.NoError(t, err)
					require.Contains(t, vm.Explain(), "without the rows that have ended")
					require.NoError(t, vm.Close())
					one := m.outcome(t, graph.Workers(1))
					requireSame(t, want, one, 1e-10, "one worker")
					requireSame(t, want, m.outcome(t, graph.Without("skip")), 1e-10, "without skip")
					requireBits(t, one, m.outcome(t, graph.Workers(3), graph.ShareAll()),
						"three workers")
					requireBits(t, one, m.outcome(t, graph.Workers(2), graph.ShareAll(),
						graph.Share(graph.ShareOperations)), "shared by operation")
				})
			}
		}
	}
}
