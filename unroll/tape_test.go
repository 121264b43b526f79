package unroll_test

import (
	"fmt"
	"testing"

	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
)

// Gorgonia's own machine is an oracle that shares nothing with the library's but the operations:
// its order of running, its memory and its results are its own.
func TestOnTapeMachine(t *testing.T) {
	for _, p := range []problem{
		{Layer: layerSpec{Cell: "rnn"}, T: 1, B: 1, In: 1, Out: 1, StateAt: -1},
		{Layer: layerSpec{Cell: "rnn relu"}, T: 5, B: 2, In: 3, Out: 2, StateAt: 2, Init: true},
		{Layer: layerSpec{Cell: "lstm"}, T: 4, B: 3, In: 2, Out: 4, StateAt: -1,
			Lengths: []int{4, 0, 2}},
		{Layer: layerSpec{Cell: "lstm projection", Zoneout: []float64{0.5, 0.25}}, T: 3, B: 2,
			In: 2, Out: 2, StateAt: 0, Training: true},
		{Layer: layerSpec{Cell: "lstm norm"}, T: 3, B: 2, In: 2, Out: 3, Reverse: true,
			StateAt: -1},
		{Layer: layerSpec{Cell: "gru", Variational: []float64{0.5, 0.5}}, T: 4, B: 2, In: 3, Out: 3,
			StateAt: -1, Training: true, Generator: true},
		{Layer: layerSpec{Cell: "gru before"}, T: 2, B: 1, In: 1, Out: 3, StateAt: 1, Init: true},
		{Layer: layerSpec{Both: []layerSpec{{Cell: "gru"}, {Cell: "lstm"}}, Merge: unroll.Product},
			T: 3, B: 2, In: 2, Out: 2,
			StateAt: -1, Lengths: []int{1, 3}, Init: true},
		{Layer: layerSpec{Stack: []layerSpec{{Cell: "rnn"}, {Cell: "independent"}, {Cell: "rnn"}},
			Residual: true, Dropout: 0.5},
			T: 3, B: 2, In: 2, Out: 2, StateAt: 1, Training: true},
	} {
		t.Run(fmt.Sprintf("%+v", p.Layer), func(t *testing.T) {
			strategies(t, func(t *testing.T, strategy unroll.Strategy) {
				s := p.setting(t, nodes.Float64)
				requireSame(t, s.run(t, strategy, tape), s.run(t, strategy, compiled), 1e-10,
					"held against the tape machine")
				s = p.setting(t, nodes.Float32)
				requireSame(t, s.run(t, strategy, tape), s.run(t, strategy, compiled), 1e-4,
					"held against the tape machine")
			})
		})
	}
}
