package ir

import (
	"fmt"

	"github.com/seqzoo/seqzoo/internal/ops"
)

// Loop runs a body once for every time. Its operands are whole sequences [T, ...], values that do
// not change, and the initial values of what is carried from time to time. It has no value of its
// own: Outputs of it do.
type Loop struct {
	basic
	Name    string
	T       int
	Reverse bool // from the last time to the first
	Body    *Region
	Seqs    []Port
	Consts  []Port
	Carries []*Carry
	Outs    []*Value // the Outputs of the loop that were asked for
	// the leaf of the body, [B, 1], that is 0 for rows which keep their state; nil: none
	Mask *Value

	// Segments marks a loop over pieces of a recurrence. Its body is a graph of its own, with loops
	// in it, whose values are computed one after another as those around the loop are.
	Segments bool
	First    int // the time of the recurrence at which this part of it begins, for errors
}

// Port is a leaf of the body and the operand of the loop that feeds it.
type Port struct {
	Leaf *Value
	Arg  int
}

// Carry is a value carried from each time to the next one visited.
type Carry struct {
	Leaf *Value // in the body: what the time before left
	Init int    // operand of the loop
	Next *Value // in the body: what this time leaves; never a leaf, never a view
}

func (l *Loop) Key() string {
	return fmt.Sprintf("loop{%s T=%d reverse=%t}", l.Name, l.T,
		l.Reverse)
}

// BodyLeaf is an input of a body.
type BodyLeaf struct {
	basic
	Name string
}

func (b BodyLeaf) Key() string { return "in{" + b.Name + "}" }

// OutputKind says what an Output takes out of its loop.
type OutputKind int

const (
	Stored OutputKind = iota // Value at every time, [T, ...]
	Before                   // the carry as each time found it, [T, ...]
	Final                    // the carry as the last time visited left it
)

// Output is something that a loop leaves behind. Its operand is the loop.
type Output struct {
	basic
	Kind  OutputKind
	Value *Value // of the body, for Stored
	Carry *Carry // for Before and Final
}

func (o Output) Key() string {
	switch o.Kind {
	case Before:
		return fmt.Sprintf("before{%%%d}", o.Carry.Leaf.ID)
	case Final:
		return fmt.Sprintf("final{%%%d}", o.Carry.Leaf.ID)
	}
	return fmt.Sprintf("stored{%%%d}", o.Value.ID)
}

// NewLoop adds a loop to r and returns it with its value.
func (r *Region) NewLoop(name string, T int, reverse bool) (*Loop, *Value) {
	l := &Loop{Name: name, T: T, Reverse: reverse, Body: NewRegion()}
	return l, r.Leaf(l, ops.Type{})
}

// operand makes v an operand of the loop value.
func operand(loop, v *Value) int {
	for i, a := range loop.Args {
		if a == v {
			return i
		}
	}
	loop.Args = append(loop.Args, v)
	return len(loop.Args) - 1
}

// Seq is the leaf of the body that stands for one time of v, [T, ...].
func (l *Loop) Seq(loop, v *Value) *Value {
	return port(l, &l.Seqs, loop, v, "seq", ops.Type{Dtype: v.Dtype, Shape: v.Shape[1:]})
}

// Const is the leaf of the body that stands for v at every time.
func (l *Loop) Const(loop, v *Value) *Value { return port(l, &l.Consts, loop, v, "const", v.Type) }

func port(l *Loop, ports *[]Port, loop, v *Value, name string, t ops.Type) *Value {
	arg := operand(loop, v)
	for _, p := range *ports {
		if p.Arg == arg {
			return p.Leaf
		}
	}
	leaf := l.Body.Leaf(BodyLeaf{Name: fmt.Sprintf("%s %d", name, arg)}, t)
	*ports = append(*ports, Port{leaf, arg})
	return leaf
}

// Carry adds a carried value that starts as init.
func (l *Loop) Carry(loop, init *Value) *Carry {
	// not shared with a port: the two differ in what they are in the body
	loop.Args = append(loop.Args, init)
	c := &Carry{Init: len(loop.Args) - 1,
		Leaf: l.Body.Leaf(BodyLeaf{Name: fmt.Sprintf("carry %d", len(l.Carries))}, init.Type)}
	l.Carries = append(l.Carries, c)
	return c
}

// Out is an output of the loop, added to the region that the loop is in.
func (l *Loop) Out(r *Region, loop *Value, o Output) *Value {
	for _, v := range l.Outs {
		if p := v.Fn.(Output); p.Kind == o.Kind && p.Value == o.Value && p.Carry == o.Carry {
			return v
		}
	}
	var t ops.Type
	if o.Kind == Stored {
		t = o.Value.Type
	} else {
		t = o.Carry.Leaf.Type
	}
	if o.Kind != Final {
		t.Shape = append([]int{l.T}, t.Shape...)
	}
	v := r.Leaf(o, t, loop)
	l.Outs = append(l.Outs, v)
	return v
}

// Computed reports whether a value is written by an operation, rather than being an input, a view
// or a constant.
func Computed(v *Value) bool {
	switch v.Fn.(type) {
	case Input, BodyLeaf, Output, ops.Slice, ops.Reshape, ops.Transpose, ops.Broadcast, ops.Fill:
		return false
	}
	return true
}
