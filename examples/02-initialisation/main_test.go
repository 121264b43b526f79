package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/course/coursetest"
)

func TestChapter(t *testing.T) {
	coursetest.Check(t, files, beginnings, spikes, culprits, carries, clipped)
}

// The gradient agrees with central differences, with every activation.
func TestGradient(t *testing.T) {
	const by = 1e-6
	for _, activation := range []string{"sigmoid", "tanh", "ReLU"} {
		s := setting{activation, "He", 0}
		k := s.train(3, 50, -1)
		w := k.Weights
		p := s.forward(&w, 93, 37)
		g, _ := p.backward(&w, 93, 37)
		for i := range w {
			old := w[i]
			w[i] = old + by
			above := s.forward(&w, 93, 37).loss
			w[i] = old - by
			below := s.forward(&w, 93, 37).loss
			w[i] = old
			require.InDelta(t, (above-below)/(2*by), g[i], 1e-7, "%s, weight %d", activation, i)
		}
	}
}

// What is handed on, and what is carried, counted by hand.
func TestRuns(t *testing.T) {
	for _, c := range []struct{ a, b, handed, carried int }{
		{0, 0, 0, 0}, {1, 1, 0, 1}, {127, 1, 6, 7}, {127, 0, 7, 0}, {3, 1, 1, 2}, {77, 51, 6, 7},
		{64, 64, 0, 1},
	} {
		require.Equal(t, c.handed, handed(c.a, c.b), "%d + %d", c.a, c.b)
		require.Equal(t, c.carried, carried(c.a, c.b), "%d + %d", c.a, c.b)
	}
}
