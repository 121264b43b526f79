package graph_test

import (
	"errors"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/memtest"
	"github.com/seqzoo/seqzoo/internal/sysmem"
	"github.com/seqzoo/seqzoo/internal/testkit"
)

// values are copies of what a machine left in the nodes of a model.
func values(t require.TestingT, m model) [][]float64 {
	var out [][]float64
	for _, n := range m.keep {
		out = append(out, testkit.Floats(n.Value()))
	}
	return out
}

// Machines of several sizes share an arena: it is as large as the largest, and results are those of
// machines of their own.
func TestSharedArena(t *testing.T) {
	arena := graph.NewArena()
	var models []model
	var machines []*graph.Machine
	var want [][][]float64
	largest, sum := 0, 0
	for _, T := range []int{3, 40, 1, 17} {
		m := training(t, "lstm", T, 4, 3, 5)
		models = append(models, m)
		want = append(want, m.outcome(t))
		vm, err := graph.Compile(m.g.Expr(), graph.Keep(m.keep...), graph.ReuseValues(),
			graph.In(arena))
		require.NoError(t, err)
		t.Cleanup(func() { vm.Close() })
		machines = append(machines, vm)
		largest, sum = max(largest, vm.Memory()), sum+vm.Memory()
	}
	for round := range 3 {
		for i := range machines {
			k := (i*3 + round) % len(machines)
			require.NoError(t, machines[k].RunAll())
			for j := range machines { // of this machine and of those that ran before
				if round > 0 || j == k {
					require.Equal(t, want[j], values(t, models[j]), "machine %d after %d ran", j, k)
				}
			}
		}
	}
	require.LessOrEqual(t, arena.Memory(), largest)
	require.Greater(t, sum, largest*4/3)
	runs := testing.AllocsPerRun(10, func() { require.NoError(t, machines[1].RunAll()) })
	require.Zero(t, runs)
}

// 32 machines of one arena at once: each run is refused or right.
func TestSharedArenaIsNotSharedAtOnce(t *testing.T) {
	arena := graph.NewArena()
	const goroutines, runs = 32, 200
	var models []model
	var machines []*graph.Machine
	for i := range goroutines {
		m := training(t, "gru", 2+i%5, 3, 4, 5)
		vm, err := graph.Compile(m.g.Expr(), graph.Keep(m.keep...), graph.In(arena),
			graph.Workers(1+i%2))
		require.NoError(t, err)
		t.Cleanup(func() { vm.Close() })
		models, machines = append(models, m), append(machines, vm)
	}
	want := make([][][]float64, goroutines)
	for i, m := range models {
		require.NoError(t, machines[i].RunAll())
		want[i] = values(t, m)
	}
	var wg sync.WaitGroup
	var done, refused [goroutines]int
	for i := range goroutines {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range runs {
				switch err := machines[i].RunAll(); {
				case err == nil:
					done[i]++
					if got := values(t, models[i]); !equal(want[i], got) {
						t.Errorf("machine %d: other results than alone", i)
						return
					}
				case errors.Is(err, graph.ErrArenaInUse):
					refused[i]++
					runtime.Gosched()
				default:
					t.Error(err)
				}
			}
		}()
	}
	wg.Wait()
	ok, no := 0, 0
	for i := range goroutines {
		ok, no = ok+done[i], no+refused[i]
	}
	require.Equal(t, goroutines*runs, ok+no)
	t.Logf("%d runs, %d refused", ok, no)
	require.NoError(t, machines[0].RunAll(), "afterwards the arena is free")
}

func equal(a, b [][]float64) bool {
	for i := range a {
		for k := range a[i] {
			if a[i][k] != b[i][k] {
				return false
			}
		}
	}
	return true
}

// A limit is held against the plan, before anything is allocated.
func TestMemoryLimit(t *testing.T) {
	m := training(t, "lstm", 1<<14, 64, 1, 64) // 3 GB
	var err error
	n := memtest.Allocated(4<<20, func() {
		_, err = graph.Compile(m.g.Expr(), graph.Keep(m.keep...), graph.MemoryLimit(1<<30))
	})
	require.ErrorContains(t, err, "graph.Compile: the values of the graph need ")
	require.ErrorContains(t, err, "more than the limit of 1073741824")
	require.Less(t, n, 4<<20)
	small := training(t, "lstm", 8, 2, 1, 4)
	vm, err := graph.Compile(small.g.Expr(), graph.Keep(small.keep...), graph.MemoryLimit(1<<30))
	require.NoError(t, err)
	require.NoError(t, vm.Close())
}

// Machines of several sizes, in goroutines of their own, borrow a few arenas: results are those of
// machines of their own, with one worker and with several.
func TestArenasOfMany(t *testing.T) {
	arenas := graph.NewArenas(2)
	var wait sync.WaitGroup
	var own, all int
	for i := range 12 {
		m := training(t, []string{"lstm", "gru"}[i%2], 1+7*(i%5), 4, 5, 6+i)
		want := m.outcome(t)
		vm, err := graph.Compile(m.g.Expr(), graph.Keep(m.keep...), graph.ReuseValues(),
			graph.InAny(arenas), graph.Workers(1+i%3))
		require.NoError(t, err)
		t.Cleanup(func() { vm.Close() })
		require.Less(t, vm.OwnMemory(), vm.Memory())
		own, all = own+vm.OwnMemory(), all+vm.Memory()
		wait.Go(func() {
			for k := range 30 {
				if err := vm.RunAll(); err != nil {
					t.Error(err)
				}
				if !equal(want, values(t, m)) {
					t.Errorf("machine %d: other results than alone", i)
					return
				}
				if i%5 == 0 && k < 15 { // so that runs after it take memory again
					arenas.Trim(0)
				}
			}
		})
	}
	wait.Wait()
	require.Positive(t, arenas.Memory())
	require.Less(t, own+arenas.Memory(), all)
	arenas.Trim(0)
	require.Zero(t, arenas.Memory())

	m := training(t, "lstm", 40, 4, 5, 30)
	vm, err := graph.Compile(m.g.Expr(), graph.Keep(m.keep...), graph.ReuseValues(),
		graph.InAny(arenas))
	require.NoError(t, err)
	t.Cleanup(func() { vm.Close() })
	require.NoError(t, vm.RunAll())
	require.Zero(t, testing.AllocsPerRun(10, func() { require.NoError(t, vm.RunAll()) }))
	_, err = vm.Profile(1)
	require.NoError(t, err)
}

// Memory of arenas counts as memory that there is, until it is given back.
func TestTrimmedArenasAreNoMemory(t *testing.T) {
	arenas := graph.NewArenas(1)
	m := training(t, "lstm", 40, 4, 5, 30)
	compile := func() error {
		vm, err := graph.Compile(m.g.Expr(), graph.Keep(m.keep...), graph.InAny(arenas))
		if err == nil {
			err = errors.Join(vm.RunAll(), vm.Close())
		}
		return err
	}
	require.NoError(t, compile())
	before := sysmem.Available
	defer func() { sysmem.Available = before }()
	free := arenas.Largest() / 2
	sysmem.Available = func() int { return free }
	require.NoError(t, compile())
	arenas.Trim(0)
	require.Zero(t, arenas.Largest())
	require.ErrorIs(t, compile(), graph.ErrMemory)
	sysmem.Available = before
	require.NoError(t, compile())
	require.Greater(t, arenas.Largest(), free)
}

// A run that would need more memory than there is does not take it.
func TestArenasLookAtMemory(t *testing.T) {
	before := sysmem.Available
	defer func() { sysmem.Available = before }()
	m := training(t, "lstm", 2000, 16, 16, 64)
	vm, err := graph.Compile(m.g.Expr(), graph.Keep(m.keep...), graph.InAny(graph.NewArenas(1)))
	require.NoError(t, err)
	defer vm.Close()
	sysmem.Available = func() int { return 1 << 20 }
	require.ErrorIs(t, vm.RunAll(), graph.ErrMemory)
	sysmem.Available = before
	require.NoError(t, vm.RunAll())
}
