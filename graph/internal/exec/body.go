package exec

import (
	"fmt"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// emitLoop compiles a loop: memory for what it carries and stores, the carries' initial values, packed weights, and the
// body.
func (k *block[F]) emitLoop(v *ir.Value, l *ir.Loop) {
	for _, a := range v.Args {
		k.emit(a)
	}
	outs := k.outputs(l)
	roots := rootsOf(l, outs)
	skip := k.maskedRows(v, l)
	body := newBlock(k.builder, k, roots)
	body.loop = l
	var touched []*layout
	touch := func(l *layout) *layout { touched = append(touched, l); return l }

	for _, p := range l.Seqs {
		a := touch(k.layout(v.Args[p.Arg]))
		leaf := *a
		leaf.shape, leaf.strides = a.shape[1:], a.strides[1:]
		leaf.clock, leaf.tick = byTime, a.strides[0]
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
	batch := body.rows()
	if batch == 0 {
		k.note("loop %s is not shared by rows of the batch: %s", l.Name, body.why)
	}
	team := body.asTeam(batch)
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
			out.clock, out.tick = still, 0
			out.shape = append([]int{l.T}, inside.shape...)
			out.strides = append([]int{inside.tick}, inside.strides...)
			k.layouts[o] = touch(&out)
		}
	}
	in := &loop[F]{name: l.Name, T: l.T, reverse: l.Reverse, first: l.First, body: body.code, rows: max(body.batch, 1)}
	if k.above != nil {
		in.segment = l.T
	}
	if skip != nil && body.batch > 0 {
		in.skipped, in.mask = body.emitSkipped(skip, roots), body.layouts[l.Mask]
		for _, o := range outs {
			if p := o.Fn.(ir.Output); p.Kind == ir.Stored && skip.rows[p.Value] != nil && skip.rows[p.Value].IsZero() {
				k.zeroRows[o] = touch(k.layout(skip.mask))
			}
		}
	}
	in.meet.n = int64(k.cfg.Workers)
	in.team = team
	k.layouts[v] = &layout{}
	k.add(in, touched...)
	last := len(k.touched) - 1
	for _, t := range body.touched {
		k.touched[last] = append(k.touched[last], t...)
	}
}

// outputs are the outputs of a loop that something needs.
func (k *block[F]) outputs(l *ir.Loop) []*ir.Value {
	var outs []*ir.Value
	for _, o := range l.Outs {
		if k.users[o] > 0 {
			outs = append(outs, o)
		}
	}
	return outs
}

// carry gives a carry its memory: all times of it if an output shows them, else two places in turn.
func (k *block[F]) carry(v *ir.Value, body *block[F], c *ir.Carry, outs []*ir.Value) *layout {
	l := body.loop
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
	part := func(from, count int) *layout {
		s := *all
		s.off, s.shape = from*n, append([]int{count}, c.Leaf.Shape...)
		return &s
	}
	place := func(i, clock int) *layout {
		s := *all
		s.off, s.shape, s.strides = i*n, c.Leaf.Shape, all.strides[1:]
		if clock != still {
			s.clock, s.tick = clock, n
		}
		return &s
	}
	was, is, first, last := 0, 1, 0, l.T // places relative to the time
	if l.Reverse {
		was, is, first, last = 1, 0, l.T, 0
	}
	if places == 2 && (before == nil && stored == nil) {
		body.layouts[c.Leaf], body.dest[c.Next] = place(0, byStep), place(0, byStep1)
		first, last = 0, l.T&1
	} else {
		body.layouts[c.Leaf], body.dest[c.Next] = place(was, byTime), place(is, byTime)
	}
	if before != nil {
		k.layouts[before] = part(was, l.T)
	}
	if stored != nil {
		k.layouts[stored] = part(is, l.T)
	}
	if final != nil {
		k.layouts[final] = place(last, still)
	}
	start := place(first, still)
	if f, ok := v.Args[c.Init].Fill(); ok {
		k.fill(start, f)
	} else {
		k.copy(start, k.layout(v.Args[c.Init]))
	}
	return all
}

// storeAt gives a value of the body memory for all times.
func (k *block[F]) storeAt(v *ir.Value) {
	if _, ok := v.Fn.(ir.MatMulAcc); ok && k.consumable(v.Args[0]) {
		k.dest[v] = k.layouts[v.Args[0]]
		return
	}
	all := k.freshFor(v, ops.Type{Dtype: v.Dtype, Shape: append([]int{k.loop.T}, v.Shape...)})
	k.dest[v] = &layout{buf: all.buf, clock: byTime, tick: v.Size(), shape: v.Shape, strides: all.strides[1:], ints: all.ints}
	k.placeOperands(v)
}

// fixed reports whether a value of the body is a constant of it, or a view of one.
func (k *block[F]) fixed(v *ir.Value) bool {
	for view(v) {
		v = v.Args[0]
	}
	for _, p := range k.loop.Consts {
		if p.Leaf == v {
			return true
		}
	}
	return false
}

// pack has B of a product packed, once for all products with it, and gives the index of the packed matrix.
func (k *block[F]) pack(g *gemm[F]) int {
	key := packKey{g.b.layout.buf, g.b.layout.off, g.k, g.n, g.b.ld, g.transB}
	if i, ok := k.packOf[key]; ok {
		return i
	}
	if k.above != nil && g.b.layout.segment == 0 && k.constant(g.b.layout.buf) { // the same in every segment
		i := k.above.pack(g)
		k.lasting = append(k.lasting, k.packBufs[i])
		return i
	}
	buf := k.fresh(ops.Type{Dtype: k.floatType(), Shape: []int{kernels.PackedLen(g.k, g.n)}}, arena)
	i := len(k.p.packs)
	k.p.packs = append(k.p.packs, kernels.Packed[F]{})
	k.packBufs = append(k.packBufs, buf.buf)
	k.add(&pack[F]{b: g.b, trans: g.transB, k: g.k, n: g.n, buf: buf.buf, target: i}, g.b.layout, buf)
	if k.packOf == nil {
		k.packOf = map[packKey]int{}
	}
	k.packOf[key] = i
	return i
}

type packKey struct {
	buf, off, k, n, ld int
	trans              bool
}

// asTeam decides whether workers share every operation of a loop, rather than its rows, of which there are batch.
func (k *block[F]) asTeam(batch int) bool {
	if k.cfg.Workers == 1 {
		return false
	}
	var weights, largest, all int
	size := k.elementSize()
	for _, v := range k.order {
		cost := 0
		switch fn := v.Fn.(type) {
		case ops.Elementwise, ir.Copy:
			cost = v.Size() / 8
		case ops.MatMul, ir.MatMulAcc:
			_, acc := fn.(ir.MatMulAcc)
			b := v.Args[1]
			if acc {
				b = v.Args[2]
			}
			n := v.Shape[len(v.Shape)-1]
			inner := b.Size() / (n * max(1, v.Size()/(n*v.Shape[len(v.Shape)-2])))
			cost = productCost(v.Size()/n, n, inner, size)
			if k.fixed(b) {
				weights += b.Size() * size
			}
		}
		largest, all = max(largest, cost), all+cost
	}
	// Bytes of weights that stay with a core, and those that it pays to let each worker fetch for many rows at every step, since
	// to wait for one another costs as much.
	const cache, far = 3 << 19, 16 << 20
	switch {
	case all*k.loop.T < 2*k.cfg.Least:
		return false // not worth sharing at all
	case k.cfg.Shard == ShardTeam:
		return true
	case k.cfg.Shard == ShardRows && batch > 1:
		return false
	case batch >= 2*k.cfg.Workers && weights <= cache, batch >= 16*k.cfg.Workers && weights <= far:
		return false
	}
	return largest > teamCost
}

// teamCost is the least cost in nanoseconds of the largest operation of a step at which it pays that workers meet
// after every operation.
const teamCost = 4_000

// rows is the number of units that every instruction of the body has if all of them work row by row on the batch; 0 if
// not.
func (k *block[F]) rows() int {
	if k.why = "its state has no batch"; len(k.loop.Carries) == 0 {
		return 0
	}
	shape := k.loop.Carries[0].Leaf.Shape
	if len(shape) == 0 {
		return 0
	}
	batch := shape[0]
	const (
		shared = iota
		byRow
		mixed
	)
	of := map[*ir.Value]int{}
	for _, c := range k.loop.Carries {
		if of[c.Leaf] = byRow; len(c.Leaf.Shape) == 0 || c.Leaf.Shape[0] != batch {
			k.why = fmt.Sprintf("what it carries for %v, %v, adds up over the batch", c.Next.At, c.Leaf.Type)
			return 0
		}
	}
	for _, p := range k.loop.Seqs {
		if len(p.Leaf.Shape) > 1 && p.Leaf.Shape[0] == batch {
			of[p.Leaf] = byRow
		}
	}
	for _, v := range k.order {
		if len(v.Args) == 0 {
			continue
		}
		any := false
		for _, a := range v.Args {
			any = any || of[a] == byRow
		}
		if !any {
			if !view(v) {
				k.why = fmt.Sprintf("%v does not depend on it", v.At)
				return 0
			}
			continue
		}
		ok := len(v.Shape) > 0 && v.Shape[0]%batch == 0
		a := v.Args[0]
		switch fn := v.Fn.(type) {
		case ops.Elementwise, ir.Copy:
			for _, a := range v.Args {
				if of[a] == byRow {
					ok = ok && len(a.Shape) == len(v.Shape) && a.Shape[0] == v.Shape[0]
				}
			}
		case ops.MatMul:
			ok = ok && byRows(fn, a, v.Args[1], of[a] == byRow, of[v.Args[1]] == byRow)
		case ir.MatMulAcc:
			ok = ok && of[v.Args[0]] == byRow && byRows(fn.MatMul, v.Args[1], v.Args[2], of[v.Args[1]] == byRow, of[v.Args[2]] == byRow)
		case ops.Slice:
			ok = ok && fn.Axis > 0
		case ops.Pad:
			ok = ok && fn.Axis > 0
		case ops.Concat:
			ok = ok && fn.Axis > 0
		case ops.Reshape:
		case ops.Transpose:
			ok = ok && fn.Perm[0] == 0
		case ops.Broadcast:
			ok = ok && len(a.Shape) == len(v.Shape) && a.Shape[0] == v.Shape[0]
		default:
			ok = ok && k.byRow(v)
		}
		if !ok {
			k.why = fmt.Sprintf("%v does not work row by row", v.At)
			return 0
		}
		of[v] = byRow
	}
	return batch
}

// byRows reports whether a product's rows depend on the same rows of its operands.
func byRows(fn ops.MatMul, a, b *ir.Value, aRows, bRows bool) bool {
	if len(a.Shape) == 3 {
		return true // stack by stack
	}
	return aRows && !bRows && !fn.TransA
}
