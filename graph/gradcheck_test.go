package graph_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/gorgoniatest"
	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
	"gorgonia.org/tensor"
)

func TestCheckGradients(t *testing.T) {
	for _, dtype := range []tensor.Dtype{nodes.Float64, nodes.Float32} {
		g := nodes.NewGraph(nodes.Options{Dtype: dtype})
		store := nodes.NewStore(dtype, 1)
		x := g.Input("x", 4, 2, 3)
		random(t, rand.New(rand.NewPCG(1, 2)), x)
		var loss, d *G.Node
		var inputs, grads []*G.Node
		require.NoError(t, nodes.Try(func() {
			cell := newCell(store.Root().In("lstm"), "lstm", 3, 5, nil)
			l := nodes.Mean(nodes.Square(unroll.Over(cell).Unroll(x, nil, unroll.Options{}).Y()))
			wrt := []nodes.Operand{x}
			for _, p := range store.Params() {
				wrt = append(wrt, p)
			}
			for i, n := range g.Gradients(l, wrt...) {
				inputs = append(inputs, append([]*nodes.Node{x},
					paramsOf(g, store)...)[i].Gorgonia())
				grads = append(grads, n.Gorgonia())
			}
			loss = l.Gorgonia()
			d = nodes.Scale(g.Of(grads[1]), 1.01).Gorgonia() // a mistake
		}))
		before := testkit.Floats(inputs[1].Value())
		for _, opts := range [][]graph.Option{nil, {graph.Plain()}} {
			r, err := graph.CheckGradients(loss, inputs, grads,
				graph.GradientCheck{Samples: 20, Directions: 3}, opts...)
			require.NoError(t, err)
			require.NoError(t, r.Err(), "%v", r)
			require.Len(t, r.Inputs, 4)
			require.Len(t, r.Directions, 3)
			require.Equal(t, 20, r.Inputs[1].Checked)
			require.Equal(t, "lstm/W_ih", r.Inputs[1].Name)
			require.Contains(t, r.String(), "lstm/W_hh")
			require.Equal(t, before, testkit.Floats(inputs[1].Value()), "values are put back")
		}
		grads[1] = d
		r, err := graph.CheckGradients(loss, inputs, grads, graph.GradientCheck{Tolerance: 1e-4})
		require.NoError(t, err)
		if dtype == nodes.Float64 {
			require.ErrorContains(t, r.Err(), "gradient of lstm/W_ih [3, 20]: element [")
			require.NotContains(t, r.Err().Error(), "W_hh")
			require.Contains(t, r.String(), "wrong")
		}
	}
}

func paramsOf(g *nodes.Graph, s *nodes.Store) (ns []*nodes.Node) {
	for _, p := range s.Params() {
		ns = append(ns, g.Param(p))
	}
	return ns
}

// A plain Gorgonia program has its derivatives in its nodes. Gorgonia gets that of InverseSqrt
// wrong.
func TestCheckGradientsOfGorgonia(t *testing.T) {
	p, err := gorgoniatest.MLP(tensor.Float64, 7, 5, 6)
	require.NoError(t, err)
	require.NoError(t, p.Feed(0))
	r, err := graph.CheckGradients(p.Cost, p.Learnables, nil, graph.GradientCheck{Directions: 1})
	require.NoError(t, err)
	require.NoError(t, r.Err())

	g := G.NewGraph()
	x := G.NewVector(g, G.Float64, G.WithShape(2), G.WithName("x"),
		G.WithValue(dense([]float64{1, 2}, 2)))
	cost := G.Must(G.Sum(G.Must(G.InverseSqrt(x))))
	_, err = G.Grad(cost, x)
	require.NoError(t, err)
	r, err = graph.CheckGradients(cost, G.Nodes{x}, nil, graph.GradientCheck{})
	require.NoError(t, err)
	require.ErrorContains(t, r.Err(), "gradient of x [2]: element [")
}

func TestCheckGradientsRefuses(t *testing.T) {
	g := G.NewGraph()
	x := G.NewVector(g, G.Float64, G.WithShape(2), G.WithName("x"),
		G.WithValue(dense([]float64{1, math.NaN()}, 2)))
	s := G.NewScalar(g, G.Float64, G.WithName("s"), G.WithValue(1.0))
	y := G.Must(G.Mul(x, s))
	loss := G.Must(G.Sum(y))
	_, err := G.Grad(loss, x, s)
	require.NoError(t, err)
	for want, f := range map[string]func() (*graph.GradientReport, error){
		"want a loss": func() (*graph.GradientReport, error) {
			return graph.CheckGradients(nil, nil, nil, graph.GradientCheck{})
		},
		"the loss is (2): want a scalar": func() (*graph.GradientReport, error) {
			return graph.CheckGradients(y, G.Nodes{x}, nil, graph.GradientCheck{})
		},
		"1 gradients for 2 inputs": func() (*graph.GradientReport, error) {
			return graph.CheckGradients(loss, G.Nodes{x, s}, G.Nodes{x}, graph.GradientCheck{})
		},
		"has no gradient": func() (*graph.GradientReport, error) {
			return graph.CheckGradients(loss, G.Nodes{y.Deriv()}, nil, graph.GradientCheck{})
		},
		"is nil": func() (*graph.GradientReport, error) {
			return graph.CheckGradients(loss, G.Nodes{nil}, nil, graph.GradientCheck{})
		},
	} {
		_, err := f()
		require.ErrorContains(t, err, want)
	}
	r, err := graph.CheckGradients(loss, G.Nodes{x}, nil, graph.GradientCheck{})
	require.NoError(t, err)
	require.Error(t, r.Err(), "NaN is never right")
}
