package graph_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"gorgonia.org/gorgonia"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
)

// sumCell has a matrix S and, as parts of its state, sums over its rows and columns, which the next
// step reads beside the matrix: new sums are written while old ones may still be needed.
type sumCell struct {
	rows, columns int
	late          bool // the old sums are read behind the new ones
}

func (c *sumCell) Parts() []cells.Part {
	return []cells.Part{{Name: "h", Width: c.rows}, cells.Matrix("r", 1, c.rows, 1),
		cells.Matrix("k", 1, 1, c.columns), cells.Matrix("S", 1, c.rows, c.columns)}
}

func (c *sumCell) Step(x *nodes.Node, s cells.State) cells.State {
	B := x.Dim(0)
	r, k, S := s[1], s[2], s[3]
	in := nodes.Reshape(x, B, 1, c.rows, 1)
	S2 := nodes.Add(nodes.Mul(S, nodes.Sigmoid(r)), nodes.Mul(in, nodes.Tanh(nodes.Shift(k, 1))))
	base := S
	if c.late {
		base = S2
	}
	r2 := nodes.SumKeep(nodes.Mul(base, k), 3)
	k2 := nodes.SumKeep(nodes.Mul(base, r), 2)
	S3 := nodes.Sub(S2, nodes.Mul(r, k))
	return cells.State{nodes.Reshape(nodes.Tanh(r2), B, c.rows), nodes.Tanh(r2), nodes.Tanh(k2),
		nodes.Tanh(S3)}
}

// States that are sums of a matrix take the place of those before them only when these were read.
func TestSumsInTheState(t *testing.T) {
	for _, late := range []bool{false, true} {
		for i, size := range [][4]int{{5, 3, 4, 6}, {3, 1, 37, 5}, {4, 2, 3, 129}, {2, 3, 140, 67}} {
			for _, gradients := range []bool{false, true} {
				T, B := size[0], size[1]
				c := &sumCell{size[2], size[3], late}
				g := nodes.NewGraph(nodes.Options{})
				x := g.Input("x", T, B, c.rows)
				var start cells.State
				var keep []*gorgonia.Node
				require.NoError(t, nodes.Try(func() {
					for _, p := range c.Parts() {
						start = append(start, g.Input(p.Name, B, p.Width))
					}
					r := unroll.Over(c).Unroll(x, start, unroll.Options{})
					loss := nodes.Mean(nodes.Square(r.Y()))
					keep = append(keep, loss.Gorgonia())
					for _, f := range r.Final() {
						keep = append(keep, f.Gorgonia())
					}
					if gradients {
						for _, d := range g.Gradients(loss, x, start[3]) {
							keep = append(keep, d.Gorgonia())
						}
					}
				}))
				r := rand.New(rand.NewPCG(1, uint64(i)))
				for _, n := range append([]*nodes.Node{x}, start...) {
					random(t, r, n)
				}
				m := model{g: g, keep: keep}
				want := m.outcome(t, graph.Workers(1), graph.Without("fuse"))
				for workers := 1; workers < 3; workers++ {
					got := m.outcome(t, graph.Workers(workers), graph.ShareAll())
					for n := range want {
						require.Len(t, got[n], len(want[n]))
						for e := range want[n] {
							require.InDelta(t, want[n][e], got[n][e], 1e-4,
								fmt.Sprint(late, size, gradients, " value ", n, " element ", e))
						}
					}
				}
			}
		}
	}
}
