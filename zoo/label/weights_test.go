package label_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/zoo/internal/zootest"
	"github.com/seqzoo/seqzoo/zoo/label"
)

func TestWeightErrors(t *testing.T) {
	m := crfOf(t, small, 3)
	all := examples(small, true, 2, 3)
	for want, d := range map[string]label.Data{
		"there are ClassWeights, and a CRF":   {ClassWeights: []float64{1, 1, 1}},
		"there are 1 Weights for 2 examples":  {Weights: []float64{1}},
		"Weights[1] is -1; want 0, or a":      {Weights: []float64{1, -1}},
		"Weights[0] is NaN; want 0, or a":     {Weights: []float64{math.NaN(), 1}},
		"Weights[0] is +Inf; want 0, or a":    {Weights: []float64{math.Inf(1), 1}},
		"Weights[1] is 1e-60; want 0, or a":   {Weights: []float64{1, 1e-60}},
		"Weights[1] is 1e+60; want 0, or a":   {Weights: []float64{1, 1e60}},
		"all Weights are 0, so that there is": {Weights: []float64{0, 0}},
		"there is Smoothing, and a CRF":       {Smoothing: 0.1},
		"Smoothing is 1, want [0, 1)":         {Smoothing: 1},
		"Smoothing is NaN, want [0, 1)":       {Smoothing: math.NaN()},
		"PositiveWeights, which are of a":     {PositiveWeights: []float64{1, 1, 1}},
	} {
		d.Train = all
		_, err := m.Task(d)
		require.ErrorContains(t, err, want)
	}
	tagger, err := label.NewTagger(label.TaggerConfig{Config: small}, nil, zootest.Letters(t, 3), 1)
	require.NoError(t, err)
	_, err = tagger.Task(label.Data{Train: all, ClassWeights: []float64{1, 2}})
	require.ErrorContains(t, err, "there are 2 ClassWeights for 3 labels")
	for id := range 3 { // a label that no example has is the only one that counts
		one := label.Labelled{Sequence: all[0].Sequence}
		for range all[0].Labels {
			one.Labels = append(one.Labels, (id+1)%3)
		}
		d := label.Data{Train: []label.Labelled{one}, ClassWeights: make([]float64, 3)}
		d.ClassWeights[id] = 1
		_, err = tagger.Task(d)
		require.ErrorContains(t, err, "the weights of all labels that occur are 0")
		d.ClassWeights[(id+1)%3] = 1
		_, err = tagger.Task(d)
		require.NoError(t, err)
	}
}

func TestBalanced(t *testing.T) {
	all := []label.Labelled{{Labels: []int{0, 0, 0}}, {Labels: []int{2}}, {}}
	require.Equal(t, []float64{2. / 3, 1, 2}, label.Balanced(all, 3))
	require.Equal(t, []float64{1}, label.Balanced(nil, 1))
	require.Nil(t, label.Balanced(all, 0))
	all = []label.Labelled{{Labels: []int{0, 2}}, {Labels: []int{0}}, {}, {Labels: []int{0}}}
	require.Equal(t, []float64{1. / 3, 1, 3}, label.BalancedPositives(all, 3))
}
