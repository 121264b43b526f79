package vm

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/sysmem"
	"github.com/seqzoo/seqzoo/internal/turns"
)

// Arenas are a few arenas for many programs: each run borrows one, and waits for it if all are
// lent.
type Arenas struct {
	line  *turns.Line[*Arena]
	bytes atomic.Int64 // of all arenas
	most  atomic.Int64 // that one of them has
}

// NewArenas is n arenas, empty for now.
func NewArenas(n int) *Arenas {
	return &Arenas{line: turns.New(n, func() *Arena { return &Arena{} })}
}

// ErrMemory is what a MemoryError is.
var ErrMemory = sysmem.ErrMemory

// MemoryError says that the values of a graph need more bytes than the limit.
type MemoryError struct{ Need, Limit int }

// Error says how many bytes.
func (e *MemoryError) Error() string {
	return fmt.Sprintf("the values of the graph need %d bytes, more than the limit of %d", e.Need,
		e.Limit)
}

// Is has it be ErrMemory.
func (e *MemoryError) Is(target error) bool { return target == ErrMemory }

// Bytes is the memory of all arenas together.
func (a *Arenas) Bytes() int { return int(a.bytes.Load()) }

// Most is the size of the largest arena. After a Trim, one that is lent counts from when it is
// given back.
func (a *Arenas) Most() int { return int(a.most.Load()) }

// note has Most be at least as many bytes.
func (a *Arenas) note(held int) {
	for most := a.most.Load(); int64(held) > most; most = a.most.Load() {
		if a.most.CompareAndSwap(most, int64(held)) {
			return
		}
	}
}

// Trim gives back the memory of arenas larger than so many bytes that no program runs in.
func (a *Arenas) Trim(larger int) {
	left := 0
	a.line.Free(func(x *Arena) {
		if n := x.held(); n > larger {
			a.bytes.Add(-int64(n))
			x.f32, x.f64 = memory[float32]{}, memory[float64]{}
			x.age++
		}
		left = max(left, x.held())
	})
	a.most.Store(int64(left))
}

const (
	// Programs keep pointing to an arena that has no more bytes than this after they have run in
	// it: to look for all of them takes longer than a small program.
	smallArena = 1 << 20
	// An arena that grows by fewer bytes than this does so without a look at what memory there is.
	lookFrom = 32 << 20
)

// borrow takes an arena, and has it be large enough. The caller gives it back, unless there is an
// error.
func borrow[F kernels.Float](a *Arenas, e Extent) (*Arena, error) {
	x := a.line.Take()
	m := memoryOf[F](x)
	if e.Floats <= len(m.floats) && e.Ints <= len(m.ints) {
		return x, nil
	}
	var z F
	more := Extent{max(0, e.Floats-len(m.floats)), max(0, e.Ints-len(m.ints))}
	grow := more.bytes(int(unsafe.Sizeof(z)))
	if grow > lookFrom {
		if free := sysmem.Available(); free > 0 && grow > free {
			held := x.held()
			a.line.Put(x)
			return nil, &MemoryError{held + grow, held + free}
		}
	}
	before := x.held()
	reserve[F](x, e)
	now := x.held()
	a.bytes.Add(int64(now - before))
	a.note(now)
	return x, nil
}

// forget drops what points to the arena of the last run, so that its memory can be given back.
func (p *program[F]) forget() {
	for i, f := range p.code.Buffers {
		if f.Kind == InArena && f.First >= 0 {
			p.bufs[i], p.ints[i] = nil, nil
		}
	}
	clear(p.packs)
	for _, x := range p.workers {
		clear(x.slots)
		clear(x.lefts[:cap(x.lefts)])
		clear(x.tensor[:cap(x.tensor)])
	}
	p.in = nil
}
