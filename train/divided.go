package train

import (
	"math"
	"unsafe"

	"gorgonia.org/gorgonia"
)

// divided sums gradients up over processes and shares the update out among them. Each process has a
// segment of all parameters: it receives the gradients of that segment from every process, adds
// them up in the order of shardTree, clips and updates the segment, and sends the new values to
// every process. All is sent from where it is and received where it is needed, parameter by parameter.
type divided struct {
	world    Processes
	messages Messages
	layout   *layout
	parts    [][]treeNode // the nodes of each process; the sums are where its segments are received
	spans    [][]span     // what each process's segment has of the parameters

	own    extent  // where the segment of this process stands
	blocks []block // of it
	ends   []extent
	counts []int // blocks of each process

	// gradients of the only shard of this process, by parameter, if that is not summed up before it is
	// sent, and where they may differ from 0
	raw        []vector
	rawTouched []touched
	touched    [][][]touched // of the nodes of each process, by parameter
	packed     []flat        // by parameter: what is touched of it, to be sent
	scratch    flat          // a block
	segment    flat          // of the gradient
	within     []touched     // by parameter: what is touched of segment
	shown      []bool        // of it to somebody who may write to it
	squares    []float64
	norms      []float64            // of all blocks
	pieces     []gorgonia.ValueGrad // of each slot, nil where this process has no part of it
	whole      flat                 // room for what all processes give
}

// span is a part of a parameter.
type span struct{ slot, from, to int }

func newDivided(world Processes, l *layout, shards int) divided {
	x := divided{world: world, messages: messagesOf(world), layout: l}
	size := world.Size()
	for r := range size {
		blocks, at := l.segment(r, size)
		x.counts, x.ends = append(x.counts, len(blocks)), append(x.ends, at)
		from, to := ShardRows(shards, r, size)
		x.parts, x.spans = append(x.parts, nodesOf(from, to)), append(x.spans, spansOf(blocks))
	}
	x.blocks, x.own = l.segment(world.Rank(), size)
	for r, nodes := range x.parts {
		for i := range nodes {
			if r != world.Rank() {
				nodes[i].sum = x.own.zeros()
			}
		}
	}
	x.segment = x.own.zeros()
	x.packed, x.within = make([]flat, len(l.slots)), make([]touched, len(l.slots))
	x.shown = make([]bool, len(l.slots))
	for _, nodes := range x.parts {
		of := make([][]touched, len(nodes))
		for k := range of {
			of[k] = make([]touched, len(l.slots))
		}
		x.touched = append(x.touched, of)
	}
	x.squares, x.norms = make([]float64, len(x.blocks)), make([]float64, len(l.blocks))
	return x
}

// spansOf joins the blocks of each parameter.
func spansOf(blocks []block) (spans []span) {
	for _, b := range blocks {
		if n := len(spans); n > 0 && spans[n-1].slot == b.slot {
			spans[n-1].to = b.to
		} else {
			spans = append(spans, span(b))
		}
	}
	return spans
}

// bytes is the memory of numbers of one type.
func (x flat) bytes() []byte {
	if x.f64 != nil {
		return bytesOf(x.f64)
	}
	return bytesOf(x.f32)
}

// only is the numbers of one type.
func (x flat) only(wide bool) flat {
	if wide {
		return flat{f64: x.f64}
	}
	return flat{f32: x.f32}
}

func (e extent) bytes(wide bool) int {
	if wide {
		return 8 * (e.to64 - e.from64)
	}
	return 4 * (e.to32 - e.from32)
}

func bytesOf[T float](x []T) []byte {
	if len(x) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), len(x)*int(unsafe.Sizeof(x[0])))
}

// clip clips the gradient as Clip.Apply does, and returns its norm.
func (x *divided) clip(c Clip) (norm float64, err error) {
	counts := make([]int, len(x.counts))
	for r, n := range x.counts {
		counts[r] = 8 * n
	}
	if err := x.world.AllGather(bytesOf(x.squares), bytesOf(x.norms), counts); err != nil {
		return 0, err
	}
	for _, s := range x.layout.slots {
		var squares float64
		for _, v := range x.norms[s.blocks.from:s.blocks.to] {
			squares += v
		}
		norm = math.Hypot(norm, math.Sqrt(squares))
	}
	if factor := c.factor(norm); norm-norm == 0 {
		for _, s := range x.spans[x.world.Rank()] {
			x.within[s.slot].in(s.from, s.to, func(from, to int) {
				c.limit(x.layout.slots[s.slot].of(x.segment, x.own, from, to), factor)
			})
		}
	}
	return norm, nil
}

// step updates this process's part of the parameters that have a gradient, and shares the values.
func (x *divided) step(o Optimizer, having func([]gorgonia.ValueGrad) []gorgonia.ValueGrad) error {
	if x.pieces == nil {
		x.pieces = make([]gorgonia.ValueGrad, len(x.layout.slots))
		for i, s := range x.layout.slots {
			if from, to := x.piece(i); from < to {
				value, grad := s.values(from, to), s.of(x.segment, x.own, from, to)
				x.pieces[i] = &gathered{ValueGrad: piece{value.dense(to - from)}, name: s.name,
					grad: grad.dense(to - from), within: x.withinPiece(i, from, to),
					show: func() { x.within[i], x.shown[i] = nil, true }}
			}
		}
	}
	if err := o.Step(having(x.pieces)); err != nil {
		return err
	}
	return x.share()
}

// withinPiece is what is touched of a part of a parameter, counted from its start.
func (x *divided) withinPiece(slot, from, to int) func() touched {
	room := touched{}
	return func() touched {
		if x.within[slot] == nil {
			return nil
		}
		room = room[:0]
		x.within[slot].in(from, to, func(a, b int) { room = append(room, reach{a - from, b - from}) })
		return room
	}
}

// piece is this process's part of a slot.
func (x *divided) piece(slot int) (from, to int) { return partOf(x.blocks, slot) }

// partOf is the part of a slot that blocks make up.
func partOf(blocks []block, slot int) (from, to int) {
	for _, b := range blocks {
		if b.slot == slot {
			if to == 0 {
				from = b.from
			}
			to = b.to
		}
	}
	return from, to
}

// piece is the value of a part of a parameter.
type piece struct{ value gorgonia.Value }

func (p piece) Value() gorgonia.Value         { return p.value }
func (p piece) Grad() (gorgonia.Value, error) { return nil, nil }

// share gives all processes the values of every part.
func (x *divided) share() error {
	rank := x.world.Rank()
	for r, spans := range x.spans {
		if r == rank {
			continue
		}
		for _, s := range x.spans[rank] {
			data := x.layout.slots[s.slot].values(s.from, s.to).bytes()
			if err := x.messages.Send(r, s.slot%mostTags, data); err != nil {
				return err
			}
		}
		for _, s := range spans {
			data := x.layout.slots[s.slot].values(s.from, s.to).bytes()
			if err := x.messages.Receive(r, s.slot%mostTags, data); err != nil {
				return err
			}
		}
	}
	return x.messages.Wait()
}

// gather gives all processes the segments of each. Segment may be its own place in whole.
func (x *divided) gather(segment, whole flat) error {
	counts := make([]int, len(x.ends))
	for _, wide := range []bool{false, true} {
		if x.layout.all.bytes(wide) == 0 {
			continue
		}
		for r := range counts {
			counts[r] = x.ends[r].bytes(wide)
		}
		if err := x.world.AllGather(segment.only(wide).bytes(), whole.only(wide).bytes(), counts); err != nil {
			return err
		}
	}
	return nil
}
