package graph_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/gradcheck"
	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
)

// flowModel is a bidirectional layer under another one, with a loss of some outputs and the final
// state.
func flowModel(t *testing.T, kind string, strategy unroll.Strategy, T, B, H int,
	lengths []int) (m model, wrt []*nodes.Node, states map[string][]*nodes.Node) {
	states = map[string][]*nodes.Node{}
	require.NoError(t, nodes.Try(func() {
		store := nodes.NewStore(nodes.Float64, 5)
		m.g = nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
		x := m.g.Input("x", T, B, 3)
		random(t, rand.New(rand.NewPCG(3, 4)), x)
		o := unroll.Options{Strategy: strategy}
		if lengths != nil {
			o.Lengths = gradcheck.Ints(m.g, "lengths", lengths, B)
		}
		s := store.Root()
		low := unroll.Bidirectional{
			Forward:  unroll.Over(newCell(s.In("low").In("forward"), kind, 3, H, nil)),
			Backward: unroll.Over(newCell(s.In("low").In("backward"), kind, 3, H, nil)),
		}
		r := low.Unroll(x, nil, o)
		top := unroll.Over(newCell(s.In("top"), "gru", low.Width(), H, nil)).Unroll(r.Y(), nil, o)
		loss := nodes.Add(gradcheck.Weigh(nodes.Square(nodes.Slice(top.Y(), 0, T/2, T))),
			nodes.Mean(nodes.Square(top.Final()[0])))
		loss = nodes.Add(loss, nodes.Sum(nodes.Tanh(r.Final()[0])))
		var ops []nodes.Operand
		for _, p := range store.Params() {
			ops = append(ops, p)
		}
		if strategy == unroll.Expand && lengths == nil {
			for at := range T {
				states["top h"] = append(states["top h"], top.StateAt(at)[0])
				ops = append(ops, top.StateAt(at)[0])
			}
		}
		wrt = m.g.Gradients(loss, ops...)
		m.keep = append(m.keep, loss.Gorgonia())
		for _, d := range wrt {
			m.keep = append(m.keep, d.Gorgonia())
		}
		wrt = wrt[len(store.Params()):]
	}))
	return m, wrt, states
}

func flowOf(t *testing.T, m model, opts ...graph.Option) *graph.FlowReport {
	f, err := graph.NewGradientFlow(m.g.Expr())
	require.NoError(t, err)
	vm, err := graph.Compile(m.g.Expr(), append(opts,
		graph.Keep(append(f.Nodes(), m.keep...)...))...)
	require.NoError(t, err)
	defer vm.Close()
	require.NoError(t, vm.RunAll())
	r, err := f.Report()
	require.NoError(t, err)
	return r
}

// The flow of a Scan is that of an Expand, whose states are nodes that one can differentiate by.
func TestGradientFlow(t *testing.T) {
	for _, kind := range []string{"rnn", "gru", "lstm", "mgu", "lstm projected"} {
		for _, size := range []struct {
			T, B, H int
			lengths []int
		}{{1, 1, 1, nil}, {6, 3, 4, nil}, {5, 4, 3, []int{5, 1, 0, 3}}} {
			t.Run(fmt.Sprint(kind, size), func(t *testing.T) {
				m, grads, states := flowModel(t, kind, unroll.Expand, size.T, size.B, size.H,
					size.lengths)
				want := flowOf(t, m)
				for at := range states["top h"] {
					direct := 0.0
					for _, v := range testkit.Floats(grads[at].Value()) {
						direct += v * v
					}
					for _, l := range want.Layers {
						if l.Path == "top" {
							require.InDelta(t, math.Sqrt(direct), l.Norms[at], 1e-12, "step %d", at)
						}
					}
				}
				var paths []string
				for _, l := range want.Layers {
					require.Len(t, l.Norms, size.T)
					paths = append(paths, l.Name())
				}
				require.Subset(t, paths, []string{"low/forward h", "low/backward h", "top h"})
				for _, opts := range [][]graph.Option{{graph.Plain()}, nil,
					{graph.Without(graph.Passes()...)}} {
					m, _, _ = flowModel(t, kind, unroll.Scan, size.T, size.B, size.H, size.lengths)
					got := flowOf(t, m, opts...)
					require.Len(t, got.Layers, len(want.Layers))
					for _, l := range got.Layers {
						i := 0
						for want.Layers[i].Name() != l.Name() {
							i++
						}
						testkit.RequireInDelta(t, want.Layers[i].Norms, l.Norms, 1e-12, l.Name())
					}
				}
			})
		}
	}
}

// Measuring leaves the loss and the gradients as they are, to the bit.
func TestGradientFlowChangesNothing(t *testing.T) {
	m, _, _ := flowModel(t, "lstm", unroll.Scan, 7, 3, 5, nil)
	want := m.outcome(t)
	flowOf(t, m)
	require.Equal(t, want, m.outcome(t))
	var found *gorgonia.Node
	f, err := graph.NewGradientFlow(m.g.Expr())
	require.NoError(t, err)
	for _, n := range f.Nodes() {
		found = n
	}
	m.keep = append(m.keep, found)
	require.Equal(t, want, m.outcome(t)[:len(want)])
}

func TestGradientFlowReport(t *testing.T) {
	m, _, _ := flowModel(t, "rnn", unroll.Scan, 7, 3, 5, nil)
	r := flowOf(t, m)
	require.Contains(t, r.String(), "low/forward h")
	l := graph.LayerFlow{Norms: []float64{1, 2, 4, 8}}
	require.InDelta(t, 0.5, l.Decay(), 1e-15, "the gradient halves with every step back")
	require.True(t, math.IsNaN(graph.LayerFlow{Norms: []float64{0}}.Decay()))

	g := nodes.NewGraph(nodes.Options{})
	f, err := graph.NewGradientFlow(g.Expr())
	require.NoError(t, err)
	require.Empty(t, f.Nodes())
}
