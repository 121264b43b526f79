package zoo

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo/text"
)

func TestContains(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	digits := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "ab"[r.IntN(2)]
		}
		return string(b)
	}
	for range 2000 {
		whole, part := digits(r.IntN(14)), digits(r.IntN(6))
		require.Equal(t, strings.Contains(whole, part), contains([]byte(whole), []byte(part)), "%q in %q", part, whole)
	}
}

// Data of which hardly anything can be learned are trained on, and said.
func TestDoubts(t *testing.T) {
	v, err := text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.BOS, text.EOS, text.Unk}}, []string{"a", "b", "c", "d"})
	require.NoError(t, err)
	names := []string{"X", "Y", "Z", "V", "W", "U"}
	labels, err := text.NewVocabulary(text.VocabularyConfig{}, names)
	require.NoError(t, err)
	const unk, a, b, c, d = 2, 3, 4, 5, 6
	layer := Recurrent{Cell: "rnn", Hidden: 2}
	lm, err := NewLanguageModel(LanguageModelConfig{Recurrent: layer}, v, 1)
	require.NoError(t, err)
	classifier, err := NewSequenceClassifier(SequenceClassifierConfig{SequenceConfig: SequenceConfig{Recurrent: layer}}, v, labels, 1)
	require.NoError(t, err)
	tagger, err := NewTagger(TaggerConfig{SequenceConfig: SequenceConfig{Recurrent: layer}}, v, labels, 1)
	require.NoError(t, err)
	seq2seq, err := NewSeq2Seq(Seq2SeqConfig{Encoder: layer, Decoder: layer}, v, v, 1)
	require.NoError(t, err)
	hred, err := NewHRED(HREDConfig{Encoder: layer}, v, 1)
	require.NoError(t, err)
	autoencoder, err := NewAutoencoder(AutoencoderConfig{Features: 2, Widths: []int{1}}, 1)
	require.NoError(t, err)
	one := func(label int, ids ...int) Labelled { return Labelled{Sequence{IDs: ids}, []int{label}} }
	good := []Labelled{one(0, a), one(0, b), one(1, c), one(1, d)}
	pair := func(ids ...int) Pair { return Pair{ids, ids} }

	for name, c := range map[string]struct {
		task func() (train.Task, error)
		want []string
	}{
		"good texts": {func() (train.Task, error) {
			return classifier.Task(SequenceData{Train: good, Valid: []Labelled{one(0, a, b)}})
		}, nil},
		"not validated": {func() (train.Task, error) { return classifier.Task(SequenceData{Train: good}) }, nil},
		"nothing to validate with": {func() (train.Task, error) {
			return classifier.Task(SequenceData{Train: good, Valid: []Labelled{}})
		}, []string{"the validation data are empty"}},
		"one class": {func() (train.Task, error) {
			return classifier.Task(SequenceData{Train: []Labelled{one(1, a), one(1, b)}})
		}, []string{`all 2 texts of the training data have the label "V"`}},
		"as many classes as texts": {func() (train.Task, error) {
			return classifier.Task(SequenceData{Train: []Labelled{one(0, a), one(1, a), one(2, b), one(3, b)}})
		}, []string{"there are 4 labels for 4 texts (100 %)"}},
		"tags in place of tokens": {func() (train.Task, error) {
			return tagger.Task(SequenceData{Train: []Labelled{{Sequence{IDs: []int{a, a, b, b}}, []int{0, 1, 2, 3}}}})
		}, []string{"there are 4 labels for 4 tokens"}},
		"validated with what is learned": {func() (train.Task, error) {
			return classifier.Task(SequenceData{Train: good, Valid: good})
		}, []string{"4 of the 4 validation examples (100 %)"}},
		"another label": {func() (train.Task, error) {
			return classifier.Task(SequenceData{Train: good, Valid: []Labelled{one(1, a)}})
		}, nil},
		"unknown words": {func() (train.Task, error) {
			return classifier.Task(SequenceData{Train: []Labelled{one(0, unk, a), one(1, unk, unk), one(0, b), one(1, a, b)}})
		}, []string{"42.9 % of the 7 tokens of the training data are <unk>"}},
		"unknown text": {func() (train.Task, error) {
			return lm.Task(LanguageModelData{Train: []int{a, b, c, a, b, c}, Valid: []int{unk, unk, a}, Batch: 1, Window: unroll.Window{Stride: 2}})
		}, []string{"66.7 % of the 3 tokens of the validation text"}},
		"part of the text": {func() (train.Task, error) {
			return lm.Task(LanguageModelData{Train: []int{a, b, c, a, b, c}, Valid: []int{c, a, b}, Batch: 1, Window: unroll.Window{Stride: 2}})
		}, []string{"is a part of the training text"}},
		"pairs": {func() (train.Task, error) {
			return seq2seq.Task(Seq2SeqData{Train: []Pair{pair(a), pair(unk, unk, b)}, Valid: []Pair{pair(a)}})
		}, []string{"50.0 % of the 4 tokens of the training sources", "50.0 % of the 4 tokens of the training targets", "1 of the 1 validation"}},
		"dialogues": {func() (train.Task, error) {
			return hred.Task(HREDData{Train: []Dialogue{{{unk}, {unk}}}, Valid: []Dialogue{{{unk}, {unk}}}})
		}, []string{"100.0 % of the 2 tokens of the training dialogues", "validation dialogues", "1 of the 1 validation"}},
		"rows": {func() (train.Task, error) {
			return autoencoder.Task(RowData{Train: []float32{1, 2, 3, 4}, Valid: []float32{3, 4}})
		}, []string{"1 of the 1 validation"}},
	} {
		task, err := c.task()
		require.NoError(t, err, name)
		warnings := train.Warnings(task)
		require.Len(t, warnings, len(c.want), "%s: %q", name, warnings)
		for i, want := range c.want {
			require.Contains(t, warnings[i], want, name)
		}
	}
}
