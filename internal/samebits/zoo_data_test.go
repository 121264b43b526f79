package samebits_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo/reduce"
	"github.com/seqzoo/seqzoo/zoo/text"
	"github.com/seqzoo/seqzoo/zoo/word2vec"
)

const (
	seed    = 7
	letters = 36              // tokens of the made-up texts
	first   = 4               // the id of the first letter, behind the special tokens
	ids     = first + letters // of the vocabulary
)

// features is the width of rows.
const features = 11

// rows are numbers in [0, 1).
func rows() reduce.RowData {
	r := random("rows")
	x := make([]float32, 50*features)
	for i := range x {
		x[i] = float32(r.Float64())
	}
	return reduce.RowData{Train: x, Batch: 10}
}

// wordVectors are word2vec's models, which have a training of their own, by name.
func wordVectors(t *testing.T) map[string]string {
	out := map[string]string{}
	var sentences [][]string
	r := random("sentences")
	for range 120 {
		words := make([]string, 12)
		for i := range words {
			words[i] = string(rune('a' + r.Intn(1+r.Intn(26))))
		}
		sentences = append(sentences, words)
	}
	for _, kind := range []word2vec.Architecture{word2vec.SkipGram, word2vec.CBOW} {
		for _, output := range []word2vec.Output{word2vec.Negative, word2vec.Hierarchical} {
			m, err := word2vec.New(context.Background(), word2vec.Config{
				Model: kind, Output: output, Dim: 19, Window: 3, MinCount: 1, Sample: 0.05,
				Epochs: 2, Seed: seed,
			}, sentences)
			require.NoError(t, err)
			require.NoError(t, m.Train(context.Background(), sentences, word2vec.TrainOptions{}))
			v, err := m.Vectors()
			require.NoError(t, err)
			h := sha256.New()
			for i := range v.Len() {
				write(h, v.Row(i))
			}
			out[fmt.Sprint("word2vec, ", kind, " ", output)] = short(h)
		}
	}
	return out
}

// ready returns a model with the task that its Task made.
func ready(t *testing.T, m model) func(train.Task, error) (model, train.Task) {
	return func(task train.Task, err error) (model, train.Task) {
		require.NoError(t, err)
		return m, task
	}
}

func random(name string) *rng.Stream { return &rng.Stream{Key: rng.New(seed).Named(name)} }

func vocabulary(t *testing.T) *text.Vocabulary {
	specials := []string{text.Pad, text.Unk, text.BOS, text.EOS}
	v, err := text.NewVocabulary(text.VocabularyConfig{Specials: specials}, names(letters))
	require.NoError(t, err)
	require.Equal(t, ids, v.Len())
	return v
}

func classes(t *testing.T) *text.Vocabulary {
	v, err := text.NewVocabulary(text.VocabularyConfig{Specials: []string{}}, names(3))
	require.NoError(t, err)
	return v
}

func names(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = string(rune('A' + i))
	}
	return out
}

// sentence draws n ids; the lower ones are more frequent.
func sentence(r *rng.Stream, n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = first + r.Intn(1+r.Intn(letters))
	}
	return out
}

// numbers draws n standard normal numbers.
func numbers(r *rng.Stream, n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(r.Normal())
	}
	return out
}
