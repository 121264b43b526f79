package shared

import (
	"fmt"
	"iter"
	"runtime"
	"sort"

	"github.com/seqzoo/seqzoo/train"
)

// Parts are the batches of data of which a part is at hand at a time. A position counts those of
// all parts, one part after another.
type Parts struct {
	ends []int // batches of an epoch up to the end of each part
	at   train.Position
}

// Add appends a part with the given number of batches.
func (p *Parts) Add(batches int) { p.ends = append(p.ends, p.Len()+batches) }

// Count is how many parts there are.
func (p *Parts) Count() int { return len(p.ends) }

// Len is the number of batches in an epoch.
func (p *Parts) Len() int {
	if len(p.ends) == 0 {
		return 0
	}
	return p.ends[len(p.ends)-1]
}

// Position is where the data stand.
func (p *Parts) Position() train.Position { return p.at }

// Seek goes to a position in the same data.
func (p *Parts) Seek(to train.Position) error {
	if to.Epoch < 0 || to.Next < 0 || to.Next > p.Len() {
		return fmt.Errorf("position: epoch %d, batch %d; an epoch has batches 0 to %d", to.Epoch,
			to.Next, p.Len()-1)
	}
	p.at = to
	return nil
}

// next is the position with the batch that comes next, which begins an epoch where one has ended.
func (p *Parts) next() train.Position {
	if p.at.Next == p.Len() {
		return train.Position{Epoch: p.at.Epoch + 1}
	}
	return p.at
}

// Next says in which part the next batch is, and where within it.
func (p *Parts) Next() (part int, within train.Position) {
	within = p.next()
	part = sort.SearchInts(p.ends, within.Next+1)
	if part > 0 {
		within.Next -= p.ends[part-1]
	}
	return part, within
}

// Advance goes on behind the batch that Next speaks of.
func (p *Parts) Advance() {
	p.at = p.next()
	p.at.Next++
}

// Rereader reads a stream any number of times, each time from its start. A Rereader that nobody
// needs any more lets go of the stream.
type Rereader[E any] struct {
	stream iter.Seq2[E, error]
	next   func() (E, error, bool) // nil: it is not open
	stop   func()
}

// NewRereader reads nothing yet.
func NewRereader[E any](stream iter.Seq2[E, error]) *Rereader[E] {
	return &Rereader[E]{stream: stream}
}

// Open reports whether the stream was begun and has not ended.
func (r *Rereader[E]) Open() bool { return r.next != nil }

// Begin reads the stream from its start.
func (r *Rereader[E]) Begin() {
	r.End()
	next, stop := iter.Pull2(r.stream)
	c := runtime.AddCleanup(r, func(stop func()) { stop() }, stop)
	r.next, r.stop = next, func() { c.Stop(); stop() }
}

// End lets go of the stream.
func (r *Rereader[E]) End() {
	if r.Open() {
		r.stop()
		r.next = nil
	}
}

// Next returns the next element of an open stream; ok is false at its end. The end and an error
// close it.
func (r *Rereader[E]) Next() (e E, ok bool, err error) {
	if e, err, ok = r.next(); err != nil || !ok {
		r.End()
	}
	return e, ok, err
}
