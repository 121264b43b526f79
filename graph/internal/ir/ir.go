package ir

import (
	"cmp"
	"fmt"
	"strings"

	G "gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/internal/ops"
)

// Value is one operation's result.
type Value struct {
	ID   int
	Fn   ops.Fn
	Args []*Value
	ops.Type
	Name string    // of an input
	At   ops.Place // where in the model it was written
	// if not 0, axis 0 of the operands is the time of a loop that this was taken out of, for errors
	Steps int
	First int // the time at which that loop begins
}

// Region is a set of values in an order in which operands come first, except that a loop may gain
// operands later.
type Region struct {
	Values []*Value
	At     ops.Place // of values that are made from now on
	index  map[string]*Value
}

// NewRegion is an empty region.
func NewRegion() *Region { return &Region{index: map[string]*Value{}} }

// Leaf adds a value that nothing in the region computes, or that must not be merged with an equal
// one.
func (r *Region) Leaf(fn ops.Fn, t ops.Type, args ...*Value) *Value {
	v := &Value{ID: len(r.Values), Fn: fn, Args: args, Type: t, At: r.At}
	r.Values = append(r.Values, v)
	return v
}

// Apply is the value fn(args...): a simpler one that equals it, one that is there already, or a new
// one.
func (r *Region) Apply(fn ops.Fn, args ...*Value) *Value {
	if f, ok := fn.(ops.Fill); ok {
		args = nil // the operand only said to which graph it belongs
		fn = f
	}
	if v := r.simplify(fn, args); v != nil {
		return v
	}
	return r.raw(fn, args)
}

// raw is Apply without simplification.
func (r *Region) raw(fn ops.Fn, args []*Value) *Value {
	var key strings.Builder
	key.WriteString(fn.Key())
	types := make([]ops.Type, len(args))
	for i, a := range args {
		fmt.Fprintf(&key, " %d", a.ID)
		types[i] = a.Type
	}
	if v := r.index[key.String()]; v != nil {
		return v
	}
	t, err := fn.Infer(types)
	if err != nil {
		panic(&ops.BuildError{Path: r.At.Path, Op: cmp.Or(r.At.Name, fn.Key()), Msg: err.Error(),
			Err: err})
	}
	v := r.Leaf(fn, t, args...)
	r.index[key.String()] = v
	return v
}

// basic is embedded by operations that only the engine knows: they are compiled, never evaluated or
// differentiated.
type basic struct{}

func (basic) Infer(in []ops.Type) (ops.Type, error) { return in[0], nil }

// Input is a value that the caller binds to a node.
type Input struct {
	basic
	Node *G.Node
}

func (i Input) Key() string { return "input{" + i.Node.Name() + "}" }

// Foreign is an op that the engine does not know; it runs through its Do method.
type Foreign struct {
	basic
	Op Doer
}

// Doer computes a value from values, as Gorgonia's ops do.
type Doer interface {
	Do(...G.Value) (G.Value, error)
	String() string
}

func (f Foreign) Key() string { return "foreign{" + f.Op.String() + "}" }

// Copy is its operand in memory of its own, where a loop wants it: a carry, for example, cannot
// share the memory of what it is a view of. It is never merged with its operand, nor with another
// copy.
type Copy struct{ basic }

func (Copy) Key() string { return "copy{}" }

// Copy adds a copy of v.
func (r *Region) Copy(v *Value) *Value { return r.Leaf(Copy{}, v.Type, v) }

// Elementwise is the element-wise function that computes v from its operands, if it is one; a copy
// is one too.
func Elementwise(v *Value) (fn ops.Elementwise, ok bool) {
	switch fn := v.Fn.(type) {
	case ops.Elementwise:
		return fn, true
	case Copy:
		return ops.Elementwise{Kind: ops.KindStop}, true
	}
	return fn, false
}

// MatMulAcc is u + op(A)·op(B), with operands u, A, B.
type MatMulAcc struct{ ops.MatMul }

func (m MatMulAcc) Key() string                           { return "acc " + m.MatMul.Key() }
func (m MatMulAcc) Infer(in []ops.Type) (ops.Type, error) { return in[0], nil }

// Fill reports whether v has one value everywhere, and which.
func (v *Value) Fill() (float64, bool) {
	f, ok := v.Fn.(ops.Fill)
	return f.Value, ok
}

// IsZero reports whether v is known to be 0 everywhere.
func (v *Value) IsZero() bool { f, ok := v.Fill(); return ok && f == 0 }

// String is the value as one line of a listing.
func (v *Value) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%%%d %v = %s", v.ID, v.Type, v.Fn.Key())
	for _, a := range v.Args {
		fmt.Fprintf(&b, " %%%d", a.ID)
	}
	return b.String()
}

// Walk visits what the roots need, operands before what reads them, and says of each read by which
// value it is. It does not go into the bodies of loops.
func Walk(roots []*Value, visit func(v *Value), read func(operand, by *Value)) {
	seen := map[*Value]bool{}
	var walk func(v *Value)
	walk = func(v *Value) {
		if seen[v] {
			return
		}
		seen[v] = true
		for _, a := range v.Args {
			walk(a)
			read(a, v)
		}
		visit(v)
	}
	for _, v := range roots {
		walk(v)
	}
}
