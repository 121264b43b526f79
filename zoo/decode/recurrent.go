package decode

import (
	"errors"
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/train"
)

// StepGraph is one step of a recurrence as a graph, for N rows.
type StepGraph struct {
	Tokens      *nodes.Node // input of N ids
	State, Next cells.State // inputs [N, width], and what the step makes of them
	Logits      *nodes.Node // [N, V]
	Attention   *nodes.Node // [N, S], or nil
}

// Recurrent is the Stepper of a StepGraph.
type Recurrent struct {
	step    *train.Step
	tokens  []int
	state   []*tensor.Dense
	graph   StepGraph
	places  []int
	started bool
	out     Prediction
}

// NewRecurrent compiles a graph. Its inputs other than tokens and state must be bound by whoever made it.
func NewRecurrent(g StepGraph) (r *Recurrent, err error) {
	if g.Tokens == nil || g.Logits == nil || len(g.State) != len(g.Next) || len(g.Logits.Shape()) != 2 {
		return nil, errors.New("decode: a step needs tokens, logits [N, V], and as many parts of the state after it as before")
	}
	rows := g.Logits.Dim(0)
	for i, n := range g.State {
		if !slices.Equal(n.Shape(), g.Next[i].Shape()) || n.Dim(0) != rows {
			return nil, fmt.Errorf("decode: part %d of the state is %v before the step and %v after it; want [%d, width] both times",
				i, n.Shape(), g.Next[i].Shape(), rows)
		}
	}
	var nothing *nodes.Node
	err = nodes.Try(func() { nothing = g.Logits.Graph().Const(0) }) // a step has a loss; decoding has none
	if err != nil {
		return nil, err
	}
	keep := append([]*nodes.Node{g.Logits}, g.Next...)
	if g.Attention != nil {
		keep = append(keep, g.Attention)
	}
	r = &Recurrent{graph: g, out: Prediction{Logits: cut(rows, g.Logits.Dim(1))}}
	if g.Attention != nil {
		r.out.Attention = cut(rows, g.Attention.Dim(1))
	}
	if r.step, err = train.NewStep(nothing, keep...); err != nil {
		return nil, err
	}
	v, err := train.Feed(g.Tokens)
	if err != nil {
		return nil, err
	}
	if r.tokens = v.Data().([]int); len(r.tokens) != rows {
		return nil, fmt.Errorf("decode: the tokens are %v for logits of %d rows", g.Tokens.Shape(), rows)
	}
	for _, n := range g.State {
		v, err := train.Feed(n)
		if err != nil {
			return nil, err
		}
		r.state = append(r.state, v)
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

// Start begins anew: the next Step starts from the state in the tensors it returns, which the caller fills. Places says
// how much of the attention of each row belongs to its own source; nil: all.
func (r *Recurrent) Start(places []int) []*tensor.Dense {
	r.started, r.places = false, places
	return r.state
}

// Step implements Stepper.
func (r *Recurrent) Step(from, tokens []int) (Prediction, error) {
	rows := len(r.tokens)
	if len(from) != rows || len(tokens) != rows {
		return Prediction{}, fmt.Errorf("decode: %d rows to come from and %d tokens; the step was made for %d rows", len(from), len(tokens), rows)
	}
	for i, k := range from {
		if k < 0 || k >= rows || !r.started && k != i {
			return Prediction{}, fmt.Errorf("decode: from[%d] is %d; want 0 … %d, and in the first step %d", i, k, rows-1, i)
		}
	}
	if r.started {
		for i, n := range r.graph.Next {
			pick(r.state[i].Data(), n.Value().Data(), from)
		}
	}
	copy(r.tokens, tokens)
	if _, err := r.step.Run(0, 0); err != nil {
		return Prediction{}, fmt.Errorf("decode: %w", err)
	}
	r.started = true
	read(r.out.Logits, r.graph.Logits.Value())
	p := Prediction{Logits: r.out.Logits}
	if r.graph.Attention != nil {
		read(r.out.Attention, r.graph.Attention.Value())
		p.Attention = slices.Clone(r.out.Attention)
		for i, n := range r.places {
			p.Attention[i] = p.Attention[i][:n]
		}
	}
	return p, nil
}

// Close releases the memory of the compiled step.
func (r *Recurrent) Close() error { return r.step.Close() }

// pick writes rows from[0], from[1], … of src to dst.
func pick(dst, src any, from []int) {
	switch d := dst.(type) {
	case []float32:
		pickRows(d, src.([]float32), from)
	case []float64:
		pickRows(d, src.([]float64), from)
	}
}

func pickRows[F Float](dst, src []F, from []int) {
	w := len(src) / len(from)
	for i, k := range from {
		copy(dst[i*w:(i+1)*w], src[k*w:(k+1)*w])
	}
}

// read copies a value to rows.
func read(rows [][]float64, v gorgonia.Value) {
	switch d := v.Data().(type) {
	case []float32:
		readRows(rows, d)
	case []float64:
		readRows(rows, d)
	}
}

func readRows[F Float](rows [][]float64, v []F) {
	for i, row := range rows {
		for j, x := range v[i*len(row) : (i+1)*len(row)] {
			row[j] = float64(x)
		}
	}
}
