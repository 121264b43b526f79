package cells_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/nodes"
)

func shape(p *nodes.Param) string { return ops.ShapeString(p.Shape()) }

// shift is a cell without parameters: state {a, b} becomes {x, a}.
type shift struct{ width int }

func (c shift) Parts() []cells.Part {
	return []cells.Part{{Name: "a", Width: c.width}, {Name: "b", Width: c.width}}
}

// Step works in the slice that it is given, as a careless cell may.
func (c shift) Step(x *nodes.Node, s cells.State) cells.State {
	s[0], s[1] = x, s[0]
	return s
}

// given makes a graph whose noises are given one after another, and records what was asked for.
func given(t *testing.T, training bool, masks ...[]float64) (g *nodes.Graph,
	asked *[]nodes.NoiseRequest) {
	asked = new([]nodes.NoiseRequest)
	g = nodes.NewGraph(nodes.Options{Dtype: nodes.Float64, Training: training,
		Noise: func(r nodes.NoiseRequest) *nodes.Node {
			k := len(*asked)
			*asked = append(*asked, r)
			require.Less(t, k, len(masks), "too many noises")
			return constant(g, fmt.Sprint("mask ", k), masks[k], r.Shape...)
		}})
	return g, asked
}

func constant(g *nodes.Graph, name string, values []float64, shape ...int) *nodes.Node {
	n := g.Input(name, shape...)
	gorgonia.Let(n.Gorgonia(), tensor.New(tensor.WithShape(shape...), tensor.WithBacking(values)))
	return n
}

func TestZoneout(t *testing.T) {
	for _, c := range []struct {
		name     string
		training bool
		rates    []float64
		a, b     []float64 // the next state
		asked    int
	}{
		{"training", true, []float64{0.25, 0.5}, []float64{10, 2, 30}, []float64{4, 2, 3}, 2},
		{"training, one rate", true, []float64{0.25}, []float64{10, 2, 30}, []float64{1, 2, 3}, 1},
		{"training, second rate alone", true, []float64{0, 0.5}, []float64{10, 20, 30},
			[]float64{1, 5, 3}, 1},
		{"evaluation", false, []float64{0.25, 0.5}, []float64{7.75, 15.5, 23.25},
			[]float64{2.5, 3.5, 4.5}, 0},
		{"no rates", true, nil, []float64{10, 20, 30}, []float64{1, 2, 3}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, asked := given(t, c.training, []float64{0, 1, 0}, []float64{1, 0, 0})
			x := constant(g, "x", []float64{10, 20, 30}, 1, 3)
			s := cells.State{constant(g, "a", []float64{1, 2, 3}, 1, 3),
				constant(g, "b", []float64{4, 5, 6}, 1, 3)}
			z := cells.Zoneout{Cell: shift{3}, Rates: c.rates}
			next := z.Step(x, s)
			require.NoError(t, compile(t, g, next...).RunAll())
			require.Equal(t, c.a, testkit.Floats(next[0].Value()))
			require.Equal(t, c.b, testkit.Floats(next[1].Value()))
			require.Len(t, *asked, c.asked)
			for _, r := range *asked {
				require.False(t, r.PerSequence)
				require.Equal(t, nodes.Bernoulli, r.Kind)
			}
			require.Equal(t, shift{3}.Parts(), z.Parts())
			require.NotSame(t, next[1], s[1], "the caller's state is left alone")
			require.Equal(t, "a", s[0].Gorgonia().Name())
		})
	}
}

// products shows which operands are masked: x·W_ih + h·W_hh + h, and h·W_out, with weights of 1.
type products struct{ wIH, wHH, wHHn, wOut *nodes.Param }

func newProducts(s *nodes.Scope) products {
	one := func(name string) *nodes.Param { return s.Param(name, nodes.Ones(), 1, 1) }
	return products{one("W_ih"), one("W_hh"), one("W_hh_n"), one("W_out")}
}

// Role says of W_out that it is none that Variational is for.
func (products) Role(leaf string) cells.Role {
	switch {
	case leaf == "W_ih":
		return cells.OfInput
	case leaf == "W_out":
		return cells.NoRole
	}
	return cells.OfState
}

func (products) Parts() []cells.Part { return []cells.Part{{Name: "h", Width: 1}} }

func (p products) Step(x *nodes.Node, s cells.State) cells.State {
	return cells.State{nodes.Add(nodes.MatMul(x, p.wIH), nodes.MatMul(s[0], p.wHH),
		nodes.MatMul(s[0], p.wHHn), nodes.MatMul(s[0], p.wOut), s[0])}
}

func TestVariational(t *testing.T) {
	store := nodes.NewStore(nodes.Float64, 1)
	cell := newProducts(store.Root())
	for _, c := range []struct {
		name      string
		training  bool
		in, hid   float64
		want      float64 // of x = 100, h = 1
		wantAsked []nodes.NoiseRequest
	}{
		{"both", true, 0.5, 0.75, 200 + 0 + 0 + 1 + 1, []nodes.NoiseRequest{
			{Label: "variational input", Kind: nodes.Bernoulli, P: 0.5, Shape: []int{1, 1},
				PerSequence: true, RowAxes: 1},
			{Label: "variational hidden", Kind: nodes.Bernoulli, P: 0.25, Shape: []int{1, 1},
				PerSequence: true, RowAxes: 1},
		}},
		{"hidden alone", true, 0, 0.75, 100 + 4 + 4 + 1 + 1, []nodes.NoiseRequest{
			{Label: "variational hidden", Kind: nodes.Bernoulli, P: 0.25, Shape: []int{1, 1},
				PerSequence: true, RowAxes: 1},
		}},
		{"neither", true, 0, 0, 104, nil},
		{"evaluation", false, 0.5, 0.75, 104, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, asked := given(t, c.training, []float64{1}, []float64{0})
			v := cells.Variational{Cell: cell, Input: c.in, Hidden: c.hid}
			next := v.Step(g.Const(100, 1, 1), cells.State{g.Const(1, 1, 1)})
			require.NoError(t, compile(t, g, next...).RunAll())
			require.Equal(t, []float64{c.want}, testkit.Floats(next[0].Value()))
			require.Equal(t, c.wantAsked, *asked)
			// What is built after the step is not masked.
			after := nodes.MatMul(g.Const(100, 1, 1), cell.wIH)
			require.NoError(t, compile(t, g, after).RunAll())
			require.Equal(t, []float64{100}, testkit.Floats(after.Value()))
		})
	}
	t.Run("twice", func(t *testing.T) { // each wrapper masks what it was asked to
		g, asked := given(t, true, []float64{1}, []float64{1})
		v := cells.Variational{Cell: cells.Variational{Cell: cell, Input: 0.5}, Hidden: 0.5}
		next := v.Step(g.Const(100, 1, 1), cells.State{g.Const(1, 1, 1)})
		require.NoError(t, compile(t, g, next...).RunAll())
		require.Equal(t, []float64{200 + 2 + 2 + 1 + 1}, testkit.Floats(next[0].Value()))
		require.Len(t, *asked, 2)
	})
}

// Operands of two widths have a mask each.
// named is a cell whose weights are named as nobody else's: h·u + x·a + (x∘h)·m + [x; h]·both.
type named struct{ u, a, m, both *nodes.Param }

func newNamed(s *nodes.Scope) named {
	one := func(name string, n int) *nodes.Param { return s.Param(name, nodes.Ones(), n, 1) }
	return named{one("u", 1), one("a", 1), one("m", 1), one("both", 2)}
}

func (named) Parts() []cells.Part { return []cells.Part{{Name: "h", Width: 1}} }

func (c named) Step(x *nodes.Node, s cells.State) cells.State {
	return cells.State{nodes.Add(nodes.MatMul(s[0], c.u), nodes.MatMul(x, c.a),
		nodes.MatMul(nodes.Mul(x, s[0]), c.m), nodes.MatMul(nodes.Concat(-1, x, s[0]), c.both))}
}

// Of a cell that says nothing of its weights, the operands say which are of the state: what depends
// on it.
func TestVariationalByOperand(t *testing.T) {
	cell := newNamed(nodes.NewStore(nodes.Float64, 1).Root())
	for _, c := range []struct{ in, hidden, want float64 }{
		{0, 0, 1 + 100 + 100 + 101}, // of x = 100, h = 1
		{0, 0.5, 2 + 100 + 200 + 102},
		{0.5, 0, 1 + 200 + 100 + 201},
		{0.5, 0.5, 2 + 200 + 200 + 202},
	} {
		var g *nodes.Graph
		var asked []string
		g = nodes.NewGraph(nodes.Options{Dtype: nodes.Float64, Training: true,
			Noise: func(r nodes.NoiseRequest) *nodes.Node {
				asked = append(asked, r.Label)
				return g.Const(1, r.Shape...)
			}})
		next := cells.Variational{Cell: cell, Input: c.in,
			Hidden: c.hidden}.Step(g.Const(100, 1, 1), cells.State{g.Const(1, 1, 1)})
		require.NoError(t, compile(t, g, next...).RunAll())
		require.Equal(t, []float64{c.want}, testkit.Floats(next[0].Value()), "%g %g: %v", c.in,
			c.hidden, asked)
	}
}

func TestZoneoutByPart(t *testing.T) {
	g, asked := given(t, true, []float64{1, 0, 0})
	x := constant(g, "x", []float64{10, 20, 30}, 1, 3)
	s := cells.State{constant(g, "a", []float64{1, 2, 3}, 1, 3),
		constant(g, "b", []float64{4, 5, 6}, 1, 3)}
	next := cells.Zoneout{Cell: shift{3}, ByPart: map[string]float64{"b": 0.5}}.Step(x, s)
	require.NoError(t, compile(t, g, next...).RunAll())
	require.Equal(t, []float64{10, 20, 30}, testkit.Floats(next[0].Value()))
	require.Equal(t, []float64{4, 2, 3}, testkit.Floats(next[1].Value()))
	require.Len(t, *asked, 1)
	for want, z := range map[string]cells.Zoneout{
		"rates of the parts [c]": {Cell: shift{3}, ByPart: map[string]float64{"c": 0.5}},
		"the probability 1":      {Cell: shift{3}, ByPart: map[string]float64{"b": 1}},
		"both set": {Cell: shift{3}, ByPart: map[string]float64{"b": 0.5},
			Rates: []float64{0.5}},
	} {
		require.ErrorContains(t, nodes.Try(z.Check), want)
	}
}

func TestVariationalOverTwoWidths(t *testing.T) {
	s := nodes.NewStore(nodes.Float64, 1).Root()
	a, b := s.Param("W_hh_a", nodes.Ones(), 1, 1), s.Param("W_hh_b", nodes.Ones(), 2, 1)
	g, asked := given(t, true, []float64{1}, []float64{0, 1})
	next := cells.Variational{Cell: sums{a, b}, Hidden: 0.5}.Step(g.Zeros(1, 1),
		cells.State{g.Const(1, 1, 1), g.Const(1, 1, 2)})
	require.NoError(t, compile(t, g, next...).RunAll())
	require.Equal(t, []float64{2 + 2}, testkit.Floats(next[0].Value()))
	require.Len(t, *asked, 2)
}

// sums is a cell with hidden products of both parts of its state.
type sums struct{ a, b *nodes.Param }

func (sums) Parts() []cells.Part {
	return []cells.Part{{Name: "a", Width: 1},
		{Name: "b", Width: 2}}
}

func (c sums) Step(_ *nodes.Node, s cells.State) cells.State {
	return cells.State{nodes.Add(nodes.MatMul(s[0], c.a), nodes.MatMul(s[1], c.b)), s[1]}
}

func TestWrapperGradients(t *testing.T) {
	for name, wrap := range map[string]func(cells.Cell) cells.Cell{
		"zoneout": func(c cells.Cell) cells.Cell {
			return cells.Zoneout{Cell: c, Rates: []float64{0.3, 0.6}[:len(c.Parts())]}
		},
		"variational": func(c cells.Cell) cells.Cell {
			return cells.Variational{Cell: c, Input: 0.4,
				Hidden: 0.5}
		},
		"both": func(c cells.Cell) cells.Cell {
			return cells.Zoneout{Cell: cells.Variational{Cell: c, Input: 0.4, Hidden: 0.5},
				Rates: []float64{0.3}}
		},
	} {
		for inner, newCell := range map[string]build{
			"lstm": newLSTM(cells.LSTMConfig{In: 2, Hidden: 3}),
			"gru":  newGRU(cells.GRUConfig{In: 2, Hidden: 3, ResetBefore: true}),
		} {
			for _, training := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s,%s,training=%t", name, inner, training), func(t *testing.T) {
					requireGradients(t, 2, 2, training,
						func(s *nodes.Scope) cells.Cell { return wrap(newCell(s)) })
				})
			}
		}
	}
}

func TestWrapperErrors(t *testing.T) {
	for want, c := range map[string]cells.Cell{
		"Zoneout: the probability 1: want [0, 1)": cells.Zoneout{Cell: shift{1},
			Rates: []float64{1}},
		"Zoneout: the probability -0.5: want [0, 1)": cells.Zoneout{Cell: shift{1},
			Rates: []float64{0, -0.5}},
		"Zoneout: 3 rates for a state of 2 parts": cells.Zoneout{Cell: shift{1},
			Rates: []float64{0, 0, 0}},
		"Zoneout: the cell is nil": cells.Zoneout{Rates: []float64{0.5}},
		"Variational: the probability 1.5: want [0, 1)": cells.Variational{Cell: shift{1},
			Input: 1.5},
		"Variational: the probability NaN: want [0, 1)": cells.Variational{Cell: shift{1},
			Hidden: math.NaN()},
		"Variational: the cell is nil": cells.Variational{},
	} {
		g := nodes.NewGraph(nodes.Options{})
		err := nodes.Try(func() {
			c.Step(g.Zeros(1, 1),
				cells.State{g.Zeros(1, 1), g.Zeros(1, 1)})
		})
		require.EqualError(t, err, want)
	}
	require.EqualError(t, nodes.Try(func() { cells.Zoneout{}.Parts() }), "Zoneout: the cell is nil")
	require.EqualError(t, nodes.Try(func() { cells.Variational{}.Parts() }),
		"Variational: the cell is nil")
}
