package train

import (
	"math"
	"unsafe"

	"gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/internal/kernels"
)

// divided sums gradients up over processes and shares the update out among them. Each process has a
// segment of all parameters: it receives the gradients of that segment from every process, adds
// them up in the order of shardTree, clips and updates the segment, and sends the new values to
// every process.
type divided struct {
	world  Processes
	layout *layout
	parts  [][]treeNode // the nodes of each process; the sums are where its segments are received
	rounds int          // most nodes of a process
	recv   []flat       // a round's

	own    extent  // where the segment of this process stands
	blocks []block // of it
	ends   []extent
	counts []int // blocks of each process

	segment flat // of the gradient
	squares []float64
	norms   []float64            // of all blocks
	pieces  []gorgonia.ValueGrad // of each slot, nil where this process has no part of it
	whole   flat                 // room for what all processes give
}

func newDivided(world Processes, l *layout, shards int) divided {
	x := divided{world: world, layout: l}
	size := world.Size()
	for r := range size {
		blocks, at := l.segment(r, size)
		x.counts, x.ends = append(x.counts, len(blocks)), append(x.ends, at)
		from, to := ShardRows(shards, r, size)
		x.parts = append(x.parts, nodesOf(from, to))
		x.rounds = max(x.rounds, len(x.parts[r]))
	}
	x.blocks, x.own = l.segment(world.Rank(), size)
	for round := range x.rounds {
		n32, n64 := x.own.to32-x.own.from32, x.own.to64-x.own.from64
		n := 0
		for _, nodes := range x.parts {
			if round < len(nodes) {
				n++
			}
		}
		all := flat{make([]float32, n*n32), make([]float64, n*n64)}
		x.recv = append(x.recv, all)
		for _, nodes := range x.parts {
			if round < len(nodes) {
				nodes[round].sum = flat{all.f32[:n32:n32], all.f64[:n64:n64]}
				all = flat{all.f32[n32:], all.f64[n64:]}
			}
		}
	}
	x.squares, x.norms = make([]float64, len(x.blocks)), make([]float64, len(l.blocks))
	return x
}

// reduce makes segment the sum of the nodes of all, times factor.
func (x *divided) reduce(own *shardTree, factor float64) error {
	for round := range x.rounds {
		var send flat
		if round < len(own.nodes) {
			send = own.nodes[round].sum
		}
		if err := x.allToAll(send, round); err != nil {
			return err
		}
	}
	var t shardTree
	for _, nodes := range x.parts {
		for _, n := range nodes {
			t.push(n)
		}
	}
	x.segment = t.root()
	x.segment.scale(factor)
	own.clear()
	return nil
}

// allToAll sends each process its segment of a node, and receives its own from every process.
func (x *divided) allToAll(send flat, round int) error {
	size := len(x.parts)
	sends, recvs := make([]int, size), make([]int, size)
	for _, wide := range []bool{false, true} {
		if x.layout.all.bytes(wide) == 0 {
			continue
		}
		data := send.bytes(wide)
		for r := range size {
			sends[r], recvs[r] = 0, 0
			if len(data) > 0 {
				sends[r] = x.ends[r].bytes(wide)
			}
			if round < len(x.parts[r]) {
				recvs[r] = x.own.bytes(wide)
			}
		}
		if err := x.world.AllToAll(data, sends, x.recv[round].bytes(wide), recvs); err != nil {
			return err
		}
	}
	return nil
}

// bytes is the memory of the float64 numbers if wide, else of the float32 ones.
func (x flat) bytes(wide bool) []byte {
	if wide {
		return bytesOf(x.f64)
	}
	return bytesOf(x.f32)
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
	for i, b := range x.blocks {
		part := x.layout.slots[b.slot].of(x.segment, x.own, b.from, b.to)
		x.squares[i] = kernels.SumSquares(part.f32) + kernels.SumSquares(part.f64)
	}
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
		c.limit(x.segment, factor)
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
				x.pieces[i] = &gathered{piece{value.dense(to - from)}, s.name, grad.dense(to - from),
					vector{}}
			}
		}
	}
	if err := o.Step(having(x.pieces)); err != nil {
		return err
	}
	return x.share()
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
	if x.whole.f32 == nil && x.whole.f64 == nil {
		x.whole = x.layout.all.zeros()
	}
	for _, b := range x.blocks {
		s := x.layout.slots[b.slot]
		s.of(x.whole, extent{}, b.from, b.to).copyFrom(s.values(b.from, b.to))
	}
	if err := x.gather(x.whole.part(x.own), x.whole); err != nil {
		return err
	}
	for _, s := range x.layout.slots {
		s.values(0, s.len()).copyFrom(s.whole(x.whole))
	}
	return nil
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
		if err := x.world.AllGather(segment.bytes(wide), whole.bytes(wide), counts); err != nil {
			return err
		}
	}
	return nil
}
