package graph_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/graph"
)

// quadratic is Σ (w·x)² with its gradient in w, of n elements; v of a second scalar parameter is
// added.
type quadratic struct {
	g            *G.ExprGraph
	x, w, s      *G.Node
	y, cost      *G.Node
	derivs       G.Nodes
	read         G.Value
	wBack, xBack []float64
}

func newQuadratic(t *testing.T) *quadratic {
	q := &quadratic{g: G.NewGraph(), wBack: []float64{1, 2}, xBack: []float64{1, 1}}
	q.x = G.NewVector(q.g, G.Float64, G.WithShape(2), G.WithName("x"),
		G.WithValue(dense(q.xBack, 2)))
	q.w = G.NewVector(q.g, G.Float64, G.WithShape(2), G.WithName("w"),
		G.WithValue(dense(q.wBack, 2)))
	q.s = G.NewScalar(q.g, G.Float64, G.WithName("s"), G.WithValue(1.0))
	q.y = G.Must(G.HadamardProd(q.w, q.x))
	q.cost = G.Must(G.Add(G.Must(G.Sum(G.Must(G.Square(q.y)))), G.Must(G.Square(q.s))))
	var err error
	q.derivs, err = G.Grad(q.cost, q.w, q.s)
	require.NoError(t, err)
	G.Read(q.y, &q.read)
	return q
}

func grad(t *testing.T, n *G.Node) G.Value {
	t.Helper()
	v, err := n.Grad()
	require.NoError(t, err)
	require.NotNil(t, v)
	return v
}

// What runs leave is theirs: values and gradients that a program collects stay what they were.
func TestValuesOutliveTheNextRun(t *testing.T) {
	for name, opts := range map[string][]graph.Option{"": nil, "all": {graph.KeepAll()},
		"plain": {graph.Plain(), graph.KeepAll()}} {
		t.Run(name, func(t *testing.T) {
			q := newQuadratic(t)
			vm := compiled(t, q.g, append(opts, graph.Also(q.y))...)
			require.Nil(t, q.cost.Value(), "before the first run there is no value")
			var ys, costs, ws, ss, ds, dss []G.Value
			for i := range 3 {
				q.xBack[0] = float64(i + 1)
				require.NoError(t, vm.RunAll())
				vm.Reset()
				ys, costs, ws, ss = append(ys, q.y.Value()), append(costs, q.cost.Value()),
					append(ws, grad(t, q.w)), append(ss, grad(t, q.s))
				ds, dss = append(ds, q.derivs[0].Value()), append(dss, q.derivs[1].Value())
			}
			for i := range 3 {
				x := float64(i + 1)
				require.Equal(t, []float64{x, 2}, ys[i].Data())
				require.Equal(t, x*x+5, costs[i].Data())
				require.Equal(t, []float64{2 * x * x, 4}, ws[i].Data())
				require.Equal(t, 2.0, ss[i].Data())
				require.Equal(t, ws[i].Data(), ds[i].Data())
				require.Equal(t, 2.0, dss[i].Data())
			}
		})
	}
}

// A value may be carried over to an input of the next run.
func TestResultsAsInputs(t *testing.T) {
	build := func() (x, y *G.Node) {
		g := G.NewGraph()
		x = G.NewVector(g, G.Float64, G.WithShape(3), G.WithName("x"),
			G.WithValue(dense([]float64{1, 2, 3}, 3)))
		turn := G.NewMatrix(g, G.Float64, G.WithShape(3, 3), G.WithName("turn"),
			G.WithValue(dense([]float64{0, 1, 0, 0, 0, 1, 1, 0, 0}, 3, 3)))
		return x, G.Must(G.Mul(turn, x))
	}
	x, y := build()
	vm := compiled(t, x.Graph())
	for _, want := range [][]float64{{2, 3, 1}, {3, 1, 2}, {1, 2, 3}} {
		require.NoError(t, vm.RunAll())
		require.Equal(t, want, y.Value().Data())
		require.NoError(t, vm.Let(x, y.Value()))
	}

	x, y = build()
	vm = compiled(t, x.Graph(), graph.ReuseValues())
	require.NoError(t, vm.RunAll())
	require.NoError(t, G.Let(x, y.Value())) // the memory that the run writes to
	require.ErrorContains(t, vm.RunAll(),
		`input "x" is bound to memory of the machine's own results`)
	view, err := y.Value().(*tensor.Dense).Slice(tensor.S(0, 3))
	require.NoError(t, err)
	require.NoError(t, G.Let(x, view))
	require.ErrorContains(t, vm.RunAll(), "copy it")
	for _, want := range [][]float64{{3, 1, 2}, {1, 2, 3}} {
		require.NoError(t, vm.Set(x, y)) // copies
		require.NoError(t, vm.RunAll())
		require.Equal(t, want, y.Value().Data())
	}
}

func TestReuseValues(t *testing.T) {
	q := newQuadratic(t)
	vm := compiled(t, q.g, graph.ReuseValues())
	require.NoError(t, vm.RunAll())
	cost, w, s := q.cost.Value(), grad(t, q.w), grad(t, q.s)
	q.xBack[0] = 3
	require.NoError(t, vm.RunAll())
	require.Same(t, cost, q.cost.Value())
	require.Same(t, w, grad(t, q.w))
	require.Same(t, s, grad(t, q.s))
	require.Equal(t, 14.0, cost.Data())
	require.Equal(t, []float64{18, 4}, w.Data())
}

// A solver sets gradients to 0, and leaves the derivative's node what it was.
func TestSolversLeaveDerivatives(t *testing.T) {
	q := newQuadratic(t)
	vm := compiled(t, q.g)
	require.NoError(t, vm.RunAll())
	require.NoError(t, G.NewVanillaSolver(G.WithLearnRate(0.5)).Step(G.NodesToValueGrads(G.Nodes{q.w, q.s})))
	require.Equal(t, []float64{2, 4}, q.derivs[0].Value().Data())
	require.Equal(t, 2.0, q.derivs[1].Value().Data())
	require.Equal(t, []float64{0, 0}, grad(t, q.w).Data())
}

// A gradient is written over once a solver has set it to 0. One that was only looked at, masked, or
// was 0 from the start stays what it was.
func TestGradientsOfATraining(t *testing.T) {
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		g := G.NewGraph()
		value := func(vs ...float64) *tensor.Dense {
			d := tensor.New(tensor.Of(dt), tensor.WithShape(len(vs)))
			for i, v := range vs {
				if dt == tensor.Float32 {
					d.Float32s()[i] = float32(v)
				} else {
					d.Float64s()[i] = v
				}
			}
			return d
		}
		x := G.NewVector(g, dt, G.WithShape(3), G.WithName("x"))
		w := G.NewVector(g, dt, G.WithShape(3), G.WithName("w"), G.WithValue(value(1, 1, 1)))
		s := G.NewScalar(g, dt, G.WithName("s"))
		if dt == tensor.Float32 {
			require.NoError(t, G.Let(s, G.NewF32(1)))
		} else {
			require.NoError(t, G.Let(s, G.NewF64(1)))
		}
		cost := G.Must(G.Mul(G.Must(G.Sum(G.Must(G.HadamardProd(w, x)))), s))
		must(G.Grad(cost, w, s))
		vm := compiled(t, g)
		solver := G.NewVanillaSolver(G.WithLearnRate(0))
		run := func(vs ...float64) (ofW, ofS G.Value) {
			require.NoError(t, G.Let(x, value(vs...)))
			require.NoError(t, vm.RunAll())
			return grad(t, w), grad(t, s)
		}
		step := func() { require.NoError(t, solver.Step(G.NodesToValueGrads(G.Nodes{w, s}))) }

		zero, zeroS := run(0, 0, 0)
		first, firstS := run(0, 1e-40, 2)
		require.Equal(t, value(0, 0, 0).Data(), zero.Data(), "it was 0 from the start")
		require.EqualValues(t, 0, zeroS.Data())
		first.(*tensor.Dense).Set(1, value(0).Get(0)) // masked
		second, secondS := run(0, 3, 4)
		require.Equal(t, value(0, 0, 2).Data(), first.Data(), "it was not all set to 0")
		require.NotSame(t, firstS, secondS)
		step()
		third, thirdS := run(5, 6, 7)
		require.Same(t, second, third, "a solver took it")
		require.Same(t, secondS, thirdS)
		require.Equal(t, value(5, 6, 7).Data(), third.Data())
		require.EqualValues(t, 18, thirdS.Data())
		step()
		fourth, _ := run(0, 0, 0)
		require.Same(t, third, fourth)
		step()
		last, _ := run(1, 2, 3)
		require.NotSame(t, fourth, last, "whether a gradient of 0 was taken cannot be told")
	}
}

// Gradients are assigned, or added up as on Gorgonia's machine, until a solver takes them.
func TestAddGradients(t *testing.T) {
	type seen struct{ w, s any }
	run := func(machine func(q *quadratic) G.VM) (out []seen) {
		q := newQuadratic(t)
		vm := machine(q)
		defer vm.Close()
		solver := G.NewVanillaSolver(G.WithLearnRate(0.25))
		for i := range 7 {
			q.xBack[1] = float64(i)
			require.NoError(t, vm.RunAll())
			vm.Reset()
			w := append([]float64(nil), grad(t, q.w).Data().([]float64)...)
			out = append(out, seen{w, grad(t, q.s).Data()})
			if i%3 == 2 {
				require.NoError(t, solver.Step(G.NodesToValueGrads(G.Nodes{q.w, q.s})))
			}
			require.NotEqual(t, []float64{0, 0}, q.derivs[0].Value().Data())
		}
		return out
	}
	want := run(func(q *quadratic) G.VM {
		return G.NewTapeMachine(q.g,
			G.BindDualValues(q.w, q.s))
	})
	for _, opts := range [][]graph.Option{nil, {graph.ReuseValues()}, {graph.Plain()},
		{graph.KeepAll()}} {
		got := run(func(q *quadratic) G.VM {
			return compiled(t, q.g,
				append(opts, graph.AddGradients())...)
		})
		require.Equal(t, want, got)
	}
	assigned := run(func(q *quadratic) G.VM { return compiled(t, q.g) })
	require.Equal(t, want[0], assigned[0])
	require.NotEqual(t, want[1], assigned[1])
}

func TestReadAnew(t *testing.T) {
	q := newQuadratic(t)
	vm := compiled(t, q.g)
	require.NoError(t, vm.RunAll())
	first := q.read
	q.read, q.xBack[0] = nil, 5 // a reader that wants the next one to itself
	require.NoError(t, vm.RunAll())
	require.Equal(t, []float64{1, 2}, first.Data())
	require.Equal(t, []float64{5, 2}, q.read.Data())
}

func TestKeepAll(t *testing.T) {
	// the mean is made of the sum; other nodes equal one another
	t.Run("merged", func(t *testing.T) {
		g := G.NewGraph()
		x := G.NewMatrix(g, G.Float64, G.WithShape(2, 2), G.WithName("x"),
			G.WithValue(dense([]float64{1, 2, 3, 4}, 2, 2)))
		sum, mean := G.Must(G.Sum(x)), G.Must(G.Mean(x))
		twice, same := G.Must(G.Transpose(G.Must(G.Transpose(x)))), G.Must(G.Neg(G.Must(G.Neg(x))))
		flat := G.Must(G.Reshape(x, tensor.Shape{4}))
		less := G.Must(G.Lt(twice, same, false))
		all := G.Must(G.Lt(twice, same, true))
		var read G.Value
		G.Read(sum, &read)
		for _, opt := range []graph.Option{graph.KeepAll(), graph.Also(g.AllNodes()...)} {
			vm := compiled(t, g, opt)
			require.NoError(t, vm.RunAll())
			require.Equal(t, 10.0, sum.Value().Data())
			require.Equal(t, 10.0, read.Data())
			require.Equal(t, 2.5, mean.Value().Data())
			require.Equal(t, []float64{1, 2, 3, 4}, twice.Value().Data())
			require.Equal(t, []float64{1, 2, 3, 4}, same.Value().Data())
			require.Equal(t, []float64{1, 2, 3, 4}, flat.Value().Data())
			require.Equal(t, []bool{false, false, false, false}, less.Value().Data())
			require.Equal(t, []float64{0, 0, 0, 0}, all.Value().Data())
		}
	})
	t.Run("second derivative", func(t *testing.T) {
		g := G.NewGraph()
		x := G.NewScalar(g, G.Float64, G.WithName("x"), G.WithValue(2.0))
		y := G.Must(G.Cube(x))
		first := must(G.Grad(y, x))[0]
		second := must(G.Grad(first, x))[0]
		vm := compiled(t, g)
		require.Len(t, vm.Warnings(), 1)
		require.Contains(t, vm.Warnings()[0], "gorgonia.Grad was called for ")
		require.NoError(t, vm.RunAll())
		// The second derivative is 12. Of the sum that it is, the second Grad gives one term.
		require.Equal(t, []any{8.0, 12.0, 6.0}, []any{y.Value().Data(), first.Value().Data(),
			second.Value().Data()})
	})
	t.Run("gradients of inner nodes", func(t *testing.T) {
		q := newQuadratic(t)
		vm := compiled(t, q.g, graph.KeepAll())
		require.NoError(t, vm.RunAll())
		require.Equal(t, []float64{2, 4}, grad(t, q.y).Data())
		require.Equal(t, 1.0, grad(t, q.cost).Data())
		for _, n := range q.g.AllNodes() {
			if n.Type() != nil { // that is, but for the Read
				require.NotNil(t, n.Value(), "%v", n)
			}
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestLetAndSet(t *testing.T) {
	q := newQuadratic(t)
	vm := compiled(t, q.g)
	require.NoError(t, vm.Let(q.x, dense([]float64{3, 4}, 2)))
	require.NoError(t, vm.Let(q.s, 2.0))
	require.NoError(t, vm.RunAll())
	require.Equal(t, 9.0+64+4, q.cost.Value().Data())

	require.ErrorContains(t, vm.Let(q.y, dense([]float64{3, 4}, 2)), "non input node")
	require.ErrorContains(t, vm.Set(q.x, q.y), "has no value")
	other := G.NewVector(G.NewGraph(), G.Float64, G.WithShape(2), G.WithName("other"))
	require.ErrorContains(t, vm.Let(other, dense([]float64{3, 4}, 2)),
		"not a node of the machine's graph")
	require.ErrorContains(t, vm.Let(nil, 1.0), "nil")
	require.ErrorContains(t, vm.Set(q.x, other), "not a node of the machine's graph")
	require.ErrorContains(t, vm.Set(other, q.x), "not a node of the machine's graph")
	require.ErrorContains(t, vm.Set(q.x, nil), "nil")
	require.Error(t, vm.Set(q.x, q.s), "another shape")

	require.NoError(t, vm.Set(q.w, q.x))
	require.NoError(t, vm.RunAll())
	require.Equal(t, 81.0+256+4, q.cost.Value().Data())
	q.w.Value().Data().([]float64)[0] = 0 // a copy
	require.Equal(t, []float64{3, 4}, q.x.Value().Data())
}

// An id beyond the table takes its first row, and gives it its gradient, as on Gorgonia's machine;
// one before it, of which Gorgonia's dies, is an error.
func TestIdsBeyondTheTable(t *testing.T) {
	build := func(ids []int, axis int, shape ...int) (table, y *G.Node) {
		g := G.NewGraph()
		table = G.NewMatrix(g, G.Float64, G.WithShape(shape...), G.WithName("table"),
			G.WithValue(dense([]float64{1, 2, 3, 4, 5, 6, 7, 8}, shape...)))
		at := G.NewVector(g, tensor.Int, G.WithShape(len(ids)), G.WithName("ids"),
			G.WithValue(tensor.New(tensor.WithShape(len(ids)), tensor.WithBacking(ids))))
		return table, G.Must(G.ByIndices(table, at, axis))
	}
	ids := []int{0, 3, 9, 1, 4}
	for axis, shape := range [][]int{{4, 2}, {2, 4}} {
		_, y := build(ids, axis, shape...)
		tape := G.NewTapeMachine(y.Graph())
		require.NoError(t, tape.RunAll())
		want := y.Value().Data()

		table, y := build(ids, axis, shape...)
		must(G.Grad(G.Must(G.Sum(G.Must(G.Square(y)))), table))
		vm := compiled(t, y.Graph(), graph.KeepAll())
		require.NoError(t, vm.RunAll())
		require.Equal(t, want, y.Value().Data())
		require.Equal(t, [][]float64{{6, 12, 6, 8, 0, 0, 14, 16},
			{6, 4, 0, 8, 30, 12, 0, 16}}[axis], grad(t, table).Data())

		_, y = build([]int{0, -1}, axis, shape...)
		require.ErrorContains(t, compiled(t, y.Graph()).RunAll(), "outside 0 … 3")
	}
}

// What runs outside of the program is in its listing and its profile, under the name of the
// operation.
func TestForeignOperationsAreListed(t *testing.T) {
	g := G.NewGraph()
	x := G.NewVector(g, G.Float64, G.WithShape(3), G.WithName("x"),
		G.WithValue(dense([]float64{1, 2, 3}, 3)))
	less := G.Must(G.Lt(G.Must(G.Square(x)), x, false)) // booleans
	diagonal := G.Must(G.DiagFlat(G.Must(G.Exp(x))))
	vm := compiled(t, g)
	require.NoError(t, vm.RunAll())
	require.Equal(t, []bool{false, false, false}, less.Value().Data())
	require.Equal(t, tensor.Shape{3, 3}, diagonal.Value().Shape())
	p := must(vm.Profile(3))
	kernels := map[string]bool{}
	for _, k := range p.ByKernel() {
		kernels[k.What] = true
		require.Positive(t, k.Time)
	}
	require.Contains(t, kernels, "foreign DiagFlat")
	require.Contains(t, kernels, "foreign < false")
	require.Contains(t, vm.Explain(), "foreign < false")
	require.Contains(t, vm.Explain(), "foreign DiagFlat")
	for _, s := range p.ByPath() {
		require.Equal(t, "(no scope)", s.What)
	}
}

// The product of two vectors is a scalar node whose value, in Gorgonia, is a scalar for Mul and a
// vector for Tensordot.
func TestScalarOfTwoVectors(t *testing.T) {
	build := func() (mul, dot *G.Node, read *G.Value) {
		g := G.NewGraph()
		a := G.NewVector(g, G.Float64, G.WithShape(3), G.WithName("a"),
			G.WithValue(dense([]float64{1, 2, 3}, 3)))
		b := G.NewVector(g, G.Float64, G.WithShape(3), G.WithName("b"),
			G.WithValue(dense([]float64{1, 2, 4}, 3)))
		mul, dot = G.Must(G.Mul(a, b)), G.Must(G.Tensordot([]int{0}, []int{0}, a, b))
		read = new(G.Value)
		G.Read(dot, read)
		return mul, dot, read
	}
	mul, dot, read := build()
	require.NoError(t, G.NewTapeMachine(mul.Graph()).RunAll())
	want := []G.Value{mul.Value(), dot.Value(), *read}
	for _, opts := range [][]graph.Option{nil, {graph.ReuseValues()}, {graph.Plain()}} {
		mul, dot, read := build()
		vm := compiled(t, mul.Graph(), opts...)
		for range 2 {
			require.NoError(t, vm.RunAll())
			for i, got := range []G.Value{mul.Value(), dot.Value(), *read} {
				require.Equal(t, want[i].Shape(), got.Shape(), i)
				require.Equal(t, want[i].Data(), got.Data(), i)
			}
		}
	}
}
