package graph_test

import (
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/owncells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// language is a language model of one layer: embedding, recurrence, projection, cross-entropy, all
// gradients.
func language(t require.TestingT, store *nodes.Store, T, B, V, H int) model {
	var m model
	r := rand.New(rand.NewPCG(1, 2))
	require.NoError(t, nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{Dtype: store.Dtype(), Training: true})
		m.g = g
		ids, targets := g.IntInput("ids", T, B), g.IntInput("targets", T, B)
		for _, n := range []*nodes.Node{ids, targets} {
			v := make([]int, T*B)
			for i := range v {
				v[i] = r.IntN(V)
			}
			bindInts(t, n, v)
		}
		s := store.Root()
		param := func(name string, shape ...int) *nodes.Param {
			if p, ok := store.Get(name); ok {
				return p
			}
			return s.Param(name, nodes.Normal(0, 0.1), shape...)
		}
		x := nodes.Dropout(nodes.Embedding(param("E", V, H), ids, 0), 0.1)
		cell := &owncells.MinimalGatedUnit{
			Hidden: H,
			WF:     param("W_f", H, H), UF: param("U_f", H, H),
			WH: param("W_h", H, H), UH: param("U_h", H, H),
			B: param("b", H),
		}
		y := unroll.Over(cell).Unroll(x, nil, unroll.Options{}).Y()
		logits := nodes.Add(nodes.MatMul(y, param("W", H, V)), param("c", V))
		loss := nodes.CrossEntropy(logits, targets,
			nodes.CrossEntropyOptions{Ignore: []int{0}, Smoothing: 0.1})
		m.keep = append(m.keep, loss.Gorgonia())
		var wrt []nodes.Operand
		for _, p := range store.Params() {
			wrt = append(wrt, p)
		}
		for _, d := range g.Gradients(loss, wrt...) {
			m.keep = append(m.keep, d.Gorgonia())
		}
	}))
	return m
}

func TestLanguageModelAgainstPlain(t *testing.T) {
	for _, s := range []struct{ T, B, V, H int }{{1, 1, 2, 1}, {7, 3, 11, 5}, {13, 16, 600, 37}} {
		m := language(t, nodes.NewStore(nodes.Float64, 1), s.T, s.B, s.V, s.H)
		want := m.outcome(t, graph.Plain())
		requireSame(t, want, m.outcome(t), 1e-12, "float64")
		m = language(t, nodes.NewStore(nodes.Float32, 1), s.T, s.B, s.V, s.H)
		want = m.outcome(t, graph.Plain())
		one := m.outcome(t, graph.Workers(1))
		requireSame(t, want, one, 2e-5, "float32")
		require.Equal(t, one, m.outcome(t, graph.Workers(3), graph.ShareAll()), "workers")
	}
}

func TestRunsDoNotAllocate(t *testing.T) {
	for _, workers := range []int{1, 2} {
		m := language(t, nodes.NewStore(nodes.Float32, 1), 9, 4, 50, 32)
		vm, err := graph.Compile(m.g.Expr(), graph.Keep(m.keep...), graph.ReuseValues(),
			graph.Workers(workers), graph.ShareAll())
		require.NoError(t, err)
		defer vm.Close()
		require.NoError(t, vm.RunAll())
		n := testing.AllocsPerRun(20, func() {
			if err := vm.RunAll(); err != nil {
				t.Error(err)
			}
		})
		require.Zero(t, n, "%d workers", workers)
	}
}

// Many machines of one model's parameters run at once, each on a graph of its own.
func TestMachinesInParallel(t *testing.T) {
	store := nodes.NewStore(nodes.Float32, 1)
	first := language(t, store, 5, 3, 20, 8)
	want := first.outcome(t)
	models := make([]model, 32)
	for i := range models {
		models[i] = language(t, store, 5, 3, 20, 8)
	}
	var wg sync.WaitGroup
	got := make([][][]float64, len(models))
	for i, m := range models {
		wg.Go(func() { got[i] = m.outcome(t, graph.Workers(1+i%3), graph.ShareAll()) })
	}
	wg.Wait()
	for _, g := range got {
		require.Equal(t, want, g)
	}
}

// The size of a machine and the time to make it do not depend on the number of steps: the program
// is the same.
func TestProgramDoesNotGrowWithTime(t *testing.T) {
	lines := func(T int) int {
		m := language(t, nodes.NewStore(nodes.Float32, 1), T, 2, 5, 4)
		vm, err := graph.Compile(m.g.Expr(), graph.Keep(m.keep...))
		require.NoError(t, err)
		defer vm.Close()
		return strings.Count(vm.Explain(), "\n")
	}
	require.Equal(t, lines(10), lines(5000))
}

func TestCompileRefuses(t *testing.T) {
	g := nodes.NewGraph(nodes.Options{})
	other := nodes.NewGraph(nodes.Options{}).Input("x", 2)
	_, err := graph.Compile(nil)
	require.ErrorContains(t, err, "nil")
	_, err = graph.Compile(g.Expr(), graph.Keep(nil))
	require.ErrorContains(t, err, "not a node of this graph")
	_, err = graph.Compile(g.Expr(), graph.Keep(other.Gorgonia()))
	require.ErrorContains(t, err, "not a node of this graph")
	_, err = graph.Compile(g.Expr(), graph.Without("luck"))
	require.ErrorContains(t, err, `no such pass; there are accumulate, fuse`)
}

func TestInputs(t *testing.T) {
	g := nodes.NewGraph(nodes.Options{})
	x := g.Input("x", 2, 3)
	y := nodes.Scale(x, 2)
	vm, err := graph.Compile(g.Expr(), graph.Keep(y.Gorgonia()))
	require.NoError(t, err)
	require.ErrorContains(t, vm.RunAll(), `input "x": no value is bound`)
	bind := func(v ...float32) *tensor.Dense {
		d := tensor.New(tensor.WithShape(2, len(v)/2), tensor.WithBacking(v))
		require.NoError(t, gorgonia.UnsafeLet(x.Gorgonia(), d))
		return d
	}
	d := bind(1, 2, 3, 4, 5, 6)
	require.NoError(t, vm.RunAll())
	require.Equal(t, []float32{2, 4, 6, 8, 10, 12}, y.Value().Data())
	require.NoError(t, d.Reshape(3, 2))
	require.ErrorContains(t, vm.RunAll(), `input "x" is float32 [3, 2], want float32 [2, 3]`)
	bind(6, 5, 4, 3, 2, 1) // another tensor
	require.NoError(t, vm.RunAll())
	require.Equal(t, []float32{12, 10, 8, 6, 4, 2}, y.Value().Data())
	// A transposed view is read in its own order.
	v := tensor.New(tensor.WithShape(3, 2), tensor.WithBacking([]float32{1, 4, 2, 5, 3, 6}))
	require.NoError(t, v.T())
	require.NoError(t, gorgonia.UnsafeLet(x.Gorgonia(), v))
	require.NoError(t, vm.RunAll())
	require.Equal(t, []float32{2, 4, 6, 8, 10, 12}, y.Value().Data())
	require.NoError(t, vm.Close())
	require.ErrorContains(t, vm.RunAll(), "closed")
	require.NoError(t, vm.Close())
}

// Results that are inputs, views of each other or of inputs, constants, or the same value twice,
// each have memory of their own.
func TestResultsAreApart(t *testing.T) {
	g := nodes.NewGraph(nodes.Options{})
	x := g.Input("x", 2, 3)
	require.NoError(t, gorgonia.Let(x.Gorgonia(), tensor.New(tensor.WithShape(2, 3),
		tensor.WithBacking([]float32{1, 2, 3, 4, 5, 6}))))
	double := nodes.Scale(x, 2)
	results := []*nodes.Node{
		double, nodes.Reshape(double, 3, 2), nodes.Slice(double, 1, 0, 2), nodes.Transpose(x),
		nodes.Reshape(x, 6), g.Const(7, 2, 2),
		nodes.Add(x, x), nodes.Sum(x), nodes.Slice(x, 0, 1, 2),
		nodes.Concat(0, x, double, g.Zeros(1, 3)), nodes.StopGradient(x), g.Const(3),
	}
	var keep []*gorgonia.Node
	for _, n := range results {
		keep = append(keep, n.Gorgonia())
	}
	m := model{g, keep}
	require.Equal(t, m.outcome(t, graph.Plain()), m.outcome(t))
	vm, err := graph.Compile(g.Expr(), graph.Keep(keep...), graph.ReuseValues())
	require.NoError(t, err)
	defer vm.Close()
	require.NoError(t, vm.RunAll())
	for i, n := range results { // writing to one changes no other
		if v, ok := n.Value().Data().([]float32); ok {
			for k := range v {
				v[k] = float32(100 * i)
			}
		}
	}
	for i, n := range results {
		if v, ok := n.Value().Data().([]float32); ok {
			require.Equal(t, float32(100*i), v[len(v)-1], i)
		}
	}
	require.Equal(t, []float32{1, 2, 3, 4, 5, 6}, x.Value().Data())
}

// workload is a training step whose memory is held against what it needs.
type workload struct {
	name       string
	B, T, I, H int
}

var workloads = []workload{{"S", 32, 50, 64, 128}, {"M", 32, 35, 256, 256},
	{"LONG", 8, 784, 1, 128}}

// need is what a training step cannot do without, in bytes: what the backward pass reads of every
// step, the gradients of what the products of every step gave, the gradients of the input and of
// the parameters.
func (w workload) need(kind string) int {
	saved, products, gates, biases := 1, 1, 1, 1 // h; its gradient before the activation
	switch kind {
	case "gru": // r, z, n, h·W_hh of n, h; r and z, and both terms of n
		saved, products, gates, biases = 5, 4, 3, 4
	case "lstm": // i, f, g, o, tanh c', c, h; the gates
		saved, products, gates, biases = 7, 4, 4, 4
	}
	return 4 * (w.T*w.B*((saved+products)*w.H+w.I) + (w.I+w.H)*gates*w.H + biases*w.H)
}

// A training step takes at most 1.3 times the memory that it needs.
func TestMemoryIsPlanned(t *testing.T) {
	for _, w := range workloads {
		for _, kind := range []string{"rnn", "gru", "lstm"} {
			m := training(t, kind, w.T, w.B, w.I, w.H)
			vm, err := graph.Compile(m.g.Expr(), graph.Keep(m.keep...), graph.Workers(1))
			require.NoError(t, err)
			ratio := float64(vm.Memory()) / float64(w.need(kind))
			t.Logf("%-4s %-4s %6.2f MB, %.2f times what it needs", w.name, kind,
				float64(vm.Memory())/1e6, ratio)
			require.Less(t, ratio, 1.3, "%s %s", w.name, kind)
			require.NoError(t, vm.Close())
		}
	}
}
