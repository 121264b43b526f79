package native

import (
	"reflect"
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/internal/ops"
)

// translations are by the name of Gorgonia's type. Each gives the number of the value that is the
// result.
var translations map[string]func(*builder) int

func init() {
	translations = map[string]func(*builder) int{
		"constantScalar": constant,
		"constantTensor": constant,
		"elemBinOp":      binary,
		"elemUnaryOp":    unary,
		"minBetween":     func(b *builder) int { return elementwise(b, ops.KindMin) },
		"maxBetween":     func(b *builder) int { return elementwise(b, ops.KindMax) },
		"linAlgBinOp":    linearAlgebra,
		"tensordotOp":    tensordot,
		"sumOp":          sum,
		"maxOp":          maximum,
		"repeatOp":       repeat,
		"sizeOp":         size,
		"sliceOp":        slice,
		"sliceIncrOp":    sliceGradient,
		"atOp":           at,
		"transposeOp": func(b *builder) int {
			return b.result(b.transpose(0,
				b.ints("pattern")))
		},
		"concatOp":          func(b *builder) int { return b.result(concat(b)) },
		"reshapeOp":         func(b *builder) int { return b.result(0) },
		"softmaxOp":         softmax,
		"softmaxDiffOp":     softmaxGradient,
		"byIndicesOp":       gather,
		"byIndicesOpDiffOp": scatter,
		"im2colOp":          unfold,
		"col2imOp":          fold,
		"maxPoolOp":         maxPool,
		"maxPoolDiffOp":     maxPoolGradient,
	}
}

// constant is a scalar, or a small tensor of one value throughout.
func constant(b *builder) int {
	op, ok := b.op.(interface{ Value() G.Value })
	if !ok {
		fail("a constant without a value")
	}
	t, err := ops.TensorOf(op.Value())
	if err != nil {
		fail("%w", err)
	}
	v, ok := uniform(t)
	if !ok || ops.Size(t.Shape) > foldable {
		fail("its elements differ, or are many")
	}
	return b.fill(v, b.out.Shape...)
}

// foldable is how many elements a constant has at most that is taken for one number. A program may
// change them, so all are looked at before each run.
const foldable = 64

func uniform(t ops.Tensor) (v float64, ok bool) {
	same := func(n int, at func(int) float64) (float64, bool) {
		if n == 0 {
			return 0, false
		}
		for i := range n {
			if at(i) != at(0) {
				return 0, false
			}
		}
		return at(0), true
	}
	if t.F32 != nil {
		return same(len(t.F32), func(i int) float64 { return float64(t.F32[i]) })
	}
	return same(len(t.F64), func(i int) float64 { return t.F64[i] })
}

// kinds are the kinds of elemBinOp, in Gorgonia's order.
var kinds = [...]ops.Kind{
	ops.KindAdd, ops.KindSub, ops.KindMul, ops.KindDiv, ops.KindPow,
	ops.KindLt, ops.KindGt, ops.KindLe, ops.KindGe, ops.KindEq, ops.KindNe,
}

func binary(b *builder) int {
	code := b.fields.FieldByName("ʘBinaryOperator").Elem().FieldByName("ʘBinaryOperatorType")
	if !code.IsValid() || code.Uint() >= uint64(len(kinds)) {
		fail("not an operation of Gorgonia v0.9.18")
	}
	return elementwise(b, kinds[code.Uint()])
}

// elementwise applies a kind to operands that Gorgonia lets through: each has the node's number of
// elements, whatever its shape, or is one number.
func elementwise(b *builder, kind ops.Kind) int {
	args := make([]int, b.In)
	for i := range args {
		switch n := ops.Size(b.shape(i)); {
		case n == b.out.Size():
			args[i] = b.result(i)
		case n == 1:
			args[i] = b.reshape(i)
		default:
			fail("operand %d is %v, the node is %v", i, b.types[i], b.out)
		}
	}
	return b.broadcast(b.element(kind, args...), b.out.Shape)
}

// unaries are the functions of one operand that Gorgonia has, by its names.
var unaries = map[string]ops.Kind{
	"abs": ops.KindAbs, "ceil": ops.KindCeil, "floor": ops.KindFloor, "sign": ops.KindSign,
	"sin": ops.KindSin, "cos": ops.KindCos, "exp": ops.KindExp, "ln": ops.KindLog,
	"log2":  ops.KindLog2,
	"log1p": ops.KindLog1p, "expm1": ops.KindExpm1, "square": ops.KindSquare, "sqrt": ops.KindSqrt,
	"inv": ops.KindInverse, "tanh": ops.KindTanh, "sigmoid": ops.KindSigmoid,
	"softplus": ops.KindSoftplus,
}

func unary(b *builder) int {
	name := b.op.String()
	switch name {
	case "sign":
		if len(b.shape(0)) == 0 { // of a scalar, Gorgonia takes the sign bit: 0 is positive
			return b.affine(b.element(ops.KindGe, 0, b.fill(0)), 2, -1)
		}
	case "neg":
		return b.affine(b.result(0), -1, 0)
	case "invSqrt":
		return b.element(ops.KindInverse, b.element(ops.KindSqrt, b.result(0)))
	case "cube":
		x := b.result(0)
		return b.element(ops.KindMul, b.element(ops.KindSquare, x), x)
	}
	kind, ok := unaries[name]
	if !ok {
		fail("not a function of Gorgonia v0.9.18")
	}
	return elementwise(b, kind)
}

func linearAlgebra(b *builder) int {
	const (
		matmul = iota
		matvec
		dot
		outer
		batched
	)
	code := b.field("āBinaryOperator", reflect.Uint8).Uint()
	transA, transB := b.bool("transA"), b.bool("transB")
	n0, n1 := ops.Size(b.shape(0)), ops.Size(b.shape(1))
	switch code {
	case matmul:
		return b.result(b.matmul(0, 1, transA, transB))
	case matvec:
		return b.result(b.matmul(0, b.reshape(1, n1, 1), transA, false))
	case dot:
		return b.result(b.matmul(b.reshape(0, 1, n0), b.reshape(1, n1, 1), false, false))
	case outer:
		return b.result(b.matmul(b.reshape(0, n0, 1), b.reshape(1, 1, n1), false, false))
	case batched:
		return b.result(b.matmul(stack(b, 0), stack(b, 1), transA, transB))
	}
	fail("not a product of Gorgonia v0.9.18")
	return 0
}

// stack is x as [N, rows, columns].
func stack(b *builder, x int) int {
	s := b.shape(x)
	k := len(s) - 2
	if k < 1 {
		fail("shape %s is no stack of matrices", ops.ShapeString(s))
	}
	return b.reshape(x, ops.Size(s[:k]), s[k], s[k+1])
}

// tensordot is one matrix product once the axes to be summed over stand together.
func tensordot(b *builder) int {
	as, bs := b.ints("aAxes"), b.ints("bAxes")
	free := func(x int, taken []int) (axes []int, size int) {
		size = 1
		for i, d := range b.shape(x) {
			if !slices.Contains(taken, i) {
				axes, size = append(axes, i), size*d
			}
		}
		return axes, size
	}
	fa, m := free(0, as)
	fb, n := free(1, bs)
	k := ops.Size(b.shape(0)) / m
	x := b.transpose(0, slices.Concat(fa, as))
	y := b.transpose(1, slices.Concat(bs, fb))
	return b.result(b.matmul(b.reshape(x, m, k), b.reshape(y, k, n), false, false))
}

// reduced is the shape of operand 0 with the axes of the op as 1; no axes are all axes.
func reduced(b *builder) []int {
	s := slices.Clone(b.shape(0))
	along := b.ints("along")
	for i := range s {
		if len(along) == 0 || slices.Contains(along, i) {
			s[i] = 1
		}
	}
	return s
}

func sum(b *builder) int { return b.result(b.sumTo(0, reduced(b))) }

func maximum(b *builder) int {
	x := 0
	for axis, d := range reduced(b) {
		if d != b.shape(x)[axis] {
			x = b.apply(ops.Max{Axis: axis}, x)
		}
	}
	return b.result(x)
}

// repeat writes each element of an axis several times in a row. How often follows from the node's
// shape.
func repeat(b *builder) int {
	axis, s := b.int("along"), slices.Clone(b.shape(0))
	for len(s) <= axis || len(s) < len(b.out.Shape) {
		s = append(s, 1)
	}
	if len(s) != len(b.out.Shape) {
		fail("%v repeated along axis %d is not %v", b.types[0], axis, b.out)
	}
	times := b.out.Shape[axis] / s[axis]
	x := b.reshape(0, slices.Insert(slices.Clone(s), axis+1, 1)...)
	return b.result(b.broadcast(x, slices.Insert(s, axis+1, times)))
}

func size(b *builder) int {
	n, s := 1, b.shape(0)
	if len(s) > 0 {
		n = s[b.axis(0, b.int("axis"))]
	}
	return b.fill(float64(n))
}

// cut is what a slice takes of an axis: n elements from start on, step apart.
type cut struct {
	Range
	all  bool
	axis int
}

func cutOf(b *builder, x int) cut {
	op, ok := b.op.(Slicer)
	if !ok {
		fail("a slice without a range")
	}
	if all(op.IsSlice()) {
		return cut{all: true}
	}
	axis := b.axis(x, b.int("along"))
	return cut{Range: RangeOf(op.IsSlice(), b.shape(x)[axis]), axis: axis}
}

// with is shape with another size of the axis, and the sizes that follow it.
func (c cut) with(shape []int, sizes ...int) []int {
	return slices.Concat(shape[:c.axis], sizes, shape[c.axis+1:])
}

func slice(b *builder) int {
	c := cutOf(b, 0)
	if c.all {
		return b.result(0)
	}
	s := b.shape(0)
	end := c.Start + c.N*c.Step
	x := b.slice(0, c.axis, c.Start, min(end, s[c.axis]))
	if c.Step > 1 { // the first of every group of step elements
		x = b.pad(x, c.axis, 0, end-c.Start)
		x = b.reshape(x, c.with(s, c.N, c.Step)...)
		x = b.slice(x, c.axis+1, 0, 1)
	}
	return b.result(x)
}

// sliceGradient puts operand 1 where the slice was taken, with zeros around it. Of operand 0 it
// needs the shape alone.
func sliceGradient(b *builder) int {
	c := cutOf(b, 0)
	if c.all {
		return b.result(b.spread(1, b.shape(0)))
	}
	s := b.shape(0)
	x := b.spread(1, c.with(s, c.N))
	span := c.N * c.Step
	if c.Step > 1 {
		x = b.reshape(x, c.with(s, c.N, 1)...)
		x = b.pad(x, c.axis+1, 0, c.Step)
		x = b.reshape(x, c.with(s, span)...)
		x = b.slice(x, c.axis, 0, min(span, s[c.axis]-c.Start))
	}
	return b.result(b.pad(x, c.axis, c.Start, s[c.axis]))
}

// spread gives x another shape with as many elements, or repeats its only one.
func (b *builder) spread(x int, shape []int) int {
	if ops.Size(b.shape(x)) == ops.Size(shape) {
		return b.reshape(x, shape...)
	}
	return b.broadcast(b.reshape(x), shape)
}

func at(b *builder) int {
	x := 0
	for axis, i := range b.ints("coordinates") {
		x = b.slice(x, b.axis(0, axis), i, i+1)
	}
	return b.result(x)
}

func concat(b *builder) int {
	if b.In == 1 {
		return 0
	}
	args := make([]int, b.In)
	for i := range args {
		args[i] = i
	}
	return b.apply(ops.Concat{Axis: b.int("axis")}, args...)
}

// softmax works along any axis. Without one it is the last, but the first of a column [n, 1].
func softmax(b *builder) int {
	s, axis := b.shape(0), b.int("axis")
	if axis == -1 && len(s) == 2 && s[1] == 1 {
		axis = 0
	}
	var fn ops.Operation = ops.Softmax{}
	if b.bool("isLog") {
		fn = ops.LogSoftmax{}
	}
	perm, back := move(len(s), b.axis(0, axis), len(s)-1)
	return b.result(b.transpose(b.apply(fn, b.transpose(0, perm)), back))
}

// softmaxGradient is y·(dy − Σ y·dy), or dy − e^y·Σ dy for the logarithm, of operands x, y and dy.
// It takes the last axis where none was given, also where softmax did not.
func softmaxGradient(b *builder) int {
	const y, dy = 1, 2
	s := slices.Clone(b.shape(y))
	s[b.axis(y, b.int("axis"))] = 1
	if b.bool("isLog") {
		return b.result(b.element(ops.KindSub, dy,
			b.element(ops.KindMul, b.element(ops.KindExp, y), b.sumTo(dy, s))))
	}
	inner := b.sumTo(b.element(ops.KindMul, y, dy), s)
	return b.result(b.element(ops.KindMul, y, b.element(ops.KindSub, dy, inner)))
}

// gather takes whole slices of operand 0 along an axis, by operand 1. An id beyond the last slice
// takes the first, as it does in Gorgonia; a negative one, of which Gorgonia dies, is an error of
// the run.
func gather(b *builder) int {
	axis := b.axis(0, b.int("axis"))
	return take(b, axis, b.within(1, b.shape(0)[axis]))
}

// take takes whole slices of operand 0 along an axis, by the operand ids.
func take(b *builder, axis, ids int) int {
	perm, back := move(len(b.shape(0)), axis, 0)
	x := b.transpose(0, perm)
	rest := b.shape(x)[1:]
	n := ops.Size(b.shape(ids))
	table := b.reshape(x, b.shape(x)[0], ops.Size(rest))
	rows := b.apply(ops.Gather{Padding: -1}, table, b.reshape(ids, n))
	return b.result(b.transpose(b.reshape(rows, slices.Concat([]int{n}, rest)...), back))
}

// within is ids with each below top.
func (b *builder) within(ids, top int) int { return b.apply(ops.Within{N: top}, ids) }

// scatter adds up the slices of operand 1 along an axis, by operand 2: the derivative of gather.
func scatter(b *builder) int {
	axis := b.axis(0, b.int("axis"))
	return put(b, axis, b.within(2, b.shape(0)[axis]))
}

// put adds up the slices of operand 1 along an axis of operand 0, of which it needs the shape
// alone, by the operand ids.
func put(b *builder, axis, ids int) int {
	const dy = 1
	s := b.shape(0)
	n := ops.Size(b.shape(ids))
	d := slices.Clone(s)
	d[axis] = n
	perm, back := move(len(s), axis, 0)
	x := b.transpose(b.reshape(dy, d...), perm)
	rest := b.shape(x)[1:]
	rows := b.apply(ops.ScatterAdd{V: s[axis], Padding: -1}, b.reshape(ids, n),
		b.reshape(x, n, ops.Size(rest)))
	return b.result(b.transpose(b.reshape(rows, slices.Concat([]int{s[axis]}, rest)...), back))
}
