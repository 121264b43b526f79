package nodes_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/internal/gradcheck"
	"github.com/seqzoo/seqzoo/nodes"
)

// What Gorgonia gets wrong silently, one by one: see docs/design.

func TestSlicesBeyond255AreDistinct(t *testing.T) {
	g := f64()
	const H = 256
	values := make([]float64, 4*H)
	for i := range values {
		values[i] = float64(i)
	}
	gates := nodes.Split(in(g, "z", values, 1, 4*H), 4, -1)
	sequence := in(g, "x", values, 4*H, 1)
	var want []*nodes.Node
	for i, gate := range gates {
		want = append(want, nodes.Slice(gate, 1, 0, 1), nodes.TimeSlice(sequence, i*H))
	}
	for i, v := range run(t, g, want...) {
		require.Equal(t, []float64{float64(i / 2 * H)}, v)
	}
	// And their gradients come back to their places.
	loss := nodes.Sum(nodes.Mul(nodes.TimeSlice(sequence, 0), nodes.TimeSlice(sequence, 512)))
	d := run(t, g, g.Gradients(loss, sequence)[0])[0]
	require.Equal(t, []float64{512, 0}, []float64{d[0], d[512]})
}

func TestWhatDiffersIsNotMerged(t *testing.T) {
	g := training(nodes.Float64)
	x := in(g, "x", []float64{1, 2}, 2)
	distinct := []*nodes.Node{
		nodes.Softmax(x), nodes.LogSoftmax(x),
		nodes.Dropout(x, 0.1), nodes.Dropout(x, 0.9), nodes.Dropout(x, 0.9),
		g.Const(0, 20, 20), g.Const(1e-300, 20, 20), g.Const(1, 20, 20), g.Const(1+1e-15, 20, 20),
		g.Const(1, 400),
		nodes.Scale(x, 2), nodes.Scale(x, 2+1e-15), nodes.Shift(x, 2), nodes.Power(x, 2),
		nodes.Clip(x, 0, 2), nodes.Clip(x, 0, 3),
		nodes.Add(x, nodes.Scalar(1)), nodes.Add(x, nodes.Scalar(2)), nodes.Sub(x, nodes.Scalar(1)),
		nodes.Sub(nodes.Scalar(1), x),
		nodes.Reshape(x, 1, 2), nodes.Reshape(x, 2, 1), nodes.Sum(x), nodes.SumKeep(x),
		nodes.OneHot(gradcheck.Ints(g, "ids", []int{0}, 1), 2),
		nodes.OneHot(gradcheck.Ints(g, "ids2", []int{0}, 1), 2),
	}
	seen := map[*gorgonia.Node]int{}
	for i, n := range distinct {
		require.NotContains(t, seen, n.Gorgonia(), "node %d", i)
		seen[n.Gorgonia()] = i
	}
	require.Same(t, nodes.Tanh(x).Gorgonia(), nodes.Tanh(x).Gorgonia(), "what is equal is one node")
}

func TestConstantsCarryTheDtypeOfTheirGraph(t *testing.T) {
	for _, dtype := range dtypes {
		g := nodes.NewGraph(nodes.Options{Dtype: dtype})
		x := in(g, "x", []float64{1, 2}, 2)
		require.Equal(t, dtype, g.Const(1).Dtype())
		require.Equal(t, [][]float64{{2, 3}, {0, 0, 0}},
			run(t, g, nodes.Add(x, nodes.Scalar(1)), g.Zeros(3)))
	}
}

// Axes of size 1 stay axes, and vectors of one element stay vectors.
func TestSizeOneKeepsItsAxis(t *testing.T) {
	g := f64()
	x := in(g, "x", []float64{1, 2, 3, 4}, 1, 4)
	s := nodes.Slice(x, 1, 0, 1)
	require.Equal(t, []int{1, 1}, s.Shape())
	require.Equal(t, []int{1}, nodes.TimeSlice(nodes.Slice(x, 1, 2, 3), 0).Shape())
	require.Equal(t, [][]float64{{1, 2, 3, 4}, {10}}, run(t, g, nodes.Mul(x, s), nodes.Sum(x)))
	p := nodes.NewStore(nodes.Float64, 1).Root().Param("w", nodes.Constant(2), 1)
	require.Equal(t, [][]float64{{2, 4, 6, 8}, {10}},
		run(t, g, nodes.Mul(x, p), g.Gradients(nodes.Sum(nodes.Mul(x, p)), p)[0]))
}

// Gorgonia's second Grad on a graph returns wrong gradients; ours do not.
func TestGradientsTwice(t *testing.T) {
	g := f64()
	x := in(g, "x", []float64{1, 2}, 2)
	square := nodes.Square(x)
	first := g.Gradients(nodes.Sum(square), x)[0]
	second := g.Gradients(nodes.Sum(nodes.Power(square, 3)), x)[0]
	require.Equal(t, [][]float64{{2, 4}, {6, 192}}, run(t, g, first, second))
}

// Operands that add up, each with a gradient of its own: sharing one buffer would let a solver zero
// both.
func TestGradientsOfASumOfTwo(t *testing.T) {
	g := f64()
	a, b := in(g, "a", []float64{1, 2}, 2), in(g, "b", []float64{3, 4}, 2)
	ds := g.Gradients(nodes.Sum(nodes.Square(nodes.Add(a, b))), a, b)
	require.Equal(t, [][]float64{{8, 12}, {8, 12}}, run(t, g, ds[0], ds[1]))
}

// Gorgonia's own operations mix with ours.
func TestGorgoniaOperations(t *testing.T) {
	g := f64()
	x := in(g, "x", []float64{1, 2}, 2)
	cube := g.Of(gorgonia.Must(gorgonia.Cube(nodes.Shift(x, 1).Gorgonia())))
	loss := nodes.Sum(nodes.Mul(cube, x))
	require.Equal(t, [][]float64{{8, 27}, {8 + 12, 27 + 54}},
		run(t, g, cube, g.Gradients(loss, x)[0]))
	var v gorgonia.Value
	read := gorgonia.Read(cube.Gorgonia(), &v)
	err := nodes.Try(func() { g.Of(read) })
	require.ErrorContains(t, err, "it has no value to compute with")
}

// A row of a mask that is −Inf throughout has the sum 0, and infinite scores an infinite one, as in
// PyTorch.
func TestLogSumExpOfInfinities(t *testing.T) {
	inf := math.Inf(1)
	for _, dtype := range dtypes {
		g := nodes.NewGraph(nodes.Options{Dtype: dtype})
		large := float64(math.MaxFloat32)
		x := in(g, "x", []float64{-inf, -inf, 1, -inf, 1, inf, inf, -inf, large, -large, -large,
			-inf}, 6, 2)
		out := run(t, g, nodes.LogSumExp(x))
		require.Equal(t, []float64{-inf, 1, inf, inf, large, -large}, out[0], dtype.String())
	}
}
