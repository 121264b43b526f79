package main

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
)

func dot(a, b []float64) (sum float64) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// times is a row of numbers times a matrix, row by row.
func times(a, w []float64) []float64 {
	out := make([]float64, len(w)/len(a))
	for i := range a {
		for k := range out {
			out[k] += a[i] * w[i*len(out)+k]
		}
	}
	return out
}

func plus(a, b []float64) []float64 {
	out := slices.Clone(a)
	for i := range b {
		out[i] += b[i]
	}
	return out
}

func tanh(a []float64) (out []float64) {
	for _, v := range a {
		out = append(out, math.Tanh(v))
	}
	return out
}

// draw is n numbers, others for each seed.
func draw(n int, seed uint64) (out []float64) {
	r := rand.New(rand.NewPCG(seed, 4))
	for range n {
		out = append(out, r.NormFloat64())
	}
	return out
}

// library is the weights that package cells gives, and the matrices that its score uses.
func library(name cells.Score, query []float64, places [][]float64) (weights []float64,
	w map[string][]float64, err error) {
	store := nodes.NewStore(nodes.Float64, 1)
	var q, keys, weighed *nodes.Node
	err = nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
		q, keys = g.Input("q", 1, len(query)), g.Input("keys", len(places), 1, len(query))
		a := cells.NewAttention(store.Root(), cells.AttentionConfig{Score: name, Query: len(query),
			Key: len(query)})
		_, weighed = a.Over(keys, nil, nil).Attend(q, nil)
	})
	if err != nil {
		return nil, nil, err
	}
	step, err := run.New([]*nodes.Node{weighed})
	if err != nil {
		return nil, nil, err
	}
	defer step.Close()
	var in run.Inputs
	qs, ks := in.Floats(q), in.Floats(keys)
	if err := in.Err(); err != nil {
		return nil, nil, err
	}
	for i, v := range query {
		qs.Set(i, v)
	}
	for i, v := range slices.Concat(places...) {
		ks.Set(i, v)
	}
	if err := step.Run(0, 0); err != nil {
		return nil, nil, err
	}
	for i := range places {
		weights = append(weights, step.Output(0).At(i))
	}
	w = map[string][]float64{}
	for _, param := range store.Params() {
		w[param.Name()] = param.Value().Float64s()
	}
	return weights, w, nil
}
