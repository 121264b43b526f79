package plan

import (
	"slices"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/graph/internal/vm"
	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// fuser puts a fused instruction together. While it does, a slot is an index into slots; finish
// orders them, gives registers to those that are not in memory, and joins the dimensions.
type fuser[F kernels.Float] struct {
	shape    []int
	slots    []slot[F]
	of       map[*ir.Value]int
	loaded   map[*ir.Value]int
	fills    map[F]int
	ops      []vm.Op[F]
	unitCost int // nanoseconds for 1,024 elements
}

// slot is an operand in memory, a constant, or something in between.
type slot[F kernels.Float] struct {
	layout *vm.Layout // nil: not in memory
	result bool
	fill   bool
	value  F
}

func newFuser[F kernels.Float](shape []int) *fuser[F] {
	return &fuser[F]{shape: shape, of: map[*ir.Value]int{}, loaded: map[*ir.Value]int{},
		fills: map[F]int{}}
}

func (f *fuser[F]) slot(s slot[F]) int {
	f.slots = append(f.slots, s)
	return len(f.slots) - 1
}

// compute adds a function of slots that writes to slot dst.
func (f *fuser[F]) compute(fn ops.Elementwise, dst int, args ...int) {
	f.unitCost += fn.Kind.Cost()
	f.ops = append(f.ops, compute[F](fn, dst, args...))
}

func (f *fuser[F]) temp() int { return f.slot(slot[F]{}) }

func (f *fuser[F]) result(l *vm.Layout) int { return f.slot(slot[F]{layout: l, result: true}) }

func (f *fuser[F]) constant(v F) int {
	if i, ok := f.fills[v]; ok {
		return i
	}
	f.fills[v] = f.slot(slot[F]{fill: true, value: v})
	return f.fills[v]
}

func (f *fuser[F]) load(v *ir.Value, l *vm.Layout) int {
	if v == nil {
		return f.slot(slot[F]{layout: l})
	}
	if i, ok := f.loaded[v]; ok {
		return i
	}
	f.loaded[v] = f.slot(slot[F]{layout: l})
	return f.loaded[v]
}

// finish makes the instruction. With a batch, its units are that many parts of the first axis.
func (f *fuser[F]) finish(batch int) (*vm.Fused[F], []*vm.Layout) {
	in := &vm.Fused[F]{UnitCost: f.unitCost, Tile: vm.TileLen}
	operandOf, layouts := f.bind(in)
	f.rankOnes(in, operandOf)
	r := newRegisters(f, in, operandOf)
	for n, o := range f.ops {
		r.place(n, o)
	}
	in.Regs = r.count
	divide(in, batch)
	return in, layouts
}

// bind gives the instruction its operands, the slots that are in memory. operandOf is the operand
// of each slot, or nowhere.
func (f *fuser[F]) bind(in *vm.Fused[F]) (operandOf []int, layouts []*vm.Layout) {
	operandOf = make([]int, len(f.slots))
	for i, s := range f.slots {
		if operandOf[i] = nowhere; s.layout != nil {
			operandOf[i] = len(in.Operands)
			l := s.layout.Broadcast(f.shape)
			in.Operands = append(in.Operands, vm.Operand{Layout: *l,
				Strides: slices.Clone(l.Strides)})
			layouts = append(layouts, s.layout)
		}
	}
	in.Sums = slices.ContainsFunc(f.ops, summing)
	joinDims(in, f.shape)
	last := len(in.Dims) - 1
	n := in.Dims[last]
	in.Many = last > 0 && (n <= vm.TileLen/2 || in.Sums)
	for i := range in.Operands {
		o := &in.Operands[i]
		inRow := o.Strides[last] == 1 || n == 1 && last == 0
		o.Flat = inRow && (!in.Many || o.Strides[last-1] == n)
	}
	return operandOf, layouts
}

// divide decides on the units: parts of the first axis, as many as the batch has rows, or tiles of
// one row.
func divide[F kernels.Float](in *vm.Fused[F], batch int) {
	switch {
	case batch > 0:
		in.Split = batch
	case in.Sums && len(in.Dims) == 2: // one matrix
		in.Split = 1
	case len(in.Dims) > 1:
		in.Split = in.Dims[0]
	default:
		in.Chunked = true
		in.Split = (in.Dims[0] + in.Tile - 1) / in.Tile
	}
}

// argsOf are the slots that o reads.
func argsOf[F kernels.Float](o vm.Op[F]) []int {
	switch {
	case o.Code == vm.OpFill:
		return nil
	case o.Code == vm.OpOuter:
		return nil
	case summing(o) && o.By == vm.ByTile:
		return []int{o.A, o.C}
	case summing(o) || rankOne(o):
		return []int{o.A}
	}
	return []int{o.A, o.B, o.C}[:o.Kind.Arity()]
}

// joinDims drops axes of size 1 and joins neighbours along which every operand lies evenly.
func joinDims[F kernels.Float](in *vm.Fused[F], shape []int) {
	var dims []int
	strides := make([][]int, len(in.Operands))
	for d, n := range shape {
		if n == 1 {
			continue
		}
		k := len(dims) - 1
		// a sum over rows and columns would have them joined
		even := k >= 0 && !(in.Sums && d == len(shape)-1)
		for i := range in.Operands {
			even = even && strides[i][k] == in.Operands[i].Strides[d]*n
		}
		if even {
			dims[k] *= n
			for i := range in.Operands {
				strides[i][k] = in.Operands[i].Strides[d]
			}
			continue
		}
		dims = append(dims, n)
		for i := range in.Operands {
			strides[i] = append(strides[i], in.Operands[i].Strides[d])
		}
	}
	if len(dims) == 0 {
		dims = []int{1}
		for i := range strides {
			strides[i] = []int{1}
		}
	}
	in.Dims = dims
	for i := range in.Operands {
		in.Operands[i].Strides = strides[i]
	}
}

// compute is fn of the slots in args. Its parameters are rounded to F.
func compute[F kernels.Float](fn ops.Elementwise, dst int, args ...int) vm.Op[F] {
	o := vm.Op[F]{
		Kind: fn.Kind, Kernel: ops.FastKernel[F](fn.Kind), Dst: dst, P: float64(F(fn.P)),
		Q: float64(F(fn.Q)),
	}
	for i, to := range []*int{&o.A, &o.B, &o.C}[:len(args)] {
		*to = args[i]
	}
	return o
}
