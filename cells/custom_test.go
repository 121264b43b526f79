package cells_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/nodes"
)

func newMGU(in, hidden int) build {
	return func(s *nodes.Scope) cells.Cell { return newMinimalGatedUnit(s, in, hidden) }
}

// The cells of the examples go up the same ladder as the library's own.
func TestMinimalGatedUnit(t *testing.T) {
	for _, z := range sizes {
		t.Run(z.String(), func(t *testing.T) {
			o := newStep(t, nodes.Float64, z.B, z.In, false, newMGU(z.In, z.H))
			requireOracle(t, o, func(w weights, x []float64, s [][]float64) [][]float64 {
				h := s[0]
				f, forgotten, next := make([]float64, z.H), make([]float64, z.H),
					make([]float64, z.H)
				for j := range f {
					f[j] = sigmoid(w.row(x, "W_ih", j) + w.row(h, "W_hh_f", j) + w.at("b", 0, j))
					forgotten[j] = f[j] * h[j]
				}
				for j := range next {
					n := math.Tanh(w.row(x, "W_ih", z.H+j) + w.row(forgotten, "W_hh_n", j) +
						w.at("b", 0, z.H+j))
					next[j] = (1-f[j])*h[j] + f[j]*n
				}
				return [][]float64{next}
			})
			requireGradients(t, z.B, z.In, false, newMGU(z.In, z.H))
		})
	}
}

func TestIndependentRNN(t *testing.T) {
	for _, z := range sizes {
		t.Run(z.String(), func(t *testing.T) {
			newCell := func(s *nodes.Scope) cells.Cell {
				return newIndependentRNN(s, z.In, z.H,
					10)
			}
			o := newStep(t, nodes.Float64, z.B, z.In, false, newCell)
			requireOracle(t, o, func(w weights, x []float64, s [][]float64) [][]float64 {
				next := make([]float64, z.H)
				for j := range next {
					next[j] = max(0, w.row(x, "W_ih", j)+w.at("u", 0, j)*s[0][j]+w.at("b", 0, j))
				}
				return [][]float64{next}
			})
			requireGradients(t, z.B, z.In, false, newCell)
		})
	}
}

func TestSimpleRecurrentUnit(t *testing.T) {
	for _, z := range sizes {
		t.Run(z.String(), func(t *testing.T) {
			newCell := func(s *nodes.Scope) cells.Cell { return newSimpleRecurrentUnit(s, z.H) }
			o := newStep(t, nodes.Float64, z.B, z.H, false, newCell)
			requireOracle(t, o, func(w weights, x []float64, s [][]float64) [][]float64 {
				h, c := make([]float64, z.H), make([]float64, z.H)
				for j := range h {
					f := sigmoid(w.row(x, "W_ih", z.H+j) + w.at("v", 0, j)*s[1][j] +
						w.at("b", 0, j))
					r := sigmoid(w.row(x, "W_ih", 2*z.H+j) + w.at("v", 0, z.H+j)*s[1][j] +
						w.at("b", 0, z.H+j))
					c[j] = f*s[1][j] + (1-f)*w.row(x, "W_ih", j)
					h[j] = r*c[j] + (1-r)*x[j]
				}
				return [][]float64{h, c}
			})
			requireGradients(t, z.B, z.H, false, newCell)
		})
	}
}

func TestZeroState(t *testing.T) {
	g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
	l := cells.NewLSTM(nodes.NewStore(nodes.Float64, 1).Root(),
		cells.LSTMConfig{In: 1, Hidden: 3, Projection: 2})
	s := cells.Zero(g, l, 4)
	require.Len(t, s, 2)
	require.Equal(t, []int{4, 2}, s[0].Shape())
	require.Equal(t, []int{4, 3}, s[1].Shape())
	require.NoError(t, compile(t, g, s...).RunAll())
	require.Equal(t, make([]float64, 12), testkit.Floats(s[1].Value()))

	require.EqualError(t, nodes.Try(func() { cells.Zero(g, l, 0) }),
		"Const: shape [0, 2]: every size must be at least 1")
}

// A width that does not fit is reported with the place, both shapes and both sizes.
func TestInputOfTheWrongWidth(t *testing.T) {
	for name, newCell := range map[string]build{
		"rnn":  newRNN(cells.RNNConfig{In: 3, Hidden: 4}),
		"lstm": newLSTM(cells.LSTMConfig{In: 3, Hidden: 1}),
		"gru":  newGRU(cells.GRUConfig{In: 3, Hidden: 2}), "mgu": newMGU(3, 2),
	} {
		t.Run(name, func(t *testing.T) {
			store := nodes.NewStore(nodes.Float32, 1)
			cell := newCell(store.Root().In("encoder").In("l%d", 0))
			w, _ := store.Get("encoder/l0/W_ih")
			err := nodes.Try(func() {
				g := nodes.NewGraph(nodes.Options{})
				cell.Step(g.Input("x", 2, 5), cells.Zero(g, cell, 2))
			})
			var be *nodes.BuildError
			require.ErrorAs(t, err, &be)
			require.Equal(t, "encoder/l0", be.Path)
			require.Equal(t, []string{"x is [2, 5]", "W_ih is " + shape(w)}, be.Operands)
			require.Equal(t, "inner dimensions 5 and 3 differ: to fit the second operand, the "+
				"first must be [2, 3]", be.Msg)
		})
	}
}
