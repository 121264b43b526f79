package run

import "math/bits"

// Round is n rounded up to one of four numbers between a power of two and the next: 1 … 8, 10, 12,
// 14, 16, 20, 24, …. That is less than a quarter more than n, and few numbers in all: graphs are
// compiled for them. Of less than 1 it is 1.
func Round(n int) int {
	if n <= 8 {
		return max(n, 1)
	}
	if n > 1<<40 { // no length; it must not overflow
		return n
	}
	step := 1 << (bits.Len(uint(n-1)) - 3)
	return (n + step - 1) / step * step
}
