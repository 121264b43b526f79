package unroll

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/internal/steps"
	"github.com/seqzoo/seqzoo/nodes"
)

// Strategy is how a recurrence is laid out in the graph.
type Strategy int

const (
	Scan   Strategy = iota // one node for all steps: the default
	Expand                 // nodes for every step
)

// String is the name of a strategy.
func (s Strategy) String() string {
	switch s {
	case Scan:
		return "scan"
	case Expand:
		return "expand"
	}
	return fmt.Sprintf("Strategy(%d)", int(s))
}

// Options of a pass over a sequence. The zero value is a forward Scan over full sequences.
type Options struct {
	Strategy Strategy
	Lengths  *nodes.Node // ints [B], each 0 … T; nil: all T
	Reverse  bool        // from the last step to the first

	// Recompute saves memory in training: a Scan keeps only the state before every Recompute-th
	// step for the backward pass, and the steps between are run again when the backward pass
	// reaches them (Chen et al., 2016; Gruslys et al., 2016). With SqrtT, the best choice, memory
	// grows with √T in place of T, but for the sequences that come in and go out; it costs about
	// one more pass forward. 0, the default, keeps everything. Outputs are the same; gradients of
	// parameters are the same sums added up in another order.
	//
	// It is for package graph: Gorgonia's own machines keep everything, and Expand takes no notice
	// of it.
	Recompute int

	// Cut cuts the gradient of the state before every Cut-th step, counted from the first one that
	// is run, so that a loss of later steps does not reach earlier ones through it: truncated
	// backpropagation through time with k1 = k2 within one graph (Williams and Peng, 1990). Outputs
	// are the same. 0, the default, cuts nothing. For a sequence too long for one graph there is
	// Window.
	Cut int
}

// SqrtT as Options.Recompute stands for the square root of the sequence's length, rounded.
const SqrtT = -1

// Layer maps a sequence [T, B, In] to a sequence [T, B, Width].
type Layer interface {
	// Parts describes the state of all cells in the layer.
	Parts() []cells.Part
	// Width is the size of the last axis of the outputs.
	Width() int
	// Unroll runs the layer over x from the state init; nil is zeros.
	Unroll(x *nodes.Node, init cells.State, o Options) *Result
}

// Result is a layer unrolled.
type Result struct {
	y       func() *nodes.Node
	final   func() cells.State
	stateAt func(t int) cells.State
	part    func(i int) *nodes.Node
}

// of is the result, if Unroll made it.
func (r *Result) of() *Result {
	if r == nil || r.y == nil {
		nodes.Failf("Result", "it is nil, or an empty value: Unroll of a layer makes one")
	}
	return r
}

// Y is the outputs [T, B, Width].
func (r *Result) Y() *nodes.Node { return r.of().y() }

// Final is the state after the last step: of a stack, the parts of its lowest layer first, so that
// its first part is no output of the stack. That is the last step of Y.
func (r *Result) Final() cells.State { return r.of().final() }

// StateAt is the state as step t left it. Bidirectional layers have none.
func (r *Result) StateAt(t int) cells.State { return r.of().stateAt(t) }

// Part is part i of the state, by its place among the layer's Parts, as every step left it: [T, B,
// width].
func (r *Result) Part(i int) *nodes.Node { return r.of().part(i) }

// checkPart refuses a part that a state of n parts does not have.
func checkPart(i, n int) {
	if i < 0 || i >= n {
		nodes.Failf("Part", "there is no part %d in a state of %d", i, n)
	}
}

// Over is the layer of a single cell.
func Over(c cells.Cell) Layer {
	if c == nil {
		nodes.Failf("Over", "the cell is nil")
	}
	return over{c}
}

// over is the layer of a single cell.
type over struct{ cells.Cell }

// FreeParts is the cell's.
func (l over) FreeParts() []string { return cells.FreeParts(l.Cell) }

// Width is the width of the cell's first part, its output.
func (l over) Width() int { return l.Parts()[0].Width }

// Unroll carries the cell along x, and shows the parts of its state to whoever watches the graph.
func (l over) Unroll(x *nodes.Node, init cells.State, o Options) (r *Result) {
	p := newPass(l.Cell, x, init, o)
	if o.Strategy == Expand {
		r = p.unstarted(p.expand())
	} else {
		r = p.unstarted(p.scan())
	}
	for i, part := range l.Parts() {
		steps.Show(p.g, p.scope, part.Name, func() *nodes.Node { return r.Part(i) })
	}
	return r
}

// pass is what both strategies start from.
type pass struct {
	cell  cells.Cell
	g     *nodes.Graph
	x     *nodes.Node
	T     int
	init  cells.State
	masks *nodes.Node // [T, B, 1], or nil
	cuts  *nodes.Node // [T, B, 1], 1 where the gradient of the state is cut; or nil
	o     Options

	scope string // of the paths of the cell's parameters, once it is unrolled

	// [B, 1]: 0 for sequences of length 0, whose state is given and not init; or nil
	started *nodes.Node
	given   cells.State
}

func newPass(c cells.Cell, x *nodes.Node, init cells.State, o Options) *pass {
	if x == nil {
		nodes.Failf("Unroll", "x is nil: want a sequence [T, B, In]")
	}
	if o.Strategy != Scan && o.Strategy != Expand {
		nodes.Failf("Unroll", "no strategy %v: want Scan or Expand", o.Strategy)
	}
	if o.Recompute < SqrtT {
		nodes.Failf("Unroll",
			"Recompute is %d: want the number of steps from one kept state to the next, 0 to "+
				"keep all, or SqrtT", o.Recompute)
	}
	if o.Cut < 0 {
		nodes.Failf("Unroll", "Cut is %d: want a number of steps, or 0 for none", o.Cut)
	}
	if len(x.Shape()) < 2 {
		nodes.Failf("Unroll", "x is %s: want a sequence [T, B, In], or ids [T, B]",
			ops.ShapeString(x.Shape()))
	}
	// Inside a step, x may come from outside while the initial state does not, or the other way
	// round.
	meet := []*nodes.Node{x}
	for _, n := range append(slices.Clone(init), o.Lengths) {
		if n != nil {
			meet = append(meet, n)
		}
	}
	g, batch := steps.Innermost(meet...), x.Dim(1)
	p := &pass{cell: c, g: g, x: steps.LiftTo(g, x), T: x.Dim(0), o: o}
	zero := init == nil
	if zero {
		init = cells.Zero(g, c, batch)
	}
	p.init = checkState(g, "the initial state", init, c.Parts(), batch, x.Shape()...)
	p.cuts = cutsOf(g, o, p.T, batch)
	if o.Lengths != nil {
		if !slices.Equal(o.Lengths.Shape(), []int{batch}) {
			lengths, hint := o.Lengths.Shape(), ""
			if len(lengths) == 1 {
				hint = ops.Transposed(x.Shape(), lengths[0])
			}
			nodes.Failf("Unroll", "lengths are %s: want one a sequence, [%d]%s",
				ops.ShapeString(lengths), batch, hint)
		}
		p.masks = nodes.LengthMask(steps.LiftTo(g, o.Lengths), p.T)
		p.x = p.ended(p.x)
		if !zero {
			p.given, p.started = p.init, nodes.TimeSlice(p.masks, 0)
			p.init = make(cells.State, len(p.given))
			for i, s := range p.given {
				p.init[i] = nodes.Select(p.started, s, nodes.Scalar(0))
			}
		}
	}
	return p
}

// cutsOf returns [T, B, 1], which is 1 for a step before which the gradient of the state is cut, or
// nil if it is cut nowhere. It takes the same few nodes for every T.
func cutsOf(g *nodes.Graph, o Options, T, batch int) *nodes.Node {
	k := o.Cut
	if k == 0 || k >= T {
		return nil
	}
	// of the step that is cut in each group of k, and of the first one that is run
	at, first := 0, 0
	if o.Reverse {
		at, first = (T-1)%k, T-1
	}
	const axis = 1
	var group []*nodes.Node
	for _, part := range []struct{ flag, n int }{{0, at}, {1, 1}, {0, k - 1 - at}} {
		if part.n > 0 {
			group = append(group, g.Const(float64(part.flag), 1, part.n, batch, 1))
		}
	}
	one := group[0]
	if len(group) > 1 {
		one = nodes.Concat(axis, group...)
	}
	groups := (T + k - 1) / k
	all := nodes.Reshape(nodes.Broadcast(one, groups, k, batch, 1), groups*k, batch, 1)
	none := g.Const(0, 1, batch, 1) // no step has left the initial state
	if first == 0 {
		return nodes.Concat(0, none, nodes.Slice(all, 0, 1, T))
	}
	return nodes.Concat(0, nodes.Slice(all, 0, 0, T-1), none)
}

// ended returns x with 0 behind the ends of the sequences. A step computes ended rows too, and its
// result is thrown away; but the gradient multiplies the values that it read by 0, and 0·NaN is
// NaN.
func (p *pass) ended(x *nodes.Node) *nodes.Node {
	shape := x.Shape()
	for i := range shape[2:] {
		shape[2+i] = 1
	}
	mask := nodes.Reshape(p.masks, shape...)
	if !ops.TypeOf(x.Gorgonia()).IsFloat() {
		return steps.Op(p.g, "Unroll", ops.MaskIDs{}, nodes.Broadcast(mask, x.Shape()...), x)
	}
	return nodes.Select(mask, x, nodes.Scalar(0))
}

// unstarted gives sequences of length 0 the state that they began with. In the steps their state is
// 0, since the steps compute such rows too: see ended.
func (p *pass) unstarted(r *Result) *Result {
	if p.started == nil {
		return r
	}
	state := func(s cells.State) cells.State {
		for i := range s {
			s[i] = nodes.Select(p.started, s[i], p.given[i])
		}
		return s
	}
	return &Result{
		y:       r.y,
		final:   func() cells.State { return state(r.final()) },
		stateAt: func(t int) cells.State { return state(r.stateAt(t)) },
		part: func(i int) *nodes.Node {
			all := r.part(i)
			return nodes.Select(p.started, all, p.given[i])
		},
	}
}

// checkState compares a state with its description and returns it as nodes of g. X is the shape of
// the sequence that the state belongs to, or nil.
func checkState(g *nodes.Graph, what string, s cells.State, parts []cells.Part, batch int,
	x ...int) cells.State {
	if len(parts) == 0 {
		nodes.Failf("Unroll", "the cell has no state: Parts must list at least the output")
	}
	if len(s) != len(parts) {
		nodes.Failf("Unroll", "%s has %d parts, want %d: %s", what, len(s), len(parts),
			partNames(parts))
	}
	in := make(cells.State, len(s))
	for i, p := range parts {
		want := ops.Type{Dtype: g.Dtype(), Shape: []int{batch, p.Width}}
		if s[i] == nil {
			nodes.Failf("Unroll", "%s: part %q is nil, want %v", what, p.Name, want)
		}
		if got := ops.TypeOf(s[i].Gorgonia()); got.String() != want.String() {
			hint := ""
			if len(got.Shape) == 2 {
				hint = ops.Transposed(x, got.Shape[0])
			}
			nodes.Failf("Unroll", "%s: part %q is %v, want %v%s", what, p.Name, got, want, hint)
		}
		in[i] = steps.LiftTo(g, s[i])
	}
	return in
}

// partNames lists parts for a message: "h [B, 4], c [B, 4]".
func partNames(parts []cells.Part) string {
	names := make([]string, len(parts))
	for i, p := range parts {
		names[i] = cells.Part{Name: p.Name, Width: p.Width}.String()
	}
	return strings.Join(names, ", ")
}

// step runs the cell once. With a mask [B, 1], rows where it is 0 keep their state and have output
// 0; with a cut [B, 1] no gradient of the state passes where it is 1; raw is the state that the
// cell left.
func (p *pass) step(x *nodes.Node, s cells.State, mask, cut *nodes.Node) (y *nodes.Node, next,
	raw cells.State) {
	if cut != nil {
		s = slices.Clone(s)
		for i := range s {
			s[i] = nodes.Select(cut, nodes.StopGradient(s[i]), s[i])
		}
	}
	x.Graph().Within("step", func() {
		next = cells.Advance(p.cell, x, s)
		next = checkState(x.Graph(), "the state after a step", next, p.cell.Parts(), p.x.Dim(1))
	})
	raw = slices.Clone(next)
	y = next[0]
	if mask != nil {
		y = nodes.Select(mask, y, nodes.Scalar(0))
		for i := range next {
			next[i] = nodes.Select(mask, next[i], s[i])
		}
	}
	return y, next, raw
}

// expand lays the steps out one after another.
func (p *pass) expand() *Result {
	ys := make([]*nodes.Node, p.T)
	states := make([]cells.State, p.T)
	s := p.init
	var layers []*ops.Recurrence
	for _, part := range p.cell.Parts() {
		layers = append(layers, &ops.Recurrence{Part: part.Name, T: p.T})
	}
	before := len(p.g.Parameters())
	loop := &expandLoop{outside: steps.CurrentLoop(p.g), T: p.T}
	steps.WithLoop(p.g, loop, func() {
		for i := range p.T {
			t := i
			if p.o.Reverse {
				t = p.T - 1 - i
			}
			loop.t, loop.asked = t, 0
			var mask *nodes.Node
			if p.masks != nil {
				mask = nodes.TimeSlice(p.masks, t)
			}
			if k := p.o.Cut; p.cuts != nil && i > 0 && i%k == 0 {
				s = slices.Clone(s) // a loss of the state itself is not cut
				for i := range s {
					s[i] = nodes.StopGradient(s[i])
				}
			}
			var raw cells.State
			ys[t], s, raw = p.step(nodes.TimeSlice(p.x, t), s, mask, nil)
			states[t] = s
			for i, n := range raw {
				ops.MarkState(n.Gorgonia(), layers[i], t)
			}
		}
	})
	p.scope = scope(p.g.Parameters()[before:])
	for _, l := range layers {
		l.Path = p.scope
	}
	var y *nodes.Node
	return &Result{
		y: func() *nodes.Node {
			if y == nil {
				y = nodes.Stack(ys...)
			}
			return y
		},
		final:   func() cells.State { return slices.Clone(s) },
		stateAt: func(t int) cells.State { checkTime(t, p.T); return slices.Clone(states[t]) },
		part: func(i int) *nodes.Node {
			checkPart(i, len(s))
			steps := make([]*nodes.Node, p.T)
			for t, at := range states {
				steps[t] = at[i]
			}
			return nodes.Stack(steps...)
		},
	}
}

func checkTime(t, T int) {
	if t < 0 || t >= T {
		nodes.Failf("StateAt", "time %d is outside 0 … %d", t, T-1)
	}
}

// expandLoop gives steps that are laid out in one graph their noise: request k of every step is a
// slice of one tensor.
type expandLoop struct {
	outside steps.Loop // the loop around the steps, or nil
	T, t    int
	asked   int           // by the step at hand so far
	drawn   []*nodes.Node // by the first step, for all
}

// Noise is the slice of the step at hand. Every step must ask for the same in the same order.
func (l *expandLoop) Noise(g *nodes.Graph, r nodes.NoiseRequest) *nodes.Node {
	k := l.asked
	l.asked++
	if k == len(l.drawn) {
		l.drawn = append(l.drawn, steps.OuterNoise(g, l.outside, outerRequest(r, l.T)))
	}
	if r.PerSequence {
		return l.drawn[k]
	}
	return nodes.TimeSlice(l.drawn[k], l.t)
}

// outerRequest is the request for the noise of all T steps of a loop, whose slices serve r.
func outerRequest(r nodes.NoiseRequest, T int) nodes.NoiseRequest {
	if !r.PerSequence {
		r.Shape = append([]int{T}, r.Shape...)
	}
	r.PerSequence = false
	return r
}
