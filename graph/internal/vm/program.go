package vm

import (
	"errors"
	"runtime"
	"slices"
	"sync/atomic"
	"unsafe"

	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/internal/workers"
)

// Program is a compiled region.
type Program interface {
	// Run reads the inputs and computes the results.
	Run() error
	// Result is the memory of result i. It holds what the last run computed.
	Result(i int) ops.Tensor
	// Memory is the size in bytes of everything that the program allocated for its values, and Own
	// what of it lies in no arena.
	Memory() int
	Own() int
	// Flop is the number of floating-point operations of the matrix products of a run.
	Flop() float64
	Close()
	Listing() []string
	// Buffers lists the parts of the memory that is in Memory.
	Buffers() []Part
	// Plan lists the instructions with what goes from one to another.
	Plan() []Planned
	Profile(n int) ([]Timing, error)
	// StopAt makes runs end with an error soon after stop has become true; nil makes them go on to
	// the end.
	StopAt(stop *atomic.Bool)
}

// errStopped ends a run that StopAt ends.
var errStopped = errors.New("stopped")

func (p *program[F]) StopAt(stop *atomic.Bool) { p.stop = stop }

func (p *program[F]) stopped() error {
	if p.stop != nil && p.stop.Load() {
		return errStopped
	}
	return nil
}

// Options are how a program runs.
type Options struct {
	Workers int
	InArena *Arena // memory shared with other programs; nil: the program's own, or
	// the memory that each run borrows
	Arenas *Arenas
	// memory for results that other programs write theirs to as well; nil: the program's own
	Results *Arena
	Least   int // cost in nanoseconds from which an instruction is shared
}

// program is code with memory, inputs and workers; its floats are of type F.
type program[F kernels.Float] struct {
	code    *Code[F]
	bufs    [][]F
	ints    [][]int
	inputs  []input
	results []ops.Tensor
	workers []*worker[F]
	pool    *workers.Pool
	packs   []kernels.Packed[F]
	least   int
	arena   *Arena  // nil: the memory is the program's own, or borrowed, and it is not running
	arenas  *Arenas // whose arenas it borrows
	in      *Arena  // where the buffers were placed,
	age     int     // and how old it was then
	lone    bool    // others run too, each on one worker
	lent    bool    // the memory of the results is not its own either
	sharing bool    // some instruction is shared

	stop *atomic.Bool

	job  Instruction[F] // what the workers are at
	errs []error
}

// New allocates the memory of code and its workers.
func New[F kernels.Float](c *Code[F], o Options) Program {
	p := &program[F]{
		code: c, pool: workers.New(o.Workers), errs: make([]error, o.Workers), least: o.Least,
		arena: o.InArena, arenas: o.Arenas,
		bufs: make([][]F, len(c.Buffers)), ints: make([][]int, len(c.Buffers)),
		inputs: slices.Clone(c.Inputs), packs: make([]kernels.Packed[F], c.Packs),
	}
	runtime.AddCleanup(p, (*workers.Pool).Close, p.pool) // for machines that nobody closes
	switch {
	case p.arena == nil && p.arenas == nil:
		p.place(allocate[F](c.Shared), InArena, Permanent)
	case o.Results != nil:
		reserve[F](o.Results, c.Own)
		p.place(*memoryOf[F](o.Results), Permanent)
		p.lent = true
	default:
		p.place(allocate[F](c.Own), Permanent)
	}
	if p.arena != nil {
		reserve[F](p.arena, c.Shared)
	}
	for w := range o.Workers {
		p.workers = append(p.workers, newWorker(p, w))
	}
	for _, r := range c.Results {
		t := whole(p.workers[0], r.Layout)
		t.Shape = r.Shape
		p.results = append(p.results, t)
	}
	p.sharing = slices.ContainsFunc(c.Instrs, p.shares)
	return p
}

// Instruction is an instruction.
type Instruction[F kernels.Float] interface {
	// units is how many independent parts the instruction has.
	units() int
	// cost is about how many nanoseconds all units take.
	cost() int
	// run does the units [lo, hi).
	run(x *worker[F], lo, hi int) error
	String() string
}

// worker is what a worker knows while it runs.
type worker[F kernels.Float] struct {
	p       *program[F]
	number  int
	clock   [4]int // 0, the time, and the parity of the steps done and to be done: see layout
	segment int    // of a recurrence that is cut into segments
	slots   [][]F
	regs    []F
	offs    []int
	row     []F
	lefts   []kernels.Left[F]
	runs    []kernels.Run
	tensor  []ops.Tensor

	script      kernels.Script
	scriptSlots []kernels.ScriptSlot
	scriptParts []kernels.ScriptPart
}

// newWorker is a worker with all the scratch memory that an instruction may want.
func newWorker[F kernels.Float](p *program[F], number int) *worker[F] {
	s := p.code.Scratch
	slots := max(4, s.slots)
	return &worker[F]{
		p: p, number: number, slots: make([][]F, slots), offs: make([]int, slots),
		regs: make([]F, max(1, s.regs)*TileLen), row: make([]F, max(1, s.Row)),
		lefts: make([]kernels.Left[F], 0, s.Lefts), runs: make([]kernels.Run, 0, s.Runs),
		tensor: make([]ops.Tensor, 0, 8), scriptSlots: make([]kernels.ScriptSlot, s.scriptSlots),
		scriptParts: make([]kernels.ScriptPart, s.scriptParts),
	}
}

// ParallelCost is the least cost in nanoseconds at which an instruction is worth sharing.
const ParallelCost = 8_000

func (p *program[F]) Run() error {
	if err := p.bind(); err != nil {
		return err
	}
	if err := p.enter(); err != nil {
		return err
	}
	defer p.leave()
	if p.sharing && !p.lone {
		p.pool.Ready()
	}
	for _, in := range p.code.Instrs {
		if err := p.stopped(); err != nil {
			return err
		}
		if err := p.do(in); err != nil {
			return err
		}
	}
	return nil
}

// do runs an instruction, on all workers if it is large enough.
func (p *program[F]) do(in Instruction[F]) error {
	switch in := in.(type) {
	case *Segments[F]:
		return in.each(p)
	case *Pack[F]:
		in.begin(p.workers[0])
	}
	if !p.lone && p.shares(in) {
		return p.share(in)
	}
	return in.run(p.workers[0], 0, in.units())
}

func (p *program[F]) shares(in Instruction[F]) bool {
	if len(p.workers) == 1 {
		return false
	}
	switch l := in.(type) {
	case *Segments[F]:
		return slices.ContainsFunc(l.Body, p.shares)
	case *Loop[F]:
		if l.Team {
			return true
		}
	}
	return in.units() > 1 && in.cost() >= p.least
}

func (p *program[F]) share(in Instruction[F]) error {
	p.job = in
	p.pool.Run(p)
	for i, err := range p.errs {
		if err != nil {
			clear(p.errs[i:])
			return err
		}
	}
	return nil
}

// Work is what worker w does of the job.
func (p *program[F]) Work(w int) {
	if l, ok := p.job.(*Loop[F]); ok && l.Team {
		p.errs[w] = l.together(p.workers[w])
		return
	}
	lo, hi := part(p.job.units(), w, len(p.workers))
	if lo < hi {
		p.errs[w] = p.job.run(p.workers[w], lo, hi)
	}
}

// part is worker w's share of n units.
func part(n, w, workers int) (lo, hi int) { return n * w / workers, n * (w + 1) / workers }

func (p *program[F]) Result(i int) ops.Tensor { return p.results[i] }

func (p *program[F]) Memory() int { return p.code.Memory() }

func (p *program[F]) Own() int {
	if p.arena == nil && p.arenas == nil {
		return p.code.Memory()
	}
	if p.lent {
		return 0
	}
	var z F
	return p.code.Own.bytes(int(unsafe.Sizeof(z)))
}

func (p *program[F]) Close() { p.pool.Close() }
