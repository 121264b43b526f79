package nodes_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/gradcheck"
	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/nodes"
)

// in is a float input that holds values.
func in(g *nodes.Graph, name string, values []float64, shape ...int) *nodes.Node {
	n := g.Input(name, shape...)
	gradcheck.Bind(n, values)
	return n
}

// run compiles a graph, runs it once, and gives the values of nodes.
func run(t *testing.T, g *nodes.Graph, want ...*nodes.Node) [][]float64 {
	t.Helper()
	var keep []*G.Node
	for _, n := range want {
		keep = append(keep, n.Gorgonia())
	}
	m, err := graph.Compile(g.Expr(), graph.Keep(keep...))
	require.NoError(t, err)
	defer m.Close()
	require.NoError(t, m.RunAll())
	var out [][]float64
	for _, n := range want {
		out = append(out, testkit.Floats(n.Value()))
	}
	return out
}

// elements are those of a parameter.
func elements(p *nodes.Param) []float64 { return testkit.Floats(p.Value()) }

func f64() *nodes.Graph { return nodes.NewGraph(nodes.Options{Dtype: nodes.Float64}) }

// fails wants building to stop with this message.
func fails(t *testing.T, want string, build func()) {
	t.Helper()
	err := nodes.Try(build)
	var be *nodes.BuildError
	require.ErrorAs(t, err, &be)
	require.EqualError(t, err, want)
}

var dtypes = []tensor.Dtype{nodes.Float32, nodes.Float64}
