package all

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/dialogue"
	zoolabel "github.com/seqzoo/seqzoo/zoo/label"
	zoolm "github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/reduce"
	zooseq2seq "github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// doubtful is a task and the doubts about its data.
type doubtful struct {
	task func() (train.Task, error)
	want []string
}

// doubtfulVocabularies are four words and special ones, and six labels.
func doubtfulVocabularies(t *testing.T) (v, labels *text.Vocabulary) {
	v, err := text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.BOS, text.EOS,
		text.Unk}}, []string{"a", "b", "c", "d"})
	require.NoError(t, err)
	names := []string{"X", "Y", "Z", "V", "W", "U"}
	labels, err = text.NewVocabulary(text.VocabularyConfig{}, names)
	require.NoError(t, err)
	return v, labels
}

// doubtfulLabels are tasks of classifiers and taggers.
func doubtfulLabels(t *testing.T) map[string]doubtful {
	const unk, a, b, c, d = 2, 3, 4, 5, 6
	v, labels := doubtfulVocabularies(t)
	layer := zoo.Recurrent{Cell: "rnn", Hidden: 2}
	classifier, err := zoolabel.NewClassifier(
		zoolabel.ClassifierConfig{Config: zoolabel.Config{Recurrent: layer}}, v, labels, 1)
	require.NoError(t, err)
	tagger, err := zoolabel.NewTagger(
		zoolabel.TaggerConfig{Config: zoolabel.Config{Recurrent: layer}}, v, labels, 1)
	require.NoError(t, err)
	one := func(label int, ids ...int) zoolabel.Labelled {
		return zoolabel.Labelled{Sequence: zoolabel.Sequence{IDs: ids}, Labels: []int{label}}
	}
	good := []zoolabel.Labelled{one(0, a), one(0, b), one(1, c), one(1, d)}
	return map[string]doubtful{
		"good texts": {func() (train.Task, error) {
			return classifier.Task(zoolabel.Data{Train: good,
				Valid: []zoolabel.Labelled{one(0, a, b)}})
		}, nil},
		"not validated": {func() (train.Task, error) {
			return classifier.Task(zoolabel.Data{Train: good})
		}, nil},
		"nothing to validate with": {func() (train.Task, error) {
			return classifier.Task(zoolabel.Data{Train: good, Valid: []zoolabel.Labelled{}})
		}, []string{"the validation data are empty"}},
		"one class": {func() (train.Task, error) {
			return classifier.Task(zoolabel.Data{Train: []zoolabel.Labelled{one(1, a), one(1, b)}})
		}, []string{`all 2 texts of the training data have the label "V"`}},
		"as many classes as texts": {func() (train.Task, error) {
			return classifier.Task(zoolabel.Data{Train: []zoolabel.Labelled{one(0, a), one(1, a),
				one(2, b), one(3, b)}})
		}, []string{"there are 4 labels for 4 texts (100 %)"}},
		"tags in place of tokens": {func() (train.Task, error) {
			return tagger.Task(
				zoolabel.Data{Train: []zoolabel.Labelled{{Labels: []int{0, 1, 2, 3},
					Sequence: zoolabel.Sequence{IDs: []int{a, a, b, b}}}}})
		}, []string{"there are 4 labels for 4 tokens"}},
		"validated with what is learned": {func() (train.Task, error) {
			return classifier.Task(zoolabel.Data{Train: good, Valid: good})
		}, []string{"4 of the 4 validation examples (100 %)"}},
		"another label": {func() (train.Task, error) {
			return classifier.Task(zoolabel.Data{Train: good,
				Valid: []zoolabel.Labelled{one(1, a)}})
		}, nil},
		"unknown words": {func() (train.Task, error) {
			return classifier.Task(zoolabel.Data{Train: []zoolabel.Labelled{one(0, unk, a),
				one(1, unk, unk), one(0, b), one(1, a, b)}})
		}, []string{"42.9 % of the 7 tokens of the training data are <unk>"}},
	}
}

// doubtfulOthers are tasks of the other models.
func doubtfulOthers(t *testing.T) map[string]doubtful {
	const unk, a, b, c = 2, 3, 4, 5
	v, _ := doubtfulVocabularies(t)
	layer := zoo.Recurrent{Cell: "rnn", Hidden: 2}
	lm, err := zoolm.New(zoolm.Config{Recurrent: layer}, v, 1)
	require.NoError(t, err)
	seq2seq, err := zooseq2seq.New(zooseq2seq.Config{Encoder: layer, Decoder: layer}, v, v, 1)
	require.NoError(t, err)
	dotted, err := zooseq2seq.New(zooseq2seq.Config{Encoder: layer, Decoder: layer,
		Attention: "luong", Score: "dot", ScoreHidden: 3}, v, v, 1)
	require.NoError(t, err)
	hred, err := dialogue.New(dialogue.Config{Encoder: layer}, v, 1)
	require.NoError(t, err)
	autoencoder, err := reduce.NewAutoencoder(reduce.AutoencoderConfig{Features: 2,
		Widths: []int{1}}, 1)
	require.NoError(t, err)
	pair := func(ids ...int) zooseq2seq.Pair { return zooseq2seq.Pair{Source: ids, Target: ids} }
	return map[string]doubtful{
		"unknown text": {func() (train.Task, error) {
			return lm.Task(zoolm.Data{Train: []int{a, b, c, a, b, c}, Valid: []int{unk, unk, a},
				Batch: 1, Window: unroll.Window{Stride: 2}})
		}, []string{"66.7 % of the 3 tokens of the validation text"}},
		"part of the text": {func() (train.Task, error) {
			return lm.Task(zoolm.Data{Train: []int{a, b, c, a, b, c}, Valid: []int{c, a, b},
				Batch: 1, Window: unroll.Window{Stride: 2}})
		}, []string{"is a part of the training text"}},
		"pairs": {func() (train.Task, error) {
			return seq2seq.Task(zooseq2seq.Data{Train: []zooseq2seq.Pair{pair(a),
				pair(unk, unk, b)}, Valid: []zooseq2seq.Pair{pair(a)}})
		}, []string{"50.0 % of the 4 tokens of the training sources",
			"50.0 % of the 4 tokens of the training targets", "1 of the 1 validation"}},
		"a hidden layer of a score without one": {func() (train.Task, error) {
			return dotted.Task(zooseq2seq.Data{Train: []zooseq2seq.Pair{pair(a), pair(b)}})
		}, []string{"score_hidden is 3, and is of the scores additive and concat, not of dot: it " +
			"does nothing"}},
		"dialogues": {func() (train.Task, error) {
			return hred.Task(dialogue.Data{Train: []dialogue.Dialogue{{{unk}, {unk}}},
				Valid: []dialogue.Dialogue{{{unk}, {unk}}}})
		}, []string{"100.0 % of the 2 tokens of the training dialogues", "validation dialogues",
			"1 of the 1 validation"}},
		"rows": {func() (train.Task, error) {
			return autoencoder.Task(reduce.RowData{Train: []float32{1, 2, 3, 4},
				Valid: []float32{3, 4}})
		}, []string{"1 of the 1 validation"}},
	}
}

// Data of which hardly anything can be learned are trained on, and said.
func TestDoubts(t *testing.T) {
	cases := doubtfulLabels(t)
	maps.Copy(cases, doubtfulOthers(t))
	for name, c := range cases {
		task, err := c.task()
		require.NoError(t, err, name)
		warnings := train.Warnings(task)
		require.Len(t, warnings, len(c.want), "%s: %q", name, warnings)
		for i, want := range c.want {
			require.Contains(t, warnings[i], want, name)
		}
	}
}
