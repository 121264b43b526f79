package zoo_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/sysmem"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// little lets there be so much memory for the rest of a test.
func little(t *testing.T, bytes int) {
	before := sysmem.Available
	sysmem.Available = func() int { return bytes }
	t.Cleanup(func() { sysmem.Available = before })
}

// One long example among short ones, for which there is no memory, is named before a training starts.
func TestLongExamples(t *testing.T) {
	little(t, 40<<20)
	layer := zoo.Recurrent{Cell: "gru", Hidden: 24}
	v, labels := letters(t, 5, text.Unk, text.BOS, text.EOS), letters(t, 5)
	long := slices.Repeat([]int{4}, 700)
	check := func(task train.Task, err error) {
		t.Helper()
		require.Nil(t, task)
		require.ErrorIs(t, err, train.ErrMemory)
		require.ErrorContains(t, err, "example 1 has ")
		require.ErrorContains(t, err, "more than the limit of ")
	}

	translator, err := zoo.NewSeq2Seq(zoo.Seq2SeqConfig{Encoder: layer, Attention: "bahdanau"}, v, v, 1)
	require.NoError(t, err)
	short := zoo.Pair{Source: []int{4, 5}, Target: []int{4}}
	check(translator.Task(zoo.Seq2SeqData{Train: []zoo.Pair{short, {Source: long, Target: long}, short}}))
	_, err = translator.Task(zoo.Seq2SeqData{Train: []zoo.Pair{short, short}})
	require.NoError(t, err)

	classifier, err := zoo.NewSequenceClassifier(zoo.SequenceClassifierConfig{SequenceConfig: zoo.SequenceConfig{Recurrent: layer}}, v, labels, 1)
	require.NoError(t, err)
	text := func(ids []int) zoo.Labelled {
		return zoo.Labelled{Sequence: zoo.Sequence{IDs: ids}, Labels: []int{1}}
	}
	check(classifier.Task(zoo.SequenceData{Train: []zoo.Labelled{text([]int{4}), text(slices.Repeat(long, 10)), text([]int{4, 5})}}))

	little(t, 2<<20)
	hred, err := zoo.NewHRED(zoo.HREDConfig{Encoder: layer}, v, 1)
	require.NoError(t, err)
	talk := zoo.Dialogue{{4}, {5, 4}}
	check(hred.Task(zoo.HREDData{Train: []zoo.Dialogue{talk, {slices.Repeat(long, 8), slices.Repeat(long, 8)}, talk}}))
}
