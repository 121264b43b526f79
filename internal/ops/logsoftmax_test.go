package ops_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// What is added to all elements of a row changes nothing, however large it is.
func TestLogSoftmaxFarFromZero(t *testing.T) {
	t.Run("float32", func(t *testing.T) { testFarFromZero[float32](t, 3e-7) })
	t.Run("float64", func(t *testing.T) { testFarFromZero[float64](t, 1e-15) })
}

func testFarFromZero[F kernels.Float](t *testing.T, within float64) {
	for _, far := range []float64{0, 4096, -4096, 1 << 20, -(1 << 20), 1 << 100} {
		for _, n := range []int{1, 2, 7, 64, 129} {
			x, row, sum := make([]F, n), make([]F, n), 0.0
			for i := range x {
				x[i] = F(far + float64(i%3)) // a number of the type, or far itself
				sum += math.Exp(float64(x[i] - x[0]))
			}
			ops.RowFunc[F](ops.LogSoftmax{}.Rows())(row, x, make([]F, n))
			in, out := ops.Tensor{Shape: []int{1, n}}, ops.Tensor{Shape: []int{1, n}}
			if single, ok := any(x).([]float32); ok {
				in.F32, out.F32 = single, make([]float32, n)
			} else {
				in.F64, out.F64 = any(x).([]float64), make([]float64, n)
			}
			require.NoError(t, ops.LogSoftmax{}.Eval([]ops.Tensor{in}, out))
			for i := range x {
				want := float64(x[i]-x[0]) - math.Log(sum)
				require.InDelta(t, want, float64(row[i]), within*max(1, -want))
				if out.F32 != nil {
					require.InDelta(t, want, float64(out.F32[i]), within*max(1, -want))
				} else {
					require.InDelta(t, want, out.F64[i], within*max(1, -want))
				}
			}
		}
	}
}
