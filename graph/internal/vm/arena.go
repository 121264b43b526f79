package vm

import (
	"errors"
	"sync"
	"unsafe"

	"github.com/seqzoo/seqzoo/internal/kernels"
)

// Arena is memory that several programs use in turn.
type Arena struct {
	mu  sync.Mutex // held by the program that runs
	f32 memory[float32]
	f64 memory[float64]
	age int // how often it has grown
}

// ErrArenaInUse refuses a run while another program of the same arena runs.
var ErrArenaInUse = errors.New("another machine is using the arena that this one shares; run " +
	"them one after another, or give each its own")

// Bytes is the size of the arena.
func (a *Arena) Bytes() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.held()
}

// Extent is an amount of memory, in elements.
type Extent struct{ Floats, Ints int }

func (e Extent) bytes(size int) int {
	if e.Floats > 0 {
		e.Floats += Alignment
	}
	return e.Floats*size + e.Ints*8
}

// memory is what buffers are parts of.
type memory[F kernels.Float] struct {
	floats []F
	ints   []int
}

// allocate makes memory whose floats begin at a cache line.
func allocate[F kernels.Float](e Extent) memory[F] {
	m := memory[F]{ints: make([]int, e.Ints)}
	if e.Floats == 0 {
		return m
	}
	var z F
	m.floats = make([]F, e.Floats+Alignment)
	if past := int(uintptr(unsafe.Pointer(unsafe.SliceData(m.floats)))) % 64; past != 0 {
		m.floats = m.floats[(64-past)/int(unsafe.Sizeof(z)):]
	}
	return m
}

func memoryOf[F kernels.Float](a *Arena) *memory[F] {
	if m, ok := any(&a.f32).(*memory[F]); ok {
		return m
	}
	return any(&a.f64).(*memory[F])
}

// reserve makes the arena large enough.
func reserve[F kernels.Float](a *Arena, e Extent) {
	a.mu.Lock()
	defer a.mu.Unlock()
	m := memoryOf[F](a)
	if e.Floats <= len(m.floats) && e.Ints <= len(m.ints) {
		return
	}
	*m = allocate[F](Extent{max(e.Floats, len(m.floats)), max(e.Ints, len(m.ints))})
	a.age++
}

// held is Bytes for whoever has the arena.
func (a *Arena) held() int {
	return len(a.f32.floats)*4 + len(a.f64.floats)*8 + (len(a.f32.ints)+len(a.f64.ints))*8
}

// enter takes the arena for a run.
func (p *program[F]) enter() error {
	if p.arenas != nil {
		a, err := borrow[F](p.arenas, p.code.Shared)
		if err != nil {
			return err
		}
		p.lone = p.arenas.line.Lent() > 1
		p.arena = a
	}
	if p.arena == nil {
		return nil
	}
	if !p.arena.mu.TryLock() {
		return ErrArenaInUse
	}
	if p.age != p.arena.age || p.in != p.arena {
		p.place(*memoryOf[F](p.arena), InArena)
		p.age, p.in = p.arena.age, p.arena
	}
	return nil
}

func (p *program[F]) leave() {
	if p.arena == nil {
		return
	}
	p.arena.mu.Unlock()
	if p.arenas == nil {
		return
	}
	a := p.arena
	if a.held() > smallArena {
		p.forget()
	}
	p.arena = nil
	p.arenas.note(a.held())
	p.arenas.line.Put(a)
}
