package memtest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/memtest"
)

var kept []byte

func TestAllocated(t *testing.T) {
	runs := 0
	n := memtest.Allocated(1<<20, func() { kept = make([]byte, 1<<16); runs++ })
	require.Equal(t, 1, runs, "what is within the limit is measured once")
	require.GreaterOrEqual(t, n, 1<<16)
	require.LessOrEqual(t, n, 1<<20)

	// The first run allocates more, as if something else had: the least counts.
	runs = 0
	n = memtest.Allocated(1<<19, func() {
		if runs++; runs == 1 {
			kept = make([]byte, 1<<20)
		}
	})
	require.Equal(t, 2, runs)
	require.Less(t, n, 1<<19)

	runs = 0
	n = memtest.Allocated(1<<10, func() { kept = make([]byte, 1<<16); runs++ })
	require.Equal(t, 5, runs)
	require.GreaterOrEqual(t, n, 1<<16)
}
