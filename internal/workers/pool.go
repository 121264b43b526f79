// Package workers keeps goroutines ready for work that comes in short jobs, one right after
// another.
package workers

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Pool is a fixed set of goroutines that work on one job at a time together with the caller.
// Waiting workers spin for a short time, since the next job mostly follows at once, and then sleep.
// To wake one takes a tenth of a millisecond and more, so Ready rouses them before there is work
// for them.
type Pool struct {
	n       int // workers, the caller included
	start   sync.Once
	job     Job
	epoch   atomic.Int64
	left    atomic.Int64
	closed  atomic.Bool
	wake    []chan struct{}
	asleep  []atomic.Bool
	running bool
}

// Job is work for all workers: Work(w) is called once for every worker.
type Job interface{ Work(w int) }

// New makes a pool of n workers, the caller of Run included. It starts no goroutine yet.
func New(n int) *Pool {
	p := &Pool{n: n, wake: make([]chan struct{}, n), asleep: make([]atomic.Bool, n)}
	for i := range p.wake {
		p.wake[i] = make(chan struct{}, 1)
	}
	return p
}

// Ready rouses the workers: there will soon be a job.
func (p *Pool) Ready() {
	p.start.Do(func() {
		p.running = true
		for w := 1; w < p.n; w++ {
			go p.serve(w)
		}
	})
	p.rouse()
}

// Run does a job, after Ready, and returns when all have done their part. Only one may run at a
// time.
func (p *Pool) Run(j Job) {
	p.job = j
	p.left.Store(int64(p.n - 1))
	p.epoch.Add(1)
	p.rouse()
	j.Work(0)
	for s := (spinner{}); p.left.Load() > 0; {
		s.wait()
	}
	p.job = nil
}

// rouse wakes the workers that sleep.
func (p *Pool) rouse() {
	for w := 1; w < p.n; w++ {
		if p.asleep[w].CompareAndSwap(true, false) {
			p.wake[w] <- struct{}{}
		}
	}
}

func (p *Pool) serve(w int) {
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
		p.job.Work(w)
		p.left.Add(-1)
	}
}

// Close ends the workers. The pool must be idle.
func (p *Pool) Close() {
	p.start.Do(func() {})
	if p.running && p.closed.CompareAndSwap(false, true) {
		p.epoch.Add(1)
		p.rouse()
	}
}

// Barrier lets workers wait for each other, again and again.
type Barrier struct {
	arrived atomic.Int64
	phase   atomic.Int64
}

// Wait returns when n workers have called it.
func (b *Barrier) Wait(n int) {
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
