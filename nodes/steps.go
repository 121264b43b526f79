package nodes

import (
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/internal/steps/lent"
)

// loop gives the graph of a step its noise; see steps.Loop.
type loop = lent.Loop[*Graph, *Node, NoiseRequest]

// lift is a node of an outer graph and the input that stands for it in the graph of a step.
type lift = lent.Lift[*Node]

// Package steps, through lent, gives unrollers these functions, which authors of models do not
// need.
func init() {
	lent.Give(lent.Table[*Graph, *Node, *Param, NoiseRequest]{
		Innermost:   innermost,
		Inner:       (*Graph).inner,
		Lift:        (*Graph).lift,
		Lifts:       (*Graph).allLifts,
		WithLoop:    (*Graph).withLoop,
		CurrentLoop: (*Graph).currentLoop,
		OuterNoise:  (*Graph).outerNoise,
		Op:          (*Graph).op,
		OnProduct:   (*Graph).onProduct,
		Blank:       (*Param).blank,
		Own:         func(p *Param, cell string) { p.own = cell },
		OwnOf:       func(p *Param) string { return p.own },
		Sketch:      func(g *Graph) { g.sketch = true },
		Watch:       func(g *Graph, f func(path, part string, n *Node)) { g.watch = f },
		Show:        (*Graph).show,
	})
}

// inner builds the graph of a step of g, for an unroller. Nodes of g and parameters that the step
// uses become inputs of the inner graph, which allLifts lists; noise comes from loop.
func (g *Graph) inner(loop loop, build func(in *Graph)) {
	in := NewGraph(g.opts)
	in.parent, in.loop, in.product, in.traces = g, loop, g.product, g.traces
	old := g.step
	g.step = in
	defer func() { g.step, in.done = old, true }()
	build(in)
}

// allLifts are the outer nodes that an inner graph uses, in the order of first use.
func (g *Graph) allLifts() []lift { return slices.Clone(g.lifts) }

// op makes a node of an operation and lifts its operands.
func (g *Graph) op(name string, fn ops.Operation, in ...*Node) *Node {
	g.noteScope(nil)
	defer g.locate(name)
	in = slices.Clone(in)
	for i, n := range in {
		in[i] = g.lift(n)
	}
	return g.apply(name, fn, in...)
}

// withLoop builds the steps of a recurrence in g itself, with noise from loop.
func (g *Graph) withLoop(loop loop, build func()) {
	old := g.loop
	g.loop = loop
	defer func() { g.loop = old }()
	build()
}

// outerNoise is Noise for a loop: it is drawn where the loop stands, outside of its steps.
func (g *Graph) outerNoise(outside loop, r NoiseRequest) *Node {
	loop, step := g.loop, g.step
	g.loop, g.step = outside, nil
	defer func() { g.loop, g.step = loop, step }()
	return g.Noise(r)
}

// currentLoop is the loop that g's noise comes from, or nil.
func (g *Graph) currentLoop() loop { return g.loop }

// innermost is the graph in which nodes can meet: of those that they belong to, the one of the
// innermost step.
func innermost(ns ...*Node) *Graph {
	xs := make([]Operand, len(ns))
	for i, n := range ns {
		xs[i] = n
	}
	return common("Innermost", xs)
}

// show gives a node to whoever watches the graph; see steps.Show.
func (g *Graph) show(path, part string, n func() *Node) {
	if g.watch != nil {
		g.watch(path, part, n())
	}
}

// showAt is show of what a parameter's layer computes.
func (g *Graph) showAt(p *Param, n *Node) *Node {
	if g.watch != nil {
		g.watch(strings.TrimSuffix(strings.TrimSuffix(p.Name(), p.Leaf()), "/"), "", n)
	}
	return n
}
