package all_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/dialogue"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/word2vec"
)

// unseeing is a model of two tokens without attention.
type unseeing struct{}

func (unseeing) Step(from, _ []int) (p decode.Prediction, err error) {
	for range from {
		p.Logits = append(p.Logits, []float64{0, 1})
	}
	return p, nil
}

// Options of what a model does not have are refused where they are used.
func TestContradictions(t *testing.T) {
	v, layer := vocabularyFor(theSame), zoo.Recurrent{Cell: "gru", Hidden: 4}
	_, err := decode.Beam(context.Background(), unseeing{}, []int{0},
		decode.BeamOptions{Width: 2, Beta: 0.1, Options: decode.Options{Max: 3}})
	require.ErrorContains(t, err, "Beta is 0.1, and there is no attention")

	hred := must(dialogue.New(dialogue.Config{Encoder: layer}, v, 1))
	ds := []dialogue.Dialogue{{{3}, {4}}}
	for _, o := range []dialogue.EvaluateOptions{{Samples: 2}, {Seed: 1}} {
		_, err = hred.Evaluate(context.Background(), ds, o)
		require.ErrorContains(t, err, "are of a latent variable, and the model has none")
	}
	_, err = hred.Evaluate(context.Background(), ds, dialogue.EvaluateOptions{Samples: 1})
	require.NoError(t, err)

	require.ErrorContains(t, word2vec.Config{Output: word2vec.Hierarchical, Negatives: 5}.Validate(),
		`Negatives is 5, and Output is "hierarchical", which draws none`)
	require.NoError(t, word2vec.Config{Output: word2vec.Hierarchical}.Validate())

	require.ErrorContains(t, seq2seq.Config{Encoder: layer, ScoreHidden: 3}.Validate(),
		"score_hidden is 3, and attention is none")
	both := layer
	both.Merge = unroll.Sum
	require.ErrorContains(t, seq2seq.Config{Encoder: both}.Validate(), "nothing reads both ways")
	require.ErrorContains(t, seq2seq.Config{Encoder: layer, Decoder: both}.Validate(), "decoder: merge")
	require.NoError(t, seq2seq.Config{Encoder: both, Bidirectional: true}.Validate())
}
