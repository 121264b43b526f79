package native

import (
	"fmt"
	"reflect"
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/internal/ops"
)

// misfit is what a translation panics with where operands do not fit. Translate recovers it.
type misfit struct{ error }

func fail(format string, args ...any) { panic(misfit{fmt.Errorf(format, args...)}) }

// builder is an expression while it is put together. Values are the numbers of operands and steps.
type builder struct {
	Expr
	op     G.Op
	fields reflect.Value
	types  []ops.Type // of operands, then of steps
	out    ops.Type
}

func (b *builder) apply(fn ops.Operation, args ...int) int {
	in := make([]ops.Type, len(args))
	for i, a := range args {
		in[i] = b.types[a]
	}
	t, err := fn.Infer(in)
	if err == nil {
		err = ops.CheckShape(t.Shape)
	}
	if err != nil {
		fail("%s: %w", fn.Key(), err)
	}
	b.Steps = append(b.Steps, Step{fn, args})
	b.types = append(b.types, t)
	return len(b.types) - 1
}

func (b *builder) shape(x int) []int { return b.types[x].Shape }

func (b *builder) element(kind ops.Kind, args ...int) int {
	return b.apply(ops.Elementwise{Kind: kind}, args...)
}

func (b *builder) affine(x int, scale, shift float64) int {
	return b.apply(ops.Elementwise{Kind: ops.KindAffine, P: scale, Q: shift}, x)
}

func (b *builder) fill(v float64, shape ...int) int {
	if !b.out.IsFloat() {
		fail("a constant %v", b.out.Dtype)
	}
	return b.apply(ops.Fill{Dtype: b.out.Dtype, Shape: shape, Value: v})
}

func (b *builder) reshape(x int, shape ...int) int {
	if slices.Equal(b.shape(x), shape) {
		return x
	}
	return b.apply(ops.Reshape{Shape: slices.Clone(shape)}, x)
}

// result gives x the shape of the node.
func (b *builder) result(x int) int { return b.reshape(x, b.out.Shape...) }

func (b *builder) broadcast(x int, shape []int) int {
	if slices.Equal(b.shape(x), shape) {
		return x
	}
	return b.apply(ops.Broadcast{Shape: slices.Clone(shape)}, x)
}

func (b *builder) sumTo(x int, shape []int) int {
	if slices.Equal(b.shape(x), shape) {
		return x
	}
	return b.apply(ops.SumTo{Shape: slices.Clone(shape)}, x)
}

func (b *builder) transpose(x int, perm []int) int {
	if slices.IsSorted(perm) && len(perm) == len(b.shape(x)) {
		return x
	}
	return b.apply(ops.Transpose{Perm: perm}, x)
}

func (b *builder) slice(x, axis, from, to int) int {
	if from == 0 && to == b.shape(x)[axis] {
		return x
	}
	return b.apply(ops.Slice{Axis: axis, From: from, To: to}, x)
}

func (b *builder) pad(x, axis, from, total int) int {
	if from == 0 && total == b.shape(x)[axis] {
		return x
	}
	return b.apply(ops.Pad{Axis: axis, From: from, Total: total}, x)
}

// matmul is the product of two matrices.
func (b *builder) matmul(x, y int, transX, transY bool) int {
	return b.apply(ops.MatMul{TransA: transX, TransB: transY}, x, y)
}

// move is an order of n axes in which one of them stands elsewhere, and the order that undoes it.
func move(n, from, to int) (perm, back []int) {
	for i := range n {
		if i != from {
			perm = append(perm, i)
		}
	}
	perm = slices.Insert(perm, to, from)
	back = make([]int, n)
	for i, a := range perm {
		back[a] = i
	}
	return perm, back
}

// axis checks that a is an axis of x. A negative one counts from the end.
func (b *builder) axis(x, a int) int {
	n := len(b.shape(x))
	if a < 0 {
		a += n
	}
	if a < 0 || a >= n {
		fail("no axis %d in shape %s", a, ops.ShapeString(b.shape(x)))
	}
	return a
}

// int, bool and ints read a field of the op.
func (b *builder) int(field string) int   { return int(b.field(field, reflect.Int).Int()) }
func (b *builder) bool(field string) bool { return b.field(field, reflect.Bool).Bool() }

func (b *builder) ints(field string) []int {
	f := b.field(field, reflect.Slice)
	out := make([]int, f.Len())
	for i := range out {
		out[i] = int(f.Index(i).Int())
	}
	return out
}

func (b *builder) field(name string, kind reflect.Kind) reflect.Value {
	f := b.fields.FieldByName(name)
	if f.Kind() != kind {
		fail("Gorgonia's op has no field %s of kind %v: this library needs Gorgonia v0.9.18", name,
			kind)
	}
	return f
}
