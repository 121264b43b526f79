package benchmarks

import (
	"gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
)

// words is a training step of a word model: an embedding of V words, a recurrent layer, an output
// layer with its bias, and the mean cross-entropy, back to all parameters.
func (w Workload) words() (*Job, error) {
	store := nodes.NewStore(nodes.Float32, 1)
	var g *nodes.Graph
	var ids, targets, loss, dOut *nodes.Node
	var keep []*gorgonia.Node
	err := nodes.Try(func() {
		g = nodes.NewGraph(nodes.Options{Training: true})
		root := store.Root()
		ids, targets = g.IntInput("ids", w.T, w.B), g.IntInput("targets", w.T, w.B)
		x := nodes.Embedding(root.Param("E", nodes.Uniform(-0.1, 0.1), w.V, w.H), ids, -1)
		y := unroll.Over(newCell(root.In("layer"), w.Cell, w.H, w.H)).Unroll(x, nil,
			unroll.Options{}).Y()
		out := root.Param("W", nodes.XavierUniform(1), w.H, w.V)
		logits := nodes.Add(nodes.MatMul(y, out), root.Param("b", nodes.Zeros(), w.V))
		loss = nodes.CrossEntropy(logits, targets, nodes.CrossEntropyOptions{})
		keep = append(keep, loss.Gorgonia())
		var wrt []nodes.Operand
		for _, p := range store.Params() {
			wrt = append(wrt, p)
		}
		for i, d := range g.Gradients(loss, wrt...) {
			keep = append(keep, d.Gorgonia())
			if store.Params()[i] == out {
				dOut = d
			}
		}
	})
	if err != nil {
		return nil, err
	}
	for stream, n := range []*nodes.Node{ids, targets} {
		v := make([]int, w.T*w.B)
		for i := range v {
			v[i] = int(float64(At(uint32(i), uint32(streamDraws+stream), 0.5)+0.5) * float64(w.V-1))
		}
		if err := let(n, v); err != nil {
			return nil, err
		}
	}
	j, err := w.compile(g, keep)
	if err != nil {
		return nil, err
	}
	j.step = func() error {
		defer j.VM.Reset()
		return j.VM.RunAll()
	}
	j.outcome = func() (float64, float64) { return norm(loss.Value()), norm(dOut.Value()) }
	return j, nil
}
