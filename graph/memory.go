package graph

import (
	"fmt"
	"strings"

	"github.com/seqzoo/seqzoo/graph/internal/vm"
	"github.com/seqzoo/seqzoo/internal/sysmem"
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

// ErrArenaInUse is the error of a run while another machine of the same arena runs.
var ErrArenaInUse = vm.ErrArenaInUse

// In has a machine keep its intermediate values in an arena that other machines use too. Its
// results stay its own. Of the machines of one arena only one can run at a time: the others return
// ErrArenaInUse meanwhile.
func In(a *Arena) Option {
	return func(c *config) {
		if c.arena, c.arenas = nil, nil; a != nil {
			c.arena = &a.arena
		}
	}
}

// Arenas are a few arenas for many machines that run at once, such as those that serve the requests
// of many users: a run borrows one that no other run has, or waits until one is given back, in the
// order of asking. A machine that does not run takes memory for its results alone. While several
// machines run, each does so on one worker.
type Arenas struct{ arenas *vm.Arenas }

// NewArenas is n arenas, for the option InAny. If all are lent and none is given back for a
// twentieth of a second, there is one more for as long as that lasts.
func NewArenas(n int) *Arenas { return &Arenas{vm.NewArenas(max(n, 1))} }

// Memory is the size of all arenas in bytes.
func (a *Arenas) Memory() int { return a.get().Bytes() }

// Largest is the size of the largest arena in bytes, on which a limit counts as memory that there
// is. After a Trim, one that is lent counts from when it is given back.
func (a *Arenas) Largest() int { return a.get().Most() }

// Trim gives back the memory of arenas that are larger than the given number of bytes and not lent.
func (a *Arenas) Trim(larger int) { a.get().Trim(larger) }

// get is the arenas; of none, an empty one that no machine uses.
func (a *Arenas) get() *vm.Arenas {
	if a == nil || a.arenas == nil {
		return vm.NewArenas(1)
	}
	return a.arenas
}

// InAny has a machine keep its intermediate values in whichever arena a run borrows. Its results
// are its own.
func InAny(a *Arenas) Option {
	return func(c *config) {
		if c.arena, c.arenas = nil, nil; a != nil {
			c.arenas = a.arenas
		}
	}
}

// ResultsIn has a machine with the option In or InAny write its results to an arena too, so that
// those of a machine hold until the next run of any that has its results there: machines of several
// shapes whose results, such as the gradients of a training, are used before the next one runs. The
// arena is one for results alone.
func ResultsIn(a *Arena) Option {
	return func(c *config) {
		if c.results = nil; a != nil {
			c.results = &a.arena
		}
	}
}

// ErrMemory is the error of Compile when a graph needs more than its MemoryLimit.
var ErrMemory = vm.ErrMemory

// MemoryError is an ErrMemory with its numbers.
type MemoryError = vm.MemoryError

// MemoryLimit makes Compile fail with ErrMemory, before it allocates, if the machine's values need
// more than this many bytes; 0: however many they are. See Memory for what is counted. Without the
// option the limit is what memory there is: the system would kill a process that wrote to more.
func MemoryLimit(bytes int) Option {
	return func(c *config) { c.limit, c.limited = bytes, true }
}

// room is the limit of a machine's values in bytes.
func (c *config) room() int {
	if c.limited {
		return c.limit
	}
	free := sysmem.Available()
	if c.arenas != nil && free > 0 {
		free += c.arenas.Most() // which it has already
	}
	return free
}
