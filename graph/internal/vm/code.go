package vm

import (
	"unsafe"

	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// Code is what a compiler makes: instructions, and the buffers and inputs that they refer to.
type Code[F kernels.Float] struct {
	Instrs []Instruction[F]
	// what each instruction computes, as the model has it
	At      map[Instruction[F]][]ops.Place
	Touched [][]int // buffers that each instruction uses
	Buffers []*Buffer
	// memory that programs of one arena share, and that of results which lie apart from it
	Shared, Own Extent
	Inputs      []input
	Results     []Result
	Packs       int // packed matrices
	Scratch     scratch
	Notes       []string // for whoever reads the listing
}

// Result is where a result lies, and its shape.
type Result struct {
	Layout *Layout
	Shape  []int
}

// scratch is the most that an instruction needs of a worker.
type scratch struct {
	slots, regs int // of a fused instruction
	Row         int // elements of a row
	Lefts, Runs int // of products with one right operand
	// of the longest script: of one fused instruction, or of all in a loop together
	scriptSlots, scriptParts int
}

// Fused makes room for an instruction.
func (s *scratch) Fused(slots, regs int) {
	s.regs, s.slots = max(s.regs, regs), max(s.slots, regs+slots)
}

// Memory is the size in bytes of all values.
func (c *Code[F]) Memory() int {
	var z F
	size := int(unsafe.Sizeof(z))
	return c.Shared.bytes(size) + c.Own.bytes(size)
}
