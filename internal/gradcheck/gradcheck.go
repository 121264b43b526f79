package gradcheck

import (
	"fmt"
	"math"
	"slices"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/rng"
)

// T is what Check needs of a *testing.T, or of a *rapid.T.
type T interface {
	require.TestingT
	Helper()
}

// Build makes a scalar loss of inputs. It is called several times, for graphs of both float types,
// and must build the same each time. Parameters that it uses come from a store that it makes
// itself, of type g.Dtype(). Other inputs than those given it must bind.
type Build func(g *nodes.Graph, in []*nodes.Node) *nodes.Node

// Input is an input of the function under check. The function must be smooth within 0.01 of its
// values.
type Input struct {
	Shape  []int
	Values []float64
}

// Between is an input of numbers in [low, high) which float32 holds exactly. They depend on nothing
// but the arguments, and are different for different seeds.
func Between(low, high float64, seed int, shape ...int) Input {
	key := rng.New(uint64(seed)).Named("gradcheck")
	in := Input{Shape: shape, Values: make([]float64, ops.Size(shape))}
	for i := range in.Values {
		in.Values[i] = float64(float32(low + (high-low)*key.Float64(uint64(i))))
	}
	return in
}

// Bind gives a float node its value.
func Bind(n *nodes.Node, values []float64) {
	v := ops.NewTensor(ops.Type{Dtype: n.Dtype(), Shape: n.Shape()})
	copy(v.F64, values)
	for i := range v.F32 {
		v.F32[i] = float32(values[i])
	}
	must(G.Let(n.Gorgonia(), v.Value()))
}

// Ints declares an input of ints in g and binds it.
func Ints(g *nodes.Graph, name string, values []int, shape ...int) *nodes.Node {
	n := g.IntInput(name, shape...)
	must(G.Let(n.Gorgonia(), ops.Tensor{Shape: shape, Int: slices.Clone(values)}.Value()))
	return n
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// Weigh is the sum of x with fixed weights, which differ from element to element: a loss that no
// two errors in the gradient of x cancel in.
func Weigh(x *nodes.Node) *nodes.Node {
	g := x.Graph()
	var w *nodes.Node
	for k := 0; w == nil; k++ {
		// A taken name is the only thing that can be wrong with the input.
		_ = nodes.Try(func() { w = g.Input(fmt.Sprintf("weights %d", k), x.Shape()...) })
	}
	Bind(w, Between(-1, 1, ops.Size(x.Shape()), x.Shape()...).Values)
	return nodes.Sum(nodes.Mul(x, w))
}

// Gradient is the loss whose gradients are second derivatives of build: its gradients, weighed.
func Gradient(build Build) Build {
	return func(g *nodes.Graph, in []*nodes.Node) *nodes.Node {
		loss := build(g, in)
		sum := g.Const(0)
		for _, d := range g.Gradients(loss, wrt(g, in)...) {
			sum = nodes.Add(sum, Weigh(d))
		}
		return sum
	}
}

func wrt(g *nodes.Graph, in []*nodes.Node) []nodes.Operand {
	var xs []nodes.Operand
	for _, n := range in {
		xs = append(xs, n)
	}
	for _, p := range g.Parameters() {
		xs = append(xs, p)
	}
	return xs
}

// Check holds the gradients of build in all inputs and parameters, in float64, against central
// differences of fourth order, element by element, to 1e-7 of the largest element. It also wants
// Gorgonia's own machine to find the same loss and gradients, and float32 to find them to 2e-4.
func Check(t T, build Build, in ...Input) {
	t.Helper()
	p := newProblem(t, nodes.Float64, build, in)
	want := p.run(t)
	if len(p.wrt) > 0 {
		report, err := graph.CheckGradients(p.keep[0].Gorgonia(), raw(p.wrt), raw(p.keep[1:]),
			graph.GradientCheck{}, graph.Plain())
		require.NoError(t, err)
		require.NoError(t, report.Err())
	}
	all := append([]string{"loss"}, p.names...)
	tape := newProblem(t, nodes.Float64, build, in).tape(t)
	half := newProblem(t, nodes.Float32, build, in).run(t)
	for i := range want {
		Close(t, want[i], tape[i], 1e-12, fmt.Sprintf("(gradient of) %s on Gorgonia's machine",
			all[i]))
		Close(t, want[i], half[i], 2e-4, fmt.Sprintf("(gradient of) %s in float32", all[i]))
	}
}

// Close fails the test unless every element of got is within tol of want, relative to the largest
// element of want or to 0.1 if all are smaller. NaN is never close.
func Close(t T, want, got []float64, tol float64, what string) {
	t.Helper()
	require.Len(t, got, len(want), what)
	top := 0.1
	for _, v := range want {
		top = max(top, math.Abs(v))
	}
	for i := range want {
		if !(math.Abs(want[i]-got[i]) <= tol*top) {
			require.FailNow(t, "not close", "%s: element %d is %v, want %v (%v, want %v)", what, i,
				got[i], want[i], got, want)
		}
	}
}

// problem is a built graph.
type problem struct {
	g     *nodes.Graph
	wrt   []*nodes.Node
	names []string
	keep  []*nodes.Node // the loss, then the gradient of every wrt
	all   *ops.Program
}

func newProblem(t T, dtype tensor.Dtype, build Build, in []Input) *problem {
	t.Helper()
	p := &problem{g: nodes.NewGraph(nodes.Options{Dtype: dtype, Training: true})}
	require.NoError(t, nodes.Try(func() {
		var xs []*nodes.Node
		for i, x := range in {
			// A scalar lies in a tensor, so that it can be changed like the others.
			n := p.g.Input(fmt.Sprintf("input %d", i), append([]int{1}, x.Shape...)...)
			Bind(n, x.Values)
			p.wrt, p.names = append(p.wrt, n), append(p.names, n.Gorgonia().Name())
			xs = append(xs, nodes.Reshape(n, x.Shape...))
		}
		loss := build(p.g, xs)
		for _, w := range p.g.Parameters() {
			p.wrt, p.names = append(p.wrt, p.g.Param(w)), append(p.names, w.Name())
		}
		var operands []nodes.Operand
		for _, n := range p.wrt {
			operands = append(operands, n)
		}
		p.keep = append([]*nodes.Node{loss}, p.g.Gradients(loss, operands...)...)
	}))
	var err error
	p.all, err = ops.NewProgram(raw(p.keep))
	require.NoError(t, err)
	return p
}

func raw(ns []*nodes.Node) []*G.Node {
	out := make([]*G.Node, len(ns))
	for i, n := range ns {
		out[i] = n.Gorgonia()
	}
	return out
}

func (p *problem) run(t T) (values [][]float64) {
	t.Helper()
	require.NoError(t, p.all.Run())
	for _, n := range raw(p.keep) {
		values = append(values, Floats(p.all.At(p.all.Index(n))))
	}
	return values
}

// tape runs the graph on Gorgonia's own machine. A value of it is certain only where it is read.
func (p *problem) tape(t T) (values [][]float64) {
	t.Helper()
	into := make([]G.Value, len(p.keep))
	for i, n := range raw(p.keep) {
		if n.Op() == nil {
			into[i] = n.Value() // a gradient is an input where the loss is a plain product of two
			continue
		}
		G.Read(n, &into[i])
	}
	m := G.NewTapeMachine(p.g.Expr())
	defer m.Close()
	require.NoError(t, m.RunAll())
	for _, v := range into {
		x, err := ops.TensorOf(v)
		require.NoError(t, err)
		values = append(values, Floats(x))
	}
	return values
}

// Floats are the elements of a tensor, copied.
func Floats(x ops.Tensor) []float64 {
	out := slices.Clone(x.F64)
	for _, v := range x.F32 {
		out = append(out, float64(v))
	}
	for _, v := range x.Int {
		out = append(out, float64(v))
	}
	return out
}
