package golden_test

import (
	"math"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/nodes"
)

// runInitialisers runs the family initialisers, which gives the moments of a distribution instead
// of numbers. They are held against at least 20,000 elements drawn; all bounds are six standard
// deviations of what is estimated.
func runInitialisers(r *goldenRun) {
	c := r.config
	// PyTorch's: fan-out, fan-in
	rows, cols, gain := c.whole("rows"), c.whole("cols"), c.number("gain")
	scheme := c.word("scheme", "xavier", "he", "he_fan_out", "lecun", "orthogonal",
		"torch_recurrent")
	distribution := c.word("distribution", "uniform", "normal", "orthogonal")
	init, ok := map[string]nodes.Init{
		"xavier uniform":        nodes.XavierUniform(gain),
		"xavier normal":         nodes.XavierNormal(gain),
		"he uniform":            nodes.HeUniform(gain),
		"he normal":             nodes.HeNormal(gain),
		"he_fan_out uniform":    nodes.HeUniformOut(gain),
		"he_fan_out normal":     nodes.HeNormalOut(gain),
		"lecun uniform":         nodes.LeCunUniform(),
		"lecun normal":          nodes.LeCunNormal(),
		"orthogonal orthogonal": nodes.Orthogonal(gain),
	}[scheme+" "+distribution]
	if scheme == "torch_recurrent" && distribution == "uniform" {
		bound := 1 / math.Sqrt(float64(c.whole("H")))
		init, ok = nodes.Uniform(-bound, bound), true
	}
	require.True(r, ok, "no initialiser %s %s", scheme, distribution)
	if scheme == "lecun" || scheme == "torch_recurrent" {
		require.Equal(r, 1.0, gain)
	}

	want := func(name string) float64 {
		require.Contains(r, r.Outputs, name)
		require.Empty(r, r.Outputs[name].Shape)
		return r.Outputs[name].Data[0]
	}
	known := []string{"mean", "variance", "std"}
	var sum, squares, largest, n float64
	for draw := 0; n < 2e4; draw++ {
		w := testkit.Floats(r.store.Root().In("draw%d", draw).Param("W", init, cols, rows).Value())
		for _, x := range w {
			sum, squares, largest, n = sum+x, squares+x*x, max(largest, math.Abs(x)), n+1
		}
		if distribution == "orthogonal" {
			requireGram(r, w, cols, rows, want("gram_diagonal"))
		}
	}
	variance := want("variance")
	require.InDelta(r, want("mean"), sum/n, 6*math.Sqrt(variance/n), "mean")
	// The square of a normal number varies most: by 2·variance².
	require.InDelta(r, variance, squares/n, 6*variance*math.Sqrt(2/n), "variance")
	require.InDelta(r, want("std"), math.Sqrt(squares/n), 6*want("std")*math.Sqrt(0.5/n),
		"standard deviation")
	switch distribution {
	case "uniform":
		known = append(known, "bound")
		require.LessOrEqual(r, largest, want("bound")*(1+1e-12), "bound")
		require.GreaterOrEqual(r, largest, want("bound")*(1-20/n), "bound")
	case "normal":
		require.Greater(r, largest, 3*want("std"), "tails")
	case "orthogonal":
		known = append(known, "gram_diagonal")
	}
	r.held["output"] = true
	for name := range r.Outputs {
		require.Contains(r, known, name, "an unknown output")
	}
	require.Nil(r, r.Loss)
	require.Empty(r, r.Grads)
}

// requireGram wants the columns of w [rows, cols], or its rows if they are fewer, orthogonal and of
// square diagonal.
func requireGram(r *goldenRun, w []float64, rows, cols int, diagonal float64) {
	n, length := cols, rows
	at := func(v, k int) float64 { return w[k*cols+v] }
	if rows < cols {
		n, length = rows, cols
		at = func(v, k int) float64 { return w[v*cols+k] }
	}
	for u := range n {
		for v := range u + 1 {
			dot, want := 0.0, 0.0
			for k := range length {
				dot += at(u, k) * at(v, k)
			}
			if u == v {
				want = diagonal
			}
			if !(math.Abs(dot-want) <= 1e-12) {
				r.Fatalf("gram[%d, %d] is %g, want %g", u, v, dot, want)
			}
		}
	}
}
