package gorgoniatest

import (
	"maps"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"
)

// layers are operations that take pictures, channels or groups: most of them make the operand that
// they need.
var layers = map[string]func(g *Graph, x *G.Node) (*G.Node, error){
	"mish":      unary(G.Mish),
	"ravel":     unary(G.Ravel),
	"sparsemax": func(_ *Graph, x *G.Node) (*G.Node, error) { return G.Sparsemax(x) },
	"logsumexp": func(g *Graph, x *G.Node) (*G.Node, error) {
		return G.LogSumExp(x, g.int("axis", 0, x.Dims()-1))
	},
	"norm": func(g *Graph, x *G.Node) (*G.Node, error) {
		return G.Norm(above(g, x), g.int("axis", 0, x.Dims()-1), 2)
	},
	"dropout": func(_ *Graph, x *G.Node) (*G.Node, error) { return G.Dropout(x, 0) },
	"reduce add": func(g *Graph, x *G.Node) (*G.Node, error) {
		return G.ReduceAdd(G.Nodes{x, g.like(x), x})
	},
	"reduce mul": func(g *Graph, x *G.Node) (*G.Node, error) {
		return G.ReduceMul(G.Nodes{x, g.like(x)})
	},
	"divided": func(g *Graph, x *G.Node) (*G.Node, error) {
		return G.Div(x, above(g, g.like(x)))
	},
	"mul scalar": func(g *Graph, x *G.Node) (*G.Node, error) { return G.Mul(x, g.Input()) },
	"cross entropy": func(g *Graph, x *G.Node) (*G.Node, error) {
		return G.BinaryXent(G.Must(G.Sigmoid(x)), G.Must(G.Sigmoid(g.like(x))))
	},
	"keep dims": func(g *Graph, x *G.Node) (*G.Node, error) {
		axis := g.int("axis", 0, x.Dims()-1)
		return G.KeepDims(x, false, func(a *G.Node) (*G.Node, error) { return G.Sum(a, axis) })
	},
	"auto": func(g *Graph, x *G.Node) (*G.Node, error) {
		s := x.Shape()
		s[g.int("axis", 0, len(s)-1)] = 1
		return G.Auto(G.BroadcastSub, x, g.Input(s...))
	},
	"broadcast div": func(g *Graph, x *G.Node) (*G.Node, error) {
		s := x.Shape()
		axis := g.int("axis", 0, len(s)-1)
		s[axis] = 1
		return G.BroadcastHadamardDiv(x, above(g, g.Input(s...)), nil, []byte{byte(axis)})
	},
	"broadcast compared": func(g *Graph, x *G.Node) (*G.Node, error) {
		s := x.Shape()
		axis := g.int("axis", 0, len(s)-1)
		s[axis] = 1
		compare := []func(a, b *G.Node, retSame bool, left, right []byte) (*G.Node, error){
			G.BroadcastGt, G.BroadcastGte, G.BroadcastLt, G.BroadcastLte, G.BroadcastEq,
			G.BroadcastNe}
		return compare[g.int("comparison", 0, len(compare)-1)](g.Input(x.Shape()...), g.Input(s...),
			true, nil, []byte{byte(axis)})
	},
	"broadcast pow": func(g *Graph, x *G.Node) (*G.Node, error) {
		s := x.Shape()
		axis := g.int("axis", 0, len(s)-1)
		s[axis] = 1
		return G.BroadcastPow(above(g, x), G.Must(G.Tanh(g.Input(s...))), nil, []byte{byte(axis)})
	},
	"size": func(g *Graph, x *G.Node) (*G.Node, error) {
		n, err := G.SizeOf(g.int("axis", 0, x.Dims()-1), x)
		if err != nil {
			return nil, err
		}
		return G.HadamardDiv(x, n)
	},
	"unconcat": func(g *Graph, x *G.Node) (*G.Node, error) {
		parts, err := G.Unconcat(g.Input(4, 3, 2), 0, 2)
		if err != nil {
			return nil, err
		}
		return G.Sub(parts[0], parts[1])
	},
	"conv1d": func(g *Graph, _ *G.Node) (*G.Node, error) {
		return G.Conv1d(g.Input(2, 3, 8), g.Input(2, 3, 3), 3, g.int("pad", 0, 1), 1, 1)
	},
	"conv2d": func(g *Graph, _ *G.Node) (*G.Node, error) {
		pad, stride := g.int("pad", 0, 1), g.int("stride", 1, 2)
		return G.Conv2d(g.Input(2, 2, 7, 7), g.Input(3, 2, 3, 3), tensor.Shape{3, 3},
			[]int{pad, pad}, []int{stride, stride}, []int{1, 1})
	},
	"im2col": func(g *Graph, _ *G.Node) (*G.Node, error) {
		return G.Im2Col(g.Input(2, 2, 5, 5), tensor.Shape{3, 3}, tensor.Shape{1, 1},
			tensor.Shape{1, 1}, tensor.Shape{1, 1})
	},
	"max pool": func(g *Graph, _ *G.Node) (*G.Node, error) {
		return G.MaxPool2D(g.Input(2, 3, 6, 6), tensor.Shape{2, 2}, []int{0, 0}, []int{2, 2})
	},
	"max pool 1d": func(g *Graph, _ *G.Node) (*G.Node, error) {
		return G.MaxPool1D(g.Input(2, 3, 6), 2, 0, 2)
	},
	"global average pool": func(g *Graph, _ *G.Node) (*G.Node, error) {
		return G.GlobalAveragePool2D(g.Input(2, 3, 4, 4))
	},
	"average pool": func(g *Graph, _ *G.Node) (*G.Node, error) {
		return G.AveragePool2D(g.Input(2, 3, 6, 6), tensor.Shape{2, 2}, []int{0, 0}, []int{2, 2})
	},
	"average pool 1d": func(g *Graph, _ *G.Node) (*G.Node, error) {
		return G.AveragePool1D(g.Input(2, 3, 6), 2, 0, 2)
	},
	"upsample": func(g *Graph, _ *G.Node) (*G.Node, error) {
		return G.Upsample2D(g.Input(1, 2, 3, 3), 2)
	},
	"group norm": func(g *Graph, _ *G.Node) (*G.Node, error) {
		return G.GroupNorm(g.Input(2, 4, 2, 2), g.Input(1, 4, 1, 1), g.Input(1, 4, 1, 1), 2, 4,
			1e-2)
	},
	"batch norm": func(g *Graph, _ *G.Node) (*G.Node, error) {
		y, _, _, _, err := G.BatchNorm(g.Input(5, 3), g.Input(1, 3), g.Input(1, 3), 0.9, 1e-2)
		return y, err
	},
	"row of": func(g *Graph, x *G.Node) (*G.Node, error) {
		return G.Slice(x,
			G.S(g.int("row", 0, x.Shape()[0]-1)))
	},
}

// DrawAll is Draw with layers among the operations.
func DrawAll(t *rapid.T, dt tensor.Dtype) *Graph { return draw(t, dt, everything) }

var everything []string

func init() {
	maps.Copy(operations, layers)
	everything = slices.Sorted(maps.Keys(operations))
}
