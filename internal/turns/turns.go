// Package turns lets many goroutines use a few things one after another, in the order in which they
// ask.
package turns

import (
	"sync"
	"time"
)

// Line lends things to goroutines. Without it, of many goroutines that are always busy some wait
// for as long as the others' slices of the processor last; in a line each waits for as long as
// those before it need.
type Line[T any] struct {
	size int      // things that are made at most, unless the line stalls
	make func() T // another thing

	mu      sync.Mutex
	made    int
	free    []T // the one used last is lent first: its memory is warm
	waiting []*waiter[T]
	spare   []*waiter[T]
	turns   uint64 // how often a thing was given back
}

type waiter[T any] struct {
	given chan T
	timer *time.Timer
}

// Stall is how long nothing must have been given back before one that waits gets a thing beyond the
// size of the line: those that have the others may be at something long, or be waiting for one more
// themselves.
const Stall = 50 * time.Millisecond

// New is a line of size things, each made when it is needed first.
func New[T any](size int, make func() T) *Line[T] { return &Line[T]{size: size, make: make} }

// Take waits for a thing. Put gives it back.
func (l *Line[T]) Take() T {
	l.mu.Lock()
	if n := len(l.free); n > 0 {
		x := l.free[n-1]
		l.free = l.free[:n-1]
		l.mu.Unlock()
		return x
	}
	if l.made < l.size {
		l.made++
		l.mu.Unlock()
		return l.make()
	}
	w := l.newWaiter()
	l.waiting = append(l.waiting, w)
	seen := l.turns
	l.mu.Unlock()
	for {
		select {
		case x := <-w.given:
			l.recycle(w)
			return x
		case <-w.timer.C:
		}
		l.mu.Lock()
		stalled := l.turns == seen && l.withdraw(w)
		if stalled {
			l.made++
		}
		seen = l.turns
		l.mu.Unlock()
		if stalled {
			l.recycle(w)
			return l.make()
		}
		w.timer.Reset(Stall)
	}
}

// Put gives a thing back.
func (l *Line[T]) Put(x T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turns++
	switch {
	case len(l.waiting) > 0:
		l.waiting[0].given <- x // it has room for one
		l.waiting = append(l.waiting[:0], l.waiting[1:]...)
	case l.made > l.size:
		l.made--
	default:
		l.free = append(l.free, x)
	}
}

// Lent is how many things are with somebody.
func (l *Line[T]) Lent() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.made - len(l.free)
}

// Free calls f with each thing that nobody has, while nobody can take it.
func (l *Line[T]) Free(f func(T)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, x := range l.free {
		f(x)
	}
}

func (l *Line[T]) newWaiter() *waiter[T] {
	if n := len(l.spare); n > 0 {
		w := l.spare[n-1]
		l.spare = l.spare[:n-1]
		w.timer.Reset(Stall)
		return w
	}
	return &waiter[T]{make(chan T, 1), time.NewTimer(Stall)}
}

// recycle keeps a waiter for the next one who waits.
func (l *Line[T]) recycle(w *waiter[T]) {
	w.timer.Stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.spare = append(l.spare, w)
}

// withdraw takes w out of the line; false if it was given something meanwhile.
func (l *Line[T]) withdraw(w *waiter[T]) bool {
	for i, x := range l.waiting {
		if x == w {
			l.waiting = append(l.waiting[:i], l.waiting[i+1:]...)
			return true
		}
	}
	return false
}
