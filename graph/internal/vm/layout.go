package vm

import (
	"slices"

	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// Layout is where a value lies: element (i, j, …) at off + i·strides[0] + j·strides[1] + … of a
// buffer. In a loop the whole moves on by tick elements with a clock, and by segment elements with
// each segment of a recurrence that is cut into segments. A layout may be a view of what others
// cover.
type Layout struct {
	Buf     int
	Off     int
	Clock   int // index in worker.clock
	Tick    int
	Segment int
	Shape   []int
	Strides []int
	Ints    bool
}

// The clocks of a loop: nothing moves; the time; two places that are used in turn.
const (
	Still = iota
	ByTime
	ByStep  // where the step before left it
	ByStep1 // where this step leaves it
)

// RowMajor returns the strides of a contiguous tensor of a shape.
func RowMajor(shape []int) []int {
	s := make([]int, len(shape))
	n := 1
	for i := len(shape) - 1; i >= 0; i-- {
		s[i] = n
		n *= shape[i]
	}
	return s
}

// Contiguous reports whether the elements lie one after another.
func (l *Layout) Contiguous() bool {
	n := 1
	for i := len(l.Shape) - 1; i >= 0; i-- {
		if l.Shape[i] != 1 && l.Strides[i] != n {
			return false
		}
		n *= l.Shape[i]
	}
	return true
}

// at is the buffer from the first element of l on.
func at[F kernels.Float](x *worker[F], l *Layout) []F {
	return x.p.bufs[l.Buf][l.first(x.clock, x.segment):]
}

// first is where the first element lies in its buffer.
func (l *Layout) first(clock [4]int, segment int) int {
	return l.Off + l.Tick*clock[l.Clock] + l.Segment*segment
}

// Same reports whether two layouts of one shape begin at one place at all steps.
func (l *Layout) Same(m *Layout) bool {
	return l.Buf == m.Buf && l.Off == m.Off && l.Clock == m.Clock && l.Segment == m.Segment
}

// whole is l as a tensor; it must be contiguous.
func whole[F kernels.Float](x *worker[F], l *Layout) ops.Tensor {
	n := ops.Size(l.Shape)
	off := l.first(x.clock, x.segment)
	t := ops.Tensor{Shape: l.Shape}
	if l.Ints {
		t.Int = x.p.ints[l.Buf][off : off+n : off+n]
		return t
	}
	setFloats(&t, x.p.bufs[l.Buf][off:off+n:off+n])
	return t
}

func setFloats[F kernels.Float](t *ops.Tensor, s []F) {
	switch s := any(&s).(type) {
	case *[]float32:
		t.F32 = *s
	case *[]float64:
		t.F64 = *s
	}
}

// Slice is [from, to) of an axis.
func (l *Layout) Slice(axis, from, to int) *Layout {
	s := *l
	s.Off += from * l.Strides[axis]
	s.Shape = slices.Clone(l.Shape)
	s.Shape[axis] = to - from
	return &s
}

// Transpose reorders the axes.
func (l *Layout) Transpose(perm []int) *Layout {
	s := *l
	s.Shape, s.Strides = make([]int, len(perm)), make([]int, len(perm))
	for i, a := range perm {
		s.Shape[i], s.Strides[i] = l.Shape[a], l.Strides[a]
	}
	return &s
}

// Broadcast repeats l to a shape.
func (l *Layout) Broadcast(shape []int) *Layout {
	s := *l
	s.Shape, s.Strides = slices.Clone(shape), make([]int, len(shape))
	skip := len(shape) - len(l.Shape)
	for i, d := range l.Shape {
		if d == shape[skip+i] && d > 1 {
			s.Strides[skip+i] = l.Strides[i]
		}
	}
	return &s
}

// Reshape gives the elements another shape; nil if they do not lie so that it can be said with
// strides.
func (l *Layout) Reshape(shape []int) *Layout {
	s := *l
	s.Shape = slices.Clone(shape)
	if l.Contiguous() {
		s.Strides = RowMajor(shape)
		return &s
	}
	// Match groups of axes of equal size from the left; within a group the old axes must lie
	// contiguous.
	s.Strides = make([]int, len(shape))
	i, j := 0, 0
	for i < len(l.Shape) || j < len(shape) {
		i0, j0 := i, j
		a, b := 1, 1
		if i < len(l.Shape) {
			a = l.Shape[i]
			i++
		}
		if j < len(shape) {
			b = shape[j]
			j++
		}
		for a != b {
			if a < b {
				if i == len(l.Shape) {
					return nil
				}
				a *= l.Shape[i]
				i++
			} else {
				if j == len(shape) {
					return nil
				}
				b *= shape[j]
				j++
			}
		}
		stride, last := 1, 0
		for k := i - 1; k >= i0; k-- {
			if l.Shape[k] == 1 {
				continue
			}
			if last != 0 && l.Strides[k] != last {
				return nil
			}
			if last == 0 {
				stride = l.Strides[k]
			}
			last = l.Strides[k] * l.Shape[k]
		}
		for k := j - 1; k >= j0; k-- {
			s.Strides[k] = stride
			stride *= shape[k]
		}
	}
	return &s
}
