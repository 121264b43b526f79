package plan

import (
	"slices"

	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/graph/internal/vm"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// emit compiles v and what it needs.
func (k *block[F]) emit(v *ir.Value) {
	if k.layouts[v] != nil {
		return
	}
	defer func(at []ops.Place) { k.at = at }(k.at)
	k.at = []ops.Place{v.At}
	switch fn := v.Fn.(type) {
	case ir.Input:
		l := k.fresh(v.Type, vm.External)
		k.code.Inputs = append(k.code.Inputs, vm.NewInput(fn.Node, l.Buf, v.Type))
		k.layouts[v] = l
	case ops.Fill:
	case ops.Slice, ops.Reshape, ops.Transpose, ops.Broadcast:
		k.layouts[v] = k.look(v)
	case ir.Output:
		k.emit(v.Args[0])
	case *ir.Loop:
		if fn.Segments {
			k.emitSegments(v, fn)
		} else {
			k.emitLoop(v, fn)
		}
	case ops.Elementwise, ir.Copy:
		k.emitGroup(k.groups[v])
	case ops.SumTo:
		if g := k.groups[v]; g != nil {
			k.emitGroup(g)
			return
		}
		k.emitOther(v)
	case ops.MatMul:
		if fn.TransA && !fn.TransB && len(v.Shape) == 2 {
			k.layout(v.Args[0])
			k.layout(v.Args[1])
			if k.emitGradients(v) {
				return
			}
		}
		k.emitMatMul(v, fn, v.Args[0], v.Args[1], false)
	case ir.MatMulAcc:
		k.emitAcc(v, fn)
	case ops.Concat:
		if v.Dtype == tensor.Int {
			k.emitOther(v)
			return
		}
		l, at := k.target(v), 0
		for _, a := range v.Args {
			k.fillOrCopy(l.Slice(fn.Axis, at, at+a.Shape[fn.Axis]), a)
			at += a.Shape[fn.Axis]
		}
		k.layouts[v] = l
	case ops.Pad:
		if v.Dtype == tensor.Int {
			k.emitOther(v)
			return
		}
		l, a := k.target(v), v.Args[0]
		n := a.Shape[fn.Axis]
		if fn.From > 0 {
			k.fill(l.Slice(fn.Axis, 0, fn.From), 0)
		}
		if end := fn.From + n; end < fn.Total {
			k.fill(l.Slice(fn.Axis, end, fn.Total), 0)
		}
		k.fillOrCopy(l.Slice(fn.Axis, fn.From, fn.From+n), a)
		k.layouts[v] = l
	default:
		k.emitOther(v)
	}
}

// fillOrCopy writes a to where it belongs, if it is not there.
func (k *block[F]) fillOrCopy(to *vm.Layout, a *ir.Value) {
	if f, ok := a.Fill(); ok {
		k.fill(to, f)
		return
	}
	k.emit(a)
	if l := k.layouts[a]; !l.Same(to) && !slices.ContainsFunc(k.also[a], to.Same) {
		k.note("%v is copied to where it is joined with others: %s", a.At, k.unplaced(a))
		k.copy(to, l)
	}
}

// unplaced says why a value was not written where it is joined with others.
func (k *block[F]) unplaced(v *ir.Value) string {
	switch {
	case view(v):
		return "it is a view of something else"
	case len(v.Args) == 0:
		return "it is an input"
	case k.outer == nil && k.roots[v]:
		return "it is a result, whose memory is its own"
	case !strided(v):
		return "its instruction writes contiguous memory only"
	}
	return "it is written to another place already"
}

// look is a view.
func (k *block[F]) look(v *ir.Value) *vm.Layout {
	l := k.layout(v.Args[0])
	switch fn := v.Fn.(type) {
	case ops.Slice:
		return l.Slice(fn.Axis, fn.From, fn.To)
	case ops.Transpose:
		return l.Transpose(fn.Perm)
	case ops.Broadcast:
		return l.Broadcast(fn.Shape)
	}
	shape := v.Shape
	if s := l.Reshape(shape); s != nil {
		return s
	}
	return k.compact(l, v.Args[0].Type).Reshape(shape)
}

// emitOther compiles what has no instruction of its own.
func (k *block[F]) emitOther(v *ir.Value) {
	if k.emitRows(v) {
		return
	}
	var in []*vm.Layout
	for _, a := range v.Args {
		in = append(in, k.dense(a))
	}
	out := k.target(v)
	k.layouts[v] = out
	if fn, ok := v.Fn.(ir.Foreign); ok {
		k.add(&vm.Foreign[F]{Op: fn.Op, In: in, Out: out}, append(in, out)...)
		return
	}
	e := &vm.Evaluate[F]{Fn: v.Fn.(ops.Operation), At: v.At, In: in, Out: out}
	if p, ok := v.Fn.(ops.Parted); ok {
		shapes := make([]ops.Tensor, len(in))
		for i, l := range in {
			shapes[i].Shape = l.Shape
		}
		e.Parts = p.Parts(shapes, ops.Tensor{Shape: out.Shape})
	} else {
		k.note("%v runs by its plain definition, on one worker, and is not fused: it has no kernel",
			v.At)
	}
	k.add(e, append(in, out)...)
}
