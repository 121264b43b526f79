package train

import (
	"errors"
	"fmt"
	"slices"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/unroll"
)

// Truncated runs truncated backpropagation through time (Williams and Peng, 1990): the windows of a
// sequence one after another, the state carried over and the gradient cut between them. It makes a
// graph of each shape of window that comes up and keeps it: in the steady course of a sequence
// there is one.
//
// A window starts from the state as it was last computed for that time, which is by the window
// before. If the weights have changed since, the steps that are run again see the new weights and
// that older state.
type Truncated struct {
	state   *run.State
	build   func(WindowShape) (*WindowGraph, error)
	windows map[WindowShape]*CompiledWindow
}

// WindowShape is what tells the graphs of windows apart.
type WindowShape struct {
	T      int // steps
	Scored int // the first step that counts in the loss, from 0
	// Next is the step, from 0 to T, at which the next window starts. 0 leaves the state as it is;
	// so the last window of a sequence has 0, or T for the state after the sequence.
	Next int
	// Variant tells apart graphs of equal windows that differ in something else, as their builder
	// says.
	Variant int
}

// Shapes are the shapes of windows that follow each other; the last one's Next is its T.
func Shapes(spans []unroll.Span) []WindowShape {
	shapes := make([]WindowShape, len(spans))
	for i, s := range spans {
		shapes[i] = WindowShape{T: s.End - s.Start, Scored: s.Scored - s.Start,
			Next: s.End - s.Start}
		if i+1 < len(spans) {
			shapes[i].Next = spans[i+1].Start - s.Start
		}
	}
	return shapes
}

// WindowGraph is a window as a graph.
type WindowGraph struct {
	Loss       *nodes.Node    // a scalar, of the steps that count
	Start      cells.State    // inputs: the state before the first step
	Recurrence *unroll.Result // of the window's T steps from Start
	Inputs     []*nodes.Node  // to be given to every run
	Keep       []*nodes.Node  // whose values can be read after a run
}

// CompiledWindow is a window, ready for Truncated.Run.
type CompiledWindow struct {
	Inputs []run.Input // the memory of WindowGraph.Inputs, to be written to
	Step   *Step       // of which Grads is wanted; Output(i) is that of Keep[i]

	shape WindowShape
	start []run.Floats
	// of the outputs, the first of the state at which the next window starts, if it moves on
	next int
}

// NewTruncated makes graphs with build, which may panic with a *nodes.BuildError. If they are for
// training, the windows have the gradients of all parameters. State is that at the start of the
// first window, and then of each that follows.
func NewTruncated(state *run.State, build func(WindowShape) (*WindowGraph, error)) *Truncated {
	return &Truncated{state: state, build: build, windows: map[WindowShape]*CompiledWindow{}}
}

// Window is the window of a shape. It is made by the first call for that shape.
func (t *Truncated) Window(s WindowShape) (w *CompiledWindow, err error) {
	if w := t.windows[s]; w != nil {
		return w, nil
	}
	if t.state == nil || t.build == nil {
		return nil, errors.New("train: NewTruncated needs a state and a function that builds")
	}
	if s.T < 1 || s.Scored < 0 || s.Scored >= s.T || s.Next < 0 || s.Next > s.T {
		return nil, fmt.Errorf("train: a window of %d steps, scored from step %d, the next one %d steps on: want "+
			"0 ≤ Scored < T and 0 ≤ Next ≤ T", s.T, s.Scored, s.Next)
	}
	var g *WindowGraph
	var next cells.State
	w = &CompiledWindow{shape: s}
	failed := nodes.Try(func() {
		if g, err = t.build(s); err != nil {
			return
		}
		if g == nil || g.Loss == nil || g.Recurrence == nil {
			nodes.Failf("Truncated", "the graph of a window lacks its Loss or its Recurrence")
		}
		if s.Next > 0 {
			next = g.Recurrence.StateAt(s.Next - 1)
		}
		if want := len(t.state.Parts()); len(g.Start) != want || s.Next > 0 && len(next) != want {
			nodes.Failf("Truncated", "a window from a state of %d parts to one of %d: want %d",
				len(g.Start), len(next), want)
		}
	})
	if err := errors.Join(failed, err); err != nil {
		return nil, err
	}
	w.next = len(g.Keep)
	if w.Step, err = NewStep(g.Loss, slices.Concat(g.Keep, next)...); err != nil {
		return nil, err
	}
	var in run.Inputs
	if w.start = in.State(g.Start); in.Err() != nil {
		return nil, in.Err()
	}
	for _, n := range g.Inputs {
		v, err := run.Feed(n)
		if err != nil {
			return nil, err
		}
		w.Inputs = append(w.Inputs, v)
	}
	t.windows[s] = w
	return w, nil
}

// Run runs a window of t on what its Inputs hold, from the state, and moves the state on. Seed and
// counter make the noise.
func (t *Truncated) Run(w *CompiledWindow, seed uint64, counter int) (loss float64, err error) {
	return t.RunRows(w, seed, counter, 0, 0)
}

// RunRows is Run of windows that hold the rows from first on of a batch of so many, as
// run.Step.RunRows says.
func (t *Truncated) RunRows(w *CompiledWindow, seed uint64, counter, first, of int) (loss float64,
	err error) {
	if w == nil || t.windows[w.shape] != w {
		return 0, errors.New("train: the window is not one of this Truncated")
	}
	state := t.state.Parts()
	for i, part := range w.start {
		if err := part.Copy(state[i]); err != nil {
			return 0, fmt.Errorf("train: the state at the start of a window: %w", err)
		}
	}
	if loss, err = w.Step.RunRows(seed, counter, first, of); err != nil {
		return 0, err
	}
	if w.shape.Next > 0 {
		for i, part := range state {
			if err := part.Copy(w.Step.Output(w.next + i)); err != nil {
				return 0, fmt.Errorf("train: the state after a window: %w", err)
			}
		}
	}
	return loss, nil
}

// Close releases the memory of all windows.
func (t *Truncated) Close() error {
	var errs []error
	for _, w := range t.windows {
		errs = append(errs, w.Step.Close())
	}
	return errors.Join(errs...)
}
