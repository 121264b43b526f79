package cells_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/nodes"
)

// weightForms are ways to write h·U, of which wrappers must make the same: U [2, 2] as such, and as
// other parameters give it.
var weightForms = map[string]func(s *nodes.Scope) func(h *nodes.Node) *nodes.Node{
	"a parameter": func(s *nodes.Scope) func(h *nodes.Node) *nodes.Node {
		u := s.Param("U", nodes.Ones(), 2, 2)
		return func(h *nodes.Node) *nodes.Node { return nodes.MatMul(h, u) }
	},
	"its node": func(s *nodes.Scope) func(h *nodes.Node) *nodes.Node {
		u := s.Param("U", nodes.Ones(), 2, 2)
		return func(h *nodes.Node) *nodes.Node { return nodes.MatMul(h, h.Graph().Param(u)) }
	},
	"a slice": func(s *nodes.Scope) func(h *nodes.Node) *nodes.Node {
		u := s.Param("all", nodes.Ones(), 5, 2)
		return func(h *nodes.Node) *nodes.Node {
			return nodes.MatMul(h, nodes.Slice(h.Graph().Param(u), 0, 1, 3))
		}
	},
	"a sum": func(s *nodes.Scope) func(h *nodes.Node) *nodes.Node {
		u, v := s.Param("U", nodes.Constant(0.25), 2, 2), s.Param("V", nodes.Constant(0.75), 2, 2)
		return func(h *nodes.Node) *nodes.Node {
			return nodes.MatMul(h, nodes.Add(h.Graph().Param(u), v))
		}
	},
	"with noise of its own": func(s *nodes.Scope) func(h *nodes.Node) *nodes.Node {
		u := s.Param("U", nodes.Ones(), 2, 2)
		return func(h *nodes.Node) *nodes.Node {
			g := h.Graph()
			return nodes.MatMul(h, nodes.Mul(u, g.Noise(nodes.NoiseRequest{Label: "own",
				Kind: nodes.Bernoulli, P: 0.5, Shape: []int{2, 2}})))
		}
	},
	"transposed": func(s *nodes.Scope) func(h *nodes.Node) *nodes.Node {
		u := s.Param("U", nodes.Ones(), 2, 2)
		return func(h *nodes.Node) *nodes.Node { return nodes.MatMulT(h, u) }
	},
	"on the left": func(s *nodes.Scope) func(h *nodes.Node) *nodes.Node {
		u := s.Param("U", nodes.Ones(), 2, 2)
		return func(h *nodes.Node) *nodes.Node {
			return nodes.Transpose(nodes.MatMul(u, nodes.Transpose(h)))
		}
	},
	"on the left, of a transposed one": func(s *nodes.Scope) func(h *nodes.Node) *nodes.Node {
		u := s.Param("U", nodes.Ones(), 2, 2)
		return func(h *nodes.Node) *nodes.Node { return nodes.Transpose(nodes.MatMulT(u, h)) }
	},
	"in stacks, on the left": func(s *nodes.Scope) func(h *nodes.Node) *nodes.Node {
		u := s.Param("U", nodes.Ones(), 1, 2, 2)
		return func(h *nodes.Node) *nodes.Node {
			column := nodes.Transpose(nodes.Reshape(h, 1, 1, 2), 0, 2, 1)
			return nodes.Reshape(nodes.MatMul(u, column), 1, 2)
		}
	},
}

// timesU is a cell of one product with its state and none with its input.
type timesU struct {
	product func(h *nodes.Node) *nodes.Node
}

func (timesU) Parts() []cells.Part { return []cells.Part{{Name: "h", Width: 2}} }

func (c timesU) Step(x *nodes.Node, s cells.State) cells.State {
	return cells.State{nodes.Add(x, c.product(s[0]))}
}

// What a wrapper does to a product it does to it in whatever way it is written.
func TestWrappersAroundAnyFormOfAWeight(t *testing.T) {
	for form, product := range weightForms {
		t.Run(form, func(t *testing.T) {
			for _, c := range []struct {
				name string
				wrap func(s *nodes.Scope, c cells.Cell) cells.Cell
				want []float64 // of x = (10, 20), h = (1, 2), all elements of U 1 and all noise 1
			}{
				{"none", func(_ *nodes.Scope, c cells.Cell) cells.Cell { return c },
					[]float64{13, 23}},
				{"weight drop", func(_ *nodes.Scope, c cells.Cell) cells.Cell {
					return cells.WeightDrop{Cell: c, P: 0.5}
				}, []float64{16, 26}},
				{"variational", func(_ *nodes.Scope, c cells.Cell) cells.Cell {
					return cells.Variational{Cell: c, Hidden: 0.75}
				}, []float64{22, 32}},
				{"both", func(_ *nodes.Scope, c cells.Cell) cells.Cell {
					return cells.WeightDrop{Cell: cells.Variational{Cell: c, Hidden: 0.75}, P: 0.5}
				}, []float64{34, 44}},
				{"norm", func(s *nodes.Scope, c cells.Cell) cells.Cell {
					return cells.NewLayerNormed(s, c, 2, 0)
				}, []float64{10, 20}}, // both elements are alike, and so their mean
			} {
				store := nodes.NewStore(nodes.Float64, 1)
				cell := c.wrap(store.Root().In("wrapper"), timesU{product(store.Root())})
				var asked []nodes.NoiseRequest
				g := ones(&asked)
				next := cell.Step(constant(g, "x", []float64{10, 20}, 1, 2),
					cells.State{constant(g, "h", []float64{1, 2}, 1, 2)})
				require.NoError(t, compile(t, g, next[0]).RunAll())
				require.Equal(t, c.want, testkit.Floats(next[0].Value()), c.name)
			}
		})
	}
}

// A weight that is made anew twice in a step has a gain for each; a step that multiplies other
// weights than when it was wrapped is a mistake with a name.
func TestNormOfWeightsMadeInTheStep(t *testing.T) {
	store := nodes.NewStore(nodes.Float64, 1)
	s := store.Root()
	all, more := s.Param("all", nodes.Ones(), 4, 2), false
	cell := cells.NewLayerNormed(s.In("norm"), timesU{func(h *nodes.Node) *nodes.Node {
		w := h.Graph().Param(all)
		y := nodes.Add(nodes.MatMul(h, nodes.Slice(w, 0, 0, 2)),
			nodes.MatMul(h, nodes.Slice(w, 0, 2, 4)))
		if more {
			y = nodes.Add(y, nodes.MatMul(h, nodes.Slice(w, 0, 1, 3)))
		}
		return y
	}}, 2, 0)
	require.Equal(t, []string{"all", "norm/gain_all", "norm/bias_all", "norm/gain_all_",
		"norm/bias_all_"}, names(store))
	require.NoError(t, step(nodes.Float64, cell, 2))
	more = true
	require.ErrorContains(t, step(nodes.Float64, cell, 2),
		"multiplies all to [1 2], which it did not when it was wrapped")
}

// A state that is computed from parameters is no weight, as the first one of a sequence may be.
func TestLearntStateIsNoWeight(t *testing.T) {
	store := nodes.NewStore(nodes.Float64, 1)
	s := store.Root()
	start := s.Param("start", nodes.Ones(), 1, 2)
	cell := timesU{weightForms["on the left"](s)}
	var asked []nodes.NoiseRequest
	g := ones(&asked)
	next := cells.Variational{Cell: cell, Hidden: 0.5}.Step(g.Zeros(1, 2),
		cells.State{nodes.Scale(g.Param(start), 3)})
	require.NoError(t, compile(t, g, next[0]).RunAll())
	require.Equal(t, []float64{12, 12}, testkit.Floats(next[0].Value()))
	require.Equal(t, []int{1, 2}, asked[0].Shape)
}

func names(s *nodes.Store) (all []string) {
	for _, p := range s.Params() {
		all = append(all, p.Name())
	}
	return all
}
