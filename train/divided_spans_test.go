package train

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/internal/kernels"
)

// Every block belongs to one process, in one span of a parameter, and no process has many more than
// others, of large parameters and of all.
func TestDivide(t *testing.T) {
	const b = kernels.Block
	for _, sizes := range [][]int{{1}, {0, 3, b, b + 1}, {40*b + 5, 7, 2 * b, 33 * b},
		{3 * b, 100 * b, 1}} {
		var params []gorgonia.ValueGrad
		for i, n := range sizes {
			name := string(rune('a' + i))
			if i%2 == 0 {
				params = append(params, newParam(name, make([]float32, n), n))
			} else {
				params = append(params, newParam(name, make([]float64, n), n))
			}
		}
		l, err := newLayout(params)
		require.NoError(t, err)
		for _, n := range []int{1, 2, 3, 4, 7, 130} {
			owners := make([][]bool, len(sizes))
			for i, size := range sizes {
				owners[i] = make([]bool, size)
			}
			least, most := len(l.blocks), 0
			for _, spans := range l.divide(n) {
				blocks, before := 0, -1
				for _, s := range spans {
					require.Greater(t, s.slot, before, "in order, and one of a parameter")
					require.Zero(t, s.from%b)
					require.Less(t, s.from, s.to)
					for i := s.from; i < s.to; i++ {
						if owners[s.slot][i] {
							t.Fatal("two have the same number")
						}
						owners[s.slot][i] = true
					}
					before, blocks = s.slot, blocks+(s.to-s.from+b-1)/b
				}
				least, most = min(least, blocks), max(most, blocks)
			}
			for _, owned := range owners {
				require.False(t, slices.Contains(owned, false))
			}
			require.LessOrEqual(t, most-least, 1+len(sizes), "%v among %d", sizes, n)
		}
	}
}
