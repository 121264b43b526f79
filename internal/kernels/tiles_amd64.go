//go:build !noasm

package kernels

import "unsafe"

//go:generate sh -c "cd _asm && for u in gemm pack vector optim peak rows script matrix; do go run . -unit $DOLLAR{u} -out ../$DOLLAR{u}_amd64.s; done"

//go:noescape
func gemmF32AVX512(t *byte)

//go:noescape
func gemmF64AVX512(t *byte)

//go:noescape
func gemmF32AVX2(t *byte)

//go:noescape
func gemmF64AVX2(t *byte)

func (t *tiles[F]) run(l Level) {
	args, single := (*byte)(unsafe.Pointer(t)), size[F]() == 4
	switch {
	case l == AVX512 && single:
		gemmF32AVX512(args)
	case l == AVX512:
		gemmF64AVX512(args)
	case l == AVX2 && single:
		gemmF32AVX2(args)
	case l == AVX2:
		gemmF64AVX2(args)
	default:
		t.portable()
	}
}
