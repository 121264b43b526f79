package kernels

import (
	"fmt"
	"testing"
)

func benchLevels(b *testing.B, run func(b *testing.B)) {
	defer SetLevel(CurrentLevel())
	for _, l := range Levels() {
		SetLevel(l)
		b.Run("level="+l.String(), run)
	}
}

// gflops reports the rate of a benchmark whose iteration does n operations.
func gflops(b *testing.B, n float64) {
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}

func BenchmarkGemmPacked(b *testing.B) {
	for _, s := range [][3]int{
		{32, 512, 64}, {32, 512, 128}, {32, 1024, 256}, {64, 4096, 1024}, {8, 512, 128}, {32, 128, 32}, {1600, 512, 64},
		{32, 128, 512}, {32, 256, 1024}, {64, 1024, 4096},
		{1, 512, 128}, {1, 1024, 256}, {1, 2048, 512}, {2, 512, 128}, {4, 512, 128},
	} {
		b.Run(fmt.Sprintf("type=f32/m=%d/n=%d/k=%d", s[0], s[1], s[2]), func(b *testing.B) {
			benchLevels(b, func(b *testing.B) { benchPacked[float32](b, s[0], s[1], s[2]) })
		})
	}
}

func benchPacked[F Float](b *testing.B, m, n, k int) {
	x, y, z := random[F](m*k+16, 1), random[F](k*n, 2), make([]F, m*n+16)
	x, z = aligned(x), aligned(z)
	var p Packed[F]
	p.Pack(false, k, n, y, n)
	for b.Loop() {
		GemmPacked(false, m, x, k, &p, z, n, true)
	}
	gflops(b, 2*float64(m)*float64(n)*float64(k))
}

func BenchmarkGemm(b *testing.B) {
	for _, s := range []struct {
		transA, transB bool
		m, n, k        int
	}{
		{true, false, 64, 512, 1600}, {true, false, 128, 512, 1600}, {true, false, 256, 1024, 1120}, {true, false, 1024, 4096, 2240},
		{false, true, 32, 128, 512}, {false, false, 1024, 1024, 1024},
	} {
		b.Run(fmt.Sprintf("type=f32/ta=%v/tb=%v/m=%d/n=%d/k=%d", s.transA, s.transB, s.m, s.n, s.k), func(b *testing.B) {
			benchLevels(b, func(b *testing.B) {
				x, y, z := random[float32](s.m*s.k+16, 1), random[float32](s.k*s.n+16, 2), make([]float32, s.m*s.n+16)
				x, y, z = aligned(x), aligned(y), aligned(z)
				_, lda := dims(s.transA, s.m, s.k)
				_, ldb := dims(s.transB, s.k, s.n)
				for b.Loop() {
					Gemm(s.transA, s.transB, s.m, s.n, s.k, x, lda, y, ldb, z, s.n, false)
				}
				gflops(b, 2*float64(s.m)*float64(s.n)*float64(s.k))
			})
		})
	}
}
