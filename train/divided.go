package train

import (
	"math"
	"unsafe"

	"gorgonia.org/gorgonia"
)

// divided sums gradients up over processes and shares the update out among them. Each process has a
// segment of all parameters: it receives the gradients of that segment from every process, adds
// them up in the order of shardTree, clips and updates the segment, and sends the new values to
// every process. All is sent from where it is and received where it is needed, parameter by
// parameter; processes that share memory write there what others read.
type divided struct {
	world    Processes
	messages Messages
	layout   *layout
	parts    [][]treeNode // the nodes of each process; the sums are where its segments come to
	spans    [][]span     // what each process's segment has of the parameters
	sizes    []size       // of these
	windows  []*window    // of each process that this one reads, and its own; nil: there is none
	shares   bool         // some process has one that another reads

	blocks []block // of this process's segment
	order  []int   // of all blocks, process by process: their numbers
	counts []int   // of bytes, of a number for each block of a process

	// gradients of the only shard of this process, by parameter, if that is not summed up before it
	// is sent, and where they may differ from 0
	raw        []vector
	rawTouched []touched
	touched    [][][]touched // of the nodes of each process, by parameter
	packed     []flat        // by parameter: what is touched of it, to be sent
	scratch    []flat        // a chunk of each source
	adder      shardTree     // of chunks
	segment    flat          // of the gradient
	within     []touched     // by parameter: what is touched of segment
	shown      []bool        // of it to somebody who may write to it
	squares    []float64
	gathered   []float64            // of all blocks, in order
	norms      []float64            // of all blocks
	pieces     []gorgonia.ValueGrad // of each slot, nil where this process has no part of it
	whole      flat                 // room for what all processes give
}

// newDivided says who has what, and asks nothing of the others, which may yet turn out to train
// something else.
func newDivided(world Processes, l *layout, shards int) divided {
	x := divided{world: world, messages: messagesOf(world), layout: l}
	n, rank := world.Size(), world.Rank()
	x.spans = l.divide(n)
	x.sizes = make([]size, n)
	for r, spans := range x.spans {
		first := len(x.order)
		for i := range spans {
			s := &spans[i]
			of := l.slots[s.slot]
			s.at = x.sizes[r].add(of.dtype, s.to-s.from)
			for b := of.blocks.from; b < of.blocks.to; b++ {
				if at := l.blocks[b].from; s.from <= at && at < s.to {
					x.order = append(x.order, b)
				}
			}
		}
		own := x.order[first:]
		if r == rank {
			for _, b := range own {
				x.blocks = append(x.blocks, l.blocks[b])
			}
		}
		x.counts = append(x.counts, 8*len(own))
		from, to := ShardRows(shards, r, n)
		x.parts = append(x.parts, nodesOf(from, to))
	}
	x.windows = make([]*window, n)
	x.segment = x.sizes[rank].zeros()
	x.packed, x.within = make([]flat, len(l.slots)), make([]touched, len(l.slots))
	x.shown = make([]bool, len(l.slots))
	x.squares = make([]float64, len(x.blocks))
	x.gathered, x.norms = make([]float64, len(l.blocks)), make([]float64, len(l.blocks))
	return x
}

// prepare makes room for the gradients of others, once it is known that all train the same: in
// windows, and where there are none for messages.
func (x *divided) prepare() error {
	if err := x.openWindows(); err != nil {
		return err
	}
	rank := x.world.Rank()
	for r, nodes := range x.parts {
		of := make([][]touched, len(nodes))
		for i := range nodes {
			of[i] = make([]touched, len(x.layout.slots))
			if r != rank && x.windows[r] == nil {
				nodes[i].sum = x.sizes[rank].zeros()
			}
		}
		x.touched = append(x.touched, of)
	}
	return nil
}

// bytes is the memory of numbers of one type.
func (x flat) bytes() []byte {
	if x.f64 != nil {
		return bytesOf(x.f64)
	}
	return bytesOf(x.f32)
}

func bytesOf[T float](x []T) []byte {
	if len(x) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))),
		len(x)*int(unsafe.Sizeof(x[0])))
}

// clip clips the gradient as Clip.Apply does, and returns its norm.
func (x *divided) clip(c Clip) (norm float64, err error) {
	if err := x.world.AllGather(bytesOf(x.squares), bytesOf(x.gathered), x.counts); err != nil {
		return 0, err
	}
	for i, b := range x.order {
		x.norms[b] = x.gathered[i]
	}
	of := func(slot int) float64 {
		blocks, squares := x.layout.slots[slot].blocks, 0.0
		for _, v := range x.norms[blocks.from:blocks.to] {
			squares += v
		}
		return math.Sqrt(squares)
	}
	for slot := range x.layout.slots {
		norm = math.Hypot(norm, of(slot))
	}
	if factor := c.factor(norm); norm-norm == 0 {
		for _, s := range x.spans[x.world.Rank()] {
			if c.Each {
				factor = c.factor(of(s.slot))
			}
			x.within[s.slot].in(s.from, s.to, func(from, to int) {
				c.limit(x.part(s, x.segment).slice(from-s.from, to-s.from), factor)
			})
		}
	}
	return norm, nil
}

// step updates this process's part of the parameters that have a gradient, and shares the values.
func (x *divided) step(o Optimizer, having func([]gorgonia.ValueGrad) []gorgonia.ValueGrad) error {
	if x.pieces == nil {
		x.pieces = make([]gorgonia.ValueGrad, len(x.layout.slots))
		for _, s := range x.spans[x.world.Rank()] {
			value, grad, n := x.values(s), x.part(s, x.segment), s.to-s.from
			x.pieces[s.slot] = &gathered{ValueGrad: piece{value.dense(n)},
				name: x.layout.slots[s.slot].name, grad: grad.dense(n),
				within: x.withinPiece(s.slot, s.from, s.to),
				show:   func() { x.within[s.slot], x.shown[s.slot] = nil, true }}
		}
	}
	if err := o.Step(having(x.pieces)); err != nil {
		return err
	}
	return x.share(x.values)
}

// withinPiece is what is touched of a part of a parameter, counted from its start.
func (x *divided) withinPiece(slot, from, to int) func() touched {
	room := touched{}
	return func() touched {
		if x.within[slot] == nil {
			return nil
		}
		room = room[:0]
		x.within[slot].in(from, to, func(a, b int) {
			room = append(room, reach{a - from, b - from})
		})
		return room
	}
}

// piece is the value of a part of a parameter.
type piece struct{ value gorgonia.Value }

func (p piece) Value() gorgonia.Value         { return p.value }
func (p piece) Grad() (gorgonia.Value, error) { return nil, nil }

// values is a span of the parameters themselves.
func (x *divided) values(s span) flat { return x.layout.slots[s.slot].values(s.from, s.to) }

// part is a span in its process's segment.
func (x *divided) part(s span, segment flat) flat {
	return x.layout.slots[s.slot].part(segment, s.at, 0, s.to-s.from)
}

// share gives all processes the segments of each, of which at says where the spans stand.
func (x *divided) share(at func(span) flat) error {
	rank := x.world.Rank()
	if own := x.windows[rank]; own != nil {
		for _, s := range x.spans[rank] {
			x.part(s, own.segment).copyFrom(at(s))
		}
	}
	for r, spans := range x.spans {
		if r == rank || x.windows[r] != nil {
			continue
		}
		for _, s := range x.spans[rank] {
			if err := x.messages.Send(r, s.slot%mostTags, at(s).bytes()); err != nil {
				return err
			}
		}
		for _, s := range spans {
			if err := x.messages.Receive(r, s.slot%mostTags, at(s).bytes()); err != nil {
				return err
			}
		}
	}
	if err := x.messages.Wait(); err != nil || !x.shares {
		return err
	}
	if err := x.world.Barrier(); err != nil {
		return err
	}
	for r, spans := range x.spans {
		if r == rank || x.windows[r] == nil {
			continue
		}
		for _, s := range spans {
			at(s).copyFrom(x.part(s, x.windows[r].segment))
		}
	}
	return nil
}

// gather gives all processes the gradient, of which each has a segment.
func (x *divided) gather(whole flat) error {
	at := func(s span) flat {
		of := x.layout.slots[s.slot]
		return of.part(whole, of.at, s.from, s.to)
	}
	for _, s := range x.spans[x.world.Rank()] {
		at(s).copyFrom(x.part(s, x.segment))
	}
	return x.share(at)
}
