package lower

import (
	"slices"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// batchable reports whether the operation of v can be applied to all steps at once: whether its
// result at one time depends on that time of its operands alone, and there is an operation that
// says so for all steps.
func (r *recurrence) batchable(v *ir.Value) bool {
	timed := func(i int) bool { return r.class(v.Args[i]) != constant }
	switch fn := v.Fn.(type) {
	case ops.Elementwise, ops.Broadcast, ops.Reshape, ops.Transpose, ops.Slice, ops.Pad, ops.SumTo,
		ops.Max, ops.RowWise,
		ops.ArgMax, ops.OneHot, ops.Differs:
		return true
	case ops.Concat:
		return v.IsFloat()
	case ops.MatMul:
		if len(v.Shape) == 3 {
			return timed(0) && timed(1)
		}
		return timed(0) && (timed(1) || !fn.TransA)
	case ops.Gather:
		return !timed(0)
	case ops.CrossEntropy, ops.CrossEntropyGrad:
		for i := range v.Args {
			if !timed(i) {
				return false
			}
		}
		return true
	}
	return false
}

// batch is v for all steps at once, from its operands for all steps, which operand gives.
func (r *recurrence) batch(v *ir.Value, operand func(*ir.Value) *ir.Value) *ir.Value {
	args := make([]*ir.Value, len(v.Args))
	timed := make([]bool, len(v.Args))
	for i, a := range v.Args {
		args[i], timed[i] = operand(a), r.class(a) != constant
	}
	T, g := r.T, r.region
	long := func(shape []int) []int { return append([]int{T}, shape...) }
	// aligned gives operand i as many axes behind the time as the result has, so that it
	// broadcasts.
	aligned := func(i, rank int) *ir.Value {
		if !timed[i] {
			return args[i]
		}
		shape := []int{T}
		for range rank - len(v.Args[i].Shape) {
			shape = append(shape, 1)
		}
		return g.Apply(ops.Reshape{Shape: append(shape, v.Args[i].Shape...)}, args[i])
	}
	switch fn := v.Fn.(type) {
	case ops.Elementwise:
		for i := range args {
			args[i] = aligned(i, len(v.Shape))
		}
		return g.Apply(fn, args...)
	case ops.Broadcast:
		return g.Apply(ops.Broadcast{Shape: long(fn.Shape)}, aligned(0, len(fn.Shape)))
	case ops.Reshape:
		return g.Apply(ops.Reshape{Shape: long(fn.Shape)}, args[0])
	case ops.Transpose:
		perm := []int{0}
		for _, a := range fn.Perm {
			perm = append(perm, a+1)
		}
		return g.Apply(ops.Transpose{Perm: perm}, args[0])
	case ops.Slice:
		return g.Apply(ops.Slice{Axis: fn.Axis + 1, From: fn.From, To: fn.To}, args[0])
	case ops.Pad:
		return g.Apply(ops.Pad{Axis: fn.Axis + 1, From: fn.From, Total: fn.Total}, args[0])
	case ops.Max:
		return g.Apply(ops.Max{Axis: fn.Axis + 1}, args[0])
	case ops.Concat:
		for i := range args {
			if !timed[i] {
				args[i] = r.repeat(args[i])
			}
		}
		return g.Apply(ops.Concat{Axis: fn.Axis + 1}, args...)
	case ops.SumTo:
		shape := []int{T}
		for range len(v.Args[0].Shape) - len(fn.Shape) {
			shape = append(shape, 1)
		}
		s := g.Apply(ops.SumTo{Shape: append(shape, fn.Shape...)}, args[0])
		return g.Apply(ops.Reshape{Shape: long(fn.Shape)}, s)
	case ops.MatMul:
		return g.Apply(ops.Reshape{Shape: long(v.Shape)}, r.batchMatMul(v, fn, args, timed))
	}
	b := g.Apply(v.Fn, args...) // row by row: Gather, Softmax, CrossEntropy, …
	b.Steps, b.First = T, r.loop.First
	return b
}

func (r *recurrence) batchMatMul(v *ir.Value, fn ops.MatMul, args []*ir.Value,
	timed []bool) *ir.Value {
	// joins the time and the axes before the last keep into one
	flat := func(i, keep int) *ir.Value {
		s := args[i].Shape
		k := len(s) - keep
		return r.region.Apply(ops.Reshape{Shape: append([]int{ops.Size(s[:k])}, s[k:]...)}, args[i])
	}
	if timed[1] { // product by product
		return r.region.Apply(fn, flat(0, 2), flat(1, 2))
	}
	return r.region.Apply(fn, flat(0, 1), args[1])
}

// sum is Σ over all steps of v, outside of the loop: the gradient of a constant. It goes down
// through what is linear to the products and sums below, which are then taken over all steps at
// once.
func (r *recurrence) sum(v *ir.Value) *ir.Value {
	g := r.region
	defer r.at(v)()
	if r.class(v) == constant {
		return g.Apply(ops.Elementwise{Kind: ops.KindAffine, P: float64(r.T)}, r.outer(v))
	}
	if r.l.opts.NoHoist {
		return r.accumulate(v)
	}
	timed := func(i int) bool { return r.class(v.Args[i]) != constant }
	switch fn := v.Fn.(type) {
	case ops.MatMul:
		if len(v.Shape) != 2 {
			break
		}
		switch {
		case !timed(0):
			return g.Apply(fn, r.outer(v.Args[0]), r.sum(v.Args[1]))
		case !timed(1):
			return g.Apply(fn, r.sum(v.Args[0]), r.outer(v.Args[1]))
		case fn.TransA && !fn.TransB: // the inner index is the first of both: time joins it
			join := func(a *ir.Value) *ir.Value {
				return g.Apply(ops.Reshape{Shape: []int{r.T * a.Shape[0], a.Shape[1]}}, r.outer(a))
			}
			return g.Apply(fn, join(v.Args[0]), join(v.Args[1]))
		}
	case ops.SumTo:
		if light(v.Args[0]) || ir.Computed(v.Args[0]) {
			return g.Apply(fn, r.spread(r.outer(v.Args[0]), v.Args[0]))
		}
	case ops.Reshape, ops.Slice, ops.Pad, ops.Transpose:
		return g.Apply(v.Fn, r.sum(v.Args[0]))
	case ops.Concat:
		args := make([]*ir.Value, len(v.Args))
		for i, a := range v.Args {
			args[i] = r.sum(a)
		}
		return g.Apply(fn, args...)
	case ops.Elementwise:
		switch {
		case fn.Additive() && sameShapes(v):
			args := make([]*ir.Value, len(v.Args))
			for i, a := range v.Args {
				args[i] = r.sum(a)
			}
			return g.Apply(fn, args...)
		case fn.Bilinear() && !timed(0) && slices.Equal(v.Args[1].Shape, v.Shape):
			return g.Apply(fn, r.outer(v.Args[0]), r.sum(v.Args[1]))
		case fn.Bilinear() && !timed(1) && slices.Equal(v.Args[0].Shape, v.Shape):
			return g.Apply(fn, r.sum(v.Args[0]), r.outer(v.Args[1]))
		}
	}
	return r.accumulate(v)
}

func sameShapes(v *ir.Value) bool {
	for _, a := range v.Args {
		if !slices.Equal(a.Shape, v.Shape) {
			return false
		}
	}
	return true
}

// accumulate adds v up in the loop, as one more carried value.
func (r *recurrence) accumulate(v *ir.Value) *ir.Value {
	zero := r.region.Apply(ops.Fill{Dtype: v.Dtype, Shape: v.Shape})
	c := r.loop.Carry(r.value, zero)
	c.Next = r.owned(r.loop.Body.Apply(ops.Elementwise{Kind: ops.KindAdd}, c.Leaf, r.inner(v)))
	return r.loop.Out(r.region, r.value, ir.Output{Kind: ir.Final, Carry: c})
}
