package porting_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/text"
	"github.com/seqzoo/seqzoo/zoo/vectors"
	"github.com/seqzoo/seqzoo/zoo/word2vec"
)

// What a script says before and behind the model: texts to ids, weights of examples, a summary,
// vectors from elsewhere, all weights as numbers.
func TestTextRows(t *testing.T) {
	texts := [][]string{strings.Fields("a good film"), strings.Fields("a bad film"),
		strings.Fields("good"), strings.Fields("bad bad")}
	tokens := must(text.NewVocabulary(text.VocabularyConfig{MaxSize: 10000,
		Specials: []string{text.Unk}}, texts...))
	labels := must(text.NewVocabulary(text.VocabularyConfig{}, []string{"praise", "blame"}))
	m := must(label.NewClassifier(label.ClassifierConfig{Config: label.Config{Embed: 2,
		Recurrent: zoo.Recurrent{Hidden: 4}}}, tokens, labels, 1))
	var examples []label.Labelled
	for i, words := range texts {
		e, err := m.EncodeLabelled(words, []string{"praise", "blame"}[i%2])
		require.NoError(t, err)
		examples = append(examples, e)
	}
	train, valid := examples[:3], examples[3:]
	data := label.Data{Train: train, Valid: valid, Batch: 8, Seed: 1}
	stream := func(yield func(label.Labelled, error) bool) {
		for _, e := range train {
			if !yield(e, nil) {
				return
			}
		}
	}
	streamed := label.Data{Stream: stream, Buffer: 8192, Batch: 8, Seed: 1}
	byTokens := label.Data{Train: train, Tokens: 4096}
	lean := label.Data{Train: train, Recompute: unroll.SqrtT}
	for _, d := range []label.Data{streamed, byTokens, lean} {
		task, err := m.Task(d)
		require.NoError(t, err)
		b, err := task.Next(1, 0)
		require.NoError(t, err)
		require.Equal(t, 3, b.Count)
	}
	data.Weights = []float64{1, 2, 0.5}
	_, err := m.Task(data)
	require.NoError(t, err)
	require.NotEmpty(t, zoo.Summarise(m).String())
	costs, err := zoo.SummariseFor(m, 100, 32)
	require.NoError(t, err)
	require.Positive(t, costs.Costs[0].Memory)
	inside, err := m.Inside(examples[0].Sequence)
	require.NoError(t, err)
	require.Equal(t, []int{3, 4}, inside["layers/l0/h"].Shape())
	glove := must(vectors.New([]string{"good", "bad"}, 2, []float32{1, 0, 0, 1}))
	table, ok := m.Params().Get("embed/E")
	require.True(t, ok)
	found, err := glove.Fill(table.Value().Float32s(), tokens)
	require.NoError(t, err)
	require.Equal(t, 2, found)
	for _, p := range m.Params().Params() {
		_ = p.Value().Data()
	}
	require.Positive(t, m.Params().Count())
}

// Two heads, every step labelled, words that are copied.
func TestMoreModelRows(t *testing.T) {
	tokens, intents, slots := vocabulary(t, 20), vocabulary(t, 3), vocabulary(t, 5)
	encoder := label.Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 6}, Bidirectional: true}
	both := must(label.NewJoint(label.JointConfig{Config: encoder, TagWeight: 0.5},
		tokens, intents, slots, 1))
	require.NotNil(t, both)
	each := must(label.NewTagger(label.TaggerConfig{Config: encoder}, tokens, slots, 1))
	require.NotNil(t, each)
	words := must(text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.Unk, text.BOS,
		text.EOS}}, []string{"a", "b"}))
	copies := must(seq2seq.New(seq2seq.Config{Encoder: zoo.Recurrent{Hidden: 4},
		Attention: seq2seq.BahdanauAttention, Copy: true}, words, words, 1))
	require.NotNil(t, copies)
	const In, H, B = 3, 4, 2
	s := nodes.NewStore(nodes.Float32, 1)
	require.NoError(t, nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{}) // no dropout, no gradients
		cell := cells.NewGRU(s.Root().In("cell"), cells.GRUConfig{In: In, Hidden: H})
		x, h := g.Input("x", B, In), g.Input("h", B, H)
		next := cell.Step(x, cells.State{h})[0]
		must(run.Feed(x))
		must(run.Feed(h))
		step := must(run.New([]*nodes.Node{next}))
		require.NoError(t, step.Run(0, 0))
		require.NoError(t, step.Close())
	}))
}

// What Keras' and Lightning's trainers are told.
func TestTrainerRows(t *testing.T) {
	m, data := classifier(t)
	task, err := m.Task(data)
	require.NoError(t, err)
	const epochs = 2
	total := epochs * task.Len()
	_ = must(train.NewStepDecay(train.StepDecayConfig{LR: 0.1, Every: 30, Gamma: 0.1}))
	_ = must(train.NewExponential(train.ExponentialConfig{LR: 0.1, Gamma: 0.95}))
	result, err := train.Fit(context.Background(), task, train.Config{
		Optimizer: must(train.NewSGD(train.SGDConfig{LR: 0.1, Momentum: 0.9, Nesterov: true})),
		Schedule:  must(train.NewCosine(train.CosineConfig{LR: 0.1, Warmup: 2, Total: total})),
		Clip:      train.Clip{Value: 0.5},
		Average:   must(train.NewAverage(train.AverageConfig{Decay: 0.99})),
		Epochs:    epochs, Seed: 1, Accumulate: 4,
	})
	require.NoError(t, err)
	require.NotNil(t, result)
}

// gensim's word2vec.
func TestWordVectorRows(t *testing.T) {
	ctx := context.Background()
	var sentences [][]string
	for range 60 {
		sentences = append(sentences, strings.Fields("the sun and the moon shine on the sea"))
	}
	m, err := word2vec.New(ctx, word2vec.Config{Dim: 100, Window: 5, MinCount: 5}, sentences)
	require.NoError(t, err)
	require.NoError(t, m.Train(ctx, sentences, word2vec.TrainOptions{}))
	wv, err := m.Vectors()
	require.NoError(t, err)
	matches, err := wv.Similar([]string{"sun"}, []string{"sea"}, 3)
	require.NoError(t, err)
	require.Len(t, matches, 3)

	path := filepath.Join(t.TempDir(), "text")
	require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("the sun and the moon\n", 60)),
		0o666))
	lines := text.Sentences(path, text.Words{})
	big, err := word2vec.NewFrom(ctx, word2vec.Config{Dim: 100}, lines)
	require.NoError(t, err)
	require.NoError(t, big.TrainFrom(ctx, lines, word2vec.TrainOptions{}))
}
