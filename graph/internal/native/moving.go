package native

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/ops"
)

// Slicer is a slice of Gorgonia's, or the gradient of one. gorgonia.UnsafeLet gives it another
// range.
type Slicer interface{ IsSlice() tensor.Slice }

// Range is N elements from Start on, Step apart.
type Range struct{ Start, N, Step int }

// RangeOf is what a slice takes of an axis, as Gorgonia infers it: of the elements that a step
// leaves over it takes none.
func RangeOf(s tensor.Slice, size int) Range {
	if all(s) {
		return Range{0, size, 1}
	}
	r := Range{Start: s.Start(), Step: max(s.Step(), 1)}
	r.N = max((min(s.End(), size)-r.Start)/r.Step, 1)
	return r
}

// all reports whether a slice takes its whole axis.
func all(s tensor.Slice) bool { return s == nil || s.End() <= s.Start() }

// Sliced is the axis that op, a slice or the gradient of one, cuts operands of the given type
// along.
func Sliced(op G.Op, in ops.Type) (axis int, ok bool) {
	v, name := inspect(op)
	if name != "sliceOp" && name != "sliceIncrOp" {
		return 0, false
	}
	axis = int(v.FieldByName("along").Int())
	return axis, axis >= 0 && axis < len(in.Shape) && in.Shape[axis] > 0
}

// TranslateMoving is Translate for a slice, or the gradient of one, whose range is not known. The
// numbers of the elements that it takes are an operand behind its own.
func TranslateMoving(op G.Op, in []ops.Type, out ops.Type) (*Expr, error) {
	return translate(op, in, out, func(b *builder) int {
		axis, ids := b.axis(0, b.int("along")), b.In-1
		if ids == 1 {
			return take(b, axis, ids)
		}
		return put(b, axis, ids)
	})
}

// Changed gives a function that reports whether what a translation of op took as it stood is
// another by now: the range of a slice, or a constant. It is nil if there is nothing of that kind.
func Changed(op G.Op, in []ops.Type) func() bool {
	if s, ok := op.(Slicer); ok {
		axis, ok := Sliced(op, in[0])
		if !ok {
			return nil
		}
		size := in[0].Shape[axis]
		was := RangeOf(s.IsSlice(), size)
		return func() bool { return RangeOf(s.IsSlice(), size) != was }
	}
	if !IsConstant(op) {
		return nil
	}
	switch v := op.(interface{ Value() G.Value }).Value().(type) {
	case *G.F64:
		was := math.Float64bits(float64(*v))
		return func() bool { return math.Float64bits(float64(*v)) != was }
	case *G.F32:
		was := math.Float32bits(float32(*v))
		return func() bool { return math.Float32bits(float32(*v)) != was }
	case *tensor.Dense:
		t, err := ops.TensorOf(v)
		if err != nil || v.Size() == 0 {
			return nil
		}
		if t.F32 != nil {
			return unlike(v.Float32s, t.F32[0])
		}
		return unlike(v.Float64s, t.F64[0])
	}
	return nil
}

func unlike[F float32 | float64](elements func() []F, was F) func() bool {
	return func() bool {
		for _, x := range elements() {
			if x != was {
				return true
			}
		}
		return false
	}
}

// Out says what is wrong with a range of an axis of which a node takes n elements; nil: nothing.
func (r Range) Out(size, n int) error {
	switch {
	case r.Start < 0 || r.Start >= size:
		return fmt.Errorf("a slice from %d on of an axis of size %d", r.Start, size)
	case r.N != n:
		return fmt.Errorf("a slice of %d elements, where the graph was built for %d", r.N, n)
	}
	return nil
}
