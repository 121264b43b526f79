package graph_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/graph"
)

// A machine that nobody closes takes its workers with it.
func TestForgottenMachine(t *testing.T) {
	before := runtime.NumGoroutine()
	func() {
		m := training(t, "rnn", 3, 2, 2, 2)
		vm, err := graph.Compile(m.g.Expr(), graph.Keep(m.keep...), graph.Workers(4),
			graph.ShareAll())
		require.NoError(t, err)
		require.NoError(t, vm.RunAll())
	}()
	for late := time.Now().Add(time.Minute); time.Now().Before(late); {
		if runtime.GC(); runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	require.Fail(t, "workers are left", "%d goroutines, %d before", runtime.NumGoroutine(), before)
}
