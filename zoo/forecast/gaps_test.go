package forecast_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/forecast"
	"github.com/seqzoo/seqzoo/zoo/internal/zootest"
	"github.com/seqzoo/seqzoo/zoo/series"
)

// holes are a series without a share of its values.
func holes(t *testing.T, s *series.Series, share float64) *series.Series {
	r := rng.Stream{Key: rng.New(9)}
	values := slices.Clone(s.Values)
	for i := range values {
		if r.Float64() < share {
			values[i] = math.NaN()
		}
	}
	g, err := series.NewGaps(s.Names, values)
	require.NoError(t, err)
	return g
}

// A forecast of a window with gaps is that of the window filled by hand, and with masks depends on
// where the gaps were.
func TestForecastFillsGaps(t *testing.T) {
	s := waves(t, 40)
	nan := math.NaN()
	history := [][]float64{{nan, 1, nan}, {2, nan, nan}, {nan, nan, nan}, {4, 5, nan}}
	for gaps, filled := range map[forecast.Gaps][][]float64{
		"last": {{2, 1, 0}, {2, 1, 0}, {2, 1, 0}, {4, 5, 0}},
		"mean": {{0, 1, 0}, {2, 0, 0}, {0, 0, 0}, {4, 5, 0}},
		"mask": {{2, 1, 0}, {2, 1, 0}, {2, 1, 0}, {4, 5, 0}},
	} {
		m := newForecaster(t, forecast.Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 4},
			Lookback: 4, Horizon: 2, Gaps: gaps}, s)
		zootest.Scramble(m)
		for t, row := range filled {
			for i, x := range row {
				if x == 0 {
					filled[t][i] = m.Scale().Mean[i]
				}
			}
		}
		got, err := m.Forecast(history)
		require.NoError(t, err)
		want, err := m.Forecast(filled)
		require.NoError(t, err)
		if gaps == "mask" {
			require.NotEqual(t, want, got)
			continue
		}
		require.Equal(t, want, got, gaps)
		session := m.NewSession()
		for _, row := range history {
			require.NoError(t, session.Push(row))
		}
		state, err := session.State()
		require.NoError(t, err)
		b, err := state.MarshalBinary()
		require.NoError(t, err)
		require.NoError(t, state.UnmarshalBinary(b))
		session = m.NewSession()
		require.NoError(t, session.SetState(state))
		got, err = session.Forecast()
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	m := newForecaster(t, forecast.Config{Recurrent: zoo.Recurrent{Hidden: 2}, Lookback: 4,
		Horizon: 2}, s)
	_, err := m.Forecast(history)
	require.ErrorContains(t, err, "a is NaN at row 0: want a finite number; a model with Gaps "+
		"takes gaps")
}

// Targets that are not known count nothing: gradients are those of the loss, and the errors are
// those of the others.
func TestGapsInTargets(t *testing.T) {
	s := holes(t, waves(t, 30), 0.3)
	for _, quantiles := range [][]float64{nil, {0.5}} {
		for _, gaps := range []forecast.Gaps{"mask", "mean"} {
			m := newForecaster(t, forecast.Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 3},
				Lookback: 5, Horizon: 3, Gaps: gaps, Quantiles: quantiles, Float64: true}, s)
			zootest.Scramble(m)
			task, err := m.Task(forecast.Data{Train: s, Batch: 30})
			require.NoError(t, err)
			if quantiles == nil { // differences would cross the kinks of the pinball loss
				zootest.CheckGradients(t, task)
			}
			b, err := task.Next(0, 0)
			require.NoError(t, err)
			e, err := m.Evaluate(context.Background(), s)
			require.NoError(t, err)
			want := e.MSE
			if quantiles != nil {
				want = e.Pinball
			}
			require.InDelta(t, want, b.Loss, 1e-12)
			sum, n := 0.0, 0
			for at := 0; at+8 <= s.Len(); at++ {
				var history [][]float64
				for t := range 5 {
					history = append(history, s.Row(at+t))
				}
				y, err := m.Forecast(history)
				require.NoError(t, err)
				for h, row := range y {
					for v, x := range row {
						if truth := s.Row(at + 5 + h)[v]; !math.IsNaN(truth) {
							d := (x - truth) / m.Scale().Deviation[v]
							sum, n = sum+d*d, n+1
						}
					}
				}
			}
			require.InDelta(t, sum/float64(n), e.MSE, 1e-9)
		}
	}
	only, err := series.NewGaps([]string{"a", "b"}, []float64{1, 1, 2, 2, 3, math.NaN()})
	require.NoError(t, err)
	m := newForecaster(t, forecast.Config{Recurrent: zoo.Recurrent{Hidden: 2}, Lookback: 2,
		Horizon: 1, Gaps: "last"}, only)
	_, err = m.Evaluate(context.Background(), only)
	require.ErrorContains(t, err, "no value of b is known behind the windows")
	whole, err := series.New(only.Names, []float64{1, 1, 2, 2, 3, 3})
	require.NoError(t, err)
	for want, data := range map[string]forecast.Data{
		"training: no value of b is known":   {Train: only},
		"validation: no value of b is known": {Train: whole, Valid: only},
	} {
		_, err = m.Task(data)
		require.ErrorContains(t, err, want)
	}
}

// Masks and fillings learn a series with gaps, and intervals go by what is known.
func TestGapsAreLearned(t *testing.T) {
	if testing.Short() {
		t.Skip("it trains")
	}
	s := waves(t, 700)
	full, err := s.Select("a")
	require.NoError(t, err)
	gappy := holes(t, full, 0.2)
	for _, gaps := range []forecast.Gaps{"last", "mean", "mask"} {
		m := fitted(t, forecast.Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 12},
			Lookback: 12, Horizon: 2, Gaps: gaps}, gappy.Slice(0, 400), 20)
		e, err := m.Evaluate(context.Background(), gappy.Slice(400, 700))
		require.NoError(t, err)
		t.Logf("%s: MSE %.4f", gaps, e.MSE)
		require.Less(t, e.MSE, 0.15)
		b, err := m.Backtest(context.Background(), gappy.Slice(400, 700),
			forecast.BacktestOptions{Window: 100})
		require.NoError(t, err)
		require.InDelta(t, 0.9, b.Covered, 0.08)
		_, err = m.Calibrate(context.Background(), gappy.Slice(400, 700), 0.9)
		require.NoError(t, err)
	}
}

// Series of several shops are learned side by side, told apart by what is static, and windows do
// not reach from one into the next.
func TestStatic(t *testing.T) {
	var all []*series.Series
	r := rng.Stream{Key: rng.New(4)}
	for shop := range 4 { // rises as fast as the shop's number says
		var values []float64
		for i := range 60 {
			values = append(values, float64(shop*i)+0.1*r.Normal(), float64(shop))
		}
		s, err := series.New([]string{"sales", "shop"}, values)
		require.NoError(t, err)
		all = append(all, s)
	}
	scale, err := all[0].Scale(all[1:]...)
	require.NoError(t, err)
	errors := map[bool]float64{}
	for _, static := range []bool{false, true} {
		cfg := forecast.Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 8}, Lookback: 1,
			Horizon: 1, Level: "last", Variables: []string{"sales", "shop"},
			Targets: []string{"sales"}}
		if static {
			cfg.Static, cfg.Targets = []string{"shop"}, nil
		}
		m, err := forecast.New(cfg, scale, 1)
		require.NoError(t, err)
		task, err := m.Task(forecast.Data{Train: all[0], More: all[1:]})
		require.NoError(t, err)
		require.Equal(t, (4*59+31)/32, task.Len())
		adam, err := train.NewAdam(train.AdamConfig{LR: 0.01})
		require.NoError(t, err)
		_, err = train.Fit(context.Background(), task, train.Config{Optimizer: adam, Epochs: 40})
		require.NoError(t, err)
		for _, s := range all {
			e, err := m.Evaluate(context.Background(), s)
			require.NoError(t, err)
			errors[static] += e.RMSE[0] / 4
		}
	}
	t.Logf("RMSE without and with the static variable: %.3f, %.3f", errors[false], errors[true])
	require.Less(t, errors[true], errors[false]/2)
	for want, cfg := range map[string]forecast.Config{
		"static \"x\" is no variable": {Static: []string{"x"}},
		"\"shop\" is static, and a target or known ahead": {Static: []string{"shop"},
			Known: []string{"shop"}},
		"static must be left out": {Static: []string{"shop"}, Shared: true,
			Targets: []string{"sales", "shop"}},
		"gaps is \"all\"": {Gaps: "all"},
	} {
		cfg.Recurrent, cfg.Variables, cfg.Lookback, cfg.Horizon = zoo.Recurrent{Hidden: 2},
			[]string{"sales", "shop"}, 2, 1
		require.ErrorContains(t, cfg.Validate(), want)
	}
	m, err := forecast.New(forecast.Config{Recurrent: zoo.Recurrent{Hidden: 2}, Lookback: 1,
		Horizon: 1, Variables: []string{"sales", "shop"}}, scale, 1)
	require.NoError(t, err)
	_, err = m.Task(forecast.Data{Train: all[0], More: []*series.Series{all[1], nil}})
	require.ErrorContains(t, err, "series 1 of More: there is no series")
}
