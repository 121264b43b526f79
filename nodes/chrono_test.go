package nodes_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/nodes"
)

// Chrono's biases are the logarithms of times spread evenly, the same in every run, and opposite
// for the opposite sign.
func TestChrono(t *testing.T) {
	s := nodes.NewStore(nodes.Float64, 1)
	var p *nodes.Param
	require.NoError(t, nodes.Try(func() {
		p = s.Root().Param("b", nodes.Blocks(nodes.Chrono(101, -1), nodes.Chrono(101, 1),
			nodes.Zeros()), 6)
	}))
	want := []float64{-math.Log(26), -math.Log(76), math.Log(26), math.Log(76), 0, 0}
	testkit.RequireInDelta(t, want, p.Value().Data(), 1e-12)
	for _, steps := range []float64{1, -3, math.NaN(), math.Inf(1)} {
		require.Error(t, nodes.Try(func() {
			nodes.NewStore(nodes.Float64, 1).Root().Param("b",
				nodes.Chrono(steps, 1), 2)
		}))
	}
}
