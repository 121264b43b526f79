//go:build !noasm

package kernels

//go:noescape
func addRowsF32AVX512(dst *float32, src *float32, stride int, rows int, n int)

//go:noescape
func addRowsF64AVX512(dst *float64, src *float64, stride int, rows int, n int)

//go:noescape
func addRowsF32AVX2(dst *float32, src *float32, stride int, rows int, n int)

//go:noescape
func addRowsF64AVX2(dst *float64, src *float64, stride int, rows int, n int)

//go:noescape
func sumRowsF32AVX512(dst *float32, src *float32, stride int, rows int, n int)

//go:noescape
func sumRowsF64AVX512(dst *float64, src *float64, stride int, rows int, n int)

//go:noescape
func sumRowsF32AVX2(dst *float32, src *float32, stride int, rows int, n int)

//go:noescape
func sumRowsF64AVX2(dst *float64, src *float64, stride int, rows int, n int)

//go:noescape
func spreadRowsF32AVX512(dst *float32, src *float32, stride int, rows int, n int)

//go:noescape
func spreadRowsF64AVX512(dst *float64, src *float64, stride int, rows int, n int)

//go:noescape
func spreadRowsF32AVX2(dst *float32, src *float32, stride int, rows int, n int)

//go:noescape
func spreadRowsF64AVX2(dst *float64, src *float64, stride int, rows int, n int)

// fastRows runs a function on rows if the level and the type have an instruction set for it.
func fastRows[F Float](op int, dst, src []F, stride, rows, n int) bool {
	single := size[F]() == 4
	switch {
	case level == AVX512 && single:
		[...]func(dst, src *float32, stride, rows, n int){
			addRowsF32AVX512, sumRowsF32AVX512, spreadRowsF32AVX512,
		}[op](ptr32(dst), ptr32(src), stride, rows, n)
	case level == AVX512:
		[...]func(dst, src *float64, stride, rows, n int){
			addRowsF64AVX512, sumRowsF64AVX512, spreadRowsF64AVX512,
		}[op](ptr64(dst), ptr64(src), stride, rows, n)
	case level == AVX2 && single:
		[...]func(dst, src *float32, stride, rows, n int){
			addRowsF32AVX2, sumRowsF32AVX2, spreadRowsF32AVX2,
		}[op](ptr32(dst), ptr32(src), stride, rows, n)
	case level == AVX2:
		[...]func(dst, src *float64, stride, rows, n int){
			addRowsF64AVX2, sumRowsF64AVX2, spreadRowsF64AVX2,
		}[op](ptr64(dst), ptr64(src), stride, rows, n)
	default:
		return false
	}
	return true
}
