package metrics_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	_ "github.com/seqzoo/seqzoo/internal/testkit" // one seed

	"github.com/seqzoo/seqzoo/zoo/metrics"
)

// scored draws scores with many ties, and both labels.
func scored(t *rapid.T) (scores []float64, positive []bool) {
	n := rapid.IntRange(2, 30).Draw(t, "n")
	for i := range n {
		scores = append(scores, float64(rapid.IntRange(-4, 4).Draw(t, "score")))
		positive = append(positive, i == 0 || i > 1 && rapid.Bool().Draw(t, "positive"))
	}
	return scores, positive
}

func TestROCAUCCountsPairs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scores, positive := scored(t)
		var won, pairs float64
		for i, p := range positive {
			for j, q := range positive {
				if p && !q {
					pairs++
					if scores[i] > scores[j] {
						won++
					} else if scores[i] == scores[j] {
						won += 0.5
					}
				}
			}
		}
		got, err := metrics.ROCAUC(scores, positive)
		require.NoError(t, err)
		require.InDelta(t, won/pairs, got, 1e-12)
	})
}

func TestBestF1IsBest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scores, positive := scored(t)
		best, err := metrics.BestF1(scores, positive)
		require.NoError(t, err)
		again, err := metrics.DetectAbove(best.Threshold, scores, positive)
		require.NoError(t, err)
		require.Equal(t, best, again, "the threshold gives what was promised")
		for _, threshold := range append(scores, -5) {
			d, err := metrics.DetectAbove(threshold, scores, positive)
			require.NoError(t, err)
			require.LessOrEqual(t, d.F1(), best.F1())
		}
	})
}

func TestDetectAbove(t *testing.T) {
	d, err := metrics.DetectAbove(2, []float64{1, 2, 3, 4, 5},
		[]bool{true, false, false, true, true})
	require.NoError(t, err)
	require.Equal(t, metrics.Detection{Threshold: 2, TruePositives: 2, FalsePositives: 1,
		FalseNegatives: 1, TrueNegatives: 1}, d)
	require.InDelta(t, 2./3, d.Precision(), 1e-15)
	require.InDelta(t, 2./3, d.Recall(), 1e-15)
	require.InDelta(t, 2./3, d.F1(), 1e-15)
	require.InDelta(t, 0.5, d.FalsePositiveRate(), 1e-15)
	require.Zero(t, metrics.Detection{TrueNegatives: 1}.Precision())
}

func TestQuantile(t *testing.T) {
	values := []float64{4, 1, 3, 2}
	for q, want := range map[float64]float64{0: 1, 0.25: 1, 0.26: 2, 0.5: 2, 0.75: 3, 1: 4} {
		got, err := metrics.Quantile(values, q)
		require.NoError(t, err)
		require.Equal(t, want, got, "%g", q)
	}
	require.Equal(t, []float64{4, 1, 3, 2}, values)
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[i] = float64(i + 1)
	}
	for i := 1; i <= 100; i++ { // 0.07·100 is above 7, by rounding
		got, err := metrics.Quantile(hundred, float64(i)/100)
		require.NoError(t, err)
		require.Equal(t, float64(i), got)
	}
	require.InDelta(t, 20, metrics.PSNR(0.01, 1), 1e-12)
	require.Equal(t, math.Inf(1), metrics.PSNR(0, 1))
	require.Equal(t, math.Inf(1), metrics.PSNR(0, 0), "a constant that comes back")
	require.Equal(t, math.Inf(-1), metrics.PSNR(1, 0), "a constant that does not")
	require.InDelta(t, 4000, metrics.PSNR(1, 1e200), 1e-9, "a peak whose square overflows")
}

func TestDetectionErrors(t *testing.T) {
	for want, call := range map[string]func() error{
		"1 scores and 2 labels": func() error {
			_, err := metrics.ROCAUC([]float64{1}, []bool{true, false})
			return err
		},
		"2 of 2 are positive": func() error {
			_, err := metrics.ROCAUC([]float64{1, 2}, []bool{true, true})
			return err
		},
		"0 of 0 are positive": func() error { _, err := metrics.BestF1(nil, nil); return err },
		"score 1 is NaN": func() error {
			_, err := metrics.BestF1([]float64{1, math.NaN()}, []bool{true, false})
			return err
		},
		"2 scores and 0 labels": func() error {
			_, err := metrics.DetectAbove(0, []float64{1, 2}, nil)
			return err
		},
		"score 0 is NaN": func() error {
			_, err := metrics.DetectAbove(1, []float64{math.NaN()}, []bool{true})
			return err
		},
		"threshold is NaN": func() error {
			_, err := metrics.DetectAbove(math.NaN(), []float64{1}, []bool{true})
			return err
		},
		"too large to add up": func() error {
			_, err := metrics.MSE([]float64{1e200},
				[]float64{-1e200})
			return err
		},
		"there are no values": func() error { _, err := metrics.Quantile(nil, 0.5); return err },
		"q is 2": func() error {
			_, err := metrics.Quantile([]float64{1},
				2)
			return err
		},
		"value 0 is NaN": func() error {
			_, err := metrics.Quantile([]float64{math.NaN()},
				0.5)
			return err
		},
	} {
		require.ErrorContains(t, call(), want)
	}
}
