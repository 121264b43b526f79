package nodes_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/steps"
	"github.com/seqzoo/seqzoo/nodes"
)

// outside draws a step's noise where the loop stands.
type outside struct{ g *nodes.Graph }

func (o outside) Noise(_ *nodes.Graph, r nodes.NoiseRequest) *nodes.Node {
	return steps.OuterNoise(o.g, nil, r)
}

// Steps may use whatever is around them: nodes of every outer graph and parameters become inputs,
// once each.
func TestStepsCaptureWhatTheyUse(t *testing.T) {
	g := f64()
	x := g.Input("x", 2)
	w := nodes.NewStore(nodes.Float64, 1).Root().In("cell").Param("w", nodes.Ones(), 2)
	squared := nodes.Square(x)
	var first, second []steps.Lift
	steps.Inner(g, outside{g}, func(a *nodes.Graph) {
		h := a.Input("h", 2)
		y := nodes.Add(nodes.Mul(h, w), squared, squared)
		require.Same(t, a, y.Graph())
		require.Same(t, a, steps.Innermost(x, y))
		steps.Inner(a, outside{a}, func(b *nodes.Graph) {
			require.Same(t, a, nodes.Add(x, y, h, w).Graph(),
				"what needs nothing of a step stands outside of it")
			z := nodes.Add(b.Input("own", 2), x, y, h, w)
			z = nodes.Add(z, nodes.Add(z, w), x)
			require.Same(t, b, z.Graph())
			require.Same(t, b, steps.Innermost(x, z, y))
			second = steps.Lifts(b)
			require.Equal(t, []*nodes.Param{w}, b.Parameters())
		})
		first = steps.Lifts(a)
		require.Equal(t, []*nodes.Param{w}, a.Parameters())
	})
	names := func(ls []steps.Lift) (out [][2]string) {
		for _, l := range ls {
			require.Equal(t, l.Outer.Shape(), l.Inner.Shape())
			require.NotSame(t, l.Outer.Graph(), l.Inner.Graph())
			require.Nil(t, l.Inner.Gorgonia().Op(), "an input stands for it")
			out = append(out, [2]string{l.Outer.Gorgonia().Name(), l.Inner.Gorgonia().Name()})
		}
		return out
	}
	require.Equal(t, []string{"cell/w", "outer 1", "x"}, inner(names(first)))
	require.Equal(t, []string{"x", "outer 1", "h", "cell/w"}, inner(names(second)))
	require.Same(t, squared, first[1].Outer)
	require.Same(t, x.Gorgonia(), first[2].Outer.Gorgonia(), "through both steps")
	require.Same(t, first[2].Inner, second[0].Outer)
	require.Equal(t, []*nodes.Param{w}, g.Parameters())
	require.Same(t, w.Value(), g.Param(w).Value())
}

func inner(names [][2]string) (out []string) {
	for _, n := range names {
		out = append(out, n[1])
	}
	return out
}

// Names in a step may be those of what it captures.
func TestCapturedNamesGiveWay(t *testing.T) {
	g := f64()
	x, taken := g.Input("x", 2), g.Input("outer 0", 2)
	steps.Inner(g, outside{g}, func(a *nodes.Graph) {
		mine := a.Input("x", 3)
		also := a.Input("outer 1", 3)
		require.NoError(t,
			nodes.Try(func() { nodes.Add(nodes.Add(a.Const(1), x), taken, nodes.Tanh(x)) }))
		require.Equal(t, []int{3}, mine.Shape())
		require.Equal(t, []int{3}, also.Shape())
		require.Len(t, steps.Lifts(a), 3)
	})
}

func TestMistakesInSteps(t *testing.T) {
	s := nodes.NewStore(nodes.Float64, 1).Root().In("encoder").In("l0")
	w := s.Param("W_ih", nodes.Zeros(), 3, 16)
	g := f64()
	x := g.Input("x", 2, 5)
	var leaked, other *nodes.Node
	fails(t, "encoder/l0 step: MatMul: x is [2, 5], W_ih is [3, 16]: inner dimensions 5 and 3 "+
		"differ: to fit the second operand, the first must be [2, 3]", func() {
		steps.Inner(g, outside{g}, func(a *nodes.Graph) {
			a.Within("step", func() { nodes.MatMul(x, w); nodes.MatMul(a.Zeros(2, 5), w) })
		})
	})
	fails(t, "encoder/l0 window step: Add: matmul(…) is [2, 16], affine(…) is [2, 5]: shapes [2, "+
		"16] and [2, 5] do not broadcast: sizes 16 and 5 differ, and neither is 1", func() {
		g.Within("window", func() {
			g.Within("step",
				func() { nodes.Add(nodes.MatMul(g.Input("y", 2, 3), w), nodes.Neg(x)) })
		})
	})
	require.NoError(t, nodes.Try(func() { nodes.Neg(x) }), "a failed step leaves nothing behind")
	fails(t, "Add: x is [2, 5], y' is [2, 3]: shapes [2, 5] and [2, 3] do not broadcast: sizes 5 "+
		"and 3 differ, and neither is 1", func() {
		nodes.Add(x, g.Input("y'", 2, 3))
	})

	steps.Inner(g, outside{g}, func(a *nodes.Graph) { leaked = nodes.Tanh(a.Input("h", 2, 5)) })
	const finished = "an operand was made inside a step that is finished: what a step computes " +
		"leaves it as state or output"
	fails(t, "Add: "+finished, func() { nodes.Add(x, leaked) })
	fails(t, "Tanh: "+finished, func() { nodes.Tanh(leaked) })
	fails(t, "Gradients: tanh(…) is [2, 5], in another graph: all operands must be nodes "+
		"of one graph", func() { g.Gradients(leaked, x) })
	steps.Inner(g, outside{g}, func(a *nodes.Graph) { other = nodes.Neg(a.Input("h", 2, 5)) })
	fails(t, "Add: "+finished, func() { nodes.Add(leaked, other) })
}

// What a step asks of noise, its loop answers; what stands outside of the step is drawn outside.
func TestNoiseOfSteps(t *testing.T) {
	g := training(nodes.Float64)
	x := g.Input("x", 2)
	steps.Inner(g, outside{g}, func(a *nodes.Graph) {
		require.Nil(t, steps.CurrentLoop(g))
		require.Equal(t, outside{g}, steps.CurrentLoop(a))
		y := nodes.Dropout(a.Input("h", 2), 0.5)
		require.Same(t, a, y.Graph())
		require.Len(t, steps.Lifts(a), 1)
		require.Same(t, g, steps.Lifts(a)[0].Outer.Graph())
		// Also where the operand is of the outer graph: the mask is the step's.
		nodes.Dropout(x, 0.5)
	})
	steps.WithLoop(g, outside{g}, func() { require.Equal(t, outside{g}, steps.CurrentLoop(g)) })
	require.Nil(t, steps.CurrentLoop(g))
}

func TestOnProduct(t *testing.T) {
	g := f64()
	s := nodes.NewStore(nodes.Float64, 1).Root()
	w, v := s.Param("w", nodes.Ones(), 2, 1), s.Param("v", nodes.Ones(), 2, 1)
	x := in(g, "x", []float64{1, 2}, 1, 2)
	type times = func(x, as *nodes.Node) *nodes.Node
	undo := steps.OnProduct(g,
		func(x *nodes.Node, p steps.Weight, as *nodes.Node, times times) *nodes.Node {
			if p.Params[0] == w {
				x = nodes.Scale(x, 10)
			}
			return times(x, as)
		})
	undo2 := steps.OnProduct(g,
		func(x *nodes.Node, _ steps.Weight, as *nodes.Node, times times) *nodes.Node {
			return times(nodes.Shift(x, 1), as)
		})
	both, one := nodes.MatMul(x, w), nodes.MatMul(x, v)
	undo2()
	// what stands for a weight is seen by what is asked for later, and so is what becomes of the
	// product by what was asked for earlier
	undo3 := steps.OnProduct(g,
		func(x *nodes.Node, p steps.Weight, as *nodes.Node, times times) *nodes.Node {
			require.Nil(t, as)
			return nodes.Shift(times(x, nodes.Scale(g.Param(p.Params[0]), 2)), 0.5)
		})
	undo4 := steps.OnProduct(g,
		func(x *nodes.Node, p steps.Weight, as *nodes.Node, times times) *nodes.Node {
			return nodes.Scale(times(x, nodes.Scale(as, 3)), 2)
		})
	weights := nodes.MatMul(x, v)
	undo4()
	undo3()
	first := nodes.MatMul(x, w)
	undo()
	require.Equal(t, xs{{32}, {5}, {36.5}, {30}, {3}, {3}},
		run(t, g, both, one, weights, first, nodes.MatMul(x, w), nodes.MatMul(x, g.Param(v))))
}
