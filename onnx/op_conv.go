package onnx

import (
	"slices"

	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/internal/steps"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/onnx/internal/host"
)

func convOperators() map[string]operator {
	return map[string]operator{
		"Conv": conv, "ConvTranspose": convTranspose,
		"MaxPool": maxPool, "GlobalMaxPool": global(maxKeep),
		"AveragePool": averagePool, "GlobalAveragePool": global(meanKeep),
		"Resize": resize, "Upsample": resize,
	}
}

// window reads what a convolution or a pooling slides along the axes of x behind the second, of the
// sizes in.
func (c *call) window(in, kernel []int) ops.Window { return ops.Window(c.Window(in, kernel)) }

// padSame sets the zeros around as auto_pad wants them.
func (c *call) padSame(w ops.Window, in []int) { c.PadSame(host.Window(w), in) }

func (c *call) places(w *ops.Window, in []int, up bool) {
	var err error
	if w.Out, err = w.Places(in, up); err != nil {
		host.Failf("%w", err)
	}
}

// spatial is the sizes of the axes behind the second.
func spatial(v *value) []int {
	if len(v.shape) < 3 || !v.typ.IsFloat() {
		host.Failf("operand of %v %v: want floats [N, C, ...]", v.typ, v.shape)
	}
	return v.shape[2:]
}

// withBias adds a bias, one a channel.
func (b *builder) withBias(n *nodes.Node, bias *value) *nodes.Node {
	if bias == nil {
		return n
	}
	if len(bias.shape) != 1 || bias.shape[0] != n.Dim(1) {
		host.Failf("a bias %v of %d channels", bias.shape, n.Dim(1))
	}
	return nodes.Add(n, channels(b.node(bias), len(n.Shape())))
}

func conv(b *builder, c *call) []*value {
	x, w := c.need(0), c.need(1)
	in := spatial(x)
	window := c.window(in, spatial(w))
	c.padSame(window, in)
	c.places(&window, in, false)
	xn, wn := b.node(x), b.node(w)
	op := ops.Conv{Window: window, Groups: c.Int("group", 1)}
	y := steps.Op(steps.Innermost(xn, wn), "Conv", op, xn, wn)
	return []*value{made(x.typ, b.withBias(y, c.arg(2)))}
}

func convTranspose(b *builder, c *call) []*value {
	x, w := c.need(0), c.need(1)
	in := spatial(x)
	window := c.window(in, spatial(w))
	n := len(in)
	extra := c.Attrs.Ints("output_padding")
	if extra == nil {
		extra = make([]int, n)
	}
	want := c.Attrs.Ints("output_shape")
	if len(extra) != n || want != nil && len(want) < n {
		host.Failf("output_padding %v, output_shape %v along %d axes", extra, want, n)
	}
	if want != nil {
		want = want[len(want)-n:]
	}
	auto := c.Attrs.String("auto_pad", "NOTSET")
	out := make([]int, n)
	for i, d := range in {
		full := (d-1)*window.Stride[i] + extra[i] + (window.Kernel[i]-1)*window.Dilation[i] + 1
		switch {
		case want != nil || auto == "SAME_UPPER" || auto == "SAME_LOWER":
			out[i] = d * window.Stride[i]
			if want != nil {
				out[i] = want[i]
			}
			total := max(0, full-out[i])
			window.Before[i], window.Behind[i] = total-total/2, total/2
			if auto == "SAME_UPPER" {
				window.Before[i], window.Behind[i] = total/2, total-total/2
			}
		default:
			out[i] = full - window.Before[i] - window.Behind[i]
		}
		// Places beyond those that a convolution of the result would take see nothing of x.
		if out[i] < 1 || extra[i] < 0 || out[i] > host.MaxElements {
			host.Failf("a result of %d places", out[i])
		}
	}
	window.Out = in
	groups := c.Int("group", 1)
	if groups < 1 {
		host.Failf("%d groups", groups)
	}
	xn, wn := b.node(x), b.node(w)
	op := ops.ConvX{Conv: ops.Conv{Window: window, Groups: groups},
		Shape: slices.Concat([]int{x.shape[0], w.shape[1] * groups}, out)}
	y := steps.Op(steps.Innermost(xn, wn), "ConvTranspose", op, wn, xn)
	return []*value{made(x.typ, b.withBias(y, c.arg(2)))}
}

func maxPool(b *builder, c *call) []*value {
	x := c.need(0)
	if x.typ.IsInt() { // small ones only: bytes fit a float
		if x.typ.Bits() > 16 {
			host.Failf("not supported for %v", x.typ)
		}
		f := c.in[0]
		c.in[0] = b.cast(f, host.Float32)
		out := maxPool(b, c)
		out[0].from = c.from()
		out[0] = b.cast(out[0], f.typ)
		return out
	}
	in := spatial(x)
	window := c.window(in, nil)
	c.padSame(window, in)
	c.places(&window, in, c.Int("ceil_mode", 0) == 1)
	n := b.node(x)
	out := []*value{made(x.typ, steps.Op(n.Graph(), "MaxPool", ops.MaxPool{Window: window}, n))}
	if c.outputs > 1 {
		at := ops.MaxPlaces{Window: window, ByColumn: c.Int("storage_order", 0) == 1}
		out = append(out, made(host.Int64, steps.Op(n.Graph(), "MaxPool", at, n)))
	}
	return out
}

func averagePool(b *builder, c *call) []*value {
	x := c.need(0)
	in := spatial(x)
	window := c.window(in, nil)
	c.padSame(window, in)
	c.places(&window, in, c.Int("ceil_mode", 0) == 1)
	n := b.node(x)
	op := ops.AvgPool{Window: window, WithPad: c.Int("count_include_pad", 0) == 1}
	return []*value{made(x.typ, steps.Op(n.Graph(), "AveragePool", op, n))}
}

// global pools over all axes behind the second.
func global(f func(x *nodes.Node, axes []int) *nodes.Node) operator {
	return func(b *builder, c *call) []*value {
		x := c.need(0)
		spatial(x)
		return []*value{made(x.typ, f(b.node(x), swapped(len(x.shape), 0, 0)[2:]))}
	}
}
