package onnx

import (
	"fmt"
	"slices"

	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/internal/steps"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/onnx/internal/host"
)

// arrange lays out an operator that moves elements by looking up their places.
func arrange(b *builder, c *call) []*value {
	x := c.need(0)
	// Without its places the operator cannot be laid out, but it needs no element of operand 0.
	places, shape := b.places(c)
	if host.Size(shape) == 0 {
		return []*value{empty(x.typ, shape)}
	}
	if x.typ.IsInt() || x.typ == host.String {
		return b.onHost(c)
	}
	table := nodes.Reshape(b.node(x), -1, 1)
	if places.host != nil && slices.Contains(places.host.I, -1) {
		fill := nodes.Reshape(b.node(b.fill(c)), 1, 1)
		table = nodes.Concat(0, table, fill)
		at := host.New(host.Int64, places.shape...)
		for i, k := range places.host.I {
			if at.I[i] = k; k < 0 {
				at.I[i] = int64(host.Size(x.shape))
			}
		}
		places = constant(at)
	}
	rows := nodes.Embedding(table, b.node(places), -1)
	v := made(x.typ, nodes.Reshape(rows, shape...))
	v.from = c.from()
	return []*value{v}
}

// fill is the value that Pad and the like put where there is none.
func (b *builder) fill(c *call) *value {
	t := c.need(0).typ
	if c.op == "Pad" {
		if v := c.arg(2); v != nil && host.Size(v.shape) > 0 {
			return v
		}
		return constant(&host.Tensor{Type: t, Shape: []int{}, F: []float64{c.Float("value", 0)}})
	}
	return constant(&host.Tensor{Type: t, Shape: []int{}, F: []float64{0}})
}

// places are where the elements of the result stand in operand 0: a vector, known or computed in
// each run from operands that are not known.
func (b *builder) places(c *call) (at *value, shape []int) {
	h := &host.Call{Op: c.op, Version: c.version, Attrs: c.Attrs, Outputs: c.outputs}
	var operands []*nodes.Node
	var which []int
	for i, v := range c.in {
		var t *host.Tensor
		switch {
		case v == nil:
		case i == 0:
			t = &host.Tensor{Type: v.typ, Shape: v.shape}
		case v.host != nil:
			t = v.host
		case c.op == "Pad" || i == 2 && scatters(c.op):
			t = &host.Tensor{Type: v.typ, Shape: v.shape}
		default:
			t = host.New(v.typ, v.shape...)
			h.Shapes = true
			operands, which = append(operands, b.node(v)), append(which, i)
		}
		h.In = append(h.In, t)
	}
	ints, shape := placesOf(h)
	if len(operands) == 0 || len(ints) == 0 {
		return constant(host.Ints(ints...)), shape
	}
	*b.serial++
	op := placesOp{id: *b.serial, call: h, at: which, n: len(ints)}
	return made(host.Int64, steps.Op(steps.Innermost(operands...), c.op, op, operands...)), shape
}

func scatters(op string) bool {
	return op == "ScatterElements" || op == "Scatter" || op == "ScatterND"
}

func placesOf(h *host.Call) (at, shape []int) {
	if scatters(h.Op) {
		at = host.ScatterPlaces(h)
		return at, []int{len(at)}
	}
	a, ok := host.Arrange(h)
	if !ok || len(a) != 1 {
		host.Failf("%s has no places", h.Op)
	}
	return a[0].At, a[0].Shape
}

// placesOp computes places from indices that are not known before a run.
type placesOp struct {
	id   int
	call *host.Call
	at   []int
	n    int
}

func (o placesOp) Key() string { return fmt.Sprintf("onnx places of %s{%d}", o.call.Op, o.id) }

func (o placesOp) Infer([]ops.Type) (ops.Type, error) {
	return ops.Type{Dtype: tensor.Int, Shape: []int{o.n}}, nil
}

func (o placesOp) Eval(in []ops.Tensor, out ops.Tensor) (err error) {
	defer host.Catch(&err)
	c := *o.call
	c.Shapes, c.In = false, slices.Clone(c.In)
	for k, i := range o.at {
		t := host.New(c.In[i].Type, c.In[i].Shape...)
		fromEngine(in[k], t)
		c.In[i] = t
	}
	at, _ := placesOf(&c)
	copy(out.Int, at)
	return nil
}

// fromEnd are ids of which negative ones count from the end of an axis of n.
type fromEnd struct{ n int }

func (f fromEnd) Key() string { return fmt.Sprintf("onnx fromend{%d}", f.n) }

func (f fromEnd) Infer(in []ops.Type) (ops.Type, error) { return in[0], nil }

func (f fromEnd) Eval(in []ops.Tensor, out ops.Tensor) error {
	for i, id := range in[0].Int {
		if id < 0 {
			id += f.n
		}
		out.Int[i] = id
	}
	return nil
}

func gather(b *builder, c *call) []*value {
	x, ids := c.need(0), c.need(1)
	if !ids.typ.IsInt() {
		host.Failf("indices of %v", ids.typ)
	}
	shape := x.shape
	axis := host.Axis(c.Int("axis", 0), len(shape))
	out := slices.Concat(shape[:axis], ids.shape, shape[axis+1:])
	switch {
	case host.Size(out) == 0:
		return []*value{empty(x.typ, out)}
	case ids.host != nil && ids.host.Len() == 1:
		k := (&host.Call{}).Index(ids.host.Int(0), shape[axis])
		v := made(x.typ, nodes.Slice(b.node(x), axis, k, k+1))
		v.from = c.from()
		return []*value{b.reshaped(v, out...)}
	case !x.typ.IsFloat():
		return b.onHost(c)
	}
	at := b.node(ids)
	if ids.host != nil {
		at = b.node(constant(host.Ints(normal(ids.host, shape[axis])...).As(ids.shape...)))
	} else {
		at = steps.Op(at.Graph(), "Gather", fromEnd{shape[axis]}, at)
	}
	var before, perm []int
	for i := range shape {
		if i != axis {
			before = append(before, i)
		}
	}
	n := b.node(x)
	if axis > 0 {
		n = nodes.Transpose(n, append([]int{axis}, before...)...)
	}
	k := host.Size(ids.shape)
	rows := nodes.Embedding(nodes.Reshape(n, shape[axis], -1), nodes.Reshape(at, k), -1)
	if axis == 0 {
		return []*value{made(x.typ, nodes.Reshape(rows, out...))}
	}
	rest := []int{k}
	for _, i := range before {
		rest = append(rest, shape[i])
	}
	for i := range shape {
		switch {
		case i < axis:
			perm = append(perm, i+1)
		case i == axis:
			perm = append(perm, 0)
		default:
			perm = append(perm, i)
		}
	}
	n = nodes.Transpose(nodes.Reshape(rows, rest...), perm...)
	return []*value{made(x.typ, nodes.Reshape(n, out...))}
}

func normal(ids *host.Tensor, n int) []int {
	out := ids.Ints()
	for i, id := range out {
		out[i] = (&host.Call{}).Index(id, n)
	}
	return out
}

// scatter adds or replaces elements at places. Where several go to one place, what comes out is
// said by ONNX for sums alone.
func scatter(b *builder, c *call) []*value {
	x, updates := c.need(0), c.need(2)
	reduction := c.Attrs.String("reduction", "none")
	if !x.typ.IsFloat() || reduction != "none" && reduction != "add" {
		return b.onHost(c)
	}
	at, _ := b.places(c)
	ids := b.node(at)
	size := host.Size(x.shape)
	add := func(rows *nodes.Node) *nodes.Node {
		g := steps.Innermost(ids, rows)
		sum := steps.Op(g, c.op, ops.ScatterAdd{V: size, Padding: -1}, ids,
			nodes.Reshape(rows, -1, 1))
		return nodes.Reshape(sum, x.shape...)
	}
	y := b.node(x)
	if reduction == "none" {
		hit := add(b.g.Const(1, host.Size(updates.shape)))
		y = nodes.Select(hit, nodes.Scalar(0), y)
	}
	return []*value{made(x.typ, nodes.Add(y, add(b.node(updates))))}
}

// topK takes the places from package host, and the values from there, so that gradients pass.
func topK(b *builder, c *call) []*value {
	x := c.need(0)
	out := b.onHost(c)
	if !x.typ.IsFloat() || out[1].host != nil {
		return out
	}
	out[1].from = c.from()
	axis := attrInts(map[string]int{"axis": c.Int("axis", -1)})
	return []*value{arrange(b, &call{op: "GatherElements", version: c.version, Attrs: axis,
		in: []*value{x, out[1]}, outputs: 1})[0], out[1]}
}
