package nodes

import (
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/ops"
)

// Node is a value in a graph under construction.
type Node struct {
	g *Graph
	n *gorgonia.Node
}

// Operand is an operand of an expression: a *Node, a *Param, or a Scalar.
type Operand interface {
	in(g *Graph) *Node
	graph() *Graph // nil if it belongs to none yet
}

// Of is a node of Gorgonia's own making in g, for mixing in Gorgonia's ops.
func (g *Graph) Of(n *gorgonia.Node) *Node {
	if n == nil || n.Graph() != g.expr {
		ops.Failf("Of", "the node does not belong to this graph")
	}
	if n.Type() == nil {
		ops.Failf("Of", "%v is a statement: it has no value to compute with", n.Op())
	}
	return &Node{g, n}
}

// Gorgonia is the node as Gorgonia knows it.
func (n *Node) Gorgonia() *gorgonia.Node { return n.n }

// Graph is the graph that n belongs to; nil if n is nil, or none that a graph made.
func (n *Node) Graph() *Graph {
	if n == nil {
		return nil
	}
	return n.g
}

// Shape is a copy of the node's shape; a scalar's is empty.
func (n *Node) Shape() []int {
	checkNode("Shape", n)
	return slices.Clone([]int(n.n.Shape()))
}

// Dim is the size of an axis; negative axes count from the last.
func (n *Node) Dim(axis int) int {
	checkNode("Dim", n)
	s := n.n.Shape()
	if axis < 0 {
		axis += len(s)
	}
	if axis < 0 || axis >= len(s) {
		n.g.noteScope(nil)
		n.g.failf("Dim", "%s: no axis %d", ops.Describe(n.n), axis)
	}
	return s[axis]
}

// Dtype is the type of the elements.
func (n *Node) Dtype() tensor.Dtype {
	checkNode("Dtype", n)
	return n.n.Dtype()
}

// Value is the value that the last run left in the node, a *tensor.Dense or a Gorgonia scalar; nil
// before any.
func (n *Node) Value() gorgonia.Value {
	if n == nil || n.n == nil {
		return nil
	}
	return n.n.Value()
}

func (n *Node) in(g *Graph) *Node { return g.lift(n) }
func (n *Node) graph() *Graph     { return n.g }

func (p *Param) in(g *Graph) *Node { return g.Param(p) }
func (p *Param) graph() *Graph     { return nil }

// Scalar is a number as an operand.
type Scalar float64

func (s Scalar) in(g *Graph) *Node { return g.Const(float64(s)) }
func (s Scalar) graph() *Graph     { return nil }

// common is the graph in which operands meet: the innermost one that any of them belongs to. It
// notes their place.
func common(op string, xs []Operand) *Graph {
	var g *Graph
	for i, x := range xs {
		checkOperand(op, i, x)
		if h := x.graph(); h != nil && (g == nil || h.inside(g)) {
			g = h
		}
	}
	if g == nil {
		ops.Failf(op,
			"only parameters and numbers: no operand says which graph is meant; use "+
				"Graph.Param for one")
	}
	if g.done {
		ops.Failf(op,
			"an operand was made inside a step that is finished: what a step computes leaves it "+
				"as state or output")
	}
	g.noteScope(xs)
	return g
}

// checkOperand refuses nil, and nodes and parameters that no function of this package made.
func checkOperand(op string, i int, x Operand) {
	switch x := x.(type) {
	case nil:
		ops.Failf(op, "operand %d is nil", i)
	case *Node:
		if x == nil || x.n == nil {
			ops.Failf(op, "operand %d is nil", i)
		}
	case *Param:
		if x == nil || x.store == nil {
			ops.Failf(op, "operand %d is nil: want a parameter that Scope.Param declared", i)
		}
	}
}

func checkNode(op string, n *Node) {
	if n == nil || n.n == nil {
		ops.Failf(op, "the node is nil")
	}
}

// inside reports whether g is the graph of a step of outer, or of a step of a step.
func (g *Graph) inside(outer *Graph) bool {
	for p := g.parent; p != nil; p = p.parent {
		if p == outer {
			return true
		}
	}
	return false
}

// call applies fn to operands.
func call(op string, fn ops.Operation, xs ...Operand) *Node {
	g := common(op, xs)
	defer g.locate(op)
	in := make([]*Node, len(xs))
	for i, x := range xs {
		in[i] = x.in(g)
	}
	return g.apply(op, fn, in...)
}

// noteScope remembers where the parameters among the operands live, for errors. Within a label,
// such as that of a step, they tell the place of what follows too.
func (g *Graph) noteScope(xs []Operand) {
	if g.label == "" {
		g.near = ""
	}
	for _, x := range xs {
		if p, ok := x.(*Param); ok {
			g.near = p.scope()
		}
	}
}

// one is a single operand as a node.
func one(op string, x Operand) *Node {
	g := common(op, []Operand{x})
	defer g.locate(op)
	return x.in(g)
}
