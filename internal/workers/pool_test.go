package workers_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seqzoo/seqzoo/internal/workers"
)

type job func(w int)

func (j job) Work(w int) { j(w) }

// Every worker does its part of every job once, and has done it when Run returns: in jobs that
// follow at once, after a pause in which the workers fall asleep, and when Ready has woken them for
// nothing.
func TestPool(t *testing.T) {
	for _, n := range []int{1, 2, 3, 7} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			defer goleak.VerifyNone(t)
			p := workers.New(n)
			defer p.Close()
			done := make([]int, n) // not atomic: the race detector sees what Run does not order
			jobs := 0
			run := func(times int) {
				p.Ready()
				for range times {
					jobs++
					p.Run(job(func(w int) { done[w]++ }))
					for w := range done {
						require.Equal(t, jobs, done[w], "worker %d", w)
					}
				}
			}
			run(500)
			for range 5 {
				time.Sleep(2 * time.Millisecond) // they sleep by now, or not: both must do
				p.Ready()
				run(20)
			}
		})
	}
}

// A pool that has not begun is closed without having started anything, and closing twice is
// closing.
func TestPoolClose(t *testing.T) {
	defer goleak.VerifyNone(t)
	workers.New(3).Close()
	p := workers.New(3)
	p.Ready()
	p.Close()
	p.Close()
	p = workers.New(4)
	p.Ready()
	p.Run(job(func(int) {}))
	time.Sleep(2 * time.Millisecond) // they sleep by now, or not
	p.Close()
}

// No worker passes a barrier before all have come, in phase after phase.
func TestBarrier(t *testing.T) {
	const n, phases = 3, 200
	p := workers.New(n)
	defer p.Close()
	p.Ready()
	var barrier workers.Barrier
	var came, ahead atomic.Int64
	p.Run(job(func(int) {
		for phase := range int64(phases) {
			came.Add(1)
			barrier.Wait(n)
			if came.Load() != n*(phase+1) {
				ahead.Add(1)
			}
			barrier.Wait(n) // nobody begins the next phase before all have looked
		}
	}))
	require.Zero(t, ahead.Load())
	require.EqualValues(t, n*phases, came.Load())
}
