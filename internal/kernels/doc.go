// Package kernels is the arithmetic of the library on plain slices: matrix products and element-wise functions, for
// float32 and float64, each in portable Go and in assembly for AVX2 and AVX-512.
package kernels
