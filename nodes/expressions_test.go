package nodes_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/gradcheck"
	"github.com/seqzoo/seqzoo/nodes"
)

// expression is a use of a function of the package: of floats, whose gradients are checked too.
type expression struct {
	in    []gradcheck.Input
	build func(g *nodes.Graph, in []*nodes.Node) *nodes.Node
	shape []int
	want  func(x [][]float64) []float64
	jumps bool // finite differences see what the gradient must not
}

func between(low, high float64, seed int, shape ...int) gradcheck.Input {
	return gradcheck.Between(low, high, seed, shape...)
}

// row is an input [n] without numbers close to 0 or to each other's.
func row(values ...float64) gradcheck.Input {
	return gradcheck.Input{Shape: []int{len(values)}, Values: values}
}

func of1(f func(x nodes.Operand) *nodes.Node, want func(x float64) float64,
	values ...float64) []expression {
	return []expression{{
		in: []gradcheck.Input{row(values...)}, shape: []int{len(values)},
		build: func(_ *nodes.Graph, in []*nodes.Node) *nodes.Node { return f(in[0]) },
		want: func(x [][]float64) (y []float64) {
			for _, v := range x[0] {
				y = append(y, want(v))
			}
			return y
		},
	}}
}

func of2(f func(a, b nodes.Operand) *nodes.Node, want func(a, b float64) float64) []expression {
	return []expression{{
		in: []gradcheck.Input{row(1.5, -0.5, 2, 0.25), row(-2, 0.75, 0.5, 1)}, shape: []int{4},
		build: func(_ *nodes.Graph, in []*nodes.Node) *nodes.Node { return f(in[0], in[1]) },
		want: func(x [][]float64) (y []float64) {
			for i, v := range x[0] {
				y = append(y, want(v, x[1][i]))
			}
			return y
		},
	}}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func sum(x []float64) (s float64) {
	for _, v := range x {
		s += v
	}
	return s
}

// rows applies f to consecutive parts of n elements and joins the results.
func rows(x []float64, n int, f func(row []float64) []float64) (y []float64) {
	for at := 0; at < len(x); at += n {
		y = append(y, f(x[at:at+n])...)
	}
	return y
}

func softmax(x []float64) (y []float64) {
	var z float64
	for _, v := range x {
		z += math.Exp(v)
	}
	for _, v := range x {
		y = append(y, math.Exp(v)/z)
	}
	return y
}

func each(x []float64, f func(float64) float64) (y []float64) {
	for _, v := range x {
		y = append(y, f(v))
	}
	return y
}

func scalar(v float64) []float64 { return []float64{v} }

type (
	ns = []*nodes.Node
	xs = [][]float64
)

// elsewhere are the functions whose results are ints, or random, or that take ints alone; they have
// tests of their own.
var elsewhere = []string{"OneHot", "LengthMask", "NotIn", "ArgMax", "Dropout", "Apply"}

func TestEveryFunctionIsTested(t *testing.T) {
	names, err := filepath.Glob("*.go")
	require.NoError(t, err)
	table := expressions()
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv != nil || !f.Name.IsExported() || f.Type.Results == nil {
				continue
			}
			typ := f.Type.Results.List[0].Type
			if a, ok := typ.(*ast.ArrayType); ok {
				typ = a.Elt
			}
			star, ok := typ.(*ast.StarExpr)
			if !ok {
				continue
			}
			if id, ok := star.X.(*ast.Ident); ok && id.Name == "Node" &&
				!slices.Contains(elsewhere, f.Name.Name) {
				require.NotEmpty(t, table[f.Name.Name],
					"%s makes nodes and needs an entry in expressions", f.Name.Name)
			}
		}
	}
}

func TestExpressions(t *testing.T) {
	for name, es := range expressions() {
		t.Run(name, func(t *testing.T) {
			for _, e := range es {
				for _, dtype := range dtypes {
					g := nodes.NewGraph(nodes.Options{Dtype: dtype})
					var ins ns
					var values xs
					for i, x := range e.in {
						ins = append(ins, in(g, fmt.Sprint(i), x.Values, x.Shape...))
						values = append(values, x.Values)
					}
					y := e.build(g, ins)
					require.True(t, slices.Equal(e.shape, y.Shape()), "shape %v", y.Shape())
					tol := map[tensor.Dtype]float64{nodes.Float64: 1e-13,
						nodes.Float32: 2e-6}[dtype]
					gradcheck.Close(t, e.want(values), run(t, g, y)[0], tol, dtype.String())
				}
				if !e.jumps {
					gradcheck.Check(t, func(g *nodes.Graph,
						in ns) *nodes.Node {
						return gradcheck.Weigh(e.build(g, in))
					}, e.in...)
				}
			}
		})
	}
}

func TestFunctionsOfIds(t *testing.T) {
	for _, dtype := range dtypes {
		g := nodes.NewGraph(nodes.Options{Dtype: dtype})
		ids := gradcheck.Ints(g, "ids", []int{2, 0, 1, 2}, 2, 2)
		oneHot := nodes.OneHot(ids, 3)
		notIn := nodes.NotIn(ids, 2, 5)
		mask := nodes.LengthMask(gradcheck.Ints(g, "lengths", []int{2, 0, 3}, 3), 3)
		best := nodes.ArgMax(nodes.Add(oneHot, g.Range(3))) // 0, 1, 2 and 1 at the id
		require.Equal(t, []int{2, 2, 3}, oneHot.Shape())
		require.Equal(t, []int{2, 2}, notIn.Shape())
		require.Equal(t, []int{3, 3, 1}, mask.Shape())
		require.Equal(t, nodes.Int, best.Dtype())
		require.Equal(t, xs{
			{0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 1}, {0, 1, 1, 0}, {1, 0, 1, 1, 0, 1, 0, 0, 1},
			{2, 2, 1, 2},
		}, run(t, g, oneHot, notIn, mask, best))
	}
}

// Large numbers do not overflow where the mathematics does not.
func TestStability(t *testing.T) {
	for _, dtype := range dtypes {
		g := nodes.NewGraph(nodes.Options{Dtype: dtype})
		x := in(g, "x", []float64{1000, 0, -1000}, 3)
		loss := nodes.CrossEntropy(nodes.Reshape(x, 1, 3), gradcheck.Ints(g, "target", []int{2}, 1),
			nodes.CrossEntropyOptions{})
		bce := nodes.BCEWithLogits(x, nodes.Scalar(0), nodes.ReduceNone)
		out := run(t, g, nodes.Softmax(x), nodes.LogSoftmax(x), nodes.LogSumExp(x),
			nodes.Softplus(x), nodes.Sigmoid(x), loss, bce,
			g.Gradients(loss, x)[0], g.Gradients(nodes.Sum(bce), x)[0],
			g.Gradients(nodes.LogSumExp(x), x)[0])
		require.Equal(t, xs{
			{1, 0, 0}, {0, -1000, -2000}, {1000}, {1000, math.Log(2), 0}, {1, 0.5, 0}, {2000},
			{1000, math.Log(2), 0},
			{1, 0, -1}, {1, 0.5, 0}, {1, 0, 0},
		}, func() xs {
			for _, v := range out {
				for i := range v { // log 2 of float32
					if math.Abs(v[i]-math.Log(2)) < 1e-7 {
						v[i] = math.Log(2)
					}
				}
			}
			return out
		}())
	}
}

func TestLayerNormDefault(t *testing.T) {
	g := f64()
	x := in(g, "x", []float64{-0.01, 0.01}, 2)
	y := 0.01 / math.Sqrt(1e-4+1e-5)
	gradcheck.Close(t, []float64{-y, y}, run(t, g,
		nodes.LayerNorm(x, nodes.Scalar(1), nodes.Scalar(0), 0))[0], 1e-14, "eps")
}

func TestScalarsAndParametersAsOperands(t *testing.T) {
	g := f64()
	s := nodes.NewStore(nodes.Float64, 1)
	w := s.Root().Param("w", nodes.Constant(3), 2)
	x := in(g, "x", []float64{1, 2}, 2)
	y := nodes.Add(nodes.Mul(x, w), nodes.Scalar(1), w, x)
	ds := g.Gradients(nodes.Sum(nodes.Square(y)), w, x)
	require.Equal(t, xs{{8, 12}, {2 * 8 * 2, 2 * 12 * 3}, {2 * 8 * 4, 2 * 12 * 4}},
		run(t, g, y, ds[0], ds[1]))
	require.Equal(t, []*nodes.Param{w}, g.Parameters())
	require.Same(t, g.Param(w), g.Param(w))
	require.Same(t, w.Value(), g.Param(w).Value(), "the graph must share the parameter's tensor")
}

// What does not depend on an operand has gradient 0; an operand may be asked for twice, or be the
// loss.
func TestGradientsOfWhatIsThere(t *testing.T) {
	g := f64()
	x, other := in(g, "x", []float64{1, 2}, 2), in(g, "other", []float64{5}, 1)
	w := nodes.NewStore(nodes.Float64, 1).Root().Param("w", nodes.Zeros(), 3)
	loss := nodes.Sum(nodes.Square(x))
	ds := g.Gradients(loss, x, other, w, x, loss)
	second := g.Gradients(nodes.Sum(nodes.Mul(ds[0], x)), x)[0] // a second call on the same graph
	require.Equal(t, xs{{2, 4}, {0}, {0, 0, 0}, {2, 4}, {1}, {4, 8}},
		run(t, g, ds[0], ds[1], ds[2], ds[3], ds[4], second))
	require.Empty(t, g.Gradients(loss))

	// Several outputs, of which one feeds the other, and one is there twice.
	a := nodes.Scale(x, 3)
	b := nodes.Square(a)
	one := g.Const(1, 2)
	d := g.Backward(ns{a, b, a}, ns{one, one, one}, x)[0]
	require.Equal(t, xs{{3 + 18 + 3, 3 + 36 + 3}}, run(t, g, d))
}
