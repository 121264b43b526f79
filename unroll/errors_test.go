package unroll_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
)

func TestMisuse(t *testing.T) {
	lstm := func() cells.Cell {
		s := nodes.NewStore(nodes.Float32, 1).Root().In("encoder").In("l0")
		return cells.NewLSTM(s, cells.LSTMConfig{In: 3, Hidden: 4})
	}
	one := func(step func(x *nodes.Node, s cells.State) cells.State) unroll.Layer {
		return unroll.Over(toy{parts(1), step})
	}
	bi := func(b unroll.Bidirectional) unroll.Layer { return b }
	count := unroll.Over(counter)
	wide := unroll.Over(toy{parts(2), func(x *nodes.Node, s cells.State) cells.State { return s }})
	type args struct {
		l    func() unroll.Layer
		x    func(g *nodes.Graph) *nodes.Node // default [5, 2, 3]
		init func(g *nodes.Graph) cells.State
		o    func(g *nodes.Graph, o *unroll.Options)
		then func(r *unroll.Result)
	}
	for _, c := range []struct {
		name string
		args
		want string
	}{
		{"no sequence", args{x: func(*nodes.Graph) *nodes.Node { return nil }},
			"Unroll: x is nil: want a sequence [T, B, In]"},
		{"a vector", args{x: func(g *nodes.Graph) *nodes.Node { return g.Zeros(5) }},
			"Unroll: x is [5]: want a sequence [T, B, In], or ids [T, B]"},
		{"a scalar", args{x: func(g *nodes.Graph) *nodes.Node { return g.Zeros() }},
			"Unroll: x is []: want a sequence [T, B, In], or ids [T, B]"},
		{"x too wide", args{x: func(g *nodes.Graph) *nodes.Node { return g.Input("x", 5, 2, 7) }},
			"encoder/l0 step: MatMul: * is [2, 7], W_ih is [3, 16]: inner dimensions 7 and 3 " +
				"differ: to fit the second operand, the first must be [2, 3]"},
		{"x without its last axis",
			args{x: func(g *nodes.Graph) *nodes.Node { return g.Input("x", 5, 2) }},
			"encoder/l0 step: MatMul: * is [2], W_ih is [3, 16]: want two matrices; a vector is " +
				"a matrix of one row or one column"},
		{"x of ids, for a cell that wants floats",
			args{x: func(g *nodes.Graph) *nodes.Node { return g.IntInput("x", 5, 2, 3) }},
			"encoder/l0 step: MatMul: * is [2, 3], W_ih is [3, 16]: an operand is int: want " +
				"float32 or float64; ids become floats by OneHot or Embedding"},
		{"unknown strategy", args{o: func(_ *nodes.Graph, o *unroll.Options) { o.Strategy = 7 }},
			"Unroll: no strategy Strategy(7): want Scan or Expand"},
		{"one length too many", args{o: func(g *nodes.Graph,
			o *unroll.Options) {
			o.Lengths = g.IntInput("n", 3)
		}},
			"Unroll: lengths are [3]: want one a sequence, [2]"},
		{"batch before time, by the lengths", args{o: func(g *nodes.Graph, o *unroll.Options) {
			o.Lengths = g.IntInput("n", 5)
		}},
			"Unroll: lengths are [5]: want one a sequence, [2]; x is [5, 2, 3], which looks like " +
				"[B, T, In]; want [T, B, In]: transpose it"},
		{"batch before time, by the state", args{init: func(g *nodes.Graph) cells.State {
			return cells.State{g.Zeros(5, 4), g.Zeros(5, 4)}
		}},
			`Unroll: the initial state: part "h" is float32 [5, 4], want float32 [2, 4]; ` +
				`x is [5, 2, 3], which looks like [B, T, In]; want [T, B, In]: transpose it`},
		{"ids with the batch before time", args{
			l: func() unroll.Layer { return count },
			x: func(g *nodes.Graph) *nodes.Node { return g.IntInput("x", 3, 7) },
			o: func(g *nodes.Graph, o *unroll.Options) { o.Lengths = g.IntInput("n", 3) }},
			"Unroll: lengths are [3]: want one a sequence, [7]; x is [3, 7], which looks like " +
				"[B, T]; want [T, B]: transpose it"},
		{"lengths as a column", args{o: func(g *nodes.Graph,
			o *unroll.Options) {
			o.Lengths = g.IntInput("n", 2, 1)
		}},
			"Unroll: lengths are [2, 1]: want one a sequence, [2]"},
		{"lengths as floats", args{o: func(g *nodes.Graph,
			o *unroll.Options) {
			o.Lengths = g.Input("n", 2)
		}},
			"LengthMask: n is [2]: the lengths are float32: want int, as Graph.IntInput declares"},
		{"lengths of another graph", args{o: func(_ *nodes.Graph, o *unroll.Options) {
			o.Lengths = nodes.NewGraph(nodes.Options{}).IntInput("n", 2)
		}}, "n is [2], in another graph: all operands must be nodes of one graph"},

		{"half a state", args{init: func(g *nodes.Graph) cells.State {
			return cells.State{g.Zeros(2, 4)}
		}},
			"Unroll: the initial state has 1 parts, want 2: h [B, 4], c [B, 4]"},
		{"an empty state", args{init: func(g *nodes.Graph) cells.State { return cells.State{} }},
			"Unroll: the initial state has 0 parts, want 2: h [B, 4], c [B, 4]"},
		{"a state too wide", args{init: func(g *nodes.Graph) cells.State {
			return cells.State{g.Zeros(2, 4), g.Zeros(2, 5)}
		}},
			`Unroll: the initial state: part "c" is float32 [2, 5], want float32 [2, 4]`},
		{"a state of another batch",
			args{init: func(g *nodes.Graph) cells.State {
				return cells.State{g.Zeros(1, 4), g.Zeros(2, 4)}
			}},
			`Unroll: the initial state: part "h" is float32 [1, 4], want float32 [2, 4]`},
		{"a state of ints", args{init: func(g *nodes.Graph) cells.State {
			return cells.State{g.IntInput("h", 2, 4), g.Zeros(2, 4)}
		}},
			`Unroll: the initial state: part "h" is int [2, 4], want float32 [2, 4]`},
		{"a part that is nil", args{init: func(g *nodes.Graph) cells.State {
			return cells.State{nil, g.Zeros(2, 4)}
		}},
			`Unroll: the initial state: part "h" is nil, want float32 [2, 4]`},
		{"a part of another graph", args{init: func(g *nodes.Graph) cells.State {
			return cells.State{g.Zeros(2, 4), nodes.NewGraph(nodes.Options{}).Input("c", 2, 4)}
		}}, "c is [2, 4], in another graph: all operands must be nodes of one graph"},

		{"no cell", args{l: func() unroll.Layer { return unroll.Over(nil) }},
			"Over: the cell is nil"},
		{"a cell without state", args{l: func() unroll.Layer { return unroll.Over(toy{nil, nil}) }},
			"Unroll: the cell has no state: Parts must list at least the output"},
		{"a part of width 0", args{l: func() unroll.Layer {
			return unroll.Over(toy{parts(0), nil})
		}},
			"Const: shape [2, 0]: every size must be at least 1"},
		{"a step that returns too little", args{l: func() unroll.Layer {
			return one(func(*nodes.Node, cells.State) cells.State { return nil })
		}}, "step: Unroll: the state after a step has 0 parts, want 1: a [B, 1]"},
		{"a step that returns nil", args{l: func() unroll.Layer {
			return one(func(*nodes.Node, cells.State) cells.State { return cells.State{nil} })
		}}, `step: Unroll: the state after a step: part "a" is nil, want float32 [2, 1]`},
		{"a step that returns another shape", args{l: func() unroll.Layer {
			return one(func(x *nodes.Node,
				s cells.State) cells.State {
				return cells.State{nodes.Add(x, s[0])}
			})
		}},
			`step: Unroll: the state after a step: part "a" is float32 [2, 3], want float32 [2, 1]`},
		{"a step that returns a scalar", args{l: func() unroll.Layer {
			return one(func(x *nodes.Node,
				s cells.State) cells.State {
				return cells.State{nodes.Sum(x)}
			})
		}}, `step: Unroll: the state after a step: part "a" is float32 [], want float32 [2, 1]`},
		{"a step that returns ids", args{
			x: func(g *nodes.Graph) *nodes.Node { return g.IntInput("ids", 5, 2, 1) },
			l: func() unroll.Layer {
				return one(func(x *nodes.Node, s cells.State) cells.State { return cells.State{x} })
			},
		}, `step: Unroll: the state after a step: part "a" is int [2, 1], want float32 [2, 1]`},
		{"a step that finds a mistake of its own", args{l: func() unroll.Layer {
			return one(func(*nodes.Node, cells.State) cells.State {
				nodes.Failf("Toy", "%d is odd",
					3)
				return nil
			})
		}}, "step: Toy: 3 is odd"},
		{"a step that uses nil", args{l: func() unroll.Layer {
			return one(func(x *nodes.Node,
				s cells.State) cells.State {
				return cells.State{nodes.Add(s[0], nil)}
			})
		}}, "step: Add: operand 1 is nil"},
		{"a step within a step", args{l: func() unroll.Layer {
			inner := one(func(x *nodes.Node, s cells.State) cells.State { return cells.State{x} })
			return one(func(x *nodes.Node, s cells.State) cells.State {
				return inner.Unroll(nodes.Reshape(x, 1, 2, 3), nil, unroll.Options{}).Final()
			})
		}},
			`step step: Unroll: the state after a step: part "a" is float32 [2, 3], ` +
				`want float32 [2, 1]`},
		{"a wrapper's rate", args{l: func() unroll.Layer {
			return unroll.Over(cells.Zoneout{Cell: lstm(), Rates: []float64{2}})
		}},
			"encoder/l0 step: Zoneout: the probability 2: want [0, 1)"},

		{"a time before the first", args{then: func(r *unroll.Result) { r.StateAt(-1) }},
			"StateAt: time -1 is outside 0 … 4"},
		{"a time after the last", args{then: func(r *unroll.Result) { r.StateAt(5) }},
			"StateAt: time 5 is outside 0 … 4"},

		{"one direction", args{l: func() unroll.Layer {
			return bi(unroll.Bidirectional{Forward: count})
		}},
			"Bidirectional: Forward and Backward must both be set"},
		{"unknown merge", args{l: func() unroll.Layer {
			return bi(unroll.Bidirectional{Forward: count, Backward: count, Merge: "max"})
		}},
			`Bidirectional: Merge is "max", want concat, sum, mean or product`},
		{"directions of different widths", args{l: func() unroll.Layer {
			return bi(unroll.Bidirectional{Forward: count, Backward: wide, Merge: unroll.Sum})
		}}, "Bidirectional: the sum of outputs 1 and 2 wide: want equal widths"},
		{"state of one direction", args{
			l: func() unroll.Layer {
				return bi(unroll.Bidirectional{Forward: count, Backward: wide})
			},
			init: func(g *nodes.Graph) cells.State { return cells.State{g.Zeros(2, 1)} },
		}, "Bidirectional: the initial state has 1 parts, want 2: a [B, 1], a [B, 2]"},
		{"a time of both directions", args{
			x: func(g *nodes.Graph) *nodes.Node { return g.Zeros(5, 2, 1) },
			l: func() unroll.Layer {
				return bi(unroll.Bidirectional{Forward: count, Backward: count})
			},
			then: func(r *unroll.Result) { r.StateAt(2) },
		}, "StateAt: a bidirectional layer has no state between two steps: " +
			"its directions are at different times"},

		{"an empty stack", args{l: func() unroll.Layer { return unroll.Stack{} }},
			"Stack: no layers"},
		{"a hole in a stack", args{l: func() unroll.Layer {
			return unroll.Stack{Layers: []unroll.Layer{count, nil}}
		}}, "Stack: layer 1 is nil"},
		{"dropout of everything", args{l: func() unroll.Layer {
			return unroll.Stack{Layers: []unroll.Layer{count}, Dropout: 1}
		}},
			"Stack: the probability 1: want [0, 1)"},
		{"state of one layer", args{
			l:    func() unroll.Layer { return unroll.Stack{Layers: []unroll.Layer{count, count}} },
			init: func(g *nodes.Graph) cells.State { return cells.State{g.Zeros(2, 1)} },
		}, "Stack: the initial state has 1 parts, want 2: l0 a [B, 1], l1 a [B, 1]"},
		{"residual over a change of width", args{
			x: func(g *nodes.Graph) *nodes.Node { return g.Zeros(5, 2, 1) },
			l: func() unroll.Layer {
				return unroll.Stack{Layers: []unroll.Layer{count, wide}, Residual: true}
			},
		}, "Stack: layer 1 cannot be residual: its input is 1 wide, its output 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			strategies(t, func(t *testing.T, strategy unroll.Strategy) {
				reached := false
				err := nodes.Try(func() {
					g := nodes.NewGraph(nodes.Options{})
					o := unroll.Options{Strategy: strategy}
					if c.o != nil {
						c.o(g, &o)
					}
					x := g.Zeros(5, 2, 3)
					if c.x != nil {
						x = c.x(g)
					}
					var init cells.State
					if c.init != nil {
						init = c.init(g)
					}
					l := unroll.Over(lstm())
					if c.l != nil {
						l = c.l()
					}
					r := l.Unroll(x, init, o)
					if c.then != nil {
						reached = true
						c.then(r)
					}
				})
				var be *nodes.BuildError
				require.ErrorAs(t, err, &be)
				require.Equal(t, c.then != nil, reached)
				require.Regexp(t, pattern(c.want), err.Error())
			})
		})
	}
}

// Parts and Width say what is missing as Unroll does.
func TestMisuseOfPartsAndWidth(t *testing.T) {
	for want, l := range map[string]unroll.Layer{
		"Stack: no layers": unroll.Stack{},
		"Bidirectional: Forward and Backward must both be set": unroll.Bidirectional{},
	} {
		require.EqualError(t, nodes.Try(func() { l.Parts() }), want)
		require.EqualError(t, nodes.Try(func() { l.Width() }), want)
	}
}

// What is wrong with the numbers is an error of the run.
func TestLengthsOutOfRange(t *testing.T) {
	for _, c := range []struct {
		lengths []int
		want    string
	}{
		{[]int{3, 4}, "length 4 of sequence 1 is outside 0 … 3"},
		{[]int{-1, 0}, "length -1 of sequence 0 is outside 0 … 3"},
	} {
		strategies(t, func(t *testing.T, strategy unroll.Strategy) {
			g := nodes.NewGraph(nodes.Options{})
			try(t, func() {
				o := unroll.Options{Strategy: strategy, Lengths: ints(g, "lengths", c.lengths, 2)}
				unroll.Over(counter).Unroll(g.Zeros(3, 2, 1), nil, o).Y()
			})
			m, err := graph.Compile(g.Expr())
			require.NoError(t, err)
			require.ErrorContains(t, m.RunAll(), c.want)
		})
	}
}

// A step that fails while it runs says at which time.
func TestStepThatFailsInTheRun(t *testing.T) {
	table := nodes.NewStore(nodes.Float32, 1).Root().Param("E", nodes.Ones(), 3, 1)
	cell := toy{parts(1), func(x *nodes.Node, s cells.State) cells.State {
		return cells.State{nodes.Embedding(table, x, -1)}
	}}
	g := nodes.NewGraph(nodes.Options{})
	try(t, func() {
		unroll.Over(cell).Unroll(ints(g, "ids", []int{0, 1, 2, 9}, 4, 1), nil,
			unroll.Options{}).Y()
	})
	m, err := graph.Compile(g.Expr())
	require.NoError(t, err)
	require.ErrorContains(t, m.RunAll(),
		"graph: step 3: Embedding: id 9 at position 0 is outside 0 … 2")
}

// A fault of the program is not a mistake of its user: it is not turned into an error.
func TestFaultsPass(t *testing.T) {
	strategies(t, func(t *testing.T, strategy unroll.Strategy) {
		cell := toy{parts(1), func(_ *nodes.Node,
			s cells.State) cells.State {
			return cells.State{s[1]}
		}}
		require.PanicsWithError(t, "runtime error: index out of range [1] with length 1", func() {
			nodes.Try(func() {
				g := nodes.NewGraph(nodes.Options{})
				unroll.Over(cell).Unroll(g.Zeros(1, 1, 1), nil, unroll.Options{Strategy: strategy})
			})
		})
	})
}

// A step reads nothing that nobody could bind.
func TestStepThatDeclaresAnInput(t *testing.T) {
	cell := toy{parts(1), func(x *nodes.Node, s cells.State) cells.State {
		return cells.State{nodes.Add(s[0], x.Graph().Input("mine", x.Dim(0), 1))}
	}}
	for strategy, want := range map[unroll.Strategy]string{
		unroll.Scan:   `Unroll: the step declares the input "mine"`,
		unroll.Expand: `the name "mine" is taken`,
	} {
		g := nodes.NewGraph(nodes.Options{})
		require.ErrorContains(t, nodes.Try(func() {
			unroll.Over(cell).Unroll(g.Input("x", 3, 2, 1), nil, unroll.Options{Strategy: strategy})
		}), want)
	}
}

// Scan has no second derivative and says where to find one; Expand has it.
func TestSecondDerivative(t *testing.T) {
	second := func(strategy unroll.Strategy) (*nodes.Graph, *nodes.Node, error) {
		g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
		var d *nodes.Node
		err := nodes.Try(func() {
			x := input(g, "x", []float64{1, 2}, 2, 1, 1)
			cube := toy{parts(1), func(x *nodes.Node, s cells.State) cells.State {
				return cells.State{nodes.Add(s[0], nodes.Power(x, 3))}
			}}
			y := unroll.Over(cube).Unroll(x, nil, unroll.Options{Strategy: strategy}).Final()[0]
			d = g.Gradients(nodes.Sum(g.Gradients(nodes.Sum(y), x)[0]), x)[0]
		})
		return g, d, err
	}
	_, _, err := second(unroll.Scan)
	require.EqualError(t, err,
		"Scan: its gradient has no derivative of its own; unroll with Expand where a second "+
			"derivative is needed")
	g, d, err := second(unroll.Expand)
	require.NoError(t, err)
	testkit.RequireClose(t, []float64{6, 12}, compiled(t, g, []*nodes.Node{d})[0], 1e-12, "6x")
}

func TestStrategyString(t *testing.T) {
	require.Equal(t, "scan", unroll.Scan.String())
	require.Equal(t, "expand", unroll.Expand.String())
	require.Equal(t, "Strategy(-1)", unroll.Strategy(-1).String())
}
