package moments_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/moments"
)

func TestRunning(t *testing.T) {
	r := moments.NewRunning(3)
	require.Equal(t, []float64{0, 0, 0}, r.Deviations())
	x := []float64{1e9 + 1, 0.1, 1e9 + 3, 0.1, 1e9 + 2, 0.1} // two columns; none of the third
	for i, v := range x {
		r.Add(i%2, v)
	}
	require.Equal(t, []float64{3, 3, 0}, r.Count)
	require.Equal(t, []float64{1e9 + 2, 0.1, 0}, r.Mean)
	got := r.Deviations()
	require.InEpsilon(t, math.Sqrt(2./3), got[0], 1e-12)
	require.Equal(t, []float64{0, 0}, got[1:])
}

func TestDeviations(t *testing.T) {
	for _, unit := range []float64{1, 1e-300, 1e-160, 1e160, 1e307} {
		x := []float64{1, 5, 3, 5, 2, 5} // columns 1 3 2 and 5 5 5
		for i := range x {
			x[i] *= unit
		}
		got := moments.Deviations(len(x), func(i int) float64 { return x[i] },
			[]float64{2 * unit, 5 * unit})
		require.InEpsilon(t, math.Sqrt(2./3)*unit, got[0], 1e-12)
		require.Zero(t, got[1])
	}
	x := []float64{math.MaxFloat64, -math.MaxFloat64}
	got := moments.Deviations(2, func(i int) float64 { return 2 * x[i] }, []float64{0})
	require.False(t, got[0]-got[0] == 0)
}
