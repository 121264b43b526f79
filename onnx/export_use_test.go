package onnx_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/onnx"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/forecast"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/reduce"
	"github.com/seqzoo/seqzoo/zoo/series"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// exported is a layout of a model as it is read again.
func exported(t *testing.T, m laidOut, layout string) *onnx.Model {
	randomise(m.Params())
	file := filepath.Join(t.TempDir(), "m.onnx")
	require.NoError(t, onnx.Export(m, file, onnx.ExportOptions{Layout: layout}))
	read, err := onnx.Import(file)
	require.NoError(t, err)
	return read
}

// An exported classifier says of texts what the model says, also of several labels at once.
func TestExportedClassifierInUse(t *testing.T) {
	words, err := text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.Unk}},
		[]string{"a", "b", "c", "d"})
	require.NoError(t, err)
	for _, several := range []bool{false, true} {
		m, err := label.NewClassifier(label.ClassifierConfig{Several: several,
			Config: label.Config{Bidirectional: true,
				Recurrent: zoo.Recurrent{Cell: "lstm", Hidden: 5}}},
			words, words, 1)
		require.NoError(t, err)
		read := exported(t, m, "")
		sentences := [][]string{{"a", "b", "zebra"}, {"c"}, {"d", "d", "a", "b", "c"}}
		const T = 5
		ids, lengths := make([]int, T*len(sentences)), make([]int, len(sentences))
		var sequences []label.Sequence
		for b, s := range sentences {
			x, err := m.Encode(s)
			require.NoError(t, err)
			sequences, lengths[b] = append(sequences, x), len(s)
			for i, id := range x.IDs {
				ids[i*len(sentences)+b] = id
			}
		}
		want, err := m.PredictAll(context.Background(), sequences)
		require.NoError(t, err)
		out, err := read.Run(onnx.Values{"ids": onnx.Ints(ids, T, len(sentences)),
			"lengths": onnx.Ints(lengths, len(sentences))})
		require.NoError(t, err)
		got, labels := out["probabilities"].Float64s(), words.Len()
		for b, w := range want {
			testkit.RequireInDelta(t, w.Probs, got[b*labels:(b+1)*labels], 1e-5)
		}
	}
}

// An exported forecaster forecasts what the model does, with what its file says of means and
// deviations.
func TestExportedForecasterInUse(t *testing.T) {
	scale := &series.Scale{Mean: []float64{10, -3}, Deviation: []float64{4, 0.5}}
	m, err := forecast.New(forecast.Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 5},
		Lookback: 6, Horizon: 3, Variables: []string{"a", "b"}}, scale, 1)
	require.NoError(t, err)
	read := exported(t, m, "window")
	require.Contains(t, read.Metadata(), "scale.json")
	var history [][]float64
	var window []float32
	for i := range 6 {
		row := []float64{float64(i*i%7) + 5, float64(i%3) - 4}
		history = append(history, row)
		for v, x := range row {
			window = append(window, float32((x-scale.Mean[v])/scale.Deviation[v]))
		}
	}
	want, err := m.Forecast(history)
	require.NoError(t, err)
	out, err := read.Run(onnx.Values{"window": onnx.Floats(window, 6, 1, 2)})
	require.NoError(t, err)
	got := out["forecast"].Float64s()
	for h, row := range want {
		for v, x := range row {
			require.InDelta(t, x, got[2*h+v]*scale.Deviation[v]+scale.Mean[v], 1e-4)
		}
	}
}

// An exported recurrent autoencoder gives the codes and the series that the model gives, of series
// of unequal lengths.
func TestExportedRecurrentAutoencoderInUse(t *testing.T) {
	m, err := reduce.NewRecurrentAutoencoder(reduce.RecurrentAutoencoderConfig{
		Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 5}, Variables: 2, Window: 4, Code: 3}, 1)
	require.NoError(t, err)
	read := exported(t, m, "sequence")
	lengths := []int{4, 1, 3}
	const T, B, V = 4, 3, 2
	all, padded := make([][]float32, B), make([]float32, T*B*V)
	for b, n := range lengths {
		for i := range n * V {
			x := float32((i*5+b)%7)/7 - 0.4
			all[b] = append(all[b], x)
			padded[(i/V*B+b)*V+i%V] = x
		}
	}
	codes, err := m.EncodeSeries(all)
	require.NoError(t, err)
	again, err := m.DecodeSeries(codes, lengths)
	require.NoError(t, err)
	out, err := read.Run(onnx.Values{"series": onnx.Floats(padded, T, B, V),
		"lengths": onnx.Ints(lengths, B)})
	require.NoError(t, err)
	testkit.RequireInDelta(t, codes, out["codes"].Float32s(), 1e-5)
	got := out["reconstruction"].Float32s()
	for b, n := range lengths {
		for i := range n * V {
			require.InDelta(t, again[b][i], got[(i/V*B+b)*V+i%V], 1e-5)
		}
	}
}
