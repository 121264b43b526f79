package cells_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/nodes"
)

// initial is the initial value of a parameter of a new cell, row by row.
func initial(t *testing.T, newCell build, name string) [][]float64 {
	t.Helper()
	store := nodes.NewStore(nodes.Float64, 5)
	newCell(store.Root().In("cell"))
	p, ok := store.Get("cell/" + name)
	require.True(t, ok, name)
	data, shape := p.Value().Data().([]float64), p.Shape()
	width := shape[len(shape)-1]
	var rows [][]float64
	for at := 0; at < len(data); at += width {
		rows = append(rows, data[at:at+width])
	}
	return rows
}

func TestInitialBias(t *testing.T) {
	lstm := cells.LSTMConfig{In: 2, Hidden: 2}
	with := func(change func(c *cells.LSTMConfig)) build { c := lstm; change(&c); return newLSTM(c) }
	for name, c := range map[string]struct {
		cell build
		want []float64
	}{
		"rnn": {newRNN(cells.RNNConfig{In: 2, Hidden: 2}),
			[]float64{0, 0}},
		"gru": {newGRU(cells.GRUConfig{In: 2, Hidden: 2}),
			make([]float64, 6)},
		"lstm: 1 for the forget gate": {newLSTM(lstm), []float64{0, 0, 1, 1, 0, 0, 0, 0}},
		"lstm: coupled, no forget gate": {with(func(c *cells.LSTMConfig) { c.Coupled = true }),
			make([]float64, 6)},
		"lstm: with projection": {with(func(c *cells.LSTMConfig) { c.Projection = 1 }),
			[]float64{0, 0, 1, 1, 0, 0, 0, 0}},
		"lstm: a true 0":                 {with(func(c *cells.LSTMConfig) { c.InitBias = nodes.Constant(0) }), make([]float64, 8)},
		"lstm: one value for every gate": {with(func(c *cells.LSTMConfig) { c.InitBias = nodes.Constant(3) }), []float64{3, 3, 3, 3, 3, 3, 3, 3}},
		"lstm: another forget bias": {with(func(c *cells.LSTMConfig) {
			c.InitBias = nodes.Blocks(nodes.Zeros(), nodes.Constant(-2), nodes.Zeros(),
				nodes.Zeros())
		}), []float64{0, 0, -2, -2, 0, 0, 0, 0}},
		"gru: asked for": {newGRU(cells.GRUConfig{In: 2, Hidden: 1, InitBias: nodes.Ones()}),
			[]float64{1, 1, 1}},
	} {
		require.Equal(t, [][]float64{c.want}, initial(t, c.cell, "b"), name)
	}
	require.Equal(t, [][]float64{{0, 0}}, initial(t, newGRU(cells.GRUConfig{In: 2, Hidden: 2}),
		"b_hn"))
}

// With all else at 0, a forget bias of 1 keeps σ(1) of the cell state. This says which gate the
// bias is on without looking at the order of the gates.
func TestForgetBiasForgets(t *testing.T) {
	cfg := cells.LSTMConfig{In: 1, Hidden: 1, InitInput: nodes.Constant(0),
		InitHidden: nodes.Constant(0)}
	store := nodes.NewStore(nodes.Float64, 1)
	l := cells.NewLSTM(store.Root(), cfg)
	g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
	next := l.Step(g.Zeros(1, 1), cells.State{g.Zeros(1, 1), g.Const(1, 1, 1)})
	m := compile(t, g, next...)
	require.NoError(t, m.RunAll())
	testkit.RequireClose(t, []float64{sigmoid(1)}, testkit.Floats(next[1].Value()), 1e-12, "c'")
}

// Orthogonal means gate by gate: a matrix [H, 4H] that is orthogonal as a whole has gates that are
// not.
func TestHiddenWeightsAreOrthogonalGateByGate(t *testing.T) {
	for name, c := range map[string]struct {
		cell  build
		param string
		rows  int
		cols  int // of a gate
		gates int
	}{
		"rnn":  {newRNN(cells.RNNConfig{In: 2, Hidden: 5}), "W_hh", 5, 5, 1},
		"lstm": {newLSTM(cells.LSTMConfig{In: 2, Hidden: 5}), "W_hh", 5, 5, 4},
		"lstm, coupled": {newLSTM(cells.LSTMConfig{In: 2, Hidden: 5, Coupled: true}), "W_hh", 5,
			5, 3},
		"lstm, projection": {newLSTM(cells.LSTMConfig{In: 2, Hidden: 5, Projection: 3}), "W_hh", 3,
			5, 4},
		"lstm, one unit": {newLSTM(cells.LSTMConfig{In: 1, Hidden: 1}), "W_hh", 1, 1, 4},
		"gru":            {newGRU(cells.GRUConfig{In: 2, Hidden: 5}), "W_hh", 5, 5, 3},
		"gru, before": {newGRU(cells.GRUConfig{In: 2, Hidden: 5, ResetBefore: true}), "W_hh",
			5, 5, 2},
		"gru, candidate": {newGRU(cells.GRUConfig{In: 2, Hidden: 5, ResetBefore: true}), "W_hh_n",
			5, 5, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := initial(t, c.cell, c.param)
			require.Len(t, w, c.rows)
			require.Len(t, w[0], c.cols*c.gates)
			for gate := range c.gates {
				for a := range c.rows { // no gate has more rows than columns
					for b := range c.rows {
						var dot float64
						for k := range c.cols {
							dot += w[a][gate*c.cols+k] * w[b][gate*c.cols+k]
						}
						want := 0.0
						if a == b {
							want = 1
						}
						require.InDelta(t, want, dot, 1e-12, "gate %d, rows %d and %d", gate, a, b)
					}
				}
			}
		})
	}
}

// Glorot's variance is that of one gate, not of the matrix in which the gates lie side by side.
func TestInputWeightsAreGlorotGateByGate(t *testing.T) {
	const in, hidden = 30, 50
	bound := 0.2738612787525831 // √(6/(30 + 50))
	for _, newCell := range []build{
		newRNN(cells.RNNConfig{In: in, Hidden: hidden}),
		newLSTM(cells.LSTMConfig{In: in, Hidden: hidden}),
		newGRU(cells.GRUConfig{In: in, Hidden: hidden}),
	} {
		top := 0.0
		for _, row := range initial(t, newCell, "W_ih") {
			for _, v := range row {
				top = max(top, v, -v)
			}
		}
		require.Less(t, top, bound)
		require.Greater(t, top, 0.99*bound)
	}
}

func TestInitialisersAreTakenFromTheConfiguration(t *testing.T) {
	seven, eight := nodes.Constant(7), nodes.Constant(8)
	for _, c := range []build{
		newRNN(cells.RNNConfig{In: 1, Hidden: 1, InitInput: seven, InitHidden: eight}),
		newLSTM(cells.LSTMConfig{In: 1, Hidden: 1, InitInput: seven, InitHidden: eight}),
		newGRU(cells.GRUConfig{In: 1, Hidden: 1, InitInput: seven, InitHidden: eight}),
	} {
		require.Equal(t, 7.0, initial(t, c, "W_ih")[0][0])
		require.Equal(t, 8.0, initial(t, c, "W_hh")[0][0])
	}
	require.Equal(t, [][]float64{{8}}, initial(t,
		newGRU(cells.GRUConfig{In: 1, Hidden: 1, ResetBefore: true, InitHidden: eight}), "W_hh_n"))
}

// With all else at 0, a step keeps u/(1 + u) of the state of every cell that has a Memory, with u
// spread over 1 … Memory.
func TestMemoryKeepsTheState(t *testing.T) {
	const H, steps = 4, 600
	var want []float64
	for k := range H {
		u := 1 + (steps-1)*(float64(k)+0.5)/H
		want = append(want, u/(1+u))
	}
	part := map[string]int{"lstm": 1, "sru": 1, "qrnn": 1, "slstm": 1}
	for _, name := range cells.Registered() {
		if !slices.Contains(cells.Options(name), "memory") {
			continue
		}
		cfg, err := cells.Parse(name + ",memory=600")
		require.NoError(t, err)
		store := nodes.NewStore(nodes.Float64, 1)
		c := cfg.Sized(2, H).New(store.Root())
		for _, p := range store.Params() {
			if p.Name() != "b" {
				p.Value().Zero()
			}
		}
		g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
		state := cells.Zero(g, c, 1)
		for i, p := range c.Parts() {
			if p.Name == "c" || p.Name == "h" || p.Name == "n" {
				state[i] = g.Const(1, 1, H)
			}
		}
		next := c.Step(g.Zeros(1, 2), state)[part[name]]
		require.NoError(t, compile(t, g, next).RunAll())
		testkit.RequireClose(t, want, testkit.Floats(next.Value()), 1e-12, name)
	}
}

// u of an IndRNN begins where its options say, and its input weights too.
func TestIndRNNStart(t *testing.T) {
	const H, steps = 2000, 50
	limit := math.Pow(2, 1./steps)
	for _, c := range []struct {
		cfg   cells.IndRNNConfig
		least float64
	}{{cells.IndRNNConfig{Steps: steps}, 0},
		{cells.IndRNNConfig{Steps: steps, Bounded: true, Lasting: true, InputStd: 0.001},
			1 / limit}} {
		cell := func(s *nodes.Scope) cells.Cell { return c.cfg.Sized(2, H).New(s) }
		u := initial(t, cell, "u")[0]
		require.InDelta(t, c.least, slices.Min(u), (limit-c.least)/100)
		require.InDelta(t, limit, slices.Max(u), (limit-c.least)/100)
		require.GreaterOrEqual(t, slices.Min(u), c.least)
		require.LessOrEqual(t, slices.Max(u), limit)
		var squares float64
		for _, w := range initial(t, cell, "W_ih")[0] {
			squares += w * w
		}
		std := 1.0 // He uniform of two inputs, with the gain of √2
		if c.cfg.InputStd > 0 {
			std = c.cfg.InputStd
		}
		require.InDelta(t, std, math.Sqrt(squares/H), std/20)
	}
}

// The gates of an MLSTM write and keep from the start, as in its authors' code: where the input gate
// is far below 0, what the cell says is nearly nothing, and so are its gradients.
func TestMLSTMStart(t *testing.T) {
	const heads = 64
	b := initial(t, func(s *nodes.Scope) cells.Cell {
		return cells.MLSTMConfig{In: 2, Hidden: heads, Heads: heads}.New(s)
	}, "b_if")[0]
	for i := range heads {
		require.InDelta(t, 0, b[i], 0.5)
		require.InDelta(t, 4.5, b[heads+i], 1.5)
	}
}
