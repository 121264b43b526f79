package kernels

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/rng"
)

// TestGemmMulti holds products that share their right operand to the bits of one product after
// another, with the memory that they want and with less.
func TestGemmMulti(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		t.Run("float32", testGemmMulti[float32])
		t.Run("float64", testGemmMulti[float64])
	})
}

func testGemmMulti[F Float](t *testing.T) {
	sizes := [][4]int{{1, 1, 1, 1}, {1, 128, 512, 100}, {130, 67, 97, 1100}, {0, 40, 48, 30},
		{9, 10, 144, 513}, {5, 5, 5, 0}, {200, 31, 16, 700}}
	for i := range 60 {
		sizes = append(sizes, [4]int{i * 7 % 41, i * 11 % 37, i * 13 % 151, i * 5 % 67})
	}
	draw := &rng.Stream{Key: rng.New(1)}
	for i, s := range sizes {
		testGemmMultiOf[F](t, draw, i, s)
	}
	testGemmMultiMistakes[F](t)
}

// testGemmMultiOf compares the product of two left operands and a sum, of s = [rows of the first,
// of the second, columns, terms], with products one by one. The number i chooses padding, sums to
// add to, terms that count and memory.
func testGemmMultiOf[F Float](t *testing.T, draw *rng.Stream, i int, s [4]int) {
	n, k, acc, pad := s[2], s[3], i&1 != 0, i%3
	b := newGuarded(pad, k, n, n+pad, random[F](k*n, 2))
	var lefts, want []Left[F]
	var results, plain []guarded[F]
	// terms that count, half of the time
	var runs []Run
	plainRuns := []Run{{0, k}}
	if i%4 >= 2 {
		runs = drawnRuns(draw, k)
		plainRuns = runs
	}
	m := 1
	for j, rows := range s[:2] {
		a := newGuarded(pad, k, rows, rows+pad, random[F](k*rows, uint64(3+j)))
		c := newGuarded(pad, rows, n, n+pad, random[F](rows*n, uint64(5+j)))
		d := newGuarded(pad, rows, n, n+pad, random[F](rows*n, uint64(5+j)))
		lefts = append(lefts, Left[F]{rows, a.data(), a.ld, c.data(), c.ld})
		want = append(want, Left[F]{rows, a.data(), a.ld, d.data(), d.ld})
		results, plain = append(results, c), append(plain, d)
		m += rows
	}
	ones := slices.Repeat([]F{1}, k)
	c := newGuarded(pad, 1, n, n+pad, random[F](n, 7))
	d := newGuarded(pad, 1, n, n+pad, random[F](n, 7))
	lefts = append(lefts, Left[F]{M: 1, C: c.data(), LDC: c.ld})
	want = append(want, Left[F]{1, ones, 1, d.data(), d.ld})
	results, plain = append(results, c), append(plain, d)
	oneByOne(want, n, k, b, acc, plainRuns)
	size := GemmMultiLen(m, n, k)
	if i%3 == 1 {
		size = min(size, m+panelCols+align+draw.Intn(size+1))
	}
	buf := make([]F, size+100)
	for j := range buf {
		buf[j] = F(math.NaN())
	}
	GemmMulti(lefts, n, k, b.data(), b.ld, acc, runs, buf[:size])
	for j := range results {
		results[j].intact(t)
		for r := range results[j].rows {
			same(t, plain[j].row(r), results[j].row(r))
		}
	}
	for j, x := range buf[size:] {
		if x == x {
			t.Fatalf("%v: %d elements past the memory was written %v", s, j, x)
		}
	}
}

// drawnRuns are pieces of k terms.
func drawnRuns(draw *rng.Stream, k int) []Run {
	runs := []Run{}
	for from, to := 0, 0; from < k; from = to + draw.Intn(5) {
		to = min(k, from+draw.Intn(40))
		runs = append(runs, Run{from, to})
	}
	return runs
}

// oneByOne computes the products as GemmMulti does, one by one and run by run.
func oneByOne[F Float](lefts []Left[F], n, k int, b guarded[F], acc bool, runs []Run) {
	for _, l := range lefts {
		more := acc
		for _, r := range runs {
			if r.len() > 0 || k == 0 {
				Gemm(true, false, l.M, n, r.len(), l.A[r.From*l.LDA:], l.LDA,
					b.data()[r.From*b.ld:], b.ld, l.C, l.LDC, more)
				more = true
			}
		}
		if !more {
			Gemm(true, false, l.M, n, 0, nil, l.LDA, nil, b.ld, l.C, l.LDC, false)
		}
	}
}

func testGemmMultiMistakes[F Float](t *testing.T) {
	x, y, buf := random[F](400, 1), make([]F, 400), make([]F, GemmMultiLen(40, 20, 20))
	lefts := []Left[F]{{20, x, 20, y, 20}, {20, x, 20, y, 20}}
	require.Zero(t, testing.AllocsPerRun(5,
		func() { GemmMulti(lefts, 20, 20, x, 20, false, nil, buf) }))
	GemmMulti[F](nil, 20, 20, x, 20, false, nil, buf) // nothing to do
	short := func(l Left[F], n, k int) func() {
		return func() { GemmMulti([]Left[F]{l}, n, k, x[:6], 3, false, nil, buf) }
	}
	require.PanicsWithValue(t, "kernels: GemmMulti: A is too short",
		short(Left[F]{2, x[:3], 2, y, 3}, 3, 2))
	require.PanicsWithValue(t, "kernels: GemmMulti: B is too short",
		short(Left[F]{2, x, 2, y, 3}, 3, 3))
	require.PanicsWithValue(t, "kernels: GemmMulti: C is too short",
		short(Left[F]{2, x, 2, y[:5], 3}, 3, 2))
	require.PanicsWithValue(t, "kernels: GemmMulti: terms out of range", func() {
		GemmMulti([]Left[F]{{2, x, 2, y, 3}}, 3, 2, x, 3, false, []Run{{0, 3}}, buf)
	})
	require.PanicsWithValue(t, "kernels: GemmMulti: no memory to pack in", func() {
		GemmMulti([]Left[F]{{2, x, 2, y, 3}}, 3, 2, x, 3, false, nil, nil)
	})
	require.PanicsWithValue(t, "kernels: GemmMulti: negative size",
		short(Left[F]{-1, x, 2, y, 3}, 3, 2))
}
