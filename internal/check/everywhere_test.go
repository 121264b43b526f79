package check_test

import (
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/caption"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/dialogue"
	"github.com/seqzoo/seqzoo/zoo/emoji"
	"github.com/seqzoo/seqzoo/zoo/forecast"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/reduce"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/text"
	"github.com/seqzoo/seqzoo/zoo/word2vec"
)

// wrong are configurations with a field out of range, of every kind that can be asked for itself.
func wrong() map[string]interface{ Validate() error } {
	bad := zoo.Recurrent{Hidden: -1, Layers: -1, Cell: "x", Dropout: math.NaN()}
	all := map[string]interface{ Validate() error }{
		"nodes.AdaptiveSoftmaxConfig": nodes.AdaptiveSoftmaxConfig{},
		"nodes.SampledSoftmax":        nodes.SampledSoftmax{},
		"cells.AttentionConfig": cells.AttentionConfig{Query: 1, Key: 1, Score: "x",
			Hidden: -1},
		"cells.MultiHeadConfig": cells.MultiHeadConfig{},
		"unroll.Window":         unroll.Window{},
		"train.Clip":            train.Clip{Norm: math.NaN(), Value: -1},
		"zoo.Recurrent":         bad,
		"seq2seq.Config": seq2seq.Config{Encoder: bad, EmbedSource: -1,
			EmbedTarget: -1},
		"dialogue.Config": dialogue.Config{Encoder: bad,
			Latent: dialogue.Latent{Width: -1, Variance: "x"}},
		"caption.Config":         caption.Config{Height: -1, Patch: -1, Dropout: 2},
		"lm.Config":              lm.Config{Recurrent: bad, IODropout: 1, EmbedStd: -1},
		"label.Config":           label.Config{Recurrent: bad, IODropout: 1, Embed: -1},
		"label.ClassifierConfig": label.ClassifierConfig{Pool: "x"},
		"label.TaggerConfig":     label.TaggerConfig{},
		"forecast.Config":        forecast.Config{Recurrent: bad, Level: "x"},
		"reduce.PCAConfig":       reduce.PCAConfig{},
		"reduce.AutoencoderConfig": reduce.AutoencoderConfig{Loss: "x", Activation: "x",
			Threshold: -1},
		"reduce.VAEConfig": reduce.VAEConfig{Likelihood: "x", Beta: -1,
			FreeBits: -1},
		"reduce.RecurrentAutoencoderConfig": reduce.RecurrentAutoencoderConfig{Recurrent: bad},
		"reduce.Corruption":                 reduce.Corruption{Kind: "x"},
		"emoji.Config":                      emoji.Config{Negatives: -1, Dropout: math.NaN()},
		"word2vec.Config": word2vec.Config{Model: "x", Output: "x", Dim: -1,
			LR: -1},
		"text.Columns": text.Columns{Format: "x", Token: "0", Tag: "0"},
		"decode.Sampler": &decode.Sampler{Temperature: math.NaN(), TopK: -1,
			TopP: 2},
	}
	for _, name := range cells.Registered() {
		c, err := cells.Parse(name)
		if err != nil {
			panic(err)
		}
		all["cells: "+name] = c.Sized(0, -1)
	}
	return all
}

// Every configuration of the library is refused by the same type of error, with its problems in the
// same order each time.
func TestEveryConfiguration(t *testing.T) {
	for name, c := range wrong() {
		t.Run(name, func(t *testing.T) {
			err := c.Validate()
			var bad *nodes.ConfigError
			require.ErrorAs(t, err, &bad)
			require.NotEmpty(t, bad.Problems)
			for range 20 {
				require.EqualError(t, c.Validate(), err.Error())
			}
		})
	}
}

// A constructor returns what Validate found, so that a caller can tell it from other errors.
func TestConstructors(t *testing.T) {
	for name, make := range map[string]func() error{
		"adam": func() error { _, err := train.NewAdam(train.AdamConfig{LR: -1}); return err },
		"batches": func() error {
			_, err := train.NewBatches(0, nil,
				train.BatchesConfig{})
			return err
		},
		"lm":  func() error { _, err := lm.New(lm.Config{}, nil, 1); return err },
		"vae": func() error { _, err := reduce.NewVAE(reduce.VAEConfig{}, 1); return err },
		"a cell": func() error {
			return nodes.Try(func() {
				cells.NewLSTM(nodes.NewStore(nodes.Float32, 1).Root(),
					cells.LSTMConfig{})
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			var bad *nodes.ConfigError
			require.True(t, errors.As(make(), &bad), "%v", make())
		})
	}
}
