//go:build !noasm

package kernels

//go:noescape
func matrixF32AVX512(op int, dst *float32, x *float32, b *float32, s *float32, a *float32, sStride int, aStride int,
	bStride int, rows int, n int)

//go:noescape
func matrixF64AVX512(op int, dst *float64, x *float64, b *float64, s *float64, a *float64, sStride int, aStride int,
	bStride int, rows int, n int)

//go:noescape
func matrixF32AVX2(op int, dst *float32, x *float32, b *float32, s *float32, a *float32, sStride int, aStride int,
	bStride int, rows int, n int)

//go:noescape
func matrixF64AVX2(op int, dst *float64, x *float64, b *float64, s *float64, a *float64, sStride int, aStride int,
	bStride int, rows int, n int)

// fastMatrix runs a function of matrices if the level and the type have an instruction set for it.
func fastMatrix[F Float](op int, dst, x, b []F, s, a Column[F], bStride, rows, n int) bool {
	single := size[F]() == 4
	switch {
	case level == AVX512 && single:
		matrixF32AVX512(op, ptr32(dst), ptr32(x), ptr32(b), ptr32(s.At), ptr32(a.At), s.Stride,
			a.Stride, bStride, rows, n)
	case level == AVX512:
		matrixF64AVX512(op, ptr64(dst), ptr64(x), ptr64(b), ptr64(s.At), ptr64(a.At), s.Stride,
			a.Stride, bStride, rows, n)
	case level == AVX2 && single:
		matrixF32AVX2(op, ptr32(dst), ptr32(x), ptr32(b), ptr32(s.At), ptr32(a.At), s.Stride,
			a.Stride, bStride, rows, n)
	case level == AVX2:
		matrixF64AVX2(op, ptr64(dst), ptr64(x), ptr64(b), ptr64(s.At), ptr64(a.At), s.Stride,
			a.Stride, bStride, rows, n)
	default:
		return false
	}
	return true
}
