package plan

import (
	"runtime"
	"unsafe"

	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/graph/internal/pass"
	"github.com/seqzoo/seqzoo/graph/internal/vm"
	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// Shard says how workers share a loop.
type Shard int

const (
	ShardAuto Shard = iota
	ShardRows       // each takes its rows of the batch through all steps
	ShardTeam       // all share every operation of every step, and meet after it
)

// The passes of this package.
var (
	passFuse = pass.Register(pass.Pass{Name: "fuse", Stage: pass.Emission,
		Does: "element-wise operations are computed in one pass over cache-sized tiles"})
	passPack = pass.Register(pass.Pass{Name: "pack", Stage: pass.Emission,
		Does: "weights are laid out once for all the products with them"})
	passSkip = pass.Register(pass.Pass{Name: "skip", Stage: pass.Emission,
		Does: "rows of a batch whose sequences have ended are left out of the steps of a " +
			"recurrence"})
)

// Config is how a program is compiled and run.
type Config struct {
	Workers int
	Shard   Shard
	Without map[pass.Name]bool // passes that are off
	Arena   *vm.Arena          // memory shared with other programs; nil: the program's own
	Arenas  *vm.Arenas         // those that its runs borrow
	Results *vm.Arena          // memory that the results of other programs lie in too
	Limit   int                // bytes of values at most; 0: no limit
	// cost in nanoseconds from which an instruction is shared; 0 means parallelCost
	Least int
}

// New compiles the values that results need.
func New(r *ir.Region, results []*ir.Value, c Config) (vm.Program, error) {
	for _, v := range r.Values {
		if v.Dtype == tensor.Float64 {
			return compile[float64](r, results, c)
		}
	}
	return compile[float32](r, results, c)
}

// compile makes a program in one walk over what the results need.
func compile[F kernels.Float](r *ir.Region, results []*ir.Value, c Config) (p vm.Program,
	err error) {
	defer ops.Catch(&err)
	if c.Workers < 1 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	if c.Least == 0 {
		c.Least = vm.ParallelCost
	}
	code := &vm.Code[F]{At: map[vm.Instruction[F]][]ops.Place{}}
	b := &builder[F]{code: code, cfg: c}
	k := newBlock(b, nil, results)
	k.place()
	for _, v := range results {
		k.emit(v)
	}
	used := map[int]bool{}
	for _, v := range results {
		l := k.layout(v)
		if buf := code.Buffers[l.Buf]; !l.Contiguous() || buf.Kind == vm.External || used[l.Buf] {
			to := k.fresh(v.Type, vm.Permanent)
			k.copy(to, l)
			l = to
		}
		code.Buffers[l.Buf].Kind = vm.Permanent
		used[l.Buf] = true
		code.Results = append(code.Results, vm.Result{Layout: l, Shape: v.Shape})
	}
	code.Instrs, code.Touched = k.instrs, k.touched
	code.Packs, code.Notes = len(b.packBufs), b.notes.Lines()
	if err := b.planMemory(k.touched, k.bodies); err != nil {
		return nil, err
	}
	return vm.New(code, vm.Options{Workers: c.Workers, Least: c.Least, InArena: c.Arena,
		Arenas: c.Arenas, Results: c.Results}), nil
}

// builder is what the blocks of a program share.
type builder[F kernels.Float] struct {
	code     *vm.Code[F]
	cfg      Config
	notes    ir.Notes
	packBufs []int       // buffers of the packed matrices
	at       []ops.Place // of what is being compiled
}

func (b *builder[F]) elementSize() int {
	var z F
	return int(unsafe.Sizeof(z))
}

func (b *builder[F]) floatType() tensor.Dtype {
	if b.elementSize() == 8 {
		return tensor.Float64
	}
	return tensor.Float32
}
