package graph

import (
	"fmt"
	"slices"
	"unsafe"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/graph/internal/lower"
	"github.com/seqzoo/seqzoo/graph/internal/native"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// wanted names the values that a machine computes, and where its user looks for them.
type wanted struct {
	nodes  []*gorgonia.Node // whose values are computed; constants and inputs among them too
	values []*gorgonia.Node // those of which Value is to return it
	grads  []*gorgonia.Node // inputs of which Grad is to return the value of Deriv
	reads  []*gorgonia.Node // Read nodes

	children map[*gorgonia.Node][]*gorgonia.Node
	seen     map[*gorgonia.Node]role
}

// role is in which lists of wanted a node is.
type role struct{ node, value, gradient, read bool }

// want says what is wanted of a graph: all, or what Keep names, or else what Compile promises.
func want(g *gorgonia.ExprGraph, children map[*gorgonia.Node][]*gorgonia.Node, c *config) *wanted {
	all := g.AllNodes()
	w := &wanted{children: children, seen: map[*gorgonia.Node]role{}}
	if len(c.keep) == 0 || c.all {
		used := map[*gorgonia.Node]bool{}
		for _, n := range all {
			if !native.IsStatement(n.Op()) {
				for _, c := range children[n] {
					used[c] = true
				}
			}
		}
		// What a second gorgonia.Grad returns looks like a derivative that nobody asked for.
		again := len(differentiated(all, children)) > 1
		for _, n := range all {
			// What was differentiated is wanted too, though its derivative may use it.
			if c.all || !used[n] && (again || !native.Unasked(n)) || hasUnit(n) {
				w.value(n)
			}
			if n.Op() == nil && n.Deriv() != nil {
				w.gradient(n)
			}
		}
	}
	for _, n := range slices.Concat(c.keep, c.also) {
		w.value(n)
	}
	for _, n := range all { // the gradient of an input is wanted with its derivative's value
		if n.Op() == nil && n.Deriv() != nil && w.seen[n.Deriv()].value {
			w.gradient(n)
		}
	}
	return w
}

// hasUnit reports whether the derivative of n is the constant 1, as it is of what was
// differentiated, and of terms of it.
func hasUnit(n *gorgonia.Node) bool { return n.Deriv() != nil && native.IsConstant(n.Deriv().Op()) }

// differentiated are the nodes that gorgonia.Grad was called with.
func differentiated(all []*gorgonia.Node,
	children map[*gorgonia.Node][]*gorgonia.Node) []*gorgonia.Node {
	terms := map[*gorgonia.Node]bool{}
	for _, n := range all {
		if hasUnit(n) {
			for _, c := range children[n] {
				terms[c] = true
			}
		}
	}
	var costs []*gorgonia.Node
	for _, n := range all {
		if hasUnit(n) && !terms[n] {
			costs = append(costs, n)
		}
	}
	return costs
}

func (w *wanted) compute(n *gorgonia.Node) {
	if r := w.seen[n]; !r.node {
		r.node = true
		w.seen[n] = r
		w.nodes = append(w.nodes, n)
	}
}

func (w *wanted) value(n *gorgonia.Node) {
	r := w.seen[n]
	switch _, read := native.Read(n.Op()); {
	case read:
		if !r.read {
			r.read = true
			w.seen[n] = r
			w.reads = append(w.reads, n)
			w.compute(w.children[n][0])
		}
	case n.Op() == nil || native.IsConstant(n.Op()) || native.IsStatement(n.Op()) || r.value:
		// the value is there, or there is none
	default:
		r.value = true
		w.seen[n] = r
		w.values = append(w.values, n)
		w.compute(n)
	}
}

func (w *wanted) gradient(input *gorgonia.Node) {
	r := w.seen[input]
	if r.gradient {
		return
	}
	r.gradient = true
	w.seen[input] = r
	w.grads = append(w.grads, input)
	w.compute(input.Deriv())
	w.value(input.Deriv())
}

// delivery puts the results of a program where Gorgonia's users look for them.
type delivery struct {
	values []value
	grads  []gradient
	reads  []read
	boxed  []boxed
	reuse  bool // values are the same memory after each run
	add    bool // gradients are added to what is there
}

// value is a result and the node that is to return it.
type value struct {
	node *gorgonia.Node
	from ops.Tensor     // in the program's memory
	own  gorgonia.Value // the same after each run; nil if each has its own
	copy bool           // own is a copy of from, else it is from itself
}

type read struct {
	into *gorgonia.Value
	from ops.Tensor
}

// boxed is a value that the engine cannot hold, such as booleans.
type boxed struct {
	*lower.Box
	node *gorgonia.Node  // whose value it is, or
	grad *gorgonia.Node  // whose gradient, or
	into *gorgonia.Value // where it is read to
}

// deliver prepares the delivery of the results of a compiled graph.
func (p *compiled) deliver(w *wanted, c *config) *delivery {
	d := &delivery{reuse: c.reuse, add: c.add}
	shared := map[*gorgonia.Node]gorgonia.Value{} // values that stand in the program's memory
	for _, n := range w.values {
		if b := p.boxes[n]; b != nil {
			d.boxed = append(d.boxed, boxed{Box: b, node: n})
			continue
		}
		v := value{node: n, from: p.shown(n)}
		if d.reuse {
			v.own, v.copy = v.from.Value(), len(v.from.Shape) == 0
			shared[n] = v.own
		}
		d.values = append(d.values, v)
	}
	for _, n := range w.grads {
		if b := p.boxes[n.Deriv()]; b != nil {
			d.boxed = append(d.boxed, boxed{Box: b, grad: n})
			continue
		}
		v := gradient{node: n, from: p.result(n.Deriv()), reuse: d.reuse, first: -1}
		if d.reuse && !d.add {
			// Solvers write to gradients, so of inputs with one derivative only one may take its
			// value as it is.
			v.own, v.shared = shared[n.Deriv()]
			delete(shared, n.Deriv())
		}
		d.grads = append(d.grads, v)
	}
	for _, n := range w.reads {
		into, _ := native.Read(n.Op())
		operand := w.children[n][0]
		if b := p.boxes[operand]; b != nil {
			d.boxed = append(d.boxed, boxed{Box: b, into: into})
			continue
		}
		d.reads = append(d.reads, read{into, p.shown(operand)})
	}
	return d
}

// shown is the result n, of the shape in which Gorgonia shows it.
func (p *compiled) shown(n *gorgonia.Node) ops.Tensor {
	t := p.result(n)
	if native.ScalarInVector(n) {
		t.Shape = []int{1}
	}
	return t
}

// clone is a value of its own that equals t. Its memory is not set to 0 before it is written.
func clone(t ops.Tensor) gorgonia.Value {
	return ops.Tensor{
		Shape: slices.Clone(t.Shape),
		F32:   slices.Clone(t.F32),
		F64:   slices.Clone(t.F64),
		Int:   slices.Clone(t.Int),
	}.Value()
}

// write makes a value equal t, if it is of the same type and shape.
func write(to gorgonia.Value, t ops.Tensor) bool {
	u, ok := within(to, t)
	if ok {
		u.CopyFrom(t)
	}
	return ok
}

// within is the memory of a value that has the type and shape of t, and its elements one after
// another.
func within(value gorgonia.Value, t ops.Tensor) (ops.Tensor, bool) {
	u := ops.Tensor{Shape: t.Shape}
	switch to := value.(type) {
	case *gorgonia.F32:
		if len(t.Shape) == 0 && t.F32 != nil {
			u.F32 = unsafe.Slice((*float32)(to), 1)
		}
		return u, u.F32 != nil
	case *gorgonia.F64:
		if len(t.Shape) == 0 && t.F64 != nil {
			u.F64 = unsafe.Slice((*float64)(to), 1)
		}
		return u, u.F64 != nil
	case *gorgonia.I:
		if len(t.Shape) == 0 && t.Int != nil {
			u.Int = unsafe.Slice((*int)(to), 1)
		}
		return u, u.Int != nil
	}
	to, ok := value.(*tensor.Dense)
	if !ok || len(t.Shape) == 0 || to.Dtype() != t.Dtype() ||
		!slices.Equal([]int(to.Shape()), t.Shape) ||
		!contiguous(to) {
		return ops.Tensor{}, false
	}
	switch t.Dtype() {
	case tensor.Float32:
		u.F32 = to.Float32s()
	case tensor.Float64:
		u.F64 = to.Float64s()
	default:
		u.Int = to.Ints()
	}
	return u, true
}

// contiguous reports whether the elements of a tensor lie one after another.
func contiguous(d *tensor.Dense) bool {
	o := d.DataOrder()
	return !d.RequiresIterator() && !d.IsView() && !o.IsTransposed() && !o.IsColMajor()
}

// now is the value after a run.
func (v *value) now() gorgonia.Value {
	if v.own == nil {
		return clone(v.from)
	}
	if v.copy {
		write(v.own, v.from)
	}
	return v.own
}

// after delivers the results of a run. An input that has no value cannot have a gradient.
func (d *delivery) after() error {
	for i := range d.values {
		v := &d.values[i]
		now := v.now()
		if v.node.Value() == now {
			continue
		}
		if err := let(v.node, now); err != nil {
			return fmt.Errorf("result of %v: %w", v.node, err)
		}
	}
	for i := range d.grads {
		if err := d.gradient(&d.grads[i]); err != nil {
			return err
		}
	}
	for _, b := range d.boxed {
		if err := d.box(b); err != nil {
			return err
		}
	}
	for _, r := range d.reads {
		r.deliver()
	}
	return nil
}

// let binds a value, also a tensor of one element to a scalar node, where Gorgonia compares shapes.
func let(n *gorgonia.Node, v gorgonia.Value) error {
	if d, ok := v.(*tensor.Dense); ok && len(n.Shape()) == 0 && len(d.Shape()) == 1 {
		if err := d.Reshape(); err != nil {
			return err
		}
		defer d.Reshape(1)
	}
	return gorgonia.UnsafeLet(n, v)
}

// deliver copies into a value that is there and fits, as Gorgonia's machine does, or gives the
// reader a new one.
func (r read) deliver() {
	if *r.into == nil || !write(*r.into, r.from) {
		*r.into = clone(r.from)
	}
}
