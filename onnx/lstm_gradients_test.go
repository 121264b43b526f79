package onnx_test

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/onnx"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
)

// gradientsOf are y of x [T, B, In], drawn from a seed, and dL/dx, dL/dweights of L = Σ c·y.
func gradientsOf(t *testing.T, T, B, In int, of func(g *nodes.Graph, x *nodes.Node) *nodes.Node,
	weights []nodes.Operand) (out [][]float64) {
	var x, c *nodes.Node
	var want []*nodes.Node
	require.NoError(t, nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{})
		x = g.Input("x", T, B, In)
		y := of(g, x)
		c = g.Input("cotangent", y.Shape()...)
		want = append([]*nodes.Node{y}, g.Gradients(nodes.Sum(nodes.Mul(c, y)),
			append([]nodes.Operand{x}, weights...)...)...)
	}))
	step, err := run.New(want)
	require.NoError(t, err)
	defer step.Close()
	var in run.Inputs
	for i, to := range []run.Floats{in.Floats(x), in.Floats(c)} {
		key := rng.New(uint64(i))
		for k := range to.Len() {
			to.Set(k, key.Normal(uint64(k)))
		}
	}
	require.NoError(t, in.Err())
	require.NoError(t, step.Run(0, 0))
	for i := range want {
		out = append(out, step.Output(i).Float64s())
	}
	return out
}

// The gradients of an imported LSTM are those of the zoo's with the same weights.
func TestGradientsOfAnImportedLSTM(t *testing.T) {
	for _, size := range [][4]int{{5, 3, 4, 6}, {1, 1, 1, 1}, {17, 2, 3, 32}} {
		T, B, In, H := size[0], size[1], size[2], size[3]
		store := nodes.NewStore(nodes.Float32, 1)
		layer := unroll.Over(cells.NewLSTM(store.Root(), cells.LSTMConfig{In: In, Hidden: H}))
		randomise(store)
		forward := func(g *nodes.Graph, x *nodes.Node) *nodes.Node {
			return layer.Unroll(x, nil, unroll.Options{}).Y()
		}
		file := filepath.Join(t.TempDir(), "m.onnx")
		require.NoError(t, onnx.ExportLayout(zoo.Layout{Name: "lstm",
			Sizes: []string{"time", "batch"},
			Build: func(g *nodes.Graph, sizes []int) (in, out []zoo.Port) {
				x := g.Input("x", sizes[0], sizes[1], In)
				return []zoo.Port{{Name: "x", Node: x}},
					[]zoo.Port{{Name: "y", Node: forward(g, x)}}
			}}, store, file, onnx.ExportOptions{}))
		m, err := onnx.Import(file)
		require.NoError(t, err)
		require.Equal(t, 1, m.Operators()["LSTM"])

		var ours, theirs []nodes.Operand
		for _, name := range []string{"W_ih", "W_hh", "b"} {
			p, ok := store.Get(name)
			require.True(t, ok)
			ours = append(ours, p)
		}
		for _, name := range []string{"W", "R", "B"} { // [1, 4H, In], [1, 4H, H], [1, 8H]
			p, ok := m.Params().Get(name)
			require.True(t, ok)
			theirs = append(theirs, p)
		}
		zoos := gradientsOf(t, T, B, In, forward, ours)
		imported := gradientsOf(t, T, B, In, func(g *nodes.Graph, x *nodes.Node) *nodes.Node {
			out, err := m.Build(g, map[string]*nodes.Node{"x": x}, nil)
			require.NoError(t, err)
			return nodes.Reshape(out["y"], T, B, H)
		}, theirs)
		require.Equal(t, zoos[0], imported[0], "y") // to the bit
		near(t, zoos[1], imported[1], "x")
		gates := []int{0, 3, 1, 2} // of i, o, f, c in the zoo's order i, f, g, o
		for k, width := range []int{In, H} {
			want := make([]float64, 4*H*width)
			for gate, from := range gates {
				for h := range H {
					for i := range width {
						want[(gate*H+h)*width+i] = zoos[2+k][i*4*H+from*H+h]
					}
				}
			}
			near(t, want, imported[2+k], "weights")
		}
		bias := make([]float64, 8*H) // both biases have the same gradient
		for gate, from := range gates {
			for h := range H {
				bias[gate*H+h], bias[(4+gate)*H+h] = zoos[4][from*H+h], zoos[4][from*H+h]
			}
		}
		near(t, bias, imported[4], "b")
	}
}

// near wants numbers to differ by no more than the rounding of sums of float32.
func near(t *testing.T, want, got []float64, what string) {
	t.Helper()
	require.Len(t, got, len(want), what)
	most := 0.0
	for _, w := range want {
		most = max(most, math.Abs(w))
	}
	testkit.RequireInDelta(t, want, got, 2e-6*(1+most), what)
}
