package train

import "fmt"

// Position is how far an iterator over batches has come. It is all that a checkpoint need keep of one.
type Position struct {
	Epoch int `json:"epoch"` // passes over the data completed
	Next  int `json:"next"`  // the batch of this epoch that comes next
}

func (p Position) check(batches int) error {
	if p.Epoch < 0 || p.Next < 0 || p.Next > batches {
		return fmt.Errorf("position: epoch %d, batch %d; an epoch has batches 0 to %d", p.Epoch, p.Next, batches-1)
	}
	return nil
}

// Window is one batch of a [Stream]: the tokens of T steps in B tracks, and at each the token that follows it.
//
// IDs and Targets are [T, B], time major: those of step t in track b are at t·B+b. They hold until the next call.
type Window struct {
	IDs, Targets []int
	T, B         int
	Start        int // the step of the tracks at which the window begins; 0 at the start of an epoch: reset the state
}

// Stream reads one long sequence of tokens as a language model is trained on it by truncated BPTT.
//
// The N tokens are cut into B tracks of L = ⌊(N−1)/B⌋ steps which follow one another in the text, and the tracks are read
// side by side in windows of T steps, so that the state after one window is the state before the next. If T does not
// divide L the last window of an epoch is shorter. At the end of the text up to B−1 tokens are not read.
type Stream struct {
	ids           []int
	batch, window int
	steps         int // of a track
	at            Position
	inputs, nexts []int // room for a window
}

// NewStream reads ids in tracks and windows as given. It keeps ids, which must not change. It is an error if the text
// does not fill one window.
func NewStream(ids []int, tracks, window int) (*Stream, error) {
	if tracks < 1 {
		return nil, fmt.Errorf("stream: a batch has %d tracks; it needs at least 1", tracks)
	}
	if window < 1 {
		return nil, fmt.Errorf("stream: the window is %d steps long; it needs at least 1", window)
	}
	steps := (len(ids) - 1) / tracks
	if len(ids) == 0 || steps < window {
		return nil, fmt.Errorf("stream: the text has %d tokens; a batch of %d tracks with a window of %d steps needs at least %.0f",
			len(ids), tracks, window, float64(tracks)*float64(window)+1) // the product may exceed an int
	}
	return &Stream{
		ids: ids, batch: tracks, window: window, steps: steps,
		inputs: make([]int, tracks*window), nexts: make([]int, tracks*window),
	}, nil
}

// Len is the number of windows in an epoch.
func (s *Stream) Len() int { return (s.steps + s.window - 1) / s.window }

// Next returns the next window; false marks the end of an epoch, and the call after it begins the next one.
func (s *Stream) Next() (w Window, ok bool) {
	if s.at.Next == s.Len() {
		s.at = Position{Epoch: s.at.Epoch + 1}
		return Window{}, false
	}
	start := s.at.Next * s.window
	t := min(s.window, s.steps-start)
	n := t * s.batch
	w = Window{IDs: s.inputs[:n], Targets: s.nexts[:n], T: t, B: s.batch, Start: start}
	for b := range s.batch {
		track := s.ids[b*s.steps+start:]
		for i := range t {
			w.IDs[i*s.batch+b] = track[i]
			w.Targets[i*s.batch+b] = track[i+1]
		}
	}
	s.at.Next++
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
