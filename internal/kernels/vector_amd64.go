//go:build !noasm

package kernels

import "unsafe"

//go:noescape
func binaryF32AVX512(op int, dst *float32, a *float32, b *float32, n int)

//go:noescape
func binaryF64AVX512(op int, dst *float64, a *float64, b *float64, n int)

//go:noescape
func binaryF32AVX2(op int, dst *float32, a *float32, b *float32, n int)

//go:noescape
func binaryF64AVX2(op int, dst *float64, a *float64, b *float64, n int)

//go:noescape
func scalarF32AVX512(op int, dst *float32, x *float32, s float32, n int)

//go:noescape
func scalarF64AVX512(op int, dst *float64, x *float64, s float64, n int)

//go:noescape
func scalarF32AVX2(op int, dst *float32, x *float32, s float32, n int)

//go:noescape
func scalarF64AVX2(op int, dst *float64, x *float64, s float64, n int)

//go:noescape
func unaryF32AVX512(op int, dst *float32, x *float32, n int)

//go:noescape
func unaryF64AVX512(op int, dst *float64, x *float64, n int)

//go:noescape
func unaryF32AVX2(op int, dst *float32, x *float32, n int)

//go:noescape
func unaryF64AVX2(op int, dst *float64, x *float64, n int)

//go:noescape
func selectF32AVX512(dst, c, a, b *float32, n int)

//go:noescape
func selectF32AVX2(dst, c, a, b *float32, n int)

//go:noescape
func selectF64AVX512(dst, c, a, b *float64, n int)

//go:noescape
func selectF64AVX2(dst, c, a, b *float64, n int)

//go:noescape
func sumF32AVX512(x *float32, n int) float32

//go:noescape
func sumF64AVX512(x *float64, n int) float64

//go:noescape
func sumF32AVX2(x *float32, n int) float32

//go:noescape
func sumF64AVX2(x *float64, n int) float64

//go:noescape
func dotF32AVX512(x *float32, y *float32, n int) float32

//go:noescape
func dotF64AVX512(x *float64, y *float64, n int) float64

//go:noescape
func dotF32AVX2(x *float32, y *float32, n int) float32

//go:noescape
func dotF64AVX2(x *float64, y *float64, n int) float64

//go:noescape
func maxOfF32AVX512(x *float32, n int) float32

//go:noescape
func maxOfF64AVX512(x *float64, n int) float64

//go:noescape
func maxOfF32AVX2(x *float32, n int) float32

//go:noescape
func maxOfF64AVX2(x *float64, n int) float64

func ptr32[F Float](s []F) *float32 { return (*float32)(unsafe.Pointer(unsafe.SliceData(s))) }
func ptr64[F Float](s []F) *float64 { return (*float64)(unsafe.Pointer(unsafe.SliceData(s))) }

// The fast functions do their work if the level and the type have an instruction set for it, and
// say whether they did.

func fastBinary[F Float](op int, dst, a, b []F) bool {
	single := size[F]() == 4
	switch {
	case level == AVX512 && single:
		binaryF32AVX512(op, ptr32(dst), ptr32(a), ptr32(b), len(dst))
	case level == AVX512:
		binaryF64AVX512(op, ptr64(dst), ptr64(a), ptr64(b), len(dst))
	case level == AVX2 && single:
		binaryF32AVX2(op, ptr32(dst), ptr32(a), ptr32(b), len(dst))
	case level == AVX2:
		binaryF64AVX2(op, ptr64(dst), ptr64(a), ptr64(b), len(dst))
	default:
		return false
	}
	return true
}

func fastScalar[F Float](op int, dst, x []F, s F) bool {
	single := size[F]() == 4
	switch {
	case level == AVX512 && single:
		scalarF32AVX512(op, ptr32(dst), ptr32(x), float32(s), len(dst))
	case level == AVX512:
		scalarF64AVX512(op, ptr64(dst), ptr64(x), float64(s), len(dst))
	case level == AVX2 && single:
		scalarF32AVX2(op, ptr32(dst), ptr32(x), float32(s), len(dst))
	case level == AVX2:
		scalarF64AVX2(op, ptr64(dst), ptr64(x), float64(s), len(dst))
	default:
		return false
	}
	return true
}

func fastUnary[F Float](op int, dst, x []F) bool {
	single := size[F]() == 4
	switch {
	case !single && op > lastUnary64:
		return false
	case level == AVX512 && single:
		unaryF32AVX512(op, ptr32(dst), ptr32(x), len(dst))
	case level == AVX512:
		unaryF64AVX512(op, ptr64(dst), ptr64(x), len(dst))
	case level == AVX2 && single:
		unaryF32AVX2(op, ptr32(dst), ptr32(x), len(dst))
	case level == AVX2:
		unaryF64AVX2(op, ptr64(dst), ptr64(x), len(dst))
	default:
		return false
	}
	return true
}

func fastSelect[F Float](dst, c, a, b []F) bool {
	single := size[F]() == 4
	switch {
	case level == AVX512 && single:
		selectF32AVX512(ptr32(dst), ptr32(c), ptr32(a), ptr32(b), len(dst))
	case level == AVX512:
		selectF64AVX512(ptr64(dst), ptr64(c), ptr64(a), ptr64(b), len(dst))
	case level == AVX2 && single:
		selectF32AVX2(ptr32(dst), ptr32(c), ptr32(a), ptr32(b), len(dst))
	case level == AVX2:
		selectF64AVX2(ptr64(dst), ptr64(c), ptr64(a), ptr64(b), len(dst))
	default:
		return false
	}
	return true
}

func fastSum[F Float](x []F) (F, bool) {
	single := size[F]() == 4
	switch {
	case level == AVX512 && single:
		return F(sumF32AVX512(ptr32(x), len(x))), true
	case level == AVX512:
		return F(sumF64AVX512(ptr64(x), len(x))), true
	case level == AVX2 && single:
		return F(sumF32AVX2(ptr32(x), len(x))), true
	case level == AVX2:
		return F(sumF64AVX2(ptr64(x), len(x))), true
	}
	return 0, false
}

func fastDot[F Float](x, y []F) (F, bool) {
	single := size[F]() == 4
	switch {
	case level == AVX512 && single:
		return F(dotF32AVX512(ptr32(x), ptr32(y), len(x))), true
	case level == AVX512:
		return F(dotF64AVX512(ptr64(x), ptr64(y), len(x))), true
	case level == AVX2 && single:
		return F(dotF32AVX2(ptr32(x), ptr32(y), len(x))), true
	case level == AVX2:
		return F(dotF64AVX2(ptr64(x), ptr64(y), len(x))), true
	}
	return 0, false
}

func fastMaxOf[F Float](x []F) (F, bool) {
	single := size[F]() == 4
	switch {
	case level == AVX512 && single:
		return F(maxOfF32AVX512(ptr32(x), len(x))), true
	case level == AVX512:
		return F(maxOfF64AVX512(ptr64(x), len(x))), true
	case level == AVX2 && single:
		return F(maxOfF32AVX2(ptr32(x), len(x))), true
	case level == AVX2:
		return F(maxOfF64AVX2(ptr64(x), len(x))), true
	}
	return 0, false
}
