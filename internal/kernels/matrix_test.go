package kernels

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/rng"
)

// The functions of matrices give the bits of the single operations that they are made of, at every
// level, and write nothing beyond their results.
func TestMatrix(t *testing.T) {
	defer SetLevel(CurrentLevel())
	for _, level := range Levels() {
		SetLevel(level)
		t.Run(level.String()+"/float32", testMatrix[float32])
		t.Run(level.String()+"/float64", testMatrix[float64])
	}
}

func testMatrix[F Float](t *testing.T) {
	r := &rng.Stream{Key: rng.New(5)}
	draw := func(n int) []F {
		x := make([]F, n)
		for i := range x {
			x[i] = F(r.Normal())
		}
		return x
	}
	const guard = 7
	for _, rows := range []int{1, 2, 5, 33} {
		for _, n := range []int{1, 2, 3, 7, 8, 15, 16, 17, 31, 32, 63, 64, 65, 100, 128, 301} {
			for _, stride := range []int{0, 1, 3} {
				x, b := draw(rows*n), draw(n)
				s := Column[F]{draw((rows-1)*stride + 1), stride}
				a := Column[F]{draw(2*(rows-1) + 1), 2}
				spread, down := make([]F, rows*n), make([]F, rows*n)
				SpreadRows(spread, s.At, stride, rows, n)
				CopyRows(down, n, b, 0, rows, n)
				product := make([]F, rows*n) // a·b
				SpreadRows(product, a.At, 2, rows, n)
				scaled := make([]F, rows*n) // by a
				Mul(scaled, product, x)
				Mul(product, product, down)
				check := func(what string, want []F, f func(dst []F)) {
					got := append(draw(len(want)), guard)
					f(got[:len(want)])
					require.Equal(t, append(want, guard), got, "%s %d %d %d", what, rows, n, stride)
				}
				want := make([]F, rows*n)
				Mul(want, x, spread)
				check("ScaleRows", want, func(dst []F) { ScaleRows(dst, x, s, n) })
				sum, rest := make([]F, rows*n), make([]F, rows*n)
				Add(sum, want, product)
				Sub(rest, want, product)
				check("AddOuter", sum, func(dst []F) { AddOuter(dst, x, s, a, b) })
				check("SubOuter", rest, func(dst []F) { SubOuter(dst, x, s, a, b) })
				check("Outer", product, func(dst []F) { Outer(dst, a, b) })
				Mul(want, x, down)
				check("MulRows", want, func(dst []F) { MulRows(dst, x, b) })
				sums := make([]F, rows)
				SumRows(sums, want, n, n)
				check("DotRows", sums, func(dst []F) { DotRows(dst, x, b, 0, n) })
				Mul(want, x, product)
				SumRows(sums, want, n, n)
				check("DotRows of two", sums, func(dst []F) { DotRows(dst, x, product, n, n) })
				columns := draw(n)
				start := append([]F{}, columns...)
				AddRows(columns, scaled, n, rows)
				check("AddScaledRows", columns, func(dst []F) {
					copy(dst, start)
					AddScaledRows(dst, x, a)
				})
			}
		}
	}
	require.Panics(t, func() { ScaleRows(draw(6), draw(6), Column[F]{draw(1), 1}, 3) })
	require.Panics(t, func() { ScaleRows(draw(6), draw(6), Column[F]{draw(6), 1}, 4) })
	require.Panics(t, func() { MulRows(draw(6), draw(6), nil) })
	require.Panics(t, func() { AddScaledRows(draw(4), draw(6), Column[F]{draw(1), 0}) })
	require.Panics(t, func() { DotRows(draw(2), draw(6), draw(5), 3, 3) })
	AddScaledRows(draw(3), nil, Column[F]{})
	Outer[F](nil, Column[F]{}, nil)
	AddOuter[F](nil, nil, Column[F]{}, Column[F]{}, nil)
	got := draw(2)
	DotRows(got, nil, nil, 0, 0)
	require.Equal(t, make([]F, 2), got)
}
