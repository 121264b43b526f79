package all_test

import (
	"image"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/sysmem"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/caption"
	"github.com/seqzoo/seqzoo/zoo/dialogue"
	"github.com/seqzoo/seqzoo/zoo/forecast"
	"github.com/seqzoo/seqzoo/zoo/internal/zootest"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/series"
	"github.com/seqzoo/seqzoo/zoo/text"
	"github.com/seqzoo/seqzoo/zoo/word2vec"
)

// little lets there be so much memory for the rest of a test, with none at hand that other tests
// have taken.
func little(t *testing.T, bytes int) {
	before := sysmem.Available
	run.SetPoolLimit(run.SetPoolLimit(1))
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

	classifier, err := label.NewClassifier(
		label.ClassifierConfig{Config: label.Config{Recurrent: layer}}, v, labels, 1)
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

	captioner, err := caption.New(littlePictures(layer), v, 1)
	require.NoError(t, err)
	shown := func(ids []int) caption.Captioned {
		return caption.Captioned{Picture: image.NewGray(image.Rect(0, 0, 4, 4)), Caption: ids}
	}
	check(captioner.Task(caption.Data{Train: []caption.Captioned{shown([]int{4}),
		shown(slices.Repeat(long, 8)), shown([]int{4, 5})}}))
}

// littlePictures are of 4 × 4 pixels.
func littlePictures(decoder zoo.Recurrent) caption.Config {
	return caption.Config{Decoder: decoder, Hidden: 4, Features: 3, Width: 4, Height: 4, Patch: 2,
		Stride: 2}
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

// A language model names the window that does not fit, and what would.
func TestWindowsThatDoNotFit(t *testing.T) {
	v := zootest.Letters(t, 5, text.Unk)
	m, err := lm.New(lm.Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 24}}, v, 1)
	require.NoError(t, err)
	task, err := m.Task(lm.Data{Train: slices.Repeat([]int{1, 2, 3}, 2000), Batch: 8,
		Window: unroll.Window{Stride: 100}})
	require.NoError(t, err)
	little(t, 500_000)
	_, err = task.Next(1, 0)
	require.ErrorIs(t, err, train.ErrMemory)
	require.ErrorContains(t, err, "epoch 1, window 1, of 100 steps in 8 tracks: ")
	require.ErrorContains(t, err, " bytes, more than the limit of ")
	require.Regexp(t,
		`; about [1-7] tracks would fit \(Batch, or more Shards\), or windows of [1-9]\d? steps$`,
		err.Error())
}

// Vectors of words for which there is no memory are refused before any is taken.
func TestVectorsThatDoNotFit(t *testing.T) {
	little(t, 1000)
	words := [][]string{{"a", "b", "c", "d"}}
	_, err := word2vec.New(t.Context(), word2vec.Config{Dim: 100, MinCount: 1}, words)
	require.ErrorIs(t, err, train.ErrMemory)
	require.EqualError(t, err, "word2vec: vectors of 100 numbers for 4 words, and as many "+
		"outputs, need 3200 bytes, more than the 1000 that there are; a MaxVocab of 1 would fit, "+
		"or a Dim of 31")
	_, err = word2vec.New(t.Context(), word2vec.Config{Dim: 31, MinCount: 1}, words)
	require.NoError(t, err)
}

// Recomputation gives the same loss in every model that offers it, of a graph that needs less
// memory, and is refused where it would do nothing.
func TestModelsRecompute(t *testing.T) {
	layer := zoo.Recurrent{Cell: "gru", Hidden: 24}
	v, labels := zootest.Letters(t, 5, text.Unk, text.BOS, text.EOS), zootest.Letters(t, 5)
	ids := slices.Repeat([]int{4, 5, 6}, 400)
	models := map[string]func(recompute int, s unroll.Strategy) (train.Task, error){
		"lm": func(k int, s unroll.Strategy) (train.Task, error) {
			m := must(lm.New(lm.Config{Recurrent: layer}, v, 1))
			return m.Task(lm.Data{Train: ids, Batch: 1, Window: unroll.Window{Stride: 1000},
				Recompute: k, Unroll: s})
		},
		"label": func(k int, s unroll.Strategy) (train.Task, error) {
			m := must(label.NewTagger(label.TaggerConfig{Config: label.Config{
				Recurrent: layer}}, v, labels, 1))
			return m.Task(label.Data{Train: []label.Labelled{{
				Sequence: label.Sequence{IDs: ids}, Labels: make([]int, len(ids))}},
				Recompute: k, Unroll: s, Batch: 1})
		},
		"joint": func(k int, s unroll.Strategy) (train.Task, error) {
			m := must(label.NewJoint(label.JointConfig{Config: label.Config{Recurrent: layer},
				CRF: true}, v, labels, labels, 1))
			return m.Task(label.JointData{Train: []label.JointLabelled{{
				Sequence: label.Sequence{IDs: ids}, Label: 1, Tags: make([]int, len(ids))}},
				Recompute: k, Unroll: s, Batch: 1})
		},
		"seq2seq": func(k int, s unroll.Strategy) (train.Task, error) {
			m := must(seq2seq.New(seq2seq.Config{Encoder: layer}, v, v, 1))
			return m.Task(seq2seq.Data{Train: []seq2seq.Pair{{Source: ids, Target: ids}},
				Batch: 1, Recompute: k, Unroll: s})
		},
		"dialogue": func(k int, s unroll.Strategy) (train.Task, error) {
			m := must(dialogue.New(dialogue.Config{Encoder: layer}, v, 1))
			return m.Task(dialogue.Data{Train: []dialogue.Dialogue{{ids, ids, ids}},
				Batch: 1, Recompute: k, Unroll: s})
		},
		"forecast": func(k int, s unroll.Strategy) (train.Task, error) {
			m := must(forecast.New(forecast.Config{Recurrent: layer, Variables: []string{"x"},
				Lookback: len(ids), Horizon: 1},
				&series.Scale{Mean: []float64{5}, Deviation: []float64{1}}, 1))
			x := []float64{4}
			for _, id := range ids {
				x = append(x, float64(id))
			}
			return m.Task(forecast.Data{Train: must(series.New([]string{"x"}, x)), Recompute: k,
				Unroll: s})
		},
		"caption": func(k int, s unroll.Strategy) (train.Task, error) {
			m := must(caption.New(littlePictures(layer), v, 1))
			return m.Task(caption.Data{Train: []caption.Captioned{{Caption: ids,
				Picture: image.NewGray(image.Rect(0, 0, 4, 4))}}, Batch: 1,
				Recompute: k, Unroll: s})
		},
	}
	// Each worker has memory of its own: not as many as there are cores.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	for name, make := range models {
		_, err := make(-2, unroll.Scan)
		require.ErrorContains(t, err, "Recompute is -2", name)
		_, err = make(unroll.SqrtT, unroll.Expand)
		require.ErrorContains(t, err, "Recompute is of a Scan", name)
		all := must(make(0, unroll.Scan))
		want := must(all.Next(1, 0)).Loss
		got := must(must(make(unroll.SqrtT, unroll.Scan)).Next(1, 0)).Loss
		require.InDelta(t, want, got, 1e-5, name)
		t.Run(name, func(t *testing.T) {
			little(t, 1)
			require.Less(t, needed(t, make, unroll.SqrtT), needed(t, make, 0)*3/4)
		})
	}
}

// needed is the memory that a batch of the task asks for, where there is none.
func needed(t *testing.T, make func(recompute int, s unroll.Strategy) (train.Task, error),
	recompute int) int {
	t.Helper()
	task, err := make(recompute, unroll.Scan)
	if err == nil { // the example is too short to be looked at before
		_, err = task.Next(1, 0)
	}
	var m *run.MemoryError
	require.ErrorAs(t, err, &m, "recompute %d", recompute)
	return m.Need
}
