package unroll

import (
	"fmt"
	"math"

	"github.com/seqzoo/seqzoo/internal/check"
)

// Window says how truncated backpropagation through time cuts a sequence (Williams and Peng, 1990):
// every Stride steps (k1) the loss of those steps is backpropagated through the last Length steps
// (k2). Equal values are the common case: windows that follow each other, with the state carried
// over and the gradient cut between them. A Length of at least T with the losses added up is
// exactly full backpropagation through time.
type Window struct {
	Stride int // k1, at least 1
	Length int // k2, at least Stride; 0 means Stride
}

// Span is one window: steps Start … End−1 run from the state at Start, and Scored … End−1 count in
// the loss.
type Span struct{ Start, Scored, End int }

// Validate checks the sizes.
func (w Window) Validate() error {
	bad := check.Problems{Prefix: "Window: "}
	bad.Int("Stride", w.Stride, 1, math.MaxInt)
	if bad.None() {
		bad.That(w.Length == 0 || w.Length >= w.Stride,
			"Length is %d, want at least Stride, which is %d", w.Length, w.Stride)
	}
	return bad.Err()
}

// Plan lists the windows of a sequence of T steps. They lie on a grid of Stride, so the last one
// may score fewer steps.
func (w Window) Plan(T int) ([]Span, error) {
	if err := w.Validate(); err != nil {
		return nil, err
	}
	if T < 1 {
		return nil, fmt.Errorf("Window: a sequence of %d steps, want at least 1", T)
	}
	length := w.Length
	if length == 0 {
		length = w.Stride
	}
	var spans []Span
	for scored := 0; scored < T; scored += w.Stride {
		s := Span{Scored: scored, End: min(scored+w.Stride, T)}
		if length < T {
			s.Start = max(0, scored+w.Stride-length)
		}
		spans = append(spans, s)
	}
	return spans, nil
}
