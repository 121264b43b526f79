package onnx

import (
	"github.com/seqzoo/seqzoo/onnx/internal/host"
)

// nll is the negative log-likelihood of classes: operand 0 holds log-probabilities [N, C, ...],
// operand 1 classes [N, ...], and operand 2 weights of the classes [C], if it is given. Places with
// the class ignore_index do not count.
func nll(b *builder, c *call) []*value {
	x, class := c.need(0), c.need(1)
	return []*value{b.classLoss(c, x, class)}
}

// crossEntropy is nll of scores, whose softmax is the second result.
func crossEntropy(b *builder, c *call) []*value {
	x, class := c.need(0), c.need(1)
	if len(x.shape) < 2 {
		host.Failf("scores %v: want [N, C, ...]", x.shape)
	}
	p := b.do("LogSoftmax", map[string]int{"axis": 1}, x)
	return []*value{b.classLoss(c, p, class), p}
}

func (b *builder) classLoss(c *call, x, class *value) *value {
	n := len(x.shape)
	if n < 2 || len(class.shape) != n-1 || !x.typ.IsFloat() || !class.typ.IsInt() {
		host.Failf("operands %v: want [N, C, ...] and classes [N, ...]", c.types())
	}
	weights := c.arg(2)
	if weights != nil && (len(weights.shape) != 1 || weights.shape[0] != x.shape[1]) {
		host.Failf("weights %v of %d classes", weights.shape, x.shape[1])
	}
	zero := constant(&host.Tensor{Type: x.typ, Shape: []int{}, F: []float64{0}})
	var ignored *value
	if c.Has("ignore_index") {
		classOf := func(k int) *value {
			return b.cast(constant(host.Ints(k).As()), class.typ)
		}
		ignored = b.do("Equal", nil, class, classOf(c.Int("ignore_index", 0)))
		class = b.do("Where", nil, ignored, classOf(0), class)
	}
	// drop is v without the places that do not count.
	drop := func(v *value) *value {
		if ignored == nil {
			return v
		}
		return b.do("Where", nil, ignored, zero, v)
	}
	one := constant(host.Ints(1))
	picked := b.do("GatherElements", map[string]int{"axis": 1}, x,
		b.do("Unsqueeze", nil, class, one))
	loss := drop(b.do("Neg", nil, b.do("Squeeze", nil, picked, one)))
	var weight *value
	if weights != nil {
		weight = drop(b.do("Gather", nil, weights, class))
		loss = b.do("Mul", nil, loss, weight)
	} else {
		ones := host.New(x.typ, class.shape...)
		for i := range ones.F {
			ones.F[i] = 1
		}
		weight = drop(constant(ones))
	}
	whole := map[string]int{"keepdims": 0}
	switch r := c.Attrs.String("reduction", "mean"); r {
	case "none":
		return loss
	case "sum":
		return b.do("ReduceSum", whole, loss)
	case "mean":
		return b.do("Div", nil, b.do("ReduceSum", whole, loss), b.do("ReduceSum", whole, weight))
	default:
		host.Failf("reduction %q is not known", r)
		return nil
	}
}
