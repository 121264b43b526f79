package benchmarks

import (
	"fmt"
	"math"

	"gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
)

// generate samples T characters from stacked layers and a projection, one step of the network at a
// time.
func (w Workload) generate() (*Job, error) {
	store := nodes.NewStore(nodes.Float32, 1)
	var g *nodes.Graph
	var ids, probs *nodes.Node
	var states, next cells.State
	err := nodes.Try(func() {
		g = nodes.NewGraph(nodes.Options{})
		ids = g.IntInput("ids", w.B)
		x := nodes.Embedding(store.Root().Param("E", nodes.Normal(0, 1), w.V, w.I), ids, -1)
		for l := range w.Layers {
			cell := newCell(store.Root().In("l%d", l), w.Cell, x.Dim(-1), w.H)
			var s cells.State
			for i, p := range cell.Parts() {
				s = append(s, g.Input(fmt.Sprintf("state %d %d", l, i), w.B, p.Width))
			}
			after := cell.Step(x, s)
			states, next = append(states, s...), append(next, after...)
			x = after[0]
		}
		probs = nodes.Softmax(nodes.MatMul(x, store.Root().Param("V", nodes.XavierUniform(1), w.H,
			w.V)))
	})
	if err != nil {
		return nil, err
	}
	keep := []*gorgonia.Node{probs.Gorgonia()}
	for _, n := range next {
		keep = append(keep, n.Gorgonia())
	}
	id := make([]int, w.B)
	if err := let(ids, id); err != nil {
		return nil, err
	}
	state := make([][]float32, len(states))
	for i, s := range states {
		state[i] = make([]float32, w.B*s.Dim(-1))
		if err := let(s, state[i]); err != nil {
			return nil, err
		}
	}
	j, err := w.compile(g, keep)
	if err != nil {
		return nil, err
	}
	var p []float32
	after := make([][]float32, len(next))
	j.step = func() error {
		for i := range state {
			clear(state[i])
		}
		clear(id)
		for t := range w.T {
			if err := j.VM.RunAll(); err != nil {
				return err
			}
			j.VM.Reset()
			if w.Engine == TapeMachine || p == nil { // TapeMachine binds new tensors in every run
				p = probs.Value().Data().([]float32)
				for i, n := range next {
					after[i] = n.Value().Data().([]float32)
				}
			}
			for i := range state {
				copy(state[i], after[i])
			}
			for b := range id {
				id[b] = draw(p[b*w.V:(b+1)*w.V], At(uint32(t*w.B+b), streamDraws, 0.5)+0.5)
			}
		}
		return nil
	}
	j.outcome = func() (float64, float64) {
		var sum float64
		for _, v := range p {
			sum += float64(v)
		}
		return math.Abs(sum - float64(w.B)), 0
	}
	return j, nil
}

// draw is the first index at which the probabilities add up to more than u.
func draw(p []float32, u float32) int {
	for i, v := range p {
		if u -= v; u < 0 {
			return i
		}
	}
	return len(p) - 1
}
