package benchmarks

import (
	"math"
	"time"

	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// Bandwidth is how many 10⁹ bytes a second one core reads and writes in adding arrays that lie in
// so many bytes of memory one after another: what a pass over a working set of that size can reach.
func Bandwidth(bytes int) float64 {
	const piece = 4096 // elements
	n := max(1, bytes/4/(3*piece))
	x := make([]float32, 3*piece*n)
	pass := func() {
		for i := range n {
			at := x[3*piece*i:]
			kernels.Add(at[:piece], at[piece:2*piece], at[2*piece:3*piece])
		}
	}
	return 4 * float64(len(x)) / fastest(pass)
}

// Alone is how many nanoseconds one core takes for an element of an element-wise function by itself,
// in arrays that stay in the first-level cache; 0 for arithmetic that takes no longer than to read
// its operands, and for what is no function.
func Alone(name string) float64 {
	const n = 1024
	kind := ops.Kind(name)
	k := ops.FastKernel[float32](kind)
	if k == nil || !kind.Stored() {
		return 0
	}
	x, y := make([]float32, n), make([]float32, n)
	kernels.Fill(x, 0.5)
	switch {
	case k.Of1 != nil:
		return fastest(func() { k.Of1(y, x) }) / n
	case k.Of2 != nil:
		return fastest(func() { k.Of2(y, x, x) }) / n
	}
	return 0
}

// Peak is how many 10⁹ floating-point operations a second one core reaches in a product of matrices
// that stay in its cache.
func Peak() float64 {
	const n = 192
	a, b, c := make([]float32, n*n), make([]float32, n*n), make([]float32, n*n)
	return 2 * n * n * n / fastest(func() {
		kernels.Gemm(false, false, n, n, n, a, n, b, n, c, n, false)
	})
}

// fastest is the least time of a function in nanoseconds, of 20 calls or more.
func fastest(f func()) float64 {
	least := math.Inf(1)
	for begun, n := time.Now(), 0; n < 20 || time.Since(begun) < 20*time.Millisecond; n++ {
		start := time.Now()
		f()
		least = min(least, float64(time.Since(start).Nanoseconds()))
	}
	return least
}
