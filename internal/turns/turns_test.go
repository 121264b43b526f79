package turns

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLineLendsEachThingToOne(t *testing.T) {
	var made atomic.Int64
	l := New(3, func() *atomic.Int64 { made.Add(1); return new(atomic.Int64) })
	var wait sync.WaitGroup
	for range 32 {
		wait.Go(func() {
			for range 500 {
				x := l.Take()
				if x.Add(1) != 1 {
					t.Error("two have one thing")
				}
				x.Add(-1)
				l.Put(x)
			}
		})
	}
	wait.Wait()
	require.Zero(t, l.Lent())
	free := 0
	l.Free(func(*atomic.Int64) { free++ })
	require.LessOrEqual(t, free, 3)
}

// Those who wait are served in the order in which they asked.
func TestLineIsInOrder(t *testing.T) {
	l := New(1, func() int { return 0 })
	x := l.Take()
	order := make(chan int, 8)
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			y := l.Take()
			order <- i
			l.Put(y)
		})
		for { // until it stands in line
			l.mu.Lock()
			n := len(l.waiting)
			l.mu.Unlock()
			if n == i+1 || l.Lent() > 1 { // this machine is so slow that the line has stalled
				break
			}
		}
	}
	if l.Lent() > 1 {
		t.Skip("the line has stalled")
	}
	l.Put(x)
	wait.Wait()
	close(order)
	if l.made > 1 {
		t.Skip("the line has stalled")
	}
	want := 0
	for i := range order {
		require.Equal(t, want, i)
		want++
	}
}

// One who has all things, and asks for more, gets more; they are not kept.
func TestLineStalls(t *testing.T) {
	l := New(2, func() int { return 0 })
	for range 4 {
		l.Take()
	}
	require.Equal(t, 4, l.Lent())
	for range 4 {
		l.Put(0)
	}
	require.Zero(t, l.Lent())
	free := 0
	l.Free(func(int) { free++ })
	require.Equal(t, 2, free)
}

func TestLineDoesNotAllocate(t *testing.T) {
	l := New(1, func() int { return 0 })
	l.Put(l.Take())
	require.Zero(t, testing.AllocsPerRun(100, func() { l.Put(l.Take()) }))
}
