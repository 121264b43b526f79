package ir

import (
	"slices"

	"github.com/seqzoo/seqzoo/internal/ops"
)

// simplify is a value that equals fn(args...) and costs less, or nil. Every rule holds for all
// inputs, infinities and NaN included.
func (r *Region) simplify(fn ops.Fn, args []*Value) *Value {
	if len(args) == 0 {
		return nil
	}
	x := args[0]
	switch fn := fn.(type) {
	case ops.Reshape:
		return r.reshape(fn, x)
	case ops.Slice:
		return r.slice(fn, x)
	case ops.Transpose:
		if slices.IsSorted(fn.Perm) {
			return x
		}
		if t, ok := x.Fn.(ops.Transpose); ok {
			perm := make([]int, len(fn.Perm))
			for i, a := range fn.Perm {
				perm[i] = t.Perm[a]
			}
			return r.Apply(ops.Transpose{Perm: perm}, x.Args[0])
		}
		if v := r.convolution(fn, x); v != nil {
			return v
		}
		return r.fillLike(fn, args)
	case ops.Broadcast:
		if slices.Equal(x.Shape, fn.Shape) {
			return x
		}
		return r.fillLike(fn, args)
	case ops.SumTo:
		if slices.Equal(x.Shape, fn.Shape) {
			return x
		}
		if f, ok := x.Fill(); ok {
			n := x.Size() / ops.Size(fn.Shape)
			return r.Apply(ops.Fill{Dtype: x.Dtype, Shape: fn.Shape, Value: f * float64(n)})
		}
	case ops.Pad:
		if x.IsZero() {
			return r.fillLike(fn, args)
		}
		if x.Shape[fn.Axis] == fn.Total {
			return x
		}
	case ops.Concat:
		return r.concat(fn, args)
	case ops.Elementwise:
		return r.elementwise(fn, args)
	case ops.MatMul:
		if v := r.unfoldedProduct(fn, x, args[1]); v != nil {
			return v
		}
		return r.matmul(fn, args)
	case ops.Fold:
		return r.foldedProduct(fn, x)
	}
	return nil
}

// fillLike is the Fill that fn makes of a Fill.
func (r *Region) fillLike(fn ops.Fn, args []*Value) *Value {
	f, ok := args[0].Fill()
	if !ok {
		return nil
	}
	t, err := fn.Infer([]ops.Type{args[0].Type})
	if err != nil {
		ops.Failf(fn.Key(), "%w", err)
	}
	return r.Apply(ops.Fill{Dtype: t.Dtype, Shape: t.Shape, Value: f})
}

func (r *Region) reshape(fn ops.Reshape, x *Value) *Value {
	if slices.Equal(x.Shape, fn.Shape) {
		return x
	}
	if _, ok := x.Fn.(ops.Reshape); ok {
		return r.Apply(fn, x.Args[0])
	}
	return r.fillLike(fn, []*Value{x})
}

func (r *Region) slice(fn ops.Slice, x *Value) *Value {
	if fn.From == 0 && fn.To == x.Shape[fn.Axis] {
		return x
	}
	switch y := x.Fn.(type) {
	case ops.Fill:
		return r.fillLike(fn, []*Value{x})
	case ops.Slice:
		if y.Axis == fn.Axis {
			return r.Apply(ops.Slice{Axis: fn.Axis, From: y.From + fn.From, To: y.From + fn.To},
				x.Args[0])
		}
	case ops.Concat:
		if y.Axis != fn.Axis {
			return nil
		}
		var parts []*Value
		at := 0
		for _, a := range x.Args {
			n := a.Shape[fn.Axis]
			from, to := max(fn.From-at, 0), min(fn.To-at, n)
			if from < to {
				parts = append(parts, r.Apply(ops.Slice{Axis: fn.Axis, From: from, To: to}, a))
			}
			at += n
		}
		return r.Apply(ops.Concat{Axis: fn.Axis}, parts...)
	case ops.Pad:
		if y.Axis != fn.Axis {
			return nil
		}
		n := x.Args[0].Shape[fn.Axis]
		switch {
		case fn.From >= y.From && fn.To <= y.From+n:
			return r.Apply(ops.Slice{Axis: fn.Axis, From: fn.From - y.From, To: fn.To - y.From},
				x.Args[0])
		case fn.To <= y.From || fn.From >= y.From+n:
			t, _ := fn.Infer([]ops.Type{x.Type})
			return r.Apply(ops.Fill{Dtype: t.Dtype, Shape: t.Shape})
		}
	}
	return nil
}

// concat joins neighbours of one constant, and slices of one value that follow one another, and is
// its operand if there is one.
func (r *Region) concat(fn ops.Concat, args []*Value) *Value {
	if len(args) == 1 {
		return args[0]
	}
	joined := []*Value{args[0]}
	for _, a := range args[1:] {
		last := &joined[len(joined)-1]
		if v := r.neighbours(fn.Axis, *last, a); v != nil {
			*last = v
			continue
		}
		joined = append(joined, a)
	}
	if len(joined) == len(args) {
		return nil
	}
	return r.Apply(fn, joined...)
}

// neighbours is a and b, which stand side by side along an axis, as one value; nil if there is none.
func (r *Region) neighbours(axis int, a, b *Value) *Value {
	f, ok := a.Fill()
	if g, ok2 := b.Fill(); ok && ok2 && f == g {
		shape := slices.Clone(a.Shape)
		shape[axis] += b.Shape[axis]
		return r.Apply(ops.Fill{Dtype: a.Dtype, Shape: shape, Value: f})
	}
	s, ok := a.Fn.(ops.Slice)
	t, ok2 := b.Fn.(ops.Slice)
	if !ok || !ok2 || s.Axis != axis || t.Axis != axis || s.To != t.From || a.Args[0] != b.Args[0] {
		return nil
	}
	return r.Apply(ops.Slice{Axis: axis, From: s.From, To: t.To}, a.Args[0])
}

// elementwise drops operands that change nothing, makes functions of a constant and another operand
// functions of that operand alone, and joins scalings.
func (r *Region) elementwise(fn ops.Elementwise, args []*Value) *Value {
	switch {
	case fn.Kind == ops.KindStop:
		return args[0] // it only says something of the gradient
	case fn.Kind == ops.KindAffine:
		return r.affine(fn, args[0])
	case len(args) != 2:
		return nil
	}
	for _, constant := range []int{1, 0} {
		other := args[1-constant]
		c, fill := args[constant].Fill()
		if !fill || !covers(other, args[constant]) {
			continue
		}
		switch f, identity, ok := fn.With(constant, c); {
		case !ok:
			return nil
		case identity:
			return other
		default:
			return r.Apply(f, other)
		}
	}
	return nil
}

// affine is a scaling of x. Scaling by 1 is x itself, a scaled constant is a constant, and scaling
// something scaled is one scaling.
func (r *Region) affine(fn ops.Elementwise, x *Value) *Value {
	if fn.P == 1 && fn.Q == 0 {
		return x
	}
	if c, ok := x.Fill(); ok {
		return r.Apply(ops.Fill{Dtype: x.Dtype, Shape: x.Shape, Value: fn.P*c + fn.Q})
	}
	if y, ok := x.Fn.(ops.Elementwise); ok && y.Kind == ops.KindAffine && fn.Q == 0 && y.Q == 0 {
		return r.Apply(ops.Elementwise{Kind: ops.KindAffine, P: fn.P * y.P}, x.Args[0])
	}
	return nil
}

// covers reports whether v has the shape of an element-wise function of v and other.
func covers(v, other *Value) bool {
	if len(v.Shape) < len(other.Shape) {
		return false
	}
	for i, d := range other.Shape {
		if d > v.Shape[len(v.Shape)-len(other.Shape)+i] {
			return false
		}
	}
	return true
}

// matmul takes transposes of its operands into itself, and writes a product over one index as an
// element-wise one.
func (r *Region) matmul(fn ops.MatMul, args []*Value) *Value {
	a, b := args[0], args[1]
	swapped := func(v *Value) (*Value, bool) {
		t, ok := v.Fn.(ops.Transpose)
		n := len(v.Shape)
		if !ok || t.Perm[n-1] != n-2 || t.Perm[n-2] != n-1 || n == 3 && t.Perm[0] != 0 {
			return v, false
		}
		return v.Args[0], true
	}
	a, ta := swapped(a)
	b, tb := swapped(b)
	if ta || tb {
		return r.Apply(ops.MatMul{TransA: fn.TransA != ta, TransB: fn.TransB != tb}, a, b)
	}
	return nil
}
