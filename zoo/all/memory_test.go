package all_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/sysmem"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/dialogue"
	"github.com/seqzoo/seqzoo/zoo/internal/zootest"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// little lets there be so much memory for the rest of a test.
func little(t *testing.T, bytes int) {
	before := sysmem.Available
	sysmem.Available = func() int { return bytes }
	t.Cleanup(func() { sysmem.Available = before })
}

// One long example among short ones, for which there is no memory, is named before a training
// starts.
func TestLongExamples(t *testing.T) {
	little(t, 40<<20)
	layer := zoo.Recurrent{Cell: "gru", Hidden: 24}
	v, labels := zootest.Letters(t, 5, text.Unk, text.BOS, text.EOS), zootest.Letters(t, 5)
	long := slices.Repeat([]int{4}, 700)
	check := func(task train.Task, err error) {
		t.Helper()
		require.Nil(t, task)
		require.ErrorIs(t, err, train.ErrMemory)
		require.ErrorContains(t, err, "example 1: ")
		require.ErrorContains(t, err, "more than the limit of ")
	}

	translator, err := seq2seq.New(seq2seq.Config{Encoder: layer, Attention: "bahdanau"}, v, v, 1)
	require.NoError(t, err)
	short := seq2seq.Pair{Source: []int{4, 5}, Target: []int{4}}
	check(translator.Task(seq2seq.Data{Train: []seq2seq.Pair{short, {Source: long, Target: long},
		short}}))
	_, err = translator.Task(seq2seq.Data{Train: []seq2seq.Pair{short, short}})
	require.NoError(t, err)

	classifier, err := label.NewClassifier(label.ClassifierConfig{Config: label.Config{Recurrent: layer}}, v, labels, 1)
	require.NoError(t, err)
	text := func(ids []int) label.Labelled {
		return label.Labelled{Sequence: label.Sequence{IDs: ids}, Labels: []int{1}}
	}
	check(classifier.Task(label.Data{Train: []label.Labelled{text([]int{4}),
		text(slices.Repeat(long, 10)), text([]int{4, 5})}}))

	little(t, 2<<20)
	hred, err := dialogue.New(dialogue.Config{Encoder: layer}, v, 1)
	require.NoError(t, err)
	talk := dialogue.Dialogue{{4}, {5, 4}}
	check(hred.Task(dialogue.Data{Train: []dialogue.Dialogue{talk,
		{slices.Repeat(long, 8), slices.Repeat(long, 8)}, talk}}))
}

// A batch that does not fit is named, with its lengths and how many of it would fit.
func TestBatchesThatDoNotFit(t *testing.T) {
	v, labels := zootest.Letters(t, 5, text.Unk, text.BOS, text.EOS), zootest.Letters(t, 5)
	m, err := label.NewClassifier(label.ClassifierConfig{Config: label.Config{
		Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 24}}}, v, labels, 1)
	require.NoError(t, err)
	var learn []label.Labelled
	for i := range 8 {
		learn = append(learn, label.Labelled{
			Sequence: label.Sequence{IDs: slices.Repeat([]int{4}, 100+i)}, Labels: []int{1}})
	}
	task, err := m.Task(label.Data{Train: learn, Batch: 8})
	require.NoError(t, err)
	little(t, 1)
	_, err = task.Next(1, 0)
	require.ErrorIs(t, err, train.ErrMemory)
	require.ErrorContains(t, err, "epoch 1, batch 1, of 8 examples of 100 to 107 steps, "+
		"the longest of which is example 7: ")
	require.ErrorContains(t, err, " bytes, more than the limit of ")
	require.ErrorContains(t, err, "would fit")
}
