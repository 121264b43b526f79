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
	loc    *loc // nil: not in memory
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

func (f *fuser[F]) temp() int         { return f.slot(slot[F]{}) }
func (f *fuser[F]) result(l *loc) int { return f.slot(slot[F]{loc: l, result: true}) }

func (f *fuser[F]) constant(v F) int {
	if i, ok := f.fills[v]; ok {
		return i
	}
	f.fills[v] = f.slot(slot[F]{fill: true, value: v})
	return f.fills[v]
}

func (f *fuser[F]) load(v *ir.Value, l *loc) int {
	if v == nil {
		return f.slot(slot[F]{loc: l})
	}
	if i, ok := f.loaded[v]; ok {
		return i
	}
	f.loaded[v] = f.slot(slot[F]{loc: l})
	return f.loaded[v]
}

// finish makes the instruction. With a batch, its units are that many parts of the first axis.
func (f *fuser[F]) finish(batch int) (*fused[F], []*loc) {
	in := &fused[F]{unitCost: f.unitCost, tile: tileLen}
	operandOf := make([]int, len(f.slots))
	var locs []*loc
	for i, s := range f.slots {
		if operandOf[i] = -1; s.loc != nil {
			operandOf[i] = len(in.operands)
			l := s.loc.broadcast(f.shape)
			in.operands = append(in.operands, operand{loc: *l, strides: slices.Clone(l.strides)})
			locs = append(locs, s.loc)
		}
	}
	in.joinDims(f.shape)
	last := len(in.dims) - 1
	n := in.dims[last]
	in.many = last > 0 && n <= tileLen/2
	for i := range in.operands {
		o := &in.operands[i]
		o.flat = (o.strides[last] == 1 || n == 1 && last == 0) && (!in.many || o.strides[last-1] == n)
	}

	still := func(strides []int) bool { return !slices.ContainsFunc(strides, func(n int) bool { return n != 0 }) }
	// Registers: of constants and scalars for the whole instruction, of others until they are read
	// last.
	base := len(in.operands)
	reg := make([]int, len(f.slots)) // the register or operand that holds a slot's elements
	free := []int{}
	next := 0
	take := func() int {
		if n := len(free); n > 0 {
			r := free[n-1]
			free = free[:n-1]
			return r
		}
		next++
		return base + next - 1
	}
	const nowhere = -1
	for i, s := range f.slots {
		reg[i] = nowhere
		switch o := operandOf[i]; {
		case s.fill:
			reg[i] = take()
			in.setup = append(in.setup, op[F]{code: opFill, dst: reg[i], p: float64(s.value)})
		case o < 0:
		case in.operands[o].flat:
			reg[i] = o
		case s.result:
		case still(in.operands[o].strides):
			reg[i] = take()
			in.setup = append(in.setup, op[F]{code: opSpread, dst: reg[i], a: o})
		case in.many && in.operands[o].strides[last] == 1 && still(in.operands[o].strides[:last]):
			reg[i] = take()
			in.setup = append(in.setup, op[F]{code: opRows, dst: reg[i], a: o})
		}
	}
	lastUse := make([]int, len(f.slots))
	for n, o := range f.ops {
		for _, a := range o.args() {
			lastUse[a] = n
		}
	}
	for n, o := range f.ops {
		for _, a := range o.args() {
			if reg[a] != nowhere {
				continue
			}
			reg[a] = take() // an operand that does not lie element after element
			c := opGather
			switch s := in.operands[operandOf[a]].strides[last]; {
			case s == 0:
				c = opSpread
			case s == 1 && in.many:
				c = opRows
			}
			in.code = append(in.code, op[F]{code: c, dst: reg[a], a: operandOf[a]})
		}
		c := o
		args := o.args()
		for i, a := range args {
			*[]*int{&c.a, &c.b, &c.c}[i] = reg[a]
		}
		for i, a := range args {
			s := f.slots[a]
			owned := !s.fill && reg[a] >= base && !slices.ContainsFunc(in.setup, func(o op[F]) bool { return o.dst == reg[a] })
			if lastUse[a] == n && owned && !slices.Contains(args[:i], a) {
				free = append(free, reg[a])
			}
		}
		if to := operandOf[o.dst]; o.kind == ops.KindStop && reg[o.dst] == nowhere && to >= 0 {
			in.code = append(in.code, op[F]{code: opScatter, dst: to, a: c.a})
			continue
		}
		if reg[o.dst] == nowhere {
			reg[o.dst] = take()
		}
		c.dst = reg[o.dst]
		in.code = append(in.code, c)
		if to := operandOf[o.dst]; to >= 0 && reg[o.dst] != to {
			in.code = append(in.code, op[F]{code: opScatter, dst: to, a: reg[o.dst]})
		}
	}
	in.regs = next
	switch {
	case batch > 0:
		in.split = batch
	case last > 0:
		in.split = in.dims[0]
	default:
		in.chunked = true
		in.split = (in.dims[0] + in.tile - 1) / in.tile
	}
	return in, locs
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
