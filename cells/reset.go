package cells

import (
	"slices"

	"github.com/seqzoo/seqzoo/nodes"
)

// Reset is a cell that begins anew, from a state of zeros, in single rows and inside a sequence,
// such as where a document ends in a stream of text. Its input is one number wider than the cell's:
// where the last one is not 0, the row forgets its state before the step. No gradient passes such a
// place.
type Reset struct{ Cell }

// Parts is the wrapped cell's.
func (r Reset) Parts() []Part { return wrapped("Reset", r.Cell).Parts() }

// Unwrap is the wrapped cell.
func (r Reset) Unwrap() Cell { return r.Cell }

// FreeParts is the wrapped cell's.
func (r Reset) FreeParts() []string { return FreeParts(wrapped("Reset", r.Cell)) }

// Step advances one time step on x [B, In + 1].
func (r Reset) Step(x *nodes.Node, s State) State {
	inner := wrapped("Reset", r.Cell)
	if len(x.Shape()) != 2 || x.Dim(-1) < 2 {
		nodes.Failf("Reset", "x is %v: want [B, In + 1], whose last column says which "+
			"rows begin anew",
			x.Shape())
	}
	in := x.Dim(-1) - 1
	anew := nodes.Slice(x, -1, in, in+1)
	s = slices.Clone(s)
	for i, part := range s {
		flag := anew
		for range len(part.Shape()) - 2 {
			flag = nodes.Reshape(flag, append(flag.Shape(), 1)...)
		}
		s[i] = nodes.Select(flag, nodes.Scalar(0), part)
	}
	return inner.Step(nodes.Slice(x, -1, 0, in), s)
}
