package graph_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"gorgonia.org/gorgonia"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
)

// Loops that are nothing but element-wise operations, whose steps the kernels run by themselves,
// give the bits of those that come back to Go for each operation, with any number of workers.
func TestScriptsGiveTheSameBits(t *testing.T) {
	kernels.UseScripts(true)
	if !kernels.Scripts() {
		t.Skip("no scripts at this level")
	}
	defer kernels.UseScripts(true)
	specs := []string{"indrnn", "indrnn,bounded,steps=1000000", "mingru", "minlstm", "qrnn", "lru", "rglru", "sru", "gru", "cfc"}
	sizes := [][3]int{{1, 1, 3}, {5, 1, 40}, {3, 2, 128}, {7, 3, 70}, {2, 9, 130}, {12, 1, 200}}
	for _, spec := range specs {
		for _, size := range sizes {
			for _, o := range []unroll.Options{{}, {Reverse: true}} {
				for _, lengths := range []bool{false, true} {
					what := fmt.Sprint(spec, size, o.Reverse, lengths)
					m := elementwise(t, spec, size[0], size[1], size[2], o, lengths)
					kernels.UseScripts(false)
					want := m.outcome(t, graph.Workers(1))
					kernels.UseScripts(true)
					for workers := range 3 {
						requireBits(t, want, m.outcome(t, graph.Workers(workers+1), graph.ShareAll()), what)
					}
				}
			}
		}
	}
}

// elementwise is a layer of a cell with its gradients.
func elementwise(t *testing.T, spec string, T, B, H int, o unroll.Options, lengths bool) (m model) {
	cfg, err := cells.Parse(spec)
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(1, uint64(T*B*H)))
	store := nodes.NewStore(nodes.Float32, 1)
	var x, n *nodes.Node
	require.NoError(t, nodes.Try(func() {
		cell := cfg.Sized(H, H).New(store.Root())
		m.g = nodes.NewGraph(nodes.Options{})
		x = m.g.Input("x", T, B, H)
		if lengths {
			n = m.g.IntInput("lengths", B)
			o.Lengths = n
		}
		out := unroll.Over(cell).Unroll(x, nil, o)
		loss := nodes.Mean(nodes.Square(out.Y()))
		m.keep = []*gorgonia.Node{loss.Gorgonia(), out.Y().Gorgonia()}
		wrt := []nodes.Operand{x}
		for _, p := range store.Params() {
			wrt = append(wrt, p)
		}
		for _, d := range m.g.Gradients(loss, wrt...) {
			m.keep = append(m.keep, d.Gorgonia())
		}
	}))
	random(t, r, x)
	if lengths {
		v := make([]int, B)
		for i := range v {
			v[i] = 1 + r.IntN(T)
		}
		bindInts(t, n, v)
	}
	return m
}
