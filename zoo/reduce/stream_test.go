package reduce

import (
	"context"
	"iter"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo"
)

// oneByOne gives rows, or series.
func oneByOne(all ...[]float32) iter.Seq2[[]float32, error] {
	return func(yield func([]float32, error) bool) {
		for _, x := range all {
			if !yield(x, nil) {
				return
			}
		}
	}
}

// manyRows are rows of 3 features, the last of which never changes.
func manyRows(n int) (x []float32, all [][]float32) {
	r := rng.Stream{Key: rng.New(5)}
	for range n {
		a := r.Normal()
		x = append(x, float32(100+10*a), float32(a+0.1*r.Normal()), 7)
	}
	return x, slices.Collect(slices.Chunk(x, 3))
}

// Rows of a stream are standardised as the same rows at hand, and all are learned from.
func TestStreamOfRows(t *testing.T) {
	x, all := manyRows(90)
	cfg := AutoencoderConfig{Features: 3, Widths: []int{2}, Standardise: true}
	loss := func(d RowData) (m *Autoencoder, sum float64) {
		d.Batch = 1
		m, err := NewAutoencoder(cfg, 1)
		require.NoError(t, err)
		task, err := m.Task(d)
		require.NoError(t, err)
		require.Equal(t, 90, task.Len())
		for i := range task.Len() {
			b, err := task.Next(1, i)
			require.NoError(t, err)
			sum += b.Loss
		}
		return m, sum
	}
	want, sum := loss(RowData{Train: x})
	for _, buffer := range []int{1, 40, 90, 0} {
		got, again := loss(RowData{Stream: oneByOne(all...), Buffer: buffer})
		require.InEpsilon(t, sum, again, 1e-4)
		mean, scale := want.scaling.values()
		m, s := got.scaling.values()
		require.InEpsilonSlice(t, mean, m, 1e-6)
		require.InEpsilonSlice(t, scale, s, 1e-6)
		require.Equal(t, 1.0, s[2])
	}
}

// A conditional VAE leaves the condition as it is, and a training goes on in the units of the
// first.
func TestStreamedScaleStays(t *testing.T) {
	_, all := manyRows(40)
	m, err := NewVAE(VAEConfig{Features: 2, Condition: 1, Widths: []int{3}, Code: 1,
		Likelihood: GaussianDecoder, Standardise: true}, 1)
	require.NoError(t, err)
	_, err = m.Task(VAEData{RowData: RowData{Stream: oneByOne(all...)}})
	require.NoError(t, err)
	mean, scale := m.scaling.values()
	require.Zero(t, mean[2])
	require.Equal(t, 1.0, scale[2])
	require.InDelta(t, 100, mean[0], 5)
	_, err = m.Task(VAEData{RowData: RowData{Stream: oneByOne(all[:3]...)}})
	require.NoError(t, err)
	again, _ := m.scaling.values()
	require.Equal(t, mean, again)
}

// A recurrent autoencoder learns from a stream of series of any lengths, and of windows.
func TestStreamOfSeries(t *testing.T) {
	var series [][]float32
	for i := range 60 {
		s := make([]float32, 4+i%5)
		for k := range s {
			s[k] = 50 + 10*float32(math.Sin(float64(i+k)))
		}
		series = append(series, s)
	}
	m, err := NewRecurrentAutoencoder(RecurrentAutoencoderConfig{
		Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 8}, Variables: 1, Window: 4, Code: 3,
		Standardise: true}, 1)
	require.NoError(t, err)
	task, err := m.SeriesTask(SeriesData{Stream: oneByOne(series...), Buffer: 20, Batch: 10,
		Valid: series[:10]})
	require.NoError(t, err)
	require.Equal(t, 6, task.Len())
	before, err := task.Validate(context.Background())
	require.NoError(t, err)
	adam, err := train.NewAdam(train.AdamConfig{LR: 0.02})
	require.NoError(t, err)
	_, err = train.Fit(context.Background(), task, train.Config{Optimizer: adam, Epochs: 20})
	require.NoError(t, err)
	after, err := task.Validate(context.Background())
	require.NoError(t, err)
	require.Less(t, after["valid_mse"], before["valid_mse"]/2)

	task, err = m.Task(RowData{Stream: oneByOne(series[0], series[5])})
	require.NoError(t, err)
	require.Equal(t, 1, task.Len())
	for want, s := range map[string]iter.Seq2[[]float32, error]{
		"series 1: the stream fails: it has 5 numbers, and the model reads 4 features": oneByOne(
			series[0], series[1]),
		"the Stream has no examples": oneByOne(),
	} {
		_, err := m.Task(RowData{Stream: s})
		require.ErrorContains(t, err, want)
	}
	nan := float32(math.NaN())
	for want, d := range map[string]SeriesData{
		"Train and a Stream":           {Train: series, Stream: oneByOne(series...)},
		"Buffer is 3, and there is no": {Train: series, Buffer: 3},
		"series 1: the stream fails: ": {Stream: oneByOne(series[0], []float32{nan})},
		"there are no rows":            {Stream: oneByOne(nil)},
		"at most ":                     {Stream: oneByOne(make([]float32, MaxSteps+1))},
	} {
		_, err := m.SeriesTask(d)
		require.ErrorContains(t, err, want)
	}
	fresh, err := NewRecurrentAutoencoder(m.Config(), 1)
	require.NoError(t, err)
	_, err = fresh.SeriesTask(SeriesData{Stream: oneByOne(series[0], []float32{nan})})
	require.ErrorContains(t, err, "series 1: the stream fails: ")
	_, err = new(RecurrentAutoencoder).SeriesTask(SeriesData{Stream: oneByOne(series...)})
	require.Error(t, err)
}

func TestStreamOfRowsErrors(t *testing.T) {
	x, all := manyRows(5)
	inf := float32(math.Inf(1))
	m, err := NewAutoencoder(AutoencoderConfig{Features: 3, Widths: []int{2}}, 1)
	require.NoError(t, err)
	for want, d := range map[string]RowData{
		"Train and a Stream":         {Train: x, Stream: oneByOne(all...)},
		"Buffer is 3, and there is":  {Train: x, Buffer: 3},
		"Buffer is -3":               {Stream: oneByOne(all...), Buffer: -3},
		"the Stream has no examples": {Stream: oneByOne()},
		"row 1: the stream fails: it has 2 numbers, and the model reads 3 features": {
			Stream: oneByOne(all[0], x[:2])},
		"row 2: the stream fails: feature 1 is +Inf": {
			Stream: oneByOne(all[0], all[1], []float32{1, inf, 1})},
	} {
		_, err := m.Task(d)
		require.ErrorContains(t, err, want)
	}
	m, err = NewAutoencoder(AutoencoderConfig{Features: 3, Widths: []int{2}, Output: cells.Sigmoid}, 1)
	require.NoError(t, err)
	_, err = m.Task(RowData{Stream: oneByOne([]float32{0, 1, 0.5}, []float32{0, 1.5, 0})})
	require.ErrorContains(t, err, "row 1: the stream fails: feature 1 is 1.5; the model's output")
	_, err = new(Autoencoder).Task(RowData{Stream: oneByOne(all...)})
	require.Error(t, err)
	_, err = new(VAE).Task(VAEData{RowData: RowData{Stream: oneByOne(all...)}})
	require.Error(t, err)
}
