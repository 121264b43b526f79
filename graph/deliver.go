package graph

import (
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/graph/internal/lower"
	"github.com/seqzoo/seqzoo/graph/internal/native"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// wanted is what a machine computes, and where its user looks for it.
type wanted struct {
	nodes  []*gorgonia.Node // whose values are computed; constants and inputs among them too
	values []*gorgonia.Node // those of which Value is to return it
	grads  []*gorgonia.Node // inputs of which Grad is to return the value of Deriv
	reads  []*gorgonia.Node // Read nodes
}

// want says what is wanted of a graph: of keep if there is one, else of all that Gorgonia's own machine promises.
func want(g *gorgonia.ExprGraph, children map[*gorgonia.Node][]*gorgonia.Node, keep, also []*gorgonia.Node) *wanted {
	all := g.AllNodes()
	w := &wanted{}
	if len(keep) == 0 {
		used := map[*gorgonia.Node]bool{}
		for _, n := range all {
			if !native.IsStatement(n.Op()) {
				for _, c := range children[n] {
					used[c] = true
				}
			}
		}
		for _, n := range all {
			// What was differentiated is wanted too, though its derivative may use it: its own derivative is the constant 1.
			if !used[n] && !native.Unasked(n) || n.Deriv() != nil && native.IsConstant(n.Deriv().Op()) {
				w.value(n, children)
			}
			if n.Op() == nil && n.Deriv() != nil {
				w.gradient(n)
			}
		}
	}
	for _, n := range slices.Concat(keep, also) {
		w.value(n, children)
	}
	for _, n := range all { // the gradient of an input is wanted with its derivative's value
		if n.Op() == nil && n.Deriv() != nil && slices.Contains(w.values, n.Deriv()) && !slices.Contains(w.grads, n) {
			w.gradient(n)
		}
	}
	return w
}

func (w *wanted) compute(n *gorgonia.Node) {
	if !slices.Contains(w.nodes, n) {
		w.nodes = append(w.nodes, n)
	}
}

func (w *wanted) value(n *gorgonia.Node, children map[*gorgonia.Node][]*gorgonia.Node) {
	switch _, read := native.Read(n.Op()); {
	case read:
		w.reads = append(w.reads, n)
		w.compute(children[n][0])
	case n.Op() == nil || native.IsConstant(n.Op()) || native.IsStatement(n.Op()) || slices.Contains(w.values, n):
		// the value is there, or there is none
	default:
		w.values = append(w.values, n)
		w.compute(n)
	}
}

func (w *wanted) gradient(input *gorgonia.Node) {
	w.grads = append(w.grads, input)
	w.compute(input.Deriv())
	if d := input.Deriv(); d.Op() != nil && !native.IsConstant(d.Op()) && !slices.Contains(w.values, d) {
		w.values = append(w.values, d)
	}
}

// delivery puts the results of a program where Gorgonia's users look for them.
type delivery struct {
	values []binding
	grads  []binding
	reads  []read
	copies []copied
	boxed  []boxed
}

// binding is a value that a node returns.
type binding struct {
	node  *gorgonia.Node
	value gorgonia.Value
}

// copied is a value that is filled from the program's memory after each run: a scalar, which Gorgonia holds by a
// pointer, or a tensor that the user may write to without harm to others.
type copied struct {
	from, to ops.Tensor
	f32      *gorgonia.F32
	f64      *gorgonia.F64
	i        *gorgonia.I
}

type read struct {
	into *gorgonia.Value
	from ops.Tensor
	own  gorgonia.Value
}

// boxed is a value that the engine cannot hold, such as booleans.
type boxed struct {
	*lower.Box
	node *gorgonia.Node  // whose value it is, or
	into *gorgonia.Value // where it is read to
}

// deliver prepares the delivery of the results of a compiled graph.
func (p *compiled) deliver(w *wanted, children map[*gorgonia.Node][]*gorgonia.Node) *delivery {
	d := &delivery{}
	shared := map[*gorgonia.Node]gorgonia.Value{} // values that stand in the program's memory
	for _, n := range w.values {
		if b := p.boxes[n]; b != nil {
			d.boxed = append(d.boxed, boxed{Box: b, node: n})
			continue
		}
		from := p.result(n)
		v := from.Value()
		if len(from.Shape) == 0 {
			v = d.copy(from)
		}
		shared[n] = v
		d.values = append(d.values, binding{n, v})
	}
	for _, n := range w.grads {
		// Solvers write to gradients, so of inputs with one derivative only one may take its value as it is.
		v, ok := shared[n.Deriv()]
		if !ok {
			v = d.copy(p.result(n.Deriv()))
		}
		delete(shared, n.Deriv())
		d.grads = append(d.grads, binding{n, v})
	}
	for _, n := range w.reads {
		into, _ := native.Read(n.Op())
		operand := children[n][0]
		if b := p.boxes[operand]; b != nil {
			d.boxed = append(d.boxed, boxed{Box: b, into: into})
			continue
		}
		from := p.result(operand)
		d.reads = append(d.reads, read{into, from, d.copy(from)})
	}
	return d
}

// copy is a value that is filled from t after each run.
func (d *delivery) copy(t ops.Tensor) gorgonia.Value {
	c := copied{from: t}
	own := ops.NewTensor(ops.Type{Dtype: t.Dtype(), Shape: t.Shape})
	v := own.Value()
	switch v := v.(type) {
	case *gorgonia.F32:
		c.f32 = v
	case *gorgonia.F64:
		c.f64 = v
	case *gorgonia.I:
		c.i = v
	default:
		c.to = own
	}
	d.copies = append(d.copies, c)
	return v
}

func (c *copied) fill() {
	switch {
	case c.f32 != nil:
		*c.f32 = gorgonia.F32(c.from.F32[0])
	case c.f64 != nil:
		*c.f64 = gorgonia.F64(c.from.F64[0])
	case c.i != nil:
		*c.i = gorgonia.I(c.from.Int[0])
	default:
		c.to.CopyFrom(c.from)
	}
}

// bind makes values and gradients the nodes' own. Nodes remember the machine that was bound last; an input that has
// no value yet cannot have a gradient.
func (d *delivery) bind() error {
	for _, b := range d.values {
		if b.node.Value() == b.value {
			continue
		}
		if err := gorgonia.UnsafeLet(b.node, b.value); err != nil {
			return fmt.Errorf("result of %v: %w", b.node, err)
		}
	}
	for _, b := range d.grads {
		if b.node.Value() == nil {
			continue
		}
		if v, err := b.node.Grad(); err == nil && v == b.value {
			continue
		}
		if err := bindGradient(b); err != nil {
			return err
		}
	}
	return nil
}

// bindGradient makes an option for new nodes serve an old one: it is the only public way to a node's gradient.
func bindGradient(b binding) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("gradient of %v, whose value is %v: %v", b.node, b.node.Value().Shape(), r)
		}
	}()
	gorgonia.WithGrad(b.value)(b.node)
	return nil
}

// after delivers what a run computed.
func (d *delivery) after() error {
	for i := range d.copies {
		d.copies[i].fill()
	}
	for _, b := range d.boxed {
		if err := b.deliver(); err != nil {
			return err
		}
	}
	for _, r := range d.reads {
		r.deliver()
	}
	return d.bind()
}

// deliver copies into a value that fits, as Gorgonia's machine does, or gives the reader one of the machine's.
func (r read) deliver() {
	if *r.into == r.own {
		return
	}
	switch to := (*r.into).(type) {
	case *gorgonia.F32:
		if r.from.F32 != nil && len(r.from.Shape) == 0 {
			*to = gorgonia.F32(r.from.F32[0])
			return
		}
	case *gorgonia.F64:
		if r.from.F64 != nil && len(r.from.Shape) == 0 {
			*to = gorgonia.F64(r.from.F64[0])
			return
		}
	case *tensor.Dense:
		if t, err := ops.TensorOf(to); err == nil && len(t.Shape) > 0 && t.Dtype() == r.from.Dtype() && slices.Equal(t.Shape, r.from.Shape) && contiguous(to) {
			t.CopyFrom(r.from)
			return
		}
	}
	*r.into = r.own
}

// contiguous reports whether ops.TensorOf shares the tensor's data.
func contiguous(d *tensor.Dense) bool {
	o := d.DataOrder()
	return d.Size() > 1 && !d.RequiresIterator() && !d.IsView() && !o.IsTransposed() && !o.IsColMajor()
}

func (b boxed) deliver() (err error) {
	if b.into != nil {
		*b.into, err = gorgonia.CloneValue(b.Value())
		return err
	}
	return gorgonia.UnsafeLet(b.node, b.Value())
}
