package onnx_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/onnx"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
)

// A classifier that PyTorch exported goes on learning here, and what it has learned is in the file
// that Save writes.
func TestFineTune(t *testing.T) {
	m, err := onnx.Import("testdata/conformance/torch_attention_16/model.onnx")
	require.NoError(t, err)
	const B, T = 3, 5
	var x, targets, loss *nodes.Node
	var grads []*nodes.Node
	g := nodes.NewGraph(nodes.Options{Training: true})
	require.NoError(t, nodes.Try(func() {
		x, targets = g.Input("x", B, T, 3), g.IntInput("targets", B)
	}))
	out, err := m.Build(g, map[string]*nodes.Node{"x": x}, nil)
	require.NoError(t, err)
	var weights []nodes.Operand
	for _, p := range m.Params().Params() {
		weights = append(weights, p)
	}
	require.NoError(t, nodes.Try(func() {
		loss = nodes.Mean(nodes.CrossEntropy(out["p"], targets, nodes.CrossEntropyOptions{}))
		grads = g.Gradients(loss, weights...)
	}))
	step, err := run.New(append([]*nodes.Node{loss}, grads...))
	require.NoError(t, err)
	defer step.Close()
	var in run.Inputs
	features, ids := in.Floats(x), in.Ints(targets)
	require.NoError(t, in.Err())
	for i := range features.Len() {
		features.Set(i, float64(i*i%7)/3-1)
	}
	copy(ids, []int{2, 0, 1})
	adam, err := train.NewAdam(train.AdamConfig{LR: 0.05})
	require.NoError(t, err)
	var first, last float64
	for k := range 60 {
		require.NoError(t, step.Run(0, 0))
		if last = step.Output(0).At(0); k == 0 {
			first = last
		}
		var values []gorgonia.ValueGrad
		for i, p := range m.Params().Params() {
			values = append(values, weight{p.Value(), grads[i].Value()})
		}
		require.NoError(t, adam.Step(values))
	}
	require.Less(t, last, first/4)
	file := filepath.Join(t.TempDir(), "tuned.onnx")
	require.NoError(t, m.Save(file))
	again, err := onnx.Import(file)
	require.NoError(t, err)
	sample := onnx.Values{"x": onnx.Floats(features.Float32s(), B, T, 3)}
	a, err := m.Run(sample)
	require.NoError(t, err)
	b, err := again.Run(sample)
	require.NoError(t, err)
	require.Equal(t, a["p"].Float32s(), b["p"].Float32s())
}

// weight is a parameter with its gradient, as a solver takes them.
type weight struct{ value, grad gorgonia.Value }

func (w weight) Value() gorgonia.Value         { return w.value }
func (w weight) Grad() (gorgonia.Value, error) { return w.grad, nil }
