package cells_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
)

func eachRNN(t *testing.T, sizes []size, test func(t *testing.T, z size, cfg cells.RNNConfig)) {
	for _, z := range sizes {
		for _, act := range []cells.Activation{"", cells.Tanh, cells.ReLU, cells.Sigmoid} {
			for _, noBias := range []bool{false, true} {
				cfg := cells.RNNConfig{In: z.In, Hidden: z.H, Activation: act, NoBias: noBias}
				t.Run(z.String()+","+describe(cfg), func(t *testing.T) { test(t, z, cfg) })
			}
		}
	}
}

func newRNN(cfg cells.RNNConfig) build {
	return func(s *nodes.Scope) cells.Cell { return cells.NewRNN(s, cfg) }
}

func TestRNNIsItsEquation(t *testing.T) {
	act := map[cells.Activation]func(float64) float64{
		"": math.Tanh, cells.Tanh: math.Tanh, cells.Sigmoid: sigmoid,
		cells.ReLU: func(x float64) float64 { return max(x, 0) },
	}
	eachRNN(t, sizes, func(t *testing.T, z size, cfg cells.RNNConfig) {
		o := newStep(t, nodes.Float64, z.B, z.In, false, newRNN(cfg))
		requireOracle(t, o, func(w weights, x []float64, s [][]float64) [][]float64 {
			h := make([]float64, z.H)
			for j := range h {
				h[j] = act[cfg.Activation](w.row(x, "W_ih", j) + w.row(s[0], "W_hh", j) +
					w.at("b", 0, j))
			}
			return [][]float64{h}
		})
	})
}

func TestRNNGradients(t *testing.T) {
	eachRNN(t, []size{{1, 1, 1}, {3, 2, 4}}, func(t *testing.T, z size, cfg cells.RNNConfig) {
		requireGradients(t, z.B, z.In, false, newRNN(cfg))
	})
}

func TestRNNValidate(t *testing.T) {
	for _, c := range []struct {
		cfg  cells.RNNConfig
		want string
	}{
		{cells.RNNConfig{In: 1, Hidden: 1}, ""},
		{cells.RNNConfig{In: cells.MaxWidth, Hidden: 1, Activation: cells.ReLU}, ""},
		{cells.RNNConfig{}, "RNN: In is 0, want 1 … 1048576\nRNN: Hidden is 0, want 1 … 1048576"},
		{cells.RNNConfig{In: -3, Hidden: 2}, "RNN: In is -3, want 1 … 1048576"},
		{cells.RNNConfig{In: 2, Hidden: math.MaxInt},
			"RNN: Hidden is 9223372036854775807, want 1 … 1048576"},
		{cells.RNNConfig{In: 2, Hidden: 2, Activation: "swish"},
			`RNN: Activation is "swish", want tanh, relu or sigmoid`},
		{cells.RNNConfig{In: 2, Activation: "TANH"},
			"RNN: Hidden is 0, want 1 … 1048576\n" +
				`RNN: Activation is "TANH", want tanh, relu or sigmoid`},
	} {
		requireRefused(t, c.want, c.cfg.Validate(), "model/l0: RNNConfig.New: ", newRNN(c.cfg))
	}
}

// requireRefused wants a configuration's error, from Validate and with the scope in front from the
// constructor.
func requireRefused(t *testing.T, want string, got error, prefix string, newCell build) {
	t.Helper()
	err := nodes.Try(func() {
		newCell(nodes.NewStore(nodes.Float32,
			1).Root().In("model").In("l0"))
	})
	if want == "" {
		require.NoError(t, got)
		require.NoError(t, err)
		return
	}
	require.EqualError(t, got, want)
	require.EqualError(t, err, prefix+want)
	var be *nodes.BuildError
	require.ErrorAs(t, err, &be)
}
