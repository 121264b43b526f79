package forecast_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/forecast"
	"github.com/seqzoo/seqzoo/zoo/internal/zootest"
	"github.com/seqzoo/seqzoo/zoo/series"
)

// waves are two waves of a period of 12, one of them large and drifting, and a line.
func waves(t *testing.T, n int) *series.Series {
	var values []float64
	for i := range n {
		x := 2 * math.Pi * float64(i) / 12
		values = append(values, math.Sin(x), 100+0.1*float64(i)+5*math.Cos(x), 3)
	}
	s, err := series.New([]string{"a", "b", "c"}, values)
	require.NoError(t, err)
	return s
}

func newForecaster(t *testing.T, c forecast.Config, s *series.Series) *forecast.Model {
	c.Variables = s.Names
	scale, err := s.Scale()
	require.NoError(t, err)
	m, err := forecast.New(c, scale, 1)
	require.NoError(t, err)
	return m
}

var forecasterConfigs = map[string]forecast.Config{
	"together": {Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 3}, Lookback: 6, Horizon: 4},
	"one value": {Recurrent: zoo.Recurrent{Cell: "rnn", Hidden: 2}, Lookback: 5, Horizon: 1,
		Targets: []string{"b"}, Level: "none"},
	"some": {Recurrent: zoo.Recurrent{Hidden: 3, Layers: 2}, Lookback: 6, Patch: 3,
		Horizon: 2, Targets: []string{"c", "a"}, Level: "mean"},
	"shared": {Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 3}, Lookback: 6, Horizon: 4,
		Shared: true},
	"shared, patch": {Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 3}, Lookback: 12, Patch: 4,
		Horizon: 5, Shared: true, Level: "mean"},
	"quantiles": {Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 3}, Lookback: 6, Horizon: 4,
		Targets: []string{"b", "a"}, Quantiles: []float64{0.1, 0.5, 0.7}},
	"quantiles, shared": {Recurrent: zoo.Recurrent{Cell: "rnn", Hidden: 3}, Lookback: 6, Patch: 2,
		Horizon: 3, Shared: true, Quantiles: []float64{0.5, 0.9}, Level: "none"},
	"mask": {Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 3}, Lookback: 6, Horizon: 4,
		Gaps: "mask", Quantiles: []float64{0.5, 0.8}, Targets: []string{"b"}},
	"mask, shared, patch": {Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 3}, Lookback: 6, Patch: 2,
		Horizon: 3, Shared: true, Gaps: "mask"},
	"known, static, mask": {Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 3}, Lookback: 6, Patch: 3,
		Horizon: 2, Known: []string{"a"}, Static: []string{"c"}, Gaps: "mask"},
	"gaps": {Recurrent: zoo.Recurrent{Cell: "rnn", Hidden: 3}, Lookback: 6, Horizon: 2,
		Gaps: "mean", Level: "mean"},
	"known": {Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 3}, Lookback: 6, Patch: 2, Horizon: 4,
		Known: []string{"a"}, Quantiles: []float64{0.5}},
}

func TestForecasterGradients(t *testing.T) {
	for name, c := range forecasterConfigs {
		for _, s := range []unroll.Strategy{unroll.Scan, unroll.Expand} {
			t.Run(name+"/"+s.String(), func(t *testing.T) {
				c.Float64 = true
				data := waves(t, c.Lookback+c.Horizon+3)
				m := newForecaster(t, c, data)
				zootest.Scramble(m)
				task, err := m.Task(forecast.Data{Train: data, Batch: 8, Unroll: s})
				require.NoError(t, err)
				require.Equal(t, 1, task.Len())
				zootest.CheckGradients(t, task)
			})
		}
	}
}

// What Evaluate measures is what Forecast says, in the units of the series.
func TestForecastsAreWhatIsEvaluated(t *testing.T) {
	for name, c := range forecasterConfigs {
		t.Run(name, func(t *testing.T) {
			data := waves(t, 90)
			m := newForecaster(t, c, data)
			zootest.Scramble(m)
			c := m.Config()
			part := data.Slice(10, 90)
			e, err := m.Evaluate(context.Background(), part)
			require.NoError(t, err)
			require.Equal(t, 80-c.Lookback-c.Horizon+1, e.Windows)
			var mse, mae float64
			n := 0.
			for end := c.Lookback; end+c.Horizon <= part.Len(); end++ {
				var history [][]float64
				for i := range end {
					history = append(history, part.Row(i))
				}
				var ahead [][]float64
				for h := range c.Horizon {
					if len(c.Known) > 0 {
						ahead = append(ahead, part.Row(end + h)[:1])
					}
				}
				got, err := m.Forecast(history, ahead...)
				require.NoError(t, err)
				require.Len(t, got, c.Horizon)
				for h, row := range got {
					require.Len(t, row, len(c.Targets))
					for v, target := range c.Targets {
						i := strings.Index("abc", target)
						d := (row[v] - part.Row(end + h)[i]) / m.Scale().Deviation[i]
						mse, mae, n = mse+d*d, mae+math.Abs(d), n+1
					}
				}
			}
			require.InEpsilon(t, mse/n, e.MSE, 1e-4)
			require.InEpsilon(t, mae/n, e.MAE, 1e-4)

			dir := t.TempDir()
			require.NoError(t, m.Save(dir))
			loaded, err := forecast.Load(dir)
			require.NoError(t, err)
			again, err := loaded.Evaluate(context.Background(), part)
			require.NoError(t, err)
			require.Equal(t, e, again)
			content, err := os.ReadFile(filepath.Join(dir, "scale.json"))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(dir, "scale.json"),
				[]byte(strings.Replace(string(content), "3", "4", 1)), 0o666))
			_, err = zoo.Load(dir)
			require.Error(t, err)
		})
	}
}

// A shared forecast of a variable does not see the others, and a level moves with the series.
func TestForecasterSharedAndLevel(t *testing.T) {
	m := newForecaster(t, forecasterConfigs["shared"], waves(t, 50))
	zootest.Scramble(m)
	var history [][]float64
	for i := range 6 {
		history = append(history, []float64{float64(i), 100, 3})
	}
	before, err := m.Forecast(history)
	require.NoError(t, err)
	for i := range history {
		history[i][1] += 50
		history[i][2] *= float64(i)
	}
	after, err := m.Forecast(history)
	require.NoError(t, err)
	for h := range before {
		require.Equal(t, before[h][0], after[h][0], "it does not see the others")
		require.InDelta(t, before[h][1]+50, after[h][1], 1e-3, "its level moves")
	}
}

func TestForecasterLearns(t *testing.T) {
	if testing.Short() {
		t.Skip("it trains")
	}
	data := waves(t, 400)
	for name, c := range map[string]forecast.Config{
		"together": {Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 24}, Lookback: 24, Horizon: 12},
		"shared": {Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 24}, Lookback: 24, Horizon: 12,
			Patch: 4, Shared: true},
	} {
		m := newForecaster(t, c, data.Slice(0, 300))
		task, err := m.Task(forecast.Data{Train: data.Slice(0, 300), Valid: data.Slice(276, 400),
			Batch: 16})
		require.NoError(t, err)
		adam, err := train.NewAdam(train.AdamConfig{LR: 0.01})
		require.NoError(t, err)
		result, err := train.Fit(context.Background(), task,
			train.Config{Optimizer: adam, Epochs: 12, Clip: train.Clip{Norm: 1}})
		require.NoError(t, err)
		require.Less(t, zootest.Last(result, "valid_loss"), 0.01, name)
	}
}

func TestForecasterErrors(t *testing.T) {
	gru := zoo.Recurrent{Cell: "gru", Hidden: 2}
	scale := &series.Scale{Mean: []float64{0, 0}, Deviation: []float64{1, 1}}
	for want, c := range map[string]forecast.Config{
		"variables are 0": {Recurrent: gru, Lookback: 1, Horizon: 1},
		"comes twice": {Recurrent: gru, Lookback: 1, Horizon: 1,
			Variables: []string{"a", "a"}},
		`target "x" is no`: {Recurrent: gru, Lookback: 1, Horizon: 1,
			Variables: []string{"a", "b"}, Targets: []string{"x"}},
		"lookback is 0": {Recurrent: gru, Horizon: 1, Variables: []string{"a", "b"}},
		"horizon is 0":  {Recurrent: gru, Lookback: 1, Variables: []string{"a", "b"}},
		"patch is 2, want a": {Recurrent: gru, Lookback: 3, Patch: 2, Horizon: 1,
			Variables: []string{"a", "b"}},
		"patch is -1": {Recurrent: gru, Lookback: 3, Patch: -1, Horizon: 1,
			Variables: []string{"a", "b"}},
		`level is "max"`: {Recurrent: gru, Lookback: 1, Horizon: 1,
			Variables: []string{"a", "b"}, Level: "max"},
		"targets must be left": {Recurrent: gru, Lookback: 1, Horizon: 1,
			Variables: []string{"a", "b"}, Targets: []string{"a"}, Shared: true},
		"2 means and 2 deviation": {Recurrent: gru, Lookback: 1, Horizon: 1,
			Variables: []string{"a"}},
	} {
		_, err := forecast.New(c, scale, 1)
		require.ErrorContains(t, err, want)
	}
	ok := forecast.Config{Recurrent: gru, Lookback: 3, Horizon: 2, Variables: []string{"a", "b"}}
	_, err := forecast.New(ok, nil, 1)
	require.ErrorContains(t, err, "needs the scale")
	m, err := forecast.New(ok, scale, 1)
	require.NoError(t, err)
	for want, shape := range map[string][]int{
		"x is [5 3 2], which looks like [B, T, In]; want [T, B, In]: transpose": {5, 3, 2},
		"a window of 5 steps of 2 numbers: want 3 of 2":                         {5, 4, 2},
	} {
		require.ErrorContains(t, nodes.Try(func() {
			m.Forward(nodes.NewGraph(nodes.Options{}).Input("x", shape...), unroll.Scan)
		}), want)
	}
	_, err = forecast.New(ok, &series.Scale{Mean: []float64{0, 0}, Deviation: []float64{1, 0}}, 1)
	require.ErrorContains(t, err, "the deviation 0")
	short := waves(t, 4)
	two, err := short.Select("a", "b")
	require.NoError(t, err)
	for want, run := range map[string]func() error{
		"there is no series": func() error {
			_, err := m.Task(forecast.Data{})
			return err
		},
		"the series has the variables": func() error {
			_, err := m.Task(forecast.Data{Train: short})
			return err
		},
		"has 4 times; a window and what": func() error {
			_, err := m.Evaluate(context.Background(), two)
			return err
		},
		"the history has 2 rows": func() error {
			_, err := m.Forecast([][]float64{{1, 2}, {3, 4}})
			return err
		},
		"row 1 has 1 values": func() error {
			_, err := m.Forecast([][]float64{{1, 2}, {3}, {1, 2}})
			return err
		},
		"b is NaN at row 3": func() error {
			_, err := m.Forecast([][]float64{{0, 0}, {1, 2}, {3, 3}, {1, math.NaN()}})
			return err
		},
	} {
		require.ErrorContains(t, run(), want)
	}
}

// Several series are measured, and validated on, as if their windows were those of one: the means
// over all windows, without any that reaches from one series into the next.
func TestEvaluateSeveral(t *testing.T) {
	made := func(n int, phase float64) *series.Series {
		values := make([]float64, n)
		for i := range values {
			values[i] = math.Sin(float64(i)*0.7 + phase)
		}
		s, err := series.New([]string{"x"}, values)
		require.NoError(t, err)
		return s
	}
	a, b, c := made(30, 0), made(12, 1), made(21, 2)
	scale, err := a.Scale(b, c)
	require.NoError(t, err)
	m, err := forecast.New(forecast.Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 3},
		Variables: a.Names, Lookback: 6, Horizon: 2, Quantiles: []float64{0.2, 0.5}}, scale, 1)
	require.NoError(t, err)
	ctx := context.Background()
	all, err := m.Evaluate(ctx, a, b, c)
	require.NoError(t, err)
	mse, pinball, windows := 0.0, 0.0, 0
	for _, s := range []*series.Series{a, b, c} {
		e, err := m.Evaluate(ctx, s)
		require.NoError(t, err)
		mse, pinball = mse+e.MSE*float64(e.Windows), pinball+e.Pinball*float64(e.Windows)
		windows += e.Windows
	}
	require.Equal(t, windows, all.Windows)
	require.InDelta(t, mse/float64(windows), all.MSE, 1e-12)
	require.InDelta(t, pinball/float64(windows), all.Pinball, 1e-12)

	task, err := m.Task(forecast.Data{Train: a, Valid: a, MoreValid: []*series.Series{b, c}})
	require.NoError(t, err)
	measured, err := task.Validate(ctx)
	require.NoError(t, err)
	require.InDelta(t, all.Pinball, measured["valid_loss"], 1e-12)

	for want, d := range map[string]forecast.Data{
		"validation: there is no series": {Train: a, MoreValid: []*series.Series{b}},
		"validation: series 2 behind the first: the series has 7 times": {Train: a, Valid: a,
			MoreValid: []*series.Series{b, made(7, 0)}},
		"validation: series 1 behind the first: there is no series": {Train: a, Valid: a,
			MoreValid: []*series.Series{nil}},
	} {
		_, err := m.Task(d)
		require.ErrorContains(t, err, want)
	}
}
