package ops

import (
	"fmt"
	"slices"

	"github.com/seqzoo/seqzoo/internal/kernels"
)

// Parted is an operation whose work falls into parts that several workers may compute at once. The
// parts do not depend on the number of workers, and neither does any element of the result.
type Parted interface {
	Operation
	// Parts is how many there are for operands and a result of these shapes.
	Parts(in []Tensor, out Tensor) int
	// EvalParts computes parts [from, to).
	EvalParts(in []Tensor, out Tensor, from, to int) error
}

// Window is what a convolution or a pooling slides along the last one to three axes of a tensor
// [N, C, ...]: a value for each of these axes.
type Window struct {
	Kernel, Stride, Dilation []int
	Before, Behind           []int // zeros, or nothing, around the axis
	Out                      []int // places that the window takes
}

// Places is how many places the window takes along each axis of the given sizes; up rounds up,
// where the last place may reach over the end. Windows that would begin behind it are left out.
func (w Window) Places(in []int, up bool) ([]int, error) {
	out := make([]int, len(in))
	for i, d := range in {
		span := (w.Kernel[i]-1)*w.Dilation[i] + 1
		room := d + w.Before[i] + w.Behind[i] - span
		if room < 0 {
			return nil, fmt.Errorf("a window of %d places does not fit into %d", span,
				d+w.Before[i]+w.Behind[i])
		}
		out[i] = room/w.Stride[i] + 1
		if up && room%w.Stride[i] != 0 && out[i]*w.Stride[i] < d+w.Before[i] {
			out[i]++
		}
	}
	return out, nil
}

func (w Window) key() string {
	return fmt.Sprintf("%v %v %v %v %v %v", w.Kernel, w.Stride, w.Dilation, w.Before, w.Behind,
		w.Out)
}

// check holds the window to the axes that it slides along, of the given sizes.
func (w Window) check(in []int) error {
	n := len(in)
	if n < 1 || n > 3 {
		return fmt.Errorf("%d axes to slide along: want one to three", n)
	}
	for _, list := range [][]int{w.Kernel, w.Stride, w.Dilation, w.Before, w.Behind, w.Out} {
		if len(list) != n {
			return fmt.Errorf("%d values for %d axes", len(list), n)
		}
	}
	for i, d := range in {
		for _, v := range []int{w.Kernel[i], w.Stride[i], w.Dilation[i], w.Out[i]} {
			if v < 1 || v > MaxElements {
				return fmt.Errorf("sizes %v, strides %v, dilations %v, places %v: want 1 or more",
					w.Kernel, w.Stride, w.Dilation, w.Out)
			}
		}
		if w.Before[i] < 0 || w.Behind[i] < 0 || w.Before[i] > MaxElements ||
			w.Behind[i] > MaxElements {
			return fmt.Errorf("%v and %v places around: want 0 or more", w.Before, w.Behind)
		}
		if (w.Out[i]-1)*w.Stride[i] >= d+w.Before[i]+w.Behind[i] {
			return fmt.Errorf("%d windows, %d apart, in %d places", w.Out[i], w.Stride[i],
				d+w.Before[i]+w.Behind[i])
		}
	}
	return nil
}

// slide is a window over three axes of which the first ones may be 1.
type slide struct{ in, kernel, stride, dilation, before, behind, out [3]int }

func (w Window) slide(in []int) slide {
	s := slide{in: [3]int{1, 1, 1}, kernel: [3]int{1, 1, 1}, stride: [3]int{1, 1, 1},
		dilation: [3]int{1, 1, 1}, out: [3]int{1, 1, 1}}
	at := 3 - len(in)
	for i := range in {
		s.in[at+i], s.kernel[at+i], s.stride[at+i] = in[i], w.Kernel[i], w.Stride[i]
		s.dilation[at+i], s.before[at+i], s.behind[at+i] = w.Dilation[i], w.Before[i], w.Behind[i]
		s.out[at+i] = w.Out[i]
	}
	return s
}

func volume(d [3]int) int { return d[0] * d[1] * d[2] }

// trivial reports whether a place sees its own element alone.
func (s slide) trivial() bool {
	one := [3]int{1, 1, 1}
	return s.kernel == one && s.stride == one && s.before == [3]int{} && s.in == s.out
}

// inside is the range of places of axis i whose element k of the window lies inside, and the
// element that the first of them sees.
func (s slide) inside(i, k int) (from, to, first int) {
	off := k*s.dilation[i] - s.before[i]
	from, to = 0, s.out[i]
	if off < 0 {
		from = min((-off+s.stride[i]-1)/s.stride[i], to)
	}
	if last := s.in[i] - 1 - off; last < 0 {
		to = from
	} else {
		to = max(min(to, last/s.stride[i]+1), from)
	}
	return from, to, from*s.stride[i] + off
}

// eachRow visits what each element of the window sees, line by line along the last axis: element k
// of the window sees, at n places from place out on, elements from in on, step apart. What lies
// outside is not visited.
func (s slide) eachRow(visit func(k, out, in, n, step int)) {
	k := 0
	for a := range s.kernel[0] {
		a0, a1, ai := s.inside(0, a)
		for b := range s.kernel[1] {
			b0, b1, bi := s.inside(1, b)
			for c := range s.kernel[2] {
				c0, c1, ci := s.inside(2, c)
				for x := a0; x < a1 && c1 > c0; x++ {
					for y := b0; y < b1; y++ {
						row := (ai+(x-a0)*s.stride[0])*s.in[1] + bi + (y-b0)*s.stride[1]
						visit(k, (x*s.out[1]+y)*s.out[2]+c0, row*s.in[2]+ci, c1-c0, s.stride[2])
					}
				}
				k++
			}
		}
	}
}

// unfold writes [C·K, places]: for each channel and element of the window, what it sees. A part of
// the channels may be taken.
func unfold[F kernels.Float](s slide, dst, x []F, channels int) {
	in, out, k := volume(s.in), volume(s.out), volume(s.kernel)
	clear(dst[:channels*k*out])
	for c := range channels {
		image, rows := x[c*in:(c+1)*in], dst[c*k*out:(c+1)*k*out]
		s.eachRow(func(k, o, i, n, step int) {
			to := rows[k*out+o : k*out+o+n]
			if step == 1 {
				copy(to, image[i:i+n])
				return
			}
			for j := range to {
				to[j] = image[i+j*step]
			}
		})
	}
}

// fold adds what unfold would have read from each element back to it.
func fold[F kernels.Float](s slide, x, col []F, channels int) {
	in, out, k := volume(s.in), volume(s.out), volume(s.kernel)
	clear(x[:channels*in])
	for c := range channels {
		image, rows := x[c*in:(c+1)*in], col[c*k*out:(c+1)*k*out]
		s.eachRow(func(k, o, i, n, step int) {
			from := rows[k*out+o : k*out+o+n]
			if step == 1 {
				to := image[i : i+n]
				kernels.Add(to, to, from)
				return
			}
			for j, v := range from {
				image[i+j*step] += v
			}
		})
	}
}

// batchShape is [N, C, ...] with other sizes behind.
func batchShape(n, c int, rest []int) []int { return slices.Concat([]int{n, c}, rest) }
