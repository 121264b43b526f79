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

// appendTouched appends what this process's nodes have touched: of each node and parameter the
// number of ranges and these, or the largest number for anything.
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

// send begins the exchange of the nodes of all processes: each sends each its segment of them, and
// of it what is touched alone, unless it reads that in a window. What is sent raw is not yet
// multiplied by the count of its shard: whoever receives it does that.
func (x *divided) send(own *shardTree) error {
	rank := x.world.Rank()
	for r, nodes := range x.parts {
		if r == rank || x.windows[r] != nil {
			continue
		}
		for k, n := range nodes {
			for _, s := range x.spans[rank] {
				size := x.touched[r][k][s.slot].size(s.from, s.to)
				if size == 0 {
					continue
				}
				to := x.part(s, n.sum).slice(0, size)
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
			if s.slot != slot || r == x.world.Rank() || x.windows[r] != nil ||
				t.size(s.from, s.to) == 0 {
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
		// what is on its way stays where it is
		*p = x.layout.slots[slot].room(2 * t.size(0, all.len()))
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
	part    bool    // what is not touched is not in all, or not 0 there
	factor  float64 // what it is multiplied by
	shared  bool    // all is not to be written
}

// sources are the nodes of all processes of a span, in the order of the shards. Sparse reports
// whether of each the touched numbers alone are known.
func (x *divided) sources(own *shardTree, s span, counts []int) (list []source, sparse bool) {
	sparse = !x.shown[s.slot]
	rank := x.world.Rank()
	for r, nodes := range x.parts {
		for k, n := range nodes {
			o := source{node: n, factor: 1}
			w := x.windows[r]
			if counts != nil && (r == rank || w == nil) {
				o.factor = float64(counts[n.index])
			}
			switch {
			case r == rank:
				o.all, o.touched = x.gradientOf(own, k, s.slot)
				o.shared = x.raw != nil
				o.part = o.touched != nil && o.all.len() == 0
			case w != nil:
				o.all, o.touched = x.layout.slots[s.slot].whole(w.nodes[k]), x.touched[r][k][s.slot]
				o.shared, o.part = true, o.touched != nil
			default:
				o.all, o.start, o.touched = x.part(s, n.sum), s.from, x.touched[r][k][s.slot]
				o.packed, o.part = o.touched != nil, o.touched != nil
			}
			sparse = sparse && o.touched != nil
			list = append(list, o)
		}
	}
	if !sparse {
		for i := range list {
			list[i].fill(x.layout.slots[s.slot], s)
		}
	}
	return list, sparse
}

// fill puts touched numbers where they belong, among zeros, since others have more. This process's
// own stand among zeros already, to which nothing may be added: its next gradient takes them to be
// 0 still.
func (o *source) fill(in slot, s span) {
	if !o.part {
		o.shared = o.shared || o.touched != nil
		return
	}
	whole, at := in.room(s.to-s.from), 0
	o.touched.in(s.from, s.to, func(from, to int) {
		part := o.at(from, to, at)
		whole.slice(from-s.from, to-s.from).copyFrom(part)
		at += part.len()
	})
	o.all, o.start, o.packed, o.part, o.shared = whole, s.from, false, false, false
}

// at is numbers of the source, before which so many are packed.
func (o *source) at(from, to, packed int) flat {
	if o.packed {
		return o.all.slice(packed, packed+to-from)
	}
	return o.all.slice(from-o.start, to-o.start)
}

// chunk is how many numbers are summed up at a time, so that they stay in the nearest cache.
const chunk = 1 << 12

// take is part of source k, times its factor, which may be written if it is not alone to be added.
func (x *divided) take(k int, o *source, part flat, added bool) flat {
	if o.shared && added && o.factor == 1 {
		return part
	}
	if !o.shared {
		if o.factor != 1 {
			part.scale(o.factor)
		}
		return part
	}
	for len(x.scratch) <= k {
		x.scratch = append(x.scratch, flat{})
	}
	room := &x.scratch[k]
	if part.f64 != nil && room.f64 == nil {
		room.f64 = make([]float64, chunk)
	}
	if part.f32 != nil && room.f32 == nil {
		room.f32 = make([]float32, chunk)
	}
	copied := flat{f32: room.f32[:len(part.f32)]}
	if part.f64 != nil {
		copied = flat{f64: room.f64[:len(part.f64)]}
	}
	copied.scaled(part, o.factor)
	return copied
}

// sumDense makes a part of the segment the sum of the sources there, times factor. It goes chunk by
// chunk.
func (x *divided) sumDense(to flat, from int, list []source, factor float64) {
	for begin := 0; begin < to.len(); begin += chunk {
		end := min(begin+chunk, to.len())
		sum := to.slice(begin, end)
		for k := range list {
			o := &list[k]
			n, part := o.node, o.at(from+begin, from+end, 0)
			if k == 0 {
				sum.scaled(part, o.factor)
				n.sum = sum
			} else {
				// what is on the right is added to what is on the left
				n.sum = x.take(k, o, part, n.index%2 == 1)
			}
			x.adder.push(n)
		}
		x.adder.root()
		sum.scale(factor)
	}
}

// sumTouched makes a span of the segment the sum of the sources, times factor: range by range, of
// the sources that have touched it.
func (x *divided) sumTouched(to flat, s span, list []source, factor float64) {
	x.within[s.slot].in(s.from, s.to, func(a, b int) { to.slice(a-s.from, b-s.from).clear() })
	var ends []int
	union := touched{}
	for _, o := range list {
		var own touched
		o.touched.in(s.from, s.to, func(a, b int) {
			own = append(own, reach{a, b})
			ends = append(ends, a, b)
			for at := a + chunk; at < b; at += chunk {
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
		for k := range list {
			o := &list[k]
			for next[k] < len(o.touched) && o.touched[next[k]].to <= a {
				next[k]++
			}
			n := o.node
			n.sum = flat{}
			if next[k] < len(o.touched) && o.touched[next[k]].from <= a {
				n.sum = x.take(k, o, o.at(a, b, at[k]), false)
				at[k] += b - a
			}
			x.adder.push(n)
		}
		if sum := x.adder.root(); sum.len() > 0 {
			part := to.slice(a-s.from, b-s.from)
			part.copyFrom(sum)
			part.scale(factor)
		}
	}
	x.within[s.slot] = union
}

// reduce makes segment the sum of the nodes of all, times factor, once they have come, and squares
// that of its blocks. Counts are those of all shards if gradients were sent raw. It goes block by
// block, so that what is summed is squared while it is in the cache, or, of what is touched in part
// only, range by range.
func (x *divided) reduce(own *shardTree, counts []int, factor float64) {
	next := 0 // of blocks
	for _, s := range x.spans[x.world.Rank()] {
		list, sparse := x.sources(own, s, counts)
		to := x.part(s, x.segment)
		if sparse {
			x.sumTouched(to, s, list, factor)
		} else {
			x.within[s.slot] = nil
		}
		for ; next < len(x.blocks) && x.blocks[next].slot == s.slot; next++ {
			b := x.blocks[next]
			part := to.slice(b.from-s.from, b.to-s.from)
			if !sparse {
				x.sumDense(part, b.from, list, factor)
			}
			x.squares[next] = 0
			if !sparse || x.within[s.slot].size(b.from, b.to) > 0 {
				x.squares[next] = kernels.SumSquares(part.f32) + kernels.SumSquares(part.f64)
			}
		}
	}
	own.clear()
}
