package shared

import (
	"slices"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
)

// Starts are the layers that compute the state in which cells start: tanh(x·W + b) for each part
// that may start as any numbers (see cells.Free), and zeros for the others.
type Starts []start

// start is one part's.
type start struct {
	width  int
	linear *nodes.Linear // nil: zeros
}

// Add declares W_h, b_h and so on for the parts of a cell under s, for an x of width in(part).
func (t *Starts) Add(s *nodes.Scope, cell interface{ Parts() []cells.Part },
	in func(part int) int) {
	free := cells.FreeParts(cell)
	for i, p := range cell.Parts() {
		one := start{width: p.Width}
		if slices.Contains(free, p.Name) {
			l := nodes.NewLinear(s, nodes.LinearConfig{In: in(i), Out: p.Width, Suffix: "_" +
				p.Name})
			one.linear = &l
		}
		*t = append(*t, one)
	}
}

// Of is the state that xs [B, ·] start, one for each part.
func (t Starts) Of(xs []*nodes.Node) cells.State {
	state := make(cells.State, len(t))
	for i, one := range t {
		if one.linear == nil {
			state[i] = xs[i].Graph().Zeros(xs[i].Dim(0), one.width)
		} else {
			state[i] = nodes.Tanh(one.linear.Of(xs[i]))
		}
	}
	return state
}

// From is the state that one x [B, ·] starts.
func (t Starts) From(x *nodes.Node) cells.State {
	return t.Of(slices.Repeat([]*nodes.Node{x}, len(t)))
}
