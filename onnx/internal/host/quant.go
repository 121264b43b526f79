package host

import (
	"math"
	"slices"
)

// alongAxis repeats scales or zero points, one a place of an axis, to a shape.
func alongAxis(t *Tensor, axis int, shape []int) *Tensor {
	if t.Len() == 1 {
		return expand(t.As(), shape)
	}
	axis = Axis(axis, len(shape))
	if t.Len() != shape[axis] || len(t.Shape) != 1 {
		Failf("scales or zero points %v along axis %d of %v", t.Shape, axis, shape)
	}
	s := make([]int, len(shape)-axis)
	for i := range s {
		s[i] = 1
	}
	s[0] = t.Len()
	return expand(t.As(s...), shape)
}

// saturate rounds to an integer type, ties to even.
func saturate(x float64, t Type) int64 {
	low, high := Range(t)
	return int64(math.Min(math.Max(math.RoundToEven(x), low), high))
}

// scale is operand 1 of what quantises.
func (c *Call) scale() *Tensor {
	t := c.need(1)
	if t.F == nil {
		Failf("a scale of %v", t.Type)
	}
	return t
}

func quantize(c *Call) []*Tensor {
	x, axis := c.need(0), c.Attrs.Int("axis", 1)
	if len(x.Shape) == 0 {
		axis = 0
	}
	scale := alongAxis(c.scale(), axis, x.Shape)
	typ := Type(c.Attrs.Int("output_dtype", 0)) // 0: that of the zero point, or uint8
	zero := New(Uint8, x.Shape...)
	switch t := c.Arg(2); {
	case t != nil && typ != 0 && typ != t.Type:
		Failf("output_dtype is %v, the zero point %v", typ, t.Type)
	case t != nil:
		typ, zero = t.Type, alongAxis(t, axis, x.Shape)
	case typ == 0:
		typ = Uint8
	}
	if typ.Bits() == 0 || typ.Bits() > 16 {
		Failf("quantization to %v is not supported", typ)
	}
	out := New(typ, x.Shape...)
	for i := range out.I {
		out.I[i] = saturate(math.RoundToEven(float64(float32(x.Float(i))/float32(scale.F[i])))+
			zero.Float(i), typ)
	}
	return []*Tensor{out}
}

func dequantize(c *Call) []*Tensor {
	x, axis := c.need(0), c.Attrs.Int("axis", 1)
	scale := alongAxis(c.scale(), axis, x.Shape)
	out := New(scale.Type, x.Shape...)
	for i := range out.F {
		out.F[i] = x.Float(i) * scale.F[i]
	}
	if t := c.Arg(2); t != nil {
		zero := alongAxis(t, axis, x.Shape)
		for i := range out.F {
			out.F[i] -= zero.Float(i) * scale.F[i]
		}
	}
	return []*Tensor{out}
}

func dynamicQuantize(c *Call) []*Tensor {
	x := c.need(0)
	low, high := 0.0, 0.0
	for _, v := range x.F {
		low, high = min(low, v), max(high, v)
	}
	scale := float64(float32((float32(high) - float32(low)) / 255))
	zero := int64(0)
	if scale != 0 {
		zero = saturate(-low/scale, Uint8)
	}
	out := New(Uint8, x.Shape...)
	for i, v := range x.F {
		if scale != 0 {
			out.I[i] = saturate(math.RoundToEven(float64(float32(v)/float32(scale)))+float64(zero),
				Uint8)
		}
	}
	return []*Tensor{out, {Type: Float32, Shape: []int{}, F: []float64{scale}},
		{Type: Uint8, Shape: []int{}, I: []int64{zero}}}
}

// product is the matrix product of integers minus their zero points, or of floats.
func product(a, b *Tensor, t Type) *Tensor {
	as, bs := a.Shape, b.Shape
	if len(as) == 0 || len(bs) == 0 {
		Failf("a product of scalars")
	}
	if len(as) == 1 {
		as = []int{1, as[0]}
	}
	if len(bs) == 1 {
		bs = []int{bs[0], 1}
	}
	if (a.F == nil) != (b.F == nil) || a.S != nil || b.S != nil {
		Failf("a product of %v and %v", a.Type, b.Type)
	}
	i, j := len(as)-2, len(bs)-2
	m, k, n := as[i], as[i+1], bs[j+1]
	if bs[j] != k {
		Failf("a product of %v and %v", a.Shape, b.Shape)
	}
	batch := Broadcast(as[:i], bs[:j])
	pa, pb := places(as[:i], batch), places(bs[:j], batch)
	out := New(t, slices.Concat(batch, []int{m, n})...)
	for x := range Size(batch) {
		for r := range m {
			for col := range n {
				var f float64
				var s int64
				for q := range k {
					p, o := (pa[x]*m+r)*k+q, (pb[x]*k+q)*n+col
					if a.F != nil {
						f += a.F[p] * b.F[o]
					} else {
						s += a.I[p] * b.I[o]
					}
				}
				if out.F != nil {
					out.F[(x*m+r)*n+col] = f
				} else {
					out.I[(x*m+r)*n+col] = s
				}
			}
		}
	}
	shape := slices.Clone(batch)
	if len(a.Shape) > 1 {
		shape = append(shape, m)
	}
	if len(b.Shape) > 1 {
		shape = append(shape, n)
	}
	return out.As(shape...)
}

// centred is integers minus their zero points, as int64.
func centred(x, zero *Tensor, axis int) *Tensor {
	if x.I == nil || zero != nil && zero.I == nil {
		Failf("integers and a zero point are wanted, not %v and %v", x, zero)
	}
	out := New(Int64, x.Shape...)
	copy(out.I, x.I)
	if zero != nil {
		z := alongAxis(zero, axis, x.Shape)
		for i := range out.I {
			out.I[i] -= z.I[i]
		}
	}
	return out
}

func matMulInteger(c *Call) []*Tensor {
	a := centred(c.need(0), c.Arg(2), -2)
	b := centred(c.need(1), c.Arg(3), -1)
	return []*Tensor{product(a, b, Int32)}
}

func matMul(c *Call) []*Tensor {
	return []*Tensor{product(c.need(0), c.need(1), c.need(0).Type)}
}

// numbers are one number, or one a place of an axis, of which a tensor's elements read one each.
type numbers struct {
	*Tensor
	inner int // elements of the tensor a place
}

// at is the number that element k of the tensor reads.
func (n numbers) at(k int) int { return k / n.inner % n.Len() }

// numbers is operand i along an axis of a shape; an axis below 0: it is one number.
func (c *Call) numbers(i, axis int, shape []int) numbers {
	t := c.need(i)
	switch {
	case t.Len() == 1:
		return numbers{t, 1}
	case axis < 0:
		Failf("operand %d, a scale or a zero point, is %v: want one number", i, t)
	case len(t.Shape) != 1 || t.Len() != shape[axis]:
		Failf("operand %d: scales or zero points %v along axis %d of %v", i, t.Shape, axis, shape)
	}
	return numbers{t, max(1, Size(shape[axis+1:]))}
}

// requantised brings sums of products of operands 0 and 3, whose scales are operands 1 and 4, to
// the scale and zero point of the result, operands 6 and 7. The numbers of operand 0, operand 3 and
// the result lie along an axis of the sums each, where they are more than one.
func (c *Call) requantised(sums *Tensor, first, second, result int) []*Tensor {
	of0, of3 := c.numbers(1, first, sums.Shape), c.numbers(4, second, sums.Shape)
	scale, zero := c.numbers(6, result, sums.Shape), c.numbers(7, result, sums.Shape)
	if of0.F == nil || of3.F == nil || scale.F == nil || zero.I == nil {
		Failf("scales %v, %v and %v and a zero point %v: want floats and integers", of0, of3, scale,
			zero)
	}
	out := New(zero.Type, sums.Shape...)
	for i, s := range sums.I {
		by := float32(of0.F[of0.at(i)]) * float32(of3.F[of3.at(i)]) / float32(scale.F[scale.at(i)])
		out.I[i] = saturate(math.RoundToEven(float64(float32(s)*by))+zero.Float(zero.at(i)),
			zero.Type)
	}
	return []*Tensor{out}
}

// qlinearMatMul has operands a, its scales and zero points, one a row, b, its scales and zero
// points, one a column, and the scales and zero points of the result, one a row.
func qlinearMatMul(c *Call) []*Tensor {
	a, b := c.need(0), c.need(3)
	sums := product(centred(a, c.need(2), -2), centred(b, c.need(5), -1), Int64)
	rows, columns := len(sums.Shape)-1, -1
	if len(b.Shape) > 1 {
		rows, columns = rows-1, rows
	}
	if len(a.Shape) < 2 {
		rows = -1
	}
	return c.requantised(sums, rows, columns, rows)
}

func quantFuncs() map[string]Func {
	return map[string]Func{
		"QuantizeLinear": quantize, "DequantizeLinear": dequantize,
		"DynamicQuantizeLinear": dynamicQuantize, "MatMulInteger": matMulInteger,
		"MatMul": matMul, "ConvInteger": convInteger, "QLinearConv": qlinearConv,
		"QLinearMatMul": qlinearMatMul,
	}
}
