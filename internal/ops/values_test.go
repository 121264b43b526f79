package ops_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/internal/gradcheck"
	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/internal/steps"
	"github.com/seqzoo/seqzoo/nodes"
)

func TestValuesAgainstPlainLoops(t *testing.T) {
	eachCase(t, func(t *testing.T, c opCase) {
		var in []array
		for _, x := range c.in {
			a := array{x.Shape, slices.Clone(x.Values)}
			for _, id := range x.Ints {
				a.v = append(a.v, float64(id))
			}
			in = append(in, a)
		}
		want := c.want(in)
		g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
		require.True(t, slices.Equal(want.shape, c.apply(g, c.inputs(g)).Shape()), "shape")
		tol := 1e-13
		if c.build != nil {
			tol = 1e-9 // the oracle itself is a difference
		}
		for name, run := range map[string]machine{"plain": plainly, "compiled": compiled,
			"tape": onTape} {
			gradcheck.Close(t, want.v, c.values(t, nodes.Float64, run), tol, name)
			gradcheck.Close(t, want.v, c.values(t, nodes.Float32, run), 3e-6, name+" in float32")
		}
	})
}

// loss makes a function for gradcheck of a case: its floats are inputs, the rest is bound here.
func (c opCase) loss() (build gradcheck.Build, in []gradcheck.Input) {
	for _, x := range c.in {
		if x.Ints == nil && !x.fixed {
			in = append(in, x.Input)
		}
	}
	return func(g *nodes.Graph, floats []*nodes.Node) *nodes.Node {
		all := c.inputs(g)
		k := 0
		for i, x := range c.in {
			if x.Ints == nil && !x.fixed {
				all[i] = floats[k]
				k++
			}
		}
		return gradcheck.Weigh(c.apply(g, all))
	}, in
}

func TestGradients(t *testing.T) {
	eachCase(t, func(t *testing.T, c opCase) {
		build, in := c.loss()
		switch {
		case c.ids:
		case c.stops: // the difference would see what the gradient must not: see TestStops
		case c.first != "":
			requireRefused(t, build, in, c.first)
		default:
			gradcheck.Check(t, build, in...)
		}
	})
}

func TestSecondDerivatives(t *testing.T) {
	eachCase(t, func(t *testing.T, c opCase) {
		build, in := c.loss()
		switch {
		case c.ids || c.stops || c.first != "":
		case c.second != "":
			requireRefused(t, gradcheck.Gradient(build), in, c.second)
		default:
			gradcheck.Check(t, gradcheck.Gradient(build), in...)
		}
	})
}

func requireRefused(t *testing.T, build gradcheck.Build, in []gradcheck.Input, want string) {
	t.Helper()
	g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64, Training: true})
	err := nodes.Try(func() {
		var xs []*nodes.Node
		for i, x := range in {
			xs = append(xs, g.Input(string(rune('a'+i)), x.Shape...))
		}
		g.Gradients(build(g, xs), operands(xs)...)
	})
	var be *nodes.BuildError
	require.ErrorAs(t, err, &be)
	require.EqualError(t, err, want)
}

// Gorgonia's Grad goes through SymDiff, and its own order and sums.
func TestGorgoniaGradAgrees(t *testing.T) {
	eachCase(t, func(t *testing.T, c opCase) {
		if c.ids || c.first != "" {
			return
		}
		gradients := func(with func(g *nodes.Graph, loss *nodes.Node,
			wrt []*nodes.Node) []*G.Node) [][]float64 {
			g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
			in := c.inputs(g)
			var wrt []*nodes.Node
			for i, x := range c.in {
				if x.Ints == nil && !x.fixed {
					wrt = append(wrt, in[i])
				}
			}
			ds := with(g, gradcheck.Weigh(c.apply(g, in)), wrt)
			if ds == nil {
				return nil
			}
			return onTape(t, g, ds)
		}
		ours := gradients(func(g *nodes.Graph, loss *nodes.Node, wrt []*nodes.Node) (ds []*G.Node) {
			for _, d := range g.Gradients(loss, operands(wrt)...) {
				ds = append(ds, d.Gorgonia())
			}
			return ds
		})
		theirs := gradients(func(g *nodes.Graph, loss *nodes.Node, wrt []*nodes.Node) []*G.Node {
			var ns []*G.Node
			for _, n := range wrt {
				ns = append(ns, n.Gorgonia())
			}
			if len(ns) == 0 {
				return nil
			}
			ds, err := G.Grad(loss.Gorgonia(), ns...)
			if err != nil {
				return nil // Gorgonia refuses where every gradient is 0
			}
			return ds
		})
		if theirs == nil {
			for _, d := range ours {
				for _, v := range d {
					require.Zero(t, v)
				}
			}
			return
		}
		for i := range ours {
			gradcheck.Close(t, ours[i], theirs[i], 1e-12, "gradient")
		}
	})
}

// Where a gradient is 0 by definition, though the function is not flat.
func TestStops(t *testing.T) {
	gradient := func(fn ops.Operation, in ...operand) []float64 {
		c := opCase{in: in}
		g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
		xs := c.inputs(g)
		y := steps.Op(g, "Op", fn, slices.Clone(xs)...)
		d := g.Gradients(nodes.Sum(y), xs[0])[0]
		return plainly(t, g, []*G.Node{d.Gorgonia()})[0]
	}
	require.Equal(t, []float64{0, 0},
		gradient(ops.Elementwise{Kind: "stop"}, given([]float64{1, 2}, 2)))
	table := floats(-1, 1, 1, 3, 2)
	require.Equal(t, []float64{1, 1, 2, 2, 0, 0},
		gradient(ops.Gather{Padding: -1}, table, ints([]int{1, 0, 1}, 3)))
	require.Equal(t, []float64{1, 1, 0, 0, 0, 0},
		gradient(ops.Gather{Padding: 1}, table, ints([]int{1, 0, 1}, 3)))
}

// Ties and kinks have the derivatives that the comments promise.
func TestDerivativesAtKinks(t *testing.T) {
	gradients := func(fn ops.Operation, in ...operand) (ds [][]float64) {
		c := opCase{in: in}
		g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
		xs := c.inputs(g)
		y := steps.Op(g, "Op", fn, slices.Clone(xs)...)
		var want []*G.Node
		for _, d := range g.Gradients(nodes.Sum(y), operands(xs)...) {
			want = append(want, d.Gorgonia())
		}
		return plainly(t, g, want)
	}
	e := func(kind ops.Kind) ops.Elementwise { return ops.Elementwise{Kind: kind} }
	tie := []operand{given([]float64{1, 2}, 2), given([]float64{1, 1}, 2)}
	require.Equal(t, [][]float64{{1, 1}, {0, 0}}, gradients(e("max"), tie...))
	require.Equal(t, [][]float64{{1, 0}, {0, 1}}, gradients(e("min"), tie...))
	zero := given([]float64{0, 1, -1}, 3)
	require.Equal(t, [][]float64{{0, 1, 0}}, gradients(e("relu"), zero))
	require.Equal(t, [][]float64{{0, 1, -1}}, gradients(e("abs"), zero))
	require.Equal(t, [][]float64{{1, 1, 1}},
		gradients(ops.Elementwise{Kind: "clip", P: -1, Q: 1}, zero))
	require.Equal(t, [][]float64{{0.5, 0.5, 0}},
		gradients(ops.Max{Axis: 0}, given([]float64{4, 4, 1}, 3)))
	// x⁰ is 1 everywhere, and x¹ and x² are smooth at 0.
	require.Equal(t, [][]float64{{0, 0, 0}}, gradients(ops.Elementwise{Kind: "power", P: 0}, zero))
	require.Equal(t, [][]float64{{1, 1, 1}}, gradients(ops.Elementwise{Kind: "power", P: 1}, zero))
	require.Equal(t, [][]float64{{0, 2, -2}}, gradients(ops.Elementwise{Kind: "power", P: 2}, zero))
	require.Equal(t, [][]float64{{0, 0, 1}, {0, 0, 0}},
		gradients(e("pow"), given([]float64{0, 0, 0}, 3), given([]float64{0, 2, 1}, 3)))
	// A NaN in the part that is not taken stays out of values and gradients.
	nan := given([]float64{0, 1}, 2)
	ds := gradients(e("select"), given([]float64{0, 1}, 2), nan, nan)
	require.Equal(t, [][]float64{{0, 0}, {0, 1}, {1, 0}}, ds)
}
