package metrics_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/zoo/metrics"
)

func TestAccuracy(t *testing.T) {
	a, err := metrics.Accuracy([]string{"x", "y", "y", "z"}, []string{"x", "y", "x", "x"})
	require.NoError(t, err)
	require.Equal(t, 0.5, a)
}

func TestBinary(t *testing.T) {
	// 3 of 4 predictions are right, of 6 members.
	predicted := []bool{true, true, true, true, false, false, false, false}
	truth := []bool{true, true, true, false, true, true, true, false}
	s, err := metrics.Binary(predicted, truth)
	require.NoError(t, err)
	require.Equal(t, 0.75, s.Precision)
	require.Equal(t, 0.5, s.Recall)
	require.InDelta(t, 0.6, s.F1, 1e-15)
	require.Equal(t, 6, s.Support)

	s, err = metrics.Binary([]bool{false}, []bool{false})
	require.NoError(t, err)
	require.Equal(t, metrics.Score{}, s, "a share of nothing is 0")
}

// The scores by the definitions, class by class.
func TestConfusion(t *testing.T) {
	predicted := []int{0, 0, 1, 1, 2, 2, 2, 0, 1, 2}
	truth := []int{0, 1, 1, 1, 2, 0, 2, 0, 2, 2}
	c, err := metrics.Confuse(predicted, truth, 4)
	require.NoError(t, err)
	require.Equal(t, 10, c.Total())
	require.Equal(t, 4, c.Classes())
	require.Equal(t, 1, c.Count(0, 1))
	require.Equal(t, 0, c.Count(1, 0))
	require.InDelta(t, 0.7, c.Accuracy(), 1e-15)
	var macro float64
	var right, predictedOf, members [3]float64
	for i, p := range predicted {
		predictedOf[p]++
		members[truth[i]]++
		if p == truth[i] {
			right[p]++
		}
	}
	for k := range 3 {
		s, err := c.Class(k)
		require.NoError(t, err)
		p, r := right[k]/predictedOf[k], right[k]/members[k]
		require.InDelta(t, p, s.Precision, 1e-15)
		require.InDelta(t, r, s.Recall, 1e-15)
		require.InDelta(t, 2*p*r/(p+r), s.F1, 1e-15)
		macro += s.F1 / 3
	}
	s, err := c.Macro()
	require.NoError(t, err)
	require.InDelta(t, macro, s.F1, 1e-15, "class 3 does not occur")
	s, err = c.Micro()
	require.NoError(t, err)
	require.InDelta(t, 0.7, s.F1, 1e-15)
	require.InDelta(t, 0.7, s.Precision, 1e-15)
	s, err = c.Micro(1, 2)
	require.NoError(t, err)
	require.InDelta(t, (right[1]+right[2])/(predictedOf[1]+predictedOf[2]), s.Precision, 1e-15)
	require.InDelta(t, (right[1]+right[2])/(members[1]+members[2]), s.Recall, 1e-15)
	s, err = c.Macro(3)
	require.NoError(t, err)
	require.Equal(t, metrics.Score{}, s)
}

func TestNumbers(t *testing.T) {
	predicted, truth := []float32{1, 2, 3}, []float32{1, 4, 0}
	mse, err := metrics.MSE(predicted, truth)
	require.NoError(t, err)
	require.InDelta(t, 13./3, mse, 1e-15)
	rmse, err := metrics.RMSE(predicted, truth)
	require.NoError(t, err)
	require.InDelta(t, math.Sqrt(13./3), rmse, 1e-15)
	mae, err := metrics.MAE(predicted, truth)
	require.NoError(t, err)
	require.InDelta(t, 5./3, mae, 1e-15)
}

func TestErrors(t *testing.T) {
	c := metrics.NewConfusion(0)
	require.Equal(t, 1, c.Classes())
	require.Zero(t, c.Accuracy())
	for want, run := range map[string]func() error{
		"1 predictions and 2 true values": func() error {
			_, err := metrics.Accuracy([]int{1}, []int{1, 2})
			return err
		},
		"Accuracy: there is nothing": func() error {
			_, err := metrics.Accuracy[int](nil, nil)
			return err
		},
		"Binary: 0 predictions": func() error {
			_, err := metrics.Binary(nil, []bool{true})
			return err
		},
		"there are classes 0 … 1, example 1": func() error {
			_, err := metrics.Confuse([]int{0, 2}, []int{0, 0}, 2)
			return err
		},
		"0 classes": func() error {
			_, err := metrics.Confuse([]int{0}, []int{0}, 0)
			return err
		},
		"classes, want 1 … 16384": func() error {
			_, err := metrics.Confuse([]int{0}, []int{0}, 1<<40)
			return err
		},
		"class -1 predicted":          func() error { return c.Add(-1, 0) },
		"class 1; there are":          func() error { _, err := c.Class(1); return err },
		"there is nothing to measure": func() error { _, err := c.Macro(); return err },
		"MSE: there is nothing": func() error {
			_, err := metrics.MSE[float64](nil, nil)
			return err
		},
		"predicted value 1 is NaN": func() error {
			_, err := metrics.MAE([]float64{0, math.NaN()}, []float64{0, 0})
			return err
		},
		"true value 0 is +Inf": func() error {
			_, err := metrics.RMSE([]float64{0}, []float64{math.Inf(1)})
			return err
		},
	} {
		require.ErrorContains(t, run(), want)
	}
	require.NoError(t, c.Add(0, 0))
	_, err := c.Micro(0, 0)
	require.ErrorContains(t, err, "given twice")
	_, err = c.Macro(7)
	require.ErrorContains(t, err, "class 7")
}
