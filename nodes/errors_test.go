package nodes_test

import (
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/gradcheck"
	"github.com/seqzoo/seqzoo/internal/memtest"
	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/internal/steps"
	"github.com/seqzoo/seqzoo/nodes"
)

// Each message says where, what, which shapes and what would be right.
func TestMistakes(t *testing.T) {
	g, other, half := f64(), f64(), nodes.NewGraph(nodes.Options{})
	x, y := g.Input("x", 2, 3), g.Input("y", 4)
	v, s := g.Input("v", 5), g.Input("s")
	ids, lengths := g.IntInput("ids", 2, 3), g.IntInput("lengths", 2)
	foreign := other.Input("z", 2, 3)
	floats32 := half.Input("h", 2)
	store := nodes.NewStore(nodes.Float64, 1).Root()
	w := store.In("decoder").Param("W", nodes.Zeros(), 3, 7)
	seq := g.Input("seq", 6, 2, 5)
	const nodot = "shapes [2, 3] and [4] do not broadcast: sizes 3 and 4 differ, and neither is 1"
	const elsewhere = "z is [2, 3], in another graph: all operands must be nodes of one graph"
	var none *nodes.Node
	for want, build := range map[string]func(){
		// shapes
		"Add: x is [2, 3], y is [4]: " + nodot: func() {
			nodes.Add(x, y)
		},
		"Mul: x is [2, 3], tanh(…) is [4]: " + nodot: func() {
			nodes.Mul(x, nodes.Tanh(y))
		},
		"Select: s is [], x is [2, 3], y is [4]: " + nodot: func() { nodes.Select(s, x, y) },
		"MatMul: v is [5], x is [2, 3]: want two matrices; a vector is a matrix of one row or " +
			"one column": func() {
			nodes.MatMul(v, x)
		},
		"decoder: MatMul: seq is [6, 2, 5], W is [3, 7]: inner dimensions 5 and 3 differ: to fit " +
			"the second operand, the first must be [6, 2, 3]": func() {
			nodes.MatMul(seq, w)
		},
		"decoder: MatMulT: x is [2, 3], W is [3, 7]: inner dimensions 3 and 7 differ: to fit the " +
			"second operand, the first must be [2, 7]": func() {
			nodes.MatMulT(x, w)
		},
		"MatMul: x is [2, 3], seq is [6, 2, 5]: inner dimensions 3 and 2 differ: to fit the " +
			"second operand, the first must be [2, 2]": func() {
			nodes.MatMul(x, seq)
		},
		"MatMul: transpose(…) is [3, 2], seq is [6, 2, 5]: want two matrices, or two stacks [N, " +
			"rows, columns] of matrices": func() {
			nodes.MatMul(nodes.Transpose(x), seq)
		},
		"MatMul: reshape(…) is [3, 5, 4], reshape(…) is [4, 4, 3]: stacks of 3 and 4 matrices: " +
			"want as many": func() {
			nodes.MatMul(nodes.Reshape(g.Input("60", 60), 3, 5, 4),
				nodes.Reshape(g.Input("48", 48), 4, 4, 3))
		},
		"Reshape: x is [2, 3]: 6 elements do not fill [4, 2], which has 8": func() {
			nodes.Reshape(x, 4, 2)
		},
		"Reshape: x is [2, 3]: no size in place of −1 makes [4, -1] of its 6 elements": func() {
			nodes.Reshape(x, 4, -1)
		},
		"Reshape: x is [2, 3]: no size in place of −1 makes [-1, -1] of its 6 elements": func() {
			nodes.Reshape(x, -1, -1)
		},
		"Reshape: x is [2, 3]: shape [0, 6]: every size must be at least 1": func() {
			nodes.Reshape(x, 0, 6)
		},
		"Transpose: x is [2, 3]: axes [0 0] are not an order of 0 … 1": func() {
			nodes.Transpose(x, 0, 0)
		},
		"Transpose: x is [2, 3]: 1 axes given for shape [2, 3]": func() { nodes.Transpose(x, 0) },
		"Slice: x is [2, 3]: range [1, 4) of axis 1, whose size is 3": func() {
			nodes.Slice(x, 1, 1, 4)
		},
		"Slice: x is [2, 3]: range [1, 1) of axis 1, whose size is 3": func() {
			nodes.Slice(x, 1, 1, 1)
		},
		"Slice: x is [2, 3]: range [-1, 1) of axis 0, whose size is 2": func() {
			nodes.Slice(x, 0, -1, 1)
		},
		"Slice: x is [2, 3]: no axis 2":  func() { nodes.Slice(x, 2, 0, 1) },
		"Slice: x is [2, 3]: no axis -3": func() { nodes.Slice(x, -3, 0, 1) },
		"Split: x is [2, 3]: 2 parts do not divide axis 1 of size 3": func() {
			nodes.Split(x, 2, 1)
		},
		"Split: x is [2, 3]: 0 parts do not divide axis 1 of size 3": func() {
			nodes.Split(x, 0, 1)
		},
		"Split: s is []: no axis 0":          func() { nodes.Split(s, 1, 0) },
		"TimeSlice: x is [2, 3]: no step 2":  func() { nodes.TimeSlice(x, 2) },
		"TimeSlice: x is [2, 3]: no step -1": func() { nodes.TimeSlice(x, -1) },
		"TimeSlice: s is []: no step 0":      func() { nodes.TimeSlice(s, 0) },
		"Concat: x is [2, 3], v is [5]: float64 [2, 3] and float64 [5] must agree in everything " +
			"but axis 0": func() {
			nodes.Concat(0, x, v)
		},
		"Concat: nothing to join":        func() { nodes.Stack() },
		"Concat: x is [2, 3]: no axis 2": func() { nodes.Concat(2, x, x) },
		"Sum: x is [2, 3]: no axis 2":    func() { nodes.Sum(x, 2) },
		"Max: s is []: no axis 0":        func() { nodes.Max(s, 0) },
		"Broadcast: x is [2, 3]: [2, 3] cannot be repeated to [3, 2]": func() {
			nodes.Broadcast(x, 3, 2)
		},
		"Broadcast: x is [2, 3]: [2, 3] cannot be repeated to [3]": func() {
			nodes.Broadcast(x, 3)
		},
		"Softmax: s is []: a scalar has no axis": func() { nodes.Softmax(s) },
		"LogSumExp: s is []: no axis -1":         func() { nodes.LogSumExp(s) },
		"Dim: x is [2, 3]: no axis 2":            func() { x.Dim(2) },
		"MSE: x is [2, 3], the target y is [4]: want one shape": func() {
			nodes.MSE(x, y, nodes.ReduceMean)
		},
		"Huber: y is [4], the target reshape(…) is [4, 1]: want one shape": func() {
			nodes.Huber(y, nodes.Reshape(y, 4, 1), 1, nodes.ReduceMean)
		},
		"CrossEntropy: x is [2, 3], ids is [2, 3]: targets must have the shape of the logits " +
			"without their last axis, as [B] beside [B, V]": func() {
			nodes.CrossEntropy(x, ids, nodes.CrossEntropyOptions{})
		},

		// dtypes
		"Add: x is [2, 3], ids is [2, 3]: an operand is int: want float32 or float64; ids become " +
			"floats by OneHot or Embedding": func() {
			nodes.Add(x, ids)
		},
		"Tanh: ids is [2, 3]: an operand is int: want float32 or float64; ids become floats by " +
			"OneHot or Embedding": func() {
			nodes.Tanh(ids)
		},
		"Sum: ids is [2, 3]: cannot add up int": func() { nodes.Sum(ids) },
		"decoder: Embedding: W is [3, 7], x is [2, 3]: the ids are float64: want int, as " +
			"Graph.IntInput declares": func() {
			nodes.Embedding(w, x, -1)
		},
		"Embedding: seq is [6, 2, 5], ids is [2, 3]: the table must be a matrix [V, E] of " +
			"floats": func() {
			nodes.Embedding(seq, ids, -1)
		},
		"OneHot: x is [2, 3]: the ids are float64: want int, as Graph.IntInput declares": func() {
			nodes.OneHot(x, 5)
		},
		"LengthMask: ids is [2, 3]: lengths must be a vector [B]": func() {
			nodes.LengthMask(ids, 5)
		},
		"LengthMask: y is [4]: the lengths are float64: want int, as Graph.IntInput " +
			"declares": func() {
			nodes.LengthMask(y, 5)
		},
		"CrossEntropy: x is [2, 3], y is [4]: the targets are float64: want int, as " +
			"Graph.IntInput declares": func() {
			nodes.CrossEntropy(x, y, nodes.CrossEntropyOptions{})
		},
		"decoder: Param: decoder/W is float64, the graph is float32: the store and the graph " +
			"must have one dtype": func() {
			nodes.MatMul(half.Input("a", 2, 3), w)
		},
		"NewGraph: dtype int: want Float32 or Float64": func() {
			nodes.NewGraph(nodes.Options{Dtype: nodes.Int})
		},

		// two graphs
		"Add: " + elsewhere:       func() { nodes.Add(x, foreign) },
		"Concat: " + elsewhere:    func() { nodes.Concat(0, x, foreign) },
		"Gradients: " + elsewhere: func() { g.Gradients(foreign, x) },
		"Backward: " + elsewhere:  func() { g.Gradients(nodes.Sum(x), foreign) },
		"Mul: h is [2], in another graph: all operands must be nodes of one graph": func() {
			nodes.Mul(y, floats32)
		},
		"Of: the node does not belong to this graph": func() { g.Of(foreign.Gorgonia()) },
		"Add: only parameters and numbers: no operand says which graph is meant; use Graph.Param " +
			"for one": func() {
			nodes.Add(w, nodes.Scalar(1))
		},

		// numbers
		"Clip: bounds 1 and -1 are in the wrong order":  func() { nodes.Clip(x, 1, -1) },
		"Clip: bounds NaN and 1 are in the wrong order": func() { nodes.Clip(x, math.NaN(), 1) },
		"Dropout: the probability 1: want [0, 1)":       func() { nodes.Dropout(x, 1) },
		"Dropout: the probability NaN: want [0, 1)":     func() { nodes.Dropout(x, math.NaN()) },
		"Masked: the probability 1: want [0, 1)":        func() { nodes.Masked(x, x, 1) },
		"LayerNorm: eps is -1: want a small positive number": func() {
			nodes.LayerNorm(x, s, s, -1)
		},
		"Pinball: quantile 1: want a number in (0, 1)": func() {
			nodes.Pinball(x, x, 1, nodes.ReduceMean)
		},
		"Huber: delta 0: want a positive number": func() { nodes.Huber(x, x, 0, nodes.ReduceMean) },
		"CrossEntropy: label smoothing 1: want [0, 1)": func() {
			nodes.CrossEntropy(x, lengths, nodes.CrossEntropyOptions{Smoothing: 1})
		},
		"CopyCrossEntropy: label smoothing 0.1: a copy has none": func() {
			nodes.CopyCrossEntropy(x, x, x, x, lengths, nodes.CrossEntropyOptions{Smoothing: 0.1})
		},
		"CopyCrossEntropy: gate [2 3], weights [2 3], here [2 3] and targets [2]: want [...], " +
			"[..., S], [..., S] and [...]": func() {
			nodes.CopyCrossEntropy(x, x, x, x, lengths, nodes.CrossEntropyOptions{})
		},
		"Reduction: no reduction 7: want ReduceMean, ReduceSum or ReduceNone": func() {
			nodes.CrossEntropy(x, lengths, nodes.CrossEntropyOptions{Reduction: 7})
		},
		"Noise: noise/key is [2]: the probability 2: want [0, 1]": func() {
			g.Noise(nodes.NoiseRequest{Kind: nodes.Bernoulli, P: 2, Shape: []int{1}})
		},
		"Noise: noise/key is [2]: no noise \"pink\": there are bernoulli, uniform and " +
			"normal": func() {
			g.Noise(nodes.NoiseRequest{Kind: "pink", Shape: []int{1}})
		},

		// inputs
		"Input: the name \"x\" is taken; give every input its own": func() { g.Input("x", 9) },
		"Input: it has no name; Gorgonia takes inputs of one name for one node": func() {
			g.IntInput("")
		},
		"Input: the name \"noise/key\" is the library's own, for the seed of noise; give your " +
			"input another": func() {
			h := f64()
			h.Input("noise/key", 2)
			h.Const(1)
		},

		// gradients
		"Gradients: the loss is [2, 3]: want a scalar; take Sum or Mean": func() {
			g.Gradients(x, x)
		},
		"Backward: ids is [2, 3], of int: only floats have gradients": func() {
			g.Gradients(nodes.Sum(x), ids)
		},
		"Backward: 1 outputs, 0 cotangents: want one for each output": func() {
			g.Backward([]*nodes.Node{x}, nil, x)
		},
		"Backward: output 0 is float64 [2, 3], its cotangent float64 [4]: want the same, of " +
			"floats": func() {
			g.Backward([]*nodes.Node{x}, []*nodes.Node{y}, x)
		},

		// nil
		"Add: operand 1 is nil": func() { nodes.Add(x, nil) },
		"Add: operand 0 is nil": func() { nodes.Add(none, x) },
		"Mul: operand 1 is nil": func() { nodes.Mul(x, &nodes.Node{}) },
		"MatMul: operand 1 is nil: want a parameter that Scope.Param declared": func() {
			nodes.MatMul(x, (*nodes.Param)(nil))
		},
		"MatMulT: operand 1 is nil: want a parameter that Scope.Param declared": func() {
			nodes.MatMulT(x, &nodes.Param{})
		},
		"Concat: operand 1 is nil":     func() { nodes.Concat(0, x, nil) },
		"Stack: operand 0 is nil":      func() { nodes.Stack(nil, x) },
		"OneHot: operand 0 is nil":     func() { nodes.OneHot(nil, 3) },
		"LengthMask: operand 0 is nil": func() { nodes.LengthMask(nil, 3) },
		"NotIn: operand 0 is nil":      func() { nodes.NotIn(nil, 3) },
		"CrossEntropy: operand 0 is nil": func() {
			nodes.CrossEntropy(nil, ids, nodes.CrossEntropyOptions{})
		},
		"CrossEntropy: operand 1 is nil": func() {
			nodes.CrossEntropy(x, nil, nodes.CrossEntropyOptions{})
		},
		"MSE: operand 1 is nil":      func() { nodes.MSE(x, nil, nodes.ReduceMean) },
		"Square: operand 0 is nil":   func() { nodes.KLStandardNormal(nil, x) },
		"Gradients: the node is nil": func() { g.Gradients(nil, x) },
		"Backward: operand 0 is nil": func() { g.Gradients(nodes.Sum(x), nil) },
		"InputLike: the node is nil": func() {
			g.InputLike(nil,
				"n")
		},
		"Param: the parameter is nil: want one that Scope.Param declared": func() { g.Param(nil) },
		"Apply: the op is nil":      func() { nodes.Apply(nil, x) },
		"Dropout: operand 0 is nil": func() { nodes.Dropout(nil, 0.5) },

		// sizes
		"Input: \"big\": shape [1099511627776] has more than 2³¹−1 elements": func() {
			g.Input("big", 1<<40)
		},
		"Input: \"neg\": shape [-1]: every size must be at least 1": func() {
			g.IntInput("neg", -1)
		},
		"Input: \"zero\": shape [2, 0]: every size must be at least 1": func() {
			g.Input("zero", 2, 0)
		},
		"Input: \"product\": shape [2147483647, 2147483647, 2147483647] has more than 2³¹−1 " +
			"elements": func() {
			g.Input("product", math.MaxInt32, math.MaxInt32, math.MaxInt32)
		},
		"Const: shape [65536, 65536] has more than 2³¹−1 elements": func() {
			g.Const(1, 1<<16, 1<<16)
		},
		"OneHot: ids is [2, 3]: shape [2, 3, 2147483647] has more than 2³¹−1 elements": func() {
			nodes.OneHot(ids, math.MaxInt32)
		},
		"OneHot: ids is [2, 3]: shape [2, 3, 0]: every size must be at least 1": func() {
			nodes.OneHot(ids, 0)
		},
		"LengthMask: lengths is [2]: shape [2147483648, 2, 1] has more than 2³¹−1 " +
			"elements": func() {
			nodes.LengthMask(lengths, 1<<31)
		},
		"Range: shape [-1]: every size must be at least 1": func() { g.Range(-1) },
		"Broadcast: x is [2, 3]: shape [1073741824, 2, 3] has more than 2³¹−1 elements": func() {
			nodes.Broadcast(x, 1<<30, 2, 3)
		},
		"Reshape: x is [2, 3]: shape [4294967296, 4294967296] has more than 2³¹−1 " +
			"elements": func() {
			nodes.Reshape(x, 1<<32, 1<<32)
		},
		"Noise: noise/key is [2]: shape [1099511627776] has more than 2³¹−1 elements": func() {
			g.Noise(nodes.NoiseRequest{Kind: nodes.UniformNoise, Shape: []int{1 << 40}})
		},
		"Add: broadcast(…) is [1073741824, 1], reshape(…) is [1, 4]: shape [1073741824, 4] has " +
			"more than 2³¹−1 elements": func() {
			nodes.Add(nodes.Broadcast(s, 1<<30, 1), nodes.Reshape(y, 1, 4))
		},
	} {
		t.Run(want, func(t *testing.T) { fails(t, want, build) })
	}
}

// Nothing of an adversarial size is allocated while a graph is built.
func TestSizesAreRefusedBeforeAllocation(t *testing.T) {
	n := memtest.Allocated(10<<20, func() {
		for _, n := range []int{-1, 0, 1 << 31, 1 << 40, math.MaxInt, math.MinInt} {
			require.Error(t, nodes.Try(func() {
				nodes.NewStore(nodes.Float32, 1).Root().Param("W",
					nodes.Normal(0, 1), n, 4*n)
			}))
			require.Error(t, nodes.Try(func() { f64().Input("x", n) }))
			require.Error(t, nodes.Try(func() { f64().Zeros(n, n) }))
			require.Error(t, nodes.Try(func() { nodes.OneHot(f64().IntInput("x", 2), n) }))
		}
		// A large tensor that is allowed is allocated by a run, or by the first look at a value,
		// not before.
		require.NoError(t, nodes.Try(func() {
			p := nodes.NewStore(nodes.Float32, 1).Root().Param("W", nodes.Normal(0, 1), 1<<15,
				1<<15)
			require.Equal(t, []int{1 << 15, 1 << 15}, p.Shape())
			nodes.Square(f64().Zeros(1<<15, 1<<15))
		}))
	})
	require.Less(t, n, 10<<20)
}

func TestTrySwallowsBuildErrorsOnly(t *testing.T) {
	require.NoError(t, nodes.Try(func() {}))
	cause := errors.New("cause")
	err := nodes.Try(func() { nodes.Failf("Toy", "sizes %d: %w", 3, cause) })
	require.EqualError(t, err, "Toy: sizes 3: cause")
	require.ErrorIs(t, err, cause)
	require.PanicsWithError(t, "cause", func() { _ = nodes.Try(func() { panic(cause) }) })
	require.PanicsWithValue(t, "text", func() { _ = nodes.Try(func() { panic("text") }) })
	require.PanicsWithError(t, "Toy: no\n\tto have this as an error and no panic, build inside "+
		"nodes.Try: err := nodes.Try(func() { … })", func() { nodes.Failf("Toy", "no") })
	g := f64()
	require.PanicsWithError(t, "runtime error: index out of range [5] with length 0", func() {
		_ = nodes.Try(func() {
			g.Within("step", func() {
				steps.Inner(g, nil,
					func(*nodes.Graph) { var none []int; _ = none[len(g.Parameters())+5] })
			})
		})
	})
	// What a failed build leaves behind is a graph that goes on working.
	x := in(g, "x", []float64{1, 2}, 2)
	require.Error(t, nodes.Try(func() { nodes.Add(x, g.Input("y", 3)) }))
	require.Equal(t, [][]float64{{1, 4}}, run(t, g, nodes.Square(x)))
}

// A bad id is an error of the run that names the operation, the position and the bounds; the next
// run is right again.
func TestBadIdsAtRunTime(t *testing.T) {
	for name, c := range map[string]struct {
		build func(g *nodes.Graph, ids *nodes.Node) *nodes.Node
		good  []int
		bad   []int
		want  string
	}{
		"embedding": {func(g *nodes.Graph,
			ids *nodes.Node) *nodes.Node {
			return nodes.Embedding(g.Const(1, 3, 2), ids, -1)
		},
			[]int{0, 2}, []int{1, 3}, "id 3 at position 1 is outside 0 … 2"},
		"negative": {func(g *nodes.Graph,
			ids *nodes.Node) *nodes.Node {
			return nodes.Embedding(g.Const(1, 3, 2), ids, -1)
		},
			[]int{0, 2}, []int{-1, 0}, "id -1 at position 0 is outside 0 … 2"},
		"one-hot": {func(_ *nodes.Graph,
			ids *nodes.Node) *nodes.Node {
			return nodes.OneHot(ids, 3)
		},
			[]int{0, 2}, []int{0, math.MaxInt},
			"id 9223372036854775807 at position 1 is outside 0 … 2"},
		"cross-entropy": {func(g *nodes.Graph, ids *nodes.Node) *nodes.Node {
			return nodes.CrossEntropy(g.Const(1, 2, 3), ids,
				nodes.CrossEntropyOptions{Ignore: []int{-1}})
		}, []int{-1, 2}, []int{0, -2}, "target -2 at position 1 is outside 0 … 2"},
		"lengths": {func(_ *nodes.Graph,
			ids *nodes.Node) *nodes.Node {
			return nodes.LengthMask(ids, 3)
		},
			[]int{0, 3}, []int{0, 4}, "length 4 of sequence 1 is outside 0 … 3"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, opts := range [][]graph.Option{nil, {graph.Plain()}} {
				g := f64()
				ids := gradcheck.Ints(g, "ids", c.good, 2)
				y := c.build(g, ids)
				m, err := graph.Compile(g.Expr(), append(opts, graph.Keep(y.Gorgonia()))...)
				require.NoError(t, err)
				defer m.Close()
				bind := func(values []int) {
					require.NoError(t, gorgonia.Let(ids.Gorgonia(),
						ops.Tensor{Shape: []int{2}, Int: values}.Value()))
				}
				require.NoError(t, m.RunAll())
				bind(c.bad)
				err = m.RunAll()
				require.ErrorContains(t, err, c.want)
				t.Log(err)
				bind(c.good)
				require.NoError(t, m.RunAll())
			}
		})
	}
}
