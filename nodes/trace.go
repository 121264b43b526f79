package nodes

import (
	"slices"

	"gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/internal/ops"
)

// Trace knows which of the nodes that are made while it runs depend on some given ones, such as the
// state of a cell.
type Trace struct {
	reached map[*gorgonia.Node]bool
	pieces  map[*gorgonia.Node][]*Node
}

// Trace starts to follow what is computed from nodes of g, until the returned function is called.
func (g *Graph) Trace(from ...*Node) (t *Trace, stop func()) {
	t = &Trace{reached: map[*gorgonia.Node]bool{}, pieces: map[*gorgonia.Node][]*Node{}}
	for i, n := range from {
		checkOperand("Trace", i, n)
		t.reached[n.n] = true
	}
	old := g.traces
	g.traces = append(slices.Clone(old), t)
	return t, func() { g.traces = old }
}

// Reaches reports whether n is one of the nodes that are followed, or was computed from one.
func (t *Trace) Reaches(n *Node) bool { return n != nil && t.reached[n.n] }

// Pieces are the nodes that n joins along its last axis, if Concat made it while the trace ran; nil
// if not.
func (t *Trace) Pieces(n *Node) []*Node {
	if n == nil {
		return nil
	}
	return t.pieces[n.n]
}

// made notes that g made n.
func (t *Trace) made(n *Node, fn ops.Operation, in []*Node) {
	if slices.ContainsFunc(in, t.Reaches) {
		t.reached[n.n] = true
	}
	if c, ok := fn.(ops.Concat); ok && c.Axis == len(n.Shape())-1 {
		t.pieces[n.n] = slices.Clone(in)
	}
}
