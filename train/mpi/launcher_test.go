package mpi

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCrowded(t *testing.T) {
	one := place{Host: "a", Threads: 1, Mask: []uint64{1}}
	two := place{Host: "a", Threads: 1, Mask: []uint64{2}}
	all := place{Host: "a", Threads: 2, Mask: []uint64{3}}
	require.Empty(t, crowded([]place{one, two}), "each has a core")
	require.Empty(t, crowded([]place{all}))
	require.Empty(t, crowded([]place{{Host: "b", Threads: 9}}), "nothing is known of the cores")
	w := crowded([]place{all, all})
	require.Len(t, w, 1)
	require.Contains(t, w[0], "the 2 processes on a have 4 threads together, and may use 2 cores")
	require.Contains(t, w[0], "GOMAXPROCS=1")
	require.Len(t, crowded([]place{one, one}), 1, "two processes on one core")
}
