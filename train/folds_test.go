package train_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/train"
)

// Every example is held out once and learned from in all other folds, which are of like size; the
// same seed gives the same folds, again and again.
func TestFolds(t *testing.T) {
	for _, n := range []int{2, 3, 7, 10, 101} {
		examples := make([]int, n)
		for i := range examples {
			examples[i] = 3 * i
		}
		for k := 2; k <= n; k += 1 + n/4 {
			folds, err := train.Folds(examples, k, 1)
			require.NoError(t, err)
			var held []int
			var all, again [][]int
			for learn, out := range folds {
				require.Contains(t, []int{n / k, (n + k - 1) / k}, len(out))
				both := slices.Concat(learn, out)
				require.True(t, slices.IsSorted(learn) && slices.IsSorted(out))
				require.ElementsMatch(t, examples, both)
				held, all = append(held, out...), append(all, out)
			}
			require.Len(t, all, k)
			require.ElementsMatch(t, examples, held)
			for _, out := range folds {
				again = append(again, out)
			}
			require.Equal(t, all, again)
		}
	}
	one, err := train.Folds(make([]struct{ a [3]int }, 5), 5, 2)
	require.NoError(t, err)
	for range one {
		break // ends without a panic
	}
	for _, k := range []int{-1, 0, 1, 4} {
		_, err := train.Folds([]string{"a", "b", "c"}, k, 1)
		require.ErrorContains(t, err, fmt.Sprintf("train: %d folds of 3 examples", k))
	}
}

// Of each class the folds have numbers of members that differ by at most 1, and so have the folds
// of examples; every example is held out once.
func TestStratifiedFolds(t *testing.T) {
	for _, sizes := range [][]int{{5}, {6, 4}, {50, 7, 3, 1}, {9, 9, 9}, {2, 2, 13}, {1, 1, 1, 1, 5}} {
		var examples [][2]int
		for class, n := range sizes {
			for i := range n {
				examples = append(examples, [2]int{class, i})
			}
		}
		for _, k := range []int{2, 3, 5} {
			folds, err := train.StratifiedFolds(examples, k, 1,
				func(e [2]int) string { return fmt.Sprint(e[0]) })
			require.NoError(t, err)
			var held [][2]int
			n := 0
			for learn, out := range folds {
				n++
				held = append(held, out...)
				require.ElementsMatch(t, examples, slices.Concat(learn, out))
				require.Contains(t, []int{len(examples) / k, (len(examples) + k - 1) / k}, len(out))
				counts := make([]int, len(sizes))
				for _, e := range out {
					counts[e[0]]++
				}
				for class, members := range sizes {
					require.Contains(t, []int{members / k, (members + k - 1) / k}, counts[class],
						"%v, %d folds, class %d", sizes, k, class)
				}
			}
			require.Equal(t, k, n)
			require.ElementsMatch(t, examples, held)
		}
	}
	class := func(s string) string { return s }
	for want, call := range map[string]func() error{
		"the largest of 3 classes has 1": func() error {
			_, err := train.StratifiedFolds([]string{"a", "b", "c"}, 2, 1, class)
			return err
		},
		"4 folds of 3 examples": func() error {
			_, err := train.StratifiedFolds([]string{"a", "a", "a"}, 4, 1, class)
			return err
		},
		"tells the class is nil": func() error {
			_, err := train.StratifiedFolds[string, string]([]string{"a", "a"}, 2, 1, nil)
			return err
		},
	} {
		require.ErrorContains(t, call(), want)
	}
}

// Draws come as often as their weights say, by a test of 4 standard deviations, and never with a
// weight of 0.
func TestResample(t *testing.T) {
	const n = 20000
	weights := []float64{0, 3, 1, 0, 6, 0}
	for _, scale := range []float64{1, 1e-300, 2e307} {
		scaled := make([]float64, len(weights))
		for i, w := range weights {
			scaled[i] = w * scale
		}
		drawn, err := train.Resample([]int{0, 1, 2, 3, 4, 5}, scaled, n, 1)
		require.NoError(t, err)
		counts := make([]float64, len(weights))
		for _, d := range drawn {
			counts[d]++
		}
		for i, w := range weights {
			p := w / 10
			require.InDelta(t, n*p, counts[i], 4*math.Sqrt(n*p*(1-p)), "%g, %d", scale, i)
		}
		again, err := train.Resample([]int{0, 1, 2, 3, 4, 5}, scaled, n, 1)
		require.NoError(t, err)
		require.Equal(t, drawn, again)
	}
	for want, call := range map[string][]float64{
		"2 weights of 3 examples": {1, 1}, "weight 1 is NaN": {1, math.NaN(), 1},
		"weight 2 is +Inf": {1, 1, math.Inf(1)}, "none of 3 weights": {0, 0, 0}, "weight 0 is -1": {-1, 1, 1},
	} {
		_, err := train.Resample([]string{"a", "b", "c"}, call, 2, 1)
		require.ErrorContains(t, err, want)
	}
	_, err := train.Resample([]string{"a"}, []float64{1}, 0, 1)
	require.ErrorContains(t, err, "0 draws")
}
