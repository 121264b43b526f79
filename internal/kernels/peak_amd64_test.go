//go:build !noasm

package kernels

import "testing"

// BenchmarkPeak is what a core can do at all: fused multiply-adds on registers alone.
func BenchmarkPeak(b *testing.B) {
	for _, p := range []struct {
		name  string
		level Level
		run   func(int)
		flops int // of a round
	}{
		{"type=f32/level=avx512", AVX512, peakF32AVX512, 8 * 28 * 32},
		{"type=f64/level=avx512", AVX512, peakF64AVX512, 8 * 28 * 16},
		{"type=f32/level=avx2", AVX2, peakF32AVX2, 8 * 12 * 16},
		{"type=f64/level=avx2", AVX2, peakF64AVX2, 8 * 12 * 8},
	} {
		if p.level > Levels()[len(Levels())-1] {
			continue
		}
		b.Run(p.name, func(b *testing.B) {
			const rounds = 10000
			for b.Loop() {
				p.run(rounds)
			}
			gflops(b, rounds*float64(p.flops))
		})
	}
}
