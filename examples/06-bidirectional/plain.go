package main

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/unroll"
)

func draw(r *rand.Rand, n int, spread float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = spread * r.NormFloat64()
	}
	return out
}

func newWeights(seed uint64) weights {
	r := rand.New(rand.NewPCG(seed, 4))
	one := func(n int) []float64 { return draw(r, n, 1/math.Sqrt(hidden)) }
	return weights{one(in * hidden), one(hidden * hidden), one(in * hidden), one(hidden * hidden),
		one(2 * hidden)}
}

func sequence(seed uint64) (xs [][]float64) {
	r := rand.New(rand.NewPCG(seed, 4))
	for range steps {
		xs = append(xs, draw(r, in, 0.5))
	}
	return xs
}

// library is the same network made of the library's cells.
func (w weights) library(xs [][]float64) ([]float64, error) {
	store := nodes.NewStore(nodes.Float64, 1)
	var x, y *nodes.Node
	err := nodes.Try(func() {
		way := func(name string) unroll.Layer {
			return unroll.Over(cells.NewRNN(store.Root().In("%s", name), cells.RNNConfig{In: in,
				Hidden: hidden, NoBias: true}))
		}
		g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
		x = g.Input("x", steps, 1, in)
		layer := unroll.Bidirectional{Forward: way("forward"), Backward: way("backward")}
		y = nodes.MatMul(layer.Unroll(x, nil, unroll.Options{}).Y(), store.Root().Param("V",
			nodes.Zeros(), 2*hidden, 1))
	})
	if err != nil {
		return nil, err
	}
	for name, values := range map[string][]float64{"forward/W_ih": w.Wf, "forward/W_hh": w.Uf,
		"backward/W_ih": w.Wb,
		"backward/W_hh": w.Ub, "V": w.V} {
		param, _ := store.Get(name)
		run.ParamFloats(param).Put64(0, values)
	}
	step, err := run.New([]*nodes.Node{y})
	if err != nil {
		return nil, err
	}
	defer step.Close()
	var inputs run.Inputs
	to := inputs.Floats(x)
	for t, v := range xs {
		to.Put64(t*in, v)
	}
	if err := errors.Join(inputs.Err(), step.Run(0, 0)); err != nil {
		return nil, err
	}
	return step.Output(0).Float64s(), nil
}

func largest(a, b []float64) (most float64) {
	for i := range a {
		most = max(most, math.Abs(a[i]-b[i]))
	}
	return most
}

func mean(a, b []float64) (sum float64) {
	for i := range a {
		sum += math.Abs(a[i]-b[i]) / float64(len(a))
	}
	return sum
}

func sorted(v []float64) []float64 { return slices.Sorted(slices.Values(v)) }

func percent(v float64) string { return fmt.Sprintf("%.0f %%", 100*v) }
