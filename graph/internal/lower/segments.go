package lower

import (
	"fmt"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// segmented is the forward pass through a recurrence of which only the state before each segment is
// kept. The steps of a segment are a loop of their own, forward and once more in the backward pass,
// so what can be taken out of it is computed for the segment at once. Steps that are left over, the
// last to be visited, are a loop beside that over the segments.
type segmented struct {
	*pieces
	args    []*ir.Value
	carries []*ir.Carry // the state, from segment to segment
	inner   *forward    // in the body
	rest    *forward    // nil: no step is left over
}

// pieces is a loop over segments, and how times are divided.
type pieces struct {
	l       *lowering
	st      *step
	loop    *ir.Loop
	value   *ir.Value
	in      *lowering // the body
	n, size int       // segments, and the steps of each
	left    int       // steps over
	reverse bool      // of the recurrence
}

func (l *lowering) pieces(name string, st *step, T, size int, reverse, back bool) *pieces {
	p := &pieces{l: l, st: st, n: T / size, size: size, left: T % size, reverse: reverse}
	p.loop, p.value = l.Region.NewLoop(fmt.Sprintf("%s in segments of %d steps", name, size), p.n,
		reverse != back)
	p.loop.Segments, p.loop.Body.At = true, l.Region.At
	p.in = &lowering{Result: &Result{Region: p.loop.Body, Notes: l.Notes}, opts: l.opts,
		steps: l.steps}
	return p
}

// first is the time at which the segments begin, and that at which the steps left over do.
func (p *pieces) first() (segments, over int) {
	if p.reverse {
		return p.left, 0
	}
	return 0, p.n * p.size
}

// cut divides an array [T, ...] into what a segment has of it, in the body, and what is left over.
func (p *pieces) cut(v *ir.Value) (segment, over *ir.Value) {
	if f, ok := v.Fill(); ok {
		fill := func(r *ir.Region, n int) *ir.Value {
			return r.Apply(ops.Fill{Dtype: v.Dtype, Shape: append([]int{n}, v.Shape[1:]...),
				Value: f})
		}
		if p.left > 0 {
			over = fill(p.l.Region, p.left)
		}
		return fill(p.in.Region, p.size), over
	}
	part := func(from, n int) *ir.Value {
		return p.l.Region.Apply(ops.Slice{Axis: 0, From: from, To: from + n}, v)
	}
	at, rest := p.first()
	shape := append([]int{p.n, p.size}, v.Shape[1:]...)
	segment = p.loop.Seq(p.value, p.l.Region.Apply(ops.Reshape{Shape: shape}, part(at, p.n*p.size)))
	if p.left > 0 {
		over = part(rest, p.left)
	}
	return segment, over
}

// join is an array [T, ...], from what a segment has of it and what is left over.
func (p *pieces) join(segment, over *ir.Value) *ir.Value {
	r := p.l.Region
	var all *ir.Value
	shape := append([]int{p.n * p.size}, segment.Shape[1:]...)
	if f, ok := segment.Fill(); ok {
		all = r.Apply(ops.Fill{Dtype: segment.Dtype, Shape: shape, Value: f})
	} else {
		all = r.Apply(ops.Reshape{Shape: shape}, p.loop.Out(r, p.value,
			ir.Output{Kind: ir.Stored, Value: p.owned(segment)}))
	}
	switch {
	case p.left == 0:
		return all
	case p.reverse:
		return r.Apply(ops.Concat{Axis: 0}, over, all)
	}
	return r.Apply(ops.Concat{Axis: 0}, all, over)
}

// owned is a copy of a value of the body that lies where the loop wants it.
func (p *pieces) owned(v *ir.Value) *ir.Value {
	return p.in.Region.Copy(v)
}

// constant is v in the body.
func (p *pieces) constant(v *ir.Value) *ir.Value {
	if f, ok := v.Fn.(ops.Fill); ok {
		return p.in.Region.Apply(f)
	}
	return p.loop.Const(p.value, v)
}

// operands are the operands of the recurrence for a segment, and for the steps left over; state
// gives the parts of the state before a segment.
func (p *pieces) operands(args []*ir.Value, state func(k int) *ir.Value) (segment,
	over []*ir.Value) {
	for i, a := range args[:len(p.st.inputs)] {
		s, o := a, a
		switch k := p.st.isState(i); {
		case k >= 0:
			s = state(k)
		case i < len(p.st.Seqs):
			s, o = p.cut(a)
		default:
			s = p.constant(a)
		}
		segment, over = append(segment, s), append(over, o)
	}
	return segment, over
}

func (l *lowering) segmented(st *step, fn ops.Scan, args []*ir.Value) *segmented {
	s := &segmented{pieces: l.pieces("scan", st, fn.T, fn.Segment, fn.Reverse, false), args: args}
	for k := range st.States {
		s.carries = append(s.carries, s.loop.Carry(s.value, args[len(st.Seqs)+k]))
	}
	segment, over := s.operands(args, func(k int) *ir.Value { return s.carries[k].Leaf })
	first, rest := s.first()
	s.inner = s.in.forward(st, s.size, first, fn.Reverse, segment)
	for k, c := range s.carries {
		c.Next = s.owned(s.inner.final(k))
	}
	if s.left > 0 {
		for k := range st.States {
			over[len(st.Seqs)+k] = s.state(k)
		}
		s.rest = l.forward(st, s.left, rest, fn.Reverse, over)
	}
	return s
}

// state is a part of the state after the segments.
func (s *segmented) state(k int) *ir.Value {
	return s.loop.Out(s.l.Region, s.value, ir.Output{Kind: ir.Final, Carry: s.carries[k]})
}

func (s *segmented) slot(i int) *ir.Value {
	var over *ir.Value
	if s.rest != nil {
		over = s.rest.slot(i)
	}
	return s.join(s.inner.slot(i), over)
}

func (s *segmented) final(k int) *ir.Value {
	if s.rest != nil {
		return s.rest.final(k)
	}
	return s.state(k)
}

// segmentedBack is the backward pass: the steps left over first, then segment by segment the steps
// forward and back.
type segmentedBack struct {
	*pieces
	carries []*ir.Carry
	inner   back // in the body
	rest    back // nil: no step is left over
}

func (s *segmented) back(l *lowering, cots, after []*ir.Value) back {
	st := s.st
	b := &segmentedBack{pieces: l.pieces("scan gradient", st, s.n*s.size+s.left, s.size, s.reverse,
		true)}
	var segment, over []*ir.Value
	for _, c := range cots {
		in, out := b.cut(c)
		segment, over = append(segment, in), append(over, out)
	}
	if s.rest != nil {
		b.rest = s.rest.back(l, over, after)
		after = nil
		for k := range st.States {
			after = append(after, b.rest.initial(k))
		}
	}
	var states []*ir.Value
	for k := range st.States {
		c := b.loop.Carry(b.value, after[k])
		b.carries, states = append(b.carries, c), append(states, c.Leaf)
	}
	args, _ := b.operands(s.args, func(k int) *ir.Value {
		return b.loop.Seq(b.value, s.loop.Out(l.Region, s.value,
			ir.Output{Kind: ir.Before, Carry: s.carries[k]}))
	})
	first, _ := b.first()
	b.inner = b.in.forward(st, b.size, first, b.reverse, args).back(b.in, segment, states)
	for k, c := range b.carries {
		c.Next = b.owned(b.inner.initial(k))
	}
	return b
}

func (b *segmentedBack) sequence(i int) *ir.Value {
	var over *ir.Value
	if b.rest != nil {
		over = b.rest.sequence(i)
	}
	return b.join(b.inner.sequence(i), over)
}

func (b *segmentedBack) initial(k int) *ir.Value {
	return b.loop.Out(b.l.Region, b.value, ir.Output{Kind: ir.Final, Carry: b.carries[k]})
}

func (b *segmentedBack) constant(i int) *ir.Value {
	r := b.l.Region
	var sum *ir.Value
	d := b.inner.constant(i)
	if f, ok := d.Fill(); ok {
		sum = r.Apply(ops.Fill{Dtype: d.Dtype, Shape: d.Shape, Value: f * float64(b.n)})
	} else {
		c := b.loop.Carry(b.value, r.Apply(ops.Fill{Dtype: d.Dtype, Shape: d.Shape}))
		c.Next = b.in.Region.Leaf(ops.Elementwise{Kind: ops.KindAdd}, d.Type, c.Leaf, d)
		sum = b.loop.Out(r, b.value, ir.Output{Kind: ir.Final, Carry: c})
	}
	if b.rest == nil {
		return sum
	}
	return r.Apply(ops.Elementwise{Kind: ops.KindAdd}, b.rest.constant(i), sum)
}

func (b *segmentedBack) flow(part int) *ir.Value {
	var over *ir.Value
	if b.rest != nil {
		over = b.rest.flow(part)
	}
	return b.join(b.inner.flow(part), over)
}
