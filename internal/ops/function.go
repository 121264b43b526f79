package ops

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/internal/kernels"
)

// Function is a function of one operand, element by element, that models rarely need: it is not
// fused with others, as a Kind is.
type Function struct{ Name string }

// function is a Function's definition, and its derivative times dy.
type function struct {
	value func(x float64) float64
	slope func(x, y, dy *G.Node) *G.Node
}

var functions map[string]function

func init() {
	// 1/√(s·x² + c)
	root := func(x *G.Node, s, c float64) *G.Node {
		return un(KindInverse, un(KindSqrt, affine(un(KindSquare, x), s, c)))
	}
	functions = map[string]function{
		"erf": {math.Erf, func(x, _, dy *G.Node) *G.Node {
			bell := un(KindExp, affine(un(KindSquare, x), -1, 0))
			return Mul(dy, affine(bell, 2/math.Sqrt(math.Pi), 0))
		}},
		"tan": {math.Tan, func(_, y, dy *G.Node) *G.Node {
			return Mul(dy, affine(un(KindSquare, y), 1, 1))
		}},
		"asin": {math.Asin, func(x, _, dy *G.Node) *G.Node { return Mul(dy, root(x, -1, 1)) }},
		"acos": {math.Acos, func(x, _, dy *G.Node) *G.Node {
			return affine(Mul(dy, root(x, -1, 1)), -1, 0)
		}},
		"atan": {math.Atan, func(x, _, dy *G.Node) *G.Node {
			return bin(KindDiv, dy, affine(un(KindSquare, x), 1, 1))
		}},
		"sinh": {math.Sinh, func(x, _, dy *G.Node) *G.Node {
			return Mul(dy, Apply(Function{"cosh"}, x))
		}},
		"cosh": {math.Cosh, func(x, _, dy *G.Node) *G.Node {
			return Mul(dy, Apply(Function{"sinh"}, x))
		}},
		"asinh": {math.Asinh, func(x, _, dy *G.Node) *G.Node { return Mul(dy, root(x, 1, 1)) }},
		"acosh": {math.Acosh, func(x, _, dy *G.Node) *G.Node { return Mul(dy, root(x, 1, -1)) }},
		"atanh": {math.Atanh, func(x, _, dy *G.Node) *G.Node {
			return bin(KindDiv, dy, affine(un(KindSquare, x), -1, 1))
		}},
	}
}

func (f Function) Key() string { return fmt.Sprintf("function{%s}", f.Name) }

// Infer refuses a name that there is no function for.
func (f Function) Infer(in []Type) (Type, error) {
	if functions[f.Name].value == nil {
		return in[0], fmt.Errorf("there is no function %q", f.Name)
	}
	return in[0], sameFloat(in...)
}

func (f Function) Eval(in []Tensor, out Tensor) error {
	return evaluate(out, func() error { return evalFunction[float32](f, in[0], out) },
		func() error { return evalFunction[float64](f, in[0], out) })
}

func evalFunction[F kernels.Float](f Function, in, out Tensor) error {
	value, dst := functions[f.Name].value, data[F](out)
	for i, x := range data[F](in) {
		dst[i] = F(value(float64(x)))
	}
	return nil
}

func (f Function) Diff(in []*G.Node, y, dy *G.Node, _ []bool) []*G.Node {
	return []*G.Node{functions[f.Name].slope(in[0], y, dy)}
}
