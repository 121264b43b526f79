//go:build !noasm

package kernels

import "unsafe"

//go:noescape
func adamF32AVX512(c *byte, p, dp, m, v, largest *float32, n int)

//go:noescape
func adamF64AVX512(c *byte, p, dp, m, v, largest *float64, n int)

//go:noescape
func adamF32AVX2(c *byte, p, dp, m, v, largest *float32, n int)

//go:noescape
func adamF64AVX2(c *byte, p, dp, m, v, largest *float64, n int)

//go:noescape
func squaresF32AVX512(x *float32, n int) float64

//go:noescape
func squaresF32AVX2(x *float32, n int) float64

func (c *AdamStep[F]) fast(p, g, m, v, largest []F) bool {
	args, single := (*byte)(unsafe.Pointer(c)), size[F]() == 4
	switch {
	case level == AVX512 && single:
		adamF32AVX512(args, ptr32(p), ptr32(g), ptr32(m), ptr32(v), ptr32(largest), len(p))
	case level == AVX512:
		adamF64AVX512(args, ptr64(p), ptr64(g), ptr64(m), ptr64(v), ptr64(largest), len(p))
	case level == AVX2 && single:
		adamF32AVX2(args, ptr32(p), ptr32(g), ptr32(m), ptr32(v), ptr32(largest), len(p))
	case level == AVX2:
		adamF64AVX2(args, ptr64(p), ptr64(g), ptr64(m), ptr64(v), ptr64(largest), len(p))
	default:
		return false
	}
	return true
}

func fastSquares[F Float](x []F) (float64, bool) {
	if size[F]() == 8 {
		s, ok := fastDot(x, x)
		return float64(s), ok
	}
	switch level {
	case AVX512:
		return squaresF32AVX512(ptr32(x), len(x)), true
	case AVX2:
		return squaresF32AVX2(ptr32(x), len(x)), true
	}
	return 0, false
}
