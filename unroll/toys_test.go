package unroll_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
)

// toy is a cell made of a function, for cells whose answer is obvious.
type toy struct {
	parts []cells.Part
	step  func(x *nodes.Node, s cells.State) cells.State
}

func (c toy) Parts() []cells.Part                           { return c.parts }
func (c toy) Step(x *nodes.Node, s cells.State) cells.State { return c.step(x, s) }

func parts(widths ...int) []cells.Part {
	var ps []cells.Part
	for i, w := range widths {
		ps = append(ps, cells.Part{Name: string(rune('a' + i)), Width: w})
	}
	return ps
}

// counter counts its steps. Where x is 1 it starts anew.
var counter = toy{parts(1), func(x *nodes.Node, s cells.State) cells.State {
	return cells.State{nodes.Shift(nodes.Mul(nodes.OneMinus(x), s[0]), 1)}
}}

// A cell that counts shows steps that are left out, done twice or in the wrong order at a glance.
func TestCounting(t *testing.T) {
	for _, c := range []struct {
		name    string
		reset   []float64 // [T, B]
		batch   int
		reverse bool
		lengths []int
		init    []float64
		y       []float64 // [T, B]
		final   []float64
	}{
		{"one step", []float64{0}, 1, false, nil, nil, []float64{1}, []float64{1}},
		{"forward", []float64{0, 0, 0, 0, 0}, 1, false, nil, nil, []float64{1, 2, 3, 4, 5},
			[]float64{5}},
		{"reset", []float64{0, 0, 1, 0, 0}, 1, false, nil, nil, []float64{1, 2, 1, 2, 3},
			[]float64{3}},
		{"reverse", []float64{0, 0, 0, 0, 0}, 1, true, nil, nil, []float64{5, 4, 3, 2, 1},
			[]float64{5}},
		{"reverse, reset", []float64{0, 0, 1, 0, 0}, 1, true, nil, nil, []float64{3, 2, 1, 2, 1},
			[]float64{3}},
		{"from 10", []float64{0, 0}, 1, false, nil, []float64{10}, []float64{11, 12},
			[]float64{12}},
		{"lengths", make([]float64, 9), 3, false, []int{2, 0, 3}, nil,
			[]float64{1, 0, 1, 2, 0, 2, 0, 0, 3}, []float64{2, 0, 3}},
		{"lengths, from 10", make([]float64, 9), 3, false, []int{2, 0, 3}, []float64{10, 20, 30},
			[]float64{11, 0, 31, 12, 0, 32, 0, 0, 33}, []float64{12, 20, 33}},
		{"lengths, reverse", make([]float64, 9), 3, true, []int{2, 0, 3}, []float64{10, 20, 30},
			[]float64{12, 0, 33, 11, 0, 32, 0, 0, 31}, []float64{12, 20, 33}},
		{"lengths, all 0", make([]float64, 4), 2, false, []int{0, 0}, []float64{1, 2},
			[]float64{0, 0, 0, 0}, []float64{1, 2}},
		{"lengths, all T", make([]float64, 4), 2, false, []int{2, 2}, nil, []float64{1, 1, 2, 2},
			[]float64{2, 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			strategies(t, func(t *testing.T, strategy unroll.Strategy) {
				g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
				var y, final *nodes.Node
				try(t, func() {
					o := unroll.Options{Strategy: strategy, Reverse: c.reverse}
					if c.lengths != nil {
						o.Lengths = ints(g, "lengths", c.lengths, c.batch)
					}
					var init cells.State
					if c.init != nil {
						init = cells.State{input(g, "init", c.init, c.batch, 1)}
					}
					r := unroll.Over(counter).Unroll(input(g, "reset", c.reset,
						len(c.reset)/c.batch, c.batch, 1), init, o)
					y, final = r.Y(), r.Final()[0]
				})
				got := compiled(t, g, []*nodes.Node{y, final})
				require.Equal(t, c.y, got[0])
				require.Equal(t, c.final, got[1])
			})
		})
	}
}

// StateAt is the state as a step left it, in the order of the sequence whatever the direction.
func TestStateAt(t *testing.T) {
	for name, c := range map[string]struct {
		reverse bool
		lengths []int
		want    []float64
	}{
		"forward":          {false, nil, []float64{1, 2, 3}},
		"reverse":          {true, nil, []float64{3, 2, 1}},
		"lengths":          {false, []int{2}, []float64{1, 2, 2}},
		"lengths, reverse": {true, []int{2}, []float64{2, 1, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			strategies(t, func(t *testing.T, strategy unroll.Strategy) {
				g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
				var at []*nodes.Node
				try(t, func() {
					o := unroll.Options{Strategy: strategy, Reverse: c.reverse}
					if c.lengths != nil {
						o.Lengths = ints(g, "lengths", c.lengths, 1)
					}
					r := unroll.Over(counter).Unroll(g.Zeros(3, 1, 1), nil, o)
					for i := range 3 {
						at = append(at, r.StateAt(i)[0])
					}
				})
				for i, v := range compiled(t, g, at) {
					require.Equal(t, []float64{c.want[i]}, v)
				}
			})
		})
	}
}

// Bidirectional merges what the counter counts from both ends.
func TestMerges(t *testing.T) {
	for merge, want := range map[unroll.Merge][]float64{
		"":             {1, 3, 2, 2, 3, 1},
		unroll.Concat:  {1, 3, 2, 2, 3, 1},
		unroll.Sum:     {4, 4, 4},
		unroll.Mean:    {2, 2, 2},
		unroll.Product: {3, 4, 3},
	} {
		strategies(t, func(t *testing.T, strategy unroll.Strategy) {
			g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
			l := unroll.Bidirectional{Forward: unroll.Over(counter), Backward: unroll.Over(counter),
				Merge: merge}
			var want2 []*nodes.Node
			try(t, func() {
				r := l.Unroll(g.Zeros(3, 1, 1), nil, unroll.Options{Strategy: strategy})
				want2 = append([]*nodes.Node{r.Y()}, r.Final()...)
				require.Equal(t, []int{3, 1, l.Width()}, r.Y().Shape())
			})
			got := compiled(t, g, want2)
			require.Equal(t, want, got[0], merge)
			require.Equal(t, [][]float64{{3}, {3}}, got[1:])
		})
	}
}

// A residual stack of counters: the layer above counts too, and adds what it was given.
func TestResidualStack(t *testing.T) {
	count := toy{parts(1), func(x *nodes.Node,
		s cells.State) cells.State {
		return cells.State{nodes.Shift(s[0], 1)}
	}}
	strategies(t, func(t *testing.T, strategy unroll.Strategy) {
		g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
		l := unroll.Stack{Layers: []unroll.Layer{unroll.Over(count), unroll.Over(count),
			unroll.Over(count)}, Residual: true}
		var want []*nodes.Node
		try(t, func() {
			r := l.Unroll(g.Const(100, 3, 1, 1), nil, unroll.Options{Strategy: strategy})
			want = append([]*nodes.Node{r.Y()}, r.StateAt(1)...)
		})
		got := compiled(t, g, want)
		require.Equal(t, []float64{3, 6, 9}, got[0], "the first layer does not add its input")
		require.Equal(t, [][]float64{{2}, {2}, {2}}, got[1:])
	})
	require.Equal(t, []cells.Part{{Name: "l0 a", Width: 1}, {Name: "l1 a", Width: 1}},
		unroll.Stack{Layers: []unroll.Layer{unroll.Over(count), unroll.Over(count)}}.Parts())
}

// returned is a step of a cell and what it gives for T = 3 and one row of width 1: x = 1, 2, 3, and
// the state starts as a = 10, b = 20. The loss is y·{1, 10, 100} plus 1000 times the final a plus
// 10000 times the final b, if there is one.
type returned struct {
	name  string
	parts int
	step  func(w *nodes.Param, x *nodes.Node, s cells.State) cells.State
	want  m
}

type m = map[string][]float64

var stepsThatReturnTheirInputs = []returned{
	{"state unchanged", 1, func(_ *nodes.Param, _ *nodes.Node,
		s cells.State) cells.State {
		return s
	},
		m{"y": {10, 10, 10}, "a": {10}, "dx": {0, 0, 0}, "da": {1111}, "dw": {0}}},
	{"x as output", 1, func(_ *nodes.Param, x *nodes.Node,
		_ cells.State) cells.State {
		return cells.State{x}
	},
		m{"y": {1, 2, 3}, "a": {3}, "dx": {1, 10, 1100}, "da": {0}, "dw": {0}}},
	{"x ignored, parameter used", 1, func(w *nodes.Param, _ *nodes.Node,
		s cells.State) cells.State {
		return cells.State{nodes.Mul(s[0], w)}
	}, m{"y": {20, 40, 80}, "a": {80}, "dx": {0, 0, 0}, "da": {2 + 40 + 800 + 8000},
		"dw": {10 + 400 + 12000 + 120000}}},
	{"states swapped", 2, func(_ *nodes.Param, _ *nodes.Node,
		s cells.State) cells.State {
		return cells.State{s[1], s[0]}
	},
		m{"y": {20, 10, 20}, "a": {20}, "b": {10}, "dx": {0, 0, 0}, "da": {10 + 10000},
			"db": {101 + 1000}, "dw": {0}}},
	{"swapped in place", 2, func(_ *nodes.Param, _ *nodes.Node, s cells.State) cells.State {
		s[0], s[1] = s[1], s[0]
		return s
	}, m{"y": {20, 10, 20}, "a": {20}, "b": {10}, "dx": {0, 0, 0}, "da": {10 + 10000},
		"db": {101 + 1000}, "dw": {0}}},
	{"shift register", 2, func(_ *nodes.Param, x *nodes.Node,
		s cells.State) cells.State {
		return cells.State{s[1], x}
	},
		m{"y": {20, 1, 2}, "a": {2}, "b": {3}, "dx": {10, 1100, 10000}, "da": {0}, "db": {1},
			"dw": {0}}},
	{"one node twice", 2, func(_ *nodes.Param, x *nodes.Node, s cells.State) cells.State {
		n := nodes.Add(x, s[0])
		return cells.State{n, n}
	}, m{"y": {11, 13, 16}, "a": {16}, "b": {16}, "dx": {11111, 11110, 11100}, "da": {11111},
		"db": {0}, "dw": {0}}},
	{"x twice", 2, func(_ *nodes.Param, x *nodes.Node,
		_ cells.State) cells.State {
		return cells.State{x, x}
	},
		m{"y": {1, 2, 3}, "a": {3}, "b": {3}, "dx": {1, 10, 11100}, "da": {0}, "db": {0},
			"dw": {0}}},
	{"a constant", 1, func(_ *nodes.Param, x *nodes.Node, _ cells.State) cells.State {
		return cells.State{x.Graph().Const(5, 1, 1)}
	}, m{"y": {5, 5, 5}, "a": {5}, "dx": {0, 0, 0}, "da": {0}, "dw": {0}}},
	{"the gradient cut", 1, func(_ *nodes.Param, x *nodes.Node, s cells.State) cells.State {
		return cells.State{nodes.Add(x, nodes.StopGradient(s[0]))}
	}, m{"y": {11, 13, 16}, "a": {16}, "dx": {1, 10, 1100}, "da": {0}, "dw": {0}}},
}

// graph is the loss of a step with what it gives, by name.
func (c returned) graph(t *testing.T, strategy unroll.Strategy) (g *nodes.Graph,
	want map[string]*nodes.Node) {
	w := nodes.NewStore(nodes.Float64, 1).Root().Param("w", nodes.Constant(2), 1)
	widths := []int{1, 1}[:c.parts]
	cell := toy{parts(widths...), func(x *nodes.Node, s cells.State) cells.State {
		return c.step(w, x, s)
	}}
	g = nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
	want = map[string]*nodes.Node{}
	try(t, func() {
		x := input(g, "x", []float64{1, 2, 3}, 3, 1, 1)
		init := cells.State{input(g, "a", []float64{10}, 1, 1),
			input(g, "b", []float64{20}, 1, 1)}[:c.parts]
		r := unroll.Over(cell).Unroll(x, init, unroll.Options{Strategy: strategy})
		want["y"], want["a"] = r.Y(), r.Final()[0]
		probe := input(g, "probe", []float64{1, 10, 100}, 3, 1, 1)
		loss := nodes.Add(nodes.Sum(nodes.Mul(r.Y(), probe)),
			nodes.Scale(nodes.Sum(r.Final()[0]), 1000))
		wrt := []nodes.Operand{x, w, init[0]}
		if c.parts == 2 {
			want["b"], wrt = r.Final()[1], append(wrt, init[1])
			loss = nodes.Add(loss, nodes.Scale(nodes.Sum(r.Final()[1]), 10000))
		}
		for i, d := range g.Gradients(loss, wrt...) {
			want[[]string{"dx", "dw", "da", "db"}[i]] = d
		}
	})
	return g, want
}

// Cells that move nodes about instead of computing: the step's results are its inputs, in some
// order.
func TestStepsThatReturnTheirInputs(t *testing.T) {
	for _, c := range stepsThatReturnTheirInputs {
		t.Run(c.name, func(t *testing.T) {
			strategies(t, func(t *testing.T, strategy unroll.Strategy) {
				for name, on := range map[string]engine{"compiled": compiled, "plain": plain,
					"tape": tape} {
					t.Run(name, func(t *testing.T) {
						g, want := c.graph(t, strategy)
						var names []string
						var ns []*nodes.Node
						for k, n := range want {
							names, ns = append(names, k), append(ns, n)
						}
						got := m{}
						for i, v := range on(t, g, ns) {
							got[names[i]] = v
						}
						require.Equal(t, c.want, got)
					})
				}
			})
		})
	}
}

// A sequence of ids [T, B] runs through a cell that looks them up.
func TestIDs(t *testing.T) {
	strategies(t, func(t *testing.T, strategy unroll.Strategy) {
		store := nodes.NewStore(nodes.Float64, 1)
		table := store.Root().Param("E", nodes.Ones(), 3, 2)
		set(table.Value(), []float64{0, 0, 1, 10, 2, 20})
		sum := toy{parts(2), func(x *nodes.Node, s cells.State) cells.State {
			return cells.State{nodes.Add(s[0], nodes.Embedding(table, x, -1))}
		}}
		g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
		var want []*nodes.Node
		try(t, func() {
			r := unroll.Over(sum).Unroll(ints(g, "ids", []int{1, 2, 2, 2, 0, 1}, 3, 2), nil,
				unroll.Options{Strategy: strategy})
			want = []*nodes.Node{r.Y(), g.Gradients(nodes.Sum(r.Y()), table)[0]}
		})
		got := compiled(t, g, want)
		require.Equal(t, []float64{1, 10, 2, 20, 3, 30, 4, 40, 3, 30, 5, 50}, got[0])
		require.Equal(t, []float64{1, 1, 4, 4, 7, 7}, got[1])
	})
}
