//go:build !noasm

package kernels

import "unsafe"

//go:noescape
func copyRowsF32AVX512(dst *byte, ldd int, src *byte, lds int, rows int, cols int)

//go:noescape
func copyRowsF64AVX512(dst *byte, ldd int, src *byte, lds int, rows int, cols int)

//go:noescape
func transposeF32AVX2(dst *byte, ldd int, src *byte, lds int, rows int, cols int)

//go:noescape
func transposeF64AVX2(dst *byte, ldd int, src *byte, lds int, rows int, cols int)

func bytes[F Float](s []F) *byte { return (*byte)(unsafe.Pointer(unsafe.SliceData(s))) }

// copyRowsFast is copyRows where there is an instruction set for it.
func copyRowsFast[F Float](dst []F, ldd int, src []F, lds, rows, cols int) bool {
	if level != AVX512 {
		return false
	}
	n := size[F]()
	if n == 4 {
		copyRowsF32AVX512(bytes(dst), ldd*n, bytes(src), lds*n, rows, cols)
	} else {
		copyRowsF64AVX512(bytes(dst), ldd*n, bytes(src), lds*n, rows, cols)
	}
	return true
}

// transposeFast transposes as many rows and columns as make whole blocks, and says how many those are.
func transposeFast[F Float](dst []F, ldd int, src []F, lds, rows, cols int) (int, int) {
	n := size[F]()
	block := 32 / n
	rows, cols = rows/block*block, cols/block*block
	if level == Portable || rows == 0 || cols == 0 {
		return 0, 0
	}
	if n == 4 {
		transposeF32AVX2(bytes(dst), ldd*n, bytes(src), lds*n, rows, cols)
	} else {
		transposeF64AVX2(bytes(dst), ldd*n, bytes(src), lds*n, rows, cols)
	}
	return rows, cols
}
