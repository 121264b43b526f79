package kernels

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/rng"
)

// Many short rows in one call are what they are one by one, at every level, and nothing is written
// beyond them.
func TestRows(t *testing.T) {
	defer SetLevel(CurrentLevel())
	for _, level := range Levels() {
		SetLevel(level)
		t.Run(level.String()+"/float32", testRows[float32])
		t.Run(level.String()+"/float64", testRows[float64])
	}
}

func testRows[F Float](t *testing.T) {
	r := &rng.Stream{Key: rng.New(3)}
	draw := func(n int) []F {
		x := make([]F, n)
		for i := range x {
			x[i] = F(r.Normal())
		}
		return x
	}
	const guard = 7
	for _, rows := range []int{1, 2, 5, 33} {
		for _, n := range []int{1, 2, 3, 7, 8, 15, 16, 17, 31, 32, 63, 64, 65, 100, 128} {
			for _, stride := range []int{n, n + 3} {
				src, start := draw((rows-1)*stride+n), draw(n)
				want, got := append([]F{}, start...), append(append([]F{}, start...), guard)
				for q := range rows {
					Add(want, want, src[q*stride:][:n])
				}
				AddRows(got[:n], src, stride, rows)
				require.Equal(t, append(want, guard), got, "AddRows %d %d %d", rows, n, stride)

				want, got = make([]F, rows), append(draw(rows), guard)
				for q := range want {
					want[q] = Sum(src[q*stride:][:n])
				}
				SumRows(got[:rows], src, stride, n)
				require.Equal(t, append(want, guard), got, "SumRows %d %d %d", rows, n, stride)

				want, got = make([]F, rows*n), append(draw(rows*n), guard)
				for q := range rows {
					Fill(want[q*n:][:n], src[q*stride])
				}
				SpreadRows(got[:rows*n], src, stride, rows, n)
				require.Equal(t, append(want, guard), got, "SpreadRows %d %d %d", rows, n, stride)

				for _, from := range []int{0, stride} {
					want = draw((rows-1)*stride + n)
					got = append(append([]F{}, want...), guard)
					for q := range rows {
						copy(want[q*stride:][:n], src[q*from:])
					}
					CopyRows(got[:len(want)], stride, src, from, rows, n)
					require.Equal(t, append(want, guard), got, "CopyRows %d %d %d", rows, n, stride)
				}
			}
		}
	}
	require.Panics(t, func() { AddRows(draw(4), draw(7), 4, 2) })
	require.Panics(t, func() { SumRows(draw(2), draw(7), 4, 4) })
	require.Panics(t, func() { SpreadRows(draw(7), draw(2), 1, 2, 4) })
	require.Panics(t, func() { CopyRows(draw(7), 4, draw(8), 4, 2, 4) })
	require.Panics(t, func() { CopyRows(draw(8), 4, draw(7), 4, 2, 4) })
	AddRows(draw(3), nil, 1, 0)
	CopyRows(draw(3), 3, nil, 1, 0, 3)
	got := []F{F(math.NaN())}
	SumRows(got, nil, 1, 0)
	require.Zero(t, got[0])
}
