package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The transcendental functions of float32. The polynomials are worked out here, so that no
// coefficient is a mystery.

// chebyshev are the coefficients, lowest first, of the polynomial of a degree that meets f at the
// Chebyshev nodes of [lo, hi]: within a small factor of the best there is.
func chebyshev(f func(float64) float64, lo, hi float64, degree int) []float64 {
	n := degree + 1
	x, d := make([]float64, n), make([]float64, n)
	for i := range n {
		x[i] = (lo+hi)/2 + (hi-lo)/2*math.Cos(math.Pi*(float64(i)+0.5)/float64(n))
		d[i] = f(x[i])
	}
	for j := 1; j < n; j++ { // divided differences
		for i := n - 1; i >= j; i-- {
			d[i] = (d[i] - d[i-1]) / (x[i] - x[i-j])
		}
	}
	c := make([]float64, n) // Newton's form multiplied out
	for i := n - 1; i >= 0; i-- {
		for j := n - 1; j > 0; j-- {
			c[j] = c[j-1] - x[i]*c[j]
		}
		c[0] = d[i] - x[i]*c[0]
	}
	return c
}

// series is Σ term(i)·x^i.
func series(x float64, term func(i int) float64) float64 {
	sum, power := 0.0, 1.0
	for i := range 80 {
		sum += term(i) * power
		power *= x
	}
	return sum
}

const ln2Half = math.Ln2 / 2

// expTail is (e^r − 1 − r)/r² on |r| ≤ ln(2)/2. Degree 4 leaves an error of 2^−29 in e^r.
var expTail = chebyshev(func(r float64) float64 {
	return series(r, func(i int) float64 { return 1 / math.Gamma(float64(i)+3) })
}, -ln2Half, ln2Half, 4)

// logTail is (log(1+f) − f + f²/2)/f³ on −1/4 ≤ f ≤ 1/2.
var logTail = chebyshev(func(f float64) float64 {
	return series(f, func(i int) float64 { return math.Pow(-1, float64(i)) / (float64(i) + 3) })
}, -0.25, 0.5, 9)

// ln2 in two parts: the first has so few bits that its product with an exponent is exact; the
// second is positive.
var (
	ln2Hi = math.Floor(math.Ln2*(1<<15)) / (1 << 15)
	ln2Lo = math.Ln2 - ln2Hi
)

// polynomial is z = c[0] + c[1]·x + …
func (s isa) polynomial(c []float64, x, z Op) {
	s.load(s.c(c[len(c)-1]), z)
	for i := len(c) - 2; i >= 0; i-- {
		s.horner(s.c(c[i]), x, z)
	}
}

// split is x = n·ln(2)·unit + r with a whole n and |r| ≤ ln(2)·unit/2. n is a float and, plus bias,
// the low bits of k: adding 1.5·2^23 rounds to an integer.
func (s isa) split(x Op, bias, unit float64, n, r, k reg.VecVirtual) {
	magic := s.c(1.5*(1<<23) + bias)
	s.load(magic, k)
	s.fma(s.c(math.Log2E/unit), x, k)
	s.sub(k, magic, n)
	s.load(x, r)
	s.fnma(s.c(ln2Hi*unit), n, r)
	s.fnma(s.c(ln2Lo*unit), n, r)
}

// exp is e^x, 2^n·(1 + r + r²·tail(r)).
func (s isa) exp(x, z reg.VecVirtual) {
	a, n, r, k, p := s.v(), s.v(), s.v(), s.v(), s.v()
	// e^89 is infinite and e^−104 is 0, so that nothing is lost between; NaN stays
	s.load(s.c(89), a)
	s.min(a, x, a)
	lo := s.v()
	s.load(s.c(-104), lo)
	s.max(lo, a, a)
	s.split(a, 0, 1, n, r, k)
	s.polynomial(expTail, r, p)
	s.horner(s.c(1), r, p)
	s.horner(s.c(1), r, p)
	s.scale(p, n, k, z)
}

// scale is z = p·2^n, rounded once even if it is denormal; k holds n in its low bits.
func (s isa) scale(p, n, k, z reg.VecVirtual) {
	if s.avx512 {
		VSCALEFPS(n, p, z)
		return
	}
	// 2^n in two factors, each a normal number; the first product is exact
	half, rest := s.v(), s.v()
	VPSUBD(bits32(math.Float32bits(1.5*(1<<23))), k, k)
	VPSRAD(U8(1), k, half)
	VPSUBD(half, k, rest)
	for _, e := range []reg.VecVirtual{half, rest} {
		VPSLLD(U8(23), e, e)
		VPADDD(bits32(127<<23), e, e)
		s.mul(p, e, p)
	}
	s.load(p, z)
}

// sigmoid is 1/(1+e) for x ≥ 0 and e/(1+e) below, with e = e^−|x|: nothing overflows, and small
// results are precise.
func (s isa) sigmoid(x, z reg.VecVirtual) {
	e, y := s.v(), s.v()
	s.or(x, bits32(1<<31), e)
	s.exp(e, e)
	s.add(e, s.c(1), y)
	one := s.v()
	s.load(s.c(1), one)
	if s.avx512 {
		k := K()
		VPMOVD2M(x, k) // negative
		VMOVAPS(e, k, one)
	} else {
		VBLENDVPS(x, e, one, one)
	}
	s.div(one, y, z)
}

// tanhTail is (e^2r − 1)/r on |r| ≤ ln(2)/4.
var tanhTail = chebyshev(func(r float64) float64 {
	return series(r, func(i int) float64 {
		return math.Pow(2, float64(i)+1) / math.Gamma(float64(i)+2)
	})
}, -ln2Half/2, ln2Half/2, 5)

// tanh is −t/(t+2) with t = e^−2|x| − 1, and the sign of x. With −|x| = n·ln(2)/2 + r, t is
// 2^n·(r·tail(r)) + (2^n − 1): nothing cancels.
func (s isa) tanh(x, z reg.VecVirtual) {
	y, n, r, k, p, lo := s.v(), s.v(), s.v(), s.v(), s.v(), s.v()
	s.or(x, bits32(1<<31), y)
	s.load(s.c(-10), lo) // the result is 1 from 9.02 on; NaN stays
	s.max(lo, y, y)
	s.split(y, 127, 0.5, n, r, k)
	s.polynomial(tanhTail, r, p)
	s.mul(p, r, p)
	VPSLLD(U8(23), k, k) // 2^n
	t := s.v()
	s.sub(k, s.c(1), t)
	s.fma(k, p, t)
	s.add(t, s.c(2), p)
	s.div(t, p, p)
	s.copySign(p, x, z)
}

// copySign is z = |y| with the sign of x; it destroys y.
func (s isa) copySign(y, x, z Op) {
	if s.avx512 {
		sign := s.v()
		s.load(bits32(1<<31), sign)
		VPTERNLOGD(U8(0xca), y, x, sign) // sign chooses between x and y
		s.load(sign, z)
		return
	}
	sign := s.v()
	s.and(x, bits32(1<<31), sign)
	s.and(y, bits32(1<<31-1), y)
	s.or(y, sign, z)
}

// log is e·ln(2) + log(1+f) for x = 2^e·(1+f), −1/4 ≤ f < 1/2.
func (s isa) log(x, z reg.VecVirtual) {
	e, f := s.v(), s.v()
	if s.avx512 {
		g := s.v()
		VGETMANTPS(U8(0b1011), x, f) // 3/4 to 3/2; NaN for negative numbers
		VGETEXPPS(x, e)
		VGETEXPPS(f, g) // −1 below 1
		s.sub(e, g, e)
	} else {
		s.logSplit(x, e, f)
	}
	s.sub(f, s.c(1), f)
	p, f2 := s.v(), s.v()
	s.mul(f, f, f2)
	s.polynomial(logTail, f, p)
	s.mul(p, f, p)
	s.mul(p, f2, p)
	s.fma(s.c(ln2Lo), e, p)
	s.fnma(s.c(0.5), f2, p)
	s.add(p, f, p)
	s.fma(s.c(ln2Hi), e, p)
	if s.avx512 {
		s.load(p, z)
		return
	}
	// what is not a positive finite number
	m, c := s.v(), s.v()
	s.load(s.c(math.Inf(1)), c)
	VCMPPS(U8(0), c, x, m) // +Inf
	VBLENDVPS(m, c, p, p)
	s.zero(c)
	VCMPPS(U8(9), c, x, m) // not ≥ 0: NaN or negative
	VORPS(m, p, p)
	VCMPPS(U8(0), c, x, m) // ±0
	s.load(s.c(math.Inf(-1)), c)
	VBLENDVPS(m, c, p, z)
}

// logSplit is x = 2^e·f with 3/4 ≤ f < 3/2, by the bits of x.
func (s isa) logSplit(x, e, f reg.VecVirtual) {
	y, m, t := s.v(), s.v(), s.v()
	s.load(s.c(0x1p-126), t)
	VCMPPS(U8(1), t, x, m) // denormal: times 2^23, and 23 off the exponent
	s.mul(x, s.c(1<<23), t)
	VBLENDVPS(m, t, x, y)
	s.and(m, s.c(23), t)
	VPSUBD(bits32(math.Float32bits(0.75)), y, e)
	VPSRAD(U8(23), e, e)
	VPSLLD(U8(23), e, f)
	VPSUBD(f, y, f)
	VCVTDQ2PS(e, e)
	s.sub(e, t, e)
}

// softplus is max(x, 0) + log(1+e) with e = e^−|x|. The logarithm of u = 1+e, which is rounded, is
// put right by e/(u−1), and is e itself where nothing of e is left in u.
func (s isa) softplus(x, z reg.VecVirtual) {
	e, u, d, l := s.v(), s.v(), s.v(), s.v()
	s.or(x, bits32(1<<31), e)
	s.exp(e, e)
	s.add(e, s.c(1), u)
	s.sub(u, s.c(1), d)
	s.log(u, l)
	s.mul(l, e, l)
	zero := s.v()
	s.zero(zero)
	s.div(l, d, l)
	s.where(equal, d, zero, e, l)
	s.max(zero, x, u) // x if it is NaN
	s.add(u, l, z)
}

// expm1Tail is (e^r − 1)/r on |r| ≤ ln(2)/2.
var expm1Tail = chebyshev(func(r float64) float64 {
	return series(r, func(i int) float64 { return 1 / math.Gamma(float64(i)+2) })
}, -ln2Half, ln2Half, 6)

// expm1 is 2^n·(r·tail(r)) + (2^n − 1) with x = n·ln(2) + r, so that nothing cancels; above 40 it
// is e^x. The sign is that of x, for −0 too.
func (s isa) expm1(x, z reg.VecVirtual) {
	y, n, r, k, p, c := s.v(), s.v(), s.v(), s.v(), s.v(), s.v()
	s.load(s.c(40), c)
	s.min(c, x, y)
	s.load(s.c(-20), p) // −1 from −17.4 on; NaN stays
	s.max(p, y, y)
	s.split(y, 127, 1, n, r, k)
	s.polynomial(expm1Tail, r, p)
	s.mul(p, r, p)
	VPSLLD(U8(23), k, k) // 2^n
	t, large := s.v(), s.v()
	s.sub(k, s.c(1), t)
	s.fma(k, p, t)
	s.exp(x, large)
	s.where(greater, x, c, large, t)
	s.and(x, bits32(1<<31), p)
	s.or(t, p, z)
}

// where is z = a where x compares so to y.
func (s isa) where(code uint8, x, y, a, z reg.VecVirtual) {
	if s.avx512 {
		k := K()
		VCMPPS(U8(code), y, x, k)
		VMOVAPS(a, k, z)
		return
	}
	m := s.v()
	VCMPPS(U8(code), y, x, m)
	VBLENDVPS(m, a, z, z)
}
