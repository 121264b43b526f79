package onnx

import (
	"math"
	"slices"

	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/internal/steps"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/onnx/internal/host"
)

// operator lays out a node. Operands that operandsFixed names are known.
type operator func(b *builder, c *call) []*value

// operators are those that are laid out as nodes. What stands in no table here is computed by
// package host.
var operators map[string]operator

func init() {
	operators = map[string]operator{}
	for _, table := range []map[string]operator{elementOperators(), shapeOperators(),
		reduceOperators(), normOperators(), convOperators(), recurrentOperators(),
		controlOperators(), signalOperators()} {
		for name, f := range table {
			operators[name] = f
		}
	}
}

// operandsFixed are the operands on whose values the shape of the result depends, or the way in
// which it is computed.
var operandsFixed = map[string][]int{
	"Reshape": {1}, "Squeeze": {1}, "Unsqueeze": {1}, "Expand": {1}, "Tile": {1},
	"Slice": {1, 2, 3, 4}, "Split": {1}, "Pad": {1, 3}, "Range": {0, 1, 2},
	"ConstantOfShape": {0}, "NonZero": {0}, "Compress": {1}, "OneHot": {1}, "TopK": {1},
	"CumSum": {1}, "Trilu": {1}, "Dropout": {1, 2}, "MaxUnpool": {2},
	"ReduceSum": {1}, "ReduceMean": {1}, "ReduceMax": {1}, "ReduceMin": {1}, "ReduceProd": {1},
	"ReduceL1": {1}, "ReduceL2": {1}, "ReduceLogSum": {1}, "ReduceLogSumExp": {1},
	"ReduceSumSquare": {1}, "Resize": {1, 2, 3}, "Upsample": {1},
	"DFT": {1, 2}, "STFT": {1, 3}, "HannWindow": {0}, "HammingWindow": {0}, "BlackmanWindow": {0},
	"MelWeightMatrix": {0, 1, 2, 3, 4},
}

// floats reports whether all operands are floats, or truth values where those are allowed.
func (c *call) floats(truths bool) bool {
	return !slices.ContainsFunc(c.in, func(v *value) bool {
		return v != nil && !v.typ.IsFloat() && !(truths && v.typ == host.Bool)
	})
}

// elementwise lays out a function of floats; other types are left to package host.
func elementwise(f func(b *builder, c *call, in []*nodes.Node) *nodes.Node) operator {
	return func(b *builder, c *call) []*value {
		if !c.floats(false) {
			return b.onHost(c)
		}
		for _, v := range c.in[1:] {
			if v.typ != c.in[0].typ {
				host.Failf("operands of %v", c.types())
			}
		}
		return []*value{made(c.in[0].typ, f(b, c, b.nodesOf(c)))}
	}
}

// of1 is a function of one operand.
func of1(f func(x nodes.Operand) *nodes.Node) operator {
	return elementwise(func(_ *builder, c *call, in []*nodes.Node) *nodes.Node {
		if len(in) != 1 {
			host.Failf("%d operands, want 1", len(in))
		}
		return f(in[0])
	})
}

// ofAttrs is a function of one operand and of attributes.
func ofAttrs(f func(x *nodes.Node, a host.Attrs) *nodes.Node) operator {
	return elementwise(func(_ *builder, c *call, in []*nodes.Node) *nodes.Node {
		return f(in[0], c.Attrs)
	})
}

// of2 is a function of two operands or, where several are allowed, of any number.
func of2(several bool, f func(x, y nodes.Operand) *nodes.Node) operator {
	return elementwise(func(_ *builder, c *call, in []*nodes.Node) *nodes.Node {
		if len(in) != 2 && !several || len(in) == 0 {
			host.Failf("%d operands, want 2", len(in))
		}
		in = oldBroadcast(c, in)
		y := in[0]
		for _, x := range in[1:] {
			y = f(y, x)
		}
		return y
	})
}

// oldBroadcast does what attributes broadcast and axis say in versions before 7, and gives a PRelu
// of those a slope for each channel.
func oldBroadcast(c *call, in []*nodes.Node) []*nodes.Node {
	axis := c.Int("axis", 0)
	switch slopes := c.op == "PRelu" && len(in[1].Shape()) == 1; {
	case c.version >= 7, !slopes && (c.Int("broadcast", 0) == 0 || !c.Has("axis")):
		return in
	case slopes && (len(in[0].Shape()) < 2 || in[1].Shape()[0] == 1):
		return in
	case slopes:
		axis = 1
	}
	axis = host.Axis(axis, len(in[0].Shape()))
	s := in[1].Shape()
	for axis+len(s) < len(in[0].Shape()) {
		s = append(s, 1)
	}
	return []*nodes.Node{in[0], nodes.Reshape(in[1], s...)}
}

// predicate is a comparison, or a function of truth values.
func predicate(truths bool, f func(x, y nodes.Operand) *nodes.Node) operator {
	return func(b *builder, c *call) []*value {
		if !c.floats(truths) || len(c.in) != 2 {
			return b.onHost(c)
		}
		in := oldBroadcast(c, b.nodesOf(c))
		return []*value{made(host.Bool, f(in[0], in[1]))}
	}
}

// positive takes a where x is above 0, else b.
func positive(x *nodes.Node, a, b nodes.Operand) *nodes.Node {
	return nodes.Select(nodes.Greater(x, nodes.Scalar(0)), a, b)
}

func elu(x *nodes.Node, alpha float64) *nodes.Node {
	return positive(x, x, nodes.Scale(nodes.Expm1(nodes.Minimum(x, nodes.Scalar(0))), alpha))
}

func hardSigmoid(x *nodes.Node, alpha, beta float64) *nodes.Node {
	return nodes.Clip(nodes.Affine(x, alpha, beta), 0, 1)
}

// passed is an operator without gradient on hosts as far as values go, for floats.
func elementOperators() map[string]operator {
	table := map[string]operator{
		"Abs": of1(nodes.Abs), "Neg": of1(nodes.Neg), "Exp": of1(nodes.Exp), "Log": of1(nodes.Log),
		"Sqrt": of1(nodes.Sqrt), "Tanh": of1(nodes.Tanh), "Sigmoid": of1(nodes.Sigmoid),
		"Relu": of1(nodes.ReLU), "Softplus": of1(nodes.Softplus), "Sin": of1(nodes.Sin),
		"Cos": of1(nodes.Cos), "Reciprocal": of1(nodes.Inverse), "Sign": of1(nodes.Sign),
		"Add": of2(false, func(a, b nodes.Operand) *nodes.Node { return nodes.Add(a, b) }),
		"Sum": of2(true, func(a, b nodes.Operand) *nodes.Node { return nodes.Add(a, b) }),
		"Sub": of2(false, nodes.Sub), "Mul": of2(false, nodes.Mul), "Div": of2(false, nodes.Div),
		"Max": of2(true, nodes.Maximum), "Min": of2(true, nodes.Minimum),
		"PRelu": of2(false, prelu),
		"Mean": elementwise(func(_ *builder, _ *call, in []*nodes.Node) *nodes.Node {
			y := in[0]
			for _, x := range in[1:] {
				y = nodes.Add(y, x)
			}
			return nodes.Scale(y, 1/float64(len(in)))
		}),
		"Equal": predicate(true, nodes.Equal), "Less": predicate(false, nodes.Less),
		"Greater":        predicate(false, nodes.Greater),
		"LessOrEqual":    predicate(false, nodes.LessEqual),
		"GreaterOrEqual": predicate(false, nodes.GreaterEqual),
		"And":            predicate(true, nodes.Mul), "Or": predicate(true, nodes.Maximum),
		"Xor": predicate(true, nodes.NotEqual),
		"Not": func(b *builder, c *call) []*value {
			return []*value{made(host.Bool, nodes.OneMinus(b.node(c.need(0))))}
		},
		"Where": where, "Pow": power, "Clip": clip, "Cast": cast, "CastLike": cast,
		"Identity": func(_ *builder, c *call) []*value { return []*value{c.need(0)} },
		"LeakyRelu": ofAttrs(func(x *nodes.Node, a host.Attrs) *nodes.Node {
			return positive(x, x, nodes.Scale(x, a.Float("alpha", 0.01)))
		}),
		"Elu": ofAttrs(func(x *nodes.Node, a host.Attrs) *nodes.Node {
			return elu(x, a.Float("alpha", 1))
		}),
		"Selu": ofAttrs(func(x *nodes.Node, a host.Attrs) *nodes.Node {
			return nodes.Scale(elu(x, a.Float("alpha", 1.67326319217681884765625)),
				a.Float("gamma", 1.05070102214813232421875))
		}),
		"Celu": ofAttrs(func(x *nodes.Node, a host.Attrs) *nodes.Node {
			alpha := a.Float("alpha", 1)
			return nodes.Scale(elu(nodes.Scale(x, 1/alpha), 1), alpha)
		}),
		"HardSigmoid": ofAttrs(func(x *nodes.Node, a host.Attrs) *nodes.Node {
			return hardSigmoid(x, a.Float("alpha", 0.2), a.Float("beta", 0.5))
		}),
		"HardSwish": ofAttrs(func(x *nodes.Node, _ host.Attrs) *nodes.Node {
			return nodes.Mul(x, hardSigmoid(x, 1./6, 0.5))
		}),
		"ThresholdedRelu": ofAttrs(func(x *nodes.Node, a host.Attrs) *nodes.Node {
			return nodes.Select(nodes.Greater(x, nodes.Scalar(a.Float("alpha", 1))), x,
				nodes.Scalar(0))
		}),
		"Softsign": of1(func(x nodes.Operand) *nodes.Node {
			return nodes.Div(x, nodes.Shift(nodes.Abs(x), 1))
		}),
		"Mish": of1(func(x nodes.Operand) *nodes.Node {
			return nodes.Mul(x, nodes.Tanh(nodes.Softplus(x)))
		}),
		"Shrink": ofAttrs(func(x *nodes.Node, a host.Attrs) *nodes.Node {
			l, bias := a.Float("lambd", 0.5), a.Float("bias", 0)
			low := nodes.Select(nodes.Less(x, nodes.Scalar(-l)), nodes.Shift(x, bias),
				nodes.Scalar(0))
			return nodes.Select(nodes.Greater(x, nodes.Scalar(l)), nodes.Shift(x, -bias), low)
		}),
		"Gelu": ofAttrs(func(x *nodes.Node, a host.Attrs) *nodes.Node {
			if a.String("approximate", "none") == "tanh" {
				cubic := nodes.Affine(nodes.Square(x), 0.044715, 1)
				inner := nodes.Scale(nodes.Mul(x, cubic), math.Sqrt(2/math.Pi))
				return nodes.Mul(nodes.Scale(x, 0.5), nodes.Shift(nodes.Tanh(inner), 1))
			}
			e := apply(x, "erf", nodes.Scale(x, math.Sqrt(0.5)))
			return nodes.Mul(nodes.Scale(x, 0.5), nodes.Shift(e, 1))
		}),
	}
	for onnxName, name := range map[string]string{"Erf": "erf", "Tan": "tan", "Asin": "asin",
		"Acos": "acos", "Atan": "atan", "Sinh": "sinh", "Cosh": "cosh", "Asinh": "asinh",
		"Acosh": "acosh", "Atanh": "atanh"} {
		table[onnxName] = elementwise(func(_ *builder, _ *call, in []*nodes.Node) *nodes.Node {
			return apply(in[0], name, in[0])
		})
	}
	return table
}

func apply(at *nodes.Node, name string, x *nodes.Node) *nodes.Node {
	return steps.Op(x.Graph(), name, ops.Function{Name: name}, x)
}

func prelu(x, slope nodes.Operand) *nodes.Node {
	return nodes.Select(nodes.Greater(x, nodes.Scalar(0)), x, nodes.Mul(x, slope))
}

func where(b *builder, c *call) []*value {
	x, y := c.need(1), c.need(2)
	if x.typ != y.typ {
		host.Failf("operands of %v", c.types())
	}
	if x.typ.IsInt() || x.typ == host.String {
		return b.onHost(c)
	}
	if k := c.need(0).host; k != nil && k.Len() > 0 { // known: one of them may be all there is
		first := k.Int(0)
		same := !slices.ContainsFunc(k.I, func(v int64) bool { return v != k.I[0] })
		from := y
		if first != 0 {
			from = x
		}
		shape := host.Broadcast(k.Shape, x.shape, y.shape)
		if same && from.host == nil && slices.Equal(shape, from.shape) {
			return []*value{from}
		}
	}
	return []*value{made(x.typ, nodes.Select(b.node(c.need(0)), b.node(x), b.node(y)))}
}

func power(b *builder, c *call) []*value {
	x, e := c.need(0), c.need(1)
	if !x.typ.IsFloat() {
		return b.onHost(c)
	}
	e = b.cast(e, x.typ)
	if e.host != nil && e.host.Len() == 1 && len(e.shape) <= len(x.shape) {
		if e.host.F[0] == 2 { // the same bits, by a product
			return []*value{made(x.typ, nodes.Square(b.node(x)))}
		}
		return []*value{made(x.typ, nodes.Power(b.node(x), e.host.F[0]))}
	}
	xn, en := b.node(x), b.node(e)
	return []*value{made(x.typ, steps.Op(steps.Innermost(xn, en), "Pow",
		ops.Elementwise{Kind: ops.KindPow}, xn, en))}
}

func clip(b *builder, c *call) []*value {
	x := c.need(0)
	if !x.typ.IsFloat() {
		return b.onHost(c)
	}
	bounds := [2]*value{c.arg(1), c.arg(2)}
	if c.version < 11 {
		for i, name := range []string{"min", "max"} {
			bounds[i] = nil
			if c.Has(name) {
				bounds[i] = constant(&host.Tensor{Type: x.typ, Shape: []int{},
					F: []float64{c.Float(name, 0)}})
			}
		}
	}
	low, high := math.Inf(-1), math.Inf(1)
	known := true
	for i, v := range bounds {
		if v == nil {
			continue
		}
		if v.host == nil {
			known = false
		} else if len(v.host.F) != 1 {
			host.Failf("bound %v of %v; want one number of the same type", v.host, c.types())
		} else if i == 0 {
			low = v.host.F[0]
		} else {
			high = v.host.F[0]
		}
	}
	y := b.node(x)
	if known && low <= high {
		return []*value{made(x.typ, nodes.Clip(y, low, high))}
	}
	if bounds[0] != nil {
		y = nodes.Maximum(y, b.node(bounds[0]))
	}
	if bounds[1] != nil {
		y = nodes.Minimum(y, b.node(bounds[1]))
	}
	return []*value{made(x.typ, y)}
}

func cast(b *builder, c *call) []*value {
	to := host.Type(c.Int("to", 0))
	if c.op == "CastLike" {
		to = c.need(1).typ
	}
	if !to.Known() {
		host.Failf("a cast to %v is not supported", to)
	}
	return []*value{b.cast(c.need(0), to)}
}

// cast converts a value. Floats keep their precision and their gradients.
func (b *builder) cast(v *value, to host.Type) *value {
	switch {
	case v.typ == to:
		return v
	case v.host != nil:
		return constant(host.Cast(v.host, to))
	case to.IsFloat() && (v.typ.IsFloat() || v.typ == host.Bool):
		return &value{typ: to, shape: v.shape, node: b.node(v), from: v.from}
	case to == host.Bool && v.typ.IsFloat():
		n := nodes.NotEqual(b.node(v), nodes.Scalar(0))
		return &value{typ: to, shape: v.shape, node: n, from: v.from}
	}
	c := &call{op: "Cast", version: 13, in: []*value{v}, outputs: 1, Attrs: castAttrs(to)}
	out := b.onHost(c)[0]
	out.from = v.from
	return out
}
