package kernels

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAdamStep(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		t.Run("float32", testAdamStep[float32])
		t.Run("float64", testAdamStep[float64])
	})
}

// testAdamStep holds the kernel to the formula written with separate operations, to the bit.
func testAdamStep[F Float](t *testing.T) {
	nan := F(math.NaN())
	for n := range 100 {
		for _, amsgrad := range []bool{false, true} {
			c := AdamStep[F]{Beta1: 0.9, Rest1: 0.1, Beta2: 0.999, Rest2: 0.001, Rate: 0.01,
				Unbias: 3, Eps: 1e-8, Penalty: 0.02, Keep: 0.999}
			p, g, m, v, l := random[F](n, 1), random[F](n, 2), random[F](n, 3), random[F](n, 4),
				random[F](n, 5)
			for i := range v {
				v[i], l[i] = v[i]*v[i], l[i]*l[i]
			}
			if n > 50 {
				g[n%7], l[n%5], g[n%11+20] = nan, nan, F(math.Inf(1))
			}
			var s [5]guarded[F]
			for i, x := range [][]F{p, g, m, v, l} {
				s[i] = newGuarded(n%(i+3), 1, n, n, x)
			}
			largest := s[4].row(0)
			if !amsgrad {
				largest, l = s[3].row(0), v
			}
			c.Update(s[0].row(0), s[1].row(0), s[2].row(0), s[3].row(0), largest)
			for i := range p {
				decay := F(c.Penalty * p[i])
				gi := g[i] + decay
				m1, m2 := F(c.Beta1*m[i]), F(c.Rest1*gi)
				m[i] = m1 + m2
				v1, v2 := F(c.Beta2*v[i]), F(F(c.Rest2*gi)*gi)
				v[i] = v1 + v2
				l[i] = max(l[i], v[i])
				root := F(math.Sqrt(float64(F(l[i] * c.Unbias))))
				kept, move := F(c.Keep*p[i]), F(c.Rate*m[i])/(root+c.Eps)
				p[i] = kept - move
			}
			for i, x := range [][]F{p, g, m, v} {
				sameNumbers(t, x, s[i].row(0))
				s[i].intact(t)
			}
			sameNumbers(t, l, largest)
		}
	}
	require.PanicsWithValue(t, errLength,
		func() {
			(&AdamStep[F]{}).Update(make([]F, 2), make([]F, 2), make([]F, 2), make([]F, 2),
				make([]F, 1))
		})
}

// sameNumbers holds x to y, NaNs being one.
func sameNumbers[F Float](t *testing.T, want, got []F) {
	t.Helper()
	for i := range want {
		if want[i] != got[i] && (want[i] == want[i] || got[i] == got[i]) {
			t.Fatalf("element %d of %d is %v, want %v", i, len(want), got[i], want[i])
		}
	}
}

func TestSumSquares(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		t.Run("float32", testSumSquares[float32])
		t.Run("float64", testSumSquares[float64])
	})
}

func testSumSquares[F Float](t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 99,
		updateLen - 1, updateLen, updateLen + 1, 2*updateLen + 77} {
		x := random[F](n, 1)
		var want float64
		for _, v := range x {
			want += float64(v) * float64(v)
		}
		require.InDelta(t, want, SumSquares(newGuarded(n%5, 1, n, n, x).row(0)), 1e-12*(1+want),
			"%d elements", n)
		if n > 0 {
			x[n/2] = F(math.NaN())
			require.True(t, math.IsNaN(SumSquares(x)))
		}
	}
}
