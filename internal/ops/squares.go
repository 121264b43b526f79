package ops

import "github.com/seqzoo/seqzoo/internal/kernels"

// squares reports whether the window is the common one: squares of 2 × 2 beside each other.
func (s *slide) squares() bool {
	two := [3]int{1, 2, 2}
	return s.kernel == two && s.stride == two && s.dilation == [3]int{1, 1, 1} &&
		s.before == [3]int{} && s.in[0] == 1 && s.out[0] == 1 && 2*s.out[1] <= s.in[1] &&
		2*s.out[2] <= s.in[2]
}

// eachOfFours visits the channels of x with the largest of four at each of their elements: of it,
// of the next, and of the two below these. It is what a square that begins there sees; at the ends
// of lines it means nothing.
func eachOfFours[F kernels.Float](s *slide, x []F, visit func(c int, image, most []F)) {
	size, line := volume(s.in), s.in[2]
	some := max(1, 8192/size) // channels at a time, which stay in the first-level cache
	buf, back := borrow[F](2 * some * size)
	defer back()
	for c := 0; c*size < len(x); c += some {
		images := x[c*size : min((c+some)*size, len(x))]
		n := len(images) - line
		below, most := (*buf)[:n], (*buf)[some*size:]
		kernels.Max(below, images[:n], images[line:])
		kernels.Max(most[:n-1], below[:n-1], below[1:])
		for i := 0; i < len(images); i += size {
			visit(c+i/size, images[i:i+size], most[i:i+size])
		}
	}
}

// takeFours are the largest of four at the places of the window.
func takeFours[F kernels.Float](s *slide, y, most []F) {
	for r := range s.out[1] {
		row := y[r*s.out[2] : (r+1)*s.out[2]]
		from := most[2*r*s.in[2]:][:2*len(row)]
		for i := range row {
			row[i] = from[2*i]
		}
	}
}

// giveFours gives each place's gradient to the first of its four that is the largest.
func giveFours[F kernels.Float](s *slide, dx, x, most, dy []F) {
	line := s.in[2]
	clear(dx)
	for r := range s.out[1] {
		row := dy[r*s.out[2] : (r+1)*s.out[2]]
		at := 2 * r * line
		top, low, v := x[at:][:2*len(row)], x[at+line:][:2*len(row)], most[at:][:2*len(row)]
		to := dx[at : at+2*line]
		for i, g := range row {
			// Sums of ones in place of branches, whose way nothing could predict.
			first, above := bit(top[2*i] == v[2*i]), bit(top[2*i+1] == v[2*i])
			above |= first
			right := above&^first | (1-above)&^bit(low[2*i] == v[2*i])
			k := 2*i + right + line&(above-1)
			to[k] += g
		}
	}
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
