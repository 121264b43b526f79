package ops

import (
	"math"

	"github.com/seqzoo/seqzoo/internal/kernels"
)

// ElementKernel computes an element-wise function over slices of one length. One of its fields is
// set, by the number of operands and whether there are parameters.
type ElementKernel[F kernels.Float] struct {
	Of1  func(dst, x []F)
	Of2  func(dst, x, y []F)
	Of3  func(dst, x, y, z []F)
	With func(dst, x []F, p, q float64)
}

// Run computes dst from as many of x, y and z as the function has operands.
func (k *ElementKernel[F]) Run(dst, x, y, z []F, p, q float64) {
	switch {
	case k.Of1 != nil:
		k.Of1(dst, x)
	case k.Of2 != nil:
		k.Of2(dst, x, y)
	case k.With != nil:
		k.With(dst, x, p, q)
	default:
		k.Of3(dst, x, y, z)
	}
}

// kernel is a ElementKernel for either type.
type kernel struct {
	f32 ElementKernel[float32]
	f64 ElementKernel[float64]
	set bool
}

// of is the ElementKernel of a type.
func of[F kernels.Float](k *kernel) *ElementKernel[F] {
	if r, ok := any(&k.f32).(*ElementKernel[F]); ok {
		return r
	}
	return any(&k.f64).(*ElementKernel[F])
}

// FastKernel is what the engine computes a kind by; nil if there is no such kind.
func FastKernel[F kernels.Float](kind Kind) *ElementKernel[F] {
	row, ok := kinds[kind]
	switch {
	case !ok:
		return nil
	case row.fast.set:
		return of[F](&row.fast)
	}
	return of[F](&row.plain)
}

// Scripted is the function as an operation of a script; none if a script cannot have it.
func (e Elementwise) Scripted() kernels.Scripted {
	switch s := kinds[e.Kind].script; {
	case s == kernels.ScriptAffine && e.Q == 0:
		return kernels.ScriptScale
	case s == kernels.ScriptAffine && e.P == 1:
		return kernels.ScriptShift
	default:
		return s
	}
}

// plainKernel is the definition of a kind.
func plainKernel[F kernels.Float](kind Kind) *ElementKernel[F] {
	row := kinds[kind]
	return of[F](&row.plain)
}

func of1(f32 func(dst, x []float32), f64 func(dst, x []float64)) kernel {
	return kernel{ElementKernel[float32]{Of1: f32}, ElementKernel[float64]{Of1: f64}, true}
}

func of2(f32 func(dst, x, y []float32), f64 func(dst, x, y []float64)) kernel {
	return kernel{ElementKernel[float32]{Of2: f32}, ElementKernel[float64]{Of2: f64}, true}
}

func of3(f32 func(dst, x, y, z []float32), f64 func(dst, x, y, z []float64)) kernel {
	return kernel{ElementKernel[float32]{Of3: f32}, ElementKernel[float64]{Of3: f64}, true}
}

func with(f32 func(dst, x []float32, p, q float64),
	f64 func(dst, x []float64, p, q float64)) kernel {
	return kernel{ElementKernel[float32]{With: f32}, ElementKernel[float64]{With: f64}, true}
}

// each applies a function of package math to every element.
func each(f func(float64) float64) kernel { return of1(eachOf[float32](f), eachOf[float64](f)) }

func eachOf[F kernels.Float](f func(float64) float64) func(dst, x []F) {
	return func(dst, x []F) {
		for i, v := range x {
			dst[i] = F(f(float64(v)))
		}
	}
}

func affineRow[F kernels.Float](dst, x []F, p, q float64) {
	scale, shift := F(p), F(q)
	for i, v := range x {
		dst[i] = scale*v + shift
	}
}

func affineKernel[F kernels.Float](dst, x []F, p, q float64) {
	switch {
	case q == 0:
		kernels.MulScalar(dst, x, F(p))
	case p == 1:
		kernels.AddScalar(dst, x, F(q))
	default:
		kernels.MulScalar(dst, x, F(p))
		kernels.AddScalar(dst, dst, F(q))
	}
}

func clip[F kernels.Float](dst, x []F, p, q float64) {
	low, high := F(p), F(q)
	for i, v := range x {
		dst[i] = min(max(v, low), high)
	}
}

func within[F kernels.Float](dst, x []F, p, q float64) {
	low, high := F(p), F(q)
	for i, v := range x {
		dst[i] = truth[F](low <= v && v <= high)
	}
}

func power[F kernels.Float](dst, x []F, p, _ float64) {
	for i, v := range x {
		dst[i] = F(math.Pow(float64(v), p))
	}
}

// softplus is max(x, 0) + log(1 + e^−|x|), which does not overflow.
func softplus(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }

func relu[F kernels.Float](dst, x []F) {
	for i, v := range x {
		dst[i] = max(v, 0)
	}
}

func square[F kernels.Float](dst, x []F) { kernels.Mul(dst, x, x) }

func abs[F kernels.Float](dst, x []F) {
	for i, v := range x {
		dst[i] = F(math.Abs(float64(v)))
	}
}

func inverse[F kernels.Float](dst, x []F) {
	for i, v := range x {
		dst[i] = 1 / v
	}
}

func sign[F kernels.Float](dst, x []F) {
	for i, v := range x {
		dst[i] = truth[F](v > 0) - truth[F](v < 0)
	}
}

func floor[F kernels.Float](dst, x []F) {
	for i, v := range x {
		dst[i] = F(math.Floor(float64(v)))
	}
}

func ceil[F kernels.Float](dst, x []F) {
	for i, v := range x {
		dst[i] = F(math.Ceil(float64(v)))
	}
}

func positive[F kernels.Float](dst, x []F) {
	for i, v := range x {
		dst[i] = truth[F](v > 0)
	}
}

func copyRow[F kernels.Float](dst, x []F) { copy(dst, x) }

func pow[F kernels.Float](dst, x, y []F) {
	for i := range dst {
		dst[i] = F(math.Pow(float64(x[i]), float64(y[i])))
	}
}

func larger[F kernels.Float](dst, x, y []F) {
	for i := range dst {
		dst[i] = max(x[i], y[i])
	}
}

func smaller[F kernels.Float](dst, x, y []F) {
	for i := range dst {
		dst[i] = min(x[i], y[i])
	}
}

func less[F kernels.Float](dst, x, y []F) {
	for i := range dst {
		dst[i] = truth[F](x[i] < y[i])
	}
}

func lessEqual[F kernels.Float](dst, x, y []F) {
	for i := range dst {
		dst[i] = truth[F](x[i] <= y[i])
	}
}

func greater[F kernels.Float](dst, x, y []F) {
	for i := range dst {
		dst[i] = truth[F](x[i] > y[i])
	}
}

func greaterEqual[F kernels.Float](dst, x, y []F) {
	for i := range dst {
		dst[i] = truth[F](x[i] >= y[i])
	}
}

func equal[F kernels.Float](dst, x, y []F) {
	for i := range dst {
		dst[i] = truth[F](x[i] == y[i])
	}
}

func notEqual[F kernels.Float](dst, x, y []F) {
	for i := range dst {
		dst[i] = truth[F](x[i] != y[i])
	}
}

func choose[F kernels.Float](dst, x, y, z []F) {
	for i, c := range x {
		if c != 0 {
			dst[i] = y[i]
		} else {
			dst[i] = z[i]
		}
	}
}

// truth is 1 or 0. By way of an integer it needs no branch, which random data would mispredict.
func truth[F kernels.Float](b bool) F {
	var n int32
	if b {
		n = 1
	}
	return F(n)
}
