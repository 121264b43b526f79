package unroll_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
)

func TestSmoke(t *testing.T) {
	var want []float64
	for _, strategy := range []unroll.Strategy{unroll.Expand, unroll.Scan} {
		s := nodes.NewStore(nodes.Float64, 1)
		var g *nodes.Graph
		var loss, y *nodes.Node
		var grads []*nodes.Node
		err := nodes.Try(func() {
			c := cells.NewLSTM(s.Root().In("l0"), cells.LSTMConfig{In: 3, Hidden: 4, Peephole: cells.Full, LayerNorm: cells.NormGate})
			g = nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
			x := g.Input("x", 5, 2, 3)
			v := make([]float64, 30)
			for i := range v {
				v[i] = float64(i%7) - 3
			}
			gorgonia.Let(x.Gorgonia(), tensor.New(tensor.WithShape(5, 2, 3), tensor.WithBacking(v)))
			r := unroll.Over(c).Unroll(x, nil, unroll.Options{Strategy: strategy})
			y = r.Y()
			loss = nodes.Add(nodes.Mean(nodes.Square(y)), nodes.Sum(r.Final()[1]))
			var ps []nodes.Operand
			for _, p := range s.Params() {
				ps = append(ps, p)
			}
			grads = g.Gradients(loss, append(ps, x)...)
		})
		require.NoError(t, err)
		keep := []*gorgonia.Node{loss.Gorgonia()}
		for _, n := range grads {
			keep = append(keep, n.Gorgonia())
		}
		m, err := graph.Compile(g.Expr(), graph.Keep(keep...))
		require.NoError(t, err)
		require.NoError(t, m.RunAll())
		got := []float64{loss.Value().Data().(float64)}
		for _, n := range grads {
			got = append(got, n.Value().Data().([]float64)...)
		}
		fmt.Println(strategy, len(g.Expr().AllNodes()), got[:4])
		if want == nil {
			want = got
		}
		require.InDeltaSlice(t, want, got, 1e-12)
	}
}
