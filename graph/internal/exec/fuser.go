package exec

import (
	"slices"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
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
	ops      []op[F]
	unitCost int // nanoseconds for 1,024 elements
}

// slot is an operand in memory, a constant, or something in between.
type slot[F kernels.Float] struct {
	layout *layout // nil: not in memory
	result bool
	fill   bool
	value  F
}

func newFuser[F kernels.Float](shape []int) *fuser[F] {
	return &fuser[F]{shape: shape, of: map[*ir.Value]int{}, loaded: map[*ir.Value]int{}, fills: map[F]int{}}
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

func (f *fuser[F]) temp() int            { return f.slot(slot[F]{}) }
func (f *fuser[F]) result(l *layout) int { return f.slot(slot[F]{layout: l, result: true}) }

func (f *fuser[F]) constant(v F) int {
	if i, ok := f.fills[v]; ok {
		return i
	}
	f.fills[v] = f.slot(slot[F]{fill: true, value: v})
	return f.fills[v]
}

func (f *fuser[F]) load(v *ir.Value, l *layout) int {
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
func (f *fuser[F]) finish(batch int) (*fused[F], []*layout) {
	in := &fused[F]{unitCost: f.unitCost, tile: tileLen}
	operandOf, layouts := f.bind(in)
	r := newRegisters(f, in, operandOf)
	for n, o := range f.ops {
		r.place(n, o)
	}
	in.regs = r.count
	in.divide(batch)
	return in, layouts
}

// bind gives the instruction its operands, the slots that are in memory. operandOf is the operand
// of each slot, or nowhere.
func (f *fuser[F]) bind(in *fused[F]) (operandOf []int, layouts []*layout) {
	operandOf = make([]int, len(f.slots))
	for i, s := range f.slots {
		if operandOf[i] = nowhere; s.layout != nil {
			operandOf[i] = len(in.operands)
			l := s.layout.broadcast(f.shape)
			in.operands = append(in.operands, operand{layout: *l, strides: slices.Clone(l.strides)})
			layouts = append(layouts, s.layout)
		}
	}
	in.joinDims(f.shape)
	last := len(in.dims) - 1
	n := in.dims[last]
	in.many = last > 0 && n <= tileLen/2
	for i := range in.operands {
		o := &in.operands[i]
		inRow := o.strides[last] == 1 || n == 1 && last == 0
		o.flat = inRow && (!in.many || o.strides[last-1] == n)
	}
	return operandOf, layouts
}

// divide decides on the units: parts of the first axis, as many as the batch has rows, or tiles of
// one row.
func (in *fused[F]) divide(batch int) {
	switch {
	case batch > 0:
		in.split = batch
	case len(in.dims) > 1:
		in.split = in.dims[0]
	default:
		in.chunked = true
		in.split = (in.dims[0] + in.tile - 1) / in.tile
	}
}

// args are the slots that o reads.
func (o op[F]) args() []int {
	if o.code == opFill {
		return nil
	}
	return []int{o.a, o.b, o.c}[:o.kind.Arity()]
}

// joinDims drops axes of size 1 and joins neighbours along which every operand lies evenly.
func (in *fused[F]) joinDims(shape []int) {
	var dims []int
	strides := make([][]int, len(in.operands))
	for d, n := range shape {
		if n == 1 {
			continue
		}
		k := len(dims) - 1
		even := k >= 0
		for i := range in.operands {
			even = even && strides[i][k] == in.operands[i].strides[d]*n
		}
		if even {
			dims[k] *= n
			for i := range in.operands {
				strides[i][k] = in.operands[i].strides[d]
			}
			continue
		}
		dims = append(dims, n)
		for i := range in.operands {
			strides[i] = append(strides[i], in.operands[i].strides[d])
		}
	}
	if len(dims) == 0 {
		dims = []int{1}
		for i := range strides {
			strides[i] = []int{1}
		}
	}
	in.dims = dims
	for i := range in.operands {
		in.operands[i].strides = strides[i]
	}
}
