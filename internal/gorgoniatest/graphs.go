package gorgoniatest

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/rng"
)

// Graph is a random graph.
type Graph struct {
	G      *G.ExprGraph
	Dtype  tensor.Dtype
	Inputs []*G.Node // floats
	Nodes  []*G.Node // what the operations made, in order
	// a scalar that depends on every input, differentiated with respect to them where Gorgonia can
	Cost *G.Node

	t    *rapid.T
	key  rng.Key
	flat map[*G.Node]bool // nodes with an operation behind them that Gorgonia cannot differentiate
}

var sizes = []int{1, 2, 3, 5, 7}

// Draw makes a graph of a few operations, with values bound to its inputs.
func Draw(t *rapid.T, dt tensor.Dtype) *Graph { return draw(t, dt, names) }

func draw(t *rapid.T, dt tensor.Dtype, names []string) *Graph {
	all := len(names) > len(operations)-len(layers)
	g := &Graph{G: G.NewGraph(), Dtype: dt, t: t, flat: map[*G.Node]bool{},
		key: rng.New(rapid.Uint64().Draw(t, "seed"))}
	for range g.int("inputs", 1, 3) {
		g.Input(g.shape(0, 3)...)
	}
	for range g.int("operations", 1, 16) {
		pool := slices.Concat(g.Inputs, g.Nodes)
		x := pool[g.int("x", 0, len(pool)-1)]
		op := rapid.SampledFrom(names).Draw(t, "op")
		if slices.Contains(jumping, op) || all && op == "abs" { // its derivative jumps
			x = g.Inputs[g.int("input", 0, len(g.Inputs)-1)]
		}
		y := g.try(op, x)
		if y == nil { // it takes no such shape
			x = g.Input(g.shape(1, 3)...)
			y = g.try(op, x)
		}
		if y != nil && !slices.Contains(pool, y) && y.Shape().TotalSize() < 4000 {
			g.Nodes = append(g.Nodes, y)
			g.flat[y] = g.flat[x] || slices.Contains(undifferentiable, op)
		}
	}
	g.differentiate()
	return g
}

// try applies an operation; nil if it does not fit, which for Gorgonia may be an error or a panic.
func (g *Graph) try(op string, x *G.Node) (y *G.Node) {
	defer func() {
		if recover() != nil {
			y = nil
		}
	}()
	y, err := operations[op](g, x)
	if err != nil {
		return nil
	}
	return y
}

// jumping operations turn the smallest difference of an operand into a large one. They are applied
// to inputs alone, since two ways to compute anything else may round differently.
var jumping = []string{"sign", "ceil", "floor", "lt", "gt", "lte", "gte", "eq", "ne"}

// undifferentiable operations have no gradient in Gorgonia.
var undifferentiable = append([]string{"at", "diagonal"}, jumping...)

// differentiate adds a sum over everything that has a gradient, and its gradients.
func (g *Graph) differentiate() {
	var terms []*G.Node
	for _, n := range slices.Concat(g.Inputs, g.Nodes) {
		if g.flat[n] {
			continue
		}
		terms = append(terms, G.Must(G.Sum(G.Must(G.Square(G.Must(G.Tanh(n)))))))
	}
	cost := terms[0]
	for _, x := range terms[1:] {
		cost = G.Must(G.Add(cost, x))
	}
	g.Cost = cost
	// where Gorgonia cannot differentiate a graph, it is one without gradients
	defer func() { _ = recover() }()
	_, _ = G.Grad(cost, g.Inputs...)
}

// int draws evenly, where rapid.IntRange prefers small numbers.
func (g *Graph) int(label string, lo, hi int) int {
	all := make([]int, hi-lo+1)
	for i := range all {
		all[i] = lo + i
	}
	return rapid.SampledFrom(all).Draw(g.t, label)
}

func (g *Graph) shape(least, most int) []int {
	s := make([]int, g.int("dims", least, most))
	for i := range s {
		s[i] = rapid.SampledFrom(sizes).Draw(g.t, "size")
	}
	return s
}

// Input adds an input of a shape, with numbers between −1.5 and 1.5.
func (g *Graph) Input(shape ...int) *G.Node {
	k := g.key.Numbered(uint64(len(g.Inputs)))
	v := ops.NewTensor(ops.Type{Dtype: g.Dtype, Shape: shape})
	for i := range ops.Size(shape) {
		x := 3*k.Float64(uint64(i)) - 1.5
		if v.F32 != nil {
			v.F32[i] = float32(x)
		} else {
			v.F64[i] = x
		}
	}
	name := fmt.Sprintf("in%d", len(g.Inputs))
	var n *G.Node
	if len(shape) == 0 {
		n = G.NewScalar(g.G, g.Dtype, G.WithName(name), G.WithValue(v.Value()))
	} else {
		n = G.NewTensor(g.G, g.Dtype, len(shape), G.WithShape(shape...), G.WithName(name),
			G.WithValue(v.Dense()))
	}
	g.Inputs = append(g.Inputs, n)
	return n
}

// ids adds a vector of n integers below top.
func (g *Graph) ids(n, top int) *G.Node {
	v := make([]int, n)
	for i := range v {
		v[i] = g.int("id", 0, top-1)
	}
	return G.NewVector(g.G, tensor.Int, G.WithShape(n),
		G.WithName(fmt.Sprintf("ids%d", len(g.G.AllNodes()))),
		G.WithValue(tensor.New(tensor.WithShape(n), tensor.WithBacking(v))))
}

func (g *Graph) constant(v float64) *G.Node {
	if g.Dtype == tensor.Float32 {
		return G.NewConstant(float32(v))
	}
	return G.NewConstant(v)
}

// Value runs one node by its op's Do on values of its operands, each of them copied. A panic
// becomes an error. The derivative of ByIndices is done here, since Gorgonia's is wrong for
// vectors.
func Value(n *G.Node, operands []G.Value) (v G.Value, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v: %v", n, r)
		}
	}()
	in := make([]G.Value, len(operands))
	for i, o := range operands {
		if in[i], err = G.CloneValue(o); err != nil {
			return nil, err
		}
	}
	if fmt.Sprintf("%T", n.Op()) == "*gorgonia.byIndicesOpDiffOp" {
		return scatter(in), nil
	}
	return n.Op().Do(in...)
}

// scatter is the derivative of ByIndices along axis 0, of operands x, dy and ids.
func scatter(in []G.Value) G.Value {
	dx := in[0].(*tensor.Dense).Clone().(*tensor.Dense)
	dx.Zero()
	to, _ := ops.TensorOf(dx)
	dy, _ := ops.TensorOf(in[1])
	ids, _ := ops.TensorOf(in[2])
	n := ops.Size(dx.Shape()[1:])
	for i, id := range ids.Int {
		for k := range n {
			if to.F64 != nil {
				to.F64[id*n+k] += dy.F64[i*n+k]
			} else {
				to.F32[id*n+k] += dy.F32[i*n+k]
			}
		}
	}
	return dx
}

// Run computes every node of a graph, one after another, by the Do methods of their ops.
func Run(g *G.ExprGraph) (map[*G.Node]G.Value, error) {
	children, err := ops.Children(g)
	if err != nil {
		return nil, err
	}
	values := map[*G.Node]G.Value{}
	for _, n := range g.AllNodes() {
		if len(children[n]) == 0 {
			values[n] = n.Value()
			continue
		}
		in := make([]G.Value, len(children[n]))
		for i, c := range children[n] {
			in[i] = values[c]
		}
		v, err := Value(n, in)
		if err != nil {
			return nil, err
		}
		if v.Shape().TotalSize() != n.Shape().TotalSize() {
			return nil, fmt.Errorf("%v has shape %v, its value %v", n, n.Shape(), v.Shape())
		}
		values[n] = v
	}
	return values, nil
}
