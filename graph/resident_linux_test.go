package graph_test

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/graph"
)

const residentEnv = "SEQZOO_TEST_RESIDENT"

// inUse is the memory that the process has written to and needs, in bytes: what the kernel counts
// page by page (statm and VmRSS are sums of counters that may lag behind, and count pages of the
// program's file too), without the free pages that Go's runtime has not given back. On a busy
// machine it keeps some in the caches of processors that had no turn.
func inUse(t require.TestingT) int {
	for range 3 {
		debug.FreeOSMemory()
	}
	rollup, err := os.ReadFile("/proc/self/smaps_rollup")
	require.NoError(t, err)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	for _, line := range strings.Split(string(rollup), "\n") {
		var kb int
		if n, _ := fmt.Sscanf(line, "Anonymous: %d", &kb); n == 1 {
			return kb<<10 - int(m.HeapIdle-m.HeapReleased)
		}
	}
	require.FailNow(t, "no count")
	return 0
}

// A fresh process has as much more memory in use after a training step as the plan says before it,
// within 5 %, or what the runtime takes where that is more.
func TestResidentMemory(t *testing.T) {
	if s := os.Getenv(residentEnv); s != "" {
		var kind string
		var w workload
		_, err := fmt.Sscan(s, &kind, &w.B, &w.T, &w.I, &w.H)
		require.NoError(t, err)
		// the scratch memory of products, which Memory does not count
		small := training(t, kind, 400/w.B, w.B, w.I, w.H)
		small.outcome(t, graph.Workers(1), graph.ReuseValues())
		m := training(t, kind, w.T, w.B, w.I, w.H)
		before := inUse(t)
		vm, err := graph.Compile(m.g.Expr(), graph.Keep(m.keep...), graph.ReuseValues(),
			graph.Workers(1))
		require.NoError(t, err)
		planned := vm.Memory()
		require.NoError(t, vm.RunAll())
		fmt.Printf("memory %d %d\n", planned, inUse(t)-before)
		runtime.KeepAlive(m)
		runtime.KeepAlive(small) // what it holds counts in both
		require.NoError(t, vm.Close())
		return
	}
	if _, err := os.Stat("/proc/self/smaps_rollup"); err != nil {
		t.Skip("the kernel does not say what memory is in use: ", err)
	}
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings,
		debug.BuildSetting{Key: "-race", Value: "true"}) {
		t.Skip("the race detector has memory of its own for every byte")
	}
	for _, w := range workloads {
		for _, kind := range []string{"rnn", "gru", "lstm"} {
			cmd := exec.Command(os.Args[0], "-test.run", "^TestResidentMemory$")
			cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %d %d %d", residentEnv, kind, w.B,
				w.T, w.I, w.H))
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
			var planned, took int
			_, err = fmt.Sscanf(string(out[strings.Index(string(out), "memory "):]), "memory %d %d",
				&planned, &took)
			require.NoError(t, err, "%s", out)
			off := float64(took-planned) / float64(planned)
			t.Logf("%-4s %-4s planned %6.2f MB, resident %+.1f %%", w.name, kind,
				float64(planned)/1e6, 100*off)
			const runtimes = 256 << 10 // bytes that Go's runtime takes and gives back on its own
			require.InDelta(t, planned, took, max(0.05*float64(planned), runtimes), "%s %s", w.name,
				kind)
		}
	}
}
