package plan

import (
	"slices"

	"github.com/seqzoo/seqzoo/graph/internal/vm"
	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// nowhere is the place of a slot that has no register yet, or is no operand.
const nowhere = -1

// registers gives the slots of a fuser registers, and writes the code of its instruction on these.
// Constants and scalars keep a register for the whole instruction, others until they are read last.
type registers[F kernels.Float] struct {
	f         *fuser[F]
	in        *vm.Fused[F]
	operandOf []int        // by slot
	of        []int        // by slot: the register or operand that holds its elements, or nowhere
	lastUse   []int        // by slot: the last operation that reads it
	pinned    map[int]bool // registers that are never free
	read      map[int]bool // slots that some operation wants in a register
	free      []int
	count     int
}

func newRegisters[F kernels.Float](f *fuser[F], in *vm.Fused[F], operandOf []int) *registers[F] {
	r := &registers[F]{
		f: f, in: in, operandOf: operandOf, of: make([]int, len(f.slots)),
		lastUse: make([]int, len(f.slots)), pinned: map[int]bool{},
		read: map[int]bool{},
	}
	for n, o := range f.ops {
		for _, a := range argsOf(o) {
			r.lastUse[a], r.read[a] = n, true
		}
	}
	for i, s := range f.slots {
		r.of[i] = nowhere
		r.start(i, s)
	}
	return r
}

// take is a register that nothing needs. Registers are numbered behind the operands.
func (r *registers[F]) take() int {
	if n := len(r.free); n > 0 {
		last := r.free[n-1]
		r.free = r.free[:n-1]
		return last
	}
	return r.fresh()
}

// fresh is a register that nothing has used, whose elements last from tile to tile.
func (r *registers[F]) fresh() int {
	r.count++
	return len(r.in.Operands) + r.count - 1
}

// start places a slot that has a place before the first operation: a constant, a scalar, a row that
// repeats, or an operand that is worked on where it lies.
func (r *registers[F]) start(i int, s slot[F]) {
	pin := func(o vm.Op[F]) {
		r.of[i] = r.take()
		o.Dst = r.of[i]
		r.pinned[o.Dst] = true
		r.in.Setup = append(r.in.Setup, o)
	}
	if s.fill {
		pin(vm.Op[F]{Code: vm.OpFill, P: float64(s.value)})
		return
	}
	o := r.operandOf[i]
	if o == nowhere {
		return
	}
	strides := r.in.Operands[o].Strides
	last := len(strides) - 1
	repeats := func(strides []int) bool {
		return !slices.ContainsFunc(strides, func(n int) bool { return n != 0 })
	}
	switch {
	case r.in.Operands[o].Flat:
		r.of[i] = o
	case s.result || !r.read[i]:
	case repeats(strides):
		pin(vm.Op[F]{Code: vm.OpSpread, A: o})
	case r.in.Many && strides[last] == 1 && repeats(strides[:last]):
		pin(vm.Op[F]{Code: vm.OpRows, A: o})
	}
}

// place writes the code of operation n: loads what is not in a register, computes, and stores the
// result if it belongs in memory elsewhere.
func (r *registers[F]) place(n int, o vm.Op[F]) {
	args := argsOf(o)
	for _, a := range args {
		if r.of[a] == nowhere {
			r.load(a)
		}
	}
	c := o
	r.locate(&c)
	for i, a := range args {
		if r.lastUse[a] == n && r.owned(a) && !slices.Contains(args[:i], a) {
			r.free = append(r.free, r.of[a])
		}
	}
	to := r.operandOf[o.Dst]
	if summing(o) {
		if c.Dst = to; c.Code != vm.OpSumRows {
			c.B = r.fresh() // what it has added up so far
		}
		r.in.Code = append(r.in.Code, c)
		return
	}
	// a copy straight to memory
	if o.Kind == ops.KindStop && r.of[o.Dst] == nowhere && to != nowhere {
		r.in.Code = append(r.in.Code, vm.Op[F]{Code: vm.OpScatter, Dst: to, A: c.A})
		return
	}
	if r.of[o.Dst] == nowhere {
		r.of[o.Dst] = r.take()
	}
	c.Dst = r.of[o.Dst]
	r.in.Code = append(r.in.Code, c)
	if to != nowhere && c.Dst != to {
		r.in.Code = append(r.in.Code, vm.Op[F]{Code: vm.OpScatter, Dst: to, A: c.Dst})
	}
}

// locate names the operands of an operation by what holds them: registers, or memory where an
// operation reads a column or a row where it lies.
func (r *registers[F]) locate(o *vm.Op[F]) {
	place := func(slots ...*int) {
		for _, s := range slots {
			*s = r.of[*s]
		}
	}
	lies := func(slots ...*int) {
		for _, s := range slots {
			if r.f.slots[*s].fill {
				place(s)
			} else {
				*s = r.operandOf[*s]
			}
		}
	}
	switch {
	case o.Code == vm.OpFill:
	case o.Code == vm.OpOuter:
		lies(&o.C, &o.D)
	case o.Code == vm.OpAddOuter, o.Code == vm.OpSubOuter:
		place(&o.A)
		lies(&o.B, &o.C, &o.D)
	case o.By == vm.ByColumn, o.By == vm.ByRow:
		place(&o.A)
		lies(&o.C)
	case o.By == vm.ByTile:
		place(&o.A, &o.C)
	case summing(*o):
		place(&o.A)
	default:
		place([]*int{&o.A, &o.B, &o.C}[:o.Kind.Arity()]...)
	}
}

// load brings an operand whose elements do not lie one after another to a register.
func (r *registers[F]) load(slot int) {
	r.of[slot] = r.take()
	strides := r.in.Operands[r.operandOf[slot]].Strides
	c := vm.OpGather
	switch s := strides[len(strides)-1]; {
	case s == 0:
		c = vm.OpSpread
	case s == 1 && r.in.Many:
		c = vm.OpRows
	}
	r.in.Code = append(r.in.Code, vm.Op[F]{Code: c, Dst: r.of[slot], A: r.operandOf[slot]})
}

// owned reports whether a slot lies in a register that is free when it was read last.
func (r *registers[F]) owned(slot int) bool {
	return !r.f.slots[slot].fill && r.of[slot] >= len(r.in.Operands) && !r.pinned[r.of[slot]]
}
