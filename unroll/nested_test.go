package unroll_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
)

// program builds something with steps in it and returns its outputs and what to differentiate by,
// parameters aside. The strategies are those of an outer and an inner recurrence.
type program func(g *nodes.Graph, outer, inner unroll.Strategy) (outs, wrt []*nodes.Node)

// requireAgreement runs a program under every pair of strategies, wants equal outputs and
// gradients, and holds the gradients against finite differences.
func requireAgreement(t *testing.T, store *nodes.Store, training bool, p program) {
	t.Helper()
	randomise(store)
	var first [][]float64
	for _, outer := range []unroll.Strategy{unroll.Expand, unroll.Scan} {
		for _, inner := range []unroll.Strategy{unroll.Expand, unroll.Scan} {
			g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64, Training: training})
			var loss *nodes.Node
			var outs, wrt, grads []*nodes.Node
			try(t, func() {
				gorgonia.Let(g.NoiseKey().Gorgonia(),
					tensor.New(tensor.WithShape(2), tensor.WithBacking([]int{3, 4})))
				outs, wrt = p(g, outer, inner)
				loss = g.Const(0)
				for i, n := range outs {
					loss = nodes.Add(loss, nodes.Sum(nodes.Mul(random(g, fmt.Sprint("probe ", i),
						n.Shape()...), n)))
				}
				all := operands(store)
				for _, n := range wrt {
					all = append(all, n)
				}
				grads = g.Gradients(loss, all...)
			})
			want := append(append([]*nodes.Node{loss}, outs...), grads...)
			got := compiled(t, g, want)
			name := fmt.Sprintf("%v in %v", inner, outer)
			if first == nil {
				first = got
				requireDifferences(t, g, loss, leaves(store, wrt), got[1+len(outs):])
				continue
			}
			for i := range got {
				testkit.RequireClose(t, first[i], got[i], 1e-10,
					fmt.Sprintf("%s, value %d", name, i))
			}
		}
	}
}

func leaves(store *nodes.Store, inputs []*nodes.Node) []*tensor.Dense {
	var out []*tensor.Dense
	for _, p := range store.Params() {
		out = append(out, p.Value())
	}
	for _, n := range inputs {
		out = append(out, n.Value().(*tensor.Dense))
	}
	return out
}

// requireDifferences holds gradients against differences of fourth order.
func requireDifferences(t *testing.T, g *nodes.Graph, loss *nodes.Node, at []*tensor.Dense,
	grads [][]float64) {
	t.Helper()
	m, err := graph.Compile(g.Expr(), keep(loss))
	require.NoError(t, err)
	for k, v := range at {
		data := v.Data().([]float64)
		for i, x := range data {
			const h = 1e-4
			f := func(x float64) float64 {
				data[i] = x
				require.NoError(t, m.RunAll())
				return testkit.Floats(loss.Value())[0]
			}
			want := (8*(f(x+h)-f(x-h)) - (f(x+2*h) - f(x-2*h))) / (12 * h)
			data[i] = x
			require.InDelta(t, want, grads[k][i], 1e-8*max(1, want, -want),
				"derivative %d of leaf %d", i, k)
		}
	}
}

// Whole layers against finite differences: Scan and Expand might agree on something wrong.
func TestLayerGradients(t *testing.T) {
	for _, p := range []problem{
		{Layer: layerSpec{Cell: "lstm"}, T: 4, B: 2, In: 2, Out: 2, Init: true, StateAt: 1,
			Lengths: []int{4, 2}},
		{Layer: layerSpec{Cell: "gru before", Zoneout: []float64{0.4},
			Variational: []float64{0.3, 0.3}},
			T: 3, B: 2, In: 2, Out: 2, Reverse: true, Training: true, StateAt: -1},
		{Layer: layerSpec{Both: []layerSpec{{Cell: "rnn"}, {Cell: "lstm projection"}},
			Merge: unroll.Product},
			T: 3, B: 2, In: 1, Out: 2, Init: true, StateAt: -1, Lengths: []int{0, 3}},
		{Layer: layerSpec{Stack: []layerSpec{{Cell: "gru"}, {Cell: "rnn"}}, Residual: true,
			Dropout: 0.5},
			T: 3, B: 1, In: 2, Out: 2, Training: true, StateAt: 2},
	} {
		t.Run(fmt.Sprintf("%+v", p.Layer), func(t *testing.T) {
			s := p.setting(t, nodes.Float64)
			requireAgreement(t, s.store, p.Training,
				func(g *nodes.Graph, strategy, _ unroll.Strategy) (outs, wrt []*nodes.Node) {
					x := random(g, "x", p.T, p.B, p.In)
					wrt = append(wrt, x)
					var init cells.State
					if p.Init {
						for i, part := range s.layer.Parts() {
							init = append(init, random(g, fmt.Sprint("init ", i), p.B, part.Width))
						}
						wrt = append(wrt, init...)
					}
					o := unroll.Options{Strategy: strategy, Reverse: p.Reverse}
					if p.Lengths != nil {
						o.Lengths = ints(g, "lengths", p.Lengths, p.B)
					}
					r := s.layer.Unroll(x, init, o)
					outs = append([]*nodes.Node{r.Y()}, r.Final()...)
					if p.StateAt >= 0 {
						outs = append(outs, r.StateAt(p.StateAt)...)
					}
					return outs, wrt
				})
		})
	}
}

// A step may use what lies outside of it: inputs, results, parameters' products, and any of them at
// two depths.
func TestStepThatCapturesOuterNodes(t *testing.T) {
	store := nodes.NewStore(nodes.Float64, 1)
	s := store.Root()
	w, u := s.Param("w", nodes.Zeros(), 2, 3), s.Param("u", nodes.Zeros(), 3, 3)
	requireAgreement(t, store, false, func(g *nodes.Graph, outer, _ unroll.Strategy) (outs,
		wrt []*nodes.Node) {
		x, source := random(g, "x", 4, 2, 2), random(g, "source", 2, 2)
		context := nodes.Tanh(nodes.MatMul(source, w)) // [2, 3], the same at every step
		cell := toy{parts(3), func(x *nodes.Node, s cells.State) cells.State {
			h := nodes.Tanh(nodes.Add(nodes.MatMul(x, w), nodes.MatMul(s[0], u),
				nodes.Mul(context, s[0])))
			return cells.State{nodes.Sub(h, nodes.Square(context))}
		}}
		r := unroll.Over(cell).Unroll(x, nil, unroll.Options{Strategy: outer})
		return []*nodes.Node{r.Y(), r.Final()[0], context}, []*nodes.Node{x, source}
	})
}

// The next state itself may be an outer node.
func TestStateThatIsAnOuterNode(t *testing.T) {
	requireAgreement(t, nodes.NewStore(nodes.Float64, 1), false,
		func(g *nodes.Graph, outer, _ unroll.Strategy) (outs, wrt []*nodes.Node) {
			x, other := random(g, "x", 3, 2, 1), random(g, "other", 2, 1)
			cell := toy{parts(1, 1), func(x *nodes.Node, s cells.State) cells.State {
				return cells.State{nodes.Add(s[1], x), other}
			}}
			r := unroll.Over(cell).Unroll(x, nil, unroll.Options{Strategy: outer})
			return append([]*nodes.Node{r.Y()}, r.Final()...), []*nodes.Node{x, other}
		})
}

// words is a cell over words of letters: x is [B, S·In], S letters side by side, which an inner
// layer reads from the cell's state on.
type words struct {
	letters  int
	inner    unroll.Layer
	strategy unroll.Strategy
	extra    *nodes.Node // an outer node used at the inner depth, or nil
}

func (c words) Parts() []cells.Part { return c.inner.Parts() }

func (c words) Step(x *nodes.Node, s cells.State) cells.State {
	batch := x.Dim(0)
	letters := nodes.Transpose(nodes.Reshape(x, batch, c.letters, -1), 1, 0, 2) // [S, B, In]
	if c.extra != nil {
		letters = nodes.Add(letters, c.extra)
	}
	return c.inner.Unroll(letters, s, unroll.Options{Strategy: c.strategy}).Final()
}

func TestScanInScan(t *testing.T) {
	for name, c := range map[string]struct {
		training bool
		inner    func(s *nodes.Scope) unroll.Layer
	}{
		"lstm": {false, func(s *nodes.Scope) unroll.Layer {
			return unroll.Over(cells.NewLSTM(s, cells.LSTMConfig{In: 2, Hidden: 2}))
		}},
		"bidirectional": {false, func(s *nodes.Scope) unroll.Layer {
			return unroll.Bidirectional{
				Forward:  unroll.Over(cells.NewRNN(s.In("f"), cells.RNNConfig{In: 2, Hidden: 1})),
				Backward: unroll.Over(cells.NewRNN(s.In("b"), cells.RNNConfig{In: 2, Hidden: 1})),
			}
		}},
		"noise at every depth": {true, func(s *nodes.Scope) unroll.Layer {
			lstm := cells.NewLSTM(s, cells.LSTMConfig{In: 2, Hidden: 2})
			return unroll.Over(cells.Zoneout{Cell: cells.Variational{Cell: lstm, Input: 0.3,
				Hidden: 0.3}, Rates: []float64{0.4, 0.4}})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			store := nodes.NewStore(nodes.Float64, 1)
			layer := c.inner(store.Root())
			requireAgreement(t, store, c.training,
				func(g *nodes.Graph, outer, inner unroll.Strategy) (outs, wrt []*nodes.Node) {
					x, extra := random(g, "x", 3, 2, 3*2), random(g, "extra", 2, 2)
					var cell cells.Cell = words{3, layer, inner, extra}
					if c.training {
						cell = cells.Zoneout{Cell: cell, Rates: []float64{0.5}}
					}
					r := unroll.Over(cell).Unroll(x, nil, unroll.Options{Strategy: outer})
					return append([]*nodes.Node{r.Y()}, r.Final()...), []*nodes.Node{x, extra}
				})
		})
	}
}

// Results of an outer graph and of a step around are told apart at the innermost depth, in whatever
// order they are met.
func TestResultsCapturedAtTwoDepths(t *testing.T) {
	requireAgreement(t, nodes.NewStore(nodes.Float64, 1), false,
		func(g *nodes.Graph, outer, inner unroll.Strategy) (outs, wrt []*nodes.Node) {
			x, u, v := random(g, "x", 3, 2, 1), random(g, "u", 2, 1), random(g, "v", 2, 1)
			a, b := nodes.Tanh(u), nodes.Tanh(v)
			cell := toy{parts(1), func(x *nodes.Node, s cells.State) cells.State {
				around := nodes.Mul(nodes.Add(x, a), nodes.Mul(s[0], b))
				within := toy{parts(1), func(y *nodes.Node, s cells.State) cells.State {
					return cells.State{nodes.Add(nodes.Mul(y, b), nodes.Mul(around, s[0]), a)}
				}}
				return unroll.Over(within).Unroll(nodes.Stack(x, x), s,
					unroll.Options{Strategy: inner}).Final()
			}}
			return []*nodes.Node{unroll.Over(cell).Unroll(x, nil, unroll.Options{Strategy: outer}).Y()},
				[]*nodes.Node{x, u, v}
		})
}

// Inside a step, a recurrence may run over a captured sequence from the state at hand, as one that
// reads a source does.
func TestInnerRecurrenceOverACapturedSequence(t *testing.T) {
	store := nodes.NewStore(nodes.Float64, 1)
	reader := cells.NewGRU(store.Root(), cells.GRUConfig{In: 2, Hidden: 3})
	requireAgreement(t, store, false, func(g *nodes.Graph, outer, inner unroll.Strategy) (outs,
		wrt []*nodes.Node) {
		x, source := random(g, "x", 3, 2, 3), random(g, "source", 4, 2, 2)
		lengths := ints(g, "lengths", []int{4, 2}, 2)
		cell := toy{parts(3), func(x *nodes.Node, s cells.State) cells.State {
			from := cells.State{nodes.Tanh(nodes.Add(x, s[0]))}
			return unroll.Over(reader).Unroll(source, from,
				unroll.Options{Strategy: inner, Lengths: lengths}).Final()
		}}
		r := unroll.Over(cell).Unroll(x, nil, unroll.Options{Strategy: outer})
		return []*nodes.Node{r.Y(), r.StateAt(1)[0]}, []*nodes.Node{x, source}
	})
}

// The noise of a step is the step's own, anew at every time, also where what it falls on lies
// outside.
func TestNoiseOnCapturedNodes(t *testing.T) {
	store := nodes.NewStore(nodes.Float64, 1)
	wIH := store.Root().Param("W_ih", nodes.Zeros(), 2, 2)
	program := func(g *nodes.Graph, outer, _ unroll.Strategy) (outs, wrt []*nodes.Node) {
		x, source := random(g, "x", 5, 3, 2), random(g, "source", 3, 2)
		cell := toy{parts(2), func(x *nodes.Node, s cells.State) cells.State {
			return cells.State{nodes.Add(nodes.Dropout(source, 0.5), nodes.MatMul(source, wIH),
				nodes.Dropout(x, 0.5))}
		}}
		r := unroll.Over(cells.Variational{Cell: cell, Input: 0.5}).Unroll(x, nil,
			unroll.Options{Strategy: outer})
		return []*nodes.Node{r.Y()}, []*nodes.Node{x, source}
	}
	requireAgreement(t, store, true, program)

	g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64, Training: true})
	var y *nodes.Node
	try(t, func() {
		cell := toy{parts(1), func(x *nodes.Node, s cells.State) cells.State {
			return cells.State{nodes.Dropout(g.Const(1, 100, 1), 0.5)}
		}}
		y = unroll.Over(cell).Unroll(g.Zeros(2, 100, 1), nil, unroll.Options{}).Y()
	})
	v := compiled(t, g, []*nodes.Node{y})[0]
	require.NotEqual(t, v[:100], v[100:], "two times have one mask")
}

// Layers share a store, a graph and each other's results without getting into each other's way.
func TestManyLayersInOneGraph(t *testing.T) {
	store := nodes.NewStore(nodes.Float64, 1)
	cell := cells.NewRNN(store.Root(), cells.RNNConfig{In: 2, Hidden: 2})
	requireAgreement(t, store, false, func(g *nodes.Graph, outer, inner unroll.Strategy) (outs,
		wrt []*nodes.Node) {
		x := random(g, "x", 3, 1, 2)
		a := unroll.Over(cell).Unroll(x, nil, unroll.Options{Strategy: outer})
		b := unroll.Over(cell).Unroll(a.Y(), a.Final(),
			unroll.Options{Strategy: inner, Reverse: true})
		c := unroll.Over(cell).Unroll(x, b.StateAt(0), unroll.Options{Strategy: outer})
		return []*nodes.Node{c.Y(), b.Y(), a.Y()}, []*nodes.Node{x}
	})
}
