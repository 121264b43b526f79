package cells_test

import (
	"math"
	"testing"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
)

func eachGRU(t *testing.T, sizes []size, test func(t *testing.T, z size, cfg cells.GRUConfig)) {
	for _, z := range sizes {
		for _, before := range []bool{false, true} {
			for _, noBias := range []bool{false, true} {
				cfg := cells.GRUConfig{In: z.In, Hidden: z.H, ResetBefore: before, NoBias: noBias}
				t.Run(z.String()+","+describe(cfg), func(t *testing.T) { test(t, z, cfg) })
			}
		}
	}
}

func newGRU(cfg cells.GRUConfig) build {
	return func(s *nodes.Scope) cells.Cell { return cells.NewGRU(s, cfg) }
}

func TestGRUIsItsEquations(t *testing.T) {
	eachGRU(t, sizes, func(t *testing.T, z size, cfg cells.GRUConfig) {
		o := newStep(t, nodes.Float64, z.B, z.In, false, newGRU(cfg))
		requireOracle(t, o, func(w weights, x []float64, s [][]float64) [][]float64 {
			h, H := s[0], z.H
			gate := func(k, j int) float64 { return w.row(x, "W_ih", k*H+j) + w.at("b", 0, k*H+j) }
			reset := make([]float64, H) // r∘h
			r := make([]float64, H)
			for j := range r {
				r[j] = sigmoid(gate(0, j) + w.row(h, "W_hh", j))
				reset[j] = r[j] * h[j]
			}
			next := make([]float64, H)
			for j := range next {
				z := sigmoid(gate(1, j) + w.row(h, "W_hh", H+j))
				var n float64
				if cfg.ResetBefore {
					n = math.Tanh(gate(2, j) + w.row(reset, "W_hh_n", j))
				} else {
					n = math.Tanh(gate(2, j) + r[j]*(w.row(h, "W_hh", 2*H+j)+w.at("b_hn", 0, j)))
				}
				next[j] = (1-z)*n + z*h[j]
			}
			return [][]float64{next}
		})
	})
}

func TestGRUGradients(t *testing.T) {
	eachGRU(t, []size{{1, 1, 1}, {3, 2, 4}}, func(t *testing.T, z size, cfg cells.GRUConfig) {
		requireGradients(t, z.B, z.In, false, newGRU(cfg))
	})
}

func TestGRUValidate(t *testing.T) {
	for _, c := range []struct {
		cfg  cells.GRUConfig
		want string
	}{
		{cells.GRUConfig{In: 1, Hidden: 1, ResetBefore: true}, ""},
		{cells.GRUConfig{In: 1}, "GRU: Hidden is 0, want 1 … 1048576"},
		{cells.GRUConfig{In: -1, Hidden: -1},
			"GRU: In is -1, want 1 … 1048576\nGRU: Hidden is -1, want 1 … 1048576"},
	} {
		requireRefused(t, c.want, c.cfg.Validate(), "model/l0: GRUConfig.New: ", newGRU(c.cfg))
	}
}
