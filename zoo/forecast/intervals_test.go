package forecast_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
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

// exponential is noise whose quantiles are known, −ln(1 − q), of a spread that a second column
// tells a step ahead: 1 or 4.
func exponential(t *testing.T, n int) *series.Series {
	r := rng.Stream{Key: rng.New(2)}
	var values []float64
	for range n {
		wide := float64(r.Intn(2))
		values = append(values, -math.Log(1-r.Float64())*(1+3*wide), wide)
	}
	s, err := series.New([]string{"y", "wide"}, values)
	require.NoError(t, err)
	return s
}

func fitted(t *testing.T, c forecast.Config, s *series.Series, epochs int) *forecast.Model {
	m := newForecaster(t, c, s)
	task, err := m.Task(forecast.Data{Train: s, Batch: 64})
	require.NoError(t, err)
	adam, err := train.NewAdam(train.AdamConfig{})
	require.NoError(t, err)
	cosine, err := train.NewCosine(train.CosineConfig{LR: 0.02, Total: epochs * task.Len()})
	require.NoError(t, err)
	_, err = train.Fit(context.Background(), task, train.Config{Optimizer: adam, Schedule: cosine,
		Epochs: epochs, Clip: train.Clip{Norm: 1}})
	require.NoError(t, err)
	return m
}

// Forecasts of quantiles are the quantiles of a series that is known, and depend on what is known
// ahead; 90 % intervals hold 88 to 92 % of the true values.
func TestQuantilesAreKnownOnes(t *testing.T) {
	if testing.Short() {
		t.Skip("it trains")
	}
	s := exponential(t, 14000)
	m := fitted(t, forecast.Config{Recurrent: zoo.Recurrent{Cell: "rnn", Hidden: 4}, Lookback: 2,
		Horizon: 1, Level: "none", Known: []string{"wide"}, Quantiles: []float64{0.05, 0.5, 0.95}},
		s.Slice(0, 10000), 20)
	test := s.Slice(10000, 14000)
	for wide, spread := range []float64{1, 4} {
		q, err := m.ForecastQuantiles([][]float64{{1, 0}, {1, 1}}, []float64{float64(wide)})
		require.NoError(t, err)
		for i, p := range []float64{0.05, 0.5, 0.95} {
			require.InDelta(t, -math.Log(1-p)*spread, q[0][0][i], 0.25*spread, "%v", q)
		}
	}
	e, err := m.Evaluate(context.Background(), test)
	require.NoError(t, err)
	covered := e.Below[2] - e.Below[0]
	t.Logf("the quantiles alone hold %.3f", covered)
	require.InDelta(t, 0.9, covered, 0.02)
	require.InDelta(t, 0.5, e.Below[1], 0.03)
	b, err := m.Backtest(context.Background(), test, forecast.BacktestOptions{})
	require.NoError(t, err)
	t.Log(b)
	require.InDelta(t, 0.9, b.Covered, 0.02)
	require.Equal(t, 3998-500, b.Windows)

	// Calibrated intervals hold what they should of what comes after.
	in, err := m.Calibrate(context.Background(), test.Slice(0, 1000), 0.9)
	require.NoError(t, err)
	held := 0.0
	for at := 1000; at < 1900; at++ {
		low, high, err := m.Interval(in, [][]float64{test.Row(at - 2), test.Row(at - 1)},
			test.Row(at)[1:])
		require.NoError(t, err)
		if y := test.Row(at)[0]; low[0][0] <= y && y <= high[0][0] {
			held += 1. / 900
		}
	}
	require.InDelta(t, 0.9, held, 0.03)
}

// On ETTh1, whose level and spread change with the seasons, rolling intervals of 90 % hold 88 to
// 92 % of the true values of the test part.
func TestIntervalsOnETTh1(t *testing.T) {
	if testing.Short() {
		t.Skip("it trains")
	}
	dir := os.Getenv("SEQZOO_DATA")
	if dir == "" {
		dir = "../../../shared/data"
	}
	path := filepath.Join(dir, "timeseries", "ETTh1.csv.gz")
	if _, err := os.Stat(path); err != nil {
		t.Skip("the data are not there: ", path)
	}
	all, err := series.ReadFile(path, series.Options{Skip: []string{"date"}})
	require.NoError(t, err)
	s, err := all.Slice(0, 14400).Select("OT")
	require.NoError(t, err)
	for name, quantiles := range map[string][]float64{"quantiles": {0.05, 0.5, 0.95}, "mean": nil} {
		m := fitted(t, forecast.Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 16},
			Lookback: 48, Patch: 12, Horizon: 24, Quantiles: quantiles}, s.Slice(0, 8640), 2)
		b, err := m.Backtest(context.Background(), s.Slice(11520-48, 14400),
			forecast.BacktestOptions{})
		require.NoError(t, err)
		t.Logf("%s: %v, RMSE %.3f °C, width %.3f °C", name, b, b.RMSE[0], b.Width[0])
		require.InDelta(t, 0.9, b.Covered, 0.02, name)
	}
}

// Margins and coverage by plain loops.
func TestBacktestIsPlainLoops(t *testing.T) {
	data := waves(t, 140)
	c := forecasterConfigs["quantiles"]
	c.Quantiles = []float64{0.1, 0.5, 0.9}
	m := newForecaster(t, c, data)
	zootest.Scramble(m)
	const size, level = 20, 0.8
	b, err := m.Backtest(context.Background(), data, forecast.BacktestOptions{Level: level,
		Window: size})
	require.NoError(t, err)
	L, H := c.Lookback, c.Horizon
	n := data.Len() - L - H + 1
	score := make([][][]float64, n) // [window][h][v]
	for i := range n {
		var history [][]float64
		for k := range L {
			history = append(history, data.Row(i+k))
		}
		q, err := m.ForecastQuantiles(history)
		require.NoError(t, err)
		score[i] = make([][]float64, H)
		for h := range H {
			for v, from := range []int{1, 0} {
				y := data.Row(i + L + h)[from]
				score[i][h] = append(score[i][h], max(q[h][v][0]-y, y-q[h][v][2]))
			}
		}
	}
	held, count := 0, 0
	for i := size + H - 1; i < n; i++ {
		for h := range H {
			for v := range 2 {
				var past []float64
				for j := i - h - size; j < i-h; j++ {
					require.Less(t, j+L+h, i+L, "it is known")
					past = append(past, score[j][h][v])
				}
				slices.Sort(past)
				if score[i][h][v] <= past[int(math.Ceil(float64(size+1)*level))-1]+1e-5 {
					held++
				}
				count++
			}
		}
	}
	require.Equal(t, n-size-H+1, b.Windows)
	require.InDelta(t, float64(held)/float64(count), b.Covered, 0.02)
}

func TestIntervalErrors(t *testing.T) {
	data := waves(t, 60)
	m := newForecaster(t, forecasterConfigs["known"], data)
	ctx := context.Background()
	history := [][]float64{}
	for i := range 6 {
		history = append(history, data.Row(i))
	}
	for want, call := range map[string]func() error{
		"the level is 1": func() error { _, err := m.Calibrate(ctx, data, 1); return err },
		"take at least 999": func() error {
			_, err := m.Calibrate(ctx, data, 0.999)
			return err
		},
		"intervals of 0.9 take at least 9": func() error {
			_, err := m.Backtest(ctx, data, forecast.BacktestOptions{Window: 8})
			return err
		},
		"the series has 51 windows": func() error {
			_, err := m.Backtest(ctx, data, forecast.BacktestOptions{})
			return err
		},
		"a Window of 9223372036854775807 with a horizon of 4": func() error {
			_, err := m.Backtest(ctx, data, forecast.BacktestOptions{Window: math.MaxInt})
			return err
		},
		"are none that Calibrate made": func() error {
			_, _, err := m.Interval(nil, history)
			return err
		},
		"there are 0 rows ahead; want 4": func() error {
			_, err := m.Forecast(history)
			return err
		},
		"row 0 ahead has 2 values": func() error {
			_, err := m.Forecast(history, []float64{1, 2}, nil, nil, nil)
			return err
		},
		"a is NaN at row 7": func() error {
			_, err := m.Forecast(history, []float64{1}, []float64{math.NaN()}, []float64{1},
				[]float64{1})
			return err
		},
	} {
		require.ErrorContains(t, call(), want)
	}
	plain := newForecaster(t, forecasterConfigs["together"], data)
	_, err := plain.Forecast(history, []float64{1})
	require.ErrorContains(t, err, "no variable is known ahead")
}

func TestQuantileConfigErrors(t *testing.T) {
	gru := zoo.Recurrent{Cell: "gru", Hidden: 2}
	scale := &series.Scale{Mean: []float64{0, 0}, Deviation: []float64{1, 1}}
	for want, c := range map[string]forecast.Config{
		`known "x" is no`: {Recurrent: gru, Lookback: 1, Horizon: 1, Variables: []string{"a", "b"},
			Known: []string{"x"}},
		`"a" is known ahead, and a target`: {Recurrent: gru, Lookback: 1, Horizon: 1,
			Variables: []string{"a", "b"}, Known: []string{"a"}, Targets: []string{"a"}},
		"nothing to forecast": {Recurrent: gru, Lookback: 1, Horizon: 1,
			Variables: []string{"a", "b"}, Known: []string{"a", "b"}},
		"must not be more than lookback": {Recurrent: gru, Lookback: 1, Horizon: 2,
			Variables: []string{"a", "b"}, Known: []string{"a"}},
		"known must be left": {Recurrent: gru, Lookback: 1, Horizon: 1, Shared: true,
			Variables: []string{"a", "b"}, Known: []string{"a"}},
		"in ascending order": {Recurrent: gru, Lookback: 1, Horizon: 1,
			Variables: []string{"a", "b"}, Quantiles: []float64{0.9, 0.5}},
		"want 0.5 among them": {Recurrent: gru, Lookback: 1, Horizon: 1,
			Variables: []string{"a", "b"}, Quantiles: []float64{0.9}},
	} {
		_, err := forecast.New(c, scale, 1)
		require.ErrorContains(t, err, want)
	}
}
