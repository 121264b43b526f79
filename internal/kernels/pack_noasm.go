//go:build !amd64 || noasm

package kernels

func copyRowsFast[F Float](dst []F, ldd int, src []F, lds, rows, cols int) bool { return false }

func transposeFast[F Float](dst []F, ldd int, src []F, lds, rows, cols int) bool { return false }
