package all_test

import (
	"context"
	"errors"
	"image"
	"iter"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/caption"
	"github.com/seqzoo/seqzoo/zoo/dialogue"
	"github.com/seqzoo/seqzoo/zoo/forecast"
	"github.com/seqzoo/seqzoo/zoo/internal/zootest"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/reduce"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/series"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// streamIDs are those of a made up text: letters 4 and 5, as many as i tells.
func streamIDs(i int) []int {
	ids := make([]int, 1+i%7)
	for k := range ids {
		ids[k] = 4 + (i+k)%2
	}
	return ids
}

// streamOf gives n examples, each made when it is asked for.
func streamOf[E any](n int, of func(i int) E) iter.Seq2[E, error] {
	return func(yield func(E, error) bool) {
		for i := range n {
			if !yield(of(i), nil) {
				return
			}
		}
	}
}

// streamed is a model of which a task is made from a stream.
type streamed struct {
	name string
	n    int // what the batches of an epoch count in all
	task func(t *testing.T, buffer, tokens int, spoil func(i int) error) (train.Task, error)
}

// spoiled is a stream that asks spoil before each example whether it fails there.
func spoiled[E any](s iter.Seq2[E, error], spoil func(i int) error) iter.Seq2[E, error] {
	return func(yield func(E, error) bool) {
		i := 0
		for e, err := range s {
			if spoil != nil && err == nil {
				err = spoil(i)
			}
			if errors.Is(err, errEnd) || !yield(e, err) {
				return
			}
			i++
		}
	}
}

// errEnd ends a stream before its time.
var errEnd = errors.New("the end")

const streamExamples = 50

func streamedModels(t *testing.T) []streamed {
	layer := zoo.Recurrent{Cell: "gru", Hidden: 4}
	v := zootest.Letters(t, 3, text.Unk, text.BOS, text.EOS)
	labels := zootest.Letters(t, 2)
	pairs := 0 // tokens of targets, <eos> included
	for i := range streamExamples {
		pairs += len(streamIDs(i+1)) + 1
	}
	return []streamed{
		{"label", streamExamples, func(t *testing.T, buffer, tokens int,
			spoil func(i int) error) (train.Task, error) {
			m, err := label.NewClassifier(label.ClassifierConfig{Config: label.Config{
				Recurrent: layer}}, v, labels, 1)
			require.NoError(t, err)
			return m.Task(label.Data{Batch: 4 * b2i(tokens == 0), Tokens: tokens, Buffer: buffer,
				Stream: spoiled(streamOf(streamExamples, func(i int) label.Labelled {
					return label.Labelled{Sequence: label.Sequence{IDs: streamIDs(i)}, Labels: []int{i % 2}}
				}), spoil)})
		}},
		{"joint", streamExamples, func(t *testing.T, buffer, tokens int,
			spoil func(i int) error) (train.Task, error) {
			m, err := label.NewJoint(label.JointConfig{Config: label.Config{Recurrent: layer},
				CRF: true}, v, labels, labels, 1)
			require.NoError(t, err)
			return m.Task(label.JointData{Batch: 4 * b2i(tokens == 0), Tokens: tokens, Buffer: buffer,
				Stream: spoiled(streamOf(streamExamples, func(i int) label.JointLabelled {
					ids := streamIDs(i)
					return label.JointLabelled{Sequence: label.Sequence{IDs: ids}, Label: i % 2,
						Tags: make([]int, len(ids))}
				}), spoil)})
		}},
		{"seq2seq", pairs, func(t *testing.T, buffer, tokens int,
			spoil func(i int) error) (train.Task, error) {
			m, err := seq2seq.New(seq2seq.Config{Encoder: layer}, v, v, 1)
			require.NoError(t, err)
			return m.Task(seq2seq.Data{Batch: 4 * b2i(tokens == 0), Tokens: tokens, Buffer: buffer,
				Stream: spoiled(streamOf(streamExamples, func(i int) seq2seq.Pair {
					return seq2seq.Pair{Source: streamIDs(i), Target: streamIDs(i + 1)}
				}), spoil)})
		}},
		{"dialogue", pairs, func(t *testing.T, buffer, tokens int,
			spoil func(i int) error) (train.Task, error) {
			m, err := dialogue.New(dialogue.Config{Encoder: layer}, v, 1)
			require.NoError(t, err)
			return m.Task(dialogue.Data{Batch: 4 * b2i(tokens == 0), Tokens: tokens, Buffer: buffer,
				Stream: spoiled(streamOf(streamExamples, func(i int) dialogue.Dialogue {
					return dialogue.Dialogue{streamIDs(i), streamIDs(i + 1)}
				}), spoil)})
		}},
		{"caption", pairs, func(t *testing.T, buffer, tokens int,
			spoil func(i int) error) (train.Task, error) {
			m, err := caption.New(littlePictures(layer), v, 1)
			require.NoError(t, err)
			return m.Task(caption.Data{Batch: 4 * b2i(tokens == 0), Tokens: tokens, Buffer: buffer,
				Stream: spoiled(streamOf(streamExamples, func(i int) caption.Captioned {
					return caption.Captioned{Picture: image.NewGray(image.Rect(0, 0, 4, 4)),
						Caption: streamIDs(i + 1)}
				}), spoil)})
		}},
		{"forecast", streamExamples, func(t *testing.T, buffer, _ int,
			spoil func(i int) error) (train.Task, error) {
			m, err := forecast.New(forecast.Config{Recurrent: layer, Variables: []string{"x"},
				Lookback: 3, Horizon: 2}, &series.Scale{Mean: []float64{0}, Deviation: []float64{1}}, 1)
			require.NoError(t, err)
			return m.Task(forecast.Data{Batch: 4, Buffer: buffer,
				Stream: spoiled(streamOf(streamExamples, func(i int) *series.Series { // one window each
					s, err := series.New([]string{"x"}, []float64{1, float64(i), 3, 4, float64(-i)})
					require.NoError(t, err)
					return s
				}), spoil)})
		}},
		{"autoencoder", streamExamples, func(t *testing.T, buffer, _ int,
			spoil func(i int) error) (train.Task, error) {
			m, err := reduce.NewAutoencoder(reduce.AutoencoderConfig{Features: 3, Widths: []int{2},
				Standardise: true}, 1)
			require.NoError(t, err)
			return m.Task(reduce.RowData{Batch: 4, Buffer: buffer,
				Stream: spoiled(streamOf(streamExamples, streamRow), spoil)})
		}},
		{"VAE", streamExamples, func(t *testing.T, buffer, _ int,
			spoil func(i int) error) (train.Task, error) {
			m, err := reduce.NewVAE(reduce.VAEConfig{Features: 3, Widths: []int{3}, Code: 2}, 1)
			require.NoError(t, err)
			return m.Task(reduce.VAEData{Warmup: 7, RowData: reduce.RowData{Batch: 4, Buffer: buffer,
				Stream: spoiled(streamOf(streamExamples, streamRow), spoil)}})
		}},
		{"recurrent autoencoder", streamExamples, func(t *testing.T, buffer, tokens int,
			spoil func(i int) error) (train.Task, error) {
			m, err := reduce.NewRecurrentAutoencoder(reduce.RecurrentAutoencoderConfig{
				Recurrent: layer, Variables: 1, Window: 3, Code: 2, Standardise: true}, 1)
			require.NoError(t, err)
			return m.SeriesTask(reduce.SeriesData{Batch: 4 * b2i(tokens == 0), Tokens: tokens,
				Buffer: buffer, Stream: spoiled(streamOf(streamExamples, func(i int) []float32 {
					return streamRow(i)[:1+i%3]
				}), spoil)})
		}},
		{"lm", 0, func(t *testing.T, buffer, tokens int,
			spoil func(i int) error) (train.Task, error) {
			m, err := lm.New(lm.Config{Recurrent: layer}, v, 1)
			require.NoError(t, err)
			return m.Task(lm.Data{Batch: 2, Buffer: 5 * buffer,
				Stream: spoiled(streamOf(streamExamples, streamIDs), spoil)})
		}},
	}
}

// streamRow has three probabilities.
func streamRow(i int) []float32 {
	return []float32{float32(i) / streamExamples, float32(i%3) / 2, float32(i%7) / 6}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// A task of a stream sees each example once an epoch, as many batches in each, and resumes to the
// bit from behind any batch, also in the next epoch, for windows of any size and batches by number
// and by tokens.
func TestStreams(t *testing.T) {
	for _, m := range streamedModels(t) {
		for _, c := range []struct{ buffer, tokens int }{{1, 0}, {7, 0}, {25, 0}, {50, 0}, {0, 0}, {11, 40}} {
			task, err := m.task(t, c.buffer, c.tokens, nil)
			require.NoError(t, err, "%s %v", m.name, c)
			require.NoError(t, train.CheckTask(task, task.Len()+2), "%s %v", m.name, c)
			for range 2 {
				counted := 0
				for i := range task.Len() {
					b, err := task.Next(1, i)
					require.NoError(t, err)
					counted += b.Count
				}
				if m.n > 0 {
					require.Equal(t, m.n, counted, "%s %v", m.name, c)
				}
			}
		}
	}
}

// A stream that fails, ends early or gives other examples later is named, and no batch is made of
// it.
func TestStreamsThatChange(t *testing.T) {
	broken := errors.New("the disk is gone")
	for _, m := range streamedModels(t) {
		_, err := m.task(t, 7, 0, func(i int) error {
			if i == 33 {
				return broken
			}
			return nil
		})
		require.ErrorIs(t, err, broken, m.name)
		if m.name != "lm" {
			require.ErrorContains(t, err, " 33: the stream fails", m.name)
		}
		for want, fails := range map[error]string{broken: broken.Error(), errEnd: "the stream ends after "} {
			later := false
			task, err := m.task(t, 7, 0, func(i int) error {
				if later && i == 33 {
					return want
				}
				return nil
			})
			require.NoError(t, err)
			later = true
			for i := 0; i < 2*task.Len() && err == nil; i++ {
				_, err = task.Next(1, i)
			}
			require.ErrorContains(t, err, fails, m.name)
		}
	}
	// other examples
	v, labels := zootest.Letters(t, 3, text.Unk), zootest.Letters(t, 2)
	m, err := label.NewClassifier(label.ClassifierConfig{Config: label.Config{
		Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 4}}}, v, labels, 1)
	require.NoError(t, err)
	first := 0
	data := label.Data{Buffer: 10, Stream: streamOf(30, func(i int) label.Labelled {
		return label.Labelled{Sequence: label.Sequence{IDs: []int{1 + b2i(i >= first)}}, Labels: []int{0}}
	})}
	task, err := m.Task(data)
	require.NoError(t, err)
	first = 25
	_, err = train.Fit(context.Background(), task, train.Config{
		Optimizer: must(train.NewAdam(train.AdamConfig{LR: 0.01})), Epochs: 1})
	require.ErrorContains(t, err, "the stream has other examples than when the task was made, "+
		"somewhere from number 10 to 19") // 0 to 9 were at hand

	data.Train = []label.Labelled{{}}
	_, err = m.Task(data)
	require.ErrorContains(t, err, "Train and a Stream")
	_, err = m.Task(label.Data{Train: data.Train, Buffer: 3})
	require.ErrorContains(t, err, "Buffer is 3, and there is no Stream")
	_, err = m.Task(label.Data{Stream: streamOf(0, func(int) label.Labelled { return label.Labelled{} })})
	require.ErrorContains(t, err, "the Stream has no examples")
	_, err = m.Task(label.Data{Buffer: 4, Stream: streamOf(30, func(i int) label.Labelled {
		return label.Labelled{Sequence: label.Sequence{IDs: []int{1}}, Labels: []int{i / 20}}
	})})
	require.NoError(t, err)
	_, err = m.Task(label.Data{Buffer: 4, Stream: streamOf(30, func(i int) label.Labelled {
		return label.Labelled{Sequence: label.Sequence{IDs: []int{1}}, Labels: []int{i / 10}}
	})})
	require.ErrorContains(t, err, "example 20: ")
}

// A training goes on from a checkpoint with the stream that it began with, and with no other.
func TestStreamResumes(t *testing.T) {
	v, labels := zootest.Letters(t, 3, text.Unk), zootest.Letters(t, 2)
	of := func(other int) train.Task {
		m, err := label.NewClassifier(label.ClassifierConfig{Config: label.Config{
			Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 4}}}, v, labels, 1)
		require.NoError(t, err)
		return must(m.Task(label.Data{Buffer: 7, Batch: 4, Stream: streamOf(50, func(i int) label.Labelled {
			return label.Labelled{Sequence: label.Sequence{IDs: []int{1 + i%2, 1 + b2i(i == other)}}, Labels: []int{i % 2}}
		})}))
	}
	fit := func(dir string, steps int, task train.Task) error {
		cs, err := train.OpenCheckpoints(dir, 0)
		require.NoError(t, err)
		defer cs.Close()
		_, err = train.Fit(context.Background(), task, train.Config{Epochs: 3, MaxSteps: steps, Seed: 1,
			Optimizer:   must(train.NewAdam(train.AdamConfig{LR: 0.01})),
			Checkpoints: cs, Resume: true, SaveEvery: 1})
		return err
	}
	whole, dir := of(-1), t.TempDir()
	require.NoError(t, fit(t.TempDir(), 0, whole))
	for _, steps := range []int{5, 20, 0} {
		task := of(-1)
		require.NoError(t, fit(dir, steps, task))
		if steps == 0 {
			for i, p := range whole.Params() {
				require.Equal(t, p.Value().Data(), task.Params()[i].Value().Data(), p.Name())
			}
		}
	}
	require.ErrorIs(t, fit(dir, 0, of(49)), train.ErrOtherData)
}

// A stream of which a hundredth part would not fit takes what its window takes.
func TestStreamLargerThanMemory(t *testing.T) {
	v, labels := zootest.Letters(t, 3, text.Unk), zootest.Letters(t, 2)
	m, err := label.NewClassifier(label.ClassifierConfig{Config: label.Config{
		Recurrent: zoo.Recurrent{Cell: "rnn", Hidden: 2}}}, v, labels, 1)
	require.NoError(t, err)
	const n, length = 20_000, 1000
	ids := slices.Repeat([]int{1, 2}, length/2)
	live := func() int {
		runtime.GC()
		var now runtime.MemStats
		runtime.ReadMemStats(&now)
		return int(now.HeapAlloc)
	}
	before, most := live(), 0
	data := label.Data{Buffer: 100, Batch: 2, Stream: streamOf(n, func(i int) label.Labelled {
		if i%2000 == 1999 {
			most = max(most, live())
		}
		return label.Labelled{Sequence: label.Sequence{IDs: slices.Clone(ids)}, Labels: []int{0}}
	})}
	task, err := m.Task(data)
	require.NoError(t, err)
	require.Equal(t, n/2, task.Len())
	for i := range 60 { // over the end of a window
		_, err := task.Next(1, i)
		require.NoError(t, err)
	}
	most = max(most, live())
	require.Less(t, most-before, 8<<20, "of %d MB of texts", n*length*8>>20)
}
