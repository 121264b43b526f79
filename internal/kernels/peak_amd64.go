//go:build !noasm

package kernels

func peakF32AVX512(n int)
func peakF64AVX512(n int)
func peakF32AVX2(n int)
func peakF64AVX2(n int)
