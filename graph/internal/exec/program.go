// Package exec compiles a region of the engine's form to instructions over planned memory, and runs them.
//
// Every instruction works on units, such as rows, and can be given any range of them, so that workers share it. No
// sum is ever divided between workers: results have the same bits for any number of them.
package exec

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"unsafe"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/graph/internal/pass"
	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// Config is how a program is compiled and run.
type Config struct {
	Workers int
	Shard   Shard
	Without map[pass.Name]bool // passes that are off
	Arena   *Arena             // memory shared with other programs; nil: the program's own
	Limit   int                // bytes of values at most; 0: no limit
	Least   int                // cost in nanoseconds from which an instruction is shared; 0 means parallelCost
}

// Shard says how workers share a loop.
type Shard int

const (
	ShardAuto Shard = iota
	ShardRows       // each takes its rows of the batch through all steps
	ShardTeam       // all share every operation of every step, and meet after it
)

// Program is a compiled region.
type Program interface {
	// Run reads the inputs and computes the results.
	Run() error
	// Result is the memory of result i. It holds what the last run computed.
	Result(i int) ops.Tensor
	// Memory is the size in bytes of everything that the program allocated for its values.
	Memory() int
	Close()
	Listing() []string
	// Buffers lists the memory that is in Memory.
	Buffers() []Buffer
	// Plan lists the instructions with what goes from one to another.
	Plan() []Planned
	Profile(n int) ([]Timing, error)
	// StopAt makes runs end with an error soon after stop has become true; nil makes them go on to the end.
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

// New compiles the values that results need.
func New(r *ir.Region, results []*ir.Value, c Config) (Program, error) {
	for _, v := range r.Values {
		if v.Dtype == tensor.Float64 {
			return compile[float64](r, results, c)
		}
	}
	return compile[float32](r, results, c)
}

// program is a compiled region with floats of type F.
type program[F kernels.Float] struct {
	bufs    [][]F
	ints    [][]int
	inputs  []input
	code    []instr[F]
	results []ops.Tensor
	workers []*worker[F]
	pool    *pool
	memory  int
	notes   ir.Notes
	at      map[instr[F]][]ops.Place // what each instruction computes, as the model has it
	packs   []kernels.Packed[F]
	least   int
	buffers []*buffer
	touched [][]int // buffers that each instruction uses
	arena   *Arena  // nil: the memory is the program's own
	age     int     // of the arena when the buffers were placed in it
	sharing bool    // some instruction is shared

	stop *atomic.Bool

	job  instr[F] // what the workers are at
	errs []error
}

// input is a buffer that is bound anew at each run.
type input struct {
	node *G.Node
	buf  int
	want ops.Type
	last *tensor.Dense
	own  bool // the buffer is the program's, and holds a scalar
}

// instr is an instruction.
type instr[F kernels.Float] interface {
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
}

// parallelCost is the least cost in nanoseconds at which an instruction is worth sharing.
const parallelCost = 8_000

func (p *program[F]) Run() error {
	if err := p.bind(); err != nil {
		return err
	}
	if err := p.enter(); err != nil {
		return err
	}
	defer p.leave()
	if p.sharing {
		p.pool.ready()
	}
	for _, in := range p.code {
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
func (p *program[F]) do(in instr[F]) error {
	switch in := in.(type) {
	case *segments[F]:
		return in.each(p)
	case *pack[F]:
		in.begin(p.workers[0])
	}
	if p.shares(in) {
		return p.share(in)
	}
	return in.run(p.workers[0], 0, in.units())
}

func (p *program[F]) shares(in instr[F]) bool {
	if len(p.workers) == 1 {
		return false
	}
	switch l := in.(type) {
	case *segments[F]:
		return slices.ContainsFunc(l.body, p.shares)
	case *loop[F]:
		if l.team {
			return true
		}
	}
	return in.units() > 1 && in.cost() >= p.least
}

func (p *program[F]) share(in instr[F]) error {
	p.job = in
	p.pool.run(p)
	for i, err := range p.errs {
		if err != nil {
			clear(p.errs[i:])
			return err
		}
	}
	return nil
}

// work is what worker w does of the job.
func (p *program[F]) work(w int) {
	if l, ok := p.job.(*loop[F]); ok && l.team {
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

// bind looks up the values of the inputs.
func (p *program[F]) bind() error {
	for i := range p.inputs {
		in := &p.inputs[i]
		v := in.node.Value()
		if d, ok := v.(*tensor.Dense); ok && d == in.last && sameShape(d.Shape(), in.want.Shape) && direct(d) {
			in.set(p, d)
			continue
		}
		if p.number(in, v) {
			continue
		}
		t, err := ops.TensorOf(v)
		if err != nil {
			return fmt.Errorf("input %q: %w", in.node.Name(), err)
		}
		if !sameShape(t.Shape, in.want.Shape) || t.Dtype() != in.want.Dtype {
			return fmt.Errorf("input %q is %v %s, want %v", in.node.Name(), t.Dtype(), ops.ShapeString(t.Shape), in.want)
		}
		if p.isResult(t) {
			return fmt.Errorf("input %q is bound to memory of the machine's own results, which the run writes to: copy it", in.node.Name())
		}
		in.last, in.own = nil, false
		if d, ok := v.(*tensor.Dense); ok && direct(d) {
			in.last = d
		}
		if t.Int != nil {
			p.ints[in.buf] = t.Int
		} else {
			p.bufs[in.buf] = floats[F](t)
		}
	}
	return nil
}

// isResult reports whether t lies within the memory of a result.
func (p *program[F]) isResult(t ops.Tensor) bool {
	for _, r := range p.results {
		if overlap(t.F32, r.F32) || overlap(t.F64, r.F64) || overlap(t.Int, r.Int) {
			return true
		}
	}
	return false
}

// overlap reports whether two slices have memory in common.
func overlap[E any](a, b []E) bool {
	if len(a) == 0 || len(b) == 0 {
		return false
	}
	size := unsafe.Sizeof(a[0])
	x, y := uintptr(unsafe.Pointer(&a[0])), uintptr(unsafe.Pointer(&b[0]))
	return x < y+size*uintptr(len(b)) && y < x+size*uintptr(len(a))
}

// number takes a scalar, which Gorgonia holds by a pointer, without allocating in every run.
func (p *program[F]) number(in *input, v G.Value) bool {
	var x F
	var dt tensor.Dtype
	switch v := v.(type) {
	case *G.F32:
		x, dt = F(*v), tensor.Float32
	case *G.F64:
		x, dt = F(*v), tensor.Float64
	default:
		return false
	}
	if len(in.want.Shape) > 0 || in.want.Dtype != dt {
		return false
	}
	if !in.own {
		p.bufs[in.buf], in.own, in.last = make([]F, 1), true, nil
	}
	p.bufs[in.buf][0] = x
	return true
}

// direct reports whether the elements of a tensor lie in memory as the engine wants them.
func direct(d *tensor.Dense) bool {
	o := d.DataOrder()
	return len(d.Shape()) > 0 && !d.RequiresIterator() && !d.IsView() && !o.IsTransposed() && !o.IsColMajor()
}

// set takes the elements of a tensor that was checked before, without allocating.
func (in *input) set(p any, d *tensor.Dense) {
	switch p := p.(type) {
	case *program[float32]:
		if in.want.Dtype == tensor.Int {
			p.ints[in.buf] = d.Ints()
		} else {
			p.bufs[in.buf] = d.Float32s()
		}
	case *program[float64]:
		if in.want.Dtype == tensor.Int {
			p.ints[in.buf] = d.Ints()
		} else {
			p.bufs[in.buf] = d.Float64s()
		}
	}
}

func sameShape(a []int, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func floats[F kernels.Float](t ops.Tensor) []F {
	if t.F32 != nil {
		return any(t.F32).([]F)
	}
	return any(t.F64).([]F)
}

func (p *program[F]) Result(i int) ops.Tensor { return p.results[i] }
func (p *program[F]) Memory() int             { return p.memory }
func (p *program[F]) Close()                  { p.pool.close() }

func (p *program[F]) Listing() []string {
	var out []string
	var list func(code []instr[F], indent string)
	list = func(code []instr[F], indent string) {
		for _, in := range code {
			out = append(out, indent+in.String())
			switch l := in.(type) {
			case *loop[F]:
				list(l.body, indent+"    ")
				for _, b := range l.skipped {
					out = append(out, indent+"    or, for those rows: "+b.String())
				}
			case *segments[F]:
				list(l.body, indent+"    ")
			}
		}
	}
	list(p.code, "")
	return append(out, p.notes.Lines()...)
}
