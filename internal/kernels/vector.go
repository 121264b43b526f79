package kernels

import "math"

// The element-wise functions work on slices of one length; dst may be an operand itself, but must
// not overlap one otherwise.

// The kernels that have assembly, in the order in which it knows them.
const (
	opAdd = iota
	opSub
	opMul
	opDiv
	opMax
	opMin
	opTanhGrad
	opSigmoidGrad
	opMulAdd
)

const (
	opAddScalar = iota
	opMulScalar
	opAxpy
	opFill
)

const (
	opRelu = iota
	opSqrt
	opExp // float32 only from here on
	opLog
	opTanh
	opSigmoid
	opSoftplus
	opExpm1

	lastUnary64 = opSqrt
)

const errLength = "kernels: slices of different lengths"

func same2[F Float](dst, x []F) {
	if len(x) != len(dst) {
		panic(errLength)
	}
}

func same3[F Float](dst, a, b []F) {
	if len(a) != len(dst) || len(b) != len(dst) {
		panic(errLength)
	}
}

// Add is dst[i] = a[i] + b[i].
func Add[F Float](dst, a, b []F) {
	same3(dst, a, b)
	if fastBinary(opAdd, dst, a, b) {
		return
	}
	for i := range dst {
		dst[i] = a[i] + b[i]
	}
}

// Sub is dst[i] = a[i] − b[i].
func Sub[F Float](dst, a, b []F) {
	same3(dst, a, b)
	if fastBinary(opSub, dst, a, b) {
		return
	}
	for i := range dst {
		dst[i] = a[i] - b[i]
	}
}

// Mul is dst[i] = a[i]·b[i].
func Mul[F Float](dst, a, b []F) {
	same3(dst, a, b)
	if fastBinary(opMul, dst, a, b) {
		return
	}
	for i := range dst {
		dst[i] = a[i] * b[i]
	}
}

// Div is dst[i] = a[i] / b[i].
func Div[F Float](dst, a, b []F) {
	same3(dst, a, b)
	if fastBinary(opDiv, dst, a, b) {
		return
	}
	for i := range dst {
		dst[i] = a[i] / b[i]
	}
}

// Max is dst[i] = the greater of a[i] and b[i], NaN if one of them is. The sign of a zero is not
// specified.
func Max[F Float](dst, a, b []F) {
	same3(dst, a, b)
	if fastBinary(opMax, dst, a, b) {
		return
	}
	for i := range dst {
		dst[i] = max(a[i], b[i])
	}
}

// Min is dst[i] = the lesser of a[i] and b[i], NaN if one of them is. The sign of a zero is not
// specified.
func Min[F Float](dst, a, b []F) {
	same3(dst, a, b)
	if fastBinary(opMin, dst, a, b) {
		return
	}
	for i := range dst {
		dst[i] = min(a[i], b[i])
	}
}

// Select is dst[i] = a[i] where c[i] is not 0, else b[i].
func Select[F Float](dst, c, a, b []F) {
	same3(dst, a, b)
	same2(dst, c)
	if fastSelect(dst, c, a, b) {
		return
	}
	for i, v := range c {
		if v != 0 {
			dst[i] = a[i]
		} else {
			dst[i] = b[i]
		}
	}
}

// MulAdd is dst[i] += a[i]·b[i].
func MulAdd[F Float](dst, a, b []F) {
	same3(dst, a, b)
	if fastBinary(opMulAdd, dst, a, b) {
		return
	}
	for i := range dst {
		dst[i] += a[i] * b[i]
	}
}

// TanhGrad is dst[i] = dy[i]·(1 − y[i]²): the derivative of tanh, by its result y.
func TanhGrad[F Float](dst, y, dy []F) {
	same3(dst, y, dy)
	if fastBinary(opTanhGrad, dst, y, dy) {
		return
	}
	for i := range dst {
		dst[i] = dy[i] * (1 - y[i]*y[i])
	}
}

// SigmoidGrad is dst[i] = dy[i]·y[i]·(1 − y[i]): the derivative of the logistic function, by its
// result y.
func SigmoidGrad[F Float](dst, y, dy []F) {
	same3(dst, y, dy)
	if fastBinary(opSigmoidGrad, dst, y, dy) {
		return
	}
	for i := range dst {
		dst[i] = dy[i] * y[i] * (1 - y[i])
	}
}

// AddScalar is dst[i] = x[i] + s.
func AddScalar[F Float](dst, x []F, s F) {
	same2(dst, x)
	if fastScalar(opAddScalar, dst, x, s) {
		return
	}
	for i := range dst {
		dst[i] = x[i] + s
	}
}

// MulScalar is dst[i] = x[i]·s.
func MulScalar[F Float](dst, x []F, s F) {
	same2(dst, x)
	if fastScalar(opMulScalar, dst, x, s) {
		return
	}
	for i := range dst {
		dst[i] = x[i] * s
	}
}

// Axpy is dst[i] += alpha·x[i].
func Axpy[F Float](dst []F, alpha F, x []F) {
	same2(dst, x)
	if fastScalar(opAxpy, dst, x, alpha) {
		return
	}
	for i := range dst {
		dst[i] += alpha * x[i]
	}
}

// Fill is dst[i] = s.
func Fill[F Float](dst []F, s F) {
	if fastScalar(opFill, dst, dst, s) {
		return
	}
	for i := range dst {
		dst[i] = s
	}
}

// Relu is dst[i] = x[i] if it is positive or NaN, else 0.
func Relu[F Float](dst, x []F) {
	same2(dst, x)
	if fastUnary(opRelu, dst, x) {
		return
	}
	for i := range dst {
		dst[i] = max(x[i], 0)
	}
}

// Sqrt is dst[i] = √x[i], rounded correctly.
func Sqrt[F Float](dst, x []F) {
	same2(dst, x)
	if fastUnary(opSqrt, dst, x) {
		return
	}
	for i := range dst {
		dst[i] = F(math.Sqrt(float64(x[i])))
	}
}

// Exp is dst[i] = e^x[i].
func Exp[F Float](dst, x []F) {
	same2(dst, x)
	if !fastUnary(opExp, dst, x) {
		each(dst, x, exp, math.Exp)
	}
}

// Expm1 is dst[i] = e^x[i] − 1, precise near 0 too.
func Expm1[F Float](dst, x []F) {
	same2(dst, x)
	if !fastUnary(opExpm1, dst, x) {
		each(dst, x, math.Expm1, math.Expm1)
	}
}

// Log is dst[i] = the natural logarithm of x[i].
func Log[F Float](dst, x []F) {
	same2(dst, x)
	if !fastUnary(opLog, dst, x) {
		each(dst, x, math.Log, math.Log)
	}
}

// Log1p is dst[i] = log(1 + x[i]), precise near 0 too.
func Log1p[F Float](dst, x []F) {
	same2(dst, x)
	each(dst, x, math.Log1p, math.Log1p)
}

// Tanh is dst[i] = tanh x[i].
func Tanh[F Float](dst, x []F) {
	same2(dst, x)
	if !fastUnary(opTanh, dst, x) {
		each(dst, x, tanh, math.Tanh)
	}
}

// Sigmoid is dst[i] = 1 / (1 + e^−x[i]), the logistic function.
func Sigmoid[F Float](dst, x []F) {
	same2(dst, x)
	if !fastUnary(opSigmoid, dst, x) {
		each(dst, x, sigmoid, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) })
	}
}

// Softplus is dst[i] = log(1 + e^x[i]), without overflow.
func Softplus[F Float](dst, x []F) {
	same2(dst, x)
	if fastUnary(opSoftplus, dst, x) {
		return
	}
	softplus := func(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }
	each(dst, x, softplus, softplus)
}

// each is dst[i] = f(x[i]), with a function that is good enough for the type.
func each[F Float](dst, x []F, single, double func(float64) float64) {
	f := double
	if size[F]() == 4 {
		f = single
	}
	for i, v := range x {
		dst[i] = F(f(float64(v)))
	}
}

// exp is e^x with a relative error below 2^−31, which leaves a float32 off by hardly more than its
// rounding.
func exp(x float64) float64 {
	x = min(max(x, -200), 200)
	n := math.Floor(x*math.Log2E + 0.5)
	r := x - n*math.Ln2
	p := 1 + r*(1+r*(1./2+r*(1./6+r*(1./24+r*(1./120+r*(1./720+r*(1./5040+r*(1./40320))))))))
	return p * math.Float64frombits(uint64(int64(n)+1023)<<52)
}

// tanh and sigmoid are as good as exp.
func tanh(x float64) float64 {
	if math.Abs(x) < 0x1p-12 {
		return x * (1 - x*x/3) // −0 of −0
	}
	return 1 - 2/(exp(2*x)+1)
}

func sigmoid(x float64) float64 { return 1 / (1 + exp(-x)) }

// Sum is the sum of x, 0 if it is empty. The order of the additions is fixed by the length and the
// level.
func Sum[F Float](x []F) F {
	if s, ok := fastSum(x); ok {
		return s
	}
	var s [4]F
	i := 0
	for ; i+4 <= len(x); i += 4 {
		s[0] += x[i]
		s[1] += x[i+1]
		s[2] += x[i+2]
		s[3] += x[i+3]
	}
	for ; i < len(x); i++ {
		s[0] += x[i]
	}
	return (s[0] + s[1]) + (s[2] + s[3])
}

// Dot is Σ a[i]·b[i], 0 if the slices are empty. The order of the additions is fixed by the length
// and the level.
func Dot[F Float](a, b []F) F {
	same2(a, b)
	if s, ok := fastDot(a, b); ok {
		return s
	}
	var s [4]F
	i := 0
	for ; i+4 <= len(a); i += 4 {
		s[0] += a[i] * b[i]
		s[1] += a[i+1] * b[i+1]
		s[2] += a[i+2] * b[i+2]
		s[3] += a[i+3] * b[i+3]
	}
	for ; i < len(a); i++ {
		s[0] += a[i] * b[i]
	}
	return (s[0] + s[1]) + (s[2] + s[3])
}

// MaxOf is the greatest element of x: NaN if one is, −Inf if there is none.
func MaxOf[F Float](x []F) F {
	if s, ok := fastMaxOf(x); ok {
		return s
	}
	m := F(math.Inf(-1))
	for _, v := range x {
		m = max(m, v)
	}
	return m
}

// Transpose is dst[j*ldd+i] = src[i*lds+j]: src is [rows, cols], dst is [cols, rows]. They must not
// overlap.
func Transpose[F Float](dst []F, ldd int, src []F, lds int, rows, cols int) {
	if rows < 0 || cols < 0 {
		panic("kernels: Transpose: negative size")
	}
	if !fits(len(src), rows, cols, lds) {
		panic("kernels: Transpose: src is too short")
	}
	if !fits(len(dst), cols, rows, ldd) {
		panic("kernels: Transpose: dst is too short")
	}
	if rows == 0 {
		return
	}
	const strip = 64 // columns at a time, so that the rows of dst stay in the first-level cache
	for j := 0; j < cols; j += strip {
		transpose(dst[j*ldd:], ldd, src[j:], lds, rows, min(strip, cols-j))
	}
}
