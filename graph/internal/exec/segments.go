package exec

import (
	"fmt"
	"slices"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// segments runs its body, which may have loops in it, once for every segment of a recurrence. Its instructions are shared
// one by one, as those outside of loops are.
type segments[F kernels.Float] struct {
	name    string
	n       int
	reverse bool
	body    []instr[F]
}

func (s *segments[F]) units() int { return 1 }

func (s *segments[F]) cost() int {
	n := 0
	for _, in := range s.body {
		n += in.cost()
	}
	return n * s.n
}

func (s *segments[F]) String() string { return fmt.Sprintf("%s, %d times", s.name, s.n) }

// index is the segment that is visited after i others.
func (s *segments[F]) index(i int) int {
	if s.reverse {
		return s.n - 1 - i
	}
	return i
}

// each runs the body for all segments, on all workers.
func (s *segments[F]) each(p *program[F]) error {
	defer p.enterSegment(0)
	for i := range s.n {
		p.enterSegment(s.index(i))
		for _, in := range s.body {
			if err := p.stopped(); err != nil {
				return err
			}
			if err := p.do(in); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *program[F]) enterSegment(i int) {
	for _, x := range p.workers {
		x.segment = i
	}
}

// run is for instr: segments are run by the program, which shares what is in them.
func (s *segments[F]) run(x *worker[F], _, _ int) error { return s.each(x.p) }

// emitSegments compiles a loop over segments: memory for what goes from one to the next and for what each stores, and the
// body, as a block like that around it.
func (k *block[F]) emitSegments(v *ir.Value, l *ir.Loop) {
	for _, a := range v.Args {
		k.emit(a)
	}
	outs := k.outputs(l)
	roots := rootsOf(l, outs)
	body := newBlock(k.builder, nil, roots)
	body.above = k
	var across []*layout // what lasts
	touch := func(l *layout) *layout { across = append(across, l); return l }

	for _, p := range l.Seqs {
		a := touch(k.layout(v.Args[p.Arg]))
		leaf := *a
		leaf.shape, leaf.strides, leaf.segment = a.shape[1:], a.strides[1:], a.strides[0]
		body.layouts[p.Leaf] = &leaf
	}
	for _, p := range l.Consts {
		c := touch(k.layout(v.Args[p.Arg]))
		body.layouts[p.Leaf] = c
		body.lasting = append(body.lasting, c.buf)
	}
	var next []*layout // where each carry's next value is to lie
	for _, c := range l.Carries {
		next = append(next, touch(k.carryAcross(v, l, body, c, outs)))
	}
	for _, o := range outs {
		if r, to := o.Fn.(ir.Output).Value, k.dest[o]; to != nil && body.dest[r] == nil {
			body.dest[r] = &layout{buf: to.buf, off: to.off, segment: to.strides[0], shape: r.Shape, strides: to.strides[1:], ints: to.ints}
		}
	}
	for _, r := range roots {
		if body.dest[r] == nil {
			all := k.freshFor(r, ops.Type{Dtype: r.Dtype, Shape: append([]int{l.T}, r.Shape...)})
			body.dest[r] = &layout{buf: all.buf, segment: r.Size(), shape: r.Shape, strides: all.strides[1:], ints: all.ints}
		}
	}
	body.place()
	for _, r := range roots {
		body.emit(r)
		if to := body.dest[r]; !body.layout(r).same(to) {
			body.copy(to, body.layout(r))
			body.layouts[r] = to
		}
	}
	for i, c := range l.Carries {
		if from := body.layouts[c.Next]; !from.same(next[i]) {
			body.copy(next[i], from)
		}
	}
	for _, o := range outs {
		if p := o.Fn.(ir.Output); p.Kind == ir.Stored {
			inside := body.layouts[p.Value]
			out := *inside
			out.segment, out.shape, out.strides = 0, append([]int{l.T}, inside.shape...), append([]int{inside.segment}, inside.strides...)
			k.layouts[o] = touch(&out)
		}
	}
	k.layouts[v] = &layout{}
	k.add(&segments[F]{name: l.Name, n: l.T, reverse: l.Reverse, body: body.code}, across...)
	last := len(k.touched) - 1
	u := uses{across: slices.Concat(k.touched[last], body.lasting), body: body.touched}
	if k.bodies == nil {
		k.bodies = map[int]uses{}
	}
	k.bodies[last] = u
	k.touched[last] = slices.Concat(u.across, slices.Concat(u.body...))
}

// carryAcross gives what is carried from segment to segment its memory, and says where the next value is to lie: a place for
// every segment if they are to be kept, else one. A sum that gathers is written where it lies.
func (k *block[F]) carryAcross(v *ir.Value, l *ir.Loop, body *block[F], c *ir.Carry, outs []*ir.Value) *layout {
	n := c.Leaf.Size()
	find := func(kind ir.OutputKind) *ir.Value {
		i := slices.IndexFunc(outs, func(o *ir.Value) bool { p := o.Fn.(ir.Output); return p.Kind == kind && p.Carry == c })
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
	all := k.freshFor(c.Next, ops.Type{Dtype: c.Leaf.Dtype, Shape: append([]int{places}, c.Leaf.Shape...)})
	place := func(i, segment int) *layout {
		s := *all
		s.off, s.segment, s.shape, s.strides = i*n, segment, c.Leaf.Shape, all.strides[1:]
		return &s
	}
	was, is, first, last := 0, 0, 0, 0
	if before != nil {
		was, is, first, last = 0, 1, 0, l.T
		if l.Reverse {
			was, is, first, last = 1, 0, l.T, 0
		}
		s := *all
		s.off, s.shape = was*n, append([]int{l.T}, c.Leaf.Shape...)
		k.layouts[before] = &s
	}
	body.layouts[c.Leaf] = place(was, step)
	to := place(is, step)
	if isElementwise(c.Next) && body.users[c.Leaf] == 1 && slices.Contains(c.Next.Args, c.Leaf) || before != nil {
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
func (k *block[F]) constant(buf int) bool { return slices.Contains(k.lasting, buf) }
