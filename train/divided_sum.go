package train

import (
	"encoding/binary"
	"slices"

	"github.com/seqzoo/seqzoo/internal/kernels"
)

// gradientOf is this process's node k of a parameter, and where it may differ from 0.
func (x *divided) gradientOf(own *shardTree, k, slot int) (flat, touched) {
	if x.raw != nil {
		return x.raw[slot].flat(), x.rawTouched[slot]
	}
	sum := own.nodes[k].sum
	return x.layout.slots[slot].whole(sum), sum.touched[slot]
}

// appendTouched appends what this process's nodes have touched: of each node and parameter the number
// of ranges and these, or the largest number for anything.
func (x *divided) appendTouched(to []byte, own *shardTree) []byte {
	for k := range x.parts[x.world.Rank()] {
		for slot := range x.layout.slots {
			_, t := x.gradientOf(own, k, slot)
			if t == nil {
				to = binary.LittleEndian.AppendUint32(to, anything)
				continue
			}
			to = binary.LittleEndian.AppendUint32(to, uint32(len(t)))
			for _, r := range t {
				to = binary.LittleEndian.AppendUint32(to, uint32(r.from))
				to = binary.LittleEndian.AppendUint32(to, uint32(r.to))
			}
		}
	}
	return to
}

const anything = ^uint32(0)

// readTouched reads what a process has appended.
func (x *divided) readTouched(rank int, data []byte) {
	next := func() uint32 {
		n := binary.LittleEndian.Uint32(data)
		data = data[4:]
		return n
	}
	for _, slots := range x.touched[rank] {
		for slot, t := range slots {
			n := next()
			if n == anything {
				slots[slot] = nil
				continue
			}
			if t == nil {
				t = touched{}
			}
			t = t[:0]
			for range n {
				t = append(t, reach{int(next()), int(next())})
			}
			slots[slot] = t
		}
	}
}

// send begins the exchange of the nodes of all processes: each sends each its segment of them, and of
// it what is touched alone. What is sent raw is not yet multiplied by the count of its shard: whoever
// receives it does that.
func (x *divided) send(own *shardTree) error {
	rank := x.world.Rank()
	for r, nodes := range x.parts {
		for k, n := range nodes {
			for _, s := range x.spans[rank] {
				size := x.touched[r][k][s.slot].size(s.from, s.to)
				if r == rank || size == 0 {
					continue
				}
				to := x.layout.slots[s.slot].of(n.sum, x.own, s.from, s.from+size)
				if err := x.messages.Receive(r, s.slot%mostTags, to.bytes()); err != nil {
					return err
				}
			}
		}
	}
	for slot := range x.packed {
		x.packed[slot] = x.packed[slot].slice(0, 0)
	}
	for k := range x.parts[rank] {
		for slot := range x.layout.slots {
			all, t := x.gradientOf(own, k, slot)
			if err := x.sendParts(slot, all, t); err != nil {
				return err
			}
		}
	}
	return nil
}

// sendParts begins to send each process its segment of a parameter.
func (x *divided) sendParts(slot int, all flat, t touched) error {
	for r, spans := range x.spans {
		for _, s := range spans {
			if s.slot != slot || r == x.world.Rank() || t.size(s.from, s.to) == 0 {
				continue
			}
			data := all
			if t == nil {
				data = all.slice(s.from, s.to)
			} else {
				data = x.pack(slot, all, t, s)
			}
			if err := x.messages.Send(r, slot%mostTags, data.bytes()); err != nil {
				return err
			}
		}
	}
	return nil
}

// pack copies what is touched of a span to one place.
func (x *divided) pack(slot int, all flat, t touched, s span) flat {
	p := &x.packed[slot]
	if p.len()+t.size(s.from, s.to) > max(cap(p.f32), cap(p.f64)) {
		*p = x.layout.slots[slot].room(2 * t.size(0, all.len())) // what is on its way stays where it is
		*p = p.slice(0, 0)
	}
	begin := p.len()
	t.in(s.from, s.to, func(from, to int) {
		part := all.slice(from, to)
		p.f32, p.f64 = append(p.f32, part.f32...), append(p.f64, part.f64...)
	})
	return p.slice(begin, p.len())
}

// room is that of so many numbers of the type of a parameter.
func (s slot) room(n int) flat {
	if s.f32 != nil {
		return flat{f32: make([]float32, n)}
	}
	return flat{f64: make([]float64, n)}
}

// source is a node of a parameter, of which this process has its segment.
type source struct {
	node    treeNode
	all     flat    // the numbers from start on; or, if they are packed, those that are touched
	start   int     // in the parameter
	touched touched // nil: all are
	packed  bool
	factor  float64 // what it is multiplied by
	shared  bool    // all is not to be written
}

// sources are the nodes of all processes of a span, in the order of the shards. Sparse reports whether
// of each the touched numbers alone are known.
func (x *divided) sources(own *shardTree, s span, counts []int) (list []source, sparse bool) {
	sparse = !x.shown[s.slot]
	rank := x.world.Rank()
	for r, nodes := range x.parts {
		for k, n := range nodes {
			o := source{node: n, factor: 1, shared: r == rank && x.raw != nil}
			if counts != nil {
				o.factor = float64(counts[n.index])
			}
			if r == rank {
				o.all, o.touched = x.gradientOf(own, k, s.slot)
			} else {
				o.all, o.start = x.layout.slots[s.slot].of(n.sum, x.own, s.from, s.to), s.from
				o.touched = x.touched[r][k][s.slot]
			}
			o.packed = o.touched != nil && (r != rank || o.all.len() == 0)
			sparse = sparse && o.touched != nil
			list = append(list, o)
		}
	}
	if !sparse {
		for i := range list {
			list[i].unpack(x.layout.slots[s.slot], s)
		}
	}
	return list, sparse
}

// unpack puts touched numbers where they belong, since others have more.
func (o *source) unpack(in slot, s span) {
	if !o.packed {
		return
	}
	whole, at := in.room(s.to-s.from), 0
	o.touched.in(s.from, s.to, func(from, to int) {
		whole.slice(from-s.from, to-s.from).copyFrom(o.all.slice(at, at+to-from))
		at += to - from
	})
	o.all, o.start, o.packed, o.shared = whole, s.from, false, false
}

// take is numbers of a source, times its factor, that may be written.
func (x *divided) take(o *source, from, to int) flat {
	part := o.all.slice(from, to)
	if o.shared {
		room := &x.scratch
		if len(part.f32) > len(room.f32) {
			room.f32 = make([]float32, kernels.Block)
		}
		if len(part.f64) > len(room.f64) {
			room.f64 = make([]float64, kernels.Block)
		}
		copied := flat{f32: room.f32[:len(part.f32)]}
		if part.f64 != nil {
			copied = flat{f64: room.f64[:len(part.f64)]}
		}
		copied.scaled(part, o.factor)
		return copied
	}
	if o.factor != 1 {
		part.scale(o.factor)
	}
	return part
}

// sumDense makes a block of the segment the sum of the sources there, times factor.
func (x *divided) sumDense(to flat, b block, list []source, factor float64) {
	var t shardTree
	for i := range list {
		o := &list[i]
		n := o.node
		n.sum = x.take(o, b.from-o.start, b.to-o.start)
		if i == 0 {
			to.copyFrom(n.sum)
			n.sum = to
		}
		t.push(n)
	}
	t.root()
	to.scale(factor)
}

// sumTouched makes a span of the segment the sum of the sources, times factor: range by range, of the
// sources that have touched it.
func (x *divided) sumTouched(to flat, s span, list []source, factor float64) {
	x.within[s.slot].in(s.from, s.to, func(a, b int) { to.slice(a-s.from, b-s.from).clear() })
	var ends []int
	union := touched{}
	for _, o := range list {
		var own touched
		o.touched.in(s.from, s.to, func(a, b int) {
			own = append(own, reach{a, b})
			ends = append(ends, a, b)
			for at := a + kernels.Block; at < b; at += kernels.Block {
				ends = append(ends, at)
			}
		})
		union = union.join(append(touched{}, own...), nil)
	}
	slices.Sort(ends)
	ends = slices.Compact(ends)
	at, next := make([]int, len(list)), make([]int, len(list)) // in packed numbers, and in ranges
	for i := 1; i < len(ends); i++ {
		a, b := ends[i-1], ends[i]
		var t shardTree
		for k := range list {
			o := &list[k]
			for next[k] < len(o.touched) && o.touched[next[k]].to <= a {
				next[k]++
			}
			n := o.node
			n.sum = flat{}
			if next[k] < len(o.touched) && o.touched[next[k]].from <= a {
				from := a - o.start
				if o.packed {
					from, at[k] = at[k], at[k]+b-a
				}
				n.sum = x.take(o, from, from+b-a)
			}
			t.push(n)
		}
		if sum := t.root(); sum.len() > 0 {
			part := to.slice(a-s.from, b-s.from)
			part.copyFrom(sum)
			part.scale(factor)
		}
	}
	x.within[s.slot] = union
}

// reduce makes segment the sum of the nodes of all, times factor, once they have come, and squares
// that of its blocks. Counts are those of all shards if gradients were sent raw. It goes block by
// block, so that a block is in the cache throughout, or, of what is touched in part only, range by
// range.
func (x *divided) reduce(own *shardTree, counts []int, factor float64) {
	next := 0 // of blocks
	for _, s := range x.spans[x.world.Rank()] {
		list, sparse := x.sources(own, s, counts)
		to := x.layout.slots[s.slot].of(x.segment, x.own, s.from, s.to)
		if sparse {
			x.sumTouched(to, s, list, factor)
		} else {
			x.within[s.slot] = nil
		}
		for ; next < len(x.blocks) && x.blocks[next].slot == s.slot; next++ {
			b := x.blocks[next]
			part := to.slice(b.from-s.from, b.to-s.from)
			if !sparse {
				x.sumDense(part, b, list, factor)
			}
			x.squares[next] = 0
			if !sparse || x.within[s.slot].size(b.from, b.to) > 0 {
				x.squares[next] = kernels.SumSquares(part.f32) + kernels.SumSquares(part.f64)
			}
		}
	}
	own.clear()
}
