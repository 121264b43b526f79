package graph_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/graph"
)

// Graphviz takes what is drawn, of a model and of its program.
func TestWriteDOT(t *testing.T) {
	m := training(t, "gru", 5, 2, 3, 4)
	var model strings.Builder
	require.NoError(t, graph.WriteDOT(&model, m.g.Expr()))
	for _, s := range []string{"Scan, 5 steps", "gradient of Scan, 5 steps", "MatMul", "next step",
		"W_hh", "cluster_s1_"} {
		require.Contains(t, model.String(), s)
	}
	vm, err := graph.Compile(m.g.Expr(), graph.Keep(m.keep...), graph.Workers(1))
	require.NoError(t, err)
	var plan strings.Builder
	require.NoError(t, vm.WriteDOT(&plan))
	for _, s := range []string{"loop scan, 5 times", "each step", "gemm", "fused", " B"} {
		require.Contains(t, plan.String(), s)
	}
	require.NoError(t, vm.Close())
	dot, err := exec.LookPath("dot")
	if err != nil {
		t.Skip("no dot of Graphviz here: what it makes of the drawings is not tested")
	}
	for _, text := range []string{model.String(), plan.String()} {
		c := exec.Command(dot, "-Tsvg")
		c.Stdin = strings.NewReader(text)
		svg, err := c.CombinedOutput()
		require.NoError(t, err, "%s", svg)
		require.Contains(t, string(svg), "</svg>")
		require.NotContains(t, strings.ToLower(string(svg)), "warning")
	}
}
