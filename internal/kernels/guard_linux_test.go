package kernels

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// fenced is n elements that end where memory ends: one element further faults.
func fenced[F Float](t *testing.T, n int) []F {
	page := unix.Getpagesize()
	bytes := n * size[F]()
	body := (bytes + page - 1) / page * page
	mem, err := unix.Mmap(-1, 0, body+page, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_ANON|unix.MAP_PRIVATE)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unix.Munmap(mem)) })
	require.NoError(t, unix.Mprotect(mem[body:], unix.PROT_NONE))
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*F)(unsafe.Pointer(&mem[body-bytes])), n)
}

// TestFences runs the kernels on operands at the end of mapped memory.
func TestFences(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		t.Run("float32", testFences[float32])
		t.Run("float64", testFences[float64])
	})
}

func testFences[F Float](t *testing.T) {
	for _, s := range [][3]int{{1, 1, 1}, {1, 17, 3}, {2, 50, 9}, {3, 97, 5}, {9, 48, 7},
		{11, 33, 200}, {17, 200, 13}, {40, 65, 130}, {8, 160, 33}} {
		m, n, k := s[0], s[1], s[2]
		a, b, c := fenced[F](t, m*k), fenced[F](t, k*n), fenced[F](t, m*n)
		for variant := range 4 {
			transA, transB := variant&1 != 0, variant&2 != 0
			_, lda := dims(transA, m, k)
			_, ldb := dims(transB, k, n)
			Gemm(transA, transB, m, n, k, a, lda, b, ldb, c, n, variant > 1)
			var p Packed[F]
			p.Use(fenced[F](t, PackedLen(k, n)))
			p.Pack(transB, k, n, b, ldb)
			GemmPacked(transA, m, a, lda, &p, c, n, variant > 1)
		}
		Transpose(b, k, b[:0], n, 0, 0)
		d := fenced[F](t, k*n)
		Transpose(d, k, b, n, k, n)
	}
	for n := range 70 {
		x, y, z := fenced[F](t, n), fenced[F](t, n), fenced[F](t, n)
		for _, f := range elementwises[F]() {
			f.run(z, x, y)
		}
		Sum(x)
		Dot(x, y)
		MaxOf(x)
	}
}
