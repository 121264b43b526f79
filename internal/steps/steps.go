// Package steps is the part of graph building that unrollers and loaders need and authors of models
// do not: the graph of a step inside another graph, the noise of a loop, hooks into products, and
// parameters that are filled from files.
package steps

import (
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/internal/steps/lent"
	"github.com/seqzoo/seqzoo/nodes"
)

// Loop lends the graph of a step its noise: numbers of their own for each time, drawn outside of
// the step, so that every way to unroll it sees the same ones.
type Loop = lent.Loop[*nodes.Graph, *nodes.Node, nodes.NoiseRequest]

// Lift is a node of an outer graph and the input that stands for it in the graph of a step.
type Lift = lent.Lift[*nodes.Node]

var table = lent.Take[*nodes.Graph, *nodes.Node, *nodes.Param, nodes.NoiseRequest]()

// Inner builds the graph of a step of g. Nodes of g and parameters that the step uses become inputs
// of the inner graph, which Lifts lists; its noise comes from loop.
func Inner(g *nodes.Graph, loop Loop, build func(in *nodes.Graph)) { table.Inner(g, loop, build) }

// LiftTo returns n as a node of g: itself, or an input that stands for a node of an outer graph.
func LiftTo(g *nodes.Graph, n *nodes.Node) *nodes.Node { return table.Lift(g, n) }

// Lifts lists the outer nodes that an inner graph uses, in the order of first use.
func Lifts(g *nodes.Graph) []Lift { return table.Lifts(g) }

// Innermost is the graph in which nodes can meet: of the graphs that they belong to, that of the
// innermost step. It panics with a *nodes.BuildError if they cannot meet.
func Innermost(ns ...*nodes.Node) *nodes.Graph { return table.Innermost(ns...) }

// WithLoop builds the steps of a recurrence in g itself, with noise from loop.
func WithLoop(g *nodes.Graph, loop Loop, build func()) { table.WithLoop(g, loop, build) }

// CurrentLoop is the loop that g's noise comes from, or nil.
func CurrentLoop(g *nodes.Graph) Loop { return table.CurrentLoop(g) }

// OuterNoise draws noise for a Loop where the loop stands, outside of its steps. Outside is the
// loop around it, or nil.
func OuterNoise(g *nodes.Graph, outside Loop, r nodes.NoiseRequest) *nodes.Node {
	return table.OuterNoise(g, outside, r)
}

// Op makes a node of one of the library's own operations. Name is what errors call it.
func Op(g *nodes.Graph, name string, fn ops.Operation, in ...*nodes.Node) *nodes.Node {
	return table.Op(g, name, fn, in...)
}

// Weight is what a product multiplies its operand by: a parameter, or what is made of parameters
// without data, such as some rows of one, or the difference of two.
type Weight = lent.Weight[*nodes.Node, *nodes.Param]

// WeightShape is the shape of w.
func WeightShape(w Weight) []int {
	if w.Made != nil {
		return w.Made.Shape()
	}
	return w.Params[0].Shape()
}

// Product computes x·w for a weight w in place of MatMul. As is the node that stands for w, or nil
// for w itself. Times is the product without f, of an operand and of what stands for w.
type Product = lent.Product[*nodes.Node, *nodes.Param]

// OnProduct makes f compute every product of an operand and a weight, until the returned function
// is called; what an earlier call asked for stands around it. A weight on the left, as in W·hᵀ, is
// given like one on the right: x is h, and what f returns (h·Wᵀ) is transposed. With it a wrapper
// masks the operands or the weights of a cell, or normalises its products, whatever the cell.
func OnProduct(g *nodes.Graph, f Product) (restore func()) { return table.OnProduct(g, f) }

// Blank is the tensor of a parameter for whoever writes every element of it at once. A parameter
// without a value gets zeros in place of its initial values, which are then never drawn.
func Blank(p *nodes.Param) *tensor.Dense { return table.Blank(p) }

// Own says of the weight p of a cell that it is a cell of a kind of its own, which a sentence can
// call cell, although its parameters have the names and shapes of a layer of another library.
func Own(p *nodes.Param, cell string) { table.Own(p, cell) }

// OwnOf is what Own said of p, or "".
func OwnOf(p *nodes.Param) string { return table.OwnOf(p) }

// Sketch makes g a graph that is only looked at, such as for the shapes of its nodes, and never
// run: parameters that it uses are not drawn for it.
func Sketch(g *nodes.Graph) { table.Sketch(g) }

// Watch has f called with what the layers of g compute: see Show.
func Watch(g *nodes.Graph, f func(path, part string, n *nodes.Node)) { table.Watch(g, f) }

// Show gives a node to whoever watches g. Path is that of the layer's parameters, and part, which
// may be empty, which of its results the node is, such as "c". What is inside a step of a loop is
// shown to nobody, since it has a value for each step.
func Show(g *nodes.Graph, path, part string, n func() *nodes.Node) { table.Show(g, path, part, n) }
