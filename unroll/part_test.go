package unroll_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
)

// A part of the state at all steps is what the states of single times hold of it.
func TestPart(t *testing.T) {
	const T, B, In, H = 3, 2, 2, 3
	for _, strategy := range []unroll.Strategy{unroll.Scan, unroll.Expand} {
		g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
		root := nodes.NewStore(nodes.Float64, 1).Root()
		var got, want []*nodes.Node
		require.NoError(t, nodes.Try(func() {
			lstm := func(name string, in int) unroll.Layer {
				return unroll.Over(cells.NewLSTM(root.In("%s", name),
					cells.LSTMConfig{In: in, Hidden: H}))
			}
			x := random(g, "x", T, B, In)
			stack := unroll.Stack{Layers: []unroll.Layer{lstm("l0", In), lstm("l1", H)}}
			r := stack.Unroll(x, nil, unroll.Options{Strategy: strategy})
			for i := range stack.Parts() {
				var steps []*nodes.Node
				for k := range T {
					steps = append(steps, r.StateAt(k)[i])
				}
				got, want = append(got, r.Part(i)), append(want, nodes.Stack(steps...))
			}
			both := unroll.Bidirectional{Forward: lstm("f", In), Backward: lstm("b", In)}
			r = both.Unroll(x, nil, unroll.Options{Strategy: strategy})
			f := both.Forward.Unroll(x, nil, unroll.Options{Strategy: strategy})
			b := both.Backward.Unroll(x, nil, unroll.Options{Strategy: strategy, Reverse: true})
			got = append(got, r.Part(1), r.Part(2))
			want = append(want, f.Part(1), b.Part(0))
			for _, i := range []int{-1, 4} {
				require.ErrorContains(t, nodes.Try(func() { r.Part(i) }), "there is no part")
			}
			r = stack.Unroll(x, nil, unroll.Options{Strategy: strategy})
			require.ErrorContains(t, nodes.Try(func() { r.Part(4) }), "no part 4 in a state of 4")
		}))
		var keep []*gorgonia.Node
		for i := range got {
			keep = append(keep, got[i].Gorgonia(), want[i].Gorgonia())
		}
		m, err := graph.Compile(g.Expr(), graph.Keep(keep...))
		require.NoError(t, err)
		require.NoError(t, m.RunAll())
		for i := range got {
			require.Equal(t, want[i].Value().Data(), got[i].Value().Data(), i)
		}
		require.NoError(t, m.Close())
	}
}
