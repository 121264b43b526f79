package metrics_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/zoo/metrics"
)

func TestCorrelation(t *testing.T) {
	for name, c := range map[string]struct{ x, y []float64 }{
		"a line":         {[]float64{1, 2, 3}, []float64{10, 20, 30}},
		"falls":          {[]float64{3, 1, 2}, []float64{-3, -1, -2}},
		"rises unevenly": {[]float64{1, 2, 3, 4}, []float64{1, 10, 100, 1000}},
		"huge":           {[]float64{1e308, -1e308, 0}, []float64{1e-308, -1e-308, 0}},
		"ties":           {[]float64{1, 1, 2, 2}, []float64{5, 5, 9, 9}},
		"tiny":           {[]float64{0, math.SmallestNonzeroFloat64}, []float64{1, 2}},
	} {
		p, err := metrics.Pearson(c.x, c.y)
		require.NoError(t, err)
		s, err := metrics.Spearman(c.x, c.y)
		require.NoError(t, err)
		sign := 1.0
		if name == "falls" {
			sign = -1
		}
		require.InDelta(t, sign, s, 1e-12, name)
		if name == "rises unevenly" {
			require.InDelta(t, 1543.5/math.Sqrt(5*701520.75), p, 1e-12) // worked by hand
		} else {
			require.InDelta(t, sign, p, 1e-12, name)
		}
	}
	// Without ties it is 1 − 6·Σd²/(n(n²−1)).
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{2, 3, 17, 100} {
		x, y := r.Perm(n), r.Perm(n)
		a, b, d := make([]float64, n), make([]float64, n), 0.0
		for i := range n {
			a[i], b[i] = math.Exp(float64(x[i])/10), float64(y[i])
			d += float64((x[i] - y[i]) * (x[i] - y[i]))
		}
		s, err := metrics.Spearman(a, b)
		require.NoError(t, err)
		require.InDelta(t, 1-6*d/float64(n*(n*n-1)), s, 1e-12)
	}
	for _, still := range [][]float64{{0.1, 0.1, 0.1}, {0, 0, 0}} {
		_, err := metrics.Spearman(still, []float64{1, 2, 3})
		require.ErrorContains(t, err, "list 1 does not vary")
		_, err = metrics.Pearson([]float64{1, 2, 3}, still)
		require.ErrorContains(t, err, "list 2 does not vary")
	}
	for want, c := range map[string]struct{ x, y []float64 }{
		"2 numbers and 1":    {[]float64{1, 2}, []float64{1}},
		"nothing to measure": {},
		"number 1 is NaN":    {[]float64{1, math.NaN()}, []float64{1, 2}},
		"number 0 is -Inf":   {[]float64{1, 2}, []float64{math.Inf(-1), 2}},
	} {
		_, err := metrics.Spearman(c.x, c.y)
		require.ErrorContains(t, err, want)
		_, err = metrics.Pearson(c.x, c.y)
		require.ErrorContains(t, err, want)
	}
}
