package golden_test

import (
	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
)

// runBinaryAddition runs the family binary_addition: a network that learns to add, one example to a
// step.
func runBinaryAddition(r *goldenRun) {
	c := r.config
	In, H, bits, n := c.whole("In"), c.whole("H"), c.whole("bits"), c.whole("examples")
	activation := cells.Activation(c.word("activation", "tanh", "relu", "sigmoid"))
	c.word("init", "normal", "xavier", "he") // how the weights given were drawn
	lr := c.number("lr")
	r.trajectory()

	x, target := r.raw("x", n, bits, In), r.raw("target", n, bits)
	a, b := r.raw("a", n), r.raw("b", n)
	for k := range n { // x and target are the digits of a, b and a + b
		var sum [3]float64
		for i, weight := 0, 1.0; i < bits; i, weight = i+1, 2*weight {
			sum[0] += weight * x[(k*bits+i)*In]
			sum[1] += weight * x[(k*bits+i)*In+1]
			sum[2] += weight * target[k*bits+i]
		}
		require.Equal(r, [3]float64{a[k], b[k], a[k] + b[k]}, sum, "example %d", k)
	}

	root := r.store.Root()
	cell := cells.NewRNN(root, cells.RNNConfig{In: In, Hidden: H, Activation: activation,
		NoBias: true})
	out := root.Param("W_out", nodes.Zeros(), H, 1)
	r.place("weight_ih_l0", all(root.Shared("W_ih")))
	r.place("weight_hh_l0", all(root.Shared("W_hh")))
	r.place("out.weight", all(out))

	g := r.start(nodes.Options{Training: true})
	xs, ds := g.Input("x", bits, 1, In), g.Input("target", bits, 1, 1)
	h := unroll.Over(cell).Unroll(xs, nil, unroll.Options{Strategy: r.strategy}).Y()
	y := nodes.Sigmoid(nodes.MatMul(h, out))
	step, err := train.NewStep(nodes.Scale(nodes.Sum(nodes.Square(nodes.Sub(y, ds))), 0.5), y)
	require.NoError(r, err)
	defer step.Close()
	var in run.Inputs
	xv, dv := in.Floats(xs), in.Floats(ds)
	require.NoError(r, in.Err())

	sgd, err := train.NewSGD(train.SGDConfig{LR: lr})
	require.NoError(r, err)
	model := newTheirs(r)
	var losses, ys []float64
	for k := range n {
		xv.Put64(0, block(x, k, n))
		dv.Put64(0, block(target, k, n))
		r.load(model.values())
		loss, err := step.Run(0, k)
		require.NoError(r, err)
		grads := r.gather(r.gradients(step))
		if k == 0 {
			r.compareLoss(loss)
			r.compareAll("gradient", r.Grads, grads)
		}
		losses, ys = append(losses, loss), append(ys, step.Output(0).Float64s()...)
		model.step(sgd, grads)
	}
	outputs := map[string]array{"losses": vector(losses), "y": {Shape: []int{n, bits}, Data: ys}}
	for name, v := range model.values() {
		outputs["final."+name] = v
	}
	r.compareAll("output", r.Outputs, outputs)
}

// block is number k of n equal blocks.
func block(data []float64, k, n int) []float64 {
	return data[k*len(data)/n : (k+1)*len(data)/n]
}
