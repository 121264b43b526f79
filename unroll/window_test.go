package unroll_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
)

func TestWindowPlan(t *testing.T) {
	type spans = []unroll.Span
	for _, c := range []struct {
		name string
		w    unroll.Window
		T    int
		want spans
	}{
		{"k1 = k2", unroll.Window{Stride: 2, Length: 2}, 6, spans{{0, 0, 2}, {2, 2, 4}, {4, 4, 6}}},
		{"no length means k1", unroll.Window{Stride: 3}, 6, spans{{0, 0, 3}, {3, 3, 6}}},
		{"ragged", unroll.Window{Stride: 4}, 6, spans{{0, 0, 4}, {4, 4, 6}}},
		{"ragged by one", unroll.Window{Stride: 5}, 6, spans{{0, 0, 5}, {5, 5, 6}}},
		{"k1 < k2", unroll.Window{Stride: 2, Length: 4}, 8,
			spans{{0, 0, 2}, {0, 2, 4}, {2, 4, 6}, {4, 6, 8}}},
		{"k1 < k2, ragged", unroll.Window{Stride: 2, Length: 3}, 5,
			spans{{0, 0, 2}, {1, 2, 4}, {3, 4, 5}}},
		{"k1 = 1", unroll.Window{Stride: 1, Length: 3}, 4,
			spans{{0, 0, 1}, {0, 1, 2}, {0, 2, 3}, {1, 3, 4}}},
		{"all of it", unroll.Window{Stride: 6}, 6, spans{{0, 0, 6}}},
		{"longer than it", unroll.Window{Stride: 100, Length: 200}, 6, spans{{0, 0, 6}}},
		{"full, in strides", unroll.Window{Stride: 2, Length: 5}, 5,
			spans{{0, 0, 2}, {0, 2, 4}, {0, 4, 5}}},
		{"full by far", unroll.Window{Stride: 2, Length: math.MaxInt}, 3,
			spans{{0, 0, 2}, {0, 2, 3}}},
		{"huge stride", unroll.Window{Stride: math.MaxInt}, 3, spans{{0, 0, 3}}},
		{"one step", unroll.Window{Stride: 1}, 1, spans{{0, 0, 1}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.w.Plan(c.T)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

func TestWindowErrors(t *testing.T) {
	for _, c := range []struct {
		w    unroll.Window
		T    int
		want string
	}{
		{unroll.Window{}, 5, "Window: Stride is 0, want at least 1"},
		{unroll.Window{Stride: -1, Length: 3}, 5, "Window: Stride is -1, want at least 1"},
		{unroll.Window{Stride: 3, Length: 2}, 5,
			"Window: Length is 2, want at least Stride, which is 3"},
		{unroll.Window{Stride: 3, Length: -1}, 5,
			"Window: Length is -1, want at least Stride, which is 3"},
		{unroll.Window{Stride: 3}, 0, "Window: a sequence of 0 steps, want at least 1"},
		{unroll.Window{Stride: 3}, math.MinInt,
			"Window: a sequence of -9223372036854775808 steps, want at least 1"},
	} {
		spans, err := c.w.Plan(c.T)
		require.EqualError(t, err, c.want)
		require.Nil(t, spans)
	}
}

func drawWindow(t *rapid.T, T int) unroll.Window {
	w := unroll.Window{Stride: rapid.IntRange(1, T+2).Draw(t, "k1")}
	if rapid.Bool().Draw(t, "k2 given") {
		w.Length = w.Stride + rapid.IntRange(0, T+2).Draw(t, "k2 - k1")
	}
	return w
}

func TestWindowPlanProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		T := rapid.IntRange(1, 40).Draw(t, "T")
		w := drawWindow(t, T)
		spans, err := w.Plan(T)
		require.NoError(t, err)
		length := max(w.Length, w.Stride)
		end, start := 0, 0
		for _, s := range spans {
			require.Equal(t, end, s.Scored, "every step counts in the loss once, in order")
			require.Less(t, s.Scored, s.End)
			require.LessOrEqual(t, s.End-s.Scored, w.Stride)
			require.LessOrEqual(t, s.Start, s.Scored)
			require.GreaterOrEqual(t, s.Start, start)
			require.LessOrEqual(t, s.Start, end,
				"the state at Start is one that the windows before reached")
			if length >= T {
				require.Zero(t, s.Start, "full backpropagation")
			} else {
				require.LessOrEqual(t, s.End-s.Start, length)
			}
			if length == w.Stride && length < T {
				require.Equal(t, s.Scored, s.Start, "k1 = k2: windows follow each other")
			}
			end, start = s.End, s.Start
		}
		require.Equal(t, T, end)
	})
}

// truncation is a cell run over a sequence in windows.
type truncation struct {
	t     testkit.T
	T, B  int
	store *nodes.Store
	cell  cells.Cell
	how   unroll.Strategy
}

func newTruncation(t testkit.T, T int, how unroll.Strategy) truncation {
	tr := truncation{t: t, T: T, B: 2, store: nodes.NewStore(nodes.Float64, 1), how: how}
	tr.cell = cells.NewLSTM(tr.store.Root(), cells.LSTMConfig{In: 2, Hidden: 3})
	randomise(tr.store)
	return tr
}

// loss weighs the outputs of the steps from … to−1 at random.
func (tr truncation) loss(g *nodes.Graph, y *nodes.Node, from, to int) *nodes.Node {
	w := numbers("loss", tr.T*tr.B*3)
	return nodes.Sum(nodes.Mul(nodes.Square(y), input(g, fmt.Sprint("loss ", from),
		w[from*tr.B*3:to*tr.B*3], to-from, tr.B, 3)))
}

// inWindows is what training does: one graph a window, the state carried over as numbers. It
// returns the sum of the losses and that of the gradients.
func (tr truncation) inWindows(spans []unroll.Span) [][]float64 {
	x := numbers("x", tr.T*tr.B*2)
	// by the time they are the start of
	states := map[int][][]float64{0: {make([]float64, tr.B*3), make([]float64, tr.B*3)}}
	var sum [][]float64
	for k, s := range spans {
		g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
		var want []*nodes.Node
		try(tr.t, func() {
			n := s.End - s.Start
			init := cells.State{input(g, "h", states[s.Start][0], tr.B, 3),
				input(g, "c", states[s.Start][1], tr.B, 3)}
			r := unroll.Over(tr.cell).Unroll(input(g, "x", x[s.Start*tr.B*2:s.End*tr.B*2], n, tr.B,
				2), init, unroll.Options{Strategy: tr.how})
			loss := tr.loss(g, nodes.Slice(r.Y(), 0, s.Scored-s.Start, n), s.Scored, s.End)
			want = append([]*nodes.Node{loss}, g.Gradients(loss, operands(tr.store)...)...)
			if k+1 < len(spans) && spans[k+1].Start > s.Start {
				want = append(want, r.StateAt(spans[k+1].Start-s.Start-1)...)
			}
		})
		got := compiled(tr.t, g, want)
		n := 1 + len(tr.store.Params())
		if len(got) > n {
			states[spans[k+1].Start] = got[n:]
		}
		if sum == nil {
			sum = got[:n]
			continue
		}
		for i := range sum {
			for j := range sum[i] {
				sum[i][j] += got[i][j]
			}
		}
	}
	return sum
}

// inOneGraph is what truncation means: the whole sequence in one graph, with the gradient cut at
// the start of each window.
func (tr truncation) inOneGraph(spans []unroll.Span) [][]float64 {
	g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
	var want []*nodes.Node
	try(tr.t, func() {
		x := random(g, "x", tr.T, tr.B, 2)
		all := unroll.Over(tr.cell).Unroll(x, nil, unroll.Options{Strategy: unroll.Expand})
		loss := g.Const(0)
		for _, s := range spans {
			init := cells.State(nil)
			if s.Start > 0 {
				for _, n := range all.StateAt(s.Start - 1) {
					init = append(init, nodes.StopGradient(n))
				}
			}
			r := unroll.Over(tr.cell).Unroll(nodes.Slice(x, 0, s.Start, s.End), init,
				unroll.Options{Strategy: unroll.Expand})
			loss = nodes.Add(loss, tr.loss(g, nodes.Slice(r.Y(), 0, s.Scored-s.Start,
				s.End-s.Start), s.Scored, s.End))
		}
		want = append([]*nodes.Node{loss}, g.Gradients(loss, operands(tr.store)...)...)
	})
	return compiled(tr.t, g, want)
}

func (tr truncation) full() [][]float64 {
	return tr.inWindows([]unroll.Span{{Start: 0, Scored: 0, End: tr.T}})
}

func TestWindowsCutTheGradientWhereTheySay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		T := rapid.IntRange(1, 9).Draw(t, "T")
		tr := newTruncation(t, T, rapid.SampledFrom([]unroll.Strategy{unroll.Scan,
			unroll.Expand}).Draw(t, "strategy"))
		w := drawWindow(t, T)
		spans, err := w.Plan(T)
		require.NoError(t, err)
		want, got := tr.inOneGraph(spans), tr.inWindows(spans)
		for i := range want {
			testkit.RequireClose(t, want[i], got[i], 1e-10, fmt.Sprint("value ", i))
		}
		full := tr.full()
		testkit.RequireClose(t, full[0], got[0], 1e-10,
			"the loss, which truncation does not change")
		if max(w.Length, w.Stride) >= T {
			for i := range full {
				testkit.RequireClose(t, full[i], got[i], 1e-10,
					fmt.Sprint("full backpropagation, value ", i))
			}
		}
	})
}

// One window over all steps is full backpropagation through time to the last bit.
func TestWindowOverAllStepsIsFullBackpropagation(t *testing.T) {
	strategies(t, func(t *testing.T, strategy unroll.Strategy) {
		tr := newTruncation(t, 7, strategy)
		for _, w := range []unroll.Window{{Stride: 7}, {Stride: 7, Length: 7},
			{Stride: 8, Length: 100}} {
			spans, err := w.Plan(7)
			require.NoError(t, err)
			require.Equal(t, tr.full(), tr.inWindows(spans))
		}
		short, err := unroll.Window{Stride: 3}.Plan(7)
		require.NoError(t, err)
		require.NotEqual(t, tr.full()[1], tr.inWindows(short)[1], "a gradient that is cut differs")
	})
}
