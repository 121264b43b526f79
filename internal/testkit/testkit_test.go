package testkit_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/testkit"
)

func TestFloats(t *testing.T) {
	backing := []float64{1, 2}
	copied := testkit.Floats(tensor.New(tensor.WithBacking(backing)))
	require.Equal(t, []float64{1, 2}, copied)
	backing[0] = 5
	require.Equal(t, 1., copied[0], "it is a copy")
	require.Equal(t, []float64{0.5}, testkit.Floats(tensor.New(tensor.WithBacking([]float32{0.5}))))
	require.Equal(t, []float64{3}, testkit.Floats(tensor.New(tensor.WithBacking([]int{3}))))
	require.Equal(t, []float64{0.5}, testkit.Floats(gorgonia.NewF32(0.5)))
	require.Nil(t, testkit.Floats(gorgonia.NewB(true)))
}

// failures counts the failures of a comparison instead of ending the test.
type failures struct{ count int }

func (f *failures) Errorf(string, ...any) { f.count++ }
func (f *failures) FailNow()              {}
func (f *failures) Helper()               {}

func TestRequireClose(t *testing.T) {
	fails := func(want, got []float64) bool {
		f := &failures{}
		testkit.RequireClose(f, want, got, 1e-3, "x")
		return f.count > 0
	}
	require.False(t, fails(nil, nil))
	require.False(t, fails([]float64{1000, 0}, []float64{1000.9, 1e-4}))
	require.True(t, fails([]float64{1000}, []float64{1001.1}))
	require.True(t, fails([]float64{0}, []float64{2e-3}))
	require.True(t, fails([]float64{0}, []float64{math.NaN()}))
}

func TestRequireInDelta(t *testing.T) {
	fails := func(want, got any) bool {
		f := &failures{}
		testkit.RequireInDelta(f, want, got, 1e-3)
		return f.count > 0
	}
	require.False(t, fails([]float64{1, 2}, []float32{1.0005, 2}))
	require.True(t, fails([]float64{1}, []float64{1.002}))
	require.True(t, fails([]float64{1, 2}, []float64{1}), "one is missing")
	require.True(t, fails([]float64{1}, []float64{}), "all are missing")
	require.True(t, fails([]float64{1}, nil))
	require.True(t, fails([]float64{1}, []float64{math.NaN()}))
}
