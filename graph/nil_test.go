package graph_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/nodes"
)

// Options that are nil are errors, and a number of workers beyond all machines takes no memory for
// each.
func TestOptionsBeyondUse(t *testing.T) {
	g := nodes.NewGraph(nodes.Options{})
	y := nodes.Tanh(g.Const(1))
	_, err := graph.Compile(g.Expr(), nil)
	require.ErrorContains(t, err, "option 0 is nil")
	m, err := graph.Compile(g.Expr(), graph.Keep(y.Gorgonia()), graph.Workers(1<<40))
	require.NoError(t, err)
	require.NoError(t, m.RunAll())
	require.NoError(t, m.Close())
}
