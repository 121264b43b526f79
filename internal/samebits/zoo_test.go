package samebits_test

import (
	"cmp"
	"image"
	"image/color"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/caption"
	"github.com/seqzoo/seqzoo/zoo/dialogue"
	zooemoji "github.com/seqzoo/seqzoo/zoo/emoji"
	"github.com/seqzoo/seqzoo/zoo/forecast"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/reduce"
	zooseq2seq "github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/series"
	"github.com/seqzoo/seqzoo/zoo/vectors"
)

// The configurations, under short names.
type (
	lmConfig         = lm.Config
	lmData           = lm.Data
	seq2seqConfig    = zooseq2seq.Config
	seq2seqData      = zooseq2seq.Data
	sequenceConfig   = label.Config
	classifierConfig = label.ClassifierConfig
	forecasterConfig = forecast.Config
	hredConfig       = dialogue.Config
	hredData         = dialogue.Data
	latent           = dialogue.Latent
	captionerConfig  = caption.Config
	aeConfig         = reduce.AutoencoderConfig
	raeConfig        = reduce.RecurrentAutoencoderConfig
	vaeConfig        = reduce.VAEConfig
	recurrent        = zoo.Recurrent
	emojiConfig      = zooemoji.Config
)

var (
	lstm = recurrent{Cell: "lstm", Hidden: 17}
	gru  = recurrent{Cell: "gru", Hidden: 12}
	rnn  = recurrent{Cell: "rnn", Hidden: 9}
)

// stacks are the recurrent layers that a configuration can ask for.
var stacks = map[string]recurrent{
	"rnn": rnn, "gru": gru, "lstm": lstm,
	"rnn relu":         {Cell: "rnn,activation=relu", Hidden: 9},
	"rnn sigmoid":      {Cell: "rnn,activation=sigmoid,uniform", Hidden: 9},
	"gru reset before": {Cell: "gru,reset_before", Hidden: 11},
	"gru memory":       {Cell: "gru,memory=20", Hidden: 8},
	"lstm diagonal":    {Cell: "lstm,peephole=diagonal", Hidden: 10},
	"lstm full":        {Cell: "lstm,peephole=full", Hidden: 10},
	"lstm coupled":     {Cell: "lstm,coupled,memory=20", Hidden: 10},
	"lstm norm gates":  {Cell: "lstm,layer_norm=gates", Hidden: 10},
	"lstm norm gate":   {Cell: "lstm,layer_norm=gate", Hidden: 10},
	"lstm dropouts": {Cell: "lstm", Hidden: 10, Layers: 2, Dropout: 0.2, HiddenDropout: 0.1,
		Zoneout: 0.1},
	"gru residual": {Cell: "gru", Hidden: 13, Layers: 3, Residual: true},
}

// trainings are all models, each in the settings that compute something else.
var trainings = func() map[string]training {
	all := map[string]training{
		"language model, tied": languageModel(
			lmConfig{Recurrent: lstm, Tied: true, IODropout: 0.1},
			lmData{},
		),
		"language model, adaptive": languageModel(
			lmConfig{Recurrent: gru, Cutoffs: []int{8, 20}, Div: 2},
			lmData{},
		),
		"language model, sampled": languageModel(lmConfig{Recurrent: gru}, lmData{Sampled: 6}),
		"language model, k1 < k2": languageModel(lmConfig{Recurrent: gru},
			lmData{Window: unroll.Window{Stride: 4, Length: 7}}),
		"language model, expanded": languageModel(
			lmConfig{Recurrent: gru, Embed: 5},
			lmData{Unroll: unroll.Expand},
		),

		"tagger":            tagger(sequenceConfig{Recurrent: lstm, IODropout: 0.1}),
		"tagger, both ways": tagger(sequenceConfig{Recurrent: gru, Bidirectional: true, Embed: 6}),
		"tagger, float64":   tagger(sequenceConfig{Recurrent: lstm, Float64: true}),
		"classifier, last": classifier(
			classifierConfig{Config: sequenceConfig{Recurrent: lstm, Bidirectional: true}},
		),
		"classifier, mean": classifier(
			classifierConfig{Config: sequenceConfig{Recurrent: gru}, Pool: "mean"},
		),
		"classifier, features": classifier(
			classifierConfig{Config: sequenceConfig{Recurrent: gru, Features: 3}},
		),

		"forecaster": forecaster(forecasterConfig{Recurrent: gru, Lookback: 12, Horizon: 4}),
		"forecaster, shared": forecaster(
			forecasterConfig{Recurrent: lstm, Lookback: 12, Patch: 3, Horizon: 5, Shared: true,
				Level: "mean"},
		),
		"forecaster, target": forecaster(
			forecasterConfig{Recurrent: rnn, Lookback: 7, Horizon: 1, Targets: []string{"b"},
				Level: "none"},
		),

		"hred": hred(hredConfig{Encoder: gru}, hredData{}),
		"hred, context": hred(
			hredConfig{Encoder: gru, Context: rnn, Bidirectional: true, ContextInput: true,
				Embed: 6},
			hredData{WordDropout: 0.2},
		),
		"vhred": hred(
			hredConfig{Encoder: gru, Latent: latent{Width: 3}},
			hredData{KLWeight: dialogue.RisingTo(50), FreeBits: 0.01},
		),
		"vhred, exp": hred(
			hredConfig{Encoder: lstm, Latent: latent{Width: 2, Hidden: 5, Variance: "exp"},
				Bidirectional: true},
			hredData{},
		),
		"captioner": captioner(captionerConfig{Decoder: lstm, Hidden: 10, Features: 7,
			Dropout: 0.1}),
		"captioner, general": captioner(
			captionerConfig{Decoder: gru, Hidden: 10, Features: 12, Score: cells.GeneralScore,
				Stride: 1},
		),

		"autoencoder": autoencoder(aeConfig{Widths: []int{7, 3}}),
		"autoencoder, denoising": autoencoder(aeConfig{
			Widths: []int{9, 4}, Activation: "tanh", Tied: true, Standardise: true,
			Corruption: reduce.Corruption{Kind: reduce.GaussianNoise, Amount: 0.3},
		}),
		"autoencoder, bernoulli": autoencoder(
			aeConfig{Widths: []int{5}, Output: "sigmoid", Loss: reduce.BinaryCrossEntropy,
				NoBias: true},
		),
		"vae": vae(vaeConfig{Widths: []int{8}, Code: 3}),
		"vae, gaussian": vae(vaeConfig{
			Widths: []int{8, 6}, Code: 2, Likelihood: reduce.GaussianDecoder, Activation: "tanh",
			Beta: 0.5, FreeBits: 0.1, Standardise: true,
		}),
		"recurrent autoencoder": recurrentAutoencoder(raeConfig{Recurrent: gru, Code: 3}),
		"recurrent autoencoder, forward": recurrentAutoencoder(
			raeConfig{Recurrent: lstm, Code: 4, Forward: true, Standardise: true},
		),

		"emoji2vec": emoji2vec(emojiConfig{}),
		"emoji2vec, mean": emoji2vec(emojiConfig{Mean: true, Raw: true, Negatives: 3,
			Dropout: 0.2}),
	}
	for name, r := range stacks {
		all["language model, "+name] = languageModel(lmConfig{Recurrent: r}, lmData{})
	}
	maps.Copy(all, translations())
	return all
}()

// translations are sequence-to-sequence models with every kind of attention.
func translations() map[string]training {
	out := map[string]training{
		"seq2seq, no attention": seq2seq(seq2seqConfig{Encoder: lstm}, seq2seqData{}),
		"seq2seq, peeky": seq2seq(seq2seqConfig{
			Encoder: gru, Bidirectional: true, Bridge: "tanh", Peeky: true, Readout: 8,
			EmbedStd: 0.1,
		}, seq2seqData{Smoothing: 0.1}),
		"seq2seq, tied": seq2seq(
			seq2seqConfig{Encoder: gru, Tied: true, IODropout: 0.1},
			seq2seqData{},
		),
		"seq2seq, scheduled": seq2seq(
			seq2seqConfig{Encoder: gru},
			seq2seqData{Teacher: zooseq2seq.InverseSigmoid(20)},
		),
		"seq2seq, coverage": seq2seq(
			seq2seqConfig{Encoder: gru, Attention: "bahdanau", Coverage: 1},
			seq2seqData{},
		),
	}
	for _, attention := range []string{"bahdanau", "luong"} {
		for _, score := range []cells.Score{
			cells.AdditiveScore, cells.DotScore, cells.GeneralScore, cells.ConcatScore,
			cells.ScaledDotScore,
		} {
			cfg := seq2seqConfig{Encoder: gru, Attention: zooseq2seq.Attention(attention), Score: score}
			out["seq2seq, "+attention+" "+string(score)] = seq2seq(cfg, seq2seqData{})
		}
	}
	return out
}

func languageModel(cfg lmConfig, d lmData) training {
	return func(t *testing.T) (model, train.Task) {
		m, err := lm.New(cfg, vocabulary(t), seed)
		require.NoError(t, err)
		d.Train, d.Batch = sentence(random("text"), 500), 7
		if d.Window.Stride == 0 {
			d.Window.Stride = 9
		}
		return ready(t, m)(m.Task(d))
	}
}

func seq2seq(cfg seq2seqConfig, d seq2seqData) training {
	return func(t *testing.T) (model, train.Task) {
		d := d // each call has data of its own
		m, err := zooseq2seq.New(cfg, vocabulary(t), vocabulary(t), seed)
		require.NoError(t, err)
		r := random("pairs")
		for range 24 {
			n := 3 + r.Intn(3)
			d.Train = append(d.Train, zooseq2seq.Pair{Source: sentence(r, n),
				Target: sentence(r, n+1)})
		}
		d.Batch = 6
		return ready(t, m)(m.Task(d))
	}
}

// labelled are sequences of tokens, or of features, with as many labels each, or 0 for one a step.
func labelled(features, labels int) (out []label.Labelled) {
	r := random("labelled")
	for range 30 {
		n := 3 + r.Intn(3)
		l := label.Labelled{Sequence: label.Sequence{IDs: sentence(r, n)}}
		if features > 0 {
			l.Sequence = label.Sequence{Features: numbers(r, n*features)}
		}
		for range cmp.Or(labels, n) {
			l.Labels = append(l.Labels, r.Intn(3))
		}
		out = append(out, l)
	}
	return out
}

func tagger(cfg sequenceConfig) training {
	return func(t *testing.T) (model, train.Task) {
		m, err := label.NewTagger(label.TaggerConfig{Config: cfg}, vocabulary(t), classes(t), seed)
		require.NoError(t, err)
		return ready(t, m)(m.Task(label.Data{Train: labelled(0, 0), Batch: 8}))
	}
}

func classifier(cfg classifierConfig) training {
	return func(t *testing.T) (model, train.Task) {
		tokens := vocabulary(t)
		if cfg.Features > 0 {
			tokens = nil
		}
		m, err := label.NewClassifier(cfg, tokens, classes(t), seed)
		require.NoError(t, err)
		return ready(t, m)(m.Task(label.Data{Train: labelled(cfg.Features, 1), Batch: 8}))
	}
}

func forecaster(cfg forecasterConfig) training {
	return func(t *testing.T) (model, train.Task) {
		r := random("series")
		values := make([]float64, 3*60)
		for i := range values {
			values[i] = r.Normal()
		}
		s, err := series.New([]string{"a", "b", "c"}, values)
		require.NoError(t, err)
		scale, err := s.Scale()
		require.NoError(t, err)
		cfg.Variables = s.Names
		m, err := forecast.New(cfg, scale, seed)
		require.NoError(t, err)
		return ready(t, m)(m.Task(forecast.Data{Train: s, Batch: 11}))
	}
}

func hred(cfg hredConfig, d hredData) training {
	return func(t *testing.T) (model, train.Task) {
		d := d // each call has data of its own
		m, err := dialogue.New(cfg, vocabulary(t), seed)
		require.NoError(t, err)
		r := random("dialogues")
		for range 9 {
			var turns dialogue.Dialogue
			for range 2 + r.Intn(2) {
				turns = append(turns, sentence(r, 2+r.Intn(2)))
			}
			d.Train = append(d.Train, turns)
		}
		d.Batch = 3
		return ready(t, m)(m.Task(d))
	}
}

func captioner(cfg captionerConfig) training {
	return func(t *testing.T) (model, train.Task) {
		cfg.Height, cfg.Width, cfg.Patch = 6, 9, 3
		m, err := caption.New(cfg, vocabulary(t), seed)
		require.NoError(t, err)
		r := random("pictures")
		d := caption.Data{Batch: 5}
		for range 20 {
			p := image.NewGray(image.Rect(0, 0, cfg.Width, cfg.Height))
			for i := range cfg.Width * cfg.Height {
				p.SetGray(i%cfg.Width, i/cfg.Width, color.Gray{Y: uint8(r.Intn(256))})
			}
			d.Train = append(d.Train, caption.Captioned{Picture: p,
				Caption: sentence(r, 2+r.Intn(2))})
		}
		return ready(t, m)(m.Task(d))
	}
}

func autoencoder(cfg aeConfig) training {
	return func(t *testing.T) (model, train.Task) {
		cfg.Features = features
		m, err := reduce.NewAutoencoder(cfg, seed)
		require.NoError(t, err)
		return ready(t, m)(m.Task(rows()))
	}
}

func vae(cfg vaeConfig) training {
	return func(t *testing.T) (model, train.Task) {
		cfg.Features = features
		m, err := reduce.NewVAE(cfg, seed)
		require.NoError(t, err)
		return ready(t, m)(m.Task(reduce.VAEData{RowData: rows(), Warmup: 30}))
	}
}

func recurrentAutoencoder(cfg raeConfig) training {
	return func(t *testing.T) (model, train.Task) {
		cfg.Variables, cfg.Window = 2, 6
		m, err := reduce.NewRecurrentAutoencoder(cfg, seed)
		require.NoError(t, err)
		r := random("series of two variables")
		d := reduce.SeriesData{Batch: 7}
		for range 21 {
			d.Train = append(d.Train, numbers(r, 2*(4+r.Intn(3))))
		}
		return ready(t, m)(m.SeriesTask(d))
	}
}

func emoji2vec(cfg emojiConfig) training {
	return func(t *testing.T) (model, train.Task) {
		words := []string{"happy", "sad", "angry", "face", "tears", "joy", "cat", "dog"}
		v, err := vectors.New(words, 10, numbers(random("vectors"), 10*len(words)))
		require.NoError(t, err)
		var pairs []zooemoji.Pair
		for i, emoji := range []string{"😀", "😢", "😠", "😂", "🐈", "🐕"} {
			pairs = append(pairs,
				zooemoji.Pair{Phrase: words[i] + " " + words[(3*i+3)%8], Emoji: emoji, Match: true},
				zooemoji.Pair{Phrase: words[(i+5)%8], Emoji: emoji, Match: i%2 == 0})
		}
		m, err := zooemoji.New(cfg, v, pairs)
		require.NoError(t, err)
		return ready(t, m)(m.Task(zooemoji.Data{Train: pairs, Batch: 3}))
	}
}
