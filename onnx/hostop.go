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

// hostCall is c for package host, with operands that are not known as zeros.
func (b *builder) hostCall(c *call) *host.Call {
	h := &host.Call{Op: c.op, Version: c.version, Attrs: c.Attrs, Outputs: c.outputs}
	for _, v := range c.in {
		var t *host.Tensor
		if v != nil {
			if t = v.host; t == nil {
				t = host.New(v.typ, v.shape...)
				h.Shapes = true
			}
		}
		h.In = append(h.In, t)
	}
	return h
}

func (b *builder) fold(c *call) []*value {
	ts, err := host.Run(b.hostCall(c))
	if err != nil {
		host.Failf("%w", err)
	}
	var out []*value
	for _, t := range ts {
		out = append(out, constant(t))
	}
	return out
}

// toEngine and fromEngine convert elements between the two kinds of tensors, of one size.
func toEngine(t *host.Tensor, x ops.Tensor) {
	switch {
	case x.F32 != nil:
		for i := range x.F32 {
			x.F32[i] = float32(t.Float(i))
		}
	case x.F64 != nil:
		for i := range x.F64 {
			x.F64[i] = t.Float(i)
		}
	default:
		for i := range x.Int {
			x.Int[i] = t.Int(i)
		}
	}
}

func fromEngine(x ops.Tensor, t *host.Tensor) {
	for i := range t.Len() {
		var f float64
		switch {
		case x.F32 != nil:
			f = float64(x.F32[i])
		case x.F64 != nil:
			f = x.F64[i]
		case t.F != nil:
			f = float64(x.Int[i])
		default:
			t.I[i] = int64(x.Int[i])
			continue
		}
		if t.F != nil {
			t.F[i] = f
		} else {
			t.I[i] = int64(f)
		}
	}
}

// dtypeOf is the engine's type for values of an element type.
func (b *builder) dtypeOf(t host.Type) tensor.Dtype {
	if t.IsInt() {
		return nodes.Int
	}
	return b.g.Dtype()
}

// made wraps a node that has the element type t.
func made(t host.Type, n *nodes.Node) *value {
	return &value{typ: t, shape: n.Shape(), node: n}
}

// onHost computes an operator plainly in each run, without gradients.
func (b *builder) onHost(c *call) []*value {
	if !host.Known(c.op) {
		host.Failf("not supported for %v", c.types())
	}
	h := b.hostCall(c)
	var operands []*nodes.Node
	var at []int
	for i, v := range c.in {
		if v != nil && v.host == nil {
			operands, at = append(operands, b.node(v)), append(at, i)
		}
	}
	if len(operands) == 0 {
		return b.fold(c)
	}
	ts, err := host.Run(h)
	if err != nil {
		host.Failf("%w", err)
	}
	var out []*value
	for i, t := range ts {
		switch {
		case t.Len() == 0:
			out = append(out, constant(t))
			continue
		case t.S != nil: // the engine has no strings
			for k, v := range c.in {
				if v != nil {
					c.in[k] = constant(b.known(v))
				}
			}
			return b.fold(c)
		}
		*b.serial++
		op := hostOp{id: *b.serial, call: h, at: at, out: i, typ: t.Type,
			result: ops.Type{Dtype: b.dtypeOf(t.Type), Shape: t.Shape}}
		v := made(t.Type, steps.Op(steps.Innermost(operands...), c.op, op, operands...))
		v.from = c.from()
		out = append(out, v)
	}
	return out
}

func (c *call) types() []string {
	var out []string
	for _, v := range c.in {
		if v != nil {
			out = append(out, fmt.Sprintf("%v %v", v.typ, v.shape))
		}
	}
	return out
}

// hostOp is an operator of package host in a graph.
type hostOp struct {
	id     int
	call   *host.Call // whose operands at are templates
	at     []int
	out    int
	typ    host.Type
	result ops.Type
}

func (o hostOp) Key() string { return fmt.Sprintf("onnx %s{%d %d}", o.call.Op, o.id, o.out) }

func (o hostOp) Infer([]ops.Type) (ops.Type, error) { return o.result, nil }

func (o hostOp) Eval(in []ops.Tensor, out ops.Tensor) error {
	c := *o.call
	c.Shapes, c.In = false, slices.Clone(c.In)
	for k, i := range o.at {
		t := host.New(c.In[i].Type, c.In[i].Shape...)
		fromEngine(in[k], t)
		c.In[i] = t
	}
	ts, err := host.Run(&c)
	if err != nil {
		return err
	}
	if t := ts[o.out]; !slices.Equal(t.Shape, o.result.Shape) {
		return fmt.Errorf("the result is %v, want %v", t.Shape, o.result.Shape)
	}
	toEngine(ts[o.out], out)
	return nil
}
