package plan

import (
	"slices"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/graph/internal/vm"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// emitSegments compiles a loop over segments: memory for what goes from one to the next and for
// what each stores, and the body, as a block like that around it.
func (k *block[F]) emitSegments(v *ir.Value, l *ir.Loop) {
	for _, a := range v.Args {
		k.emit(a)
	}
	outs := k.outputs(l)
	roots := rootsOf(l, outs)
	body := newBlock(k.builder, k, roots)
	var across []*vm.Layout // what lasts
	touch := func(l *vm.Layout) *vm.Layout { across = append(across, l); return l }

	for _, p := range l.Seqs {
		a := touch(k.layout(v.Args[p.Arg]))
		leaf := *a
		leaf.Shape, leaf.Strides, leaf.Segment = a.Shape[1:], a.Strides[1:], a.Strides[0]
		body.layouts[p.Leaf] = &leaf
	}
	for _, p := range l.Consts {
		c := touch(k.layout(v.Args[p.Arg]))
		body.layouts[p.Leaf] = c
		body.same = append(body.same, c.Buf)
	}
	var next []*vm.Layout // where each carry's next value is to lie
	for _, c := range l.Carries {
		next = append(next, touch(k.carryAcross(v, l, body, c, outs)))
	}
	for _, o := range outs {
		if r, to := o.Fn.(ir.Output).Value, k.dest[o]; to != nil && body.dest[r] == nil {
			body.dest[r] = &vm.Layout{Buf: to.Buf, Off: to.Off, Segment: to.Strides[0],
				Shape: r.Shape, Strides: to.Strides[1:], Ints: to.Ints}
		}
	}
	for _, r := range roots {
		if body.dest[r] == nil {
			all := k.freshFor(r, ops.Type{Dtype: r.Dtype, Shape: append([]int{l.T}, r.Shape...)})
			body.dest[r] = &vm.Layout{Buf: all.Buf, Segment: r.Size(), Shape: r.Shape,
				Strides: all.Strides[1:], Ints: all.Ints}
		}
	}
	body.place()
	for _, r := range roots {
		body.emit(r)
		if to := body.dest[r]; !body.layout(r).Same(to) {
			body.copy(to, body.layout(r))
			body.layouts[r] = to
		}
	}
	for i, c := range l.Carries {
		if from := body.layouts[c.Next]; !from.Same(next[i]) {
			body.copy(next[i], from)
		}
	}
	for _, o := range outs {
		if p := o.Fn.(ir.Output); p.Kind == ir.Stored {
			inside := body.layouts[p.Value]
			out := *inside
			out.Segment, out.Shape, out.Strides = 0, append([]int{l.T}, inside.Shape...),
				append([]int{inside.Segment}, inside.Strides...)
			k.layouts[o] = touch(&out)
		}
	}
	k.layouts[v] = &vm.Layout{}
	k.add(&vm.Segments[F]{Name: l.Name, N: l.T, Reverse: l.Reverse, Body: body.instrs}, across...)
	last := len(k.touched) - 1
	u := uses{across: slices.Concat(k.touched[last], body.same), body: body.touched}
	k.bodies[last] = u
	k.touched[last] = slices.Concat(u.across, slices.Concat(u.body...))
}

// carryAcross gives what is carried from segment to segment its memory, and says where the next
// value is to lie: a place for every segment if they are to be kept, else one. A sum that gathers
// is written where it lies.
func (k *block[F]) carryAcross(v *ir.Value, l *ir.Loop, body *block[F], c *ir.Carry,
	outs []*ir.Value) *vm.Layout {
	n := c.Leaf.Size()
	find := func(kind ir.OutputKind) *ir.Value {
		i := slices.IndexFunc(outs,
			func(o *ir.Value) bool { p := o.Fn.(ir.Output); return p.Kind == kind && p.Carry == c })
		if i < 0 {
			return nil
		}
		return outs[i]
	}
	before, final := find(ir.Before), find(ir.Final)
	places, step := 1, 0
	if before != nil {
		places, step = l.T+1, n
	}
	all := k.freshFor(c.Next, ops.Type{Dtype: c.Leaf.Dtype,
		Shape: append([]int{places}, c.Leaf.Shape...)})
	place := func(i, segment int) *vm.Layout {
		s := *all
		s.Off, s.Segment, s.Shape, s.Strides = i*n, segment, c.Leaf.Shape, all.Strides[1:]
		return &s
	}
	was, is, first, last := 0, 0, 0, 0
	if before != nil {
		was, is, first, last = 0, 1, 0, l.T
		if l.Reverse {
			was, is, first, last = 1, 0, l.T, 0
		}
		s := *all
		s.Off, s.Shape = was*n, append([]int{l.T}, c.Leaf.Shape...)
		k.layouts[before] = &s
	}
	body.layouts[c.Leaf] = place(was, step)
	to := place(is, step)
	if isElementwise(c.Next) && body.users[c.Leaf] == 1 && slices.Contains(c.Next.Args, c.Leaf) ||
		before != nil {
		body.dest[c.Next] = to
	} else {
		body.dest[c.Next] = k.freshFor(c.Next, c.Next.Type) // the old value may be read once more
	}
	if final != nil {
		k.layouts[final] = place(last, 0)
	}
	start := place(first, 0)
	if f, ok := v.Args[c.Init].Fill(); ok {
		k.fill(start, f)
	} else {
		k.copy(start, k.layout(v.Args[c.Init]))
	}
	return to
}

// constant reports whether a buffer holds what is the same in every segment.
func (k *block[F]) constant(buf int) bool { return slices.Contains(k.same, buf) }
