package plan

import (
	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/graph/internal/vm"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// emitLoop compiles a loop: memory for what it carries and stores, the carries' initial values,
// packed weights, and the body.
func (k *block[F]) emitLoop(v *ir.Value, l *ir.Loop) {
	for _, a := range v.Args {
		k.emit(a)
	}
	outs := k.outputs(l)
	roots := rootsOf(l, outs)
	skip := k.ended.of(v, l)
	in := newBody(l, outs)
	body := k.newBodyBlock(in)
	var touched []*vm.Layout
	touch := func(l *vm.Layout) *vm.Layout { touched = append(touched, l); return l }

	for _, p := range l.Seqs {
		a := touch(k.layout(v.Args[p.Arg]))
		leaf := *a
		leaf.Shape, leaf.Strides = a.Shape[1:], a.Strides[1:]
		leaf.Clock, leaf.Tick = vm.ByTime, a.Strides[0]
		body.layouts[p.Leaf] = &leaf
	}
	for _, p := range l.Consts {
		body.layouts[p.Leaf] = touch(k.layout(v.Args[p.Arg]))
	}
	for _, c := range l.Carries {
		touch(k.carry(v, body, c, outs))
	}
	for _, o := range outs {
		if p := o.Fn.(ir.Output); p.Kind == ir.Stored && body.dest[p.Value] == nil {
			body.storeAt(p.Value)
		}
	}
	body.place()
	batch, why := in.rows()
	if batch == 0 {
		k.note("loop %s is not shared by rows of the batch: %s", l.Name, why)
	}
	team := in.asTeam(k.cfg, k.elementSize(), batch)
	if batch > 1 && !team {
		body.batch = batch
	}
	for _, r := range roots {
		body.emit(r)
	}
	for _, o := range outs {
		if p := o.Fn.(ir.Output); p.Kind == ir.Stored {
			inside := body.layout(p.Value)
			out := *inside
			out.Clock, out.Tick = vm.Still, 0
			out.Shape = append([]int{l.T}, inside.Shape...)
			out.Strides = append([]int{inside.Tick}, inside.Strides...)
			k.layouts[o] = touch(&out)
		}
	}
	loop := &vm.Loop[F]{Name: l.Name, T: l.T, Reverse: l.Reverse, First: l.First, Body: body.instrs,
		Rows: max(body.batch, 1)}
	if k.above != nil {
		loop.Segment = l.T
	}
	if skip != nil && body.batch > 0 {
		loop.Skipped, loop.Mask = body.emitSkipped(skip, roots), body.layouts[l.Mask]
		for _, o := range outs {
			if p := o.Fn.(ir.Output); p.Kind == ir.Stored && skip.rows[p.Value] != nil &&
				skip.rows[p.Value].IsZero() {
				k.zeroRows[o] = touch(k.layout(skip.mask))
			}
		}
	}
	loop.Team = team
	divideColumns(loop)
	loop.Compile(&k.code.Scratch)
	k.layouts[v] = &vm.Layout{}
	k.add(loop, touched...)
	last := len(k.touched) - 1
	for _, t := range body.touched {
		k.touched[last] = append(k.touched[last], t...)
	}
}

// carry gives a carry its memory: all steps of it if an output shows them, else two places in turn.
func (k *block[F]) carry(v *ir.Value, body *block[F], c *ir.Carry, outs []*ir.Value) *vm.Layout {
	l := body.body.loop
	n := c.Leaf.Size()
	var before, stored, final *ir.Value
	for _, o := range outs {
		switch p := o.Fn.(ir.Output); {
		case p.Kind == ir.Before && p.Carry == c:
			before = o
		case p.Kind == ir.Final && p.Carry == c:
			final = o
		case p.Kind == ir.Stored && p.Value == c.Next:
			stored = o
		}
	}
	places := 2
	if before != nil || stored != nil {
		places = l.T + 1
	}
	t := ops.Type{Dtype: c.Leaf.Dtype, Shape: append([]int{places}, c.Leaf.Shape...)}
	all := k.freshFor(c.Next, t)
	part := func(from, count int) *vm.Layout {
		s := *all
		s.Off, s.Shape = from*n, append([]int{count}, c.Leaf.Shape...)
		return &s
	}
	place := func(i, clock int) *vm.Layout {
		s := *all
		s.Off, s.Shape, s.Strides = i*n, c.Leaf.Shape, all.Strides[1:]
		if clock != vm.Still {
			s.Clock, s.Tick = clock, n
		}
		return &s
	}
	was, is, first, last := 0, 1, 0, l.T // places relative to the time
	if l.Reverse {
		was, is, first, last = 1, 0, l.T, 0
	}
	if places == 2 && (before == nil && stored == nil) {
		body.layouts[c.Leaf], body.dest[c.Next] = place(0, vm.ByStep), place(0, vm.ByStep1)
		first, last = 0, l.T&1
	} else {
		body.layouts[c.Leaf], body.dest[c.Next] = place(was, vm.ByTime), place(is, vm.ByTime)
	}
	if before != nil {
		k.layouts[before] = part(was, l.T)
	}
	if stored != nil {
		k.layouts[stored] = part(is, l.T)
	}
	if final != nil {
		k.layouts[final] = place(last, vm.Still)
	}
	start := place(first, vm.Still)
	if f, ok := v.Args[c.Init].Fill(); ok {
		k.fill(start, f)
	} else {
		k.copy(start, k.layout(v.Args[c.Init]))
	}
	return all
}

// storeAt gives a value of the body memory for all steps.
func (k *block[F]) storeAt(v *ir.Value) {
	if _, ok := v.Fn.(ir.MatMulAcc); ok && k.consumable(v.Args[0]) {
		k.dest[v] = k.layouts[v.Args[0]]
		return
	}
	all := k.freshFor(v, ops.Type{Dtype: v.Dtype, Shape: append([]int{k.body.loop.T}, v.Shape...)})
	k.dest[v] = &vm.Layout{Buf: all.Buf, Clock: vm.ByTime, Tick: v.Size(), Shape: v.Shape,
		Strides: all.Strides[1:], Ints: all.Ints}
	k.placeOperands(v)
}
