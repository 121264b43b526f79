package train

import "iter"

// Epoch gives the windows of the epoch at hand, from where the stream stands to the end, and leaves
// it at the start of the next one; a stream that stands at the end of an epoch gives the whole next
// one. A loop that is left early leaves the stream behind the window that it got last.
//
//	for w := range stream.Epoch() {
//		fmt.Println(w.IDs, w.Targets)
//	}
func (s *Stream) Epoch() iter.Seq[Window] { return restOfEpoch(s.Len, &s.at, s.Next) }

// Cycle returns the next window, that of the next epoch where one has ended: a training that counts
// steps reads it without end.
func (s *Stream) Cycle() Window { return cycle(s.Next) }

// Epoch gives the examples of each batch of the epoch at hand, from where it stands to the end, and
// leaves it at the start of the next one; batches that stand at the end of an epoch give the whole
// next one. Examples are valid until the next turn of the loop. A loop that is left early leaves
// the batches behind the one that it got last.
//
//	for examples := range batches.Epoch() {
//		fmt.Println(examples)
//	}
func (b *Batches) Epoch() iter.Seq[[]int] { return restOfEpoch(b.Len, &b.at, b.Next) }

// Cycle returns the examples of the next batch, valid until the next call; that of the next epoch
// where one has ended.
func (b *Batches) Cycle() []int { return cycle(b.Next) }

// restOfEpoch implements Epoch: next reads a batch or an example, and at counts it.
func restOfEpoch[E any](length func() int, at *Position, next func() (E, bool)) iter.Seq[E] {
	return func(yield func(E) bool) {
		if at.Next == length() {
			next() // says that the epoch before has ended
		}
		for e, ok := next(); ok; e, ok = next() {
			if !yield(e) {
				return
			}
		}
	}
}

// cycle implements Cycle: it reads by next, and begins anew at the end of an epoch.
func cycle[E any](next func() (E, bool)) E {
	e, ok := next()
	if !ok {
		e, _ = next()
	}
	return e
}
