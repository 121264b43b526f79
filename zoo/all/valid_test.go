package all_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/dialogue"
	"github.com/seqzoo/seqzoo/zoo/internal/zootest"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// requireExample wants an error about an example, of the validation data or not.
func requireExample(t *testing.T, err error, index int, valid bool) {
	t.Helper()
	var e *zoo.ExampleError
	require.ErrorAs(t, err, &e)
	require.Equal(t, index, e.Index, err)
	require.Equal(t, valid, e.Valid, err)
}

// What cannot be validated on is found before a training starts, and is told from what cannot be
// trained on: too long for the memory that there is, or out of the vocabulary.
func TestValidationIsTriedFirst(t *testing.T) {
	layer := zoo.Recurrent{Cell: "gru", Hidden: 24}
	v, labels := zootest.Letters(t, 5, text.Unk, text.BOS, text.EOS), zootest.Letters(t, 5)
	translator, err := seq2seq.New(seq2seq.Config{Encoder: layer, Attention: "bahdanau"}, v, v, 1)
	require.NoError(t, err)
	hred, err := dialogue.New(dialogue.Config{Encoder: layer}, v, 1)
	require.NoError(t, err)
	config := label.Config{Recurrent: layer}
	classifier, err := label.NewClassifier(label.ClassifierConfig{Config: config}, v, labels, 1)
	require.NoError(t, err)
	tagger, err := label.NewTagger(label.TaggerConfig{Config: config}, v, labels, 1)
	require.NoError(t, err)
	joint, err := label.NewJoint(label.JointConfig{Config: config}, v, labels, labels, 1)
	require.NoError(t, err)

	tasks := map[string]func(odd []int, valid bool) (train.Task, error){
		"seq2seq": func(odd []int, valid bool) (train.Task, error) {
			l, d := parts(valid, seq2seq.Pair{Source: []int{4}, Target: []int{4}}, seq2seq.Pair{Source: odd, Target: odd})
			return translator.Task(seq2seq.Data{Train: l, Valid: d})
		},
		"dialogue": func(odd []int, valid bool) (train.Task, error) {
			l, d := parts(valid, dialogue.Dialogue{{4}, {5}}, dialogue.Dialogue{odd, odd})
			return hred.Task(dialogue.Data{Train: l, Valid: d})
		},
		"classifier": func(odd []int, valid bool) (train.Task, error) {
			one := func(ids []int) label.Labelled {
				return label.Labelled{Sequence: label.Sequence{IDs: ids}, Labels: []int{1}}
			}
			l, d := parts(valid, one([]int{4}), one(odd))
			return classifier.Task(label.Data{Train: l, Valid: d})
		},
		"tagger": func(odd []int, valid bool) (train.Task, error) {
			one := func(ids []int) label.Labelled {
				return label.Labelled{Sequence: label.Sequence{IDs: ids}, Labels: make([]int, len(ids))}
			}
			l, d := parts(valid, one([]int{4}), one(odd))
			return tagger.Task(label.Data{Train: l, Valid: d})
		},
		"joint": func(odd []int, valid bool) (train.Task, error) {
			one := func(ids []int) label.JointLabelled {
				return label.JointLabelled{Sequence: label.Sequence{IDs: ids}, Tags: make([]int, len(ids))}
			}
			l, d := parts(valid, one([]int{4}), one(odd))
			return joint.Task(label.JointData{Train: l, Valid: d})
		},
	}
	for name, task := range tasks {
		t.Run(name, func(t *testing.T) {
			for _, valid := range []bool{false, true} {
				_, err := task([]int{4, 99}, valid)
				requireExample(t, err, 2, valid)
				_, err = task([]int{4, 4}, valid)
				require.NoError(t, err)
			}
			little(t, 1<<19)
			for _, valid := range []bool{false, true} {
				_, err := task(slices.Repeat([]int{4}, 1000), valid)
				require.ErrorIs(t, err, train.ErrMemory)
				requireExample(t, err, 2, valid)
			}
		})
	}
}

// parts are data to learn from and to validate on, with an odd example behind two others in one of
// them.
func parts[E any](valid bool, plain, odd E) (learn, watch []E) {
	learn, watch = []E{plain, plain}, []E{plain, plain}
	if valid {
		return learn, append(watch, odd)
	}
	return append(learn, odd), watch
}

// A validation that overflows, in a training that does not, names the example.
func TestValidationThatOverflows(t *testing.T) {
	m, err := label.NewClassifier(label.ClassifierConfig{Config: label.Config{Features: 1,
		Recurrent: zoo.Recurrent{Cell: "indrnn", Hidden: 8}}}, nil, zootest.Letters(t, 2), 1)
	require.NoError(t, err)
	one := func(x float32) label.Labelled {
		return label.Labelled{Sequence: label.Sequence{Features: []float32{x, x, x, x}}, Labels: []int{1}}
	}
	task, err := m.Task(label.Data{Train: []label.Labelled{one(1), one(2)},
		Valid: []label.Labelled{one(1), one(1), one(1), one(3e38)}})
	require.NoError(t, err)
	adam, err := train.NewAdam(train.AdamConfig{})
	require.NoError(t, err)
	_, err = train.Fit(t.Context(), task, train.Config{Optimizer: adam, Epochs: 1})
	requireExample(t, err, 3, true)
	require.ErrorContains(t, err, "validation: ")
}
