package graph_test

import (
	"io"
	"log"
	"os"
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

// gorgoniaIsWrong has the operations whose values Gorgonia's machine gets wrong, or of which it
// dies.
var gorgoniaIsWrong = map[string]string{
	"At(":             "it has no value on the machine",
	"ByIndicesOpDiff": "it reads beyond its memory along the last axis, and the process ends",
	"Σ[2":             "along the third of four axes it adds up other elements, unless there are two of them",
	"Σ[1 2]":          "so it does along this axis with others",
	"Σ[0 2]":          "so it does along this axis with others",
	"Σ[0 1 2]":        "so it does along this axis with others",
	"MaxAlong[":       "it takes the largest of other elements there",
}

// wrongInGorgonia reports whether n is in the table. Sums and maxima are wrong of four axes alone.
func wrongInGorgonia(n *G.Node, operands []*G.Node) bool {
	for name := range gorgoniaIsWrong {
		if strings.HasPrefix(n.Op().String(), name) &&
			(!strings.HasSuffix(name, "[") && !strings.HasPrefix(name, "Σ") ||
				operands[0].Dims() == 4) {
			return true
		}
	}
	return false
}

// The sum and the maximum along the third of four axes, by hand.
func TestThirdOfFourAxes(t *testing.T) {
	g := G.NewGraph()
	data := make([]float64, 2*3*5*4)
	for i := range data {
		data[i] = float64(i * i)
	}
	x := G.NewTensor(g, G.Float64, 4, G.WithShape(2, 3, 5, 4), G.WithName("x"),
		G.WithValue(dense(data, 2, 3, 5, 4)))
	sum, largest := G.Must(G.Sum(x, 2)), G.Must(G.Max(x, 2))
	require.NoError(t, compiled(t, g).RunAll())
	sums, maxima := make([]float64, 2*3*4), make([]float64, 2*3*4)
	for i, v := range data {
		at := i/20*4 + i%4
		sums[at] += v
		maxima[at] = max(maxima[at], v)
	}
	require.Equal(t, sums, sum.Value().Data())
	require.Equal(t, maxima, largest.Value().Data())
}

// Random programs of Gorgonia's operations, run several times with other values in their inputs,
// have the values that Gorgonia's machine reads, of all nodes, and gradients.
func TestRandomPrograms(t *testing.T) {
	log.SetOutput(io.Discard) // what GroupNorm's derivative prints
	defer log.SetOutput(os.Stderr)
	for dt, tolerance := range map[tensor.Dtype]float64{tensor.Float64: 1e-12,
		tensor.Float32: 1e-5} {
		t.Run(dt.String(), func(t *testing.T) {
			compared := 0
			rapid.Check(t, func(t *rapid.T) {
				p := gorgoniatest.DrawAll(t, dt)
				children, err := ops.Children(p.G)
				require.NoError(t, err)
				var nodes []*G.Node
				for _, n := range p.G.AllNodes() {
					if n.Op() == nil || n.Type() == nil {
						continue
					}
					if wrongInGorgonia(n, children[n]) {
						return
					}
					if d := n.Dtype(); d == dt {
						nodes = append(nodes, n)
					}
				}
				if _, err := gorgoniatest.Run(p.G); err != nil {
					// an operation refuses its operands; on Gorgonia's machine, some end the
					// process
					return
				}
				values := make([]G.Value, len(nodes))
				for i, n := range nodes {
					G.Read(n, &values[i])
				}
				tape := G.NewTapeMachine(p.G)
				defer tape.Close()
				vm, err := graph.Compile(p.G, graph.KeepAll(),
					graph.Workers(rapid.IntRange(1, 2).Draw(t, "workers")))
				require.NoError(t, err)
				defer vm.Close()
				for run := range 3 {
					clear(values)
					if tape.RunAll() != nil {
						return // Gorgonia cannot run it
					}
					tape.Reset()
					want := append([]G.Value(nil), values...)
					clear(values)
					require.NoError(t, vm.RunAll())
					for i, n := range nodes {
						near(t, want[i], n.Value(), tolerance, n)
						near(t, n.Value(), values[i], 0, n)
						compared++
					}
					for _, n := range p.Inputs {
						if n.Deriv() != nil && n.Deriv().Value() != nil {
							near(t, n.Deriv().Value(), grad2(t, n), 0, n)
						}
						vary(n.Value(), run)
					}
				}
			})
			require.Positive(t, compared)
		})
	}
}

func grad2(t require.TestingT, n *G.Node) G.Value {
	v, err := n.Grad()
	require.NoError(t, err)
	return v
}

// vary gives an input other values.
func vary(v G.Value, run int) {
	x, err := ops.TensorOf(v)
	if err != nil {
		return
	}
	for i := range x.F64 {
		x.F64[i] = 0.7*x.F64[i] + 0.1*float64((i+run)%5)
	}
	for i := range x.F32 {
		x.F32[i] = 0.7*x.F32[i] + 0.1*float32((i+run)%5)
	}
}
