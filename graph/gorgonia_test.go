package graph_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/gorgoniatest"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// Random graphs of Gorgonia's own operations, with gradients where Gorgonia can give them, against
// their ops run one after another and against TapeMachine.
func TestGorgoniaGraphs(t *testing.T) {
	for dt, tolerance := range map[tensor.Dtype]float64{tensor.Float64: 1e-10,
		tensor.Float32: 1e-4} {
		t.Run(dt.String(), func(t *testing.T) {
			gradients, onTape := 0, 0
			rapid.Check(t, func(t *rapid.T) {
				g := gorgoniatest.Draw(t, dt)
				want, err := gorgoniatest.Run(g.G)
				if err != nil {
					return // Gorgonia cannot run it either
				}
				keep := append(slices.Clone(g.Nodes), g.Cost)
				for _, n := range g.Inputs {
					if n.Deriv() != nil {
						keep = append(keep, n.Deriv())
					}
				}
				if tape, err := runTape(g.G, keep); err == nil {
					onTape++
					for i, n := range keep {
						near(t, tape[i], want[n], tolerance, n)
						want[n] = tape[i]
					}
				}
				vm, err := graph.Compile(g.G, graph.Also(keep...),
					graph.Workers(rapid.IntRange(1, 3).Draw(t, "workers")))
				require.NoError(t, err)
				defer vm.Close()
				for range 2 {
					require.NoError(t, vm.RunAll())
					vm.Reset()
				}
				for _, n := range keep {
					near(t, want[n], n.Value(), tolerance, n)
				}
				for _, n := range g.Inputs {
					if n.Deriv() == nil {
						continue
					}
					d, err := n.Grad()
					require.NoError(t, err)
					near(t, want[n.Deriv()], d, tolerance, n)
					gradients++
				}
			})
			require.Positive(t, gradients)
			require.Positive(t, onTape)
		})
	}
}

// runTape reads the values of nodes off Gorgonia's own machine. It has At among the operations that
// it does wrong, and dies of the derivative of ByIndices.
func runTape(g *G.ExprGraph, nodes []*G.Node) ([]G.Value, error) {
	for _, n := range g.AllNodes() {
		if n.Op() != nil && (strings.HasPrefix(n.Op().String(), "At(") ||
			strings.HasPrefix(n.Op().String(), "ByIndicesOpDiff")) {
			return nil, errors.New("not for this machine")
		}
	}
	values := make([]G.Value, len(nodes))
	for i, n := range nodes {
		G.Read(n, &values[i])
	}
	vm := G.NewTapeMachine(g)
	defer vm.Close()
	return values, vm.RunAll()
}

func near(t require.TestingT, want, got G.Value, tolerance float64, what any) {
	require.NotNil(t, got, "%v", what)
	require.True(t, want.Shape().Eq(got.Shape()) || ops.Size(want.Shape()) == 1,
		"%v: shape %v, want %v", what, got.Shape(), want.Shape())
	w, g := numbers(t, want), numbers(t, got)
	require.Len(t, g, len(w))
	scale := 1.0
	for _, v := range w {
		if !math.IsInf(v, 0) && !math.IsNaN(v) {
			scale = max(scale, math.Abs(v))
		}
	}
	for i := range w {
		if w[i] != g[i] && !(math.IsNaN(w[i]) && math.IsNaN(g[i])) {
			require.InDelta(t, w[i], g[i], tolerance*scale, "element %d of %v", i, what)
		}
	}
}

func numbers(t require.TestingT, v G.Value) []float64 {
	x, err := ops.TensorOf(v)
	require.NoError(t, err)
	if x.F64 != nil {
		return x.F64
	}
	out := make([]float64, len(x.F32))
	for i, f := range x.F32 {
		out[i] = float64(f)
	}
	return out
}
