package onnx

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/onnx/internal/host"
	"github.com/seqzoo/seqzoo/onnx/internal/pb"
)

// value is a value of a model while its graph is being built: known, a parameter, or a node. Truth
// values of nodes are floats, 1 and 0; integers of every size are Int.
type value struct {
	typ   host.Type
	shape []int
	host  *host.Tensor // known
	param *nodes.Param
	node  *nodes.Node
	// from are the inputs of the model that the value depends on. Those of a loop's step are
	// marked by an empty name: their values are never known.
	from []string
}

func constant(t *host.Tensor) *value { return &value{typ: t.Type, shape: t.Shape, host: t} }

// unknownError says that the value of something has to be known before the graph is built, and from
// which inputs it follows.
type unknownError struct {
	inputs []string
	err    error
}

func (e *unknownError) Error() string { return e.err.Error() }
func (e *unknownError) Unwrap() error { return e.err }

// builder lays a model out in a graph.
type builder struct {
	m      *Model
	root   *nodes.Graph
	g      *nodes.Graph        // the graph at hand: of a step, or root
	names  []map[string]*value // of the graph at hand last, those around it before
	serial *int
	nodes  *int // laid out so far
	at     string
	step   *Step // that the graph is made for; nil: a graph to train
}

// maxNodes bounds how many nodes loops may be laid out to.
const maxNodes = 50_000

// Build lays the model out in a graph, whose float type has to be Dtype, and returns its outputs.
// Inputs are given by their names: floats as float nodes, truth values too, as 1 and 0; integers as
// Int nodes. A value that the graph's shape depends on, such as that of an input which Reshape
// takes, has to be given in known, which may be nil otherwise. Outputs that follow from those alone
// become nodes too, except strings and those without elements.
func (m *Model) Build(g *nodes.Graph, inputs map[string]*nodes.Node, known Values) (
	outputs map[string]*nodes.Node, err error) {
	defer wrap(&err)
	if m == nil || m.proto == nil {
		return nil, errNoModel
	}
	if g == nil || g.Expr() == nil {
		return nil, errors.New("the graph is nil")
	}
	m.turned.handOut()
	b, vs, err := m.build(g, inputs, known, nil)
	if err != nil {
		return nil, err
	}
	outputs = map[string]*nodes.Node{}
	err = guard(func() {
		for i, v := range vs {
			if v.host == nil || v.typ != host.String && v.host.Len() > 0 {
				outputs[m.outputs[i].Name] = b.node(v)
			}
		}
	})
	return outputs, err
}

// wrap adds the package to an error.
func wrap(err *error) {
	if *err != nil && !strings.HasPrefix((*err).Error(), "onnx: ") {
		*err = fmt.Errorf("onnx: %w", *err)
	}
}

// guard runs building code and returns what it fails with.
func guard(build func()) (err error) {
	defer host.Catch(&err)
	return nodes.Try(build)
}

func (m *Model) build(g *nodes.Graph, inputs map[string]*nodes.Node, known Values,
	step *Step) (*builder, []*value, error) {
	if g.Dtype() != m.dtype {
		return nil, nil, fmt.Errorf("the graph is of %v, the model of %v", g.Dtype(), m.dtype)
	}
	b := &builder{m: m, root: g, g: g, serial: new(int), nodes: new(int), step: step}
	scope := map[string]*value{"": nil}
	for name, v := range m.known {
		scope[name] = v
	}
	for _, in := range m.inputs {
		v, err := inputValue(in, inputs[in.Name], known[in.Name])
		if err != nil {
			return nil, nil, fmt.Errorf("input %q: %w", in.Name, err)
		}
		scope[in.Name] = v
	}
	b.names = []map[string]*value{scope}
	var out []*value
	err := guard(func() { out = b.graph(m.proto.Graph) })
	if err != nil {
		return nil, nil, b.where(err)
	}
	return b, out, nil
}

// where adds the node at hand to an error.
func (b *builder) where(err error) error {
	if b.at == "" {
		return err
	}
	var u *unknownError
	if errors.As(err, &u) {
		return &unknownError{u.inputs, fmt.Errorf("%s: %w", b.at, u.err)}
	}
	return fmt.Errorf("%s: %w", b.at, err)
}

func inputValue(in Info, n *nodes.Node, known Tensor) (*value, error) {
	typ := host.Type(in.Type)
	if known.t != nil {
		if known.t.Type != typ {
			return nil, fmt.Errorf("it is %v, want %v", known.Type(), in.Type)
		}
		return constant(known.t), in.fits(known.t.Shape)
	}
	if n == nil {
		return nil, errors.New("it is missing")
	}
	if isInt := n.Dtype() == nodes.Int; isInt != typ.IsInt() || typ == host.String {
		return nil, fmt.Errorf("its node is of %v, the model takes %v", n.Dtype(), in.Type)
	}
	return &value{typ: typ, shape: n.Shape(), node: n, from: []string{in.Name}}, in.fits(n.Shape())
}

// fits holds a shape to what the file says.
func (i Info) fits(shape []int) error {
	if i.Shape == nil {
		return nil
	}
	ok := len(shape) == len(i.Shape)
	for k := range shape {
		ok = ok && (i.Shape[k].Size < 0 || i.Shape[k].Size == shape[k])
	}
	if !ok {
		return fmt.Errorf("its shape is %v, want %v", shape, i.Shape)
	}
	return nil
}

// graph lays out the nodes of a graph, whose inputs have their values, and returns its outputs.
func (b *builder) graph(g *pb.GraphProto) []*value {
	here := b.names[len(b.names)-1]
	for _, p := range g.Initializer {
		if _, ok := here[p.GetName()]; !ok {
			t, err := host.Decode(p, nil)
			if err != nil {
				host.Failf("%w", err)
			}
			here[p.GetName()] = constant(t)
		}
	}
	outer := b.at
	for _, n := range g.Node {
		b.at = strings.TrimPrefix(outer+": ", ": ") +
			fmt.Sprintf("node %q (%s)", nodeName(n), opName(n))
		if *b.nodes++; *b.nodes > maxNodes {
			host.Failf("loops make more than %d nodes", maxNodes)
		}
		c := b.call(n)
		out := b.operator(c)
		for i, name := range n.Output {
			if name == "" {
				continue
			}
			if i >= len(out) || out[i] == nil {
				host.Failf("output %d is not computed here", i)
			}
			if _, taken := here[name]; taken {
				host.Failf("two values are called %q", name)
			}
			here[name] = out[i]
		}
	}
	b.at = outer
	var outs []*value
	for _, o := range g.Output {
		outs = append(outs, b.lookup(o.GetName()))
	}
	return outs
}

// lookup finds a value by its name, in the graph at hand or one around it.
func (b *builder) lookup(name string) *value {
	if name == "" {
		return nil
	}
	for i := len(b.names) - 1; i >= 0; i-- {
		if v := b.names[i][name]; v != nil {
			return v
		}
	}
	host.Failf("nothing is called %q where it is used", name)
	return nil
}

// within lays out an inner graph whose inputs have the given values.
func (b *builder) within(g *pb.GraphProto, inputs []*value) []*value {
	if g == nil {
		host.Failf("the inner graph is missing")
	}
	if len(inputs) != len(g.Input) {
		host.Failf("the inner graph has %d inputs, want %d", len(g.Input), len(inputs))
	}
	scope := map[string]*value{"": nil}
	for i, in := range g.Input {
		scope[in.GetName()] = inputs[i]
	}
	b.names = append(b.names, scope)
	defer func() { b.names = b.names[:len(b.names)-1] }()
	return b.graph(g)
}

// call is a node with its operands.
type call struct {
	host.Attrs
	op      string
	version int
	in      []*value // nil: left out
	outputs int
}

func (b *builder) call(n *pb.NodeProto) *call {
	c := &call{op: n.GetOpType(), version: b.m.versions[""], outputs: len(n.Output),
		Attrs: host.Attrs{}}
	for _, a := range n.Attribute {
		c.Attrs[a.GetName()] = a
	}
	for _, name := range n.Input {
		c.in = append(c.in, b.lookup(name))
	}
	return c
}

// arg is operand i, or nil if it is not given.
func (c *call) arg(i int) *value {
	if i < len(c.in) {
		return c.in[i]
	}
	return nil
}

// need is operand i.
func (c *call) need(i int) *value {
	v := c.arg(i)
	if v == nil {
		host.Failf("operand %d is missing", i)
	}
	return v
}

// from joins what operands depend on.
func (c *call) from() []string {
	var out []string
	for _, v := range c.in {
		if v != nil {
			out = append(out, v.from...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// allKnown reports whether all operands are known; parameters are not, as they may be trained.
func (c *call) allKnown() bool {
	return !slices.ContainsFunc(c.in, func(v *value) bool { return v != nil && v.host == nil })
}

// operator computes one node.
func (b *builder) operator(c *call) []*value {
	c.checkOperands()
	f := operators[c.op]
	inner := c.op == "If" || c.op == "Loop" || c.op == "Scan"
	if c.allKnown() && host.Known(c.op) && !inner {
		return b.fold(c)
	}
	for _, i := range operandsFixed[c.op] {
		if v := c.arg(i); v != nil && v.host == nil {
			c.in[i] = constant(b.known(v))
		}
	}
	if f == nil {
		return b.onHost(c)
	}
	out := f(b, c)
	if !inner { // those depend on what their graphs use, too
		for _, v := range out {
			if v != nil && v.host == nil && v.param == nil && v.from == nil {
				v.from = c.from()
			}
		}
	}
	return out
}

// splat is the number that all floats of a tensor are, to the bit; false if there is none, or it is
// a NaN.
func splat(t *host.Tensor) (float64, bool) {
	for _, x := range t.F[1:] {
		if math.Float64bits(x) != math.Float64bits(t.F[0]) { // 0 and −0 differ
			return 0, false
		}
	}
	return t.F[0], t.F[0] == t.F[0]
}

// node is a value as a node of a graph.
func (b *builder) node(v *value) *nodes.Node {
	switch {
	case v.node != nil:
		return v.node
	case v.param != nil:
		n := b.root.Param(v.param)
		if len(v.shape) == 0 {
			n = nodes.Reshape(n)
		}
		return n
	}
	t := v.host
	if t.Type == host.Bool {
		t = host.Cast(t, host.Float64)
	}
	if t.S != nil || t.Len() == 0 {
		host.Failf("%v cannot be computed with", v.host)
	}
	if t.F != nil {
		if x, ok := splat(t); ok {
			return b.g.Const(x, t.Shape...)
		}
	}
	*b.serial++
	name := fmt.Sprintf("onnx constant %d", *b.serial)
	// It belongs to the graph around all steps: those read it from there. A scalar is one of one
	// axis, reshaped, as that is what values of inputs are bound to.
	dtype, shape := b.dtypeOf(t.Type), t.Shape
	if len(shape) == 0 {
		shape = []int{1}
	}
	x := ops.NewTensor(ops.Type{Dtype: dtype, Shape: shape})
	toEngine(t, x)
	var n *nodes.Node
	if dtype == nodes.Int {
		n = b.root.IntInput(name, shape...)
	} else {
		n = b.root.Input(name, shape...)
	}
	if err := gorgonia.Let(n.Gorgonia(), x.Value()); err != nil {
		host.Failf("%w", err)
	}
	v.node = nodes.Reshape(n, t.Shape...)
	return v.node
}

// nodesOf are all operands as nodes.
func (b *builder) nodesOf(c *call) []*nodes.Node {
	var ns []*nodes.Node
	for i := range c.in {
		ns = append(ns, b.node(c.need(i)))
	}
	return ns
}

// known is a value's elements. If they follow from inputs, the graph has to be built anew for their
// values.
func (b *builder) known(v *value) *host.Tensor {
	if v.host != nil {
		return v.host
	}
	if slices.Contains(v.from, "") {
		host.Failf("a shape, or something else that has to be fixed, depends on what a loop " +
			"computes")
	}
	if len(v.from) > 0 {
		err := fmt.Errorf("a shape, or something else that has to be fixed, depends on the "+
			"values of %s", strings.Join(v.from, ", "))
		panic(host.Failure{Err: &unknownError{v.from, err}})
	}
	t := host.New(v.typ, v.shape...)
	if v.param != nil {
		x, _ := ops.TensorOf(v.param.Value())
		fromEngine(x, t)
		return t
	}
	p, err := ops.NewProgram([]*gorgonia.Node{v.node.Gorgonia()})
	if err == nil {
		err = p.Run()
	}
	if err != nil {
		host.Failf("%w", err)
	}
	fromEngine(p.At(p.Index(v.node.Gorgonia())), t)
	v.host = t
	return t
}
