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

// transposeFast is transpose, for at least one block of the instruction set; what is left over at
// the ends goes in blocks that overlap the last whole ones.
func transposeFast[F Float](dst []F, ldd int, src []F, lds, rows, cols int) bool {
	block := 32 / size[F]()
	if level == Portable || rows < block || cols < block {
		return false
	}
	i, j := rows%block, cols%block
	transposeBlocks(dst, ldd, src, lds, rows-i, cols-j)
	if i != 0 {
		transposeBlocks(dst[rows-block:], ldd, src[(rows-block)*lds:], lds, block, cols-j)
	}
	if j != 0 {
		transposeBlocks(dst[(cols-block)*ldd:], ldd, src[cols-block:], lds, rows-i, block)
	}
	if i != 0 && j != 0 {
		transposeBlocks(dst[(cols-block)*ldd+rows-block:], ldd, src[(rows-block)*lds+cols-block:],
			lds, block, block)
	}
	return true
}

func transposeBlocks[F Float](dst []F, ldd int, src []F, lds, rows, cols int) {
	n := size[F]()
	if n == 4 {
		transposeF32AVX2(bytes(dst), ldd*n, bytes(src), lds*n, rows, cols)
	} else {
		transposeF64AVX2(bytes(dst), ldd*n, bytes(src), lds*n, rows, cols)
	}
}
