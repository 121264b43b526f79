package graph_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/memtest"
	"github.com/seqzoo/seqzoo/internal/owncells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
)

// deep is a step of training over a sequence of T steps, with dropout on the state, two layers, and
// sequences of several lengths if they are wanted. It keeps the loss, the outputs, the gradients of
// x and of the first state, and how many of those come before the gradients of the parameters.
func deep(t require.TestingT, kind string, T, recompute int, dtype tensor.Dtype,
	lengths bool) (m model, exact int) {
	const B, I, H = 8, 5, 6
	r := rand.New(rand.NewPCG(3, 4))
	require.NoError(t, nodes.Try(func() {
		store := nodes.NewStore(dtype, 1)
		m.g = nodes.NewGraph(nodes.Options{Dtype: dtype, Training: true})
		x := m.g.Input("x", T, B, I)
		random(t, r, x)
		wrt := []nodes.Operand{x}
		o := unroll.Options{Recompute: recompute}
		if lengths {
			o.Lengths = m.g.IntInput("lengths", B)
			n := make([]int, B)
			for i := range n {
				n[i] = r.IntN(T + 1)
			}
			bindInts(t, o.Lengths, n)
		}
		layer := func(name string, in int) unroll.Layer {
			c := newCell(store.Root().In("%s", name), kind, in, H, nil)
			return unroll.Over(cells.Variational{Hidden: hiddenRate(kind, 0.3),
				Cell: cells.Zoneout{Cell: c, Rates: []float64{0.2}}})
		}
		stack := unroll.Stack{Dropout: 0.25, Layers: []unroll.Layer{layer("l0", I),
			unroll.Bidirectional{Forward: layer("l1", H), Backward: layer("b1", H)}}}
		var init cells.State
		for i, p := range stack.Parts() {
			s := m.g.Input(fmt.Sprintf("init %d", i), B, p.Width)
			random(t, r, s)
			init, wrt = append(init, s), append(wrt, s)
		}
		res := stack.Unroll(x, init, o)
		loss := nodes.Mean(nodes.Square(res.Y()))
		for _, s := range res.Final() {
			loss = nodes.Add(loss, nodes.Mean(nodes.Tanh(s)))
		}
		m.keep = append(m.keep, loss.Gorgonia(), res.Y().Gorgonia())
		exact = len(m.keep) + len(wrt)
		for _, p := range store.Params() {
			wrt = append(wrt, p)
		}
		for _, d := range m.g.Gradients(loss, wrt...) {
			m.keep = append(m.keep, d.Gorgonia())
		}
	}))
	return m, exact
}

// Running steps again changes nothing: outputs, gradients of inputs and of states to the bit, those
// of parameters but for the order in which their terms are added up.
func TestRecompute(t *testing.T) {
	for i, kind := range []string{"rnn", "gru", "lstm", "mgu", "lstm norm", "simple"} {
		for j, T := range []int{1, 2, 23, 100} {
			{
				lengths := (i+j)%2 == 0
				dtype, tol := nodes.Float64, 1e-12
				if (i+j/2)%2 == 0 {
					dtype, tol = nodes.Float32, 2e-5
				}
				m, exact := deep(t, kind, T, 0, dtype, lengths)
				want := m.outcome(t, graph.Workers(1))
				for _, k := range []int{unroll.SqrtT, 3, T - 1, T} {
					if k == 0 {
						continue
					}
					what := fmt.Sprintf("%s T=%d %v lengths=%t recompute=%d", kind, T, dtype,
						lengths, k)
					again, _ := deep(t, kind, T, k, dtype, lengths)
					got := again.outcome(t, graph.Workers(1))
					requireSame(t, want[exact:], got[exact:], tol, what)
					requireBits(t, want[:exact], got[:exact], what)
					if k == unroll.SqrtT {
						requireBits(t, got, again.outcome(t, graph.Workers(2), graph.ShareAll()),
							what+", 2 workers")
					}
				}
			}
		}
	}
}

// The memory of a training step grows with √T, is known before the run, and is what the process
// uses.
func TestRecomputeMemory(t *testing.T) {
	memory := func(T, recompute int) int {
		m := recomputing(t, "lstm", T, 8, 16, 64, recompute)
		vm, err := graph.Compile(m.g.Expr(), graph.Keep(m.keep...), graph.ReuseValues(),
			graph.Workers(2)) // each has memory of its own: not as many as there are cores
		require.NoError(t, err)
		defer vm.Close()
		require.NoError(t, vm.RunAll())
		const little = 10_000
		allocated := memtest.Allocated(little, func() { require.NoError(t, vm.RunAll()) })
		require.Less(t, allocated, little, "a run allocates nothing")
		return vm.Memory()
	}
	all, some := memory(1000, 0), memory(1000, unroll.SqrtT)
	t.Logf("LSTM, T=1000: %d bytes, with recomputation %d, %.1f times less", all, some,
		float64(all)/float64(some))
	require.Greater(t, all, 3*some)
	// Beside the outputs and the gradients of outputs and inputs, which are whole, what is left
	// grows with √T.
	whole := func(T int) int { return 4 * T * 8 * (64 + 64 + 16) }
	four := memory(4000, unroll.SqrtT)
	require.Less(t, four-whole(4000), 5*(some-whole(1000))/2)
}

// recomputing is training with recomputation.
func recomputing(t require.TestingT, kind string, T, B, I, H, recompute int) model {
	var m model
	require.NoError(t, nodes.Try(func() {
		store := nodes.NewStore(nodes.Float32, 1)
		m.g = nodes.NewGraph(nodes.Options{})
		x := m.g.Input("x", T, B, I)
		random(t, rand.New(rand.NewPCG(1, 2)), x)
		y := unroll.Over(newCell(store.Root(), kind, I, H, nil)).Unroll(x, nil,
			unroll.Options{Recompute: recompute}).Y()
		loss := nodes.Mean(nodes.Square(y))
		wrt := []nodes.Operand{x}
		for _, p := range store.Params() {
			wrt = append(wrt, p)
		}
		m.keep = append(m.keep, loss.Gorgonia())
		for _, d := range m.g.Gradients(loss, wrt...) {
			m.keep = append(m.keep, d.Gorgonia())
		}
	}))
	return m
}

// embedded looks its input up inside of the step.
type embedded struct {
	table *nodes.Param
	*owncells.MinimalGatedUnit
}

func (e *embedded) Step(x *nodes.Node, s cells.State) cells.State {
	return e.MinimalGatedUnit.Step(nodes.Embedding(e.table, x, -1), s)
}

// An error inside of a segment names the step of the whole sequence.
func TestRecomputeErrorNamesTheStep(t *testing.T) {
	const T, B = 11, 3
	for _, bad := range []int{0, 4, 8, 9, 10} {
		for _, reverse := range []bool{false, true} {
			store := nodes.NewStore(nodes.Float32, 1)
			g := nodes.NewGraph(nodes.Options{})
			ids := g.IntInput("ids", T, B)
			v := make([]int, T*B)
			v[bad*B+1] = 99
			bindInts(t, ids, v)
			cell := &embedded{store.Root().Param("E", nodes.Normal(0, 1), 5, 4),
				owncells.NewMinimalGatedUnit(store.Root(), 4, 6)}
			y := unroll.Over(cell).Unroll(ids, nil,
				unroll.Options{Recompute: 3, Reverse: reverse}).Y()
			for _, opts := range [][]graph.Option{nil, {graph.Without("hoist")}} {
				vm, err := graph.Compile(g.Expr(), append(opts, graph.Keep(y.Gorgonia()))...)
				require.NoError(t, err)
				err = vm.RunAll()
				require.ErrorContains(t, err, fmt.Sprintf("step %d: Embedding", bad))
				require.ErrorContains(t, err, "99 at position 1 is outside 0 … 4")
				require.NoError(t, vm.Close())
			}
		}
	}
}

// What a machine tells of itself goes down into segments.
func TestRecomputeSeen(t *testing.T) {
	m := recomputing(t, "lstm", 11, 4, 3, 5, 3)
	vm, err := graph.Compile(m.g.Expr(), graph.Keep(m.keep...), graph.Workers(1))
	require.NoError(t, err)
	defer vm.Close()
	golden(t, filepath.Join("testdata", "explain", "lstm-recompute.txt"), vm.Explain())
	p, err := vm.Profile(2)
	require.NoError(t, err)
	forward := float64(11 * 2 * 4 * (3*20 + 5*20))
	var flop float64
	for _, k := range p.ByKernel() {
		flop += k.Flop
	}
	require.Equal(t, 3*forward+forward*9/11, flop,
		"forward, backward, and three segments of three steps once more")
	bs := vm.Buffers()
	for i, b := range bs {
		for _, c := range bs[:i] {
			apart := b.Offset+b.Bytes <= c.Offset || c.Offset+c.Bytes <= b.Offset ||
				b.Last < c.First || c.Last < b.First
			require.True(t, apart, "%v\n%v", b, c)
		}
	}
	var dot strings.Builder
	require.NoError(t, vm.WriteDOT(&dot))
	require.Contains(t, dot.String(), "scan gradient in segments of 3 steps, 3 times")
	require.Contains(t, dot.String(), "loop scan gradient, 3 times")
}

func TestRecomputeMistake(t *testing.T) {
	err := nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{})
		unroll.Over(owncells.NewMinimalGatedUnit(nodes.NewStore(nodes.Float32, 1).Root(), 2,
			3)).Unroll(g.Input("x", 4, 1, 2), nil, unroll.Options{Recompute: -2})
	})
	require.ErrorContains(t, err,
		"Recompute is -2: want the number of steps from one kept state to the next, 0 to keep "+
			"all, or SqrtT")
}
