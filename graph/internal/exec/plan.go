package exec

import (
	"slices"
	"unsafe"

	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/ops"
)

// buffer is memory that some value or several have for a time.
type buffer struct {
	kind        kind
	size        int // elements
	ints        bool
	first, last int // instructions
	offset      int
}

type kind int

const (
	arena     kind = iota // shared with buffers that are needed at other times
	permanent             // a result: it keeps its value until the next run
	external              // an input: bound at each run
)

// alignment is that of buffers in elements: a cache line of float32.
const alignment = 16

// fresh is new contiguous memory for a value.
func (b *builder[F]) fresh(t ops.Type, k kind) *loc {
	b.buffers = append(b.buffers, &buffer{kind: k, size: t.Size(), ints: t.Dtype == tensor.Int, first: -1})
	return &loc{buf: len(b.buffers) - 1, shape: slices.Clone(t.Shape), strides: rowMajor(t.Shape), ints: t.Dtype == tensor.Int}
}

// plan gives every buffer its place: buffers that are alive at the same time lie apart, others may share memory. The
// largest come first, each as low as it fits.
func (b *builder[F]) plan(touched [][]int) {
	for i, bufs := range touched {
		for _, n := range bufs {
			f := b.buffers[n]
			if f.first < 0 {
				f.first = i
			}
			f.last = i
		}
	}
	var order []*buffer
	for _, f := range b.buffers {
		if f.kind == permanent {
			f.first, f.last = 0, len(touched)
		}
		if f.kind != external && f.first >= 0 {
			order = append(order, f)
		}
	}
	slices.SortStableFunc(order, func(x, y *buffer) int { return y.size - x.size })
	var top [2]int
	var placed [2][]*buffer // by offset
	for _, f := range order {
		which := 0
		if f.ints {
			which = 1
		}
		need := (f.size + alignment - 1) / alignment * alignment
		at := 0
		for _, o := range placed[which] {
			if o.first > f.last || f.first > o.last {
				continue
			}
			if at+need <= o.offset {
				break
			}
			at = max(at, o.offset+(o.size+alignment-1)/alignment*alignment)
		}
		f.offset = at
		i, _ := slices.BinarySearchFunc(placed[which], at, func(o *buffer, at int) int { return o.offset - at })
		placed[which] = slices.Insert(placed[which], i, f)
		top[which] = max(top[which], at+need)
	}
	var z F
	size := int(unsafe.Sizeof(z))
	floats := make([]F, top[0]+alignment)
	if past := int(uintptr(unsafe.Pointer(unsafe.SliceData(floats)))) % 64; past != 0 {
		floats = floats[(64-past)/size:]
	}
	ints := make([]int, top[1])
	b.p.memory = (top[0]+alignment)*size + top[1]*8
	b.p.bufs, b.p.ints = make([][]F, len(b.buffers)), make([][]int, len(b.buffers))
	for i, f := range b.buffers {
		switch {
		case f.kind == external || f.first < 0:
		case f.ints:
			b.p.ints[i] = ints[f.offset : f.offset+f.size : f.offset+f.size]
		default:
			b.p.bufs[i] = floats[f.offset : f.offset+f.size : f.offset+f.size]
		}
	}
}
