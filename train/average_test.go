package train

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"pgregory.net/rapid"

	"github.com/seqzoo/seqzoo/internal/testkit" // and one seed

	"github.com/seqzoo/seqzoo/rng"
)

func TestAverage(t *testing.T) {
	t.Run("float64", func(t *testing.T) { testAverage[float64](t, 1e-12) })
	t.Run("float32", func(t *testing.T) { testAverage[float32](t, 1e-5) })
}

func testAverage[T float](t *testing.T, tolerance float64) {
	for _, c := range []AverageConfig{{}, {Decay: 0.9}, {After: 4}, {Decay: 0.9, After: 9},
		{After: 10}} {
		decay := c.Decay
		for _, shape := range [][]int{{}, {1}, {7}, {3, 5}} {
			p := newParam("w", make([]T, sizeOf(shape)), shape...)
			params, value := []gorgonia.ValueGrad{p}, dataOf[T](p.value)
			a, err := NewAverage(c)
			require.NoError(t, err)
			want := make([]float64, len(value))
			for drawn := range 10 {
				n := max(drawn-c.After, 0)
				copy(value, normals[T](rng.New(uint64(drawn)), len(value)))
				require.NoError(t, a.Update(params))
				for i := range want {
					switch {
					case decay == 0:
						want[i] = (want[i]*float64(n) + float64(value[i])) / float64(n+1)
					case n == 0:
						want[i] = float64(value[i])
					default:
						want[i] = decay*want[i] + (1-decay)*float64(value[i])
					}
				}
			}
			weights := convert[T](value)
			require.NoError(t, a.Swap(params))
			require.True(t, a.Swapped())
			testkit.RequireInDelta(t, want, convert[float64](value), tolerance)
			require.ErrorContains(t, a.Update(params), "swap them out first")
			require.NoError(t, a.Swap(params))
			require.False(t, a.Swapped())
			require.Equal(t, weights, convert[T](value), "back to the bit")
		}
	}
}

func TestAverageResume(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		decay := rapid.SampledFrom([]float64{0, 0.5, 0.99}).Draw(t, "decay")
		after := rapid.IntRange(0, 9).Draw(t, "after")
		stop := rapid.IntRange(0, 9).Draw(t, "stop")
		// saved in the midst of an evaluation
		swapped := rapid.Bool().Draw(t, "swapped") && stop > 0
		build := func() *Average {
			a, err := NewAverage(AverageConfig{Decay: decay, After: after})
			require.NoError(t, err)
			return a
		}
		p := newParam("w", make([]float32, 5), 5)
		params, value := []gorgonia.ValueGrad{p}, dataOf[float32](p.value)
		whole, broken := build(), build()
		for n := range 10 {
			if n == stop {
				if swapped {
					require.NoError(t, broken.Swap(params))
				}
				resumed := build()
				require.NoError(t, resumed.Restore(broken.State()))
				broken = resumed
				require.Equal(t, swapped, broken.Swapped())
				if swapped {
					require.NoError(t, broken.Swap(params))
				}
			}
			copy(value, normals[float32](rng.New(uint64(n)), 5))
			require.NoError(t, whole.Update(params))
			require.NoError(t, broken.Update(params))
		}
		require.Equal(t, whole.State(), broken.State())
	})
}

func TestAverageErrors(t *testing.T) {
	a, err := NewAverage(AverageConfig{})
	require.NoError(t, err)
	w, b := newParam("w", []float64{1, 2}, 2), newParam("b", []float64{3}, 1)
	list := func(params ...gorgonia.ValueGrad) []gorgonia.ValueGrad { return params }

	require.NoError(t, a.Swap(nil), "nothing to swap")
	require.NoError(t, a.Swap(nil))
	require.ErrorContains(t, a.Swap(list(w)), `parameter "w" has no average yet`)
	require.ErrorContains(t, a.Update(list(w, nil)), "parameter 1 is nil")
	require.ErrorContains(t, a.Update(list(w, w)), `"w" is listed twice`)
	require.Empty(t, a.State().Tensors)
	require.NoError(t, a.Update(list(w, b)))
	require.ErrorContains(t, a.Swap(list(w)), "1 of 2 averaged parameters")
	require.ErrorContains(t, a.Swap(list(w, b, newParam("c", []float64{3}, 1))),
		`"c" has no average yet`)
	require.ErrorContains(t, a.Update(list(newParam("w", []float64{1, 2}, 1, 2))),
		`"w" is float64 [1 2], but "average" of it is kept as float64 [2]`)
	require.NoError(t, a.Swap(list(b, w)), "in any order")

	decaying, err := NewAverage(AverageConfig{Decay: 0.9})
	require.NoError(t, err)
	require.ErrorContains(t, decaying.Restore(a.State()), `the state is that of "running_mean"`)
	state := a.State()
	state.Scalars["swapped"] = 0.5
	require.ErrorContains(t, a.Restore(state), `scalar "swapped" is 0.5`)
	require.True(t, a.Swapped(), "unchanged")
}
