package ops_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/gradcheck"
	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/internal/steps"
	"github.com/seqzoo/seqzoo/nodes"
)

// operand is an input of a case: floats, or ints if Ints is set.
type operand struct {
	gradcheck.Input
	Ints  []int
	fixed bool // floats that are not differentiated
}

func floats(low, high float64, seed int, shape ...int) operand {
	return operand{Input: gradcheck.Between(low, high, seed, shape...)}
}

func given(values []float64, shape ...int) operand {
	return operand{Input: gradcheck.Input{Shape: shape, Values: values}}
}

func ints(values []int, shape ...int) operand {
	return operand{Input: gradcheck.Input{Shape: shape}, Ints: values}
}

// opCase is one use of an operation.
type opCase struct {
	name  string
	fn    func(dtype tensor.Dtype) ops.Operation
	build func(g *nodes.Graph, in []*nodes.Node) *nodes.Node // in place of fn
	in    []operand
	want  func(in []array) array // by plain loops; ints come as floats

	stops  bool   // it hides a dependence from the gradient
	ids    bool   // its result is ints
	first  string // the error of a first derivative, if that is refused
	second string // the error of a second derivative, if that is refused
}

// caseTable is cases by the name of the type of their operation.
type caseTable map[string][]opCase

func (t caseTable) add(c opCase, kind string) {
	c.name = fmt.Sprintf("%s %s", kind, c.name)
	t[kind] = append(t[kind], c)
}

// always is an operation that is the same for every type of numbers.
func always(fn ops.Operation) func(tensor.Dtype) ops.Operation {
	return func(tensor.Dtype) ops.Operation { return fn }
}

// opCases are cases of every operation but the element-wise ones. Each family of operations has a
// file of its own.
func opCases() map[string][]opCase {
	t := caseTable{}
	t.matMul()
	t.reshaped()
	t.parts()
	t.broadcast()
	t.gathered()
	t.masks()
	t.indices()
	t.maxima()
	t.softmaxes()
	t.crossEntropies()
	t.noise()
	t.scans()
	return t
}

// slope is df/dx by Richardson's extrapolation of central differences.
func slope(f func() float64, x *float64) float64 {
	at := *x
	defer func() { *x = at }()
	d := func(h float64) float64 {
		*x = at + h
		up := f()
		*x = at - h
		return (up - f()) / (2 * h)
	}
	const h = 2e-3
	return (64*d(h) - 20*d(2*h) + d(4*h)) / 45
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func operands(ns []*nodes.Node) []nodes.Operand {
	var xs []nodes.Operand
	for _, n := range ns {
		xs = append(xs, n)
	}
	return xs
}

// scanSize is a recurrence of two states with an output beside them:
//
//	h' = tanh(x·W + h∘c + b), c' = h, y = h'∘c
type scanSize struct {
	T, B, In, H int
	Reverse     bool
}

func (s scanSize) scan(dtype tensor.Dtype) ops.Scan {
	g := G.NewGraph()
	in := func(name string, shape ...int) *G.Node {
		return ops.Input(g, name, ops.Type{Dtype: dtype, Shape: shape})
	}
	x, h, c := in("x", s.B, s.In), in("h", s.B, s.H), in("c", s.B, s.H)
	w, b := in("W", s.In, s.H), in("b", s.H)
	next := ops.Apply(ops.Elementwise{Kind: "tanh"},
		ops.Add(ops.Add(ops.Apply(ops.MatMul{}, x, w), ops.Mul(h, c)), b))
	step := ops.NewStep(&ops.Step{
		Seqs: []*G.Node{x}, States: []*G.Node{h, c}, Consts: []*G.Node{w, b},
		Next: []*G.Node{next, h}, Ys: []*G.Node{ops.Mul(next, c)}, Mask: -1,
		Raw: []*G.Node{next}, Parts: []string{"h"},
	})
	return ops.Scan{Step: step, T: s.T, Reverse: s.Reverse}
}

// loop is the recurrence as plain loops, packed as the scan packs: h' of all times, c', y. A sixth
// input is added to h'.
func (s scanSize) loop(in []array) array {
	x, h, c, w, b := in[0], in[1], in[2], in[3], in[4]
	state := generate([]int{3, s.T, s.B, s.H}, func([]int) float64 { return math.NaN() })
	for i := range s.T {
		t := i
		if s.Reverse {
			t = s.T - 1 - i
		}
		next := generate(h.shape, func(ix []int) float64 {
			sum := h.at(ix...)*c.at(ix...) + b.at(ix[1])
			for k := range s.In {
				sum += x.at(t, ix[0], k) * w.at(k, ix[1])
			}
			if len(in) > 5 {
				return math.Tanh(sum) + in[5].at(t, ix[0], ix[1])
			}
			return math.Tanh(sum)
		})
		each(h.shape, func(_ int, ix []int) {
			put := func(slot int, v float64) {
				state.v[state.offset([]int{slot, t, ix[0],
					ix[1]})] = v
			}
			put(0, next.at(ix...))
			put(1, h.at(ix...))
			put(2, next.at(ix...)*c.at(ix...))
		})
		h, c = next, h
	}
	return array{[]int{len(state.v)}, state.v}
}

func allCases() map[string][]opCase {
	table := opCases()
	addOthers(table)
	return table
}

// eachCase runs a subtest for every case of every operation.
func eachCase(t *testing.T, test func(t *testing.T, c opCase)) {
	for kind, cases := range allCases() {
		t.Run(kind, func(t *testing.T) {
			for _, c := range cases {
				t.Run(c.name, func(t *testing.T) { test(t, c) })
			}
		})
	}
}

// Every value type with a Key method is an operation, and needs cases whose graphs contain it.
func TestEveryOperationIsTested(t *testing.T) {
	names, err := filepath.Glob("*.go")
	require.NoError(t, err)
	table := allCases()
	found := 0
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv == nil || f.Name.Name != "Key" {
				continue
			}
			receiver, ok := f.Recv.List[0].Type.(*ast.Ident)
			if !ok {
				continue // a pointer: operations are values
			}
			name := receiver.Name
			require.NotEmpty(t, table[name], "a new operation needs cases in opCases")
			found++
		}
	}
	require.Len(t, table, found)
	for name, cases := range table {
		for _, c := range cases {
			g := nodes.NewGraph(nodes.Options{})
			c.apply(g, c.inputs(g))
			require.True(t, slices.ContainsFunc(g.Expr().AllNodes(), func(n *G.Node) bool {
				op, ok := n.Op().(*ops.Op)
				return ok && reflect.TypeOf(op.Fn).Name() == name
			}), "%s does not use %s", c.name, name)
		}
	}
}

// inputs declares and binds the operands.
func (c opCase) inputs(g *nodes.Graph) (in []*nodes.Node) {
	for i, x := range c.in {
		name := fmt.Sprintf("operand %d", i)
		if x.Ints != nil {
			in = append(in, gradcheck.Ints(g, name, x.Ints, x.Shape...))
			continue
		}
		n := g.Input(name, x.Shape...)
		gradcheck.Bind(n, x.Values)
		in = append(in, n)
	}
	return in
}

func (c opCase) apply(g *nodes.Graph, in []*nodes.Node) *nodes.Node {
	if c.build != nil {
		return c.build(g, in)
	}
	return steps.Op(g, "Op", c.fn(g.Dtype()), slices.Clone(in)...)
}

// machine runs a graph and gives the values of nodes.
type machine func(t gradcheck.T, g *nodes.Graph, want []*G.Node) [][]float64

func plainly(t gradcheck.T, _ *nodes.Graph, want []*G.Node) (values [][]float64) {
	p, err := ops.NewProgram(want)
	require.NoError(t, err)
	for range 2 { // the second run must not see the first
		require.NoError(t, p.Run())
	}
	for _, n := range want {
		values = append(values, gradcheck.Floats(p.At(p.Index(n))))
	}
	return values
}

func compiled(t gradcheck.T, g *nodes.Graph, want []*G.Node) (values [][]float64) {
	m, err := graph.Compile(g.Expr(), graph.Keep(want...))
	require.NoError(t, err)
	defer m.Close()
	for range 2 {
		require.NoError(t, m.RunAll())
	}
	for _, n := range want {
		v, err := ops.TensorOf(n.Value())
		require.NoError(t, err)
		values = append(values, gradcheck.Floats(v))
	}
	return values
}

func onTape(t gradcheck.T, g *nodes.Graph, want []*G.Node) (values [][]float64) {
	into := make([]G.Value, len(want))
	for i, n := range want {
		if n.Op() == nil {
			into[i] = n.Value()
			continue
		}
		G.Read(n, &into[i])
	}
	m := G.NewTapeMachine(g.Expr())
	defer m.Close()
	require.NoError(t, m.RunAll())
	for _, x := range into {
		v, err := ops.TensorOf(x)
		require.NoError(t, err)
		values = append(values, gradcheck.Floats(v))
	}
	return values
}

// values of the operation alone.
func (c opCase) values(t *testing.T, dtype tensor.Dtype, run machine) []float64 {
	t.Helper()
	g := nodes.NewGraph(nodes.Options{Dtype: dtype})
	n := c.apply(g, c.inputs(g)).Gorgonia()
	return run(t, g, []*G.Node{n})[0]
}
