package cells_test

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/nodes"
)

// eachLSTM runs a test for every combination of options.
func eachLSTM(t *testing.T, sizes []size, test func(t *testing.T, z size, cfg cells.LSTMConfig)) {
	for _, z := range sizes {
		for _, peephole := range []cells.Peephole{cells.NoPeephole, cells.Diagonal, cells.Full} {
			for _, coupled := range []bool{false, true} {
				for _, projection := range []int{0, 2} {
					for _, norm := range []cells.Norm{cells.NoNorm, cells.NormGates,
						cells.NormGate} {
						cfg := cells.LSTMConfig{
							In: z.In, Hidden: z.H, Peephole: peephole, Coupled: coupled,
							Projection: projection, LayerNorm: norm,
						}
						// as often with a normalisation, which has biases of its own
						cfg.NoBias = norm == cells.NormGates
						cfg.PeepholeNorm = peephole != cells.NoPeephole && projection > 0
						t.Run(z.String()+","+describe(cfg), func(t *testing.T) { test(t, z, cfg) })
					}
				}
			}
		}
	}
}

func newLSTM(cfg cells.LSTMConfig) build {
	return func(s *nodes.Scope) cells.Cell { return cells.NewLSTM(s, cfg) }
}

// lstmOracle is the step of one row of the batch.
func lstmOracle(cfg cells.LSTMConfig, w weights, x, h, c []float64) [][]float64 {
	H, order := cfg.Hidden, "ifgo"
	if cfg.Coupled {
		order = "igo"
	}
	ax, ah := make([]float64, len(order)*H), make([]float64, len(order)*H)
	for j := range ax {
		ax[j], ah[j] = w.row(x, "W_ih", j), w.row(h, "W_hh", j)
	}
	next := make([]float64, H)
	if cfg.LayerNorm != cells.NoNorm {
		width := map[cells.Norm]int{cells.NormGates: len(order) * H,
			cells.NormGate: H}[cfg.LayerNorm]
		ax, ah = normalise(w, "x", width, ax), normalise(w, "h", width, ah)
	}
	gate := func(name byte, j int, seen []float64) float64 { // before its function
		k := 0
		for order[k] != name {
			k++
		}
		v := ax[k*H+j] + ah[k*H+j] + w.at("b", 0, k*H+j)
		if cfg.PeepholeNorm && seen != nil {
			seen = normalise(weights{}, "", H, seen)
		}
		switch {
		case name == 'g':
		case cfg.Peephole == cells.Diagonal:
			v += seen[j] * w.at("peephole_"+string(name), 0, j)
		case cfg.Peephole == cells.Full:
			v += w.row(seen, "peephole_"+string(name), j)
		}
		return v
	}
	for j := range next {
		i := sigmoid(gate('i', j, c))
		f := 1 - i
		if !cfg.Coupled {
			f = sigmoid(gate('f', j, c))
		}
		next[j] = f*c[j] + i*math.Tanh(gate('g', j, nil))
	}
	squashed := next
	if cfg.LayerNorm != cells.NoNorm {
		squashed = normalise(w, "c", H, next)
	}
	out := make([]float64, H)
	for j := range out {
		out[j] = sigmoid(gate('o', j, next)) * math.Tanh(squashed[j])
	}
	if cfg.Projection == 0 {
		return [][]float64{out, next}
	}
	projected := make([]float64, cfg.Projection)
	for j := range projected {
		projected[j] = w.row(out, "W_hr", j)
	}
	return [][]float64{projected, next}
}

// normalise is layer normalisation of blocks of the given width; without weights it has no gain and
// no bias.
func normalise(w weights, name string, width int, x []float64) []float64 {
	y := make([]float64, len(x))
	for at := 0; at < len(x); at += width {
		var mean, variance float64
		for _, v := range x[at : at+width] {
			mean += v / float64(width)
		}
		for _, v := range x[at : at+width] {
			variance += (v - mean) * (v - mean) / float64(width)
		}
		for k := at; k < at+width; k++ {
			if y[k] = (x[k] - mean) / math.Sqrt(variance+1e-5); w.store != nil {
				y[k] = y[k]*w.at("gain_"+name, 0, k) + w.at("bias_"+name, 0, k)
			}
		}
	}
	return y
}

func TestLSTMIsItsEquations(t *testing.T) {
	eachLSTM(t, sizes, func(t *testing.T, z size, cfg cells.LSTMConfig) {
		o := newStep(t, nodes.Float64, z.B, z.In, false, newLSTM(cfg))
		requireOracle(t, o, func(w weights, x []float64, s [][]float64) [][]float64 {
			return lstmOracle(cfg, w, x, s[0], s[1])
		})
	})
}

func TestLSTMGradients(t *testing.T) {
	eachLSTM(t, []size{{1, 1, 2}, {2, 2, 3}}, func(t *testing.T, z size, cfg cells.LSTMConfig) {
		requireGradients(t, z.B, z.In, false, newLSTM(cfg))
	})
}

// One unit normalised on its own is always at its mean: the result is the bias, and no gradient
// comes through.
func TestLayerNormOfOneUnit(t *testing.T) {
	requireGradients(t, 2, 1, false,
		newLSTM(cells.LSTMConfig{In: 1, Hidden: 1, LayerNorm: cells.NormGate}))
}

func TestLSTMNormEps(t *testing.T) {
	value := func(eps float64) []float64 {
		o := newStep(t, nodes.Float64, 2, 3, false,
			newLSTM(cells.LSTMConfig{In: 3, Hidden: 4, LayerNorm: cells.NormGates, NormEps: eps}))
		o.run(t, o.next...)
		return testkit.Floats(o.next[0].Value())
	}
	require.Equal(t, value(0), value(1e-5))
	require.NotEqual(t, value(0), value(1e-2))
}

func TestLSTMValidate(t *testing.T) {
	ok := cells.LSTMConfig{In: 2, Hidden: 3}
	with := func(change func(c *cells.LSTMConfig)) cells.LSTMConfig {
		c := ok
		change(&c)
		return c
	}
	for _, c := range []struct {
		cfg  cells.LSTMConfig
		want string
	}{
		{ok, ""},
		{with(func(c *cells.LSTMConfig) {
			c.Peephole, c.LayerNorm, c.Projection, c.NormEps = cells.Full, cells.NormGate, 5, 1e-3
		}), ""},
		{with(func(c *cells.LSTMConfig) { c.In = 0 }), "LSTM: In is 0, want 1 … 1048576"},
		{with(func(c *cells.LSTMConfig) { c.Hidden = cells.MaxWidth + 1 }),
			"LSTM: Hidden is 1048577, want 1 … 1048576"},
		{with(func(c *cells.LSTMConfig) { c.Hidden = math.MinInt }),
			"LSTM: Hidden is -9223372036854775808, want 1 … 1048576"},
		{with(func(c *cells.LSTMConfig) { c.Projection = -1 }),
			"LSTM: Projection is -1, want 1 … 1048576"},
		{with(func(c *cells.LSTMConfig) { c.Peephole = "both" }),
			`LSTM: Peephole is "both", want none, diagonal or full`},
		{with(func(c *cells.LSTMConfig) { c.LayerNorm = "all" }),
			`LSTM: LayerNorm is "all", want none, gates or gate`},
		{with(func(c *cells.LSTMConfig) { c.PeepholeNorm = true }),
			"LSTM: PeepholeNorm is of peepholes, and Peephole is none"},
		{with(func(c *cells.LSTMConfig) { c.NormEps = -1 }),
			"LSTM: NormEps is -1, want a number of 0 or more"},
		{with(func(c *cells.LSTMConfig) { c.NormEps = math.NaN() }),
			"LSTM: NormEps is NaN, want a number of 0 or more"},
		{with(func(c *cells.LSTMConfig) { c.NormEps = math.Inf(1) }),
			"LSTM: NormEps is +Inf, want a number of 0 or more"},
		{with(func(c *cells.LSTMConfig) { c.In, c.Projection, c.Peephole = -1, -2, "x" }),
			"LSTM: In is -1, want 1 … 1048576\nLSTM: Projection is -2, want 1 … 1048576\n" +
				`LSTM: Peephole is "x", want none, diagonal or full`},
	} {
		requireRefused(t, c.want, c.cfg.Validate(), "model/l0: LSTMConfig.New: ", newLSTM(c.cfg))
	}
}

// Widths that are fine on their own may make a matrix that is not. Nothing is allocated before that
// is known.
func TestMatrixTooLarge(t *testing.T) {
	wide := cells.MaxWidth
	for _, c := range []struct {
		cell build
		want string
	}{
		{newRNN(cells.RNNConfig{In: wide, Hidden: wide}),
			"W_ih: shape [1048576, 1048576] has more than 2³¹−1 elements"},
		{newRNN(cells.RNNConfig{In: 1, Hidden: wide}),
			"W_hh: shape [1048576, 1048576] has more than 2³¹−1 elements"},
		{newLSTM(cells.LSTMConfig{In: wide, Hidden: wide}),
			"W_ih: shape [1048576, 4194304] has more than 2³¹−1 elements"},
		{newGRU(cells.GRUConfig{In: wide, Hidden: wide}),
			"W_ih: shape [1048576, 3145728] has more than 2³¹−1 elements"},
	} {
		err := nodes.Try(func() { c.cell(nodes.NewStore(nodes.Float32, 1).Root().In("l0")) })
		require.EqualError(t, err, "l0: Param: l0/"+c.want)
	}
}

// An initialiser that does not fit is reported with the parameter.
func TestInitialiserThatDoesNotFit(t *testing.T) {
	bad := map[string]build{
		"l0: Param: l0/b: initialiser orthogonal(1) wants a matrix": newLSTM(cells.LSTMConfig{In: 2,
			Hidden: 3, InitBias: nodes.Orthogonal(1)}),
		"l0: Param: l0/W_hh: initialiser normal(0, -1): the standard deviation is negative": newGRU(
			cells.GRUConfig{In: 2, Hidden: 3, InitHidden: nodes.Normal(0, -1)}),
		"l0: Param: l0/W_ih: initialiser blocks(zeros, zeros): 2 parts do not divide a last axis of 3": newRNN(
			cells.RNNConfig{In: 2, Hidden: 3, InitInput: nodes.Gates(2, nodes.Zeros())}),
	}
	for want, newCell := range bad {
		require.EqualError(t, nodes.Try(func() {
			newCell(nodes.NewStore(nodes.Float32,
				1).Root().In("l0"))
		}), want)
	}
}

// describe names a configuration for a subtest by its options that are not at their default.
func describe(cfg any) string {
	v := reflect.ValueOf(cfg)
	var set []string
	for i := range v.NumField() {
		if f := v.Type().Field(i).Name; !v.Field(i).IsZero() && f != "In" && f != "Hidden" {
			set = append(set, fmt.Sprintf("%s=%v", f, v.Field(i).Interface()))
		}
	}
	return strings.Join(set, ",")
}
