//go:build !noasm

package kernels

// peak is a loop of fused multiply-adds of a level, and the floating-point operations of one round
// of it.
func peak[F Float](l Level) (round func(int), flops int) {
	single := size[F]() == 4
	switch {
	case l == AVX512 && single:
		return peakF32AVX512, 8 * 28 * 32
	case l == AVX512:
		return peakF64AVX512, 8 * 28 * 16
	case l == AVX2 && single:
		return peakF32AVX2, 8 * 12 * 16
	case l == AVX2:
		return peakF64AVX2, 8 * 12 * 8
	}
	return nil, 0
}
