package forecast_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/forecast"
	"github.com/seqzoo/seqzoo/zoo/internal/zootest"
	"github.com/seqzoo/seqzoo/zoo/series"
)

// Models are fitted to what is known alone, each row is forecast as often as a single model would,
// and the errors are those of plain loops.
func TestRolling(t *testing.T) {
	ctx, s := context.Background(), waves(t, 41)
	var known []int
	fit := func(_ context.Context, fold int, part *series.Series) (*forecast.Model, error) {
		require.Equal(t, len(known), fold)
		known = append(known, part.Len())
		m := newForecaster(t, forecast.Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 3},
			Lookback: 6, Horizon: 3}, part)
		zootest.Scramble(m)
		return m, nil
	}
	for _, window := range []int{0, 12} {
		known = nil
		o := forecast.RollingOptions{From: 20, Every: 8, Window: window, Fit: fit}
		r, err := forecast.Rolling(ctx, s, o)
		require.NoError(t, err)
		if window == 0 {
			require.Equal(t, []int{20, 28, 36}, known)
		} else {
			require.Equal(t, []int{12, 12, 12}, known)
		}
		require.Len(t, r.Folds, 3)
		require.Equal(t, []int{20, 30}, []int{r.Folds[0].From, r.Folds[0].To})
		require.Equal(t, []int{36, 41}, []int{r.Folds[2].From, r.Folds[2].To})
		sums, n := make([]float64, 3), 0.0
		known = nil
		for at := 20; at+3 <= 41; at++ {
			fitted := 20 + (at-20)/8*8
			first := 0
			if window > 0 {
				first = fitted - window
			}
			known = known[:0]
			m, err := fit(ctx, 0, s.Slice(first, fitted))
			require.NoError(t, err)
			var history [][]float64
			for row := at - 6; row < at; row++ {
				history = append(history, s.Row(row))
			}
			y, err := m.Forecast(history)
			require.NoError(t, err)
			for h := range 3 {
				for v, x := range y[h] {
					sums[v] += (x - s.Row(at + h)[v]) * (x - s.Row(at + h)[v])
				}
			}
			n += 3
		}
		for v := range sums {
			require.InDelta(t, math.Sqrt(sums[v]/n), r.RMSE[v], 1e-4*(1+r.RMSE[v]))
		}
	}
	for want, o := range map[string]forecast.RollingOptions{
		"Fit is nil":                  {From: 20, Every: 8},
		"From is 0":                   {Every: 8, Fit: fit},
		"Every is 0":                  {From: 20, Fit: fit},
		"a model reads 6 rows before": {From: 5, Every: 8, Fit: fit},
		"nothing can be forecast":     {From: 41, Every: 8, Fit: fit},
		"From is 40, and the series has 41 rows: nothing can": {From: 40, Every: 8, Fit: fit},
		"before 20: too bad": {From: 20, Every: 8, Fit: func(context.Context, int,
			*series.Series) (*forecast.Model, error) {
			return nil, errors.New("too bad")
		}},
	} {
		known = nil
		_, err := forecast.Rolling(ctx, s, o)
		require.ErrorContains(t, err, want)
	}
	_, err := forecast.Rolling(ctx, nil, forecast.RollingOptions{From: 1, Every: 1, Fit: fit})
	require.ErrorContains(t, err, "there is no series")
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = forecast.Rolling(cancelled, s, forecast.RollingOptions{From: 20, Every: 8, Fit: fit})
	require.ErrorIs(t, err, context.Canceled)
}
