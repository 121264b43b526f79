package nodes

import (
	"fmt"
	"slices"
	"strings"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/check"
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

// ConfigError is the error that every Validate of the library returns, and constructors for a
// configuration that does not validate: all that is wrong with it, in the order of its fields, a
// line for each.
type ConfigError = check.Error

// Try runs building code and returns the *BuildError it panicked with, if any. Other panics pass.
func Try(build func()) (err error) {
	defer ops.Catch(&err)
	if build == nil {
		ops.Failf("Try", "there is nothing to build: the function is nil")
	}
	build()
	return nil
}

// Failf panics with a *BuildError: for building code that finds a mistake of its own. Op is what
// was being built.
func Failf(op, format string, args ...any) { ops.Failf(op, format, args...) }

// Options of a graph. The zero value is a float32 graph for evaluation.
type Options struct {
	Dtype    tensor.Dtype // Float32 (default) or Float64
	Training bool         // dropout and the like are active
	// Rows, if set, is how many sequences lie side by side, [T, Rows, …] or [Rows, …], so that the
	// graph may be given a part of a batch: each row then has the noise that it has in the whole
	// (see NoiseKey). Noise without such an axis differs from part to part.
	Rows int
	// Noise, if set, supplies every noise tensor in place of the generator, for tests with given
	// masks.
	Noise func(NoiseRequest) *Node
}

// Graph is a Gorgonia graph under construction. It is not safe for concurrent use.
type Graph struct {
	expr    *gorgonia.ExprGraph
	opts    Options
	parent  *Graph // of the graph of a step
	step    *Graph // the graph of the step that is being built on g, if one is
	loop    loop
	done    bool // the graph of a step, and the step is built
	names   map[string]bool
	params  map[*Param]*Node
	order   []*Param
	lifted  map[*gorgonia.Node]*Node
	lifts   []lift
	noises  int
	key     *Node
	label   string
	near    string // scope of the parameter used last
	product product
	traces  []*Trace
	// the nodes that hold no data, and the parameters that they are made of
	made   map[*gorgonia.Node][]*Param
	swaps  map[*gorgonia.Node]*Node // what transposed matrices were; see swapped
	sketch bool                     // it is never run: parameters are not bound
	// watch is called with what layers compute; see steps.Watch. Graphs of steps have none
	watch func(path, part string, n *Node)
}

// NewGraph starts an empty graph.
func NewGraph(o Options) *Graph {
	if o.Dtype == (tensor.Dtype{}) {
		o.Dtype = Float32
	}
	checkFloat("NewGraph", o.Dtype)
	return &Graph{
		expr: gorgonia.NewGraph(), opts: o, names: map[string]bool{}, params: map[*Param]*Node{},
		lifted: map[*gorgonia.Node]*Node{}, made: map[*gorgonia.Node][]*Param{},
	}
}

func checkFloat(op string, t tensor.Dtype) {
	if t != Float32 && t != Float64 {
		ops.Failf(op, "dtype %v: want Float32 or Float64", t)
	}
}

// current is the graph of the innermost step that is being built on g, or g. What belongs to a step
// (its noise, its dropout inside products) belongs to it also where the operand at hand is a node
// of an outer graph.
func (g *Graph) current() *Graph {
	g.check()
	for g.step != nil {
		g = g.step
	}
	return g
}

// check refuses a graph that NewGraph has not made.
func (g *Graph) check() {
	if g == nil || g.expr == nil {
		ops.Failf("Graph", "the graph is nil, or an empty value: NewGraph makes one")
	}
}

// Expr is the Gorgonia graph.
func (g *Graph) Expr() *gorgonia.ExprGraph {
	if g == nil {
		return nil
	}
	return g.expr
}

// Training reports whether the graph is built for training.
func (g *Graph) Training() bool { return g != nil && g.opts.Training }

// Dtype is the graph's float type.
func (g *Graph) Dtype() tensor.Dtype { return g.opts.Dtype }

// Parameters are the parameters used so far, in the order of first use.
func (g *Graph) Parameters() []*Param { return slices.Clone(g.order) }

// Within builds under a label that errors carry, such as "step".
func (g *Graph) Within(label string, build func()) {
	g.check()
	if build == nil {
		g.failf("Within", "there is nothing to build: the function is nil")
	}
	oldLabel, oldNear := g.label, g.near
	g.label, g.near = strings.TrimSpace(oldLabel+" "+label), ""
	defer func() { g.label, g.near = oldLabel, oldNear }()
	defer g.locate("")
	build()
}

// place is where building is, for errors: the scope, and the labels of all graphs that are being
// built.
func (g *Graph) place() string {
	words := []string{g.near}
	root := g
	for root.parent != nil {
		root = root.parent
	}
	for in := root; in != nil; in = in.step {
		words = append(words, in.label)
	}
	return strings.Join(strings.Fields(strings.Join(words, " ")), " ")
}

// failf panics with a *BuildError that says where.
func (g *Graph) failf(op, format string, args ...any) {
	defer g.locate(op)
	ops.Failf(op, format, args...)
}

// locate, deferred, adds the operation and the place to a mistake that knows neither.
func (g *Graph) locate(op string) {
	r := recover()
	if e, ok := r.(*BuildError); ok {
		if e.Op == "" {
			e.Op = op
		}
		if e.Path == "" {
			e.Path = g.place()
		}
	}
	if r != nil {
		panic(r)
	}
}

// Input declares a float input. Its value is bound before a run (see Node.Gorgonia and
// gorgonia.Let).
func (g *Graph) Input(name string, shape ...int) *Node {
	return g.input(name, ops.Type{Dtype: g.opts.Dtype, Shape: shape})
}

// IntInput declares an input of ids, targets or lengths.
func (g *Graph) IntInput(name string, shape ...int) *Node {
	return g.input(name, ops.Type{Dtype: Int, Shape: shape})
}

// InputLike declares an input of the type of n, which may belong to another graph, and of the given
// shape.
func (g *Graph) InputLike(n *Node, name string, shape ...int) *Node {
	checkNode("InputLike", n)
	return g.input(name, ops.Type{Dtype: n.Dtype(), Shape: shape})
}

func (g *Graph) input(name string, t ops.Type) *Node {
	g.check()
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
	return &Node{g, ops.Input(g.expr, name, t)}
}

// anchor is any node of the graph, for operations whose operand only says which graph is meant.
func (g *Graph) anchor() *gorgonia.Node { return g.NoiseKey().n }

const noiseKey = "noise/key"

// NoiseKey is the input [2] of ints from which every noise of the graph is drawn: the seed and a
// counter, such as the number of the training step. It is bound to {0, 0} until another value is.
// In a graph with Options.Rows it is [4]: seed, counter, and which rows the graph is given, the
// first and of how many; of 0, the whole batch.
func (g *Graph) NoiseKey() *Node {
	g.check()
	if g.key == nil {
		if g.names[noiseKey] {
			ops.Failf("Input",
				"the name %q is the library's own, for the seed of noise; give your input another",
				noiseKey)
		}
		n := 2
		if g.opts.Rows > 0 {
			n = 4
		}
		g.key = g.noData(g.IntInput(noiseKey, n))
		v := tensor.New(tensor.WithShape(n), tensor.WithBacking(make([]int, n)))
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
	return g.apply("Const", ops.Fill{Dtype: g.opts.Dtype, Shape: slices.Clone(shape), Value: value},
		&Node{g, g.anchor()})
}

// Zeros is a tensor of zeros.
func (g *Graph) Zeros(shape ...int) *Node { return g.Const(0, shape...) }

// Param is the input that stands for p. It shares p's tensor: what a solver writes there the next
// run reads.
func (g *Graph) Param(p *Param) *Node {
	if p == nil || p.store == nil {
		ops.Failf("Param", "the parameter is nil: want one that Scope.Param declared")
	}
	g.check()
	if n := g.params[p]; n != nil {
		return n
	}
	var n *Node
	if g.parent != nil {
		n = g.lift(g.parent.Param(p))
	} else {
		if p.store.dtype != g.opts.Dtype {
			ops.Failf("Param",
				"%s is %v, the graph is %v: the store and the graph must have one dtype", p.path,
				p.store.dtype, g.opts.Dtype)
		}
		n = g.input(p.path, ops.Type{Dtype: g.opts.Dtype, Shape: p.shape})
		if !g.sketch {
			if err := gorgonia.Let(n.n, p.Value()); err != nil {
				ops.Failf("Param", "%s: %w", p.path, err)
			}
		}
	}
	g.params[p], g.made[n.n] = n, []*Param{p}
	g.order = append(g.order, p)
	return n
}

// lift returns n as a node of g: itself, or an input that stands for a node of an outer graph.
func (g *Graph) lift(n *Node) *Node {
	checkNode("", n)
	if n.g == g {
		return n
	}
	if in := g.lifted[n.n]; in != nil {
		return in
	}
	if g.parent == nil {
		ops.Failf("", "%s, in another graph: all operands must be nodes of one graph",
			ops.Describe(n.n))
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
	for _, t := range g.traces {
		t.reached[in.n] = t.reached[in.n] || t.Reaches(outer)
	}
	if params, without := g.parent.made[outer.n]; without {
		g.made[in.n] = params
	}
	g.lifted[n.n] = in
	g.lifts = append(g.lifts, lift{Outer: outer, Inner: in})
	return in
}

// apply makes a node and adds the place to the error if that fails.
func (g *Graph) apply(op string, fn ops.Operation, in ...*Node) *Node {
	defer func() {
		if r := recover(); r != nil {
			if e, ok := r.(*BuildError); ok {
				e.Op = op
				if e.Path == "" {
					e.Path = g.place()
				}
				// "W_ih" reads better than "encoder/l0/W_ih" behind "encoder/l0 step"
				for i, s := range e.Operands {
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
	first := len(g.expr.AllNodes())
	n := &Node{g, ops.Apply(fn, raw...)}
	ops.Mark(g.expr, first, ops.Place{Path: g.place(), Name: op})
	for _, t := range g.traces {
		t.made(n, fn, in)
	}
	g.note(n, fn, in)
	return n
}

// Gradients adds dL/d(wrt) to the graph, where L is a scalar. What does not depend on an operand
// has a gradient of 0.
func (g *Graph) Gradients(loss *Node, wrt ...Operand) []*Node {
	g.noteScope(nil)
	defer g.locate("Gradients")
	loss = g.lift(loss)
	if len(loss.Shape()) != 0 {
		ops.Failf("Gradients", "the loss is %s: want a scalar; take Sum or Mean",
			ops.ShapeString(loss.Shape()))
	}
	return g.Backward([]*Node{loss}, []*Node{g.Const(1)}, wrt...)
}

// Backward adds Σ_o ⟨cotangents[o], ∂outs[o]/∂wrt⟩ to the graph: the vector-Jacobian product of
// several outputs.
func (g *Graph) Backward(outs, cotangents []*Node, wrt ...Operand) []*Node {
	g.noteScope(nil)
	defer g.locate("Backward")
	if len(outs) != len(cotangents) {
		ops.Failf("Backward", "%d outputs, %d cotangents: want one for each output", len(outs),
			len(cotangents))
	}
	var o, c, w []*gorgonia.Node
	for i := range outs {
		out, cot := g.lift(outs[i]), g.lift(cotangents[i])
		if a, b := ops.TypeOf(out.n), ops.TypeOf(cot.n); !slices.Equal(a.Shape, b.Shape) ||
			a.Dtype != b.Dtype || !a.IsFloat() {
			ops.Failf("Backward", "output %d is %v, its cotangent %v: want the same, of floats", i,
				a, b)
		}
		o, c = append(o, out.n), append(c, cot.n)
	}
	for i, x := range wrt {
		checkOperand("", i, x)
		n := x.in(g).n
		if t := ops.TypeOf(n); !t.IsFloat() {
			ops.Failf("", "%s, of %v: only floats have gradients", ops.Describe(n), t.Dtype)
		}
		w = append(w, n)
	}
	ds, err := ops.Gradients(o, c, w)
	if err != nil {
		ops.Failf("", "%w", err)
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
