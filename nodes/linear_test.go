package nodes_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/gradcheck"
	"github.com/seqzoo/seqzoo/nodes"
)

// Linear is x·W + b, Back is its transpose with a bias of its own, and NoBias leaves b out.
func TestLinear(t *testing.T) {
	store := nodes.NewStore(nodes.Float64, 1)
	l := nodes.NewLinear(store.Root(), nodes.LinearConfig{In: 3, Out: 2, Suffix: "_x"})
	back := l.Back(store.Root().In("back"))
	bare := nodes.NewLinear(store.Root().In("bare"),
		nodes.LinearConfig{In: 2, Out: 1, Init: nodes.Ones(), NoBias: true})
	var names []string
	for _, p := range store.Params() {
		names = append(names, p.Name())
	}
	require.ElementsMatch(t, []string{"W_x", "b_x", "back/b", "bare/W"}, names)
	copy(l.W.Value().Float64s(), []float64{1, 2, 3, 4, 5, 6})
	copy(l.B.Value().Float64s(), []float64{10, 20})
	copy(back.B.Value().Float64s(), []float64{100, 200, 300})

	g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
	x := g.Input("x", 1, 3)
	gradcheck.Bind(x, []float64{1, 0, 2})
	y, z, s := l.Of(x), back.Of(l.Of(x)), bare.Of(l.Of(x))
	m, err := graph.Compile(g.Expr(), graph.Keep(y.Gorgonia(), z.Gorgonia(), s.Gorgonia()))
	require.NoError(t, err)
	defer m.Close()
	require.NoError(t, m.RunAll())
	require.Equal(t, []float64{21, 34}, y.Value().Data())
	require.Equal(t, []float64{21 + 68 + 100, 63 + 136 + 200, 105 + 204 + 300}, z.Value().Data())
	require.Equal(t, []float64{55}, s.Value().Data())
}
