package train_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/train"
)

// Every example is held out once and learned from in all other folds, which are of like size; the same
// seed gives the same folds, again and again.
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
