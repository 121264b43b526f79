package decode

import (
	"errors"
	"fmt"
	"slices"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
)

// StepGraph is one step of a recurrence as a graph, for N rows.
type StepGraph struct {
	Tokens      *nodes.Node // input of N ids
	State, Next cells.State // inputs [N, width], and the state after the step
	Logits      *nodes.Node // [N, V]
	Attention   *nodes.Node // [N, S], or nil
}

// Recurrent is the Stepper of a StepGraph.
type Recurrent struct {
	step    *run.Step // logits, the parts of the state after it, attention
	tokens  []int
	state   []run.Floats
	places  []int
	started bool
	out     Prediction
}

// NewRecurrent compiles a graph. The caller binds its inputs other than tokens and state.
func NewRecurrent(g StepGraph) (r *Recurrent, err error) {
	if g.Tokens == nil || g.Logits == nil || len(g.State) != len(g.Next) ||
		len(g.Logits.Shape()) != 2 {
		return nil, errors.New("decode: a step needs tokens, logits [N, V], and as many parts of " +
			"the state after it as before")
	}
	rows := g.Logits.Dim(0)
	for i, n := range g.State {
		if !slices.Equal(n.Shape(), g.Next[i].Shape()) || n.Dim(0) != rows {
			return nil, fmt.Errorf("decode: part %d of the state is %v before the step and %v "+
				"after it; want [%d, width] both times", i, n.Shape(), g.Next[i].Shape(), rows)
		}
	}
	keep := append([]*nodes.Node{g.Logits}, g.Next...)
	if g.Attention != nil {
		keep = append(keep, g.Attention)
	}
	r = &Recurrent{out: Prediction{Logits: cut(rows, g.Logits.Dim(1))}}
	if g.Attention != nil {
		r.out.Attention = cut(rows, g.Attention.Dim(1))
	}
	if r.step, err = run.New(keep); err != nil {
		return nil, err
	}
	var in run.Inputs
	r.tokens, r.state = in.Ints(g.Tokens), in.State(g.State)
	if in.Err() != nil {
		return nil, in.Err()
	}
	if len(r.tokens) != rows {
		return nil, fmt.Errorf("decode: the tokens are %v for logits of %d rows",
			g.Tokens.Shape(), rows)
	}
	return r, nil
}

// cut makes rows of one slice.
func cut(rows, width int) [][]float64 {
	all, out := make([]float64, rows*width), make([][]float64, rows)
	for i := range out {
		out[i] = all[i*width : (i+1)*width : (i+1)*width]
	}
	return out
}

// Start begins anew: the next Step starts from the state that it returns, [N, width] each part,
// which the caller fills. Places is the number of places of each row's own source, to which its
// attention is cut; nil: all.
func (r *Recurrent) Start(places []int) []run.Floats {
	r.started, r.places = false, places
	return r.state
}

// After is the state after the last Step, [N, width] each part, until the next call; before the
// first it is the state that it starts from.
func (r *Recurrent) After() []run.Floats {
	if !r.started {
		return r.state
	}
	after := make([]run.Floats, len(r.state))
	for i := range after {
		after[i] = r.step.Output(1 + i)
	}
	return after
}

// Step implements Stepper.
func (r *Recurrent) Step(from, tokens []int) (Prediction, error) {
	if r.step == nil {
		return Prediction{}, errors.New("decode: the step is an empty value: " +
			"NewRecurrent makes one")
	}
	rows := len(r.tokens)
	if len(from) != rows || len(tokens) != rows {
		return Prediction{}, fmt.Errorf("decode: %d rows to come from and %d tokens; the step "+
			"was made for %d rows", len(from), len(tokens), rows)
	}
	for i, k := range from {
		if k < 0 || k >= rows || !r.started && k != i {
			return Prediction{}, fmt.Errorf("decode: from[%d] is %d; want 0 … %d, and in the "+
				"first step %d", i, k, rows-1, i)
		}
	}
	if r.started {
		for i, part := range r.state {
			if err := part.Gather(r.step.Output(1+i), from); err != nil {
				return Prediction{}, fmt.Errorf("decode: %w", err)
			}
		}
	}
	copy(r.tokens, tokens)
	if err := r.step.Run(0, 0); err != nil {
		return Prediction{}, fmt.Errorf("decode: %w", err)
	}
	r.started = true
	read(r.out.Logits, r.step.Output(0))
	p := Prediction{Logits: r.out.Logits}
	if r.out.Attention != nil {
		read(r.out.Attention, r.step.Output(1+len(r.state)))
		p.Attention = slices.Clone(r.out.Attention)
		for i, n := range r.places {
			p.Attention[i] = p.Attention[i][:n]
		}
	}
	return p, nil
}

// Memory is the number of bytes that the step takes while it does not run.
func (r *Recurrent) Memory() int {
	bytes := r.step.Memory()
	for _, row := range slices.Concat(r.out.Logits, r.out.Attention) {
		bytes += 8 * len(row)
	}
	return bytes
}

// Close releases the memory of the compiled step.
func (r *Recurrent) Close() error { return r.step.Close() }

// read copies an output to rows.
func read(rows [][]float64, from run.Floats) {
	for i, row := range rows {
		from.Read64(i*len(row), row)
	}
}
