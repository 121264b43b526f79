package train

import (
	"fmt"

	"github.com/seqzoo/seqzoo/unroll"
)

// Position is how far an iterator over batches has come. It is all that a checkpoint need keep of
// one.
type Position struct {
	Epoch int `json:"epoch"` // passes over the data completed
	Next  int `json:"next"`  // the batch of this epoch that comes next
}

func (p Position) check(batches int) error {
	if p.Epoch < 0 || p.Next < 0 || p.Next > batches {
		return fmt.Errorf("position: epoch %d, batch %d; an epoch has batches 0 to %d", p.Epoch,
			p.Next, batches-1)
	}
	return nil
}

// Window is one batch of a [Stream]: the tokens of T steps in B tracks, and at each step that is
// scored the token that follows it.
//
// IDs are [T, B] and Targets [T−Scored, B], time major: those of step t in track b are at t·B+b.
// They hold until the next call.
type Window struct {
	IDs, Targets []int
	T, B         int
	// the first step whose target counts; those before it only pass the gradient on
	Scored int
	Start  int // step of the tracks at which the window begins
	// steps from here to the start of the next window of the epoch; 0 if that starts here too, or
	// there is none
	Next int
}

// First reports whether the window is the first of an epoch: its state is the initial one.
func (w Window) First() bool { return w.Start == 0 && w.Scored == 0 }

// Stream reads one long sequence of tokens as a language model is trained on it by truncated BPTT.
//
// The N tokens are cut into B tracks of L = ⌊(N−1)/B⌋ steps which follow one another in the text,
// and the tracks are read side by side in windows as an unroll.Window lays them out. If its stride
// does not divide L the last window of an epoch is shorter. At the end of the text up to B−1 tokens
// are not read.
type Stream struct {
	token         func(i int) int
	batch         int
	steps         int // of a track
	spans         []unroll.Span
	at            Position
	inputs, nexts []int // room for a window
}

// NewStream reads ids in tracks and windows as given. It keeps ids, which must not change. It is an
// error if the text does not fill one stride.
func NewStream(ids []int, tracks int, window unroll.Window) (*Stream, error) {
	return newStream(len(ids), func(i int) int { return ids[i] }, tracks, window)
}

// NewStream32 is NewStream for a text whose tokens take 4 bytes each.
func NewStream32(ids []int32, tracks int, window unroll.Window) (*Stream, error) {
	return newStream(len(ids), func(i int) int { return int(ids[i]) }, tracks, window)
}

func newStream(n int, token func(i int) int, tracks int, window unroll.Window) (*Stream, error) {
	if err := window.Validate(); err != nil {
		return nil, fmt.Errorf("stream: %w", err)
	}
	if tracks < 1 {
		return nil, fmt.Errorf("stream: a batch has %d tracks; it needs at least 1", tracks)
	}
	steps := (n - 1) / tracks
	if n == 0 || steps < window.Stride {
		return nil, fmt.Errorf("stream: the text has %d tokens; a batch of %d tracks with a "+
			"window of %d steps needs at least %.0f",
			// the product may exceed an int
			n, tracks, window.Stride, float64(tracks)*float64(window.Stride)+1)
	}
	spans, err := window.Plan(steps)
	if err != nil {
		return nil, fmt.Errorf("stream: %w", err)
	}
	longest := 0
	for _, s := range spans {
		longest = max(longest, s.End-s.Start)
	}
	return &Stream{
		token: token, batch: tracks, steps: steps, spans: spans,
		inputs: make([]int, tracks*longest), nexts: make([]int, tracks*window.Stride),
	}, nil
}

// Len is the number of windows in an epoch.
func (s *Stream) Len() int { return len(s.spans) }

// Next returns the next window; false marks the end of an epoch, and the call after it begins the
// next one.
func (s *Stream) Next() (w Window, ok bool) {
	if s.at.Next == s.Len() {
		s.at = Position{Epoch: s.at.Epoch + 1}
		return Window{}, false
	}
	span := s.spans[s.at.Next]
	t, scored := span.End-span.Start, span.Scored-span.Start
	w = Window{
		IDs: s.inputs[:t*s.batch], Targets: s.nexts[:(t-scored)*s.batch],
		T: t, B: s.batch, Scored: scored, Start: span.Start,
	}
	for b := range s.batch {
		start := b*s.steps + span.Start
		for i := range t {
			w.IDs[i*s.batch+b] = s.token(start + i)
		}
		for i := scored; i < t; i++ {
			w.Targets[(i-scored)*s.batch+b] = s.token(start + i + 1)
		}
	}
	s.at.Next++
	if s.at.Next < s.Len() {
		w.Next = s.spans[s.at.Next].Start - span.Start
	}
	return w, true
}

// Position is where the stream stands.
func (s *Stream) Position() Position { return s.at }

// Seek goes to a position of a stream over the same text with the same tracks and window.
func (s *Stream) Seek(p Position) error {
	if err := p.check(s.Len()); err != nil {
		return fmt.Errorf("stream: %w", err)
	}
	s.at = p
	return nil
}
