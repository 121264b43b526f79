package main

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
)

func newWeights(seed uint64) weights {
	r := rand.New(rand.NewPCG(seed, 1))
	draw := func(n int) []float64 {
		w := make([]float64, n)
		for i := range w {
			w[i] = r.NormFloat64()
		}
		return w
	}
	return weights{draw(in * hidden), draw(hidden * hidden), draw(hidden)}
}

func zeros() weights {
	return weights{make([]float64, in*hidden), make([]float64, hidden*hidden),
		make([]float64, hidden)}
}

// digits are those of 77 and 51, and of their sum 128, in which a carry runs from end to end.
func digits() (x [steps][in]float64, d [steps]float64) {
	a, b := 77, 51
	for t := range steps {
		x[t] = [in]float64{float64(a >> t & 1), float64(b >> t & 1)}
		d[t] = float64((a + b) >> t & 1)
	}
	return x, d
}

func norm(v []float64) float64 {
	s := 0.0
	for _, x := range v {
		s += x * x
	}
	return math.Sqrt(s)
}

// automatic are the gradients that the library derives from the equations.
func automatic(w weights) (g weights, err error) {
	store := nodes.NewStore(nodes.Float64, 1)
	x, d, loss, err := equations(store)
	if err != nil {
		return g, err
	}
	var inputs run.Inputs
	xs, ds := inputs.Floats(x), inputs.Floats(d)
	step, err := train.NewStep(loss)
	if err = errors.Join(err, inputs.Err()); err != nil {
		return g, err
	}
	defer step.Close()
	digitsX, digitsD := digits()
	for t := range steps {
		xs.Put64(t*in, digitsX[t][:])
		ds.Set(t, digitsD[t])
	}
	named := map[string][]float64{"rnn/W_ih": w.In, "rnn/W_hh": w.W, "W_out": w.Out}
	for name, values := range named {
		param, _ := store.Get(name)
		copy(param.Value().Float64s(), values)
	}
	if _, err := step.Run(0, 0); err != nil {
		return g, err
	}
	for _, p := range step.Grads() {
		grad, err := p.Grad()
		if err != nil {
			return g, err
		}
		name := p.(interface{ Name() string }).Name()
		named[name] = slices.Clone(grad.Data().([]float64))
	}
	return weights{named["rnn/W_ih"], named["rnn/W_hh"], named["W_out"]}, nil
}
