package ops

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	G "gorgonia.org/gorgonia"
)

// Place is where in a model an operation was written. It is for messages: operations that differ in
// nothing else are one operation, and have the place of the first.
type Place struct {
	Path string // scope, such as "encoder/l0 step"; may be empty
	Name string // the operation's public name, such as "MatMul"
	Grad bool   // it belongs to the gradient of that operation
}

// String is "encoder/l0 step: gradient of MatMul".
func (p Place) String() string {
	s := p.Name
	if p.Grad {
		s = "gradient of " + s
	}
	if p.Path != "" {
		s = p.Path + ": " + s
	}
	return s
}

// PlaceOf is where n was written. Of an op that is not ours it knows the op's own name only.
func PlaceOf(n *G.Node) Place {
	switch op := n.Op().(type) {
	case nil:
		return Place{Name: "input " + n.Name()}
	case *Op:
		return op.place()
	default:
		return Place{Name: strings.TrimSpace(op.String())}
	}
}

// Mark gives the operations of all nodes of g from number first on, in the order of creation, a
// place if they have none.
func Mark(g *G.ExprGraph, first int, at Place) {
	for _, n := range g.AllNodes()[first:] {
		if op, ok := n.Op().(*Op); ok && op.At.Name == "" {
			op.At = at
			if at.Name == "" {
				op.At.Name = Title(op.Fn)
			}
		}
	}
}

// MarkPath gives the operations of g that have the path old another one.
func MarkPath(g *G.ExprGraph, old, path string) {
	for _, n := range g.AllNodes() {
		if op, ok := n.Op().(*Op); ok && op.At.Path == old {
			op.At.Path = path
		}
	}
}

// Title is an operation's name for people: "Gather", "Sigmoid".
func Title(fn Fn) string {
	if e, ok := fn.(Elementwise); ok {
		return cmp.Or(kinds[e.Kind].title, capital(string(e.Kind)))
	}
	switch fn.(type) {
	case Gather:
		return "Embedding"
	case Fill:
		return "Const"
	}
	if t := reflect.TypeOf(fn); t.Name() != "" && strings.HasSuffix(t.PkgPath(), "internal/ops") {
		return t.Name()
	}
	name, _, _ := strings.Cut(fn.Key(), "{")
	return name
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// Expression is what n computes, down to a depth: Sigmoid(Slice[:, 0:4](Add(MatMul(x, W_ih), …))).
// Inputs in the scope of the node's path have their short names.
func Expression(n *G.Node, depth int) string {
	scope, _, _ := strings.Cut(PlaceOf(n).Path, " ")
	children, err := Children(n.Graph())
	if err != nil {
		return n.Name()
	}
	var write func(n *G.Node, depth int) string
	write = func(n *G.Node, depth int) string {
		if n.Op() == nil {
			if scope == "" {
				return n.Name()
			}
			return strings.TrimPrefix(n.Name(), scope+"/")
		}
		name := strings.TrimSpace(n.Op().String())
		if op, ok := n.Op().(*Op); ok {
			switch fn := op.Fn.(type) {
			case Fill:
				return fmt.Sprint(fn.Value)
			case Reshape, Broadcast:
				return write(children[n][0], depth) // the shape is not what one looks for
			case Slice:
				name = "Slice[" + strings.Repeat(":, ", fn.Axis) +
					fmt.Sprintf("%d:%d]", fn.From, fn.To)
			default:
				name = Title(op.Fn)
			}
		}
		if depth == 0 {
			return name + "(…)"
		}
		var args []string
		for _, c := range children[n] {
			args = append(args, write(c, depth-1))
		}
		return name + "(" + strings.Join(args, ", ") + ")"
	}
	return write(n, depth)
}

// RunError is a failure of an operation while a graph runs.
type RunError struct {
	At    Place
	Steps []int // times of the recurrences that it happened in, the outermost first
	Err   error
}

// Error is "encoder/l0 step 3: Embedding: id 9 is outside 0 … 8".
func (e *RunError) Error() string { return e.At.When(e.Steps) + ": " + e.Err.Error() }

func (e *RunError) Unwrap() error { return e.Err }

// When is the place with the times of the recurrences that it lies in.
func (p Place) When(steps []int) string {
	if len(steps) == 0 {
		return p.String()
	}
	last := len(steps) - 1
	times := fmt.Sprint(steps[last])
	for _, t := range slices.Backward(steps[:last]) {
		times += fmt.Sprintf(" in step %d", t)
	}
	if p.Path == "" {
		p.Path = "step"
	}
	p.Path += " " + times
	return p.String()
}

// Failed is the failure of an operation at a place.
func Failed(at Place, err error) error { return &RunError{At: at, Err: err} }

// AtStep adds to a failure that it happened at time t of a recurrence.
func AtStep(t int, err error) error {
	if e, ok := err.(*RunError); ok {
		e.Steps = append([]int{t}, e.Steps...)
		return e
	}
	return fmt.Errorf("step %d: %w", t, err)
}
