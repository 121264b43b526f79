package nodes

import (
	"math"
	"slices"

	"gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/internal/ops"
)

func unary(op string, kind ops.Kind, x Operand) *Node {
	return call(op, ops.Elementwise{Kind: kind}, x)
}

func binary(op string, kind ops.Kind, a, b Operand) *Node {
	return call(op, ops.Elementwise{Kind: kind}, a, b)
}

// Add is the sum of two or more operands.
func Add(a, b Operand, more ...Operand) *Node {
	s := binary("Add", ops.KindAdd, a, b)
	for _, x := range more {
		s = binary("Add", ops.KindAdd, s, x)
	}
	return s
}

// Sub is a − b, element by element.
func Sub(a, b Operand) *Node { return binary("Sub", ops.KindSub, a, b) }

// Mul is a∘b, element by element.
func Mul(a, b Operand) *Node { return binary("Mul", ops.KindMul, a, b) }

// Div is a/b, element by element.
func Div(a, b Operand) *Node { return binary("Div", ops.KindDiv, a, b) }

// Maximum takes the larger of two elements; at a tie the gradient goes to a.
func Maximum(a, b Operand) *Node { return binary("Maximum", ops.KindMax, a, b) }

// Minimum takes the smaller of two elements; at a tie the gradient goes to a.
func Minimum(a, b Operand) *Node { return binary("Minimum", ops.KindMin, a, b) }

// Less is 1 where a < b and 0 elsewhere, without gradient.
func Less(a, b Operand) *Node { return binary("Less", ops.KindLt, a, b) }

// LessEqual is 1 where a ≤ b and 0 elsewhere, without gradient.
func LessEqual(a, b Operand) *Node { return binary("LessEqual", ops.KindLe, a, b) }

// Greater is 1 where a > b and 0 elsewhere, without gradient.
func Greater(a, b Operand) *Node { return binary("Greater", ops.KindGt, a, b) }

// GreaterEqual is 1 where a ≥ b and 0 elsewhere, without gradient.
func GreaterEqual(a, b Operand) *Node { return binary("GreaterEqual", ops.KindGe, a, b) }

// Equal is 1 where a = b and 0 elsewhere, without gradient.
func Equal(a, b Operand) *Node { return binary("Equal", ops.KindEq, a, b) }

// NotEqual is 1 where a ≠ b and 0 elsewhere, without gradient.
func NotEqual(a, b Operand) *Node { return binary("NotEqual", ops.KindNe, a, b) }

// Select takes the element of a where cond is not 0, else that of b. What is not taken may be NaN
// or infinite.
func Select(cond, a, b Operand) *Node {
	return call("Select", ops.Elementwise{Kind: ops.KindSelect}, cond, a, b)
}

// Affine is scale·x + shift.
func Affine(x Operand, scale, shift float64) *Node {
	return call("Affine", ops.Elementwise{Kind: ops.KindAffine, P: scale, Q: shift}, x)
}

// Scale is by·x.
func Scale(x Operand, by float64) *Node { return Affine(x, by, 0) }

// Shift is x + by.
func Shift(x Operand, by float64) *Node { return Affine(x, 1, by) }

// Neg is −x.
func Neg(x Operand) *Node { return Affine(x, -1, 0) }

// OneMinus is 1 − x.
func OneMinus(x Operand) *Node { return Affine(x, -1, 1) }

// Tanh is tanh x, element by element.
func Tanh(x Operand) *Node { return unary("Tanh", ops.KindTanh, x) }

// Sigmoid is 1/(1 + e⁻ˣ), element by element.
func Sigmoid(x Operand) *Node { return unary("Sigmoid", ops.KindSigmoid, x) }

// ReLU is max(x, 0); at 0 its derivative is 0, element by element.
func ReLU(x Operand) *Node { return unary("ReLU", ops.KindReLU, x) }

// Softplus is log(1 + eˣ), element by element.
func Softplus(x Operand) *Node { return unary("Softplus", ops.KindSoftplus, x) }

// Exp is eˣ, element by element.
func Exp(x Operand) *Node { return unary("Exp", ops.KindExp, x) }

// Log is the natural logarithm of x, element by element.
func Log(x Operand) *Node { return unary("Log", ops.KindLog, x) }

// Log1p is log(1 + x), exact near 0, element by element.
func Log1p(x Operand) *Node { return unary("Log1p", ops.KindLog1p, x) }

// Expm1 is eˣ − 1, exact near 0, element by element.
func Expm1(x Operand) *Node { return unary("Expm1", ops.KindExpm1, x) }

// Sqrt is the square root of x, element by element.
func Sqrt(x Operand) *Node { return unary("Sqrt", ops.KindSqrt, x) }

// Square is x², element by element.
func Square(x Operand) *Node { return unary("Square", ops.KindSquare, x) }

// Abs is |x|; at 0 its derivative is 0, element by element.
func Abs(x Operand) *Node { return unary("Abs", ops.KindAbs, x) }

// Sign is −1, 0 or 1, without gradient, element by element.
func Sign(x Operand) *Node { return unary("Sign", ops.KindSign, x) }

// Inverse is 1/x, element by element.
func Inverse(x Operand) *Node { return unary("Inverse", ops.KindInverse, x) }

// Sin is the sine of x, in radians, element by element.
func Sin(x Operand) *Node { return unary("Sin", ops.KindSin, x) }

// Cos is the cosine of x, in radians, element by element.
func Cos(x Operand) *Node { return unary("Cos", ops.KindCos, x) }

// Power is x to a constant exponent.
func Power(x Operand, exponent float64) *Node {
	return call("Power", ops.Elementwise{Kind: ops.KindPower, P: exponent}, x)
}

// Clip limits x to [low, high]; outside the gradient is 0.
func Clip(x Operand, low, high float64) *Node {
	if !(low <= high) {
		ops.Failf("Clip", "bounds %g and %g are in the wrong order", low, high)
	}
	return call("Clip", ops.Elementwise{Kind: ops.KindClip, P: low, Q: high}, x)
}

// StopGradient is x with a gradient of 0.
func StopGradient(x Operand) *Node { return unary("StopGradient", ops.KindStop, x) }

// MatMul is x·w. If w is a matrix [in, out], x is [..., in] and the result [..., out]; two stacks
// [N, a, b] and [N, b, c] are multiplied pair by pair.
func MatMul(x, w Operand) *Node { return matMul("MatMul", x, w, false) }

// MatMulT is x·wᵀ: w is [out, in], or a stack [N, c, b].
func MatMulT(x, w Operand) *Node { return matMul("MatMulT", x, w, true) }

func matMul(op string, xo, wo Operand, trans bool) *Node {
	g := common(op, []Operand{xo, wo})
	defer g.locate(op)
	if around := g.current().product; around != nil {
		if y, ok := g.timesWeight(around, op, xo, wo, trans); ok {
			return y
		}
	}
	return times(op, xo, wo, trans)
}

// times is matMul as such, whatever stands around products.
func times(op string, xo, wo Operand, trans bool) *Node {
	g := common(op, []Operand{xo, wo})
	defer g.locate(op)
	x, w := xo.in(g), wo.in(g)
	fn := ops.MatMul{TransB: trans}
	xs, ws := x.Shape(), w.Shape()
	inner := 0
	if trans {
		inner = 1
	}
	if len(ws) != 2 || len(xs) < 3 || xs[len(xs)-1] != ws[inner] {
		return g.apply(op, fn, x, w)
	}
	flat := Reshape(x, ops.Size(xs[:len(xs)-1]), xs[len(xs)-1])
	y := g.apply(op, fn, flat, w)
	return Reshape(y, append(xs[:len(xs)-1], y.Dim(-1))...)
}

// Reshape gives the same elements another shape. At most one size may be −1: it is what the others
// leave.
func Reshape(x Operand, shape ...int) *Node {
	n := one("Reshape", x)
	shape = slices.Clone(shape)
	if k := slices.Index(shape, -1); k >= 0 {
		rest := 1
		for i, d := range shape {
			if i != k {
				rest *= d
			}
		}
		size := ops.Size(n.Shape())
		if rest < 1 || size%rest != 0 {
			n.g.failf("Reshape", "%s: no size in place of −1 makes %s of its %d elements",
				ops.Describe(n.n), ops.ShapeString(shape), size)
		}
		shape[k] = size / rest
	}
	if slices.Equal(shape, n.Shape()) {
		return n
	}
	return n.g.apply("Reshape", ops.Reshape{Shape: shape}, n)
}

// Transpose reorders the axes: axis i of the result is axis perm[i] of x. Without perm it reverses
// their order.
func Transpose(x Operand, perm ...int) *Node {
	n := one("Transpose", x)
	if len(perm) == 0 {
		for i := len(n.Shape()) - 1; i >= 0; i-- {
			perm = append(perm, i)
		}
	}
	return n.g.apply("Transpose", ops.Transpose{Perm: slices.Clone(perm)}, n)
}

// axisOf resolves a negative axis.
func axisOf(op string, n *Node, axis int) int {
	k := axis
	if k < 0 {
		k += len(n.Shape())
	}
	if k < 0 || k >= len(n.Shape()) {
		n.g.failf(op, "%s: no axis %d", ops.Describe(n.n), axis)
	}
	return k
}

// Slice takes [from, to) of an axis and keeps the axis, also where one place is left. Negative axes
// count from the last.
func Slice(x Operand, axis, from, to int) *Node {
	n := one("Slice", x)
	axis = axisOf("Slice", n, axis)
	if from == 0 && to == n.Dim(axis) {
		return n
	}
	return n.g.apply("Slice", ops.Slice{Axis: axis, From: from, To: to}, n)
}

// Split cuts an axis into n equal parts, each of which keeps the axis.
func Split(x Operand, n, axis int) []*Node {
	node := one("Split", x)
	axis = axisOf("Split", node, axis)
	size := node.Dim(axis)
	if n < 1 || size%n != 0 {
		node.g.failf("Split", "%s: %d parts do not divide axis %d of size %d", ops.Describe(node.n),
			n, axis, size)
	}
	parts := make([]*Node, n)
	for i := range parts {
		parts[i] = Slice(node, axis, i*size/n, (i+1)*size/n)
	}
	return parts
}

// TimeSlice is step t of a sequence: [T, ...] becomes [...].
func TimeSlice(x Operand, t int) *Node {
	n := one("TimeSlice", x)
	if T := n.Shape(); len(T) == 0 || t < 0 || t >= T[0] {
		n.g.failf("TimeSlice", "%s: no step %d", ops.Describe(n.n), t)
	}
	s := Slice(n, 0, t, t+1)
	return Reshape(s, s.Shape()[1:]...)
}

// Stack joins steps [...] to a sequence [T, ...].
func Stack(steps ...*Node) *Node {
	rows := make([]*Node, len(steps))
	for i, s := range steps {
		s = one("Stack", s)
		rows[i] = Reshape(s, append([]int{1}, s.Shape()...)...)
	}
	return Concat(0, rows...)
}

// Concat joins nodes along an axis.
func Concat(axis int, xs ...*Node) *Node {
	operands := make([]Operand, len(xs))
	for i, x := range xs {
		operands[i] = x
	}
	if len(xs) == 0 {
		ops.Failf("Concat", "nothing to join")
	}
	g := common("Concat", operands)
	if len(xs) == 1 {
		return xs[0].in(g)
	}
	return call("Concat", ops.Concat{Axis: axisOf("Concat", xs[0], axis)}, operands...)
}

// without lists the shape of n with the given axes at size 1, and without them; no axes means all.
func without(op string, n *Node, axes []int) (kept, dropped []int) {
	drop := map[int]bool{}
	for _, a := range axes {
		drop[axisOf(op, n, a)] = true
	}
	kept = n.Shape()
	for i := range kept {
		if len(axes) == 0 || drop[i] {
			kept[i] = 1
		} else {
			dropped = append(dropped, kept[i])
		}
	}
	return kept, dropped
}

// Sum adds along axes, which disappear; without axes, over everything, to a scalar.
func Sum(x Operand, axes ...int) *Node {
	n := one("Sum", x)
	kept, dropped := without("Sum", n, axes)
	return Reshape(n.g.apply("Sum", ops.SumTo{Shape: kept}, n), dropped...)
}

// SumKeep is Sum with the axes kept at size 1, so that the result broadcasts against x.
func SumKeep(x Operand, axes ...int) *Node {
	n := one("Sum", x)
	kept, _ := without("Sum", n, axes)
	return n.g.apply("Sum", ops.SumTo{Shape: kept}, n)
}

// Mean is Sum over the number of elements added.
func Mean(x Operand, axes ...int) *Node {
	s := Sum(x, axes...)
	return Scale(s, float64(ops.Size(s.Shape()))/float64(ops.Size(one("Mean", x).Shape())))
}

// MeanKeep is Mean with the axes kept at size 1.
func MeanKeep(x Operand, axes ...int) *Node {
	s := SumKeep(x, axes...)
	return Scale(s, float64(ops.Size(s.Shape()))/float64(ops.Size(one("Mean", x).Shape())))
}

// Max is the largest element along an axis, which disappears. Ties share the gradient.
func Max(x Operand, axis int) *Node {
	n := one("Max", x)
	m := n.g.apply("Max", ops.Max{Axis: axisOf("Max", n, axis)}, n)
	_, dropped := without("Max", n, []int{axis})
	return Reshape(m, dropped...)
}

// Broadcast repeats x to a shape, as an element-wise function does with its smaller operand.
func Broadcast(x Operand, shape ...int) *Node {
	n := one("Broadcast", x)
	if slices.Equal(n.Shape(), shape) {
		return n
	}
	return n.g.apply("Broadcast", ops.Broadcast{Shape: slices.Clone(shape)}, n)
}

// Softmax is eˣ/Σ eˣ along the last axis; large inputs do not overflow.
func Softmax(x Operand) *Node { return call("Softmax", ops.Softmax{}, x) }

// LogSoftmax is log(eˣ/Σ eˣ) along the last axis; large inputs do not overflow.
func LogSoftmax(x Operand) *Node { return call("LogSoftmax", ops.LogSoftmax{}, x) }

// LogSumExp is log Σ eˣ along the last axis, which disappears: −Inf where all are, and +Inf where
// one is and none is NaN.
func LogSumExp(x Operand) *Node {
	n := one("LogSumExp", x)
	most := Scalar(math.MaxFloat64)
	if n.Dtype() == Float32 {
		most = math.MaxFloat32
	}
	top := n.g.apply("LogSumExp", ops.Max{Axis: axisOf("LogSumExp", n, -1)}, n)
	// an infinity less itself would be NaN
	top = StopGradient(Maximum(Minimum(top, most), -most))
	s := Add(Log(SumKeep(Exp(Sub(n, top)), -1)), top)
	return Reshape(s, s.Shape()[:len(s.Shape())-1]...)
}

// LayerNorm normalises the last axis to mean 0 and variance 1, then scales by gain and adds bias,
// each [H] (Ba, Kiros and Hinton, 2016). The variance is the biased one; eps, inside the root, is
// 1e-5 if 0.
func LayerNorm(x, gain, bias Operand, eps float64) *Node {
	if eps == 0 {
		eps = 1e-5
	}
	if !(eps > 0) || math.IsInf(eps, 0) {
		ops.Failf("LayerNorm", "eps is %g: want a small positive number", eps)
	}
	n := one("LayerNorm", x)
	centred := Sub(n, MeanKeep(n, -1))
	variance := MeanKeep(Square(centred), -1)
	return Add(Mul(Div(centred, Sqrt(Shift(variance, eps))), gain), bias)
}

// Embedding looks up rows of a table [V, E]: ids [...] become [..., E]. An id outside the table is
// an error of the run. If padding is not negative, lookups of that id give no gradient.
func Embedding(table, ids Operand, padding int) *Node {
	rows := call("Embedding", ops.Gather{Padding: max(padding, -1)}, table, ids)
	if p, ok := table.(*Param); ok {
		rows.g.showAt(p, rows)
	}
	return rows
}

// OneHot turns ids [...] into [..., v], 1 at the id and 0 elsewhere.
func OneHot(ids *Node, v int) *Node {
	ids = one("OneHot", ids)
	return call("OneHot", ops.OneHot{Dtype: ids.g.Dtype(), V: v}, ids)
}

// LengthMask turns lengths [B] into [T, B, 1]: 1 at the steps before a sequence's length, 0 behind.
func LengthMask(lengths *Node, T int) *Node {
	lengths = one("LengthMask", lengths)
	return call("LengthMask", ops.LengthMask{Dtype: lengths.g.Dtype(), T: T}, lengths)
}

// Range is the floats 0, 1, …, n−1: [n].
func (g *Graph) Range(n int) *Node {
	if err := ops.CheckShape([]int{n}); err != nil {
		ops.Failf("Range", "%w", err)
	}
	return g.apply("Range", ops.Range{Dtype: g.opts.Dtype, N: n}, &Node{g, g.anchor()})
}

// ArgMax is the place of the largest element along the last axis, which disappears: ids, without
// gradient. Of equals it is the first, and the first NaN where there is one, as in PyTorch.
func ArgMax(x Operand) *Node { return call("ArgMax", ops.ArgMax{}, x) }

// NotIn is 1 where an id is none of values, else 0.
func NotIn(ids *Node, values ...int) *Node {
	ids = one("NotIn", ids)
	return call("NotIn", ops.Differs{Dtype: ids.g.Dtype(), Values: slices.Clone(values)}, ids)
}

// Apply makes a node of a Gorgonia op of one's own, which should implement gorgonia.SDOp.
func Apply(op gorgonia.Op, xs ...Operand) *Node {
	if op == nil {
		ops.Failf("Apply", "the op is nil")
	}
	name := op.String()
	g := common(name, xs)
	defer g.locate(name)
	in := make([]*gorgonia.Node, len(xs))
	for i, x := range xs {
		in[i] = x.in(g).n
	}
	n, err := gorgonia.ApplyOp(op, in...)
	if err != nil {
		ops.Failf(name, "%w", err)
	}
	return &Node{g, n}
}
