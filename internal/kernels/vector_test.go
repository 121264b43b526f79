package kernels

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// elementwise is a function of up to two operands beside dst; was is the old value of dst.
type elementwise[F Float] struct {
	name  string
	run   func(dst, a, b []F)
	want  func(was, a, b float64) float64
	slack float64 // of the result, in roundings of the terms
}

func elementwises[F Float]() []elementwise[F] {
	const s = 0.75
	unary := func(f func(dst, x []F)) func(dst, a, b []F) {
		return func(dst, a, _ []F) { f(dst, a) }
	}
	return []elementwise[F]{
		{"Add", Add[F], func(_, a, b float64) float64 { return a + b }, 1},
		{"Sub", Sub[F], func(_, a, b float64) float64 { return a - b }, 1},
		{"Mul", Mul[F], func(_, a, b float64) float64 { return a * b }, 1},
		{"Div", Div[F], func(_, a, b float64) float64 { return a / b }, 1},
		{"Max", Max[F], func(_, a, b float64) float64 { return max(a, b) }, 0},
		{"Min", Min[F], func(_, a, b float64) float64 { return min(a, b) }, 0},
		{"MulAdd", MulAdd[F], func(was, a, b float64) float64 { return was + a*b }, 8},
		{"TanhGrad", TanhGrad[F], func(_, y, dy float64) float64 { return dy * (1 - y*y) }, 32},
		{"SigmoidGrad", SigmoidGrad[F], func(_, y, dy float64) float64 { return dy * y * (1 - y) },
			64},
		{"Select", func(dst, a, b []F) { Select(dst, a, b, a) }, func(_, a, b float64) float64 {
			if a != 0 {
				return b
			}
			return a
		}, 0},
		{"AddScalar", func(dst, a, _ []F) { AddScalar(dst, a, s) },
			func(_, a, _ float64) float64 { return a + s }, 1},
		{"MulScalar", func(dst, a, _ []F) { MulScalar(dst, a, s) },
			func(_, a, _ float64) float64 { return a * s }, 1},
		{"Axpy", func(dst, a, _ []F) { Axpy(dst, s, a) },
			func(was, a, _ float64) float64 { return was + s*a }, 8},
		{"Fill", func(dst, _, _ []F) { Fill(dst, s) }, func(_, _, _ float64) float64 { return s },
			0},
		{"Relu", unary(Relu[F]), func(_, a, _ float64) float64 { return max(a, 0) }, 0},
		{"Sqrt", unary(Sqrt[F]), func(_, a, _ float64) float64 { return math.Sqrt(a) }, 1},
		{"Exp", unary(Exp[F]), func(_, a, _ float64) float64 { return math.Exp(a) }, 4},
		{"Expm1", unary(Expm1[F]), func(_, a, _ float64) float64 { return math.Expm1(a) }, 4},
		{"Log", unary(Log[F]), func(_, a, _ float64) float64 { return math.Log(a) }, 4},
		{"Log1p", unary(Log1p[F]), func(_, a, _ float64) float64 { return math.Log1p(a) }, 4},
		{"Tanh", unary(Tanh[F]), func(_, a, _ float64) float64 { return math.Tanh(a) }, 6},
		{"Sigmoid", unary(Sigmoid[F]), func(_, a,
			_ float64) float64 {
			return 1 / (1 + math.Exp(-a))
		}, 6},
		{"Softplus", unary(Softplus[F]), func(_, a, _ float64) float64 {
			return max(a, 0) +
				math.Log1p(math.Exp(-math.Abs(a)))
		}, 4},
	}
}

// specials are numbers that a kernel can get wrong.
func specials[F Float]() []F {
	tiny, huge := limits[F]()
	inf, nan := F(math.Inf(1)), F(math.NaN())
	return []F{0, F(math.Copysign(0, -1)), 1, -1, 0.5, -2, tiny, -tiny, 1000 * tiny, 100, -100, 3e4, -3e4, huge, -huge, inf,
		-inf, nan}
}

// limits are the smallest and the greatest positive number.
func limits[F Float]() (tiny, huge F) {
	least, most := math.SmallestNonzeroFloat32, math.MaxFloat32
	if size[F]() == 8 {
		least, most = math.SmallestNonzeroFloat64, math.MaxFloat64
	}
	return F(least), F(most)
}

func TestElementwise(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		t.Run("float32", testElementwise[float32])
		t.Run("float64", testElementwise[float64])
	})
}

func testElementwise[F Float](t *testing.T) {
	odd := specials[F]()
	for _, f := range elementwises[F]() {
		t.Run(f.name, func(t *testing.T) {
			for n := range 258 {
				if n > 99 && n%13 != 0 {
					continue
				}
				off := n % 7
				a, b, was := random[F](n, 1), random[F](n, 2), random[F](n, 3)
				for i := range a {
					a[i], b[i] = 3*a[i], 3*b[i]
				}
				if n%5 == 4 { // every pair of special numbers comes up
					for i := range n {
						a[i], b[i] = odd[(i+n)%len(odd)], odd[(i+n)/len(odd)*(n/5)%len(odd)]
					}
				}
				x, y, z := newGuarded(off, 1, n, n, a), newGuarded(off+1, 1, n, n, b),
					newGuarded(off+2, 1, n, n, was)
				before := [2][]F{clone(x.all), clone(y.all)}
				f.run(z.row(0), x.row(0), y.row(0))
				same(t, before[0], x.all)
				same(t, before[1], y.all)
				z.intact(t)
				for i, got := range z.row(0) {
					f.check(t, got, was[i], a[i], b[i])
				}

				// in place, dst being the first operand, the second, both
				f.run(x.row(0), x.row(0), y.row(0))
				x.intact(t)
				for i, got := range x.row(0) {
					f.check(t, got, a[i], a[i], b[i])
				}
				copy(x.row(0), a)
				f.run(y.row(0), x.row(0), y.row(0))
				y.intact(t)
				for i, got := range y.row(0) {
					f.check(t, got, b[i], a[i], b[i])
				}
				f.run(x.row(0), x.row(0), x.row(0))
				for i, got := range x.row(0) {
					f.check(t, got, a[i], a[i], a[i])
				}
			}
		})
	}
}

func clone[F Float](x []F) []F { return append([]F(nil), x...) }

func (f elementwise[F]) check(t *testing.T, got, was, a, b F) {
	t.Helper()
	want := f.want(float64(was), float64(a), float64(b))
	rounded := F(want)
	switch f.name {
	case "Max", "Min", "Relu", "MulAdd", "Axpy": // which zero is the larger is not said
	default:
		if got == 0 && want == 0 && math.Signbit(float64(got)) != math.Signbit(want) {
			t.Fatalf("%s: was %g, a %g, b %g: got %g, want %g", f.name, was, a, b, got, want)
		}
	}
	if got == rounded || got != got && rounded != rounded {
		return
	}
	tiny, _ := limits[F]()
	bound := f.slack * eps[F]() * (math.Abs(want) + math.Abs(want-float64(was)))
	if f.name == "MulAdd" && math.IsInf(float64(a*b), 0) {
		return // a fused multiply-add does not overflow on the way
	}
	if f.name != "MulAdd" && f.name != "Axpy" {
		bound = f.slack * eps[F]() * math.Abs(want)
	}
	// y² may overflow on the way, and 1 − y² loses digits
	if f.name == "TanhGrad" || f.name == "SigmoidGrad" {
		if math.Abs(float64(a)) > 1e4 || math.Abs(float64(b)) > 1e30 {
			return
		}
		bound = f.slack * eps[F]() * (math.Abs(float64(b)) * (1 + float64(a)*float64(a)))
	}
	if !(math.Abs(float64(got)-want) <= bound+4*float64(tiny)) {
		t.Fatalf("%s: was %g, a %g, b %g: got %g, want %g", f.name, was, a, b, got, want)
	}
}

func TestReductions(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		t.Run("float32", testReductions[float32])
		t.Run("float64", testReductions[float64])
	})
}

func testReductions[F Float](t *testing.T) {
	for n := range 258 {
		x, y := newGuarded(n%5, 1, n, n, random[F](n, 1)), newGuarded(n%3, 1, n, n, random[F](n, 2))
		a, b := x.row(0), y.row(0)
		for i := range a {
			a[i] -= 2 // all of them negative: a zero that slips in would be the greatest
		}
		var sum, most, dot, mostDot float64
		greatest := math.Inf(-1)
		for i := range a {
			sum += float64(a[i])
			most += math.Abs(float64(a[i]))
			dot += float64(a[i]) * float64(b[i])
			mostDot += math.Abs(float64(a[i]) * float64(b[i]))
			greatest = max(greatest, float64(a[i]))
		}
		bound := float64(n+2) * (eps[F]() + 0x1p-53)
		require.InDelta(t, sum, float64(Sum(a)), bound*most, "Sum of %d", n)
		require.InDelta(t, dot, float64(Dot(a, b)), bound*mostDot, "Dot of %d", n)
		require.Equal(t, F(greatest), MaxOf(a), "MaxOf of %d", n)
		for i := range a {
			if i%7 == n%7 {
				old := a[i]
				for _, odd := range []F{F(math.NaN()), F(math.Inf(1))} {
					a[i] = odd
					require.True(t, Sum(a) != Sum(a) || Sum(a) == odd)
					require.True(t, odd != odd && MaxOf(a) != MaxOf(a) || MaxOf(a) == odd,
						"MaxOf %d with %v at %d is %v", n, odd, i, MaxOf(a))
				}
				a[i] = old
			}
		}
	}
}

func TestTranspose(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		t.Run("float32", testTranspose[float32])
		t.Run("float64", testTranspose[float64])
	})
}

func testTranspose[F Float](t *testing.T) {
	sizes := []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 64, 65, 100}
	for _, rows := range sizes {
		for _, cols := range sizes {
			x := random[F](rows*cols, 1)
			src, dst := newGuarded(rows%3, rows, cols, cols+rows%4, x),
				newGuarded(cols%3, cols, rows, rows+cols%4, make([]F, rows*cols))
			Transpose(dst.data(), dst.ld, src.data(), src.ld, rows, cols)
			dst.intact(t)
			for i := range rows {
				for j := range cols {
					if src.at(i, j) != dst.at(j, i) {
						t.Fatalf("[%d, %d]: element %d,%d is %v, want %v", rows, cols, i, j,
							dst.at(j, i), src.at(i, j))
					}
				}
			}
		}
	}
}

func TestLengths(t *testing.T) {
	x, y := make([]float32, 3), make([]float32, 4)
	for _, f := range elementwises[float32]() {
		if f.name == "Fill" {
			continue
		}
		require.PanicsWithValue(t, errLength, func() { f.run(y, x, x) }, f.name)
	}
	require.PanicsWithValue(t, errLength, func() { Add(x, x, y) })
	require.PanicsWithValue(t, errLength, func() { Dot(x, y) })
	for what, call := range map[string]func(){
		"kernels: Gemm: A is too short": func() {
			Gemm(false, false, 2, 2, 2, x,
				2, y, 2, y, 2, false)
		},
		"kernels: Gemm: B is too short": func() {
			Gemm(false, false, 2, 2, 2, y,
				2, y, 3, y, 2, false)
		},
		"kernels: Gemm: C is too short": func() {
			Gemm(false, false, 2, 2, 2, y,
				2, y, 2, y, 1, false)
		},
		"kernels: Gemm: negative size": func() {
			Gemm(false, false, -1, 2, 2, y,
				2, y, 2, y, 2, false)
		},
		"kernels: Pack: B is too short": func() {
			new(Packed[float32]).Pack(false,
				2, 2, x, 2)
		},
		"kernels: Pack: negative size": func() {
			new(Packed[float32]).Pack(false,
				2, -2, x, 2)
		},
		"kernels: Transpose: src is too short":            func() { Transpose(y, 2, x, 2, 2, 2) },
		"kernels: Transpose: dst is too short":            func() { Transpose(x, 2, y, 2, 2, 2) },
		"kernels: SetLevel: this machine lacks the level": func() { SetLevel(99) },
	} {
		require.PanicsWithValue(t, what, call)
	}
	const huge = math.MaxInt/2 + 1 // 2·huge overflows
	require.Panics(t, func() { Gemm(false, false, 3, 2, 2, y, huge, y, 2, y, 2, false) })
}
