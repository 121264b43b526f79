package exec

import (
	"errors"
	"fmt"
	"slices"

	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/ops"
)

// ErrMemory says that the values of a graph need more bytes than the limit.
var ErrMemory = errors.New("the values of the graph need")

// buffer is memory that some value or several have for a time.
type buffer struct {
	kind        kind
	of          ops.Type
	at          []ops.Place // what it was made for
	size        int         // elements
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
func (b *builder[F]) fresh(t ops.Type, k kind) *layout {
	b.buffers = append(b.buffers, &buffer{kind: k, of: t, at: b.at, size: t.Size(), ints: t.Dtype == tensor.Int, first: -1})
	return &layout{buf: len(b.buffers) - 1, shape: slices.Clone(t.Shape), strides: rowMajor(t.Shape), ints: t.Dtype == tensor.Int}
}

// plan gives every buffer its place: buffers that are alive at the same time lie apart, others may share memory. The
// largest come first, each as low as it fits. Where several programs share an arena, results lie apart from it.
func (b *builder[F]) plan(touched [][]int, bodies map[int]uses) error {
	end := 0 // instructions so far; those of segments count one by one
	use := func(bufs []int) {
		for _, n := range bufs {
			f := b.buffers[n]
			if f.first < 0 {
				f.first = end
			}
			f.last = end
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
	var order []*buffer
	for _, f := range b.buffers {
		if f.kind == permanent {
			f.first, f.last = 0, end
		}
		if f.kind != external && f.first >= 0 {
			order = append(order, f)
		}
	}
	slices.SortStableFunc(order, func(x, y *buffer) int { return y.size - x.size })
	var top [2]extent          // of the arena, and of results that lie apart
	var placed [2][2][]*buffer // by offset
	for _, f := range order {
		own, ints := 0, 0
		if f.kind == permanent && b.cfg.Arena != nil {
			own = 1
		}
		if f.ints {
			ints = 1
		}
		row := &placed[own][ints]
		need := (f.size + alignment - 1) / alignment * alignment
		at := 0
		for _, o := range *row {
			if o.first > f.last || f.first > o.last {
				continue
			}
			if at+need <= o.offset {
				break
			}
			at = max(at, o.offset+(o.size+alignment-1)/alignment*alignment)
		}
		f.offset = at
		i, _ := slices.BinarySearchFunc(*row, at, func(o *buffer, at int) int { return o.offset - at })
		*row = slices.Insert(*row, i, f)
		if f.ints {
			top[own].ints = max(top[own].ints, at+need)
		} else {
			top[own].floats = max(top[own].floats, at+need)
		}
	}
	p, size := b.p, b.elementSize()
	p.memory = top[0].bytes(size) + top[1].bytes(size)
	if limit := b.cfg.Limit; limit > 0 && p.memory > limit {
		return fmt.Errorf("%w %d bytes, more than the limit of %d", ErrMemory, p.memory, limit)
	}
	p.buffers, p.touched = b.buffers, touched
	p.bufs, p.ints = make([][]F, len(b.buffers)), make([][]int, len(b.buffers))
	if p.arena = b.cfg.Arena; p.arena == nil {
		p.place(allocate[F](top[0]), arena, permanent)
		return nil
	}
	p.place(allocate[F](top[1]), permanent)
	reserve[F](p.arena, top[0])
	return nil
}

// place gives buffers of some kinds their part of memory.
func (p *program[F]) place(m memory[F], kinds ...kind) {
	for i, f := range p.buffers {
		switch {
		case f.first < 0 || !slices.Contains(kinds, f.kind):
		case f.ints:
			p.ints[i] = m.ints[f.offset : f.offset+f.size : f.offset+f.size]
		default:
			p.bufs[i] = m.floats[f.offset : f.offset+f.size : f.offset+f.size]
		}
	}
}

// Buffer is a part of a program's memory.
type Buffer struct {
	At          []ops.Place
	Type        ops.Type
	Bytes       int
	Offset      int // bytes
	Result      bool
	First, Last int // numbers of the instructions that use it
}

// Buffers lists the program's memory, the largest first. Buffers that are needed at different times may overlap.
func (p *program[F]) Buffers() []Buffer {
	var out []Buffer
	for _, f := range p.buffers {
		if f.kind == external || f.first < 0 {
			continue
		}
		size := int(f.of.Dtype.Size())
		out = append(out, Buffer{At: f.at, Type: f.of, Bytes: f.size * size, Offset: f.offset * size, Result: f.kind == permanent, First: f.first, Last: f.last})
	}
	slices.SortStableFunc(out, func(a, b Buffer) int { return b.Bytes - a.Bytes })
	return out
}

// Planned is an instruction with where its data comes from.
type Planned struct {
	What string
	At   []ops.Place
	Body []Planned // of a loop
	From []Flow
}

// Flow is what an instruction reads, or writes over, of one before it.
type Flow struct{ Instruction, Bytes int }

// uses is what a loop over segments touches: buffers that last from segment to segment, and those of each instruction.
type uses struct {
	across []int
	body   [][]int
}

// planned lists the instructions of a body.
func (p *program[F]) planned(body []instr[F]) []Planned {
	var out []Planned
	for _, in := range body {
		n := Planned{What: in.String(), At: p.at[in]}
		if l, ok := in.(*loop[F]); ok {
			n.Body = p.planned(l.body)
		}
		out = append(out, n)
	}
	return out
}

// Plan lists the instructions.
func (p *program[F]) Plan() []Planned {
	last := map[int]int{} // instruction that touched a buffer last
	var out []Planned
	for i, in := range p.code {
		n := Planned{What: in.String(), At: p.at[in]}
		if l, ok := in.(*loop[F]); ok {
			n.Body = p.planned(l.body)
		}
		if s, ok := in.(*segments[F]); ok {
			n.Body = p.planned(s.body)
		}
		bytes := map[int]int{}
		for _, b := range p.touched[i] {
			f := p.buffers[b]
			if before, ok := last[b]; ok && before != i {
				bytes[before] += f.size * int(f.of.Dtype.Size())
			}
			last[b] = i
		}
		for before := range i {
			if bytes[before] > 0 {
				n.From = append(n.From, Flow{before, bytes[before]})
			}
		}
		out = append(out, n)
	}
	return out
}
