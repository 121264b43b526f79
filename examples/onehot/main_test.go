package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Both ways agree to the bit where no word comes twice, and but for the order of the sums where one
// does.
func TestBothWays(t *testing.T) {
	for _, size := range [][3]int{{1, 1, 1}, {7, 3, 5}, {50, 16, 200}} {
		product, lookup, err := both(size[0], size[1], size[2],
			func(i int) int { return i * i % size[0] })
		require.NoError(t, err)
		require.Equal(t, product.values(), lookup.values())
		a, err := product.gradient()
		require.NoError(t, err)
		b, err := lookup.gradient()
		require.NoError(t, err)
		require.Less(t, difference(a, b), float32(1e-4))
		want := make([]float32, size[0]*size[1])
		for i, id := range lookup.ids {
			for k := range size[1] {
				want[id*size[1]+k] += lookup.values()[i*size[1]+k]
			}
		}
		require.Less(t, difference(want, b), float32(1e-4))
	}
}

func TestRun(t *testing.T) {
	var out strings.Builder
	require.NoError(t, run(&out, 300, 8, 40))
	require.Contains(t, out.String(), "cat           [0 1 0 0 0]")
	require.Contains(t, out.String(), "Greatest difference of the vectors 0")
	require.ErrorContains(t, run(&out, 0, 1, 1), "-vocab 0")
	require.ErrorContains(t, run(&out, 1<<20, 1<<20, 1), "at most")
}
