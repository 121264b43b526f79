package nodes

import (
	"fmt"
	"slices"
	"strings"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/ops"
)

// The element types of a graph. Ids, targets and lengths are Int.
var (
	Float32 = tensor.Float32
	Float64 = tensor.Float64
	Int     = tensor.Int
)

// BuildError is a mistake found while a graph was being built.
type BuildError = ops.BuildError

// Try runs building code and returns the *BuildError it panicked with, if any. Other panics pass.
func Try(build func()) (err error) {
	defer ops.Catch(&err)
	build()
	return nil
}

// Failf panics with a *BuildError: for building code that finds a mistake of its own. Op is what was being built.
func Failf(op, format string, args ...any) { ops.Failf(op, format, args...) }

// Options of a graph. The zero value is a float32 graph for evaluation.
type Options struct {
	Dtype    tensor.Dtype // Float32 (default) or Float64
	Training bool         // dropout and the like are active
	// Noise, if set, supplies every noise tensor in place of the generator, for tests with given masks.
	Noise func(NoiseRequest) *Node
}

// Graph is a Gorgonia graph under construction. It is not safe for concurrent use.
type Graph struct {
	expr    *gorgonia.ExprGraph
	opts    Options
	parent  *Graph // of the graph of a step
	step    *Graph // the graph of the step that is being built on g, if one is
	loop    Loop
	names   map[string]bool
	inputs  map[*gorgonia.Node]bool
	params  map[*Param]*Node
	order   []*Param
	lifted  map[*gorgonia.Node]*Node
	lifts   []Lift
	noises  int
	key     *Node
	label   string
	near    string // scope of the parameter used last
	product func(x *Node, w *Param) *Node
}

// Lift is a node of an outer graph and the input that stands for it in the graph of a step.
type Lift struct{ Outer, Inner *Node }

// NewGraph starts an empty graph.
func NewGraph(o Options) *Graph {
	if o.Dtype == (tensor.Dtype{}) {
		o.Dtype = Float32
	}
	return &Graph{
		expr: gorgonia.NewGraph(), opts: o, names: map[string]bool{}, inputs: map[*gorgonia.Node]bool{},
		params: map[*Param]*Node{}, lifted: map[*gorgonia.Node]*Node{},
	}
}

// Inner builds the graph of a step of g, for an unroller. Nodes of g and parameters that the step uses become inputs of
// the inner graph, which Lifts lists; noise comes from loop.
func (g *Graph) Inner(loop Loop, build func(in *Graph)) {
	in := NewGraph(g.opts)
	in.parent, in.loop, in.product = g, loop, g.product
	old := g.step
	g.step = in
	defer func() { g.step = old }()
	build(in)
}

// current is the graph of the innermost step that is being built on g, or g. What belongs to a step (its noise, its
// dropout inside products) belongs to it also where the operand at hand is a node of an outer graph.
func (g *Graph) current() *Graph {
	for g.step != nil {
		g = g.step
	}
	return g
}

// Lifts are the outer nodes that an inner graph uses, in the order of first use.
func (g *Graph) Lifts() []Lift { return slices.Clone(g.lifts) }

// Expr is the Gorgonia graph.
func (g *Graph) Expr() *gorgonia.ExprGraph { return g.expr }

// Training reports whether the graph is built for training.
func (g *Graph) Training() bool { return g.opts.Training }

// Dtype is the graph's float type.
func (g *Graph) Dtype() tensor.Dtype { return g.opts.Dtype }

// Parameters are those used so far, in the order of first use.
func (g *Graph) Parameters() []*Param { return slices.Clone(g.order) }

// Within builds under a label that errors carry, such as "step".
func (g *Graph) Within(label string, build func()) {
	oldLabel, oldNear := g.label, g.near
	g.label, g.near = strings.TrimSpace(oldLabel+" "+label), ""
	defer func() {
		r := recover()
		if e, ok := r.(*BuildError); ok && e.Path == "" {
			e.Path = g.place()
		}
		g.label, g.near = oldLabel, oldNear
		if r != nil {
			panic(r)
		}
	}()
	build()
}

// place is where building is, for errors.
func (g *Graph) place() string { return strings.TrimSpace(g.near + " " + g.label) }

// Input declares a float input. Its value is bound before a run (see Node.Gorgonia and gorgonia.Let).
func (g *Graph) Input(name string, shape ...int) *Node {
	return g.input(name, ops.Type{Dtype: g.opts.Dtype, Shape: shape})
}

// IntInput declares an input of ids, targets or lengths.
func (g *Graph) IntInput(name string, shape ...int) *Node {
	return g.input(name, ops.Type{Dtype: Int, Shape: shape})
}

// InputLike declares an input of the type of n, which may belong to another graph, and of the given shape.
func (g *Graph) InputLike(n *Node, name string, shape ...int) *Node {
	return g.input(name, ops.Type{Dtype: n.Dtype(), Shape: shape})
}

func (g *Graph) input(name string, t ops.Type) *Node {
	if name == "" {
		ops.Failf("Input", "it has no name; Gorgonia takes inputs of one name for one node")
	}
	if g.names[name] {
		ops.Failf("Input", "the name %q is taken; give every input its own", name)
	}
	if err := ops.CheckShape(t.Shape); err != nil {
		ops.Failf("Input", "%q: %w", name, err)
	}
	g.names[name] = true
	t.Shape = slices.Clone(t.Shape)
	for alias := name; ; alias += "'" {
		n := ops.Input(g.expr, alias, t)
		if !g.inputs[n] { // else Gorgonia merged it with another input, whose 32-bit hash is the same
			g.inputs[n] = true
			return &Node{g, n}
		}
	}
}

// anchor is any node of the graph, for operations whose operand only says which graph is meant.
func (g *Graph) anchor() *gorgonia.Node { return g.NoiseKey().n }

// NoiseKey is the input [2] of ints from which every noise of the graph is drawn: the seed and a counter, such as the
// number of the training step. It is bound to {0, 0} until another value is.
func (g *Graph) NoiseKey() *Node {
	if g.key == nil {
		g.key = g.IntInput("noise/key", 2)
		v := tensor.New(tensor.WithShape(2), tensor.WithBacking([]int{0, 0}))
		if err := gorgonia.Let(g.key.n, v); err != nil {
			ops.Failf("NoiseKey", "%w", err)
		}
	}
	return g.key
}

// Const is a tensor of one value; without a shape, a scalar.
func (g *Graph) Const(value float64, shape ...int) *Node {
	if err := ops.CheckShape(shape); err != nil {
		ops.Failf("Const", "%w", err)
	}
	return g.apply("Const", ops.Fill{Dtype: g.opts.Dtype, Shape: slices.Clone(shape), Value: value}, &Node{g, g.anchor()})
}

// Zeros is a tensor of zeros.
func (g *Graph) Zeros(shape ...int) *Node { return g.Const(0, shape...) }

// Param is the input that stands for p. It shares p's tensor: what a solver writes there the next run reads.
func (g *Graph) Param(p *Param) *Node {
	if n := g.params[p]; n != nil {
		return n
	}
	var n *Node
	if g.parent != nil {
		n = g.lift(g.parent.Param(p))
	} else {
		if p.store.dtype != g.opts.Dtype {
			ops.Failf("Param", "%s is %v, the graph is %v", p.path, p.store.dtype, g.opts.Dtype)
		}
		n = g.input(p.path, ops.Type{Dtype: g.opts.Dtype, Shape: p.shape})
		if err := gorgonia.Let(n.n, p.Value()); err != nil {
			ops.Failf("Param", "%s: %w", p.path, err)
		}
	}
	g.params[p] = n
	g.order = append(g.order, p)
	return n
}

// Lift returns n as a node of g: itself, or an input that stands for a node of an outer graph.
func (g *Graph) Lift(n *Node) *Node { return g.lift(n) }

func (g *Graph) lift(n *Node) *Node {
	if n.g == g {
		return n
	}
	if in := g.lifted[n.n]; in != nil {
		return in
	}
	if g.parent == nil {
		ops.Failf("", "%s belongs to another graph", ops.Describe(n.n))
	}
	outer := g.parent.lift(n)
	name := outer.n.Name()
	if outer.n.Op() != nil {
		name = ""
	}
	for k := len(g.lifts); name == "" || g.names[name]; k++ {
		name = fmt.Sprintf("outer %d", k)
	}
	in := g.input(name, ops.TypeOf(outer.n))
	g.lifted[n.n] = in
	g.lifts = append(g.lifts, Lift{outer, in})
	return in
}

// Op makes a node of one of the library's own operations. It is for the library's packages: ops.Fn is internal.
func (g *Graph) Op(name string, fn ops.Fn, in ...*Node) *Node {
	for i, n := range in {
		in[i] = g.lift(n)
	}
	return g.apply(name, fn, in...)
}

// apply makes a node and adds the place to the error if that fails.
func (g *Graph) apply(op string, fn ops.Fn, in ...*Node) *Node {
	defer func() {
		if r := recover(); r != nil {
			if e, ok := r.(*BuildError); ok {
				e.Op = op
				if e.Path == "" {
					e.Path = g.place()
				}
				for i, s := range e.Operands { // "W_ih" reads better than "encoder/l0/W_ih" behind "encoder/l0 step"
					e.Operands[i] = strings.TrimPrefix(s, g.near+"/")
				}
			}
			panic(r)
		}
	}()
	raw := make([]*gorgonia.Node, len(in))
	for i, n := range in {
		raw[i] = n.n
	}
	return &Node{g, ops.Apply(fn, raw...)}
}

// Gradients adds dL/d(wrt) to the graph, where L is a scalar. What does not depend on an operand has a gradient of 0.
func (g *Graph) Gradients(loss *Node, wrt ...Operand) []*Node {
	loss = g.lift(loss)
	if len(loss.Shape()) != 0 {
		ops.Failf("Gradients", "the loss is %s: want a scalar; take Sum or Mean", ops.ShapeString(loss.Shape()))
	}
	return g.Backward([]*Node{loss}, []*Node{g.Const(1)}, wrt...)
}

// Backward adds Σ_o ⟨cotangents[o], ∂outs[o]/∂wrt⟩ to the graph: the vector-Jacobian product of several outputs.
func (g *Graph) Backward(outs, cotangents []*Node, wrt ...Operand) []*Node {
	if len(outs) != len(cotangents) {
		ops.Failf("Backward", "%d outputs, %d cotangents", len(outs), len(cotangents))
	}
	var o, c, w []*gorgonia.Node
	for i := range outs {
		out, cot := g.lift(outs[i]), g.lift(cotangents[i])
		if !slices.Equal(out.Shape(), cot.Shape()) {
			ops.Failf("Backward", "output %d is %s, its cotangent %s", i, ops.ShapeString(out.Shape()), ops.ShapeString(cot.Shape()))
		}
		o, c = append(o, out.n), append(c, cot.n)
	}
	for _, x := range wrt {
		w = append(w, x.in(g).n)
	}
	ds, err := ops.Gradients(o, c, w)
	if err != nil {
		ops.Failf("Backward", "%w", err)
	}
	grads := make([]*Node, len(ds))
	for i, d := range ds {
		if d == nil {
			d = ops.Zeros(w[i])
		}
		grads[i] = &Node{g, d}
	}
	return grads
}

// OnProduct makes every MatMul(x, w) with a parameter w use f(x, w) in place of x, until the returned function is
// called; what an earlier call asked for is done first. Variational dropout masks the inputs of a cell's products with
// it, whatever the cell.
func (g *Graph) OnProduct(f func(x *Node, w *Param) *Node) (restore func()) {
	old := g.product
	g.product = f
	if old != nil {
		g.product = func(x *Node, w *Param) *Node { return f(old(x, w), w) }
	}
	return func() { g.product = old }
}
