//go:build !amd64 || noasm

package kernels

func fastMatrix[F Float](op int, dst, x, b []F, s, a Column[F], bStride, rows, n int) bool {
	return false
}
