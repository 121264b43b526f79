package vm

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// pool is a fixed set of goroutines that work on one job at a time together with the caller.
// Waiting workers spin for a short time, since the next job of a run mostly follows at once, and
// then sleep. To wake one takes a tenth of a millisecond and more, so a run rouses them before it
// has work for them.
type pool struct {
	n       int // workers, the caller included
	start   sync.Once
	job     job
	epoch   atomic.Int64
	left    atomic.Int64
	closed  atomic.Bool
	wake    []chan struct{}
	asleep  []atomic.Bool
	running bool
}

// job is work for all workers; work(w) is called once for every worker.
type job interface{ work(w int) }

func newPool(n int) *pool {
	p := &pool{n: n, wake: make([]chan struct{}, n), asleep: make([]atomic.Bool, n)}
	for i := range p.wake {
		p.wake[i] = make(chan struct{}, 1)
	}
	return p
}

// ready rouses the workers: there will soon be a job.
func (p *pool) ready() {
	p.start.Do(func() {
		p.running = true
		for w := 1; w < p.n; w++ {
			go p.serve(w)
		}
	})
	p.rouse()
}

// run does a job, after ready. Only one may run at a time.
func (p *pool) run(j job) {
	p.job = j
	p.left.Store(int64(p.n - 1))
	p.epoch.Add(1)
	p.rouse()
	j.work(0)
	for s := (spinner{}); p.left.Load() > 0; {
		s.wait()
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
		for s := (spinner{}); p.epoch.Load() == seen && s.spin(idle); {
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

// barrier lets workers wait for each other, again and again.
type barrier struct {
	arrived atomic.Int64
	phase   atomic.Int64
}

func (b *barrier) wait(n int) {
	phase := b.phase.Load()
	if b.arrived.Add(1) == int64(n) {
		b.arrived.Store(0)
		b.phase.Add(1)
		return
	}
	for s := (spinner{}); b.phase.Load() == phase; {
		s.wait()
	}
}

// spinner counts the rounds of a loop that waits for another worker.
type spinner struct {
	rounds int
	since  time.Time
}

const (
	idle     = 300 * time.Microsecond // how long a worker spins for its next job before it sleeps
	patience = time.Millisecond       // how long a worker spins for another's part of a job
)

// spin lets a moment pass; false if that has been going on for the limit. Now and then it lets
// other goroutines run.
func (s *spinner) spin(limit time.Duration) bool {
	if s.rounds++; s.rounds%512 != 0 {
		return true
	}
	runtime.Gosched()
	if s.since.IsZero() {
		s.since = time.Now()
		return true
	}
	return time.Since(s.since) < limit
}

// wait is spin without an end. When a worker has been waited for as long as only a busy machine
// keeps it, it sleeps, and leaves the core to others.
func (s *spinner) wait() {
	if !s.spin(patience) {
		time.Sleep(20 * time.Microsecond)
	}
}
