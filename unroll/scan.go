package unroll

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/internal/steps"
	"github.com/seqzoo/seqzoo/nodes"
)

// scan traces one step into a graph of its own and makes one node of the loop.
func (p *pass) scan() *Result {
	loop := &scanLoop{outer: p.g, outside: steps.CurrentLoop(p.g), T: p.T}
	step := &ops.Step{Mask: -1}
	var y *nodes.Node
	var next, left cells.State
	var lifts []steps.Lift
	steps.Inner(p.g, loop, func(in *nodes.Graph) {
		loop.in = in
		x := loop.sequence("x", p.x)
		var mask *nodes.Node
		if p.masks != nil {
			step.Mask = len(loop.inner)
			mask = loop.sequence("mask", p.masks)
		}
		var cut *nodes.Node
		if p.cuts != nil {
			cut = loop.sequence("cut", p.cuts)
		}
		var s cells.State
		for i, part := range p.cell.Parts() {
			s = append(s, in.InputLike(p.init[i], fmt.Sprintf("state %d %s", i, part.Name),
				p.init[i].Shape()...))
		}
		y, next, left = p.step(x, s, mask, cut)
		step.States, step.Next = raw(s), raw(next)
		if mask != nil {
			step.Ys = raw(cells.State{y})
		}
		lifts = steps.Lifts(in)
	})

	loop.checkInputs(step.States, lifts)
	step.Seqs, step.Raw = raw(loop.inner), raw(left)
	for _, part := range p.cell.Parts() {
		step.Parts = append(step.Parts, part.Name)
	}
	operands := append(slices.Clone(loop.outerSeqs), p.init...)
	for _, l := range lifts {
		step.Consts = append(step.Consts, l.Inner.Gorgonia())
		operands = append(operands, l.Outer)
	}
	fn := ops.Scan{Step: ops.NewStep(step), T: p.T, Reverse: p.o.Reverse, Segment: p.segment()}
	packed := steps.Op(p.g, "Scan", fn, operands...)
	p.mark(packed, y)
	view := func(inner *nodes.Node, t int) *nodes.Node {
		return p.g.Of(fn.View(packed.Gorgonia(), inner.Gorgonia(), t))
	}
	stateAt := func(t int) (at cells.State) {
		checkTime(t, p.T)
		for _, n := range next {
			at = append(at, view(n, t))
		}
		return at
	}
	last := p.T - 1
	if p.o.Reverse {
		last = 0
	}
	return &Result{
		y:       func() *nodes.Node { return view(y, -1) },
		final:   func() cells.State { return stateAt(last) },
		stateAt: stateAt,
		part:    func(i int) *nodes.Node { checkPart(i, len(next)); return view(next[i], -1) },
	}
}

// segment is the number of steps that the engine computes again at a time; 0: it keeps everything.
func (p *pass) segment() int {
	if p.o.Recompute == SqrtT {
		return int(math.Round(math.Sqrt(float64(p.T))))
	}
	return p.o.Recompute
}

// mark records on the nodes of a scan, for messages, the layer that they belong to.
func (p *pass) mark(packed, y *nodes.Node) {
	p.scope = scope(y.Graph().Parameters())
	if op, ok := packed.Gorgonia().Op().(*ops.Op); ok {
		op.At.Path = p.scope
	}
	label := strings.TrimSpace(p.scope + " step")
	inner := y.Gorgonia().Graph()
	ops.MarkPath(inner, "", label)
	ops.MarkPath(inner, "step", label)
}

// scope is the longest path that all paths of the cell's parameters begin with.
func scope(params []*nodes.Param) string {
	var layer []string
	for i, w := range params {
		path := strings.Split(w.Name(), "/")
		if path = path[:len(path)-1]; i == 0 {
			layer = path
		}
		n := 0
		for n < min(len(path), len(layer)) && path[n] == layer[n] {
			n++
		}
		layer = layer[:n]
	}
	return strings.Join(layer, "/")
}

func raw(ns []*nodes.Node) []*gorgonia.Node {
	out := make([]*gorgonia.Node, len(ns))
	for i, n := range ns {
		out[i] = n.Gorgonia()
	}
	return out
}

// scanLoop collects the sequences that a step reads: those given, and one for every noise that it
// asks for.
type scanLoop struct {
	outer, in *nodes.Graph
	outside   steps.Loop // the loop around the scan, or nil
	T         int
	outerSeqs []*nodes.Node // [T, ...]
	inner     []*nodes.Node // [...], the input of the step that stands for each
}

// sequence makes an input of the step for one time of n.
func (l *scanLoop) sequence(name string, n *nodes.Node) *nodes.Node {
	in := l.in.InputLike(n, name, n.Shape()[1:]...)
	l.outerSeqs, l.inner = append(l.outerSeqs, n), append(l.inner, in)
	return in
}

// anchor is what nodes calls the input by which operations without operands know their graph.
const anchor = "noise/key"

// checkInputs refuses a step that has declared an input of its own, to which nothing could be bound.
func (l *scanLoop) checkInputs(states gorgonia.Nodes, lifts []steps.Lift) {
	known := append(slices.Clone(states), raw(l.inner)...)
	for _, lift := range lifts {
		known = append(known, lift.Inner.Gorgonia())
	}
	for _, n := range l.in.Expr().Inputs() {
		if n.Name() != anchor && !slices.Contains(known, n) {
			nodes.Failf("Unroll", "the step declares the input %q: want what it reads from outside "+
				"declared outside", n.Name())
		}
	}
}

// Noise is drawn outside for all steps, and comes into the step as an input.
func (l *scanLoop) Noise(_ *nodes.Graph, r nodes.NoiseRequest) *nodes.Node {
	n := steps.OuterNoise(l.outer, l.outside, outerRequest(r, l.T))
	if r.PerSequence {
		return n // lifted where it is used
	}
	return l.sequence(fmt.Sprintf("%s %d", r.Label, len(l.inner)), n)
}
