package ops_test

import (
	"errors"
	"fmt"
	"hash"
	"reflect"
	"sync"
	"testing"

	"github.com/chewxy/hm"
	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/gradcheck"
	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/internal/steps"
	"github.com/seqzoo/seqzoo/nodes"
)

// Gorgonia merges nodes of one hash, so a key must tell apart whatever differs.
func TestKeysTellOperationsApart(t *testing.T) {
	byKey := map[string]ops.Operation{}
	for _, cases := range allCases() {
		for _, c := range cases {
			if c.fn == nil {
				continue
			}
			for _, dtype := range []tensor.Dtype{nodes.Float32, nodes.Float64} {
				fn := c.fn(dtype)
				if old, ok := byKey[fn.Key()]; ok {
					require.Truef(t, reflect.DeepEqual(old, fn) || fmt.Sprintf("%#v",
						old) == fmt.Sprintf("%#v", fn), "%#v and %#v have one key", old, fn)
				}
				byKey[fn.Key()] = fn
			}
		}
	}
	f32 := nodes.Float32
	for _, pair := range [][2]ops.Operation{
		{ops.Elementwise{Kind: "affine", P: 1}, ops.Elementwise{Kind: "affine", P: 1 + 1e-15}},
		{ops.Slice{From: 0, To: 256}, ops.Slice{From: 256, To: 512}},
		{ops.Slice{Axis: 1, To: 1}, ops.Slice{Axis: 11, To: 1}},
		{ops.Noise{Dtype: f32, Shape: []int{2}, Kind: "normal", Label: "a"},
			ops.Noise{Dtype: f32, Shape: []int{2}, Kind: "normal", Label: "b"}},
		{ops.Noise{Dtype: f32, Shape: []int{2}, Kind: "uniform"},
			ops.Noise{Dtype: f32, Shape: []int{2}, Kind: "normal"}},
		{ops.Noise{Dtype: f32, Shape: []int{2}, Kind: "bernoulli", P: 0.1},
			ops.Noise{Dtype: f32, Shape: []int{2}, Kind: "bernoulli", P: 0.9}},
		{ops.Softmax{}, ops.LogSoftmax{}},
		{ops.Fill{Dtype: f32, Shape: []int{20, 20}},
			ops.Fill{Dtype: f32, Shape: []int{20, 20}, Value: 1}},
		{ops.Differs{Dtype: f32, Values: []int{1, 2}}, ops.Differs{Dtype: f32, Values: []int{12}}},
	} {
		require.NotEqual(t, pair[0].Key(), pair[1].Key())
	}
}

// Two sums whose 32-bit hashes agree, found by a search: Gorgonia takes them for one node.
func TestCollidingHashes(t *testing.T) {
	g := G.NewGraph()
	vector := ops.Type{Dtype: nodes.Float64, Shape: []int{2}}
	input := func(name string, a, b float64) *G.Node {
		n := ops.Input(g, name, vector)
		require.NoError(t, G.Let(n, ops.Tensor{Shape: []int{2}, F64: []float64{a, b}}.Value()))
		return n
	}
	a, b, c, d := input("x62", 1, 2), input("x13", 3, 4), input("x477", 5, 6), input("x195", 7, 8)
	plus := ops.Elementwise{Kind: "add"}
	first := ops.Apply(plus, a, b)
	merged, err := G.ApplyOp(&ops.Op{Fn: plus, In: []ops.Type{vector, vector}, Out: vector}, c, d)
	require.NoError(t, err)
	require.Same(t, first, merged, "the pair no longer collides, and this test shows nothing")

	second := ops.Apply(plus, c, d)
	require.NotSame(t, first, second)
	require.Equal(t, 0, ops.Salt(first))
	require.Equal(t, 1, ops.Salt(second))
	require.Same(t, first, ops.Apply(plus, a, b), "asked for again")
	require.Same(t, second, ops.Apply(plus, c, d), "asked for again")

	loss := ops.Apply(ops.SumTo{}, ops.Mul(first, second))
	ds, err := ops.Gradients([]*G.Node{loss},
		[]*G.Node{ops.Apply(ops.Fill{Dtype: nodes.Float64, Value: 1}, a)}, []*G.Node{a, c})
	require.NoError(t, err)
	ng := nodes.NewGraph(nodes.Options{})
	want := [][]float64{{4, 6}, {12, 14}, {12, 14}, {4, 6}}
	require.Equal(t, want, plainly(t, ng, []*G.Node{first, second, ds[0], ds[1]}))
	var v1, v2 G.Value
	G.Read(first, &v1)
	G.Read(second, &v2)
	m := G.NewTapeMachine(g)
	defer m.Close()
	require.NoError(t, m.RunAll())
	require.Equal(t, want[0], v1.Data())
	require.Equal(t, want[1], v2.Data())
}

// alien is an op of somebody else, with faults to order.
type alien struct {
	grads int   // nodes that SymDiff gives
	short bool  // SymDiff gives a wrong shape
	fail  error // of Do
	panic bool  // in Do
}

func (alien) Arity() int { return 1 }
func (alien) Type() hm.Type {
	v := G.TensorType{Dims: 1, Of: tensor.Float64}
	return hm.NewFnType(v, v)
}
func (alien) InferShape(in ...G.DimSizer) (tensor.Shape, error) { return in[0].(tensor.Shape), nil }
func (a alien) Do(vs ...G.Value) (G.Value, error) {
	if a.panic {
		panic("boom")
	}
	return vs[0], a.fail
}
func (alien) ReturnsPtr() bool          { return false }
func (alien) CallsExtern() bool         { return false }
func (alien) OverwritesInput() int      { return -1 }
func (a alien) WriteHash(h hash.Hash)   { fmt.Fprintf(h, "alien %v", a) }
func (a alien) Hashcode() uint32        { return 7 }
func (alien) String() string            { return "alien" }
func (alien) DiffWRT(inputs int) []bool { return []bool{true} }
func (a alien) SymDiff(_ G.Nodes, _, dy *G.Node) (ds G.Nodes, err error) {
	if a.short {
		dy = ops.Apply(ops.Slice{To: 1}, dy)
	}
	for range a.grads {
		ds = append(ds, dy)
	}
	return ds, nil
}

func TestOpsOfOthers(t *testing.T) {
	gradients := func(a alien) (*nodes.Graph, []*nodes.Node, error) {
		g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
		var keep []*nodes.Node
		err := nodes.Try(func() {
			x := g.Input("x", 3)
			gradcheck.Bind(x, []float64{1, 2, 3})
			y := nodes.Apply(a, x)
			keep = append(keep, y)
			keep = append(keep, g.Gradients(nodes.Sum(nodes.Square(y)), x)...)
		})
		return g, keep, err
	}
	g, keep, err := gradients(alien{grads: 1})
	require.NoError(t, err)
	require.Equal(t, [][]float64{{1, 2, 3}, {2, 4, 6}},
		plainly(t, g, []*G.Node{keep[0].Gorgonia(), keep[1].Gorgonia()}))

	_, _, err = gradients(alien{grads: 2})
	require.EqualError(t, err, "Backward: gradient of alien: SymDiff gave 2 nodes for 1 operands")
	_, _, err = gradients(alien{grads: 1, short: true})
	require.EqualError(t, err, "Backward: gradient of alien: shape (1) for operand 0, which is (3)")

	for _, a := range []alien{{grads: 1, fail: errors.New("out of ink")}, {grads: 1, panic: true}} {
		_, keep, err := gradients(a)
		require.NoError(t, err)
		p, err := ops.NewProgram([]*G.Node{keep[0].Gorgonia()})
		require.NoError(t, err)
		require.ErrorContains(t, p.Run(), "alien: ")
	}
}

// A program takes what is bound at each run, leaves its inputs alone, and reports what it lacks.
func TestProgramInputs(t *testing.T) {
	g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
	x, h := g.Input("x", 2), g.Input("h", 2)
	y := nodes.Add(nodes.Square(x), h).Gorgonia()
	p, err := ops.NewProgram([]*G.Node{y})
	require.NoError(t, err)
	require.EqualError(t, p.Run(), `input "x": no value is bound`)
	gradcheck.Bind(x, []float64{1, 2})
	require.EqualError(t, p.Run(), `input "h": no value is bound`)

	at := func() []float64 { return p.At(p.Index(y)).F64 }
	gradcheck.Bind(h, []float64{10, 20})
	require.NoError(t, p.Run())
	require.Equal(t, []float64{11, 24}, at())
	gradcheck.Bind(x, []float64{3, 4}) // another tensor
	require.NoError(t, p.Run())
	require.Equal(t, []float64{19, 36}, at())
	x.Value().(*tensor.Dense).Data().([]float64)[0] = 0 // the same one, changed
	require.NoError(t, p.Run())
	require.Equal(t, []float64{10, 36}, at())
	require.Equal(t, []float64{0, 4}, x.Value().Data(), "an input was changed")

	p.Set(p.Index(h.Gorgonia()), ops.Tensor{Shape: []int{2}, F64: []float64{1, 1}})
	require.NoError(t, p.Run())
	require.Equal(t, []float64{1, 17}, at())
	p.Set(-1, ops.Tensor{}) // of a node that the program does not need
	require.Equal(t, -1, p.Index(nodes.Tanh(x).Gorgonia()))

	raw := G.NewGraph()
	n := G.NewTensor(raw, nodes.Float64, 1, G.WithShape(2), G.WithName("x"))
	row := tensor.New(tensor.WithShape(1, 2), tensor.WithBacking([]float64{1, 2}))
	require.NoError(t, G.Let(n, row)) // Gorgonia takes a row for a vector
	bad, err := ops.NewProgram([]*G.Node{ops.Affine(n, 1, 0)})
	require.NoError(t, err)
	require.EqualError(t, bad.Run(), `input "x" is float64 [1, 2], want float64 [2]`)
	empty, err := ops.NewProgram(nil)
	require.NoError(t, err)
	require.NoError(t, empty.Run())
}

// Values that do not lie contiguous in memory are read as what they mean.
func TestTensorOfViews(t *testing.T) {
	d := tensor.New(tensor.WithShape(2, 3), tensor.WithBacking([]float64{1, 2, 3, 4, 5, 6}))
	column, err := d.Slice(nil, G.S(1))
	require.NoError(t, err)
	rows, err := d.Slice(G.S(1, 2), nil)
	require.NoError(t, err)
	flipped := d.Clone().(*tensor.Dense)
	require.NoError(t, flipped.T())
	colMajor := tensor.New(tensor.WithShape(2, 3), tensor.AsFortran([]float64{1, 2, 3, 4, 5, 6}))
	scalar, err := d.Slice(G.S(1), G.S(2))
	require.NoError(t, err)
	deep := tensor.New(tensor.WithShape(2, 2, 2),
		tensor.WithBacking([]float64{1, 2, 3, 4, 5, 6, 7, 8}))
	require.NoError(t, deep.T(2, 0, 1))
	every, err := deep.Clone().(*tensor.Dense).Slice(nil, nil, G.S(1))
	require.NoError(t, err)
	for name, v := range map[string]struct {
		value G.Value
		want  []float64
	}{
		"column": {column, []float64{2, 5}}, "rows": {rows, []float64{4, 5, 6}},
		"transposed":          {flipped, []float64{1, 4, 2, 5, 3, 6}},
		"column-major":        {colMajor, []float64{1, 2, 3, 4, 5, 6}},
		"itself":              {d, []float64{1, 2, 3, 4, 5, 6}},
		"scalar":              {scalar, []float64{6}},
		"three axes":          {deep, []float64{1, 3, 5, 7, 2, 4, 6, 8}},
		"of a transposed one": {every, []float64{3, 7, 4, 8}},
	} {
		got, err := ops.TensorOf(v.value)
		require.NoError(t, err, name)
		require.Equal(t, v.want, got.F64, name)
		require.Len(t, v.want, ops.Size(got.Shape), name)
	}
	_, err = ops.TensorOf(G.NewB(true))
	require.ErrorContains(t, err, "want a *tensor.Dense or a scalar")
	require.Equal(t, []float64{1, 2, 3, 4, 5, 6}, d.Data())
}

// Do is what Gorgonia's machines call, in a goroutine of their own: whatever happens must be an
// error.
func TestDoNeverPanics(t *testing.T) {
	vector := ops.Type{Dtype: nodes.Float64, Shape: []int{2}}
	op := &ops.Op{Fn: ops.Elementwise{Kind: "add"}, In: []ops.Type{vector, vector}, Out: vector}
	x := tensor.New(tensor.WithShape(2), tensor.WithBacking([]float64{1, 2}))
	_, err := op.Do(x)
	require.EqualError(t, err, "Add: 1 operands, want 2")
	_, err = op.Do(x, tensor.New(tensor.WithShape(3), tensor.WithBacking([]float64{1, 2, 3})))
	require.EqualError(t, err, "Add: operand 1 is float64 [3], want float64 [2]")
	_, err = op.Do(x, nil)
	require.EqualError(t, err, "Add: operand 1: no value is bound")
	broken := &ops.Op{Fn: ops.Elementwise{Kind: "no such thing"}, In: []ops.Type{vector},
		Out: vector}
	_, err = broken.Do(x)
	require.ErrorContains(t, err, "no such thing")
	v, err := op.Do(x, x)
	require.NoError(t, err)
	require.Equal(t, []float64{2, 4}, v.Data())
}

// One step serves many runs at once: every run takes a program of its own from the pool.
func TestScanRunsConcurrently(t *testing.T) {
	s := scanSize{T: 5, B: 2, In: 3, H: 2}
	c := opCase{in: []operand{floats(-1, 1, 1, s.T, s.B, s.In), floats(-1, 1, 2, s.B, s.H),
		floats(-1, 1, 3, s.B, s.H), floats(-1, 1, 4, s.In, s.H), floats(-1, 1, 5, s.H)}}
	g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
	in := c.inputs(g)
	y := steps.Op(g, "Scan", s.scan(nodes.Float64), in...)
	want := []*G.Node{y.Gorgonia()}
	for _, d := range g.Gradients(gradcheck.Weigh(y), operands(in)...) {
		want = append(want, d.Gorgonia())
	}
	serial := plainly(t, g, want)
	results := make([][][]float64, 16)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() {
			for range 10 {
				p, err := ops.NewProgram(want)
				if err != nil || p.Run() != nil {
					return
				}
				results[i] = nil
				for _, n := range want {
					results[i] = append(results[i], gradcheck.Floats(p.At(p.Index(n))))
				}
			}
		})
	}
	wg.Wait()
	for _, r := range results {
		require.Equal(t, serial, r)
	}
}

// What a run finds wrong with ids, and at which step of a scan.
func TestRunErrors(t *testing.T) {
	table := floats(-1, 1, 1, 3, 2)
	always := func(fn ops.Operation) func(tensor.Dtype) ops.Operation {
		return func(tensor.Dtype) ops.Operation { return fn }
	}
	for _, c := range []struct {
		opCase
		want string
	}{
		{opCase{fn: always(ops.Gather{Padding: -1}), in: []operand{table,
			ints([]int{0, 2, 3, 1}, 2, 2)}}, "Op: id 3 at position 2 is outside 0 … 2"},
		{opCase{fn: always(ops.Gather{Padding: -1}), in: []operand{table, ints([]int{-1}, 1)}},
			"Op: id -1 at position 0 is outside 0 … 2"},
		{opCase{fn: always(ops.Gather{Padding: -1}), in: []operand{table, ints([]int{1 << 62}, 1)}},
			"Op: id 4611686018427387904 at position 0 is outside 0 … 2"},
		{opCase{fn: always(ops.ScatterAdd{V: 3, Padding: -1}), in: []operand{ints([]int{3}, 1),
			floats(0, 1, 1, 1, 2)}}, "Op: id 3 at position 0 is outside 0 … 2"},
		{opCase{fn: always(ops.OneHot{Dtype: nodes.Float64, V: 3}),
			in: []operand{ints([]int{5}, 1)}}, "Op: id 5 at position 0 is outside 0 … 2"},
		{opCase{fn: always(ops.LengthMask{Dtype: nodes.Float64, T: 3}),
			in: []operand{ints([]int{3, 4}, 2)}}, "Op: length 4 of sequence 1 is outside 0 … 3"},
		{opCase{fn: always(ops.LengthMask{Dtype: nodes.Float64, T: 3}),
			in: []operand{ints([]int{-1}, 1)}}, "Op: length -1 of sequence 0 is outside 0 … 3"},
		{opCase{fn: always(ops.CrossEntropy{Ignore: []int{-1}}),
			in: []operand{floats(0, 1, 1, 2, 3), ints([]int{-1, -2}, 2)}},
			"Op: target -2 at position 1 is outside 0 … 2"},
	} {
		t.Run(c.want, func(t *testing.T) {
			g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
			y := c.apply(g, c.inputs(g)).Gorgonia()
			p, err := ops.NewProgram([]*G.Node{y})
			require.NoError(t, err)
			require.EqualError(t, p.Run(), c.want)
			m := G.NewTapeMachine(g.Expr())
			defer m.Close()
			require.ErrorContains(t, m.RunAll(), c.want)
		})
	}
}

// Gradients of slices of one tensor are joined where they do not overlap, and added where they do.
func TestGradientsOfManySlices(t *testing.T) {
	for name, ranges := range map[string][][3]int{ // axis, from, to
		"one": {{0, 1, 3}}, "all places": {{0, 0, 1}, {0, 1, 2}, {0, 2, 3}, {0, 3, 4}, {0, 4, 5}},
		"out of order with gaps":         {{0, 4, 5}, {0, 1, 2}},
		"overlapping":                    {{0, 0, 3}, {0, 2, 5}, {0, 1, 4}, {0, 1, 2}},
		"the same length from one place": {{0, 1, 3}, {0, 1, 2}, {0, 1, 5}},
		"two axes":                       {{0, 0, 2}, {1, 1, 2}, {0, 3, 5}, {1, 0, 2}, {1, 2, 3}},
		"nested":                         {{0, 0, 4}, {2, 1, 3}, {2, 0, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, whole := range []bool{false, true} {
				build := func(g *nodes.Graph, in []*nodes.Node) *nodes.Node {
					loss := g.Const(0)
					for _, r := range ranges {
						x := in[0]
						if r[0] == 2 { // a slice of a slice
							r[0], x = 0, nodes.Slice(x, 0, 1, 5)
						}
						loss = nodes.Add(loss,
							gradcheck.Weigh(nodes.Square(nodes.Slice(x, r[0], r[1], r[2]))))
					}
					if whole {
						loss = nodes.Add(loss, gradcheck.Weigh(nodes.Square(in[0])))
					}
					return loss
				}
				gradcheck.Check(t, build, gradcheck.Between(-1, 1, 1, 5, 3))
				gradcheck.Check(t, gradcheck.Gradient(build), gradcheck.Between(-1, 1, 1, 5, 3))
			}
		})
	}
}
