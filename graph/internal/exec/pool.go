package exec

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// pool is a fixed set of goroutines that work on one job at a time together with the caller. Waiting workers spin for a
// short time, since the next job of a run mostly follows at once, and then sleep.
type pool struct {
	n       int // workers, the caller included
	start   sync.Once
	job     worker
	epoch   atomic.Int64
	left    atomic.Int64
	closed  atomic.Bool
	wake    []chan struct{}
	asleep  []atomic.Bool
	running bool
}

// worker is a job; work(w) is called once for every worker.
type worker interface{ work(w int) }

func newPool(n int) *pool {
	p := &pool{n: n, wake: make([]chan struct{}, n), asleep: make([]atomic.Bool, n)}
	for i := range p.wake {
		p.wake[i] = make(chan struct{}, 1)
	}
	return p
}

const spins = 2000

// run does a job. Only one may run at a time.
func (p *pool) run(job worker) {
	p.start.Do(func() {
		p.running = true
		for w := 1; w < p.n; w++ {
			go p.serve(w)
		}
	})
	p.job = job
	p.left.Store(int64(p.n - 1))
	p.epoch.Add(1)
	p.rouse()
	job.work(0)
	for i := 0; p.left.Load() > 0; i++ {
		pause(i)
	}
	p.job = nil
}

// rouse wakes the workers that sleep.
func (p *pool) rouse() {
	for w := 1; w < p.n; w++ {
		if p.asleep[w].CompareAndSwap(true, false) {
			p.wake[w] <- struct{}{}
		}
	}
}

func (p *pool) serve(w int) {
	for seen := int64(0); ; {
		for i := 0; p.epoch.Load() == seen && i < spins; i++ {
			pause(i)
		}
		if p.epoch.Load() == seen {
			p.asleep[w].Store(true)
			if p.epoch.Load() == seen || !p.asleep[w].CompareAndSwap(true, false) {
				<-p.wake[w]
			}
			continue
		}
		seen++
		if p.closed.Load() {
			return
		}
		p.job.work(w)
		p.left.Add(-1)
	}
}

// close ends the workers. The pool must be idle.
func (p *pool) close() {
	p.start.Do(func() {})
	if p.running && p.closed.CompareAndSwap(false, true) {
		p.epoch.Add(1)
		p.rouse()
	}
}

// barrier lets n workers wait for each other, again and again.
type barrier struct {
	n       int64
	arrived atomic.Int64
	phase   atomic.Int64
}

func (b *barrier) wait() {
	phase := b.phase.Load()
	if b.arrived.Add(1) == b.n {
		b.arrived.Store(0)
		b.phase.Add(1)
		return
	}
	for i := 0; b.phase.Load() == phase; i++ {
		pause(i)
	}
}

// pause waits a moment in a spinning loop: i counts its rounds. Now and then it lets other goroutines run; when a
// worker has been waited for as long as only a busy machine keeps it, it sleeps, and leaves the core to others.
func pause(i int) {
	switch {
	case i > patience:
		time.Sleep(20 * time.Microsecond)
	case i%64 == 63:
		runtime.Gosched()
	}
}

// patience is the rounds of a spinning loop before it sleeps, about 0.1 ms.
const patience = 20_000
