package train

import (
	"fmt"
	"unsafe"
)

// windowed are Processes of which those of one host share memory. Windows gives each process so
// many bytes of its own, which it writes, and those of all that it may read, by rank; of one that
// it may not read, or that may not read its own, it gives nil. What was written before a call of
// another method by all, such as Barrier, others read after it. Every process calls it, and the
// memory of an earlier call is then gone.
//
// Of an update gradients are written before report and read after it, in reduce; new values are
// written after that, and read once the barrier of share is passed. Whoever has passed it knows
// that all are done with the gradients, and whoever has the next report that all are done with the
// values.
type windowed interface {
	Processes
	Windows(bytes int) ([][]byte, error)
}

// window is memory of a process that others read.
type window struct {
	nodes   []flat // of gradients of all parameters: its nodes of shardTree
	segment flat   // its new values
}

// openWindows makes a window of this process, and finds those of the others of its host.
func (x *divided) openWindows() error {
	n, rank := x.world.Size(), x.world.Rank()
	w, ok := x.world.(windowed)
	if !ok {
		return nil
	}
	memory, err := w.Windows(x.windowBytes(rank))
	if err != nil {
		return errorOf(ErrProcesses, "train: process %d of %d: %w", rank, n, err)
	}
	if len(memory) != n {
		return fmt.Errorf("train: %T.Windows gives those of %d processes of %d", x.world,
			len(memory), n)
	}
	read := []byte{0}
	for r, data := range memory {
		if data == nil || r == rank || memory[rank] == nil {
			continue
		}
		if len(data) < x.windowBytes(r) {
			return fmt.Errorf("train: the window of process %d has %d bytes, and not %d", r,
				len(data), x.windowBytes(r))
		}
		x.windows[r], x.windows[rank] = x.windowOver(data, r), x.windowOver(memory[rank], rank)
		read[0] = 1
	}
	all, ones := make([]byte, n), make([]int, n)
	for r := range ones {
		ones[r] = 1
	}
	if err := x.world.AllGather(read, all, ones); err != nil {
		return errorOf(ErrProcesses, "train: process %d of %d: %w", rank, n, err)
	}
	for _, some := range all {
		x.shares = x.shares || some == 1
	}
	return nil
}

// windowBytes is how large that of a process is.
func (x *divided) windowBytes(rank int) int {
	return len(x.parts[rank])*x.layout.all.bytes() + x.sizes[rank].bytes()
}

// bytes is what numbers take; those after them are aligned.
func (s size) bytes() int { return 8*s.n64 + (4*s.n32+7)/8*8 }

// windowOver is the window of a process over its memory.
func (x *divided) windowOver(data []byte, rank int) *window {
	take := func(s size) (f flat) {
		f.f64 = numbersOf[float64](data, s.n64)
		f.f32 = numbersOf[float32](data[8*s.n64:], s.n32)
		data = data[s.bytes():]
		return f
	}
	w := &window{}
	for range x.parts[rank] {
		w.nodes = append(w.nodes, take(x.layout.all))
	}
	w.segment = take(x.sizes[rank])
	return w
}

// numbersOf are the first n numbers of aligned memory.
func numbersOf[T float](data []byte, n int) []T {
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(data))), n)
}

// write puts what other processes read of this one's gradients into its window, multiplied by a
// count.
func (x *divided) write(own *shardTree, count float64) {
	rank := x.world.Rank()
	if x.windows[rank] == nil {
		return
	}
	for k, node := range x.windows[rank].nodes {
		for r, spans := range x.spans {
			if r == rank || x.windows[r] == nil {
				continue
			}
			for _, s := range spans {
				all, t := x.gradientOf(own, k, s.slot)
				to := x.layout.slots[s.slot].whole(node)
				t.in(s.from, s.to, func(a, b int) { to.slice(a, b).scaled(all.slice(a, b), count) })
			}
		}
	}
}
