package onnx

import (
	"math"
	"slices"

	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/internal/steps"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/onnx/internal/host"
)

func signalOperators() map[string]operator {
	return map[string]operator{"DFT": dft, "STFT": stft, "LRN": lrn}
}

// turns are cos and sin of 2π·i·k/n, of the places i < rows and the frequencies k < cols.
func turns(n, rows, cols int) (cos, sin *host.Tensor) {
	if rows > 0 && cols > host.MaxElements/rows {
		host.Failf("a Fourier transform of %d numbers is not supported", n)
	}
	cos, sin = host.New(host.Float64, rows, cols), host.New(host.Float64, rows, cols)
	for i := range rows {
		for k := range cols {
			s, c := math.Sincos(2 * math.Pi * float64(i*k%n) / float64(n))
			cos.F[i*cols+k], sin.F[i*cols+k] = c, s
		}
	}
	return cos, sin
}

// dft is the discrete Fourier transform along an axis, as two products or four. The last axis of
// its operand holds the real part, or the real and the imaginary part.
func dft(b *builder, c *call) []*value {
	x := c.need(0)
	n := len(x.shape)
	if !x.typ.IsFloat() || n < 2 || x.shape[n-1] < 1 || x.shape[n-1] > 2 {
		host.Failf("%v: want floats whose last axis holds one part or two", c.types())
	}
	along := c.Int("axis", 1)
	if c.version >= 20 {
		if along = -2; c.arg(2) != nil {
			along = c.arg(2).host.Int(0)
		}
	}
	axis := host.Axis(along, n)
	if axis == n-1 {
		host.Failf("axis %d holds the real and imaginary parts", axis)
	}
	length := x.shape[axis]
	if t := c.arg(1); t != nil {
		length = t.host.Int(0)
	}
	inverse := c.Int("inverse", 0) != 0
	if length < 1 || host.Size(x.shape) == 0 || length > host.MaxElements {
		host.Failf("a Fourier transform of %d numbers of %v", length, x.shape)
	}
	freqs := length
	if c.Int("onesided", 0) != 0 {
		if inverse {
			host.Failf("an inverse transform of one side is not supported")
		}
		freqs = length/2 + 1
	}
	used := min(length, x.shape[axis])
	cosT, sinT := turns(length, used, freqs)
	if inverse {
		for i := range cosT.F {
			cosT.F[i], sinT.F[i] = cosT.F[i]/float64(length), -sinT.F[i]/float64(length)
		}
	}
	cos, sin := b.node(constant(cosT)), b.node(constant(sinT))
	last := swapped(n, axis, n-2)
	v := nodes.Transpose(nodes.Slice(b.node(x), axis, 0, used), last...)
	shape := v.Shape() // [..., used, parts]
	part := func(k int) *nodes.Node {
		return nodes.Reshape(nodes.Slice(v, n-1, k, k+1), host.Size(shape[:n-2]), used)
	}
	re := nodes.MatMul(part(0), cos)
	im := nodes.Neg(nodes.MatMul(part(0), sin))
	if shape[n-1] == 2 {
		re = nodes.Add(re, nodes.MatMul(part(1), sin))
		im = nodes.Add(im, nodes.MatMul(part(1), cos))
	}
	one := slices.Concat(shape[:n-2], []int{freqs, 1})
	y := nodes.Concat(n-1, nodes.Reshape(re, one...), nodes.Reshape(im, one...))
	return []*value{made(x.typ, nodes.Transpose(y, last...))}
}

// stft is the Fourier transform of pieces of a signal [B, T], [B, T, 1] or [B, T, 2]: a convolution
// with waves, under a window.
func stft(b *builder, c *call) []*value {
	x := c.need(0)
	shape := x.shape
	if len(shape) == 2 {
		shape = append(slices.Clone(shape), 1)
	}
	if !x.typ.IsFloat() || len(shape) != 3 || shape[2] < 1 || shape[2] > 2 {
		host.Failf("%v: want a signal [B, T, 1], or [B, T, 2] of complex numbers", c.types())
	}
	step, length := c.need(1).host.Int(0), 0
	window := c.arg(2)
	if window != nil {
		length = host.Size(window.shape)
	}
	if t := c.arg(3); t != nil {
		if n := t.host.Int(0); window != nil && n != length {
			host.Failf("frame_length is %d, the window has %d", n, length)
		} else {
			length = n
		}
	}
	if step < 1 || length < 1 || length > shape[1] || host.Size(shape) == 0 {
		host.Failf("pieces of %d, each %d after the one before, of a signal %v", length, step,
			shape)
	}
	freqs := length
	if c.Int("onesided", 1) != 0 {
		if shape[2] == 2 {
			host.Failf("a transform of complex numbers has two sides")
		}
		freqs = length/2 + 1
	}
	cosT, sinT := turns(length, length, freqs)
	wave := func(t *host.Tensor) *nodes.Node { // [freqs, length], under the window
		n := nodes.Transpose(b.node(constant(t)))
		if window != nil {
			n = nodes.Mul(n, nodes.Reshape(b.node(window), 1, length))
		}
		return n
	}
	cos, sin := wave(cosT), wave(sinT)
	kernel := []*nodes.Node{nodes.Concat(0, cos, nodes.Neg(sin))}
	if shape[2] == 2 {
		kernel = append(kernel, nodes.Concat(0, sin, cos))
	}
	for i, k := range kernel {
		kernel[i] = nodes.Reshape(k, 2*freqs, 1, length)
	}
	w := ops.Window{Kernel: []int{length}, Stride: []int{step}, Dilation: []int{1},
		Before: []int{0}, Behind: []int{0}}
	c.places(&w, shape[1:2], false)
	signal := nodes.Transpose(nodes.Reshape(b.node(x), shape...), 0, 2, 1)
	weights := nodes.Concat(1, kernel...)
	y := steps.Op(steps.Innermost(signal, weights), "STFT", ops.Conv{Window: w, Groups: 1}, signal,
		weights) // [B, 2·freqs, pieces]
	y = nodes.Reshape(y, shape[0], 2, freqs, w.Out[0])
	return []*value{made(x.typ, nodes.Transpose(y, 0, 3, 2, 1))}
}

// lrn divides by what neighbouring channels hold.
func lrn(b *builder, c *call) []*value {
	x := c.need(0)
	size := c.Int("size", 0)
	if !x.typ.IsFloat() || len(x.shape) < 2 || size < 1 || host.Size(x.shape) == 0 {
		host.Failf("%v with size %d", c.types(), size)
	}
	n := b.node(x)
	squares, C := nodes.Square(n), x.shape[1]
	var sum *nodes.Node
	for d := max(-(size-1)/2, 1-C); d <= min(size-1-(size-1)/2, C-1); d++ {
		part := nodes.Slice(squares, 1, max(0, d), C+min(0, d)) // of channel i the square of i+d
		if d != 0 {
			zeros := slices.Clone(x.shape)
			zeros[1] = max(d, -d)
			fill := part.Graph().Zeros(zeros...)
			if d > 0 {
				part = nodes.Concat(1, part, fill)
			} else {
				part = nodes.Concat(1, fill, part)
			}
		}
		if sum == nil {
			sum = part
		} else {
			sum = nodes.Add(sum, part)
		}
	}
	alpha := c.Float("alpha", 1e-4) / float64(size)
	base := nodes.Affine(sum, alpha, c.Float("bias", 1))
	// base is positive: its power is that of a logarithm
	return []*value{made(x.typ,
		nodes.Mul(n, nodes.Exp(nodes.Scale(nodes.Log(base), -c.Float("beta", 0.75)))))}
}
