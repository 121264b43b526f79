package ops

import (
	"errors"
	"fmt"
	"hash"
	"hash/fnv"
	"reflect"
	"slices"
	"strings"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// MaxElements is the largest number of elements of one tensor: 2³¹−1, which is 8 GiB of float32. A
// size beyond it is far more often a slip than a wish, and every index fits 32 bits below it.
const MaxElements = 1<<31 - 1

// Type is what an operation knows of a value before it runs. A scalar has an empty shape.
type Type struct {
	Dtype tensor.Dtype // tensor.Float32, tensor.Float64 or tensor.Int
	Shape []int
}

// Size is the number of elements.
func (t Type) Size() int { return Size(t.Shape) }

func (t Type) String() string { return fmt.Sprintf("%v %s", t.Dtype, ShapeString(t.Shape)) }

// IsFloat reports whether values of the type have gradients.
func (t Type) IsFloat() bool { return t.Dtype == tensor.Float32 || t.Dtype == tensor.Float64 }

// Size is the number of elements of a shape.
func Size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// CheckShape refuses sizes below 1 and tensors of more than MaxElements.
func CheckShape(shape []int) error {
	n := 1
	for _, d := range shape {
		if d < 1 {
			return fmt.Errorf("shape %s: every size must be at least 1", ShapeString(shape))
		}
		if n > MaxElements/d {
			return fmt.Errorf("shape %s has more than 2³¹−1 elements", ShapeString(shape))
		}
		n *= d
	}
	return nil
}

// ShapeString prints a shape as [T, B, H]; a scalar is [].
func ShapeString(s []int) string { return strings.Join(strings.Fields(fmt.Sprint(s)), ", ") }

// Transposed says of x, whose first two axes are to be time and batch, that they look exchanged, if
// a batch of so many sequences tells; "" if not.
func Transposed(x []int, batch int) string {
	if len(x) < 2 || x[0] != batch || x[1] == batch {
		return ""
	}
	more := strings.Repeat(", In", min(len(x)-2, 1))
	return fmt.Sprintf("; x is %s, which looks like [B, T%s]; want [T, B%s]: transpose it",
		ShapeString(x), more, more)
}

// Fn is what is known of an operation before it runs. Implementations are values: equal Key means
// equal operation.
type Fn interface {
	// Key names the operation and everything that tells it from another.
	Key() string
	// Infer gives the type of the result, or says which operands do not fit.
	Infer(in []Type) (Type, error)
}

// Operation is an operation with its definition. Every node of a graph has one. The engine has
// operations beside these that it compiles only, which are a Fn.
type Operation interface {
	Fn
	// Eval computes out from in. It writes every element of out and changes nothing else.
	Eval(in []Tensor, out Tensor) error
}

// Differentiable is an operation that gradients pass. One that does not implement it has a gradient
// of 0.
type Differentiable interface {
	Operation
	// Diff returns dL/d(in) for every operand with need, given the operands, the result y and
	// dL/dy; nil where the operand has no gradient. It builds with Apply and panics with a
	// *BuildError as Apply does.
	Diff(in []*G.Node, y, dy *G.Node, need []bool) []*G.Node
}

// BuildError is a mistake found while a graph is being built. It is the only value that building
// code panics with; exported edges recover it and return it as an error.
type BuildError struct {
	Path     string   // scope, such as "encoder/l0 step"; may be empty
	Op       string   // operation or constructor
	Operands []string // each operand's name and shape
	Msg      string   // what is wrong, and what would be right
	Err      error    // the cause, if it was another error

	caught bool // by Catch: it is an error that was returned, and no panic
}

func (e *BuildError) Error() string {
	var b strings.Builder
	if e.Path != "" {
		b.WriteString(e.Path + ": ")
	}
	if e.Op != "" {
		b.WriteString(e.Op + ": ")
	}
	if len(e.Operands) > 0 {
		b.WriteString(strings.Join(e.Operands, ", ") + ": ")
	}
	b.WriteString(e.Msg)
	if !e.caught { // what a program that ends with the panic shows
		b.WriteString("\n\tto have this as an error and no panic, build inside nodes.Try: " +
			"err := nodes.Try(func() { … })")
	}
	return b.String()
}

func (e *BuildError) Unwrap() error { return e.Err }

// Failf panics with a *BuildError of op.
func Failf(op, format string, args ...any) {
	err := fmt.Errorf(format, args...)
	panic(&BuildError{Op: op, Msg: err.Error(), Err: errors.Unwrap(err)})
}

// Op is an operation as Gorgonia sees it.
type Op struct {
	Fn  Operation
	In  []Type
	Out Type
	// At and State are no part of the operation: where it was written, and which state of a
	// recurrence it is, if it is.
	At    Place
	State *State
	// salt makes the hash another one. Gorgonia merges nodes whose 32-bit hashes agree; Apply draws
	// a new salt when that happened to two nodes that differ.
	salt int
}

var _ G.SDOp = (*Op)(nil)

func hmType(t Type) hm.Type {
	if len(t.Shape) == 0 {
		return t.Dtype
	}
	return G.TensorType{Dims: len(t.Shape), Of: t.Dtype}
}

// Key is that of the operation.
func (o *Op) Key() string { return o.Fn.Key() }

// Arity, Type, InferShape, … are Gorgonia's Op interface.
func (o *Op) Arity() int { return len(o.In) }

// Type is built anew on each call, because Gorgonia recycles it.
func (o *Op) Type() hm.Type {
	ts := make([]hm.Type, 0, len(o.In)+1)
	for _, t := range o.In {
		ts = append(ts, hmType(t))
	}
	return hm.NewFnType(append(ts, hmType(o.Out))...)
}

// InferShape returns the shape that Infer found.
func (o *Op) InferShape(...G.DimSizer) (tensor.Shape, error) {
	return tensor.Shape(slices.Clone(o.Out.Shape)), nil
}

func (o *Op) ReturnsPtr() bool     { return false }
func (o *Op) CallsExtern() bool    { return false }
func (o *Op) OverwritesInput() int { return -1 }
func (o *Op) String() string       { return o.Key() }

// WriteHash writes the full key: Gorgonia takes nodes with one hash for one node.
func (o *Op) WriteHash(h hash.Hash) { fmt.Fprintf(h, "seqzoo %s %d", o.Key(), o.salt) }

// Hashcode is the 32-bit FNV-1a hash of the key.
func (o *Op) Hashcode() uint32 {
	h := fnv.New32a()
	o.WriteHash(h)
	return h.Sum32()
}

// DiffWRT says which operands have gradients: all floats; whether a particular operation passes one
// on is for Diff.
func (o *Op) DiffWRT(int) []bool {
	d := make([]bool, len(o.In))
	if differentiable(o.Fn) != nil && o.Out.IsFloat() {
		for i, t := range o.In {
			d[i] = t.IsFloat()
		}
	}
	return d
}

// differentiable is fn if gradients pass it, else nil.
func differentiable(fn Fn) Differentiable {
	if e, ok := fn.(Elementwise); ok && kinds[e.Kind].diff == nil {
		return nil
	}
	d, _ := fn.(Differentiable)
	return d
}

// diff is the operation's Diff; nil for every operand if it has none.
func (o *Op) diff(in []*G.Node, y, dy *G.Node, need []bool) []*G.Node {
	if d := differentiable(o.Fn); d != nil {
		return d.Diff(in, y, dy, need)
	}
	return make([]*G.Node, len(in))
}

// SymDiff is Diff for gorgonia.Grad and gorgonia.Backpropagate, which cannot take nil for "zero".
func (o *Op) SymDiff(in G.Nodes, y, dy *G.Node) (ds G.Nodes, err error) {
	defer Catch(&err)
	need := o.DiffWRT(len(in))
	ds = o.diff(in, y, dy, need)
	for i, n := range need {
		if n && ds[i] == nil {
			ds[i] = Zeros(in[i])
		}
	}
	return ds, nil
}

// Do runs Eval on Gorgonia values. A panic in it would kill the process, since Gorgonia's machines
// run ops in a goroutine of their own, so every failure becomes an error here.
func (o *Op) Do(vs ...G.Value) (v G.Value, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v: %v", o.place(), r)
		}
	}()
	if len(vs) != len(o.In) {
		return nil, fmt.Errorf("%v: %d operands, want %d", o.place(), len(vs), len(o.In))
	}
	in := make([]Tensor, len(vs))
	for i, v := range vs {
		if in[i], err = TensorOf(v); err != nil {
			return nil, fmt.Errorf("%v: operand %d: %w", o.place(), i, err)
		}
		if !slices.Equal(in[i].Shape, o.In[i].Shape) || in[i].Dtype() != o.In[i].Dtype {
			return nil, fmt.Errorf("%v: operand %d is %v %s, want %v", o.place(), i, in[i].Dtype(),
				ShapeString(in[i].Shape), o.In[i])
		}
	}
	out := NewTensor(o.Out)
	if err := o.Fn.Eval(in, out); err != nil {
		return nil, fmt.Errorf("%v: %w", o.place(), err)
	}
	return out.Value(), nil
}

// place is the operation for a message.
func (o *Op) place() Place {
	p := o.At
	if p.Name == "" {
		p.Name = Title(o.Fn)
	}
	return p
}

// Catch turns a *BuildError panic into an error, and lets every other panic pass. Use it deferred
// at an exported edge.
func Catch(err *error) {
	switch r := recover().(type) {
	case nil:
	case *BuildError:
		r.caught = true
		*err = r
	default:
		panic(r)
	}
}

// TypeOf is the type of a node.
func TypeOf(n *G.Node) Type {
	return Type{Dtype: n.Dtype(), Shape: slices.Clone([]int(n.Shape()))}
}

// Describe names a node for a message: "encoder/l0/W_ih is [64, 512]", or "tanh(…) is [2, 3]".
func Describe(n *G.Node) string {
	name := n.Name()
	if o, ok := n.Op().(*Op); ok {
		name, _, _ = strings.Cut(o.Key(), "{")
		name += "(…)"
	}
	return name + " is " + ShapeString(n.Shape())
}

// Apply makes the node fn(in...), or returns the one that is there already. It panics with a
// *BuildError if the operands do not fit.
func Apply(fn Operation, in ...*G.Node) *G.Node {
	name, _, _ := strings.Cut(fn.Key(), "{")
	fail := func(err error) {
		be := &BuildError{Op: name, Msg: err.Error(), Err: err}
		for _, n := range in {
			if n != nil {
				be.Operands = append(be.Operands, Describe(n))
			}
		}
		panic(be)
	}
	types := make([]Type, len(in))
	for i, n := range in {
		if n == nil {
			fail(fmt.Errorf("operand %d is nil", i))
		}
		if n.Graph() != in[0].Graph() {
			fail(fmt.Errorf("operand %d belongs to another graph", i))
		}
		types[i] = TypeOf(n)
	}
	out, err := fn.Infer(types)
	if err == nil {
		err = CheckShape(out.Shape)
	}
	if err != nil {
		fail(err)
	}
	op := &Op{Fn: fn, In: types, Out: out}
	for ; op.salt < 8; op.salt++ {
		n, err := G.ApplyOp(op, in...)
		if err != nil {
			fail(err)
		}
		if sameNode(n, op, in) {
			return n
		}
	}
	fail(errors.New("the graph merged this node with a different one, again and again"))
	return nil
}

// sameNode reports whether Gorgonia gave back the node asked for, or another one whose hash happens
// to be equal.
func sameNode(n *G.Node, op *Op, in []*G.Node) bool {
	got, ok := n.Op().(*Op)
	if !ok || got.Key() != op.Key() || !slices.Equal([]int(n.Shape()), op.Out.Shape) {
		return false
	}
	children := reflect.ValueOf(n).Elem().FieldByName("children")
	if !children.IsValid() || children.Len() != len(in) {
		return false
	}
	for i, want := range in {
		// The graph replaces a constant by its own equal one.
		if children.Index(i).Pointer() != reflect.ValueOf(want).Pointer() && !isConstant(want) {
			return false
		}
	}
	return true
}

func isConstant(n *G.Node) bool {
	if n.Op() == nil {
		return false
	}
	name := reflect.Indirect(reflect.ValueOf(n.Op())).Type().Name()
	return strings.HasPrefix(name, "constant")
}

// Children returns the operands of every node of g, in order and with repeats. Gorgonia keeps them
// in an unexported field, and its From method goes wrong after RemoveNode.
func Children(g *G.ExprGraph) (map[*G.Node][]*G.Node, error) {
	all := g.AllNodes()
	byAddr := make(map[uintptr]*G.Node, len(all))
	for _, n := range all {
		byAddr[reflect.ValueOf(n).Pointer()] = n
	}
	m := make(map[*G.Node][]*G.Node, len(all))
	for _, n := range all {
		f := reflect.ValueOf(n).Elem().FieldByName("children")
		if f.Kind() != reflect.Slice {
			return nil, errors.New("gorgonia.Node has no field children: this library needs " +
				"Gorgonia v0.9.18")
		}
		cs := make([]*G.Node, f.Len())
		for i := range cs {
			if cs[i] = byAddr[f.Index(i).Pointer()]; cs[i] == nil {
				return nil, fmt.Errorf("operand %d of %v is not in its graph", i, n)
			}
		}
		m[n] = cs
	}
	return m, nil
}
