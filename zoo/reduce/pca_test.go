package reduce

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// PCA by covariances, and by the rows where they are few, against the definition.
func TestPCA(t *testing.T) {
	for _, size := range [][3]int{{2, 1, 1}, {50, 7, 3}, {700, 5, 5}, {5, 9, 4}, {3, 20, 3},
		{2, 2, 2}} {
		N, D, K := size[0], size[1], size[2]
		x := someRows(N, D, uint64(N))
		for _, standardise := range []bool{false, true} {
			m, err := FitPCA(context.Background(), x,
				PCAConfig{Features: D, Components: K, Standardise: standardise})
			require.NoError(t, err)
			v := m.Components()
			for a := range K {
				largest := 0.
				for j := range D {
					if math.Abs(v[a*D+j]) > math.Abs(largest) {
						largest = v[a*D+j]
					}
				}
				require.Positive(t, largest)
				for b := range K {
					var dot float64
					for j := range D {
						dot += v[a*D+j] * v[b*D+j]
					}
					want := 0.
					if a == b {
						want = 1
					}
					require.InDelta(t, want, dot, 1e-9)
				}
			}
			// The variance of the codes is what was promised, and what is left out is the error.
			codes, err := m.Transform(x)
			require.NoError(t, err)
			variance := m.Variance()
			for k := range K {
				var sum, squares float64
				for i := range N {
					c := float64(codes[i*K+k])
					sum += c
					squares += c * c
				}
				require.InDelta(t, 0, sum/float64(N), 1e-5)
				require.InDelta(t, variance[k], squares/float64(N-1), 1e-5)
			}
			left := 0.
			for _, s := range variance[K:] {
				left += s * float64(N-1) / float64(N*D)
			}
			got, err := MeanError(m, x)
			require.NoError(t, err)
			require.InDelta(t, left, got, 1e-6)
			require.True(t, slices.IsSortedFunc(variance,
				func(a, b float64) int { return -compareFloats(a, b) }))
		}
	}
}

func compareFloats(a, b float64) int {
	if a < b {
		return -1
	} else if a > b {
		return 1
	}
	return 0
}

func TestPrincipalAngles(t *testing.T) {
	angles, err := PrincipalAngles([]float64{1, 0, 0, 0, 1, 0}, []float64{5, 5, 0, 1, -1, 1e-9}, 3)
	require.NoError(t, err)
	require.InDelta(t, 0, angles[0], 1e-12)
	require.InEpsilon(t, 1e-9/math.Sqrt2, angles[1], 1e-6, "small angles too")
	angles, err = PrincipalAngles([]float64{1, 0, 0}, []float64{0, 0, 2}, 3)
	require.NoError(t, err)
	require.InDelta(t, math.Pi/2, angles[0], 1e-12)
	_, err = PrincipalAngles([]float64{1, 0, 2, 0}, []float64{1, 0, 0, 1}, 2)
	require.ErrorContains(t, err, "the rows of basis 1 are not independent")
	_, err = PrincipalAngles([]float64{1, 0}, []float64{1, 0, 0, 1}, 2)
	require.ErrorContains(t, err, "no two bases")
}

func TestCorruption(t *testing.T) {
	const n, d = 3000, 5
	x := make([]float32, n*d)
	for i := range x {
		x[i] = 0.5
	}
	share := func(y []float32, v float32) float64 {
		k := 0
		for _, z := range y {
			if z == v {
				k++
			}
		}
		return float64(k) / float64(len(y))
	}
	y, err := Corruption{Kind: Masking, Amount: 0.3}.Apply(x, d, 1)
	require.NoError(t, err)
	require.InDelta(t, 0.3, share(y, 0), 0.02)
	require.InDelta(t, 0.7, share(y, 0.5), 0.02)
	y, err = Corruption{Kind: SaltAndPepper, Amount: 0.4}.Apply(x, d, 1)
	require.NoError(t, err)
	require.InDelta(t, 0.2, share(y, 0), 0.02)
	require.InDelta(t, 0.2, share(y, 1), 0.02)
	require.InDelta(t, 0.6, share(y, 0.5), 0.02)
	y, err = Corruption{Kind: SaltAndPepper, Amount: 0.4, Low: -3, High: 7}.Apply(x, d, 1)
	require.NoError(t, err)
	require.InDelta(t, 0.2, share(y, -3), 0.02)
	require.InDelta(t, 0.2, share(y, 7), 0.02)
	c := Corruption{Kind: GaussianNoise, Amount: 2}
	y, err = c.Apply(x, d, 1)
	require.NoError(t, err)
	var sum, squares float64
	for _, v := range y {
		sum += float64(v)
		squares += float64(v-0.5) * float64(v-0.5)
	}
	require.InDelta(t, 0.5, sum/(n*d), 0.05)
	require.InDelta(t, 4, squares/(n*d), 0.15)
	again, err := c.Apply(x, d, 1)
	require.NoError(t, err)
	require.Equal(t, y, again)
	other, err := c.Apply(x, d, 2)
	require.NoError(t, err)
	require.NotEqual(t, y, other)
	require.NotEqual(t, y[:256*d], y[256*d:512*d], "each batch has noise of its own")

	same, err := Corruption{}.Apply(x, d, 1)
	require.NoError(t, err)
	require.Equal(t, x, same)
	_, err = c.Apply(x, 0, 1)
	require.ErrorContains(t, err, "rows of 0 features")
	_, err = c.Apply(x[:7], d, 1)
	require.ErrorContains(t, err, "no rows of 5")
	_, err = Corruption{Kind: "x"}.Apply(x, d, 1)
	require.ErrorContains(t, err, `kind is "x"`)
}
