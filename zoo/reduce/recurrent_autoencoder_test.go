package reduce

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/zootest"
)

// waves are n series of two variables, of lengths from low to high.
func waves(n, low, high int, seed uint64) (series [][]float32) {
	random := rng.Stream{Key: rng.New(seed)}
	for range n {
		phase, T := 6*random.Float64(), low+random.Intn(high-low+1)
		var x []float32
		for t := range T {
			x = append(x, float32(3+math.Sin(phase+0.7*float64(t))),
				float32(10*math.Cos(phase+0.7*float64(t))))
		}
		series = append(series, x)
	}
	return series
}

func newRAE(t testing.TB, cfg RecurrentAutoencoderConfig) *RecurrentAutoencoder {
	cfg.Variables = 2
	m, err := NewRecurrentAutoencoder(cfg, 1)
	require.NoError(t, err)
	return m
}

func TestRecurrentAutoencoder(t *testing.T) {
	for _, cfg := range []RecurrentAutoencoderConfig{
		{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 5}, Window: 6, Code: 3, Standardise: true},
		{Recurrent: zoo.Recurrent{Cell: "lstm", Hidden: 4, Layers: 2}, Window: 5, Code: 1,
			Forward: true},
		{Recurrent: zoo.Recurrent{Cell: "rnn", Hidden: 1}, Window: 1, Code: 2, Float64: true},
	} {
		m := newRAE(t, cfg)
		series := waves(70, 1, 11, 2) // more than a batch
		if cfg.Standardise {
			_, err := m.SeriesTask(SeriesData{Train: series})
			require.NoError(t, err)
		}
		codes, err := m.EncodeSeries(series)
		require.NoError(t, err)
		require.Len(t, codes, 70*cfg.Code)
		lengths := make([]int, len(series))
		for i, x := range series {
			lengths[i] = len(x) / 2
		}
		back, err := m.DecodeSeries(codes, lengths)
		require.NoError(t, err)
		errs, err := m.StepErrors(series)
		require.NoError(t, err)
		for i, x := range series {
			// A series by itself is the same as among others that are longer: padding changes
			// nothing.
			code, err := m.EncodeSeries(series[i : i+1])
			require.NoError(t, err)
			testkit.RequireInDelta(t, codes[i*cfg.Code:(i+1)*cfg.Code], code, 1e-5)
			alone, err := m.DecodeSeries(code, lengths[i:i+1])
			require.NoError(t, err)
			testkit.RequireInDelta(t, back[i], alone[0], 1e-4)
			require.Len(t, errs[i], lengths[i])
			testkit.RequireInDelta(t, rowErrors(m.scaling.apply(x), m.scaling.apply(back[i]), 2),
				errs[i], 1e-4)
		}

		// As a Reducer.
		rows := make([]float32, 0)
		for _, x := range waves(9, cfg.Window, cfg.Window, 3) {
			rows = append(rows, x...)
		}
		y, err := Reconstruct(m, rows)
		require.NoError(t, err)
		require.Len(t, y, len(rows))
		of, err := m.Errors(rows)
		require.NoError(t, err)
		testkit.RequireInDelta(t, rowErrors(m.scaling.apply(rows), m.scaling.apply(y), m.Features()),
			of, 1e-4)
		require.NoError(t, m.SetThreshold(2))
		dir := t.TempDir()
		require.NoError(t, m.Save(dir))
		loaded, err := Load(dir)
		require.NoError(t, err)
		require.Equal(t, m.Config(), loaded.(*RecurrentAutoencoder).Config())
		z, err := Reconstruct(loaded, rows)
		require.NoError(t, err)
		require.Equal(t, y, z)
	}
}

// Scan and Expand say the same, and padding has no gradient, whatever it is.
func TestRecurrentAutoencoderStrategies(t *testing.T) {
	m := newRAE(t, RecurrentAutoencoderConfig{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 3},
		Window: 4, Code: 2, Float64: true})
	var want []float64
	for _, pad := range []float64{0, 7, math.NaN(), math.Inf(1)} {
		for _, s := range []unroll.Strategy{unroll.Scan, unroll.Expand} {
			var x, lengths, loss *nodes.Node
			require.NoError(t, nodes.Try(func() {
				g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64, Training: true})
				x, lengths = g.Input("x", 4, 2, 2), g.IntInput("lengths", 2)
				loss = m.Forward(x, lengths, s).Loss
			}))
			step, err := train.NewStep(loss)
			require.NoError(t, err)
			var f run.Inputs
			values, ls := f.Floats(x), f.Ints(lengths)
			require.NoError(t, f.Err())
			for i := range values.Len() {
				values.Set(i, math.Sin(float64(i)))
			}
			copy(ls, []int{4, 2})
			for step := 2; step < 4; step++ {
				values.Put64(step*4+2, []float64{pad, pad}) // series 1 ended
			}
			l, err := step.Run(0, 0)
			require.NoError(t, err)
			got := []float64{l}
			for _, p := range step.Grads() {
				g, err := p.Grad()
				require.NoError(t, err)
				got = append(got, g.Data().([]float64)...)
			}
			if want == nil {
				want = got
			}
			testkit.RequireInDelta(t, want, got, 1e-10)
			require.NoError(t, step.Close())
		}
	}
}

func TestRecurrentAutoencoderLearnsAndResumes(t *testing.T) {
	series, valid := waves(40, 5, 8, 1), waves(10, 5, 8, 2)
	start := func() (*RecurrentAutoencoder, train.Task) {
		m := newRAE(t, RecurrentAutoencoderConfig{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 12},
			Window: 6, Code: 2, Standardise: true})
		task, err := m.SeriesTask(SeriesData{Train: series, Valid: valid, Batch: 8})
		require.NoError(t, err)
		return m, task
	}
	m, task := start()
	before, err := task.Validate(context.Background())
	require.NoError(t, err)
	r := fitRows(t, task, train.Config{Epochs: 25})
	_, losses := r.History.Column("valid_mse")
	require.Less(t, losses[len(losses)-1], 0.3*before["valid_mse"])

	// What is measured is what comes back.
	errs, err := m.StepErrors(valid)
	require.NoError(t, err)
	var sum float64
	var n int
	for _, of := range errs {
		for _, e := range of {
			sum += e
			n++
		}
	}
	require.InDelta(t, sum/float64(n), losses[len(losses)-1], 1e-5)

	// An anomaly, a series of another frequency, comes back worse than all others.
	odd := make([]float32, 16)
	for i := range 8 {
		odd[2*i], odd[2*i+1] = float32(3+math.Sin(2.3*float64(i))),
			float32(10*math.Cos(2.3*float64(i)))
	}
	worst := 0.
	for _, of := range errs {
		var mean float64
		for _, e := range of {
			mean += e / float64(len(of))
		}
		worst = max(worst, mean)
	}
	oddErrs, err := m.StepErrors([][]float32{odd})
	require.NoError(t, err)
	var mean float64
	for _, e := range oddErrs[0] {
		mean += e / 8
	}
	require.Greater(t, mean, worst)

	want, short := start()
	fitRows(t, short, train.Config{Epochs: 2, Seed: 5})
	for _, stop := range []int{1, 4, 7} {
		dir := t.TempDir()
		var resumed *RecurrentAutoencoder
		for part, limit := range []int{stop, 0} {
			var task train.Task
			resumed, task = start()
			checkpoints, err := train.OpenCheckpoints(dir, 0)
			require.NoError(t, err)
			fitRows(t, task, train.Config{Epochs: 2, Seed: 5, MaxSteps: limit,
				Checkpoints: checkpoints, SaveEvery: 1, Resume: part > 0})
			require.NoError(t, checkpoints.Close())
		}
		require.Equal(t, zootest.Weights(want), zootest.Weights(resumed), "stopped after step %d",
			stop)
	}
}

func TestRecurrentAutoencoderErrors(t *testing.T) {
	for want, cfg := range map[string]RecurrentAutoencoderConfig{
		"variables is 0": {Recurrent: zoo.Recurrent{Hidden: 1}, Window: 1, Code: 1},
		"window is 0":    {Recurrent: zoo.Recurrent{Hidden: 1}, Variables: 1, Code: 1},
		"code is -1": {Recurrent: zoo.Recurrent{Hidden: 1}, Variables: 1, Window: 1,
			Code: -1},
		"hidden is 0": {Variables: 1, Window: 1, Code: 1},
		`cell is "tree"`: {Recurrent: zoo.Recurrent{Cell: "tree", Hidden: 1},
			Variables: 1, Window: 1, Code: 1},
		"window·variables is 65536": {Recurrent: zoo.Recurrent{Hidden: 1}, Variables: 1 << 20,
			Window: 1 << 16, Code: 1},
		"threshold is -2": {Recurrent: zoo.Recurrent{Hidden: 1}, Variables: 1, Window: 1,
			Code: 1, Threshold: -2},
	} {
		_, err := NewRecurrentAutoencoder(cfg, 1)
		require.ErrorContains(t, err, want)
	}
	m := newRAE(t, RecurrentAutoencoderConfig{Recurrent: zoo.Recurrent{Hidden: 2}, Window: 3,
		Code: 2})
	nan := float32(math.NaN())
	for want, series := range map[string][][]float32{
		"there are no series":       nil,
		"series 1: step and":        {{1, 2}, {}},
		"3 values are no rows of 2": {{1, 2, 3}},
		"row 1: number 0":           {{1, 2, nan, 3}},
		"has 65537 steps":           {make([]float32, 2*(MaxSteps+1))},
	} {
		_, err := m.EncodeSeries(series)
		require.ErrorContains(t, err, want)
		_, err = m.StepErrors(series)
		require.ErrorContains(t, err, want)
		_, err = m.SeriesTask(SeriesData{Train: series})
		require.ErrorContains(t, err, want)
	}
	_, err := m.SeriesTask(SeriesData{Train: [][]float32{{1, 2}}, Valid: [][]float32{{nan, 2}}})
	require.ErrorContains(t, err, "validation")
	_, err = m.SeriesTask(SeriesData{Train: [][]float32{{1, 2}}, Batch: -1})
	require.ErrorContains(t, err, "the batch is -1")
	_, err = m.Task(RowData{Train: make([]float32, 7)})
	require.ErrorContains(t, err, "7 values are no rows of 6")
	_, err = m.Transform(make([]float32, 5))
	require.ErrorContains(t, err, "5 values are no rows of 6")
	_, err = m.InverseTransform(make([]float32, 3))
	require.ErrorContains(t, err, "3 values are no rows of 2")
	_, err = m.DecodeSeries(make([]float32, 4), []int{1})
	require.ErrorContains(t, err, "2 codes and 1 lengths")
	_, err = m.DecodeSeries(make([]float32, 4), []int{1, 0})
	require.ErrorContains(t, err, "length 1 is 0")
}
