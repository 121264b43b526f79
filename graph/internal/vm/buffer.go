package vm

import (
	"slices"

	"github.com/seqzoo/seqzoo/internal/ops"
)

// Buffer is memory that some value or several have for a time.
type Buffer struct {
	Kind        Kind
	Of          ops.Type
	At          []ops.Place // what it was made for
	Size        int         // elements
	Ints        bool
	First, Last int // instructions
	Offset      int
}

type Kind int

const (
	InArena   Kind = iota // shared with buffers that are needed at other times
	Permanent             // a result: it keeps its value until the next run
	External              // an input: bound at each run
)

// Alignment is that of buffers in elements: a cache line of float32.
const Alignment = 16

// place gives buffers of some kinds their part of memory.
func (p *program[F]) place(m memory[F], kinds ...Kind) {
	for i, f := range p.code.Buffers {
		switch {
		case f.First < 0 || !slices.Contains(kinds, f.Kind):
		case f.Ints:
			p.ints[i] = m.ints[f.Offset : f.Offset+f.Size : f.Offset+f.Size]
		default:
			p.bufs[i] = m.floats[f.Offset : f.Offset+f.Size : f.Offset+f.Size]
		}
	}
}
