package graph_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/owncells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
)

// changing is a graph of which a program changes something between runs.
type changing struct {
	g       *G.ExprGraph
	results []*G.Node
	change  func(t *testing.T, run int)
}

// sliced is Σ (x[range]·w)² with the derivative of x, for ranges that are bound before each run.
func sliced(shape []int, axis int, ranges ...tensor.Slice) func(t *testing.T,
	dt tensor.Dtype) changing {
	return func(t *testing.T, dt tensor.Dtype) changing {
		g := G.NewGraph()
		x := input(g, dt, "x", 1, shape...)
		at := make([]tensor.Slice, axis+1)
		at[axis] = ranges[0]
		y := G.Must(G.Slice(x, at...))
		cost := G.Must(G.Square(y))
		if !y.IsScalar() {
			cost = G.Must(G.Sum(G.Must(G.HadamardProd(cost, constantLike(y, 2)))))
		}
		_, err := G.Grad(cost, x)
		require.NoError(t, err)
		return changing{g, []*G.Node{y, cost, x.Deriv()}, func(t *testing.T, run int) {
			require.NoError(t, G.UnsafeLet(y, ranges[run%len(ranges)]))
		}}
	}
}

var changes = map[string]func(t *testing.T, dt tensor.Dtype) changing{
	"rows":               sliced([]int{7, 3}, 0, G.S(0), G.S(3), G.S(6), G.S(6), G.S(1)),
	"several rows":       sliced([]int{7, 3}, 0, G.S(0, 2), G.S(5, 7), G.S(3, 5)),
	"rows past the end":  sliced([]int{7, 3}, 0, G.S(0, 2), G.S(5, 9)),
	"columns":            sliced([]int{3, 7}, 1, G.S(1, 3), G.S(5, 7), G.S(0, 2)),
	"a column":           sliced([]int{3, 7}, 1, G.S(1), G.S(5), G.S(0)),
	"of three axes":      sliced([]int{2, 5, 3}, 1, G.S(1), G.S(4), G.S(0)),
	"the last of three":  sliced([]int{2, 3, 5}, 2, G.S(1, 4), G.S(2, 5), G.S(0, 3)),
	"a number":           sliced([]int{5}, 0, G.S(1), G.S(4), G.S(0)),
	"every second row":   sliced([]int{8, 3}, 0, G.S(0, 4, 2), G.S(2, 6, 2), G.S(4, 8, 2)),
	"another step":       sliced([]int{8, 3}, 0, G.S(0, 4, 2), G.S(1, 7, 3), G.S(2, 4)),
	"two slices of one":  twoSlices,
	"a scalar constant":  scalarConstant,
	"a tensor constant":  tensorConstant(3),
	"a large constant":   tensorConstant(100),
	"slice and constant": sliceAndConstant,
}

func twoSlices(t *testing.T, dt tensor.Dtype) changing {
	g := G.NewGraph()
	x := input(g, dt, "x", 1, 6, 3)
	a, b := G.Must(G.Slice(x, G.S(0))), G.Must(G.Slice(x, G.S(1)))
	cost := G.Must(G.Sum(G.Must(G.HadamardProd(a, b))))
	_, err := G.Grad(cost, x)
	require.NoError(t, err)
	return changing{g, []*G.Node{a, b, cost, x.Deriv()}, func(t *testing.T, run int) {
		require.NoError(t, G.UnsafeLet(a, G.S(run)))
		if run > 1 {
			require.NoError(t, G.UnsafeLet(b, G.S(5-run)))
		}
	}}
}

// constant is the node of the graph's only constant: Gorgonia puts a copy into the graph.
func constant(t *testing.T, g *G.ExprGraph, operands int) *G.Node {
	for _, n := range g.AllNodes()[:operands] {
		if n.Op() != nil {
			return n
		}
	}
	require.FailNow(t, "no constant")
	return nil
}

func scalarConstant(t *testing.T, dt tensor.Dtype) changing {
	g := G.NewGraph()
	x := input(g, dt, "x", 1, 3)
	var c any = 2.0
	if dt == tensor.Float32 {
		c = float32(2)
	}
	y := G.Must(G.Mul(x, G.NewConstant(c)))
	k := constant(t, g, 2)
	cost := G.Must(G.Sum(G.Must(G.Square(y))))
	_, err := G.Grad(cost, x)
	require.NoError(t, err)
	return changing{g, []*G.Node{y, cost, x.Deriv()}, func(t *testing.T, run int) {
		switch v := k.Value().(type) {
		case *G.F64:
			*v = G.F64(2 + run/2)
		case *G.F32:
			*v = G.F32(2 + run/2)
		}
	}}
}

func tensorConstant(n int) func(t *testing.T, dt tensor.Dtype) changing {
	return func(t *testing.T, dt tensor.Dtype) changing {
		g := G.NewGraph()
		x := input(g, dt, "x", 1, n)
		y := G.Must(G.HadamardProd(x, G.NewConstant(tensor.Ones(dt, n))))
		k := constant(t, g, 2)
		cost := G.Must(G.Sum(G.Must(G.Square(y))))
		_, err := G.Grad(cost, x)
		require.NoError(t, err)
		return changing{g, []*G.Node{y, cost, x.Deriv()}, func(t *testing.T, run int) {
			if run > 0 {
				require.NoError(t, k.Value().(*tensor.Dense).Memset(drawn(uint64(run), dt,
					1).Get(0)))
				k.Value().(*tensor.Dense).Set(run%n, drawn(uint64(run), dt, 2).Get(1))
			}
		}}
	}
}

func sliceAndConstant(t *testing.T, dt tensor.Dtype) changing {
	c := scalarConstant(t, dt)
	x := c.g.ByName("x")[0]
	y := G.Must(G.Slice(x, G.S(0)))
	return changing{c.g, append(c.results, y), func(t *testing.T, run int) {
		c.change(t, run)
		require.NoError(t, G.UnsafeLet(y, G.S(run%3)))
	}}
}

// What a program changes between runs, besides values, counts in the next run as on Gorgonia's own
// machine.
func TestChangesAfterCompiling(t *testing.T) {
	for name, build := range changes {
		for dt, tolerance := range map[tensor.Dtype]float64{tensor.Float64: 1e-12,
			tensor.Float32: 1e-5} {
			t.Run(fmt.Sprint(name, "/", dt), func(t *testing.T) {
				tape, ours := build(t, dt), build(t, dt)
				want := make([]G.Value, len(tape.results))
				for i, n := range tape.results {
					G.Read(n, &want[i])
				}
				vm, err := graph.Compile(ours.g, graph.Also(ours.results...))
				require.NoError(t, err)
				defer vm.Close()
				reference := G.NewTapeMachine(tape.g)
				defer reference.Close()
				for run := range 5 {
					tape.change(t, run)
					ours.change(t, run)
					require.NoError(t, reference.RunAll())
					reference.Reset()
					if run%2 == 0 {
						require.NoError(t, vm.RunAll())
					} else {
						ctx, cancel := context.WithCancel(t.Context())
						require.NoError(t, vm.RunContext(ctx))
						cancel()
					}
					for i, n := range ours.results {
						near(t, want[i], n.Value(), tolerance, fmt.Sprintf("run %d: %v", run, n))
					}
				}
			})
		}
	}
}

// Once a range has moved, it is only looked up.
func TestFollowingChangesAllocatesNothing(t *testing.T) {
	g := G.NewGraph()
	x := input(g, tensor.Float32, "x", 1, 50, 8)
	y := G.Must(G.Slice(x, G.S(0)))
	cost := G.Must(G.Sum(G.Must(G.Mul(G.Must(G.Square(y)), G.NewConstant(float32(3))))))
	_, err := G.Grad(cost, x)
	require.NoError(t, err)
	vm, err := graph.Compile(g)
	require.NoError(t, err)
	defer vm.Close()
	still := testing.AllocsPerRun(20, func() { require.NoError(t, vm.RunAll()) })
	ranges := []tensor.Slice{G.S(3), G.S(5), G.S(49)}
	run := 0
	moving := testing.AllocsPerRun(20, func() {
		run++
		require.NoError(t, G.UnsafeLet(y, ranges[run%3]))
		require.NoError(t, vm.RunAll())
	})
	require.Equal(t, still, moving)
	require.Contains(t, vm.Explain(), "looked up in each run")
}

// A range that the graph was not built for is an error that says so; the next good one runs.
func TestRangesThatDoNotFit(t *testing.T) {
	g := G.NewGraph()
	x := input(g, tensor.Float64, "x", 1, 4, 3)
	y := G.Must(G.Slice(x, G.S(0)))
	vm, err := graph.Compile(g)
	require.NoError(t, err)
	defer vm.Close()
	require.NoError(t, vm.RunAll())
	for s, want := range map[tensor.Slice]string{
		G.S(4):     "a slice from 4 on of an axis of size 4",
		G.S(-1, 1): "a slice from -1 on of an axis of size 4",
		G.S(1, 3):  "a slice of 2 elements, where the graph was built for 1",
		G.S(2, 2):  "a slice of 4 elements, where the graph was built for 1",
	} {
		require.NoError(t, G.UnsafeLet(y, s))
		require.ErrorContains(t, vm.RunAll(), want)
		_, err := vm.Profile(1)
		require.ErrorContains(t, err, want)
		require.NoError(t, G.UnsafeLet(y, G.S(2)))
		require.NoError(t, vm.RunAll())
		require.Equal(t, numbers(t, x.Value())[6:9], numbers(t, y.Value()))
	}
}

// A tensor that is bound already may be transposed or given another shape in place.
func TestInputsThatChangeInPlace(t *testing.T) {
	for _, dt := range []tensor.Dtype{tensor.Float64, tensor.Float32, tensor.Int} {
		g := G.NewGraph()
		v := tensor.New(tensor.WithShape(2, 2), tensor.WithBacking(tensor.Range(dt, 0, 4)))
		x := G.NewMatrix(g, dt, G.WithName("x"), G.WithShape(2, 2), G.WithValue(v))
		var y *G.Node
		if dt == tensor.Int {
			y = G.Must(G.ByIndices(input(g, tensor.Float64, "table", 1, 5, 2),
				G.Must(G.Reshape(x, tensor.Shape{4})), 0))
		} else {
			y = G.Must(G.Square(x))
		}
		vm, err := graph.Compile(g)
		require.NoError(t, err)
		defer vm.Close()
		require.NoError(t, vm.RunAll())
		was := append([]float64(nil), numbers(t, y.Value())...)
		require.NoError(t, v.T())
		require.NoError(t, vm.RunAll())
		now := numbers(t, y.Value())
		n := len(was) / 4
		require.Equal(t, was[n:2*n], now[2*n:3*n], "%v", dt)
		require.Equal(t, was[2*n:3*n], now[n:2*n], "%v", dt)
		v.UT()
		require.NoError(t, vm.RunAll())
		require.Equal(t, was, numbers(t, y.Value()))
		require.NoError(t, v.Reshape(4))
		require.ErrorContains(t, vm.RunAll(), `input "x" is`)
		require.NoError(t, v.Reshape(2, 2))
		require.NoError(t, vm.RunAll())
		require.Equal(t, was, numbers(t, y.Value()))
	}
}

// scaled is a cell that multiplies its input by a constant of Gorgonia's.
type scaled struct {
	*owncells.MinimalGatedUnit
	by *G.Node
}

func (s scaled) Step(x *nodes.Node, state cells.State) cells.State {
	g := x.Graph()
	return s.MinimalGatedUnit.Step(g.Of(G.Must(G.Mul(x.Gorgonia(), s.by))), state)
}

// In a step of a recurrence what was changed is refused.
func TestChangesInARecurrence(t *testing.T) {
	by := G.NewConstant(2.0)
	store := nodes.NewStore(nodes.Float64, 1)
	g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
	x := g.Input("x", 3, 5, 3)
	random(t, rand.New(rand.NewPCG(1, 1)), x)
	y := unroll.Over(scaled{owncells.NewMinimalGatedUnit(store.Root(), 3, 4), by}).Unroll(x, nil,
		unroll.Options{}).Y()
	vm, err := graph.Compile(g.Expr(), graph.Keep(y.Gorgonia()))
	require.NoError(t, err)
	defer vm.Close()
	require.NoError(t, vm.RunAll())
	*by.Value().(*G.F64) = 3
	require.ErrorContains(t, vm.RunAll(), "compile it again")
	again, err := graph.Compile(g.Expr(), graph.Keep(y.Gorgonia()))
	require.NoError(t, err)
	defer again.Close()
	require.NoError(t, again.RunAll())
}
