package gorgoniatest

import (
	"errors"
	"maps"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// operations apply one of Gorgonia's functions to x, and to new inputs where it takes more
// operands.
var operations = map[string]func(g *Graph, x *G.Node) (*G.Node, error){
	"sin": unary(G.Sin), "cos": unary(G.Cos), "tanh": unary(G.Tanh), "sigmoid": unary(G.Sigmoid),
	"neg":    unary(G.Neg),
	"square": unary(G.Square), "abs": unary(G.Abs), "softplus": unary(G.Softplus),
	"rectify": unary(G.Rectify),
	"sign":    unary(G.Sign), "ceil": unary(G.Ceil), "floor": unary(G.Floor),
	"exp": bounded(G.Exp), "cube": bounded(G.Cube), "expm1": bounded(G.Expm1),
	"log": positive(G.Log), "log2": positive(G.Log2), "sqrt": positive(G.Sqrt),
	"inverse":      positive(G.Inverse),
	"inverse sqrt": positive(G.InverseSqrt), "log1p": positive(G.Log1p),
	"leaky": func(_ *Graph, x *G.Node) (*G.Node, error) { return G.LeakyRelu(x, 0.1) },

	"add": binary(G.Add), "sub": binary(G.Sub), "mul": binary(G.HadamardProd),
	"min": binary(G.MinBetween), "max": binary(G.MaxBetween),
	"div": func(g *Graph, x *G.Node) (*G.Node, error) {
		return binary(G.HadamardDiv)(g,
			above(g, x))
	},
	"pow": func(g *Graph, x *G.Node) (*G.Node, error) {
		return G.Pow(above(g, x), G.Must(G.Tanh(g.like(x))))
	},
	"lt": compare(G.Lt), "gt": compare(G.Gt), "lte": compare(G.Lte), "gte": compare(G.Gte),
	"eq": compare(G.Eq), "ne": compare(G.Ne),
	"times itself": func(_ *Graph, x *G.Node) (*G.Node, error) { return G.HadamardProd(x, x) },
	"constant": func(g *Graph, x *G.Node) (*G.Node, error) {
		return G.Add(G.Must(G.HadamardProd(x, g.constant(1.5))), g.constant(-0.25))
	},

	"mul matrix": func(g *Graph, x *G.Node) (*G.Node, error) {
		s := x.Shape()
		if len(s) == 0 {
			return nil, errors.New("a scalar")
		}
		return G.Mul(x, g.Input(s[len(s)-1], g.shape(1, 1)[0]))
	},
	"matrix mul": func(g *Graph, x *G.Node) (*G.Node, error) {
		return G.Mul(g.Input(g.shape(1, 1)[0], x.Shape()[0]), x)
	},
	"mul vector": func(g *Graph, x *G.Node) (*G.Node, error) {
		return G.Mul(x, g.Input(x.Shape()[x.Dims()-1]))
	},
	"outer": func(g *Graph, x *G.Node) (*G.Node, error) {
		return G.OuterProd(x, g.Input(g.shape(1, 1)...))
	},
	"batched": func(g *Graph, x *G.Node) (*G.Node, error) {
		s := x.Shape()
		if len(s) != 3 {
			return nil, errors.New("not a stack")
		}
		transA, transB := g.int("transA", 0, 1) == 1, g.int("transB", 0, 1) == 1
		inner, cols := s[2], g.shape(1, 1)[0]
		if transA {
			inner = s[1]
		}
		b := []int{s[0], inner, cols}
		if transB {
			b = []int{s[0], cols, inner}
		}
		return G.BatchedMatMul(x, g.Input(b...), transA, transB)
	},
	"tensordot": func(g *Graph, x *G.Node) (*G.Node, error) {
		s := x.Shape()
		axis := g.int("axis", 0, len(s)-1)
		other := g.shape(1, 3)
		at := g.int("axis of the other", 0, len(other)-1)
		other[at] = s[axis]
		return G.Tensordot([]int{axis}, []int{at}, x, g.Input(other...))
	},

	"sum":  func(g *Graph, x *G.Node) (*G.Node, error) { return G.Sum(x, g.axes(x)...) },
	"mean": func(g *Graph, x *G.Node) (*G.Node, error) { return G.Mean(x, g.axes(x)...) },
	"maximum": func(g *Graph, x *G.Node) (*G.Node, error) {
		return G.Max(x, g.axes(x)...)
	},
	"softmax": func(g *Graph, x *G.Node) (*G.Node, error) {
		return G.SoftMax(x, g.int("axis", -1, x.Dims()-1))
	},
	"logsoftmax": func(g *Graph, x *G.Node) (*G.Node, error) {
		return G.LogSoftMax(x, g.int("axis", -1, x.Dims()-1))
	},
	"broadcast": func(g *Graph, x *G.Node) (*G.Node, error) {
		s := x.Shape()
		axis := g.int("axis", 0, len(s)-1)
		s[axis] = 1
		return G.BroadcastAdd(x, g.Input(s...), nil, []byte{byte(axis)})
	},
	"broadcast row": func(g *Graph, x *G.Node) (*G.Node, error) {
		return G.BroadcastHadamardProd(x, g.Input(x.Shape()[1]), nil, []byte{0})
	},

	"slice": func(g *Graph, x *G.Node) (*G.Node, error) {
		ranges := make([]tensor.Slice, g.int("sliced axes", 1, x.Dims()))
		for i := range ranges {
			n := x.Shape()[i]
			from := g.int("from", 0, n-1)
			to := g.int("to", from+1, n)
			if to-from > 1 && (to-from)%2 == 0 && g.int("stepped", 0, 1) == 1 {
				ranges[i] = G.S(from, to, 2)
			} else if g.int("sliced", 0, 2) > 0 {
				ranges[i] = G.S(from, to)
			}
		}
		return G.Slice(x, ranges...)
	},
	"transpose": func(g *Graph, x *G.Node) (*G.Node, error) {
		perm := make([]int, x.Dims())
		for i := range perm {
			perm[i] = i
		}
		for i := range perm {
			k := g.int("swap", i, len(perm)-1)
			perm[i], perm[k] = perm[k], perm[i]
		}
		return G.Transpose(x, perm...)
	},
	"concat": func(g *Graph, x *G.Node) (*G.Node, error) {
		s := x.Shape()
		axis := g.int("axis", 0, len(s)-1)
		s[axis] = g.shape(1, 1)[0]
		return G.Concat(axis, x, g.Input(s...), x)
	},
	"reshape": func(g *Graph, x *G.Node) (*G.Node, error) {
		n := x.Shape().TotalSize()
		for _, d := range sizes[1:] {
			if n%d == 0 && g.int("divide", 0, 1) == 1 {
				return G.Reshape(x, tensor.Shape{d, n / d})
			}
		}
		return G.Reshape(x, tensor.Shape{n})
	},
	"rows": func(g *Graph, x *G.Node) (*G.Node, error) {
		return G.ByIndices(x, g.ids(g.shape(1, 1)[0], x.Shape()[0]), 0)
	},
	"at": func(g *Graph, x *G.Node) (*G.Node, error) {
		at := make([]int, x.Dims())
		for i := range at {
			at[i] = g.int("at", 0, x.Shape()[i]-1)
		}
		return G.At(x, at...)
	},
	"diagonal": unary(G.DiagFlat),
}

var names = slices.Sorted(maps.Keys(operations))

func unary(f func(*G.Node) (*G.Node, error)) func(*Graph, *G.Node) (*G.Node, error) {
	return func(_ *Graph, x *G.Node) (*G.Node, error) { return f(x) }
}

// bounded keeps the operand in (−1, 1), and positive above 0.5.
func bounded(f func(*G.Node) (*G.Node, error)) func(*Graph, *G.Node) (*G.Node, error) {
	return func(_ *Graph, x *G.Node) (*G.Node, error) { return f(G.Must(G.Tanh(x))) }
}

func positive(f func(*G.Node) (*G.Node, error)) func(*Graph, *G.Node) (*G.Node, error) {
	return func(g *Graph, x *G.Node) (*G.Node, error) { return f(above(g, x)) }
}

func above(g *Graph, x *G.Node) *G.Node {
	return G.Must(G.Add(G.Must(G.Square(G.Must(G.Tanh(x)))), g.constant(0.5)))
}

// like is another operand for x: an input of its shape, or a scalar.
func (g *Graph) like(x *G.Node) *G.Node {
	if g.int("scalar", 0, 3) == 0 {
		return g.Input()
	}
	return g.Input(x.Shape()...)
}

// binary puts x on either side.
func binary(f func(a, b *G.Node) (*G.Node, error)) func(*Graph, *G.Node) (*G.Node, error) {
	return func(g *Graph, x *G.Node) (*G.Node, error) {
		y := g.like(x)
		if g.int("side", 0, 1) == 0 {
			return f(x, above(g, y))
		}
		return f(y, above(g, x))
	}
}

func compare(f func(a, b *G.Node, retSame bool) (*G.Node, error)) func(*Graph, *G.Node) (*G.Node,
	error) {
	return func(g *Graph, x *G.Node) (*G.Node, error) { return f(x, g.like(x), true) }
}

// axes is a random set of axes, in order; none are all.
func (g *Graph) axes(x *G.Node) []int {
	var axes []int
	for i := range x.Dims() {
		if g.int("along", 0, 1) == 1 {
			axes = append(axes, i)
		}
	}
	return axes
}
