package sysmem_test

import (
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/sysmem"
)

func TestAvailable(t *testing.T) {
	n := sysmem.Available()
	if runtime.GOOS == "linux" {
		require.Greater(t, n, 1<<20)
	}
	old := debug.SetMemoryLimit(5 << 20)
	defer debug.SetMemoryLimit(old)
	n = sysmem.Available()
	require.Greater(t, n, 0)
	require.LessOrEqual(t, n, 5<<20)
}
