package onnx_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/onnx"
	"github.com/seqzoo/seqzoo/onnx/internal/host"
)

// The place of the largest and of the least is that of NaN, if there is one, as for NumPy, whoever
// computes it, and integers are compared to their last digit.
func TestPlacesOfTheLargest(t *testing.T) {
	nan := math.NaN()
	odd := numbers(1, nan, 3, nan)
	big := host.New(host.Int64, 3)
	copy(big.I, []int64{1 << 60, 1<<60 + 1, 1<<60 - 1})
	unsigned := host.New(host.Uint64, 2)
	copy(unsigned.I, []int64{1, -1}) // the second is the largest there is
	for _, c := range []struct {
		op   string
		x    *host.Tensor
		last int
		want int
	}{
		{"ArgMax", odd, 0, 1}, {"ArgMax", odd, 1, 3}, {"ArgMin", odd, 0, 1}, {"ArgMin", odd, 1, 3},
		{"ArgMax", big, 0, 1}, {"ArgMin", big, 0, 2}, {"ArgMax", unsigned, 0, 1},
		{"ArgMax", numbers(2, 2, 1), 0, 0}, {"ArgMax", numbers(2, 2, 1), 1, 1},
	} {
		got, err := runSingle(t, c.op, 13, map[string]any{"select_last_index": c.last,
			"keepdims": 1}, onnx.Int64, 1, c.x)
		require.NoError(t, err)
		require.Equal(t, []int{c.want}, got.Ints(), "%s of %v, last %d", c.op, c.x, c.last)
	}
	row := host.New(host.Float32, 1, 4) // of a matrix the engine takes the last axis
	copy(row.F, odd.F)
	got, err := runSingle(t, "ArgMax", 13, map[string]any{"axis": 1, "keepdims": 0},
		onnx.Int64, 1, row)
	require.NoError(t, err)
	require.Equal(t, []int{1}, got.Ints())
}

// A sum of exponentials is infinite with an infinity, and 0 where all are −Inf.
func TestReduceLogSumExpOfInfinities(t *testing.T) {
	inf := math.Inf(1)
	x := host.New(host.Float32, 4, 2)
	copy(x.F, []float64{1, inf, -inf, -inf, -inf, 0, 1000, 1000})
	got, err := runSingle(t, "ReduceLogSumExp", 13, map[string]any{"axes": []int{1}, "keepdims": 0},
		onnx.Float32, 1, x)
	require.NoError(t, err)
	for i, want := range []float64{inf, -inf, 0, 1000 + math.Ln2} {
		y := got.Float64s()[i]
		require.True(t, y == want || math.Abs(y-want) < 1e-4, "row %d: %v, want %v", i, y, want)
	}
}
