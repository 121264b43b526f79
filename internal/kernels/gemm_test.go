package kernels

import (
	"fmt"
	"math"
	"testing"
	"unsafe"

	"github.com/seqzoo/seqzoo/internal/rng"
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
		"a": {unsafe.Offsetof(x.a), 0}, "b": {unsafe.Offsetof(x.b), 24}, "c": {unsafe.Offsetof(x.c), 48},
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
	sizes := [][3]int{{1, 1, 1}, {64, 96, 300}, {5, 7, 1000}}
	for i := range 2000 {
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
				t.Fatalf("%s: packed C[%d,%d] = %v, want the bits of Gemm, %v", what, i, j, d.at(i, j), got)
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
