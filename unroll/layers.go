package unroll

import (
	"fmt"
	"slices"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
)

// Merge is how the outputs of two directions become one.
type Merge string

const (
	Concat  Merge = "concat" // the default: twice as wide
	Sum     Merge = "sum"
	Mean    Merge = "mean"
	Product Merge = "product"
)

// Bidirectional runs one layer forward and one backward over the same sequence (Schuster and
// Paliwal, 1997).
type Bidirectional struct {
	Forward, Backward Layer
	Merge             Merge
}

// check refuses directions whose outputs cannot be merged.
func (b Bidirectional) check() {
	if b.Forward == nil || b.Backward == nil {
		nodes.Failf("Bidirectional", "Forward and Backward must both be set")
	}
	switch b.Merge {
	case "", Concat:
		return
	case Sum, Mean, Product:
	default:
		nodes.Failf("Bidirectional", "Merge is %q, want concat, sum, mean or product", b.Merge)
	}
	if f, r := b.Forward.Width(), b.Backward.Width(); f != r {
		nodes.Failf("Bidirectional", "the %s of outputs %d and %d wide: want equal widths", b.Merge,
			f, r)
	}
}

// Parts is the forward layer's parts, then the backward layer's.
func (b Bidirectional) Parts() []cells.Part {
	b.check()
	return slices.Concat(b.Forward.Parts(), b.Backward.Parts())
}

// Width is the sum of both widths under Concat, else their common one.
func (b Bidirectional) Width() int {
	b.check()
	if b.Merge == Concat || b.Merge == "" {
		return b.Forward.Width() + b.Backward.Width()
	}
	return b.Forward.Width()
}

// Unroll runs both directions. Options.Reverse exchanges them.
func (b Bidirectional) Unroll(x *nodes.Node, init cells.State, o Options) *Result {
	b.check()
	n := len(b.Forward.Parts())
	var first, second cells.State
	if init != nil {
		checkParts("Bidirectional", init, b.Parts())
		first, second = init[:n], init[n:]
	}
	back := o
	back.Reverse = !o.Reverse
	f, r := b.Forward.Unroll(x, first, o), b.Backward.Unroll(x, second, back)
	return &Result{
		y:     func() *nodes.Node { return b.Merged(f.Y(), r.Y()) },
		final: func() cells.State { return slices.Concat(f.Final(), r.Final()) },
		stateAt: func(int) cells.State {
			nodes.Failf("StateAt", "a bidirectional layer has no state between two steps: its "+
				"directions are at different times")
			return nil
		},
		part: func(i int) *nodes.Node {
			if i < n {
				return f.Part(i)
			}
			return r.Part(i - n)
		},
	}
}

// Merged merges the outputs f and r of the two directions, for example those of their last steps.
func (b Bidirectional) Merged(f, r *nodes.Node) *nodes.Node {
	switch b.Merge {
	case Sum:
		return nodes.Add(f, r)
	case Mean:
		return nodes.Scale(nodes.Add(f, r), 0.5)
	case Product:
		return nodes.Mul(f, r)
	}
	return nodes.Concat(-1, f, r)
}

func checkParts(what string, s cells.State, parts []cells.Part) {
	if len(s) != len(parts) {
		nodes.Failf(what, "the initial state has %d parts, want %d: %s", len(s), len(parts),
			partNames(parts))
	}
}

// Stack runs layers on top of each other.
type Stack struct {
	Layers  []Layer
	Dropout float64 // probability of dropping an input of the layers above the first
	// adds its input to the output of every layer above the first (Wu et al., 2016)
	Residual bool
}

// check refuses a stack that has nothing to run.
func (s Stack) check() {
	if len(s.Layers) == 0 {
		nodes.Failf("Stack", "no layers")
	}
	for i, l := range s.Layers {
		if l == nil {
			nodes.Failf("Stack", "layer %d is nil", i)
		}
	}
	nodes.CheckRate("Stack", s.Dropout)
}

// Parts are the parts of all layers, from the bottom up.
func (s Stack) Parts() []cells.Part {
	s.check()
	var parts []cells.Part
	for i, l := range s.Layers {
		for _, p := range l.Parts() {
			p.Name = fmt.Sprintf("l%d %s", i, p.Name)
			parts = append(parts, p)
		}
	}
	return parts
}

// Width is that of the top layer.
func (s Stack) Width() int {
	s.check()
	return s.Layers[len(s.Layers)-1].Width()
}

// Unroll runs the layers one after another.
func (s Stack) Unroll(x *nodes.Node, init cells.State, o Options) *Result {
	s.check()
	if init != nil {
		checkParts("Stack", init, s.Parts())
	}
	var results []*Result
	y := func() *nodes.Node { return x }
	for i, l := range s.Layers {
		in := y()
		if i > 0 {
			in = nodes.Dropout(in, s.Dropout)
		}
		var first cells.State
		if init != nil {
			first, init = init[:len(l.Parts())], init[len(l.Parts()):]
		}
		r := l.Unroll(in, first, o)
		results = append(results, r)
		y = r.Y // called where it is needed, so that the graph holds no output that nobody uses
		if s.Residual && i > 0 {
			if a, b := in.Dim(-1), l.Width(); a != b {
				nodes.Failf("Stack", "layer %d cannot be residual: its input is %d wide, "+
					"its output %d", i, a, b)
			}
			y = func() *nodes.Node { return nodes.Add(in, r.Y()) }
		}
	}
	all := func(of func(*Result) cells.State) (st cells.State) {
		for _, r := range results {
			st = append(st, of(r)...)
		}
		return st
	}
	return &Result{
		y:     y,
		final: func() cells.State { return all((*Result).Final) },
		stateAt: func(t int) cells.State {
			return all(func(r *Result) cells.State { return r.StateAt(t) })
		},
		part: func(i int) *nodes.Node {
			checkPart(i, len(s.Parts()))
			k := 0
			for n := len(s.Layers[k].Parts()); i >= n; n = len(s.Layers[k].Parts()) {
				i, k = i-n, k+1
			}
			return results[k].Part(i)
		},
	}
}
