package unroll_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
)

// growing is a cell with a part of its state, c, that overflows where x is large, and that no
// output reads before the next step.
type growing struct{ w *nodes.Param }

func (growing) Parts() []cells.Part {
	return []cells.Part{{Name: "h", Width: 2}, {Name: "c", Width: 2}}
}

func (g growing) Step(x *nodes.Node, s cells.State) cells.State {
	v := nodes.MatMul(x, g.w)
	return cells.State{nodes.Tanh(nodes.Add(v, nodes.Tanh(s[1]))),
		nodes.Add(s[1], nodes.Exp(nodes.Square(v)))}
}

// What a part of the state that overflows in a last step, where nobody reads it, does to gradients
// is as the comment of the package says: nothing where the step is left out, and otherwise 0·∞.
func TestStatesThatNobodyReads(t *testing.T) {
	const large = 1e3
	for _, c := range []struct {
		what    string
		x       []float64 // [T, B]
		lengths []int
		finite  map[unroll.Strategy]bool
	}{
		{"in the last step", []float64{.1, .2, .3, .4, large, large}, nil,
			map[unroll.Strategy]bool{unroll.Expand: true}},
		{"in the last step of a sequence beside a longer one", []float64{.1, .2, .3, large, .4, .5},
			[]int{3, 2}, map[unroll.Strategy]bool{}},
		{"behind the end", []float64{.1, .2, .3, .4, .5, large}, []int{3, 2},
			map[unroll.Strategy]bool{unroll.Expand: true, unroll.Scan: true}},
	} {
		strategies(t, func(t *testing.T, strategy unroll.Strategy) {
			for on, engine := range engines {
				store := nodes.NewStore(nodes.Float64, 1)
				g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
				var want []*nodes.Node
				try(t, func() {
					cell := growing{store.Root().Param("w", nodes.Normal(0, 1), 1, 2)}
					o := unroll.Options{Strategy: strategy}
					if c.lengths != nil {
						o.Lengths = ints(g, "lengths", c.lengths, 2)
					}
					y := unroll.Over(cell).Unroll(input(g, "x", c.x, 3, 2, 1), nil, o).Y()
					want = g.Gradients(nodes.Sum(nodes.Square(y)), operands(store)...)
				})
				sum := 0.0
				for _, v := range engine(t, g, want)[0] {
					sum += v
				}
				require.Equal(t, c.finite[strategy], !math.IsNaN(sum), "%s on the %s", c.what, on)
			}
		})
	}
}
