package all

import (
	"cmp"
	"image"
	"image/color"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/caption"
	"github.com/seqzoo/seqzoo/zoo/dialogue"
	"github.com/seqzoo/seqzoo/zoo/forecast"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/reduce"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/series"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// gradientTasks are small trainings of every model in float64. A new model joins by a line. Ids are
// 0 … 8: four special tokens and five letters. Sequences of several lengths stand for masked,
// windows shorter than the text for truncated.
var gradientTasks = map[string]func(t *testing.T, seed uint64) (train.Task, error){
	"LanguageModel full":      languageModelTaskOf(unroll.Window{Stride: 10}),
	"LanguageModel truncated": languageModelTaskOf(unroll.Window{Stride: 4}),
	"LanguageModel k1 < k2":   languageModelTaskOf(unroll.Window{Stride: 2, Length: 5}),
	"Seq2Seq full": seq2seqTaskOf([]seq2seq.Pair{{Source: ids(5, 6, 7),
		Target: ids(7, 6)}, {Source: ids(8, 5, 5), Target: ids(5, 8)}}),
	"Seq2Seq masked": seq2seqTaskOf([]seq2seq.Pair{{Source: ids(5, 6, 7),
		Target: ids(7)}, {Source: ids(8), Target: ids(5, 8, 6)}}),
	"Tagger full": taggerTaskOf([]label.Labelled{labelled(ids(5, 6, 7), 0, 1, 0),
		labelled(ids(8, 7, 6), 1, 0, 0)}),
	"Tagger masked": taggerTaskOf([]label.Labelled{labelled(ids(5, 6, 7), 0, 1, 0),
		labelled(ids(8), 1)}),
	"SequenceClassifier full": classifierTaskOf([]label.Labelled{labelled(ids(5, 6, 7), 0),
		labelled(ids(8, 7, 6), 1)}),
	"SequenceClassifier masked": classifierTaskOf([]label.Labelled{labelled(ids(5, 6, 7), 0),
		labelled(ids(8), 1)}),
	"HRED masked":  hredTaskOf(dialogue.Latent{}),
	"VHRED masked": hredTaskOf(dialogue.Latent{Width: 2}),
	"Forecaster full": func(t *testing.T, seed uint64) (train.Task, error) {
		s, err := series.New([]string{"a", "b"}, numbers(24))
		require.NoError(t, err)
		scale, err := s.Scale()
		require.NoError(t, err)
		m, err := forecast.New(forecast.Config{Recurrent: smallLSTM, Variables: s.Names,
			Lookback: 6, Horizon: 2, Float64: true}, scale, seed)
		require.NoError(t, err)
		return m.Task(forecast.Data{Train: s, Batch: 4})
	},
	"Captioner masked": func(t *testing.T, seed uint64) (train.Task, error) {
		m, err := caption.New(caption.Config{Height: 4, Width: 6, Patch: 2, Hidden: 3, Features: 3,
			Decoder: smallLSTM, Float64: true}, tokens(t), seed)
		require.NoError(t, err)
		return m.Task(caption.Data{Train: []caption.Captioned{{Picture: picture(1),
			Caption: ids(5, 6, 7)}, {Picture: picture(2), Caption: ids(8)}}, Batch: 2})
	},
	"RecurrentAutoencoder masked": func(t *testing.T, seed uint64) (train.Task, error) {
		m, err := reduce.NewRecurrentAutoencoder(reduce.RecurrentAutoencoderConfig{Recurrent: smallLSTM, Variables: 2, Window: 3, Code: 2, Float64: true}, seed)
		require.NoError(t, err)
		return m.SeriesTask(reduce.SeriesData{Train: [][]float32{floats32(6), floats32(2),
			floats32(8)}, Batch: 3})
	},
	"Autoencoder": func(t *testing.T, seed uint64) (train.Task, error) {
		m, err := reduce.NewAutoencoder(reduce.AutoencoderConfig{Features: 4, Widths: []int{3, 2},
			Activation: "tanh", Float64: true}, seed)
		require.NoError(t, err)
		return m.Task(reduce.RowData{Train: floats32(20), Batch: 5})
	},
	"VAE": func(t *testing.T, seed uint64) (train.Task, error) {
		m, err := reduce.NewVAE(reduce.VAEConfig{Features: 4, Widths: []int{3}, Code: 2,
			Activation: "tanh", Likelihood: reduce.GaussianDecoder, Float64: true}, seed)
		require.NoError(t, err)
		return m.Task(reduce.VAEData{RowData: reduce.RowData{Train: floats32(20), Batch: 5}})
	},
}

// The gradients of every model along random directions in the space of all its parameters.
func TestModelGradients(t *testing.T) {
	for name, start := range gradientTasks {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(3) {
				task, err := start(t, seed)
				require.NoError(t, err)
				r, err := train.CheckGradients(task,
					graph.GradientCheck{Samples: -1, Directions: 1, Seed: seed, Tolerance: 1e-6})
				require.NoError(t, err)
				require.NoError(t, r.Err())
				require.NotZero(t, r.Directions[0].Symbolic)
			}
		})
	}
}

var smallLSTM = zoo.Recurrent{Cell: "lstm", Hidden: 3, Layers: 2}

func ids(of ...int) []int { return of }

func labelled(tokens []int, labels ...int) label.Labelled {
	return label.Labelled{Sequence: label.Sequence{IDs: tokens}, Labels: labels}
}

func tokens(t *testing.T) *text.Vocabulary {
	v, err := text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.Pad, text.Unk,
		text.BOS, text.EOS}}, []string{"a", "b", "c", "d", "e"})
	require.NoError(t, err)
	require.GreaterOrEqual(t, v.Len(), 9)
	return v
}

func labelsOf(t *testing.T) *text.Vocabulary {
	v, err := text.NewVocabulary(text.VocabularyConfig{Specials: []string{}}, []string{"x", "y"})
	require.NoError(t, err)
	return v
}

func numbers(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = math.Sin(1.7*float64(i)) + 0.1*float64(i%5)
	}
	return out
}

func floats32(n int) []float32 {
	out := make([]float32, n)
	for i, v := range numbers(n) {
		out[i] = float32(v)
	}
	return out
}

func picture(seed int) image.Image {
	p := image.NewGray(image.Rect(0, 0, 6, 4))
	for i := range 24 {
		p.SetGray(i%6, i/6, color.Gray{Y: uint8((i + 1) * (seed*37 + 11))})
	}
	return p
}

func languageModelTaskOf(w unroll.Window) func(t *testing.T, seed uint64) (train.Task, error) {
	return func(t *testing.T, seed uint64) (train.Task, error) {
		m, err := lm.New(lm.Config{Recurrent: smallLSTM, Embed: 3, Float64: true}, tokens(t), seed)
		require.NoError(t, err)
		var text []int
		for i := range 21 {
			text = append(text, 4+i*i%5)
		}
		task, err := m.Task(lm.Data{Train: text, Batch: 2, Window: w})
		// a window in the middle of the text, with a state carried into it
		if err == nil && cmp.Or(w.Length, w.Stride) < 10 {
			_, err = task.Next(1, 0)
		}
		return task, err
	}
}

func seq2seqTaskOf(pairs []seq2seq.Pair) func(t *testing.T, seed uint64) (train.Task, error) {
	return func(t *testing.T, seed uint64) (train.Task, error) {
		m, err := seq2seq.New(seq2seq.Config{Encoder: smallLSTM, Attention: "bahdanau",
			Float64: true}, tokens(t), tokens(t), seed)
		require.NoError(t, err)
		return m.Task(seq2seq.Data{Train: pairs, Batch: 2})
	}
}

func taggerTaskOf(examples []label.Labelled) func(t *testing.T, seed uint64) (train.Task, error) {
	return func(t *testing.T, seed uint64) (train.Task, error) {
		m, err := label.NewTagger(label.TaggerConfig{Config: label.Config{Recurrent: smallLSTM,
			Bidirectional: true, Float64: true}}, tokens(t), labelsOf(t), seed)
		require.NoError(t, err)
		return m.Task(label.Data{Train: examples, Batch: 2})
	}
}

func classifierTaskOf(examples []label.Labelled) func(t *testing.T, seed uint64) (train.Task,
	error) {
	return func(t *testing.T, seed uint64) (train.Task, error) {
		cfg := label.ClassifierConfig{Config: label.Config{Recurrent: smallLSTM, Float64: true}}
		m, err := label.NewClassifier(cfg, tokens(t), labelsOf(t), seed)
		require.NoError(t, err)
		return m.Task(label.Data{Train: examples, Batch: 2})
	}
}

func hredTaskOf(latent dialogue.Latent) func(t *testing.T, seed uint64) (train.Task, error) {
	return func(t *testing.T, seed uint64) (train.Task, error) {
		m, err := dialogue.New(dialogue.Config{Encoder: smallLSTM, Latent: latent, Float64: true},
			tokens(t), seed)
		require.NoError(t, err)
		return m.Task(dialogue.Data{Train: []dialogue.Dialogue{{ids(5), ids(6, 7, 8), ids(5, 5)},
			{ids(8, 7), ids(6)}}, Batch: 2})
	}
}
