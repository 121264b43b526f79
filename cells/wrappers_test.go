package cells_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/cells"
	_ "github.com/seqzoo/seqzoo/internal/oddcells"
	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/nodes"
)

// ones makes graphs whose noise is all ones and records what was asked for.
func ones(asked *[]nodes.NoiseRequest) *nodes.Graph {
	var g *nodes.Graph
	g = nodes.NewGraph(nodes.Options{Dtype: nodes.Float64, Training: true,
		Noise: func(r nodes.NoiseRequest) *nodes.Node {
			*asked = append(*asked, r)
			return g.Const(1, r.Shape...)
		}})
	return g
}

// Weights of the state are dropped, also those that only the operand tells, and those that the cell
// names; one mask serves every use of a weight.
func TestWeightDrop(t *testing.T) {
	store := nodes.NewStore(nodes.Float64, 1)
	said, unsaid := newProducts(store.Root().In("said")), newNamed(store.Root().In("unsaid"))
	for _, c := range []struct {
		name  string
		cell  cells.Cell
		want  float64 // of x = 100, h = 1 with every weight kept and P = 0.5
		drawn int
	}{
		{"said", said, 100 + 2 + 2 + 1 + 1, 2},
		{"by operand", unsaid, 2 + 100 + 200 + 202, 3},
		{"wrapped twice", cells.WeightDrop{Cell: said, P: 0.5}, 100 + 4 + 4 + 1 + 1, 4},
		{"around dropout of operands", cells.Variational{Cell: said, Input: 0.5, Hidden: 0.75},
			200 + 8 + 8 + 1 + 1, 4},
		{"used twice", twice{said}, 2 * 106, 2},
	} {
		var asked []nodes.NoiseRequest
		g := ones(&asked)
		next := cells.WeightDrop{Cell: c.cell, P: 0.5}.Step(g.Const(100, 1, 1),
			cells.State{g.Const(1, 1, 1)})
		require.NoError(t, compile(t, g, next[0]).RunAll())
		require.Equal(t, []float64{c.want}, testkit.Floats(next[0].Value()), c.name)
		require.Len(t, asked, c.drawn, c.name)
		for _, r := range asked {
			require.True(t, r.PerSequence, c.name)
		}
	}
	g, asked := given(t, true, []float64{0}, []float64{1})
	next := cells.WeightDrop{Cell: said, P: 0.75}.Step(g.Const(100, 1, 1),
		cells.State{g.Const(1, 1, 1)})
	require.NoError(t, compile(t, g, next[0]).RunAll())
	require.Equal(t, []float64{100 + 0 + 4 + 1 + 1}, testkit.Floats(next[0].Value()))
	require.Equal(t, []string{"weight drop W_hh", "weight drop W_hh_n"},
		[]string{(*asked)[0].Label, (*asked)[1].Label})
	g = nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
	next = cells.WeightDrop{Cell: said, P: 0.75}.Step(g.Const(100, 1, 1),
		cells.State{g.Const(1, 1, 1)})
	require.NoError(t, compile(t, g, next[0]).RunAll())
	require.Equal(t, []float64{104}, testkit.Floats(next[0].Value()), "evaluation")
}

// twice sums two runs of a step.
type twice struct{ cells.Cell }

func (c twice) Unwrap() cells.Cell { return c.Cell }

func (c twice) Step(x *nodes.Node, s cells.State) cells.State {
	return cells.State{nodes.Add(c.Cell.Step(x, s)[0], c.Cell.Step(x, s)[0])}
}

// Each product is normalised by itself, with a gain and a bias of its own.
func TestLayerNormed(t *testing.T) {
	store := nodes.NewStore(nodes.Float64, 1)
	s := store.Root()
	rnn := cells.NewRNN(s, cells.RNNConfig{In: 2, Hidden: 3, NoBias: true})
	const eps = 0.1
	cell := cells.NewLayerNormed(s.In("norm"), rnn, 2, eps)
	values := map[string][]float64{}
	for _, p := range store.Params() {
		randomise(p.Value(), p.Name())
		values[p.Name()] = p.Value().Float64s()
	}
	require.Len(t, values, 6)
	x, h := []float64{0.5, -1}, []float64{0.25, 0.75, -0.5}
	g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
	next := cell.Step(constant(g, "x", x, 1, 2), cells.State{constant(g, "h", h, 1, 3)})
	require.NoError(t, compile(t, g, next[0]).RunAll())
	sum := make([]float64, 3)
	for name, v := range map[string][]float64{"W_ih": x, "W_hh": h} {
		y, mean, variance := make([]float64, 3), 0.0, 0.0
		for j := range y {
			for i := range v {
				y[j] += v[i] * values[name][i*3+j]
			}
			mean += y[j] / 3
		}
		for _, a := range y {
			variance += (a - mean) * (a - mean) / 3
		}
		for j := range y {
			sum[j] += (y[j]-mean)/math.Sqrt(variance+eps)*values["norm/gain_"+name][j] +
				values["norm/bias_"+name][j]
		}
	}
	for j, got := range testkit.Floats(next[0].Value()) {
		require.InDelta(t, math.Tanh(sum[j]), got, 1e-12)
	}
}

// A row that begins anew forgets a state of any numbers; the others keep theirs.
func TestReset(t *testing.T) {
	g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
	nan := math.NaN()
	x := constant(g, "x", []float64{1, 2, 0, 3, 4, 1}, 2, 3)
	s := cells.State{constant(g, "a", []float64{5, 6, nan, 7}, 2, 2),
		constant(g, "b", []float64{8, 9, nan, nan}, 2, 2)}
	next := cells.Reset{Cell: shift{2}}.Step(x, s)
	require.NoError(t, compile(t, g, next...).RunAll())
	require.Equal(t, []float64{1, 2, 3, 4}, testkit.Floats(next[0].Value()))
	require.Equal(t, []float64{5, 6, 0, 0}, testkit.Floats(next[1].Value()))
	require.ErrorContains(t, nodes.Try(func() {
		cells.Reset{Cell: shift{2}}.Step(g.Zeros(2, 1), s)
	}), "want [B, In + 1]")
}

func TestResidual(t *testing.T) {
	g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
	r := cells.Residual{Cell: sums{}}
	require.Equal(t, []cells.Part{{Name: "y", Width: 1}, {Name: "a", Width: 1},
		{Name: "b", Width: 2}}, r.Parts())
	r = cells.Residual{Cell: shift{2}}
	next := r.Step(constant(g, "x", []float64{1, 2}, 1, 2), cells.State{g.Zeros(1, 2),
		constant(g, "a", []float64{3, 4}, 1, 2), g.Zeros(1, 2)})
	require.NoError(t, compile(t, g, next...).RunAll())
	require.Equal(t, []float64{2, 4}, testkit.Floats(next[0].Value()))
	require.Equal(t, []float64{1, 2}, testkit.Floats(next[1].Value()))
	require.Equal(t, []float64{3, 4}, testkit.Floats(next[2].Value()))
	rnn := cells.NewRNN(nodes.NewStore(nodes.Float64, 1).Root(), cells.RNNConfig{In: 3, Hidden: 2})
	require.ErrorContains(t, nodes.Try(func() {
		cells.Residual{Cell: rnn}.Step(g.Zeros(1, 3), cells.State{g.Zeros(1, 2), g.Zeros(1, 2)})
	}), "want them alike")
	require.Equal(t, "y'", cells.Residual{Cell: cells.Residual{Cell: shift{2}}}.Parts()[0].Name)
}

// wrapsCell are the wrappers, by their names, and how much wider their input is than the cell's.
var wrapsCell = map[string]struct {
	wider int
	wrap  func(s *nodes.Scope, c cells.Cell, in int) cells.Cell
}{
	"zoneout": {0, func(_ *nodes.Scope, c cells.Cell, _ int) cells.Cell {
		rates := map[string]float64{}
		for _, p := range c.Parts() {
			rates[p.Name] = 0.3
		}
		return cells.Zoneout{Cell: c, ByPart: rates}
	}},
	"variational": {0, func(s *nodes.Scope, c cells.Cell, in int) cells.Cell {
		if !multipliesState(s, c, in) {
			return cells.Variational{Cell: c, Input: 0.4}
		}
		return cells.Variational{Cell: c, Input: 0.4, Hidden: 0.5}
	}},
	"weight drop": {0, func(s *nodes.Scope, c cells.Cell, in int) cells.Cell {
		if !multipliesState(s, c, in) {
			return c
		}
		return cells.WeightDrop{Cell: c, P: 0.4}
	}},
	"norm": {0, func(s *nodes.Scope, c cells.Cell, in int) cells.Cell {
		// The larger ε keeps the gradients of narrow layers of a size that float32 can follow.
		return cells.NewLayerNormed(s, c, in, 0.1)
	}},
	"reset": {1, func(_ *nodes.Scope, c cells.Cell, _ int) cells.Cell {
		return cells.Reset{Cell: c}
	}},
	"residual": {0, func(_ *nodes.Scope, c cells.Cell, in int) cells.Cell {
		if c.Parts()[0].Width != in {
			return c
		}
		return cells.Residual{Cell: c}
	}},
}

// step runs one step of a cell, for training, and returns the mistake that it is, if it is one.
func step(dtype tensor.Dtype, c cells.Cell, in int) error {
	return nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{Dtype: dtype, Training: true})
		cells.Advance(c, g.Input("x", 1, in), cells.Zero(g, c, 1))
	})
}

func multipliesState(s *nodes.Scope, c cells.Cell, in int) bool {
	return step(s.Dtype(), cells.WeightDrop{Cell: c, P: 0.5}, in) == nil
}

// A wrapper that would do nothing with a cell says so.
func TestWrapperThatWouldDoNothing(t *testing.T) {
	const in = 4
	without := map[string]bool{"indrnn": true, "mingru": true, "minlstm": true, "lru": true,
		"rglru": true, "gateddelta": true, "mlstm": true, "sru": true, "qrnn": true, "ssm": true,
		"odd-blur": true}
	for _, name := range cells.Registered() {
		cfg, err := cells.Parse(name)
		require.NoError(t, err)
		c := cfg.Sized(in, in).New(nodes.NewStore(nodes.Float64, 1).Root())
		require.NoError(t, step(nodes.Float64, cells.Variational{Cell: c, Input: 0.5}, in), name)
		wraps := []cells.Cell{cells.WeightDrop{Cell: c, P: 0.5},
			cells.Variational{Cell: c, Hidden: 0.5}}
		if c.Parts()[0].Width == in {
			wraps = append(wraps, cells.Variational{Cell: cells.Residual{Cell: c}, Hidden: 0.5})
		}
		for _, wrapped := range wraps {
			if err := step(nodes.Float64, wrapped, in); without[name] {
				require.ErrorContains(t, err, "multiplies its state by no matrix", name)
			} else {
				require.NoError(t, err, name)
			}
		}
	}
	require.ErrorContains(t, step(nodes.Float64, cells.Variational{Cell: shift{in}, Input: 0.5},
		in), "multiplies its input by no matrix")
	require.NoError(t, step(nodes.Float64, cells.Variational{Cell: shift{in}}, in))
}

// Every wrapper has right gradients around every registered cell, and hands its parts on.
func TestEveryWrapperAroundEveryCell(t *testing.T) {
	const in = 4
	for _, name := range cells.Registered() {
		cfg, err := cells.Parse(name)
		require.NoError(t, err)
		for wrapper, w := range wrapsCell {
			t.Run(name+"/"+wrapper, func(t *testing.T) {
				t.Parallel()
				requireGradients(t, 2, in+w.wider, true, func(s *nodes.Scope) cells.Cell {
					return w.wrap(s.In("wrapper"), cfg.Sized(in, in).New(s), in)
				})
			})
		}
	}
}

func TestCheckParts(t *testing.T) {
	for want, parts := range map[string][]cells.Part{
		"a state of no parts": nil,
		"the parts [h [B, 2] h [B, 3]]": {{Name: "h", Width: 2},
			{Name: "h", Width: 3}},
		"the parts [ [B, 2]]; want each with": {{Width: 2}},
		"the part h with a width of 0":        {{Name: "h"}},
		"the part c [B, 2, 3] with a width of 5": {{Name: "h", Width: 2},
			{Name: "c", Width: 5, Shape: []int{2, 3}}},
		"the part c [B, -2, -3] with a width of 6": {{Name: "h", Width: 2},
			{Name: "c", Width: 6, Shape: []int{-2, -3}}},
		"the output as C [B, 2, 2]; want [B, Width]": {cells.Matrix("C", 2, 2)},
	} {
		require.ErrorContains(t, cells.CheckParts(parts), want)
	}
	require.NoError(t, cells.CheckParts([]cells.Part{{Name: "h", Width: 2},
		cells.Matrix("C", 2, 3, 1)}))
	require.True(t, cells.Matrix("C", 2, 2).Equal(cells.Part{Name: "C", Width: 4,
		Shape: []int{2, 2}}))
	require.False(t, cells.Matrix("C", 2, 2).Equal(cells.Part{Name: "C", Width: 4}))
	require.True(t, cells.Part{Name: "C", Width: 4}.Equal(cells.Part{Name: "C", Width: 4,
		Shape: []int{4}}))
}
