package ops

import "github.com/seqzoo/seqzoo/internal/kernels"

// RowWise is an operation of one operand whose rows, along the last axis, are computed each by
// itself: a row of the result depends on the same row of the operand alone, and is as long. That is
// all that the engine needs to know of one: it takes it for all steps of a recurrence at once,
// shares its rows between workers, and computes them by its kernel.
type RowWise interface {
	Operation
	Rows() RowKernel
}

// RowKernel computes one row. The slices have one length, and scratch holds nothing that is needed.
type RowKernel struct {
	F32 func(dst, x, scratch []float32)
	F64 func(dst, x, scratch []float64)
}

// RowFunc is the function of a RowKernel for one type.
func RowFunc[F kernels.Float](k RowKernel) func(dst, x, scratch []F) {
	if f, ok := any(k.F32).(func(dst, x, scratch []F)); ok {
		return f
	}
	return any(k.F64).(func(dst, x, scratch []F))
}
