package onnx

import (
	"slices"

	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/onnx/internal/host"
)

// softmaxOf lays out Softmax, LogSoftmax and Hardmax. Before version 13 they work along all axes
// from the given one on, together.
func softmaxOf(f func(x *nodes.Node) *nodes.Node) operator {
	return func(b *builder, c *call) []*value {
		x := c.need(0)
		if !x.typ.IsFloat() {
			host.Failf("not supported for %v", c.types())
		}
		n := b.node(x)
		if c.version < 13 {
			axis := c.Int("axis", 1)
			if axis < 0 {
				axis += len(x.shape)
			}
			if axis < 0 || axis > len(x.shape) {
				host.Failf("axis %d of %v", axis, x.shape)
			}
			y := f(nodes.Reshape(n, host.Size(x.shape[:axis]), host.Size(x.shape[axis:])))
			return []*value{made(x.typ, nodes.Reshape(y, x.shape...))}
		}
		if len(x.shape) == 0 {
			return []*value{made(x.typ, nodes.Reshape(f(nodes.Reshape(n, 1))))}
		}
		axis, last := host.Axis(c.Int("axis", -1), len(x.shape)), len(x.shape)-1
		if axis == last {
			return []*value{made(x.typ, f(n))}
		}
		perm := swapped(len(x.shape), axis, last)
		return []*value{made(x.typ, nodes.Transpose(f(nodes.Transpose(n, perm...)), perm...))}
	}
}

// swapped is an order of n axes with two of them swapped.
func swapped(n, i, j int) []int {
	perm := make([]int, n)
	for k := range perm {
		perm[k] = k
	}
	perm[i], perm[j] = j, i
	return perm
}

func hardmax(x *nodes.Node) *nodes.Node {
	return nodes.OneHot(nodes.ArgMax(x), x.Dim(-1))
}

// standardised is (x − mean) / √(var + ε) along axes, with mean and 1/√(var + ε).
func standardised(x *nodes.Node, axes []int, eps float64) (y, mean, scale *nodes.Node) {
	mean = meanKeep(x, axes)
	centred := nodes.Sub(x, mean)
	variance := meanKeep(nodes.Square(centred), axes)
	scale = nodes.Inverse(nodes.Sqrt(nodes.Shift(variance, eps)))
	return nodes.Mul(centred, scale), mean, scale
}

func layerNorm(b *builder, c *call) []*value {
	x := c.need(0)
	var axes []int
	for a := host.Axis(c.Int("axis", -1), len(x.shape)); a < len(x.shape); a++ {
		axes = append(axes, a)
	}
	y, mean, scale := standardised(b.node(x), axes, c.Float("epsilon", 1e-5))
	y = nodes.Mul(y, b.node(c.need(1)))
	if t := c.arg(2); t != nil {
		y = nodes.Add(y, b.node(t))
	}
	return []*value{made(x.typ, y), made(host.Float32, mean), made(host.Float32, scale)}
}

// channels gives a vector one place for each channel of a tensor of n axes.
func channels(v *nodes.Node, n int) *nodes.Node {
	shape := []int{v.Dim(0)}
	for range n - 2 {
		shape = append(shape, 1)
	}
	return nodes.Reshape(v, shape...)
}

func batchNorm(b *builder, c *call) []*value {
	x := c.need(0)
	n := len(x.shape)
	if n < 2 {
		host.Failf("operands of %v: want at least two axes", c.types())
	}
	var in []*nodes.Node
	for i := 1; i < 5; i++ {
		in = append(in, channels(b.node(c.need(i)), n))
	}
	gain, bias, mean, variance := in[0], in[1], in[2], in[3]
	xn := b.node(x)
	eps := c.Float("epsilon", 1e-5)
	if c.Int("training_mode", 0) == 0 && (c.version >= 14 || c.outputs == 1) {
		scale := nodes.Mul(gain, nodes.Inverse(nodes.Sqrt(nodes.Shift(variance, eps))))
		return []*value{made(x.typ, nodes.Add(nodes.Mul(nodes.Sub(xn, mean), scale), bias))}
	}
	axes := slices.DeleteFunc(swapped(n, 0, 0), func(a int) bool { return a == 1 })
	y, now, _ := standardised(xn, axes, eps)
	spread := meanKeep(nodes.Square(nodes.Sub(xn, now)), axes)
	keep := c.Float("momentum", 0.9)
	run := func(old, now *nodes.Node) *value {
		r := nodes.Add(nodes.Scale(old, keep),
			nodes.Scale(nodes.Reshape(now, old.Shape()...), 1-keep))
		return made(x.typ, nodes.Reshape(r, x.shape[1]))
	}
	return []*value{made(x.typ, nodes.Add(nodes.Mul(y, gain), bias)), run(mean, now),
		run(variance, spread)}
}

func instanceNorm(b *builder, c *call) []*value {
	x := c.need(0)
	n := len(x.shape)
	if n < 3 {
		host.Failf("operands of %v: want at least three axes", c.types())
	}
	y, _, _ := standardised(b.node(x), swapped(n, 0, 0)[2:], c.Float("epsilon", 1e-5))
	y = nodes.Mul(y, channels(b.node(c.need(1)), n))
	return []*value{made(x.typ, nodes.Add(y, channels(b.node(c.need(2)), n)))}
}

func meanVariance(b *builder, c *call) []*value {
	x := c.need(0)
	axes := c.Attrs.Ints("axes")
	if axes == nil {
		axes = []int{0, 2, 3}
	}
	for i, a := range axes {
		axes[i] = host.Axis(a, len(x.shape))
	}
	centred := nodes.Sub(b.node(x), meanKeep(b.node(x), axes))
	deviation := nodes.Sqrt(meanKeep(nodes.Square(centred), axes))
	return []*value{made(x.typ, nodes.Div(centred, nodes.Shift(deviation, 1e-9)))}
}

// dequantize keeps the gradient of the scale where the integers are known.
func dequantize(b *builder, c *call) []*value {
	x, scale := c.need(0), c.need(1)
	if x.host == nil || c.arg(2) != nil && c.arg(2).host == nil {
		return b.onHost(c)
	}
	h := b.hostCall(c)
	unit := host.New(scale.typ, scale.shape...)
	for i := range unit.F {
		unit.F[i] = 1
	}
	h.In[1], h.Shapes = unit, false
	ts, err := host.Run(h)
	if err != nil {
		host.Failf("%w", err)
	}
	s := b.node(scale)
	if len(scale.shape) == 1 && scale.shape[0] > 1 {
		shape := make([]int, len(x.shape))
		for i := range shape {
			shape[i] = 1
		}
		shape[host.Axis(c.Int("axis", 1), len(x.shape))] = scale.shape[0]
		s = nodes.Reshape(s, shape...)
	} else {
		s = nodes.Reshape(s)
	}
	return []*value{made(scale.typ, nodes.Mul(b.node(constant(ts[0])), s))}
}

func normOperators() map[string]operator {
	return map[string]operator{
		"Softmax":    softmaxOf(func(x *nodes.Node) *nodes.Node { return nodes.Softmax(x) }),
		"LogSoftmax": softmaxOf(func(x *nodes.Node) *nodes.Node { return nodes.LogSoftmax(x) }),
		"Hardmax":    softmaxOf(hardmax), "LayerNormalization": layerNorm,
		"BatchNormalization": batchNorm, "InstanceNormalization": instanceNorm,
		"MeanVarianceNormalization": meanVariance, "DequantizeLinear": dequantize,
		"NegativeLogLikelihoodLoss": nll, "SoftmaxCrossEntropyLoss": crossEntropy,
	}
}
