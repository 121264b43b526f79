package unroll_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
)

// A loss of the last output reaches just the steps since the last cut, by every strategy, and the
// outputs are those without a cut. The initial state is reached if nothing is cut before.
func TestCut(t *testing.T) {
	for _, strategy := range []unroll.Strategy{unroll.Scan, unroll.Expand} {
		for _, reverse := range []bool{false, true} {
			for T := 1; T <= 7; T++ {
				var uncut []float64
				for k := 0; k <= T+1; k++ {
					name := fmt.Sprint(strategy, " reverse ", reverse, " T ", T, " k ", k)
					y, dx, dh := cutGradients(t, T, unroll.Options{Strategy: strategy,
						Reverse: reverse, Cut: k})
					if k == 0 {
						uncut = y
					}
					require.Equal(t, uncut, y, name)
					reached := T // steps, counted from the last one that is run
					if k > 0 {
						reached = (T-1)%k + 1
					}
					for i := range T { // steps in the order in which they are run
						at := i
						if reverse {
							at = T - 1 - i
						}
						require.Equal(t, i >= T-reached, dx[at] != 0, "%s: x of step %d", name, at)
					}
					require.Equal(t, reached == T, dh != 0, "%s: the initial state", name)
				}
			}
		}
	}
}

// cutGradients is the output of the step that is run last, and its derivatives by x and by the
// initial state.
func cutGradients(t *testing.T, T int, o unroll.Options) (y, dx []float64, dh float64) {
	store := nodes.NewStore(nodes.Float64, 1)
	g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
	var want []*nodes.Node
	try(t, func() {
		cell := cells.NewRNN(store.Root(), cells.RNNConfig{In: 1, Hidden: 1})
		randomise(store)
		x, h := random(g, "x", T, 1, 1), random(g, "h", 1, 1)
		last := unroll.Over(cell).Unroll(x, cells.State{h}, o).Final()[0]
		want = append([]*nodes.Node{last}, g.Gradients(nodes.Sum(last), x, h)...)
	})
	values := runOnce(t, g, want)
	return values[0], values[1], values[2][0]
}
