package kernels

import (
	"fmt"
	"testing"
)

func benchLevels(b *testing.B, run func(b *testing.B)) {
	defer SetLevel(CurrentLevel())
	for _, l := range Levels() {
		b.Run("level="+l.String(), func(b *testing.B) {
			SetLevel(l)
			run(b)
		})
	}
}

// report gives the rate of a benchmark whose iteration does n operations.
func report(b *testing.B, n float64) {
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}

// BenchmarkPeak is what a core can do at all: fused multiply-adds on registers alone.
func BenchmarkPeak(b *testing.B) {
	b.Run("type=f32", func(b *testing.B) { benchLevels(b, benchPeak[float32]) })
	b.Run("type=f64", func(b *testing.B) { benchLevels(b, benchPeak[float64]) })
}

func benchPeak[F Float](b *testing.B) {
	round, flops := peak[F](level)
	if round == nil {
		b.Skip("there is no such loop in Go")
	}
	const rounds = 10000
	for b.Loop() {
		round(rounds)
	}
	report(b, float64(rounds*flops))
}

// multiplication is one product to measure: by GemmPacked with C added to, or by Gemm.
type multiplication struct {
	how            string
	transA, transB bool
	m, n, k        int
}

// The products of recurrent networks with 4 gates.
var multiplications = []multiplication{
	// a step: B rows times the recurrent weights, and backwards times their transposes
	{"packed", false, false, 32, 128, 32}, {"packed", false, true, 32, 32, 128},
	{"packed", false, false, 32, 512, 64}, {"packed", false, true, 32, 64, 512},
	{"packed", false, false, 32, 512, 128}, {"packed", false, true, 32, 128, 512},
	{"packed", false, false, 32, 1024, 256}, {"packed", false, true, 32, 256, 1024},
	{"packed", false, false, 64, 4096, 1024}, {"packed", false, true, 64, 1024, 4096},
	{"packed", false, false, 8, 512, 128}, {"packed", false, true, 8, 128, 512},
	// all steps at once: the inputs times their weights
	{"packed", false, false, 1600, 512, 64}, {"packed", false, true, 1600, 64, 512},
	{"packed", false, false, 1120, 1024, 256}, {"packed", false, false, 2240, 4096, 1024},
	// the gradients of weights
	{"plain", true, false, 32, 128, 1600}, {"plain", true, false, 64, 512, 1600},
	{"plain", true, false, 128, 512, 1600},
	{"plain", true, false, 128, 512, 6272}, {"plain", true, false, 256, 1024, 1120},
	{"plain", true, false, 1024, 4096, 2240},
	// inference
	{"packed", false, false, 1, 512, 128}, {"packed", false, false, 1, 1024, 256},
	{"packed", false, false, 1, 2048, 512},
	{"packed", false, false, 2, 512, 128}, {"packed", false, false, 4, 512, 128},
	// others
	{"plain", false, true, 32, 128, 512}, {"plain", false, false, 1024, 1024, 1024},
	{"plain", false, false, 2048, 2048, 2048},
}

func (s multiplication) String() string {
	return fmt.Sprintf("b=%s/transA=%v/transB=%v/m=%d/n=%d/k=%d", s.how, s.transA, s.transB, s.m,
		s.n, s.k)
}

func (s multiplication) flops() float64 { return 2 * float64(s.m) * float64(s.n) * float64(s.k) }

// prepare makes the operands and returns the multiplication of them.
func prepare[F Float](s multiplication) func() {
	x, y := aligned(random[F](s.m*s.k+align, 1)), aligned(random[F](s.k*s.n+align, 2))
	z := aligned(make([]F, s.m*s.n+align))
	_, lda := dims(s.transA, s.m, s.k)
	_, ldb := dims(s.transB, s.k, s.n)
	if s.how == "plain" {
		return func() { Gemm(s.transA, s.transB, s.m, s.n, s.k, x, lda, y, ldb, z, s.n, false) }
	}
	p := new(Packed[F])
	p.Pack(s.transB, s.k, s.n, y, ldb)
	return func() { GemmPacked(s.transA, s.m, x, lda, p, z, s.n, true) }
}

func BenchmarkGemm(b *testing.B) {
	b.Run("type=f32", func(b *testing.B) { benchGemm[float32](b, multiplications) })
	b.Run("type=f64", func(b *testing.B) { benchGemm[float64](b, multiplications[6:9]) })
}

func benchGemm[F Float](b *testing.B, all []multiplication) {
	for _, s := range all {
		b.Run(s.String(), func(b *testing.B) {
			benchLevels(b, func(b *testing.B) {
				b.ReportAllocs()
				multiply := prepare[F](s)
				for b.Loop() {
					multiply()
				}
				report(b, s.flops())
			})
		})
	}
}

func BenchmarkPack(b *testing.B) {
	for _, s := range []struct {
		trans bool
		k, n  int
	}{{false, 128, 512}, {true, 512, 128}, {false, 1024, 4096}, {true, 4096, 1024}} {
		b.Run(fmt.Sprintf("trans=%v/k=%d/n=%d", s.trans, s.k, s.n), func(b *testing.B) {
			benchLevels(b, func(b *testing.B) {
				_, ldb := dims(s.trans, s.k, s.n)
				y := random[float32](s.k*s.n, 1)
				var p Packed[float32]
				for b.Loop() {
					p.Pack(s.trans, s.k, s.n, y, ldb)
				}
				b.ReportMetric(float64(s.k*s.n)*float64(b.N)/float64(b.Elapsed().Nanoseconds()),
					"elements/ns")
			})
		})
	}
}

// BenchmarkElementwise works on 1,024 elements, which stay in the first-level cache.
func BenchmarkElementwise(b *testing.B) {
	x, y, z := random[float32](1024, 1), random[float32](1024, 2), make([]float32, 1024)
	for i := range x {
		x[i] = 4 + 4*x[i] // logarithms and roots too
	}
	for _, f := range elementwises[float32]() {
		b.Run("f="+f.name, func(b *testing.B) {
			benchLevels(b, func(b *testing.B) {
				for b.Loop() {
					f.run(z, x, y)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1024, "ns/element")
			})
		})
	}
}

// BenchmarkAdamStep updates 13.3 million weights, those of a word model of 33,278 words and a width
// of 200.
func BenchmarkAdamStep(b *testing.B) {
	const n = 2 * 33278 * 200
	p, g, m, v := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
	for i := range g {
		g[i] = float32(i%7) - 3
	}
	c := AdamStep[float32]{Beta1: 0.9, Rest1: 0.1, Beta2: 0.999, Rest2: 0.001, Rate: 0.001,
		Unbias: 1, Eps: 1e-8, Keep: 1}
	b.SetBytes(7 * 4 * n)
	for b.Loop() {
		c.Update(p, g, m, v, v)
	}
}
