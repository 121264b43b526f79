package plan

import (
	"slices"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/graph/internal/vm"
	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// summed reports whether v adds up an element-wise value over its last axis, the last but one, or
// both, so that the pass that computes the value computes v as well and the value needs no memory.
// These are the products of vectors with matrices of which a cell has one for each row of the batch:
// what a query reads, and in the backward pass what comes to keys, values and gates.
func summed(v *ir.Value) bool {
	fn, ok := v.Fn.(ops.SumTo)
	if !ok || !isElementwise(v.Args[0]) {
		return false
	}
	in := v.Args[0].Shape
	n := len(in)
	if n < 3 || len(fn.Shape) != n || !slices.Equal(fn.Shape[:n-2], in[:n-2]) {
		return false
	}
	rows, columns := in[n-2], in[n-1]
	if rows < 2 || columns < 2 || max(rows, columns) > vm.TileLen {
		return false
	}
	return fn.Shape[n-2] == 1 || fn.Shape[n-1] == 1
}

// sum adds a sum of slot src to a fused instruction, which writes it to l.
func (f *fuser[F]) sum(v *ir.Value, l *vm.Layout, src int) {
	n := len(v.Shape)
	code := vm.OpSumAll
	switch {
	case v.Shape[n-2] != 1:
		code = vm.OpSumRows
	case v.Shape[n-1] != 1:
		code = vm.OpSumColumns
	}
	f.unitCost += sumCost
	f.ops = append(f.ops, vm.Op[F]{Code: code, Dst: f.result(l), A: src})
}

// sumCost is the nanoseconds in which 1,024 elements are added up.
const sumCost = 50

// summing reports whether an operation adds up.
func summing[F kernels.Float](o vm.Op[F]) bool {
	return o.Code == vm.OpSumRows || o.Code == vm.OpSumColumns || o.Code == vm.OpSumAll
}
