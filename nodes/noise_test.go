package nodes_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/nodes"
)

func training(dtype tensor.Dtype) *nodes.Graph {
	return nodes.NewGraph(nodes.Options{Dtype: dtype, Training: true})
}

// seed binds the noise key.
func seed(t *testing.T, g *nodes.Graph, seed, counter int) {
	t.Helper()
	v := tensor.New(tensor.WithShape(2), tensor.WithBacking([]int{seed, counter}))
	require.NoError(t, G.Let(g.NoiseKey().Gorgonia(), v))
}

func request(label string, n int) nodes.NoiseRequest {
	return nodes.NoiseRequest{Label: label, Kind: nodes.UniformNoise, Shape: []int{n}}
}

// Noise is a function of seed, counter, label and place among the noises: nothing else, and all of
// them.
func TestNoiseIsAFunctionOfItsKey(t *testing.T) {
	draw := func(s, counter int, label string, dtype tensor.Dtype) []float64 {
		g := training(dtype)
		seed(t, g, s, counter)
		return run(t, g, g.Noise(request(label, 50)))[0]
	}
	first := draw(1, 0, "a", nodes.Float64)
	require.Equal(t, first, draw(1, 0, "a", nodes.Float64))
	for _, other := range [][]float64{draw(2, 0, "a", nodes.Float64),
		draw(1, 1, "a", nodes.Float64), draw(1, 0, "b", nodes.Float64),
		draw(0, 1, "a", nodes.Float64), draw(-1, 0, "a", nodes.Float64),
		draw(1, math.MaxInt, "a", nodes.Float64)} {
		require.NotEqual(t, first, other)
	}
	for i, v := range draw(1, 0, "a", nodes.Float32) {
		require.Equal(t, float64(float32(first[i])), v)
	}

	g := training(nodes.Float64)
	a, b := g.Noise(request("same", 50)), g.Noise(request("same", 50))
	values := run(t, g, a, b, g.NoiseKey())
	require.NotEqual(t, values[0], values[1], "two requests must not be one node")
	require.Equal(t, []float64{0, 0}, values[2], "the key is 0, 0 until another is bound")

	// A new counter gives new numbers to a machine that is there already; an old one gives the old
	// ones back.
	outcome := func(counter int) []float64 {
		seed(t, g, 7, counter)
		return run(t, g, a)[0]
	}
	one := outcome(1)
	require.NotEqual(t, one, outcome(2))
	require.Equal(t, one, outcome(1))
}

func TestDistributions(t *testing.T) {
	const n = 40000
	for _, dtype := range dtypes {
		g := training(dtype)
		noise := func(kind nodes.NoiseKind, p float64) *nodes.Node {
			return g.Noise(nodes.NoiseRequest{Label: "test", Kind: kind, P: p, Shape: []int{n}})
		}
		out := run(t, g, noise(nodes.Bernoulli, 0.3), noise(nodes.UniformNoise, 0),
			noise(nodes.StandardNormal, 0), noise(nodes.Bernoulli, 0), noise(nodes.Bernoulli, 1))
		for i, want := range []struct{ mean, variance float64 }{{0.3, 0.21}, {0.5, 1.0 / 12},
			{0, 1}, {0, 0}, {1, 0}} {
			mean := sum(out[i]) / n
			variance := sum(each(out[i],
				func(v float64) float64 { return (v - mean) * (v - mean) / n }))
			require.InDelta(t, want.mean, mean, 5*math.Sqrt(want.variance/n)+1e-9)
			require.InDelta(t, want.variance, variance, 5*math.Sqrt2*math.Sqrt(1.0/n))
		}
	}
}

func TestDropout(t *testing.T) {
	const n = 20000
	for _, p := range []float64{0.1, 0.5, 0.9} {
		for _, dtype := range dtypes {
			g := training(dtype)
			ones := make([]float64, n)
			for i := range ones {
				ones[i] = 1
			}
			x := in(g, "x", ones, n)
			y := nodes.Dropout(x, p)
			dx := g.Gradients(nodes.Sum(nodes.Square(y)), x)[0]
			out := run(t, g, y, dx)
			require.InDelta(t, 1, sum(out[0])/n, 5*math.Sqrt(p/(1-p)/n), "the expectation is x")
			for i, v := range out[0] {
				if v != 0 {
					require.InEpsilon(t, 1/(1-p), v, 1e-6)
				}
				// d Σy²/dx = 2y·mask/(1−p), with x = 1 that is 2y².
				require.InDelta(t, 2*v*v, out[1][i], 1e-4)
			}
		}
	}
	eval := f64()
	x := eval.Input("x", 3)
	require.Same(t, x, nodes.Dropout(x, 0.5), "in evaluation it is x")
	g := training(nodes.Float64)
	x = g.Input("x", 3)
	require.Same(t, x, nodes.Dropout(x, 0))
	require.NotSame(t, nodes.Dropout(x, 0.1).Gorgonia(), nodes.Dropout(x, 0.9).Gorgonia())
	require.True(t, g.Training())
	require.False(t, eval.Training())
}

// A test can give the masks.
func TestGivenNoise(t *testing.T) {
	var g *nodes.Graph
	var asked []nodes.NoiseRequest
	answer := func(r nodes.NoiseRequest) *nodes.Node { return in(g, "mask", []float64{1, 0, 1}, 3) }
	g = nodes.NewGraph(nodes.Options{Dtype: nodes.Float64, Training: true,
		Noise: func(r nodes.NoiseRequest) *nodes.Node {
			asked = append(asked, r)
			return answer(r)
		}})
	x := in(g, "x", []float64{1, 2, 3}, 3)
	require.Equal(t, []float64{2, 0, 6}, run(t, g, nodes.Dropout(x, 0.5))[0])
	require.Equal(t, []nodes.NoiseRequest{{Label: "dropout", Kind: nodes.Bernoulli, P: 0.5,
		Shape: []int{3}}}, asked)

	answer = func(nodes.NoiseRequest) *nodes.Node { return g.Const(1, 2) }
	fails(t, `Noise: "dropout": the given noise is [2], want [3]`, func() { nodes.Dropout(x, 0.5) })
	answer = func(nodes.NoiseRequest) *nodes.Node { return nil }
	fails(t, "Noise: the node is nil", func() { nodes.Dropout(x, 0.5) })
}

// A graph with rows that is given a part of a batch has, for each row, the noise of the whole
// batch: outside of steps and inside, for coins (of which a block of the generator has four),
// uniform and normal numbers.
func TestNoiseOfRows(t *testing.T) {
	const T, B, H = 3, 7, 5
	draw := func(rows, first, of int, r nodes.NoiseRequest) []float64 {
		g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64, Training: true, Rows: rows})
		n := g.Noise(r)
		copy(g.NoiseKey().Value().Data().([]int), []int{9, 4, first, of})
		return run(t, g, n)[0]
	}
	for _, kind := range []nodes.NoiseKind{nodes.Bernoulli, nodes.UniformNoise,
		nodes.StandardNormal} {
		r := nodes.NoiseRequest{Label: "some", Kind: kind, P: 0.5, Shape: []int{T, B, H}}
		all := draw(B, 0, 0, r)
		plain := training(nodes.Float64)
		n := plain.Noise(r)
		copy(plain.NoiseKey().Value().Data().([]int), []int{9, 4})
		require.Equal(t, run(t, plain, n)[0], all, "a graph without rows draws the same")
		for first := range B {
			for rows := 1; first+rows <= B; rows++ {
				r.Shape = []int{T, rows, H}
				part := draw(rows, first, B, r)
				for step := range T {
					require.Equal(t, all[(step*B+first)*H:(step*B+first+rows)*H],
						part[step*rows*H:(step+1)*rows*H], "%s, rows %d to %d", kind,
						first, first+rows)
				}
			}
		}
		r.Shape = []int{5} // no rows: another part has other numbers
		require.NotEqual(t, draw(2, 0, B, r), draw(2, 1, B, r))
		require.Equal(t, draw(2, 1, B, r), draw(2, 1, B, r))
		r.Shape = []int{B, 3, H} // rows of a part that is a matrix
		all = draw(B, 0, 0, r)
		r.Shape, r.RowAxes = []int{2, 3, H}, 2
		require.Equal(t, all[4*3*H:6*3*H], draw(2, 4, B, r))
		r.RowAxes = 0
		// weights, which all rows have, whatever their shape
		for _, r.Shape = range [][]int{{5}, {B, H}} {
			r.Whole = true
			require.Equal(t, draw(B, 0, 0, r), draw(2, 1, B, r))
			require.Equal(t, draw(B, 0, 0, r), draw(1, 4, B, r))
			r.Whole = false
		}
	}
}
