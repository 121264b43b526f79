package ops_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/ops"
)

// random is a float32 tensor of small whole numbers and halves, so that many are equal.
func random(seed int, shape ...int) ops.Tensor {
	t := ops.Tensor{Shape: shape, F32: make([]float32, ops.Size(shape))}
	for i := range t.F32 {
		t.F32[i] = float32((i*i+seed*i*7+i/3)%9)/2 - 2
	}
	return t
}

// Several images in one product, and parts of the images by themselves, give the bits of each image
// alone.
func TestConvOfManyImages(t *testing.T) {
	const images, channels, results = 11, 40, 5
	for _, groups := range []int{1, 5} {
		c := ops.Conv{Groups: groups, Window: ops.Window{Kernel: []int{3, 3}, Stride: []int{1, 1},
			Dilation: []int{1, 1}, Before: []int{1, 1}, Behind: []int{1, 1}, Out: []int{7, 7}}}
		w := random(1, results, channels/groups, 3, 3)
		x, dy := random(2, images, channels, 7, 7), random(3, images, results, 7, 7)
		grad := func(n int) ops.ConvX { return ops.ConvX{Conv: c, Shape: []int{n, channels, 7, 7}} }
		y, dx := random(4, images, results, 7, 7), random(5, images, channels, 7, 7)
		require.NoError(t, c.EvalParts([]ops.Tensor{x, w}, y, 0, 3))
		require.NoError(t, c.EvalParts([]ops.Tensor{x, w}, y, 3, images))
		require.NoError(t, grad(images).EvalParts([]ops.Tensor{w, dy}, dx, 0, images))
		sum := ops.ConvW{Conv: c, Shape: w.Shape}
		dw := random(6, w.Shape...)
		require.NoError(t, sum.Eval([]ops.Tensor{x, dy}, dw))
		slow := random(6, w.Shape...)
		clear(slow.F32)
		for n := range images {
			one := func(a ops.Tensor) ops.Tensor {
				size := len(a.F32) / images
				shape := slices.Clone(a.Shape)
				shape[0] = 1
				return ops.Tensor{Shape: shape, F32: a.F32[n*size : (n+1)*size]}
			}
			alone, back := random(7, 1, results, 7, 7), random(8, 1, channels, 7, 7)
			require.NoError(t, c.Eval([]ops.Tensor{one(x), w}, alone))
			require.Equal(t, alone.F32, one(y).F32)
			require.NoError(t, grad(1).Eval([]ops.Tensor{w, one(dy)}, back))
			require.Equal(t, back.F32, one(dx).F32)
			part := random(9, w.Shape...)
			require.NoError(t, sum.Eval([]ops.Tensor{one(x), one(dy)}, part))
			for i, v := range part.F32 {
				slow.F32[i] += v
			}
		}
		require.Equal(t, slow.F32, dw.F32) // of small numbers every sum is exact
	}
}

// Pooling of squares, which has a way of its own, is pooling: of equals the first gets the
// gradient, also where many channels go together and lines are odd.
func TestPoolingOfSquares(t *testing.T) {
	for _, size := range [][2]int{{2, 2}, {2, 3}, {7, 5}, {28, 28}, {100, 101}} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			const images, channels = 2, 23
			h, w := size[0], size[1]
			window := ops.Window{Kernel: []int{2, 2}, Stride: []int{2, 2}, Dilation: []int{1, 1},
				Before: []int{0, 0}, Behind: []int{0, 0}, Out: []int{h / 2, w / 2}}
			x := random(1, images, channels, h, w)
			y, dy := random(2, images, channels, h/2, w/2), random(3, images, channels, h/2, w/2)
			dx, want := random(4, x.Shape...), random(4, x.Shape...)
			require.NoError(t, ops.MaxPool{Window: window}.EvalParts([]ops.Tensor{x}, y, 0, 1))
			require.NoError(t, ops.MaxPool{Window: window}.EvalParts([]ops.Tensor{x}, y, 1, 2))
			require.NoError(t, ops.MaxPoolGrad{Window: window}.Eval([]ops.Tensor{x, dy}, dx))
			clear(want.F32)
			for p := range images * channels {
				for i := range h / 2 * (w / 2) {
					r, c := i/(w/2), i%(w/2)
					best, at := float32(math.Inf(-1)), 0
					for _, k := range []int{0, 1, w, w + 1} {
						if v := x.F32[p*h*w+2*r*w+2*c+k]; v > best {
							best, at = v, p*h*w+2*r*w+2*c+k
						}
					}
					k := p*(h/2)*(w/2) + i
					require.Equal(t, best, y.F32[k])
					want.F32[at] += dy.F32[k]
				}
			}
			require.Equal(t, want.F32, dx.F32)
		})
	}
}
