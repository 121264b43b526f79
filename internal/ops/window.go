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

// view is what one element of the window sees: along each axis the places from which on, and up to
// which, it lies inside, and the element that the first of them sees.
type view struct{ from, to, first [3]int }

// view is what element (a, b, c) of the window sees.
func (s *slide) view(a, b, c int) (v view) {
	for i, k := range [3]int{a, b, c} {
		v.from[i], v.to[i], v.first[i] = s.inside(i, k)
	}
	return v
}

// empty reports whether the element lies outside at all places.
func (v *view) empty() bool {
	return v.from[0] >= v.to[0] || v.from[1] >= v.to[1] || v.from[2] >= v.to[2]
}

// piece is the first place of a plane that sees something, and the one behind the last.
func (v *view) piece(line int) (first, last int) {
	return v.from[1]*line + v.from[2], (v.to[1]-1)*line + v.to[2]
}

// joined reports whether the lines of places lie in one piece with those of the elements they see,
// but for their ends.
func (s *slide) joined() bool { return s.stride[1] == 1 && s.stride[2] == 1 && s.in[2] == s.out[2] }

// eachView visits the elements of the window with what they see, for a few channels at a time,
// which stay in the first-level cache.
func (s *slide) eachView(channels int, visit func(k, from, to int, v *view)) {
	var v view
	some := max(1, 8192/volume(s.in))
	for from := 0; from < channels; from += some {
		k := 0
		for a := range s.kernel[0] {
			for b := range s.kernel[1] {
				for c := range s.kernel[2] {
					v = s.view(a, b, c)
					visit(k, from, min(from+some, channels), &v)
					k++
				}
			}
		}
	}
}

// unfold writes rows [C·K, places], pitch elements apart: for each channel and element of the
// window, what it sees. A part of the channels may be taken.
func unfold[F kernels.Float](s *slide, dst []F, pitch int, x []F, channels int) {
	in, out, kernel := volume(s.in), volume(s.out), volume(s.kernel)
	s.eachView(channels, func(k, from, to int, v *view) {
		for c := from; c < to; c++ {
			at := (c*kernel + k) * pitch
			see(s, v, dst[at:at+out], x[c*in:(c+1)*in])
		}
	})
}

// see writes what an element of the window sees of a channel, and zeros for what lies around it.
func see[F kernels.Float](s *slide, v *view, row, x []F) {
	plane, line := s.out[1]*s.out[2], s.out[2]
	if v.empty() {
		clear(row)
		return
	}
	clear(row[:v.from[0]*plane])
	clear(row[v.to[0]*plane:])
	for a := v.from[0]; a < v.to[0]; a++ {
		to := row[a*plane : (a+1)*plane]
		from := x[(v.first[0]+(a-v.from[0])*s.stride[0])*s.in[1]*s.in[2]:]
		if s.joined() {
			first, last := v.piece(line)
			clear(to[:first])
			copy(to[first:last], from[v.first[1]*line+v.first[2]:])
			clear(to[last:])
			clearEnds(v, to, line)
			continue
		}
		clear(to[:v.from[1]*line])
		clear(to[v.to[1]*line:])
		for b := v.from[1]; b < v.to[1]; b++ {
			seen := from[(v.first[1]+(b-v.from[1])*s.stride[1])*s.in[2]+v.first[2]:]
			seeLine(to[b*line:(b+1)*line], seen, v.from[2], v.to[2], s.stride[2])
		}
	}
}

// seeLine writes the places from..to of a line, and zeros around them.
func seeLine[F kernels.Float](line, x []F, from, to, stride int) {
	clear(line[:from])
	clear(line[to:])
	line = line[from:to]
	if stride == 1 {
		copy(line, x)
		return
	}
	for i := range line {
		line[i] = x[i*stride]
	}
}

// clearEnds writes zeros to the places of all lines of a plane that see nothing.
func clearEnds[F kernels.Float](v *view, plane []F, line int) {
	for i := range v.from[2] {
		for at := i; at < len(plane); at += line {
			plane[at] = 0
		}
	}
	for i := v.to[2]; i < line; i++ {
		for at := i; at < len(plane); at += line {
			plane[at] = 0
		}
	}
}

// fold adds what unfold would have read from each element back to it. It may change col.
func fold[F kernels.Float](s *slide, x, col []F, pitch, channels int) {
	in, out, kernel := volume(s.in), volume(s.out), volume(s.kernel)
	clear(x[:channels*in])
	s.eachView(channels, func(k, from, to int, v *view) {
		for c := from; c < to && !v.empty(); c++ {
			at := (c*kernel + k) * pitch
			giveBack(s, v, x[c*in:(c+1)*in], col[at:at+out])
		}
	})
}

// giveBack adds to a channel what an element of the window has seen of it.
func giveBack[F kernels.Float](s *slide, v *view, x, row []F) {
	plane, line := s.out[1]*s.out[2], s.out[2]
	for a := v.from[0]; a < v.to[0]; a++ {
		from := row[a*plane : (a+1)*plane]
		to := x[(v.first[0]+(a-v.from[0])*s.stride[0])*s.in[1]*s.in[2]:]
		if s.joined() {
			// Where the ends of lines would come zeros are added, which change no sum that began
			// at zero.
			clearEnds(v, from, line)
			first, last := v.piece(line)
			to = to[v.first[1]*line+v.first[2]:][:last-first]
			kernels.Add(to, to, from[first:last])
			continue
		}
		for b := v.from[1]; b < v.to[1]; b++ {
			some := from[b*line+v.from[2] : b*line+v.to[2]]
			at := to[(v.first[1]+(b-v.from[1])*s.stride[1])*s.in[2]+v.first[2]:]
			if s.stride[2] == 1 {
				kernels.Add(at[:len(some)], at[:len(some)], some)
				continue
			}
			for i, g := range some {
				at[i*s.stride[2]] += g
			}
		}
	}
}

// batchShape is [N, C, ...] with other sizes behind.
func batchShape(n, c int, rest []int) []int { return slices.Concat([]int{n, c}, rest) }
