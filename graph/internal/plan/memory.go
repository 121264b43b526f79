package plan

import (
	"slices"

	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/graph/internal/vm"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// fresh is new contiguous memory for a value.
func (b *builder[F]) fresh(t ops.Type, k vm.Kind) *vm.Layout {
	b.code.Buffers = append(b.code.Buffers, &vm.Buffer{Kind: k, Of: t, At: b.at, Size: t.Size(),
		Ints: t.Dtype == tensor.Int, First: -1})
	return &vm.Layout{Buf: len(b.code.Buffers) - 1, Shape: slices.Clone(t.Shape),
		Strides: vm.RowMajor(t.Shape), Ints: t.Dtype == tensor.Int}
}

// planMemory gives every buffer its place: buffers that are alive at the same time lie apart,
// others may share memory. The largest come first, each as low as it fits. Where several programs
// share an arena, results lie apart from it.
func (b *builder[F]) planMemory(touched [][]int, bodies map[int]uses) error {
	apart := b.cfg.Arena != nil || b.cfg.Arenas != nil
	var shared, own area
	for _, f := range b.lifetimes(touched, bodies) {
		if f.Kind == vm.Permanent && apart {
			own.add(f)
		} else {
			shared.add(f)
		}
	}
	b.code.Shared, b.code.Own = shared.top, own.top
	bytes := b.code.Memory()
	if limit := b.cfg.Limit; limit > 0 && bytes > limit {
		return &vm.MemoryError{Need: bytes, Limit: limit}
	}
	return nil
}

// lifetimes says of every buffer which instructions use it first and last, and gives the buffers
// that need memory, the largest first. Instructions of segments count one by one.
func (b *builder[F]) lifetimes(touched [][]int, bodies map[int]uses) []*vm.Buffer {
	end := 0 // instructions so far
	use := func(bufs []int) {
		for _, n := range bufs {
			f := b.code.Buffers[n]
			if f.First < 0 {
				f.First = end
			}
			f.Last = end
		}
	}
	for i, bufs := range touched {
		u, ok := bodies[i]
		if !ok {
			use(bufs)
			end++
			continue
		}
		use(u.across)
		for _, bufs := range u.body {
			end++
			use(bufs)
		}
		use(u.across)
		end++
	}
	var order []*vm.Buffer
	for _, f := range b.code.Buffers {
		if f.Kind == vm.Permanent {
			f.First, f.Last = 0, end
		}
		if f.Kind != vm.External && f.First >= 0 {
			order = append(order, f)
		}
	}
	slices.SortStableFunc(order, func(x, y *vm.Buffer) int { return y.Size - x.Size })
	return order
}

// area is memory in which buffers are placed.
type area struct {
	top          vm.Extent
	floats, ints []*vm.Buffer // by offset
}

// add places a buffer as low as it fits beside those that are alive when it is.
func (a *area) add(f *vm.Buffer) {
	row, top := &a.floats, &a.top.Floats
	if f.Ints {
		row, top = &a.ints, &a.top.Ints
	}
	need := aligned(f.Size)
	at := 0
	for _, o := range *row {
		if o.First > f.Last || f.First > o.Last {
			continue
		}
		if at+need <= o.Offset {
			break
		}
		at = max(at, o.Offset+aligned(o.Size))
	}
	f.Offset = at
	i, _ := slices.BinarySearchFunc(*row, at, func(o *vm.Buffer,
		at int) int {
		return o.Offset - at
	})
	*row = slices.Insert(*row, i, f)
	*top = max(*top, at+need)
}

// aligned is a number of elements rounded up to whole cache lines.
func aligned(n int) int { return (n + vm.Alignment - 1) / vm.Alignment * vm.Alignment }

// uses is what a loop over segments touches: buffers that last from segment to segment, and those
// of each instruction.
type uses struct {
	across []int
	body   [][]int
}

// freshFor is new memory for v, all steps of it perhaps.
func (k *block[F]) freshFor(v *ir.Value, t ops.Type) *vm.Layout {
	l := k.fresh(t, vm.InArena)
	k.code.Buffers[l.Buf].At = []ops.Place{v.At}
	return l
}
