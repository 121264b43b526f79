package ops

import (
	"fmt"
	"slices"
	"sync"

	G "gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/internal/kernels"
)

// Conv is the cross-correlation that networks call convolution: operands x [N, C, ...] and weights
// [M, C/Groups, kernel...], result [N, M, places...]. Each group of M/Groups results sees its own
// C/Groups channels. It is a product of the weights and of what each place of the window sees.
type Conv struct {
	Window
	Groups int
}

func (c Conv) Key() string { return fmt.Sprintf("conv{%s %d}", c.key(), c.Groups) }

// checkWeights holds weights to the channels of x.
func (c Conv) checkWeights(x, w []int) error {
	if len(x) != len(w) || len(x) < 3 {
		return fmt.Errorf("want x [N, C, ...] and weights [M, C/groups, ...] of as many axes")
	}
	if c.Groups < 1 || w[0]%c.Groups != 0 || x[1] != w[1]*c.Groups {
		return fmt.Errorf("%d channels in %d groups do not fit weights %s", x[1], c.Groups,
			ShapeString(w))
	}
	if !slices.Equal(w[2:], c.Kernel) {
		return fmt.Errorf("weights %s for a window %v", ShapeString(w), c.Kernel)
	}
	return c.check(x[2:])
}

func (c Conv) Infer(in []Type) (Type, error) {
	if err := sameFloat(in...); err != nil {
		return in[0], err
	}
	x, w := in[0].Shape, in[1].Shape
	if err := c.checkWeights(x, w); err != nil {
		return in[0], err
	}
	return Type{in[0].Dtype, batchShape(x[0], w[0], c.Out)}, nil
}

func (c Conv) Eval(in []Tensor, out Tensor) error {
	return c.EvalParts(in, out, 0, c.Parts(in, out))
}

// Parts are the images.
func (c Conv) Parts(in []Tensor, _ Tensor) int { return in[0].Shape[0] }

func (c Conv) EvalParts(in []Tensor, out Tensor, from, to int) error {
	return evaluate(out, func() error { return evalConv[float32](c, in, out, from, to) },
		func() error { return evalConv[float64](c, in, out, from, to) })
}

// sizes of a convolution: per group, channels, results, and rows of the unfolded window.
type convSizes struct {
	slide
	groups, channels, results, rows int
	in, places                      int
}

func (c Conv) sizes(x, w []int) *convSizes {
	s := &convSizes{slide: c.slide(x[2:]), groups: c.Groups, channels: w[1],
		results: w[0] / c.Groups}
	s.rows, s.in, s.places = w[1]*volume(s.kernel), volume(s.slide.in), volume(s.out)
	return s
}

// buffers of unfolded windows, which are needed for the time of one operation.
var buffers32, buffers64 sync.Pool

func borrow[F kernels.Float](n int) (b *[]F, back func()) {
	pool := &buffers32
	if _, ok := any(F(0)).(float64); ok {
		pool = &buffers64
	}
	b, _ = pool.Get().(*[]F)
	if b == nil || cap(*b) < n {
		s := make([]F, n)
		b = &s
	}
	*b = (*b)[:n]
	return b, func() { pool.Put(b) }
}

// together is how many of so many images make one product: about as many as stay unfolded in the
// second-level cache, where places are few, since the last vector of a row of places is seldom
// full.
func (s *convSizes) together(images int) int {
	const few, most = 256, 1 << 18
	if s.trivial() || s.places >= few {
		return 1
	}
	return max(1, min(images, most/(s.rows*s.places)))
}

// image and result are those of image n that group g has: [channels, in...] and [results, places].
func (s *convSizes) image(n, g int) (from, to int) {
	at, size := n*s.groups+g, s.channels*s.in
	return at * size, (at + 1) * size
}

func (s *convSizes) result(n, g int) (from, to int) {
	at, size := n*s.groups+g, s.results*s.places
	return at * size, (at + 1) * size
}

// beside copies the results of some images from n on, of a group, side by side: [results, some ·
// places]; apart copies them back.
func beside[F kernels.Float](s *convSizes, dst, y []F, n, some, g int) {
	for i := range some {
		from, _ := s.result(n+i, g)
		for r := range s.results {
			copy(dst[(r*some+i)*s.places:][:s.places], y[from+r*s.places:])
		}
	}
}

func apart[F kernels.Float](s *convSizes, y, src []F, n, some, g int) {
	for i := range some {
		from, _ := s.result(n+i, g)
		for r := range s.results {
			copy(y[from+r*s.places:][:s.places], src[(r*some+i)*s.places:])
		}
	}
}

func evalConv[F kernels.Float](c Conv, in []Tensor, out Tensor, from, to int) error {
	s := c.sizes(in[0].Shape, in[1].Shape)
	x, w, y := data[F](in[0]), data[F](in[1]), data[F](out)
	some := s.together(to - from)
	buf, back := borrow[F]((s.rows + s.results) * some * s.places)
	defer back()
	for n := from; n < to; n += some {
		some = min(some, to-n)
		pitch := some * s.places
		for g := range s.groups {
			col, product := (*buf)[:s.rows*pitch], (*buf)[s.rows*pitch:]
			for i := range some {
				a, b := s.image(n+i, g)
				if s.trivial() {
					col = x[a:b]
				} else {
					unfold(&s.slide, col[i*s.places:], pitch, x[a:b], s.channels)
				}
			}
			if some == 1 {
				a, b := s.result(n, g)
				product = y[a:b]
			}
			kernels.Gemm(false, false, s.results, pitch, s.rows,
				w[g*s.results*s.rows:(g+1)*s.results*s.rows], s.rows, col, pitch, product, pitch,
				false)
			if some > 1 {
				apart(s, y, product, n, some, g)
			}
		}
	}
	return nil
}

func (c Conv) Diff(in []*G.Node, _, dy *G.Node, need []bool) []*G.Node {
	ds := make([]*G.Node, 2)
	if need[0] {
		ds[0] = Apply(ConvX{c, slices.Clone([]int(in[0].Shape()))}, in[1], dy)
	}
	if need[1] {
		ds[1] = Apply(ConvW{c, slices.Clone([]int(in[1].Shape()))}, in[0], dy)
	}
	return ds
}

// ConvX is the gradient of a convolution's x, of shape Shape, from the weights and the gradient of
// the result; and the transposed convolution.
type ConvX struct {
	Conv
	Shape []int
}

func (c ConvX) Key() string { return fmt.Sprintf("convx{%s %v}", c.Conv.Key(), c.Shape) }

func (c ConvX) Infer(in []Type) (Type, error) {
	if err := sameFloat(in...); err != nil {
		return in[0], err
	}
	if len(c.Shape) < 3 {
		return in[0], fmt.Errorf("want a result [N, C, ...]")
	}
	if err := c.checkWeights(c.Shape, in[0].Shape); err != nil {
		return in[0], err
	}
	if want := batchShape(c.Shape[0], in[0].Shape[0], c.Out); !slices.Equal(want, in[1].Shape) {
		return in[0], fmt.Errorf("%s, want %s", ShapeString(in[1].Shape), ShapeString(want))
	}
	return Type{in[0].Dtype, c.Shape}, nil
}

func (c ConvX) Eval(in []Tensor, out Tensor) error {
	return c.EvalParts(in, out, 0, c.Parts(in, out))
}

// Parts are the images.
func (c ConvX) Parts(_ []Tensor, out Tensor) int { return out.Shape[0] }

func (c ConvX) EvalParts(in []Tensor, out Tensor, from, to int) error {
	return evaluate(out, func() error { return evalConvX[float32](c, in, out, from, to) },
		func() error { return evalConvX[float64](c, in, out, from, to) })
}

func evalConvX[F kernels.Float](c ConvX, in []Tensor, out Tensor, from, to int) error {
	s := c.sizes(c.Shape, in[0].Shape)
	w, dy, dx := data[F](in[0]), data[F](in[1]), data[F](out)
	some := s.together(to - from)
	buf, back := borrow[F]((s.rows + s.results) * some * s.places)
	defer back()
	for n := from; n < to; n += some {
		some = min(some, to-n)
		pitch := some * s.places
		for g := range s.groups {
			col, gradient := (*buf)[:s.rows*pitch], (*buf)[s.rows*pitch:]
			if s.trivial() {
				a, b := s.image(n, g)
				col = dx[a:b]
			}
			if some == 1 {
				a, b := s.result(n, g)
				gradient = dy[a:b]
			} else {
				beside(s, gradient, dy, n, some, g)
			}
			kernels.Gemm(true, false, s.rows, pitch, s.results,
				w[g*s.results*s.rows:(g+1)*s.results*s.rows], s.rows, gradient, pitch, col, pitch,
				false)
			for i := 0; i < some && !s.trivial(); i++ {
				a, b := s.image(n+i, g)
				fold(&s.slide, dx[a:b], col[i*s.places:], pitch, s.channels)
			}
		}
	}
	return nil
}

func (c ConvX) Diff(in []*G.Node, _, dy *G.Node, need []bool) []*G.Node {
	ds := make([]*G.Node, 2)
	if need[0] {
		ds[0] = Apply(ConvW{c.Conv, slices.Clone([]int(in[0].Shape()))}, dy, in[1])
	}
	if need[1] {
		ds[1] = Apply(c.Conv, dy, in[0])
	}
	return ds
}

// ConvW is the gradient of a convolution's weights, of shape Shape, from x and the gradient of the
// result.
type ConvW struct {
	Conv
	Shape []int
}

func (c ConvW) Key() string { return fmt.Sprintf("convw{%s %v}", c.Conv.Key(), c.Shape) }

func (c ConvW) Infer(in []Type) (Type, error) {
	if err := sameFloat(in...); err != nil {
		return in[0], err
	}
	if err := c.checkWeights(in[0].Shape, c.Shape); err != nil {
		return in[0], err
	}
	want := batchShape(in[0].Shape[0], c.Shape[0], c.Out)
	if !slices.Equal(want, in[1].Shape) {
		return in[0], fmt.Errorf("%s, want %s", ShapeString(in[1].Shape), ShapeString(want))
	}
	return Type{in[0].Dtype, c.Shape}, nil
}

func (c ConvW) Eval(in []Tensor, out Tensor) error {
	return c.EvalParts(in, out, 0, c.Parts(in, out))
}

// Parts are blocks of channels, of each group: every one sums over all images by itself.
func (c ConvW) Parts(_ []Tensor, out Tensor) int {
	return c.Groups * ((out.Shape[1] + channelBlock - 1) / channelBlock)
}

// channelBlock is how many channels of a weight's gradient one worker takes at a time.
const channelBlock = 16

func (c ConvW) EvalParts(in []Tensor, out Tensor, from, to int) error {
	return evaluate(out, func() error { return evalConvW[float32](c, in, out, from, to) },
		func() error { return evalConvW[float64](c, in, out, from, to) })
}

func evalConvW[F kernels.Float](c ConvW, in []Tensor, out Tensor, from, to int) error {
	s := c.sizes(in[0].Shape, c.Shape)
	x, dy, dw := data[F](in[0]), data[F](in[1]), data[F](out)
	k, images := volume(s.kernel), in[0].Shape[0]
	blocks := (s.channels + channelBlock - 1) / channelBlock
	most := s.together(images)
	buf, back := borrow[F]((min(channelBlock, s.channels)*k + s.results) * most * s.places)
	defer back()
	for p := from; p < to; p++ {
		g, first := p/blocks, p%blocks*channelBlock
		channels := min(channelBlock, s.channels-first)
		for n, some := 0, most; n < images; n += some {
			some = min(some, images-n)
			pitch := some * s.places
			col, gradient := (*buf)[:channels*k*pitch], (*buf)[channels*k*pitch:]
			for i := range some {
				a, _ := s.image(n+i, g)
				seen := x[a+first*s.in : a+(first+channels)*s.in]
				if s.trivial() {
					col = seen
				} else {
					unfold(&s.slide, col[i*s.places:], pitch, seen, channels)
				}
			}
			if some == 1 {
				a, b := s.result(n, g)
				gradient = dy[a:b]
			} else {
				beside(s, gradient, dy, n, some, g)
			}
			kernels.Gemm(false, true, s.results, channels*k, pitch, gradient, pitch, col, pitch,
				dw[g*s.results*s.rows+first*k:], s.rows, n > 0)
		}
	}
	return nil
}

func (c ConvW) Diff(in []*G.Node, _, dy *G.Node, need []bool) []*G.Node {
	ds := make([]*G.Node, 2)
	if need[0] {
		ds[0] = Apply(ConvX{c.Conv, slices.Clone([]int(in[0].Shape()))}, dy, in[1])
	}
	if need[1] {
		ds[1] = Apply(c.Conv, in[0], dy)
	}
	return ds
}
