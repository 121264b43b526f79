package graph_test

import (
	"fmt"
	"hash"
	"hash/fnv"
	"testing"

	"github.com/chewxy/hm"
	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/gorgoniatest"
	"github.com/seqzoo/seqzoo/internal/testkit"
)

func dense(data []float64, shape ...int) *tensor.Dense {
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data))
}

func compiled(t *testing.T, g *G.ExprGraph, opts ...graph.Option) *graph.Machine {
	t.Helper()
	vm, err := graph.Compile(g, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { vm.Close() })
	return vm
}

func TestRead(t *testing.T) {
	g := G.NewGraph()
	x := G.NewVector(g, G.Float64, G.WithShape(3), G.WithName("x"),
		G.WithValue(dense([]float64{1, 2, 3}, 3)))
	y := G.Must(G.Square(x))
	z := G.Must(G.Sum(y))
	theirs := dense([]float64{9, 9, 9}, 3)
	var first, input, scalar, two G.Value
	preset, unfit := G.Value(theirs), G.Value(dense([]float64{7}, 1))
	for _, r := range []struct {
		n    *G.Node
		into *G.Value
	}{{y, &first}, {y, &two}, {x, &input}, {z, &scalar}, {y, &preset}, {y, &unfit}} {
		G.Read(r.n, r.into)
	}
	vm := compiled(t, g)
	require.Nil(t, first, "until the first run")
	require.NoError(t, vm.RunAll())
	require.Equal(t, []float64{1, 4, 9}, first.Data())
	require.Equal(t, []float64{1, 4, 9}, two.Data())
	require.Equal(t, []float64{1, 4, 9}, unfit.Data())
	require.Equal(t, []float64{1, 2, 3}, input.Data())
	require.Equal(t, 14.0, scalar.Data())
	require.Equal(t, 14.0, z.Value().Data(), "what only a Read uses is a root")
	require.Same(t, theirs, preset, "a value that is there is copied into")
	require.Equal(t, []float64{1, 4, 9}, theirs.Data())

	held := first
	first.Data().([]float64)[0] = 100 // the reader's own
	require.Equal(t, []float64{1, 4, 9}, two.Data())
	require.NoError(t, G.Let(x, dense([]float64{2, 3, 4}, 3)))
	require.NoError(t, vm.RunAll())
	require.Equal(t, []float64{4, 9, 16}, held.Data(),
		"the pointer that was given first is written to again")
	require.Equal(t, []float64{4, 9, 16}, theirs.Data())
	require.Equal(t, []float64{2, 3, 4}, input.Data())
}

func TestKeepAndAlso(t *testing.T) {
	build := func() (g *G.ExprGraph, w, h, cost, read *G.Node, into *G.Value) {
		g = G.NewGraph()
		w = G.NewVector(g, G.Float64, G.WithShape(2), G.WithName("w"),
			G.WithValue(dense([]float64{1, 2}, 2)))
		h = G.Must(G.Square(w))
		cost = G.Must(G.Exp(G.Must(G.Neg(G.Must(G.Sum(h)))))) // its derivative uses it
		into = new(G.Value)
		read = G.Read(h, into)
		_, err := G.Grad(cost, w)
		require.NoError(t, err)
		return
	}
	t.Run("neither", func(t *testing.T) {
		g, w, h, cost, _, into := build()
		vm := compiled(t, g)
		require.NoError(t, vm.RunAll())
		require.NotNil(t, cost.Value())
		require.NotNil(t, *into)
		d, err := w.Grad()
		require.NoError(t, err)
		c := cost.Value().Data().(float64)
		testkit.RequireInDelta(t, []float64{-2 * c, -4 * c}, d.Data(), 1e-15)
		require.Nil(t, h.Value())
	})
	t.Run("also", func(t *testing.T) {
		g, w, h, cost, _, _ := build()
		vm := compiled(t, g, graph.Also(h))
		require.NoError(t, vm.RunAll())
		require.Equal(t, []float64{1, 4}, h.Value().Data())
		require.NotNil(t, cost.Value())
		d, err := w.Grad()
		require.NoError(t, err)
		require.NotNil(t, d)
	})
	t.Run("keep", func(t *testing.T) {
		g, w, h, cost, read, into := build()
		vm := compiled(t, g, graph.Keep(h))
		require.NoError(t, vm.RunAll())
		require.Equal(t, []float64{1, 4}, h.Value().Data())
		require.Nil(t, cost.Value())
		require.Nil(t, *into)
		require.Nil(t, w.Deriv().Value())
		vm = compiled(t, g, graph.Keep(read, w.Deriv()))
		require.NoError(t, vm.RunAll())
		require.Nil(t, cost.Value())
		require.Equal(t, []float64{1, 4}, (*into).Data())
		d, err := w.Grad()
		require.NoError(t, err)
		require.Equal(t, w.Deriv().Value(), d)
		require.NotSame(t, w.Deriv().Value(), d)
	})
}

// Gradients are assigned, and each input has its own, also where Gorgonia has one derivative for
// several.
func TestGradients(t *testing.T) {
	g := G.NewGraph()
	a := G.NewVector(g, G.Float64, G.WithShape(2), G.WithName("a"),
		G.WithValue(dense([]float64{1, 2}, 2)))
	b := G.NewVector(g, G.Float64, G.WithShape(2), G.WithName("b"))
	s := G.NewScalar(g, G.Float64, G.WithName("s"), G.WithValue(3.0))
	u := G.NewScalar(g, G.Float64, G.WithName("u"), G.WithValue(5.0))
	cost := G.Must(G.Add(G.Must(G.Add(G.Must(G.Sum(G.Must(G.Square(G.Must(G.Add(a, b)))))), s)), u))
	_, err := G.Grad(cost, a, b, s, u)
	require.NoError(t, err)
	require.Same(t, a.Deriv(), b.Deriv())
	require.Same(t, s.Deriv(), u.Deriv(), "a constant")
	vm := compiled(t, g)
	require.ErrorContains(t, vm.RunAll(), `input "b": no value is bound`)
	require.NoError(t, G.Let(b, dense([]float64{1, 1}, 2))) // after Compile
	grad := func(n *G.Node) any {
		v, err := n.Grad()
		require.NoError(t, err)
		return v.Data()
	}
	for range 3 {
		require.NoError(t, vm.RunAll())
		vm.Reset()
		require.Equal(t, []float64{4, 6}, grad(a))
		require.Equal(t, []float64{4, 6}, grad(b))
		require.Equal(t, 1.0, grad(s))
	}
	require.NoError(t, G.NewVanillaSolver(G.WithLearnRate(0.5)).Step(G.NodesToValueGrads(G.Nodes{a,
		b, s, u})))
	require.Equal(t, []float64{-1, -1}, a.Value().Data())
	require.Equal(t, []float64{-1, -2}, b.Value().Data())
	require.Equal(t, 2.5, s.Value().Data())
	require.Equal(t, 4.5, u.Value().Data())
	require.NoError(t, vm.RunAll())
	require.Equal(t, []float64{-4, -6}, grad(a))
	require.Equal(t, 1.0, grad(u), "the constant is untouched by what the solver did to gradients")
	require.Equal(t, 20.0, cost.Value().Data())
}

// A graph's nodes show what ran last, whether another machine of it or Gorgonia's.
func TestSeveralMachinesOfOneGraph(t *testing.T) {
	p, err := gorgoniatest.MLP(tensor.Float64, 4, 2, 3)
	require.NoError(t, err)
	require.NoError(t, p.Feed(0))
	one, two := compiled(t, p.Graph), compiled(t, p.Graph)
	tape := G.NewTapeMachine(p.Graph, G.BindDualValues(p.Learnables...))
	defer tape.Close()
	for i, vm := range []G.VM{tape, one, two, one, tape, two, one} {
		require.NoError(t, p.Feed(i))
		for range 2 {
			for _, n := range p.Learnables { // Gorgonia's machine adds to what is there
				if d, err := n.Grad(); err == nil && vm == G.VM(tape) {
					if d, ok := d.(*tensor.Dense); ok {
						d.Zero()
					}
				}
			}
			require.NoError(t, vm.RunAll())
			vm.Reset()
		}
		got := p.Cost.Value().Data().(float64)
		d, err := p.Learnables[0].Grad()
		require.NoError(t, err)
		grad := append([]float64(nil), d.Data().([]float64)...)
		require.NoError(t, two.RunAll())
		require.InDelta(t, p.Cost.Value().Data(), got, 1e-12, "machine %d", i)
		d, err = p.Learnables[0].Grad()
		require.NoError(t, err)
		testkit.RequireInDelta(t, d.Data(), grad, 1e-12, "machine %d", i)
	}
}

func TestWarnings(t *testing.T) {
	g := G.NewGraph()
	x := G.NewMatrix(g, G.Float64, G.WithShape(300, 2), G.WithName("x"),
		G.WithValue(dense(make([]float64, 600), 300, 2)))
	G.Must(G.Slice(x, G.S(7)))
	G.Must(G.Dropout(x, 0.5))
	vm := compiled(t, g)
	require.Len(t, vm.Warnings(), 2)
	require.Contains(t, vm.Warnings()[0], "slices axis 0, of size 300")
	require.Contains(t, vm.Warnings()[1], "gorgonia.Dropout")
	require.Contains(t, vm.Explain(), "warning: ")
	require.Contains(t, vm.Explain(), "runs through its own Do: dropoutOp")
	require.NoError(t, vm.RunAll())
}

// isTrue turns booleans into floats: an op of a user's own, with an operand that the engine has no
// memory for.
type isTrue struct{}

func (isTrue) Arity() int { return 1 }
func (isTrue) Type() hm.Type {
	return hm.NewFnType(G.TensorType{Dims: 1, Of: tensor.Bool},
		G.TensorType{Dims: 1, Of: tensor.Float64})
}
func (isTrue) InferShape(in ...G.DimSizer) (tensor.Shape, error) {
	return in[0].(tensor.Shape),
		nil
}
func (isTrue) Do(in ...G.Value) (G.Value, error) {
	bs := in[0].Data().([]bool)
	out := make([]float64, len(bs))
	for i, b := range bs {
		if b {
			out[i] = 1
		}
	}
	return dense(out, len(out)), nil
}
func (isTrue) ReturnsPtr() bool      { return false }
func (isTrue) CallsExtern() bool     { return false }
func (isTrue) OverwritesInput() int  { return -1 }
func (isTrue) WriteHash(h hash.Hash) { fmt.Fprint(h, "isTrue") }
func (isTrue) String() string        { return "isTrue" }
func (o isTrue) Hashcode() uint32 {
	h := fnv.New32a()
	o.WriteHash(h)
	return h.Sum32()
}

type explodes struct{ isTrue }

func (explodes) Do(...G.Value) (G.Value, error) { panic("it did") }
func (explodes) String() string                 { return "explodes" }

func TestValuesTheEngineCannotHold(t *testing.T) {
	g := G.NewGraph()
	x := G.NewVector(g, G.Float64, G.WithShape(3), G.WithName("x"),
		G.WithValue(dense([]float64{1, 2, 3}, 3)))
	y := G.NewVector(g, G.Float64, G.WithShape(3), G.WithName("y"),
		G.WithValue(dense([]float64{3, 2, 1}, 3)))
	less := G.Must(G.Lt(G.Must(G.Square(x)), G.Must(G.Square(y)), false)) // booleans
	asFloat := G.Must(G.ApplyOp(isTrue{}, less))
	out := G.Must(G.Sum(G.Must(G.HadamardProd(asFloat, x))))
	given := G.NewVector(g, tensor.Bool, G.WithShape(3), G.WithName("given"),
		G.WithValue(tensor.New(tensor.WithShape(3), tensor.WithBacking([]bool{true, false, true}))))
	given1 := G.Must(G.ApplyOp(isTrue{}, given))
	f32 := G.NewVector(g, G.Float32, G.WithShape(2), G.WithName("f32"),
		G.WithValue(tensor.New(tensor.WithShape(2), tensor.WithBacking([]float32{1, 2}))))
	other := G.Must(G.Exp(G.Must(G.Neg(f32)))) // floats of another type than most
	var booleans, narrow G.Value
	G.Read(less, &booleans)
	G.Read(other, &narrow)

	vm := compiled(t, g, graph.Also(less))
	for range 2 {
		require.NoError(t, vm.RunAll())
		require.Equal(t, 1.0, out.Value().Data())
		require.Equal(t, []float64{1, 0, 1}, given1.Value().Data())
		require.Equal(t, []bool{true, false, false}, less.Value().Data())
		require.Equal(t, []bool{true, false, false}, booleans.Data())
		testkit.RequireInDelta(t, []float32{0.36787945, 0.13533528}, narrow.Data(), 1e-7)
	}
	require.NoError(t, G.Let(x, dense([]float64{-1, 0, 9}, 3)))
	require.NoError(t, vm.RunAll())
	require.Equal(t, -1.0, out.Value().Data())
	require.Equal(t, []bool{true, true, false}, booleans.Data())
}

// Operations without a translation: their Do is run, anew each time.
func TestForeignOperations(t *testing.T) {
	g := G.NewGraph()
	x := G.NewMatrix(g, G.Float64, G.WithShape(2, 2), G.WithName("x"),
		G.WithValue(dense([]float64{1, 2, 3, 4}, 2, 2)))
	diagonal := G.Must(G.DiagFlat(x))
	noise := G.GaussianRandomNode(g, G.Float64, 0, 1, 2, 2)
	noisy := G.Must(G.Add(x, noise))
	ints := G.NewVector(g, tensor.Int, G.WithShape(4), G.WithName("ints"),
		G.WithValue(tensor.New(tensor.WithShape(4), tensor.WithBacking([]int{1, 2, 3, 4}))))
	square := G.Must(G.Reshape(ints, tensor.Shape{2, 2}))
	converted := G.Must(G.ConvType(ints, tensor.Int, tensor.Float64))
	sparse := G.Must(G.Sparsemax(x))
	vm := compiled(t, g)
	seen := map[float64]bool{}
	for range 3 {
		require.NoError(t, vm.RunAll())
		seen[noisy.Value().Data().([]float64)[0]] = true
	}
	require.Len(t, seen, 3, "noise is drawn anew")
	require.Equal(t, []float64{1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 3, 0, 0, 0, 0, 4},
		diagonal.Value().Data())
	require.Equal(t, []int{1, 2, 3, 4}, square.Value().Data())
	require.Equal(t, []float64{1, 2, 3, 4}, converted.Value().Data())
	require.Equal(t, []float64{0, 1, 0, 1}, sparse.Value().Data())

	// A panic in an op is an error of the run, not the end of the process.
	g = G.NewGraph()
	v := G.NewVector(g, tensor.Bool, G.WithShape(1), G.WithName("v"),
		G.WithValue(tensor.New(tensor.WithShape(1), tensor.WithBacking([]bool{true}))))
	G.Must(G.ApplyOp(explodes{}, v))
	require.ErrorContains(t, compiled(t, g).RunAll(), "explodes: it did")
}

func TestEvalMode(t *testing.T) {
	for _, eval := range []bool{false, true} {
		g := G.NewGraph()
		x := G.NewVector(g, G.Float64, G.WithShape(1000), G.WithName("x"),
			G.WithValue(dense(make([]float64, 1000), 1000)))
		y := G.Must(G.Dropout(G.Must(G.Exp(x)), 0.5))
		var opts []graph.Option
		if eval {
			opts = append(opts, graph.EvalMode())
		}
		require.NoError(t, compiled(t, g, opts...).RunAll())
		if eval {
			require.NotContains(t, y.Value().Data(), 0.0)
		} else {
			require.Contains(t, y.Value().Data(), 0.0)
		}
	}
}

func TestWrongInputsOfPlainPrograms(t *testing.T) {
	g := G.NewGraph()
	x := G.NewMatrix(g, G.Float64, G.WithShape(2, 3), G.WithName("x"),
		G.WithValue(dense(make([]float64, 4), 2, 2)))
	w := G.NewMatrix(g, G.Float64, G.WithShape(2, 3), G.WithName("w"),
		G.WithValue(dense(make([]float64, 6), 2, 3)))
	cost := G.Must(G.Sum(G.Must(G.HadamardProd(x, w))))
	_, err := G.Grad(cost, w, x)
	require.NoError(t, err)
	G.NewVector(g, G.Float64, G.WithShape(1), G.WithName("used by nothing"))
	vm := compiled(t, g)
	require.ErrorContains(t, vm.RunAll(), `input "x" is float64 [2, 2], want float64 [2, 3]`)
	require.NoError(t, G.Let(x, dense(make([]float64, 6), 2, 3)))
	require.NoError(t, vm.RunAll())
	require.NoError(t, vm.Close())
	require.ErrorContains(t, vm.RunAll(), "closed")
	require.NoError(t, vm.Close())
}

func TestPlainProgramsDoNotAllocate(t *testing.T) {
	rnn, err := gorgoniatest.RNN(tensor.Float32, 5, 4, 3, 8)
	require.NoError(t, err)
	// with a scalar to learn, and tensors of one element
	mlp, err := gorgoniatest.MLP(tensor.Float64, 1, 1, 1)
	require.NoError(t, err)
	for _, p := range []*gorgoniatest.Program{rnn, mlp} {
		require.NoError(t, p.Feed(0))
		var into G.Value
		G.Read(p.Cost, &into)
		vm := compiled(t, p.Graph, graph.ReuseValues(), graph.Workers(1))
		require.NoError(t, vm.RunAll())
		require.Zero(t, testing.AllocsPerRun(20, func() {
			require.NoError(t, vm.RunAll())
			vm.Reset()
		}))
	}
}

// Derivatives that Grad makes on the way, of inputs it was not asked for, are not computed.
func TestUnaskedDerivatives(t *testing.T) {
	p, err := gorgoniatest.MLP(tensor.Float64, 3, 4, 5)
	require.NoError(t, err)
	vm := compiled(t, p.Graph, graph.Without("fuse"))
	require.NotContains(t, vm.Explain(), "gemm 3×4×5", "dL/dx")
	require.Contains(t, vm.Explain(), "gemm 4×5×3", "dL/dw1")
}
