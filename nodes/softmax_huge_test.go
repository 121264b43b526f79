package nodes_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/nodes"
)

// A vocabulary as large as an int can count draws ids in it, and none at its end alone.
func TestSampledSoftmaxOfAHugeVocabulary(t *testing.T) {
	for _, v := range []int{math.MaxInt, math.MaxInt - 1, 1 << 53, 1<<53 + 1} {
		s := nodes.SampledSoftmax{V: v, Samples: 5}
		b := nodes.SampledBatch{IDs: make([]int, 7), Shifts: make([]float64, 7),
			Places: make([]int, 2)}
		require.NoError(t, s.Fill(b, []int{0, v - 1}, 1, 1))
		seen := map[int]bool{}
		for i, id := range b.IDs[2:] {
			require.True(t, 0 <= id && id < v && !seen[id], "%d of %d", id, v)
			seen[id] = true
			require.True(t, b.Shifts[2+i] > 0, "%v", b.Shifts)
		}
		require.Less(t, b.IDs[2], 1<<50)
		for _, x := range b.Shifts {
			require.False(t, math.IsNaN(x) || math.IsInf(x, 0), "%v", b.Shifts)
		}
	}
}
