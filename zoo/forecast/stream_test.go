package forecast_test

import (
	"context"
	"iter"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/forecast"
	"github.com/seqzoo/seqzoo/zoo/series"
)

// oneByOne gives series of one variable.
func oneByOne(all ...[]float64) iter.Seq2[*series.Series, error] {
	return func(yield func(*series.Series, error) bool) {
		for _, values := range all {
			if !yield(series.NewGaps([]string{"x"}, values)) {
				return
			}
		}
	}
}

// wave is a series of so many times.
func wave(T int) []float64 {
	x := make([]float64, T)
	for t := range x {
		x[t] = math.Sin(float64(t) / 3)
	}
	return x
}

func streamModel(t *testing.T, gaps forecast.Gaps) *forecast.Model {
	scale, err := series.ScaleFrom(oneByOne(wave(100)))
	require.NoError(t, err)
	m, err := forecast.New(forecast.Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 8},
		Lookback: 6, Horizon: 2, Variables: []string{"x"}, Gaps: gaps}, scale, 1)
	require.NoError(t, err)
	return m
}

// A stream gives the windows that its series have, none from one into the next, in buffers of any
// size; as one buffer, and in the order of the data, they are those of Train and More.
func TestStreamOfSeries(t *testing.T) {
	lengths := []int{8, 30, 9, 8}
	var all [][]float64
	var at []*series.Series
	for _, T := range lengths {
		all = append(all, wave(T))
		s, err := series.New([]string{"x"}, wave(T))
		require.NoError(t, err)
		at = append(at, s)
	}
	loss := func(d forecast.Data) (sum float64) {
		d.Batch = 1
		task, err := streamModel(t, forecast.RefuseGaps).Task(d)
		require.NoError(t, err)
		require.Equal(t, 1+23+2+1, task.Len())
		for i := range task.Len() {
			b, err := task.Next(1, i)
			require.NoError(t, err)
			sum += b.Loss
		}
		return sum
	}
	want := loss(forecast.Data{Train: at[0], More: at[1:]})
	for _, buffer := range []int{1, 5, 24, 25, 0} {
		got := loss(forecast.Data{Stream: oneByOne(all...), Buffer: buffer})
		require.InDelta(t, want, got, 1e-4, buffer)
	}
}

// A model learns from a stream of series.
func TestLearnsFromAStream(t *testing.T) {
	m := streamModel(t, forecast.RefuseGaps)
	valid, err := series.New([]string{"x"}, wave(60))
	require.NoError(t, err)
	task, err := m.Task(forecast.Data{Stream: oneByOne(wave(40), wave(70)), Buffer: 50, Batch: 8,
		Recompute: 3})
	require.NoError(t, err)
	adam, err := train.NewAdam(train.AdamConfig{LR: 0.02})
	require.NoError(t, err)
	_, err = train.Fit(context.Background(), task, train.Config{Optimizer: adam, Epochs: 30})
	require.NoError(t, err)
	e, err := m.Evaluate(context.Background(), valid)
	require.NoError(t, err)
	require.Less(t, e.MSE, 0.05)
}

func TestStreamOfSeriesErrors(t *testing.T) {
	s, err := series.New([]string{"x"}, wave(20))
	require.NoError(t, err)
	nan := math.NaN()
	for want, d := range map[string]forecast.Data{
		"Train or More and a Stream": {Train: s, Stream: oneByOne(wave(20))},
		"there are series in Train":  {More: []*series.Series{s}, Stream: oneByOne(wave(20))},
		"Buffer is 3, and there is":  {Train: s, Buffer: 3},
		"Recompute is -2":            {Train: s, Recompute: -2},
		"window 13: the stream fails: series 1: the series has 7 times": {
			Stream: oneByOne(wave(20), wave(7))},
		"the Stream has no examples": {Stream: oneByOne()},
	} {
		_, err := streamModel(t, forecast.RefuseGaps).Task(d)
		require.ErrorContains(t, err, want)
	}
	gappy := append(wave(7), nan, nan)
	_, err = streamModel(t, forecast.LastForGap).Task(forecast.Data{
		Stream: oneByOne(gappy[1:], gappy[1:])})
	require.ErrorContains(t, err, "no value of x is known behind the windows")
	_, err = streamModel(t, forecast.LastForGap).Task(forecast.Data{
		Stream: oneByOne(gappy[1:], wave(8)), Buffer: 1})
	require.NoError(t, err)
}

// One series is not two that have its rows.
func TestStreamsAreToldApart(t *testing.T) {
	later := false
	stream := func(yield func(*series.Series, error) bool) {
		of := oneByOne(wave(8), wave(8), wave(9))
		if later {
			of = oneByOne(wave(8), wave(9), wave(8))
		}
		of(yield)
	}
	task, err := streamModel(t, forecast.RefuseGaps).Task(forecast.Data{Stream: stream, Buffer: 2,
		Batch: 1})
	require.NoError(t, err)
	later = true
	for i := 0; i < task.Len() && err == nil; i++ {
		_, err = task.Next(1, i)
	}
	require.ErrorContains(t, err, "the stream has other examples")
}
