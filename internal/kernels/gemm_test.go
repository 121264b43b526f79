package kernels

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"unsafe"

	"github.com/seqzoo/seqzoo/rng"
	"github.com/stretchr/testify/require"
)

// eachLevel runs a test on every level of this machine.
func eachLevel(t *testing.T, test func(t *testing.T)) {
	defer SetLevel(CurrentLevel())
	for _, l := range Levels() {
		SetLevel(l)
		t.Run(l.String(), test)
	}
}

// random are n numbers around 0.
func random[F Float](n int, seed uint64) []F {
	key := rng.New(seed)
	x := make([]F, n)
	for i := range x {
		x[i] = F(2*key.Float64(uint64(i)) - 1)
	}
	return x
}

func eps[F Float]() float64 {
	if size[F]() == 4 {
		return 0x1p-24
	}
	return 0x1p-53
}

// guarded is a matrix [rows, cols] at ld from row to row, off elements into a slice of NaNs.
type guarded[F Float] struct {
	all                 []F
	off, rows, cols, ld int
}

func newGuarded[F Float](off, rows, cols, ld int, fill []F) guarded[F] {
	g := guarded[F]{make([]F, off+rows*ld+33), off, rows, cols, ld}
	for i := range g.all {
		g.all[i] = F(math.NaN())
	}
	for i := range rows {
		copy(g.row(i), fill[i*cols:(i+1)*cols])
	}
	return g
}

func (g guarded[F]) data() []F     { return g.all[g.off:] }
func (g guarded[F]) row(i int) []F { return g.all[g.off+i*g.ld:][:g.cols] }

// op is an element of the matrix or of its transpose.
func op[F Float](g guarded[F], trans bool, i, j int) F {
	if trans {
		return g.at(j, i)
	}
	return g.at(i, j)
}

func (g guarded[F]) at(i, j int) F { return g.all[g.off+i*g.ld+j] }

// intact checks that every cell around the matrix is a NaN still.
func (g guarded[F]) intact(t *testing.T) {
	t.Helper()
	for i, x := range g.all {
		i -= g.off
		if i >= 0 && i < g.rows*g.ld && i%g.ld < g.cols {
			continue
		}
		if x == x {
			t.Fatalf("guard cell %d was overwritten with %v", i, x)
		}
	}
}

func TestTilesLayout(t *testing.T) {
	var x tiles[float32]
	for name, pair := range map[string][2]uintptr{
		"a": {unsafe.Offsetof(x.a), 0}, "b": {unsafe.Offsetof(x.b), 24},
		"c":    {unsafe.Offsetof(x.c), 48},
		"rowA": {unsafe.Offsetof(x.rowA), 120}, "lanes": {unsafe.Offsetof(x.lanes), 272},
	} {
		require.Equal(t, pair[1], pair[0], name)
	}
}

func TestGemm(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		t.Run("float32", testGemm[float32])
		t.Run("float64", testGemm[float64])
	})
}

func testGemm[F Float](t *testing.T) {
	sizes := [][3]int{{1, 1, 1}, {10, 128, 14000}, {5, 7, 1000}, {64, 96, 300}, {2, 16, 140000},
		{30, 130, 512}}
	for i := range 1200 {
		sizes = append(sizes, [3]int{i * 7 % 31, i * 11 % 71, i * 5 % 23})
	}
	for i, s := range sizes {
		checkGemm[F](t, s[0], s[1], s[2], i)
	}
}

func checkGemm[F Float](t *testing.T, m, n, k, variant int) {
	t.Helper()
	transA, transB, acc := variant&1 != 0, variant&2 != 0, variant&4 != 0
	ra, ca := dims(transA, m, k)
	rb, cb := dims(transB, k, n)
	pad := variant / 8 % 5
	a := newGuarded(pad, ra, ca, ca+pad, random[F](m*k, 1))
	b := newGuarded(pad*3%5, rb, cb, cb+pad*2%5, random[F](k*n, 2))
	c0 := random[F](m*n, 3)
	c := newGuarded(pad*2%5, m, n, n+pad*3%5, c0)
	d := newGuarded(pad*2%5, m, n, n+pad*3%5, c0)
	a0, b0 := append([]F(nil), a.all...), append([]F(nil), b.all...)

	Gemm(transA, transB, m, n, k, a.data(), a.ld, b.data(), b.ld, c.data(), c.ld, acc)
	var p Packed[F]
	p.Pack(transB, k, n, b.data(), b.ld)
	GemmPacked(transA, m, a.data(), a.ld, &p, d.data(), d.ld, acc)

	what := fmt.Sprintf("m=%d n=%d k=%d transA=%v transB=%v acc=%v", m, n, k, transA, transB, acc)
	for i := range m {
		for j := range n {
			var want, most float64
			if acc {
				want = float64(c0[i*n+j])
				most = math.Abs(want)
			}
			for q := range k {
				x, y := op(a, transA, i, q), op(b, transB, q, j)
				want += float64(x) * float64(y)
				most += math.Abs(float64(x) * float64(y))
			}
			got := float64(c.at(i, j))
			if !(math.Abs(got-want) <= float64(k+2)*(eps[F]()+0x1p-53)*most) {
				t.Fatalf("%s: C[%d,%d] = %v, want %v", what, i, j, got, want)
			}
			if c.at(i, j) != d.at(i, j) {
				t.Fatalf("%s: packed C[%d,%d] = %v, want the bits of Gemm, %v", what, i, j,
					d.at(i, j), got)
			}
		}
	}
	c.intact(t)
	d.intact(t)
	same(t, a0, a.all)
	same(t, b0, b.all)
}

// same checks that two slices are equal bit for bit.
func same[F Float](t *testing.T, want, got []F) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		if math.Float64bits(float64(want[i])) != math.Float64bits(float64(got[i])) {
			t.Fatalf("element %d is %v, want %v", i, got[i], want[i])
		}
	}
}

// TestGemmPieces holds the promise that an element of C has the same bits whatever it is computed
// with.
func TestGemmPieces(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		t.Run("float32", testGemmPieces[float32])
		t.Run("float64", testGemmPieces[float64])
	})
}

func testGemmPieces[F Float](t *testing.T) {
	for i, s := range [][3]int{{1, 100, 30}, {2, 300, 40}, {7, 65, 200}, {33, 113, 257},
		{64, 512, 16}, {40, 49, 600}, {130, 130, 450}} {
		m, n, k := s[0], s[1], s[2]
		transA, transB, acc := i&1 != 0, i&2 != 0, i&4 != 0
		a, b, c := random[F](m*k, 1), random[F](k*n, 2), random[F](m*n, 3)
		_, lda := dims(transA, m, k)
		_, ldb := dims(transB, k, n)
		rowA, colA := strides(transA, lda)
		rowB, colB := strides(transB, ldb)
		want := clone(c)
		Gemm(transA, transB, m, n, k, a, lda, b, ldb, want, n, acc)

		// rows by rows, columns by columns, terms by terms
		step := rng.Stream{Key: rng.New(uint64(i))}
		for range 6 {
			got := clone(c)
			for i0, i1 := 0, 0; i0 < m; i0 = i1 {
				i1 = min(m, i0+1+step.Intn(m))
				for j0, j1 := 0, 0; j0 < n; j0 = j1 {
					j1 = min(n, j0+1+step.Intn(n))
					for k0, k1 := 0, 0; k0 < k; k0 = k1 {
						k1 = min(k, k0+1+step.Intn(k))
						Gemm(transA, transB, i1-i0, j1-j0, k1-k0, a[i0*rowA+k0*colA:], lda,
							b[k0*rowB+j0*colB:], ldb,
							got[i0*n+j0:], n, acc || k0 > 0)
					}
				}
			}
			same(t, want, got)
		}

		// packed, with the columns shared out
		var p Packed[F]
		p.Pack(transB, k, n, b, ldb)
		for parts := 1; parts < 6; parts++ {
			got := clone(c)
			for q := range parts {
				GemmPackedCols(transA, m, a, lda, &p, got, n, acc, p.Cut(q, parts),
					p.Cut(q+1, parts))
			}
			same(t, want, got)
			got = clone(c)
			for j0, j1 := 0, 0; j0 < n; j0 = j1 { // and anywhere
				j1 = min(n, j0+1+step.Intn(n))
				GemmPackedCols(transA, m, a, lda, &p, got, n, acc, j0, j1)
			}
			same(t, want, got)
		}
	}
}

// TestGemmLevels: the assembly sums in one order with the same instructions, however wide its
// vectors are.
func TestGemmLevels(t *testing.T) {
	if len(Levels()) < 3 {
		t.Skip("this machine has one instruction set at most")
	}
	defer SetLevel(CurrentLevel())
	m, n, k := 37, 211, 300
	a, b := random[float32](m*k, 1), random[float32](k*n, 2)
	var c [2][]float32
	for i, l := range []Level{AVX2, AVX512} {
		SetLevel(l)
		c[i] = make([]float32, m*n)
		Gemm(false, false, m, n, k, a, k, b, n, c[i], n, false)
	}
	same(t, c[0], c[1])
}

func TestGemmSpecials(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		const n = 50
		nan, inf := float32(math.NaN()), float32(math.Inf(1))
		a, b, c := random[float32](n*n, 1), random[float32](n*n, 2), make([]float32, n*n)
		for i := range c {
			c[i] = nan // must not be read
		}
		a[3*n+7], b[9*n+5] = nan, inf
		Gemm(false, false, n, n, n, a, n, b, n, c, n, false)
		for i := range n {
			for j := range n {
				x := c[i*n+j]
				require.Equal(t, i == 3, x != x, "NaN in row 3 alone")
				require.Equal(t, i != 3 && j == 5, math.IsInf(float64(x), 0), "Inf in column 5")
			}
		}
	})
}

func TestPacked(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		b := random[float32](100*200, 1)
		var p Packed[float32]
		buf := make([]float32, PackedLen(100, 200))
		p.Use(buf)
		p.Pack(false, 100, 200, b, 200)
		k, n := p.Dims()
		require.Equal(t, [2]int{100, 200}, [2]int{k, n})
		require.NotEqual(t, make([]float32, len(buf)), buf, "the caller's buffer is used")
		require.Zero(t, p.Cut(0, 7))
		require.Equal(t, 200, p.Cut(7, 7))
		for q := range 7 {
			require.LessOrEqual(t, p.Cut(q, 7), p.Cut(q+1, 7))
			require.InDelta(t, 200*q/7, p.Cut(q, 7), 24)
		}
		a, c := random[float32](200, 2), make([]float32, 400)
		require.PanicsWithValue(t, "kernels: GemmPackedCols: columns out of range", func() {
			GemmPackedCols(false, 2, a, 100, &p, c, 200, false, 0, 201)
		})
		require.PanicsWithValue(t, "kernels: GemmPacked: A is too short",
			func() { GemmPacked(false, 3, a, 100, &p, c, 200, false) })
		require.PanicsWithValue(t, "kernels: GemmPacked: C is too short",
			func() { GemmPacked(true, 2, a, 2, &p, c[1:], 200, false) })
		require.PanicsWithValue(t, "kernels: GemmPacked: negative size",
			func() { GemmPacked(false, -1, a, 100, &p, c, 200, false) })

		// an empty one multiplies to nothing, or to zeros
		p.Pack(false, 0, 5, nil, 5)
		c = []float32{1, 2, 3, 4, 5}
		GemmPacked(false, 1, nil, 1, &p, c, 5, true)
		require.Equal(t, []float32{1, 2, 3, 4, 5}, c)
		GemmPacked(false, 1, nil, 1, &p, c, 5, false)
		require.Equal(t, make([]float32, 5), c)
		GemmPacked(false, 3, nil, 1, new(Packed[float32]), nil, 1, false)
	})
}

// TestNoAllocations: nothing is allocated once the scratch memory is there and the packed buffer is
// large enough.
func TestNoAllocations(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		x, y := random[float32](128*128, 1), make([]float32, 128*128)
		var p Packed[float32]
		p.Pack(false, 128, 128, x, 128)
		require.Zero(t, testing.AllocsPerRun(10, func() {
			p.Pack(true, 128, 128, x, 128)
			GemmPacked(true, 128, x, 128, &p, y, 128, false)
			Gemm(true, true, 128, 128, 128, x, 128, x, 128, y, 128, false)
			Gemm(false, false, 3, 128, 128, x, 128, x, 128, y, 128, false)
			Tanh(y, x)
			Add(y, x, y)
			Axpy(y, 2, x)
			Sum(x)
			Transpose(y, 128, x, 128, 128, 128)
		}))
	})
}

// TestConcurrent lets goroutines share a packed matrix and the free scratches; it is for the race
// detector.
func TestConcurrent(t *testing.T) {
	const m, n, k = 40, 96, 70
	a, b := random[float32](m*k, 1), random[float32](k*n, 2)
	want := make([]float32, m*n)
	Gemm(false, false, m, n, k, a, k, b, n, want, n, false)
	var p Packed[float32]
	p.Pack(false, k, n, b, n)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			c := make([]float32, m*n)
			for range 20 {
				clear(c)
				GemmPacked(false, m, a, k, &p, c, n, false)
				if !slices.Equal(want, c) {
					t.Error("packed product differs")
				}
				Gemm(false, false, m, n, k, a, k, b, n, c, n, false)
				if !slices.Equal(want, c) {
					t.Error("product differs")
				}
			}
		})
	}
	wg.Wait()
}
