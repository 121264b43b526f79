package train

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// In a plain Gorgonia program an Optimizer stands where a Solver did.
func TestOptimizersInGorgonia(t *testing.T) {
	for _, f := range families {
		for _, bind := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/bind=%v", f.name, bind), func(t *testing.T) {
				inGorgonia(t, f, tensor.Float64, bind, 1e-9)
				inGorgonia(t, f, tensor.Float32, bind, 1e-4)
			})
		}
	}
}

// inGorgonia minimises sum(c∘(w + v − a)²) + s²: w and v share a derivative node, and s is a
// scalar.
func inGorgonia(t *testing.T, f family, dtype tensor.Dtype, bind bool, tolerance float64) {
	c, a := []float64{0.5, 1, 2}, []float64{1, -1, 3}
	w0, v0, s0 := []float64{0.1, 0.2, 0.3}, []float64{-1, 0, 1}, 0.7
	vec := func(x []float64) gorgonia.NodeConsOpt {
		if dtype == tensor.Float32 {
			return gorgonia.WithValue(tensor.New(tensor.WithBacking(convert[float32](x))))
		}
		return gorgonia.WithValue(tensor.New(tensor.WithBacking(convert[float64](x))))
	}
	scalar := gorgonia.WithValue(any(s0))
	if dtype == tensor.Float32 {
		scalar = gorgonia.WithValue(any(float32(s0)))
	}
	g := gorgonia.NewGraph()
	node := func(name string, x []float64) *gorgonia.Node {
		return gorgonia.NewVector(g, dtype, gorgonia.WithName(name), gorgonia.WithShape(3), vec(x))
	}
	cn, an, w, v := node("c", c), node("a", a), node("w", w0), node("v", v0)
	s := gorgonia.NewScalar(g, dtype, gorgonia.WithName("s"), scalar)
	diff := gorgonia.Must(gorgonia.Sub(gorgonia.Must(gorgonia.Add(w, v)), an))
	loss := gorgonia.Must(gorgonia.Sum(gorgonia.Must(gorgonia.HadamardProd(cn,
		gorgonia.Must(gorgonia.Square(diff))))))
	loss = gorgonia.Must(gorgonia.Add(loss, gorgonia.Must(gorgonia.Square(s))))
	params := gorgonia.Nodes{w, v, s}
	_, err := gorgonia.Grad(loss, params...)
	require.NoError(t, err)
	var opts []gorgonia.VMOpt
	if bind {
		opts = append(opts, gorgonia.BindDualValues(params...))
	}
	vm := gorgonia.NewTapeMachine(g, opts...)
	defer vm.Close()

	var solver gorgonia.Solver = f.new(t)
	steps := make([]func(p, g float64) float64, 7)
	for i := range steps {
		steps[i] = f.oracle()
	}
	for range 10 {
		require.NoError(t, vm.RunAll())
		require.NoError(t, solver.Step(gorgonia.NodesToValueGrads(params)))
		grad, err := s.Grad()
		require.NoError(t, err)
		require.Equal(t, bind, fmt.Sprint(grad.Data()) == "0",
			"set to 0 if the next run adds to it")
		vm.Reset()
		for i := range c {
			grad := 2 * c[i] * (w0[i] + v0[i] - a[i])
			w0[i], v0[i] = steps[i](w0[i], grad), steps[3+i](v0[i], grad)
		}
		s0 = steps[6](s0, 2*s0)
	}
	got := func(n *gorgonia.Node) []float64 {
		if dtype == tensor.Float32 {
			return convert[float64](dataOf[float32](n.Value()))
		}
		return dataOf[float64](n.Value())
	}
	requireClose(t, "w", w0, got(w), tolerance, tolerance)
	requireClose(t, "v", v0, got(v), tolerance, tolerance)
	requireClose(t, "s", []float64{s0}, got(s), tolerance, tolerance)
}
