package graph

import (
	"fmt"
	"strings"

	"github.com/seqzoo/seqzoo/graph/internal/plan"
	"github.com/seqzoo/seqzoo/graph/internal/vm"
)

// Buffer is a part of a machine's memory.
type Buffer struct {
	Path  string // the scope in the model and the operation whose value it holds first
	Shape []int  // with the number of steps in front, if it holds all steps of a recurrence
	Bytes int
	// bytes from the start of the arena. Buffers that are needed at different times may overlap
	Offset int
	Result bool // it keeps its value until the next run
	// First and Last are the numbers of the instructions that use it, in the order of Explain,
	// those in loops not counted.
	First, Last int
}

// Buffers lists what Memory is made of, the largest first.
func (m *Machine) Buffers() []Buffer {
	if m.usable() != nil {
		return nil
	}
	var out []Buffer
	for _, b := range m.program.Buffers() {
		out = append(out, Buffer{Path: places(b.At), Shape: b.Type.Shape, Bytes: b.Bytes,
			Offset: b.Offset, Result: b.Result, First: b.First, Last: b.Last})
	}
	return out
}

// String is a line: bytes, offset, instructions, shape and place.
func (b Buffer) String() string {
	kind := ""
	if b.Result {
		kind = "  result"
	}
	return fmt.Sprintf("%12d B at %12d, instructions %d–%d%s  %s  %s", b.Bytes, b.Offset, b.First,
		b.Last, kind,
		strings.Join(strings.Fields(fmt.Sprint(b.Shape)), ", "), b.Path)
}

// Arena is memory for the values of several machines that run one after another, such as those of a
// training window, of evaluation and of single steps. It is as large as the largest of them needs.
type Arena struct{ arena vm.Arena }

// NewArena is an empty arena, for the option In.
func NewArena() *Arena { return &Arena{} }

// Memory is the size of the arena in bytes.
func (a *Arena) Memory() int { return a.arena.Bytes() }

// ErrArenaInUse is what a run returns while another machine of the same arena runs.
var ErrArenaInUse = vm.ErrArenaInUse

// In has a machine keep its intermediate values in an arena that other machines use too. Its
// results stay its own. Of the machines of one arena only one can run at a time: the others return
// ErrArenaInUse meanwhile.
func In(a *Arena) Option { return func(c *config) { c.arena = &a.arena } }

// ErrMemory is the error of Compile when a graph needs more than its MemoryLimit.
var ErrMemory = plan.ErrMemory

// MemoryLimit makes Compile fail with ErrMemory, before it allocates, if the machine's values need
// more than this many bytes. See Memory for what is counted.
func MemoryLimit(bytes int) Option { return func(c *config) { c.limit = bytes } }
