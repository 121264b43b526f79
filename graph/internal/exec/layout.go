package exec

import (
	"slices"

	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// layout is where a value lies: element (i, j, …) at off + i·strides[0] + j·strides[1] + … of a
// buffer. In a loop the whole moves on by tick elements with a clock, and by segment elements with
// each segment of a recurrence that is cut into segments. A layout may be a view of what others
// cover.
type layout struct {
	buf     int
	off     int
	clock   int // index in worker.clock
	tick    int
	segment int
	shape   []int
	strides []int
	ints    bool
}

// The clocks of a loop: nothing moves; the time; two places that are used in turn.
const (
	still = iota
	byTime
	byStep  // where the step before left it
	byStep1 // where this step leaves it
)

// rowMajor returns the strides of a contiguous tensor of a shape.
func rowMajor(shape []int) []int {
	s := make([]int, len(shape))
	n := 1
	for i := len(shape) - 1; i >= 0; i-- {
		s[i] = n
		n *= shape[i]
	}
	return s
}

// contiguous reports whether the elements lie one after another.
func (l *layout) contiguous() bool {
	n := 1
	for i := len(l.shape) - 1; i >= 0; i-- {
		if l.shape[i] != 1 && l.strides[i] != n {
			return false
		}
		n *= l.shape[i]
	}
	return true
}

// at is the buffer from the first element of l on.
func at[F kernels.Float](x *worker[F], l *layout) []F {
	return x.p.bufs[l.buf][l.first(x.clock, x.segment):]
}

// first is where the first element lies in its buffer.
func (l *layout) first(clock [4]int, segment int) int {
	return l.off + l.tick*clock[l.clock] + l.segment*segment
}

// same reports whether two layouts of one shape begin at one place at all times.
func (l *layout) same(m *layout) bool {
	return l.buf == m.buf && l.off == m.off && l.clock == m.clock && l.segment == m.segment
}

// whole is l as a tensor; it must be contiguous.
func whole[F kernels.Float](x *worker[F], l *layout) ops.Tensor {
	n := ops.Size(l.shape)
	off := l.first(x.clock, x.segment)
	t := ops.Tensor{Shape: l.shape}
	if l.ints {
		t.Int = x.p.ints[l.buf][off : off+n : off+n]
		return t
	}
	setFloats(&t, x.p.bufs[l.buf][off:off+n:off+n])
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

// slice is [from, to) of an axis.
func (l *layout) slice(axis, from, to int) *layout {
	s := *l
	s.off += from * l.strides[axis]
	s.shape = slices.Clone(l.shape)
	s.shape[axis] = to - from
	return &s
}

// transpose reorders the axes.
func (l *layout) transpose(perm []int) *layout {
	s := *l
	s.shape, s.strides = make([]int, len(perm)), make([]int, len(perm))
	for i, a := range perm {
		s.shape[i], s.strides[i] = l.shape[a], l.strides[a]
	}
	return &s
}

// broadcast repeats l to a shape.
func (l *layout) broadcast(shape []int) *layout {
	s := *l
	s.shape, s.strides = slices.Clone(shape), make([]int, len(shape))
	skip := len(shape) - len(l.shape)
	for i, d := range l.shape {
		if d == shape[skip+i] && d > 1 {
			s.strides[skip+i] = l.strides[i]
		}
	}
	return &s
}

// reshape gives the elements another shape; nil if they do not lie so that it can be said with
// strides.
func (l *layout) reshape(shape []int) *layout {
	s := *l
	s.shape = slices.Clone(shape)
	if l.contiguous() {
		s.strides = rowMajor(shape)
		return &s
	}
	// Match groups of axes of equal size from the left; within a group the old axes must lie
	// contiguous.
	s.strides = make([]int, len(shape))
	i, j := 0, 0
	for i < len(l.shape) || j < len(shape) {
		i0, j0 := i, j
		a, b := 1, 1
		if i < len(l.shape) {
			a = l.shape[i]
			i++
		}
		if j < len(shape) {
			b = shape[j]
			j++
		}
		for a != b {
			if a < b {
				if i == len(l.shape) {
					return nil
				}
				a *= l.shape[i]
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
			if l.shape[k] == 1 {
				continue
			}
			if last != 0 && l.strides[k] != last {
				return nil
			}
			if last == 0 {
				stride = l.strides[k]
			}
			last = l.strides[k] * l.shape[k]
		}
		for k := j - 1; k >= j0; k-- {
			s.strides[k] = stride
			stride *= shape[k]
		}
	}
	return &s
}
