package onnx_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/onnx"
	"github.com/seqzoo/seqzoo/train"
)

// onnxOptimizers are ONNX's tests of its training operators. They begin with moments that are not
// 0, as after a first update, and with T = 0:
//
//   - Adam at T = 0 does not correct its means for their start at 0, as ours does at every update:
//     ours is at an update so late that the correction is 1. After the start ONNX adds epsilon to a
//     root that is not corrected yet, so that its epsilon is ours times √(1−β₂ⁿ). The numbers of
//     adam_multiple are those of an epsilon of 0.01, which its node does not have.
//   - Momentum at T = 0 takes the whole gradient, whatever beta is, as ours always does; ONNX's
//     beta at T > 0, a share of the gradient, is not there.
//   - Adagrad's T is our n−1. It knows no L2 penalty, so the gradient is given with it.
var onnxOptimizers = map[string]struct {
	kind    string
	make    func() (train.Optimizer, error)
	penalty float32 // that the optimizer does not add itself
	slots   []string
}{
	"adam": {"adam", func() (train.Optimizer, error) {
		return train.NewAdam(train.AdamConfig{LR: 0.1, Beta1: 0.95, Beta2: 0.1, Eps: 1e-7,
			WeightDecay: 0.001})
	}, 0, []string{"exp_avg", "exp_avg_sq"}},
	"adam_multiple": {"adam", func() (train.Optimizer, error) {
		return train.NewAdam(train.AdamConfig{LR: 0.1, Beta1: 0.95, Beta2: 0.85, Eps: 1e-2,
			WeightDecay: 0.001})
	}, 0, []string{"exp_avg", "exp_avg_sq"}},
	"momentum": {"sgd", func() (train.Optimizer, error) {
		return train.NewSGD(train.SGDConfig{LR: 0.1, Momentum: 0.95, WeightDecay: 0.001})
	}, 0, []string{"momentum_buffer"}},
	"momentum_multiple": {"sgd", func() (train.Optimizer, error) {
		return train.NewSGD(train.SGDConfig{LR: 0.1, Momentum: 0.95, WeightDecay: 0.001})
	}, 0, []string{"momentum_buffer"}},
	"nesterov_momentum": {"sgd", func() (train.Optimizer, error) {
		return train.NewSGD(train.SGDConfig{LR: 0.1, Momentum: 0.95, Nesterov: true,
			WeightDecay: 0.01})
	}, 0, []string{"momentum_buffer"}},
	"adagrad": {"adagrad", func() (train.Optimizer, error) {
		return train.NewAdagrad(train.AdagradConfig{LR: 0.1, Eps: 1e-5})
	}, 0.001, []string{"sum"}},
	"adagrad_multiple": {"adagrad", func() (train.Optimizer, error) {
		return train.NewAdagrad(train.AdagradConfig{LR: 0.1, Eps: 1e-5})
	}, 0.001, []string{"sum"}},
}

// named is a weight with a name, by which an optimizer keeps its state.
type named struct {
	weight
	name string
}

func (n named) Name() string { return n.name }

// Our optimizers, from the same weights, gradients and moments, make the update that ONNX's do.
func TestOptimizersAsONNX(t *testing.T) {
	const late = 1 << 20 // where the means of an Adam are as good as those of all time
	for name, c := range onnxOptimizers {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(nodeTests, "test_"+name, "test_data_set_0")
			read := func(what string, k int) []float32 {
				x, err := readTensor(filepath.Join(dir, fmt.Sprintf("%s_%d.pb", what, k)),
					onnx.Float32)
				if err != nil {
					t.Skip("there is no libonnx-testdata: ONNX's tests of optimizers are not run")
				}
				return x.Float32s()
			}
			n := 1 // weights; inputs are R, T and then all of each kind
			if strings.HasSuffix(name, "multiple") {
				n = 2
			}
			state := train.State{Kind: c.kind, Step: late, Scalars: map[string]float64{},
				Tensors: map[string]*tensor.Dense{}}
			var weights []gorgonia.ValueGrad
			dense := func(x []float32) *tensor.Dense {
				return tensor.New(tensor.WithShape(len(x)), tensor.WithBacking(x))
			}
			for k := range n {
				w := fmt.Sprint("w", k)
				x, g := read("input", 2+k), read("input", 2+n+k)
				for i := range g {
					g[i] += c.penalty * x[i]
				}
				for s, slot := range c.slots {
					state.Tensors[w+"/"+slot] = dense(read("input", 2+(2+s)*n+k))
				}
				state.Scalars[w+"/steps"] = late
				weights = append(weights, named{weight{dense(x), dense(g)}, w})
			}
			o, err := c.make()
			require.NoError(t, err)
			for scalar, v := range o.State().Scalars { // the rate
				state.Scalars[scalar] = v
			}
			require.NoError(t, o.Restore(state))
			require.NoError(t, o.Step(weights))
			after := o.State()
			for k, w := range weights {
				want := read("output", k)
				testkit.RequireInDelta(t, want, w.Value().Data(), 1e-6)
				for s, slot := range c.slots {
					testkit.RequireInDelta(t, read("output", (1+s)*n+k),
						after.Tensors[fmt.Sprint("w", k, "/", slot)].Data(), 1e-5, slot)
				}
			}
		})
	}
}
