package onnx

import (
	"slices"

	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/internal/steps"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/onnx/internal/host"
	"github.com/seqzoo/seqzoo/onnx/internal/pb"
)

// attrInts and castAttrs make attributes for operators that others are laid out with.
func attrInts(ints map[string]int) host.Attrs {
	a := host.Attrs{}
	for name, x := range ints {
		v, t := int64(x), pb.AttributeProto_INT
		a[name] = &pb.AttributeProto{Name: &name, I: &v, Type: &t}
	}
	return a
}

func castAttrs(to host.Type) host.Attrs { return attrInts(map[string]int{"to": int(to)}) }

func shapeOperators() map[string]operator {
	table := map[string]operator{
		"Shape": ofShape, "Size": ofShape,
		"Constant": constantOf, "Concat": concat, "Slice": slice, "Split": split,
		"Expand": expand, "Pad": pad, "Gather": gather, "Transpose": transpose,
		"Einsum": einsum, "TopK": topK, "CumSum": cumSum, "ArgMax": argMax,
		"ScatterElements": scatter, "Scatter": scatter, "ScatterND": scatter,
		"Dropout": dropout,
	}
	for _, name := range []string{"Reshape", "Flatten", "Squeeze", "Unsqueeze"} {
		table[name] = reshape
	}
	for _, name := range []string{"Tile", "GatherElements", "GatherND", "DepthToSpace",
		"SpaceToDepth", "Trilu", "ReverseSequence", "Compress"} {
		table[name] = arrange
	}
	return table
}

// ofShape is Shape and Size: what they give is known although the operand is not.
func ofShape(b *builder, c *call) []*value {
	h := &host.Call{Op: c.op, Version: c.version, Attrs: c.Attrs,
		In: []*host.Tensor{{Type: c.need(0).typ, Shape: c.need(0).shape}}}
	ts, err := host.Run(h)
	if err != nil {
		host.Failf("%w", err)
	}
	return []*value{constant(ts[0])}
}

func constantOf(_ *builder, c *call) []*value {
	if t := c.Attrs.Tensor("value"); t != nil {
		return []*value{constant(t)}
	}
	var t *host.Tensor
	switch {
	case c.Has("value_float"):
		t = &host.Tensor{Type: host.Float32, Shape: []int{},
			F: []float64{c.Float("value_float", 0)}}
	case c.Has("value_floats"):
		fs := c.Floats("value_floats")
		t = &host.Tensor{Type: host.Float32, Shape: []int{len(fs)}, F: fs}
	case c.Has("value_int"):
		t = host.Ints(c.Int("value_int", 0)).As()
	case c.Has("value_ints"):
		t = host.Ints(c.Attrs.Ints("value_ints")...)
	case c.Has("value_string"):
		t = &host.Tensor{Type: host.String, Shape: []int{},
			S: []string{c.Attrs.String("value_string", "")}}
	case c.Has("value_strings"):
		ss := c.Strings("value_strings")
		t = &host.Tensor{Type: host.String, Shape: []int{len(ss)}, S: ss}
	default:
		host.Failf("a constant without a value that is supported")
	}
	return []*value{constant(t)}
}

// reshaped gives a value another shape.
func (b *builder) reshaped(v *value, shape ...int) *value {
	if v.host != nil {
		return constant(v.host.As(shape...))
	}
	if shape == nil {
		shape = []int{}
	}
	if host.Size(shape) != host.Size(v.shape) {
		host.Failf("%v elements do not fill %v", v.shape, shape)
	}
	return &value{typ: v.typ, shape: shape, node: nodes.Reshape(b.node(v), shape...), from: v.from}
}

func reshape(b *builder, c *call) []*value {
	shape, _ := host.Reshaped(b.hostCall(c))
	return []*value{b.reshaped(c.need(0), shape...)}
}

func transpose(b *builder, c *call) []*value {
	x := c.need(0)
	perm := host.Permutation(b.hostCall(c), len(x.shape))
	if slices.IsSorted(perm) {
		return []*value{x}
	}
	if n := len(perm); perm[n-1] == n-2 && perm[n-2] == n-1 && slices.IsSorted(perm[:n-2]) {
		if y, ok := b.turned(x); ok {
			return []*value{made(x.typ, y)}
		}
	}
	return []*value{made(x.typ, nodes.Transpose(b.node(x), perm...))}
}

func concat(b *builder, c *call) []*value {
	first := c.need(0)
	axis := host.Axis(c.Int("axis", 1), len(first.shape))
	var parts []*nodes.Node
	for i := range c.in {
		v := c.need(i)
		if v.typ != first.typ || len(v.shape) != len(first.shape) {
			host.Failf("operands of %v", c.types())
		}
		if host.Size(v.shape) > 0 {
			parts = append(parts, b.node(v))
		}
	}
	return []*value{made(first.typ, nodes.Concat(axis, parts...))}
}

// result is a value that an operator made of operands of the type t: one without elements is known.
func empty(t host.Type, shape []int) *value { return constant(host.New(t, shape...)) }

func slice(b *builder, c *call) []*value {
	x := c.need(0)
	cuts := host.Cuts(b.hostCall(c))
	shape := make([]int, len(cuts))
	plain := true
	for i, cut := range cuts {
		shape[i] = cut.N
		plain = plain && (cut.Step == 1 || cut.N == 1)
	}
	switch {
	case host.Size(shape) == 0:
		return []*value{empty(x.typ, shape)}
	case !plain:
		return arrange(b, c)
	}
	n := b.node(x)
	for i, cut := range cuts {
		n = nodes.Slice(n, i, cut.Start, cut.Start+cut.N)
	}
	return []*value{made(x.typ, n)}
}

func split(b *builder, c *call) []*value {
	x := c.need(0)
	axis := host.Axis(c.Int("axis", 0), len(x.shape))
	var out []*value
	at := 0
	for _, n := range host.Parts(b.hostCall(c), x.shape[axis]) {
		if n == 0 {
			shape := slices.Clone(x.shape)
			shape[axis] = 0
			out = append(out, empty(x.typ, shape))
			continue
		}
		out = append(out, made(x.typ, nodes.Slice(b.node(x), axis, at, at+n)))
		at += n
	}
	return out
}

func expand(b *builder, c *call) []*value {
	x := c.need(0)
	shape := host.Broadcast(x.shape, b.known(c.need(1)).Ints())
	if host.Size(shape) == 0 {
		return []*value{empty(x.typ, shape)}
	}
	if x.typ.IsInt() {
		return arrange(b, c)
	}
	return []*value{made(x.typ, nodes.Broadcast(b.node(x), shape...))}
}

func pad(b *builder, c *call) []*value {
	x := c.need(0)
	fill := c.arg(2)
	zero := fill == nil && c.Float("value", 0) == 0 || fill != nil && fill.host != nil &&
		(fill.host.Len() == 0 || fill.host.Float(0) == 0)
	before, behind := host.Pads(b.hostCall(c))
	if c.Attrs.String("mode", "constant") != "constant" || !zero ||
		slices.ContainsFunc(slices.Concat(before, behind), func(n int) bool { return n < 0 }) {
		return arrange(b, c)
	}
	n := b.node(x)
	for axis := range before {
		if total := before[axis] + n.Dim(axis) + behind[axis]; total != n.Dim(axis) {
			n = steps.Op(n.Graph(), "Pad", ops.Pad{Axis: axis, From: before[axis], Total: total}, n)
		}
	}
	return []*value{made(x.typ, n)}
}

func dropout(b *builder, c *call) []*value {
	x := c.need(0)
	y := x
	rate := c.Float("ratio", 0.5)
	if t := c.arg(1); t != nil {
		rate = b.known(t).Float(0)
	}
	training := c.arg(2) != nil && b.known(c.need(2)).Int(0) != 0
	switch {
	case b.g.Training() && rate > 0 && (training || c.version < 12 || c.arg(2) == nil):
		if c.outputs > 1 {
			host.Failf("the mask of a dropout that is active is not given")
		}
		v := made(x.typ, nodes.Dropout(b.node(x), rate))
		return []*value{v}
	case training && rate > 0:
		host.Failf("a dropout that is active drops at random: it is for graphs that are built " +
			"for training")
	}
	if y.host == nil {
		y = &value{typ: x.typ, shape: x.shape, node: b.node(x), from: x.from}
	}
	mask := host.New(host.Bool, x.shape...)
	for i := range mask.I {
		mask.I[i] = 1
	}
	if c.version < 10 {
		mask = host.Cast(mask, x.typ)
	}
	return []*value{y, constant(mask)}
}

func argMax(b *builder, c *call) []*value {
	x := c.need(0)
	axis := host.Axis(c.Int("axis", 0), len(x.shape))
	if !x.typ.IsFloat() || axis != len(x.shape)-1 || c.Int("select_last_index", 0) == 1 ||
		len(x.shape) == 1 {
		return b.onHost(c)
	}
	v := made(host.Int64, nodes.ArgMax(b.node(x)))
	v.from = c.from()
	if c.Int("keepdims", 1) == 1 {
		return []*value{b.reshaped(v, append(v.shape, 1)...)}
	}
	return []*value{v}
}

// maxTriangle is the longest axis along which a CumSum is a product with a triangle of ones.
const maxTriangle = 1024

func cumSum(b *builder, c *call) []*value {
	x := c.need(0)
	axis := host.Axis(b.known(c.need(1)).Int(0), len(x.shape))
	d := x.shape[axis]
	if !x.typ.IsFloat() || d > maxTriangle {
		return b.onHost(c)
	}
	t := host.New(x.typ, d, d)
	reverse, exclusive := c.Int("reverse", 0) == 1, c.Int("exclusive", 0) == 1
	for i := range d {
		for j := range d {
			if i < j && !reverse || i > j && reverse || i == j && !exclusive {
				t.F[i*d+j] = 1
			}
		}
	}
	last := len(x.shape) - 1
	perm := make([]int, len(x.shape))
	for i := range perm {
		perm[i] = i
	}
	perm[axis], perm[last] = last, axis
	n := nodes.Transpose(b.node(x), perm...)
	shape := n.Shape()
	y := nodes.MatMul(nodes.Reshape(n, -1, d), b.node(constant(t)))
	return []*value{made(x.typ, nodes.Transpose(nodes.Reshape(y, shape...), perm...))}
}
