package graph_test

import (
	"flag"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
)

var long = flag.Bool("long", false, "run the trials in full length")

// heap is the memory of live objects.
func heap() int {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func descriptors(t *testing.T) int {
	fds, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(fds)
}

// Compile, run and Close leave nothing behind. TestMain looks for goroutines once more.
func TestCompileRunClose(t *testing.T) {
	m := training(t, "lstm", 5, 3, 4, 6)
	// Something large enough that a machine that stayed would be seen.
	large := training(t, "gru", 40, 16, 32, 32)
	var first [3]int
	for i := range 1000 {
		of := m
		if i%100 == 0 {
			of = large
		}
		opts := []graph.Option{graph.Keep(of.keep...), graph.Workers(1 + i%3), graph.ShareAll()}
		if i%7 == 0 {
			opts = append(opts, graph.Watch())
		}
		vm, err := graph.Compile(of.g.Expr(), opts...)
		require.NoError(t, err)
		require.NoError(t, vm.RunAll())
		require.NoError(t, vm.Close())
		if i == 99 {
			first = [3]int{heap(), descriptors(t), runtime.NumGoroutine()}
		}
	}
	last := [3]int{heap(), descriptors(t), runtime.NumGoroutine()}
	t.Logf("heap %d and %d bytes, descriptors %d and %d, goroutines %d and %d after 100 and 1000",
		first[0], last[0], first[1], last[1], first[2], last[2])
	require.Less(t, float64(last[0]), 1.01*float64(first[0]))
	require.Equal(t, first[1], last[1])
	require.LessOrEqual(t, last[2], first[2]+3, "workers that have not ended yet")
}

// cpu is the time that the process has computed.
func cpu(t *testing.T) float64 {
	var u syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

func resident(t *testing.T) float64 {
	b, err := os.ReadFile("/proc/self/statm")
	require.NoError(t, err)
	var size, pages float64
	_, err = fmt.Sscan(string(b), &size, &pages)
	require.NoError(t, err)
	return pages * float64(os.Getpagesize())
}

// Many steps of training neither allocate nor grow. The time of the first and the last is shown,
// not judged: the machine may be busy.
func TestSoak(t *testing.T) {
	steps, interval := 100_000, 10_000
	if *long {
		steps = 1_000_000
	}
	if testing.Short() {
		steps, interval = 20_000, 2_000
	}
	m := training(t, "gru", 3, 2, 3, 4)
	vm, err := graph.Compile(m.g.Expr(), graph.Keep(m.keep...), graph.ReuseValues(),
		graph.Workers(1))
	require.NoError(t, err)
	defer vm.Close()
	weights := m.g.Expr().ByName("W_hh")[0].Value().Data().([]float32)
	require.NoError(t, vm.RunAll())
	d := m.keep[3].Value().Data().([]float32)
	run := func(n int) {
		for range n {
			if err := vm.RunAll(); err != nil {
				t.Fatal(err)
			}
			for i := range weights {
				weights[i] -= 1e-3 * d[i]
			}
		}
	}
	run(interval) // the heap of earlier tests settles
	var rss, seconds []float64
	var first, before, after runtime.MemStats
	runtime.ReadMemStats(&first)
	runtime.GC()
	for range steps / interval {
		start := cpu(t)
		runtime.ReadMemStats(&before)
		run(interval)
		runtime.ReadMemStats(&after)
		seconds = append(seconds, cpu(t)-start)
		runtime.GC() // what the readings themselves leave behind
		rss = append(rss, resident(t))
		require.Less(t, after.Mallocs-before.Mallocs, uint64(interval/100),
			"allocations in %d steps: the runtime's own few aside, there are none", interval)
	}
	// least squares, bytes an interval, over the second half: in the first the runtime comes to
	// touch its pages
	slope := 0.0
	half := rss[len(rss)/2:]
	n := float64(len(half))
	for i, y := range half {
		slope += (float64(i) - (n-1)/2) * y
	}
	slope /= n * (n*n - 1) / 12
	t.Logf("%d steps: resident memory grows by %.0f bytes in %d steps; %.3f s CPU for the first, "+
		"%.3f s for the last", steps, slope, interval, seconds[0], seconds[len(seconds)-1])
	require.Less(t, float64(after.HeapAlloc)-float64(first.HeapAlloc), float64(1024*steps/interval),
		"live memory")
	if *long { // in the short form the few pages that the runtime touches late would count too much
		require.Less(t, slope, 1024.0, "resident memory")
	}
}

// Training gives the same bits with any number of workers, again and again, whatever GOMAXPROCS is.
func TestSameBits(t *testing.T) {
	procs := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(procs)
	train := func(workers int) (hash uint64) {
		m := training(t, "lstm", 9, 17, 5, 33)
		vm, err := graph.Compile(m.g.Expr(), graph.Keep(m.keep...), graph.Workers(workers),
			graph.ShareAll())
		require.NoError(t, err)
		defer vm.Close()
		h := fnv.New64a()
		for range 5 {
			require.NoError(t, vm.RunAll())
			fmt.Fprint(h, m.keep[0].Value())
			for i, name := range []string{"W_ih", "W_hh", "b"} {
				w, d := m.g.Expr().ByName(name)[0].Value().Data().([]float32),
					m.keep[2+i].Value().Data().([]float32)
				for k := range w {
					w[k] -= 0.1 * d[k]
					fmt.Fprint(h, math.Float32bits(w[k]))
				}
			}
		}
		return h.Sum64()
	}
	want := train(1)
	for run := range 20 {
		runtime.GOMAXPROCS(1 + run%3)
		workers := []int{1, 2, 3, 7}[run%4]
		require.Equal(t, want, train(workers), "run %d, %d workers", run, workers)
	}
}

// What a machine says it needs is what it takes.
func TestMemoryForecast(t *testing.T) {
	r := rand.New(rand.NewPCG(27, 27))
	worst := 0.0
	// products have scratch memory, for all machines together
	training(t, "lstm", 20, 32, 64, 128).outcome(t, graph.Workers(2))
	for i := range 20 {
		kind := []string{"rnn", "gru", "lstm", "mgu"}[i%4]
		T, B, I, H := 60+r.IntN(40), 24+r.IntN(24), 8+r.IntN(56), 64+r.IntN(64)
		m := training(t, kind, T, B, I, H)
		before := heap()
		vm, err := graph.Compile(m.g.Expr(), graph.Keep(m.keep...), graph.ReuseValues(),
			graph.Workers(1+i%2))
		require.NoError(t, err)
		forecast := vm.Memory()
		require.NoError(t, vm.RunAll())
		took := heap() - before
		off := float64(took-forecast) / float64(forecast)
		worst = max(worst, math.Abs(off))
		require.InDelta(t, 0, off, 0.05, "%s T=%d B=%d I=%d H=%d: forecast %d, took %d", kind, T, B,
			I, H, forecast, took)
		runtime.KeepAlive(m)
		require.NoError(t, vm.Close())
	}
	t.Logf("at most %.1f %% off", 100*worst)
}

// wrongSizes is a model some of whose sizes may be wrong.
type wrongSizes struct {
	kind       string // of cell
	T, B, I, H int
	dtype      tensor.Dtype
	state      uint64 // of the draws while it is built
}

// build is the model, unrolled by a strategy, or the error of its sizes.
func (w wrongSizes) build(t *testing.T, strategy unroll.Strategy) (m model, err error) {
	r := rand.New(rand.NewPCG(w.state, 1))
	off := func(n int) int { // the same for both strategies
		if r.IntN(12) == 0 {
			return []int{n + 1, 0, -n, n - 1}[r.IntN(4)]
		}
		return n
	}
	err = nodes.Try(func() {
		store := nodes.NewStore(w.dtype, 1)
		m.g = nodes.NewGraph(nodes.Options{Dtype: w.dtype})
		x := m.g.Input("x", off(w.T), w.B, off(w.I))
		o := unroll.Options{Strategy: strategy, Reverse: r.IntN(2) == 0}
		var wrt []nodes.Operand
		if r.IntN(3) == 0 {
			o.Lengths = m.g.IntInput("lengths", off(w.B))
			v := make([]int, o.Lengths.Dim(0))
			for i := range v {
				v[i] = r.IntN(x.Dim(0) + 1)
			}
			bindInts(t, o.Lengths, v)
		}
		layer := unroll.Over(newCell(store.Root(), w.kind, w.I, off(w.H), nil))
		var init cells.State
		if r.IntN(3) == 0 {
			for i, p := range layer.Parts() {
				s := m.g.Input(fmt.Sprintf("init %d", i), w.B, off(p.Width))
				random(t, r, s)
				init, wrt = append(init, s), append(wrt, s)
			}
		}
		y := layer.Unroll(x, init, o).Y()
		random(t, r, x)
		for _, p := range store.Params() {
			wrt = append(wrt, p)
		}
		loss := nodes.Mean(nodes.Square(y))
		m.keep = append(m.keep, loss.Gorgonia())
		for _, d := range m.g.Gradients(loss, wrt...) {
			m.keep = append(m.keep, d.Gorgonia())
		}
	})
	return m, err
}

// Any shapes build a model whose Scan, Expand and Gorgonia's machine agree, or are refused by a
// *BuildError.
func TestShapeFuzz(t *testing.T) {
	trials := 150
	if *long {
		trials = 20_000
	}
	if testing.Short() {
		trials = 100
	}
	kinds := []string{"rnn", "relu", "gru", "gru before", "lstm", "lstm diagonal", "lstm full",
		"lstm coupled", "lstm projected", "lstm norm", "mgu"}
	built, refused := 0, 0
	for seed := range trials {
		r := rand.New(rand.NewPCG(uint64(seed), 10))
		size := func() int { return 1 + r.IntN(17) }
		w := wrongSizes{kind: kinds[r.IntN(11)], dtype: nodes.Float64}
		w.T, w.B, w.I, w.H = 1+r.IntN(6), size(), size(), size()
		tol := 1e-10
		if r.IntN(2) == 0 {
			w.dtype, tol = nodes.Float32, 1e-4
			if w.kind == "lstm norm" {
				// a normalisation of numbers that are nearly equal magnifies rounding errors
				tol = 1e-2
			}
		}
		what := fmt.Sprintf("seed %d: %s T=%d B=%d I=%d H=%d %v", seed, w.kind, w.T, w.B, w.I, w.H,
			w.dtype)
		w.state = r.Uint64()
		scan, err := w.build(t, unroll.Scan)
		expand, err2 := w.build(t, unroll.Expand)
		require.Equal(t, err == nil, err2 == nil, "%s: %v, %v", what, err, err2)
		if err != nil {
			refused++
			require.NotEmpty(t, err.Error(), what)
			continue
		}
		built++
		want := scan.outcome(t)
		requireSame(t, want, expand.outcome(t), tol, what+" expanded")
		requireSame(t, want, scan.tape(t), tol, what+" on Gorgonia's machine")
	}
	t.Logf("%d models built and equal, %d refused", built, refused)
	require.Greater(t, built, trials/10)
	require.Greater(t, refused, trials/10)
}

// tape runs a model on Gorgonia's own machine.
func (m model) tape(t *testing.T) [][]float64 {
	into := make([]gorgonia.Value, len(m.keep))
	for i, n := range m.keep {
		gorgonia.Read(n, &into[i])
	}
	vm := gorgonia.NewTapeMachine(m.g.Expr())
	defer vm.Close()
	require.NoError(t, vm.RunAll())
	var out [][]float64
	for _, v := range into {
		switch d := v.Data().(type) {
		case float64:
			out = append(out, []float64{d})
		case float32:
			out = append(out, []float64{float64(d)})
		case []float64:
			out = append(out, d)
		case []float32:
			var x []float64
			for _, f := range d {
				x = append(x, float64(f))
			}
			out = append(out, x)
		}
	}
	return out
}
