package unroll_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
)

// rowsWidth is the width of inputs and outputs of the cells below.
const rowsWidth = 12

// Rows of a batch that are run apart have the noise that they have in the whole, also where part of
// the state is a picture or a matrix with as many rows as there are sequences.
func TestNoiseOfPartsOfABatch(t *testing.T) {
	const T, B = 2, 6
	for _, c := range []struct {
		cell   string
		hidden float64 // dropout of the state, 0 where it has no product
	}{
		{"lstm", 0.4}, {"slstm,heads=2", 0.4}, {"mlstm,heads=2", 0}, {"ssm,units=2", 0},
		{"convlstm,width=2", 0.4}, {"convlstm,height=3,width=2", 0.4},
		{"convlstm,height=2,width=3", 0.4}, {"mixed", 0.4},
	} {
		for _, strategy := range []unroll.Strategy{unroll.Scan, unroll.Expand} {
			run := func(first, rows int) []float64 {
				layer := func(s *nodes.Scope) unroll.Layer {
					return unroll.Over(cells.Variational{Input: 0.4, Hidden: c.hidden,
						Cell: cells.Zoneout{Cell: cellOfRows(t, s, c.cell),
							Rates: []float64{0.3, 0.3}}})
				}
				return outputsOfRows(t, layer, strategy, T, first, rows, B)
			}
			whole := run(0, B)
			for _, rows := range []int{1, 2, 3} {
				for first := 0; first < B; first += rows {
					part := run(first, rows)
					for at := range T {
						from, size := (at*B+first)*rowsWidth, rows*rowsWidth
						testkit.RequireInDelta(t, whole[from:from+size], part[at*size:(at+1)*size],
							1e-12, "%s, %v, rows %d to %d", c.cell, strategy, first, first+rows)
					}
				}
			}
		}
	}
}

// mixed is a cell that multiplies a part of its state [B, 3, 4] by a matrix, and drops parts of
// [B, 2, 3, 2].
type mixed struct{ in, mix *nodes.Param }

func (mixed) Parts() []cells.Part {
	return []cells.Part{{Name: "h", Width: rowsWidth}, cells.Matrix("m", 3, 4)}
}

func (c mixed) Step(x *nodes.Node, s cells.State) cells.State {
	m := nodes.Tanh(nodes.Add(nodes.MatMul(s[1], c.mix),
		nodes.Reshape(nodes.MatMul(x, c.in), x.Dim(0), 3, 4)))
	kept := nodes.Dropout(nodes.Reshape(m, x.Dim(0), 2, 3, 2), 0.2)
	return cells.State{nodes.Reshape(kept, x.Dim(0), rowsWidth), m}
}

func cellOfRows(t *testing.T, s *nodes.Scope, spec string) cells.Cell {
	init := nodes.XavierUniform(1)
	if spec == "mixed" {
		return mixed{s.Param("in", init, rowsWidth, rowsWidth), s.Param("mix", init, 4, 4)}
	}
	cfg, err := cells.Parse(spec)
	require.NoError(t, err)
	return cfg.Sized(rowsWidth, rowsWidth).New(s)
}

// outputsOfRows are the outputs of a layer in training on some rows of a batch.
func outputsOfRows(t *testing.T, layer func(s *nodes.Scope) unroll.Layer,
	strategy unroll.Strategy, T, first, rows, batch int) []float64 {
	g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64, Training: true, Rows: rows})
	var values []float64
	for at := range T {
		for i := range rows * rowsWidth {
			values = append(values, float64((at*31+(first*rowsWidth+i)*7)%13)/13-0.5)
		}
	}
	var y *nodes.Node
	require.NoError(t, nodes.Try(func() {
		x := g.Input("x", T, rows, rowsWidth)
		require.NoError(t, gorgonia.Let(x.Gorgonia(), tensor.New(
			tensor.WithShape(T, rows, rowsWidth), tensor.WithBacking(values))))
		copy(g.NoiseKey().Value().Data().([]int), []int{3, 4, first, batch})
		l := layer(nodes.NewStore(nodes.Float64, 1).Root())
		y = l.Unroll(x, nil, unroll.Options{Strategy: strategy}).Y()
	}))
	vm, err := graph.Compile(g.Expr(), graph.Keep(y.Gorgonia()))
	require.NoError(t, err)
	defer vm.Close()
	require.NoError(t, vm.RunAll())
	return testkit.Floats(y.Value())
}
