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
	free      []int
	count     int
}

func newRegisters[F kernels.Float](f *fuser[F], in *vm.Fused[F], operandOf []int) *registers[F] {
	r := &registers[F]{
		f: f, in: in, operandOf: operandOf, of: make([]int, len(f.slots)),
		lastUse: make([]int, len(f.slots)), pinned: map[int]bool{},
	}
	for i, s := range f.slots {
		r.of[i] = nowhere
		r.start(i, s)
	}
	for n, o := range f.ops {
		for _, a := range argsOf(o) {
			r.lastUse[a] = n
		}
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
	case s.result:
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
	for i, to := range []*int{&c.A, &c.B, &c.C}[:len(args)] {
		*to = r.of[args[i]]
	}
	for i, a := range args {
		if r.lastUse[a] == n && r.owned(a) && !slices.Contains(args[:i], a) {
			r.free = append(r.free, r.of[a])
		}
	}
	to := r.operandOf[o.Dst]
	if summing(o) {
		if c.Dst = to; c.Code != vm.OpSumRows {
			c.B = r.fresh()
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
