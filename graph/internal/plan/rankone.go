package plan

import (
	"github.com/seqzoo/seqzoo/graph/internal/vm"
	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// rankOne reports whether an operation multiplies by a column or a row where it lies.
func rankOne[F kernels.Float](o vm.Op[F]) bool {
	switch o.Code {
	case vm.OpTimes, vm.OpOuter, vm.OpAddOuter, vm.OpSubOuter:
		return true
	}
	return false
}

// pairing joins operations on matrices to those that the kernels have for them: the product of a
// column and a row that is added to a matrix, and products with columns, rows and matrices that are
// added up. None of them writes what it multiplies to a register, or spreads a column or a row over
// one. They round as the single operations do.
type pairing[F kernels.Float] struct {
	*fuser[F]
	column, row []bool // by slot: what has one element for each row, and what is one row for all
	uses        []int  // by slot: operations that read it
	madeBy      []int  // by slot: the operation that computes it, or nowhere
	dead        []bool // by operation: joined to a later one
}

// rankOnes joins the operations of an instruction whose tiles are rows of matrices.
func (f *fuser[F]) rankOnes(in *vm.Fused[F], operandOf []int) {
	last := len(in.Dims) - 1
	if !in.Many || !in.Sums && last < 2 {
		return
	}
	n := len(f.slots)
	p := &pairing[F]{fuser: f, column: make([]bool, n), row: make([]bool, n), uses: make([]int, n),
		madeBy: make([]int, n), dead: make([]bool, len(f.ops))}
	for i, s := range f.slots {
		p.madeBy[i] = nowhere
		p.column[i] = s.fill
		if s.layout != nil && !s.result {
			strides := in.Operands[operandOf[i]].Strides
			p.column[i] = strides[last] == 0
			p.row[i] = strides[last] == 1 && strides[last-1] == 0
		}
	}
	for n, o := range f.ops {
		for _, a := range argsOf(o) {
			p.uses[a]++
		}
		p.madeBy[o.Dst] = n
	}
	for n := range f.ops {
		p.join(&f.ops[n])
	}
	var left []vm.Op[F]
	for n, o := range f.ops {
		if !p.dead[n] {
			left = append(left, o)
		}
	}
	f.ops = left
}

// join makes an operation one that the kernels have for matrices, if it can.
func (p *pairing[F]) join(o *vm.Op[F]) {
	switch {
	case summing(*o):
		p.joinSum(o)
	case o.Kind == ops.KindMul:
		p.joinProduct(o)
	case o.Kind == ops.KindAdd:
		if !p.joinOuter(o, vm.OpAddOuter, o.A, o.B) {
			p.joinOuter(o, vm.OpAddOuter, o.B, o.A)
		}
	case o.Kind == ops.KindSub:
		p.joinOuter(o, vm.OpSubOuter, o.A, o.B)
	}
}

// full reports whether a slot has an element for each of the matrix.
func (p *pairing[F]) full(slot int) bool { return !p.column[slot] && !p.row[slot] }

// joinProduct makes products with columns and rows such.
func (p *pairing[F]) joinProduct(o *vm.Op[F]) {
	a, b := o.A, o.B
	if p.full(b) || p.column[b] && p.row[a] {
		a, b = b, a
	}
	switch {
	case p.column[a] && p.row[b]:
		*o = vm.Op[F]{Code: vm.OpOuter, Dst: o.Dst, C: a, D: b}
	case p.full(a) && p.column[b]:
		*o = vm.Op[F]{Code: vm.OpTimes, Dst: o.Dst, A: a, C: b, By: vm.ByColumn}
	case p.full(a) && p.row[b]:
		*o = vm.Op[F]{Code: vm.OpTimes, Dst: o.Dst, A: a, C: b, By: vm.ByRow}
	}
}

// alone is the operation that computes a slot which is in no memory and read by one operation.
func (p *pairing[F]) alone(slot int) (n int, ok bool) {
	n = p.madeBy[slot]
	return n, n != nowhere && p.uses[slot] == 1 && p.slots[slot].layout == nil
}

// joinOuter makes o the sum, or the difference, of a matrix, scaled perhaps, and the product of a
// column and a row, if slot product is one.
func (p *pairing[F]) joinOuter(o *vm.Op[F], code vm.Opcode, matrix, product int) bool {
	n, ok := p.alone(product)
	if !ok || p.ops[n].Code != vm.OpOuter || !p.full(matrix) {
		return false
	}
	p.dead[n] = true
	a, scale := matrix, nowhere
	if m, ok := p.alone(matrix); ok && p.ops[m].Code == vm.OpTimes && p.ops[m].By == vm.ByColumn {
		a, scale = p.ops[m].A, p.ops[m].C
		p.dead[m] = true
	} else {
		scale = p.one()
	}
	*o = vm.Op[F]{Code: code, Dst: o.Dst, A: a, B: scale, C: p.ops[n].C, D: p.ops[n].D}
	return true
}

// one is the constant 1.
func (p *pairing[F]) one() int {
	n := len(p.slots)
	i := p.constant(1)
	if i == n { // new
		p.column, p.row = append(p.column, true), append(p.row, false)
		p.uses, p.madeBy = append(p.uses, 0), append(p.madeBy, nowhere)
	}
	return i
}

// joinSum has a sum multiply while it adds up.
func (p *pairing[F]) joinSum(o *vm.Op[F]) {
	n, ok := p.alone(o.A)
	if !ok {
		return
	}
	switch product := p.ops[n]; {
	case product.Code == vm.OpTimes && (product.By == vm.ByRow) == (o.Code != vm.OpSumColumns):
		o.A, o.C, o.By = product.A, product.C, product.By
	case o.Code == vm.OpSumColumns:
		return
	case product.Kind == ops.KindMul && p.full(product.A) && p.full(product.B):
		o.A, o.C, o.By = product.A, product.B, vm.ByTile
	case product.Kind == ops.KindSquare:
		o.A, o.C, o.By = product.A, product.A, vm.ByTile
	default:
		return
	}
	p.dead[n] = true
}
