package seq2seq_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/internal/zootest"
	"github.com/seqzoo/seqzoo/zoo/metrics"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// fit trains a model on reversals and returns the mean loss of the last updates.
func fit(t *testing.T, m *seq2seq.Model, d seq2seq.Data, c train.Config) *train.Result {
	task, err := m.Task(d)
	require.NoError(t, err)
	adam, err := train.NewAdam(train.AdamConfig{LR: 0.01})
	require.NoError(t, err)
	c.Optimizer = adam
	r, err := train.Fit(context.Background(), task, c)
	require.NoError(t, err)
	return r
}

// Reversal is learned, the alignment runs backwards, and a saved model does the same.
func TestSeq2SeqLearnsReversal(t *testing.T) {
	m, err := seq2seq.New(seq2seq.Config{
		Encoder: zoo.Recurrent{Cell: "gru", Hidden: 32}, EmbedSource: 16, EmbedTarget: 16,
		Bidirectional: true, Attention: "bahdanau",
	}, zootest.Letters(t, 6), zootest.Letters(t, 6, text.BOS, text.EOS), 1)
	require.NoError(t, err)
	sources := phrases(1200, 5, 6, 1)
	pairs, err := m.Pairs(sources, reversed(sources))
	require.NoError(t, err)
	fit(t, m, seq2seq.Data{Train: pairs[200:], Valid: pairs[:50], Batch: 32},
		train.Config{Epochs: 12, Clip: train.Clip{Norm: 1}})

	test := phrases(100, 5, 6, 9)
	check := func(m *seq2seq.Model, o decode.SearchOptions) (exact int, places [2]int) {
		o.KeepAttention = true
		found, err := m.TranslateAll(context.Background(), test, o)
		require.NoError(t, err)
		want := reversed(test)
		for i, f := range found {
			if !slices.Equal(f[0].Tokens, want[i]) {
				continue
			}
			exact++
			for k, row := range f[0].Alignment {
				places[1]++
				if slices.Index(row, slices.Max(row)) == len(row)-1-k {
					places[0]++
				}
			}
		}
		return exact, places
	}
	greedy, places := check(m, decode.SearchOptions{})
	t.Logf("%d of 100 exact, %d of %d on the anti-diagonal", greedy, places[0], places[1])
	require.GreaterOrEqual(t, greedy, 95)
	require.Greater(t, float64(places[0]), 0.9*float64(places[1]))
	beam, _ := check(m, decode.SearchOptions{Beam: 3, Alpha: 0.6, Beta: 0.1})
	require.GreaterOrEqual(t, beam, 95)

	dir := t.TempDir()
	require.NoError(t, m.Save(dir))
	loaded, err := seq2seq.Load(dir)
	require.NoError(t, err)
	require.Equal(t, m.Config(), loaded.Config())
	want, err := m.TranslateAll(context.Background(), test[:20], decode.SearchOptions{})
	require.NoError(t, err)
	var got [4][][]decode.Found
	var errs [4]error
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			got[i], errs[i] = loaded.TranslateAll(context.Background(), test[:20],
				decode.SearchOptions{})
		})
	}
	wg.Wait()
	for i := range got {
		require.NoError(t, errs[i])
		require.Equal(t, want, got[i])
	}
}

// A training with everything on that is stopped after each of its 15 steps, and goes on in new
// objects, ends in the weights and the history of one that never stopped, to the bit.
func TestSeq2SeqResumes(t *testing.T) {
	sources := phrases(40, 4, 5, 3)
	run := func(stops ...int) (values [][]float32, history string) {
		dir := t.TempDir()
		for i, steps := range stops {
			m, err := seq2seq.New(seq2seq.Config{
				Encoder:   zoo.Recurrent{Hidden: 4, Layers: 2, Dropout: 0.2, HiddenDropout: 0.1},
				Attention: "bahdanau", Coverage: 1, IODropout: 0.1,
				Peeky: true, Readout: 3,
			}, zootest.Letters(t, 5), zootest.Letters(t, 5, text.BOS, text.EOS), 1)
			require.NoError(t, err)
			pairs, err := m.Pairs(sources, reversed(sources))
			require.NoError(t, err)
			checkpoints, err := train.OpenCheckpoints(dir, 0)
			require.NoError(t, err)
			r := fit(t, m, seq2seq.Data{
				Train: pairs, Valid: pairs[:7], Batch: 8, Bucket: 2, Smoothing: 0.1, BLEU: true,
				Teacher: seq2seq.InverseSigmoid(3),
			}, train.Config{Epochs: 3, MaxSteps: steps, Seed: 4, Checkpoints: checkpoints,
				Resume: i > 0})
			require.NoError(t, checkpoints.Close())
			var csv strings.Builder
			require.NoError(t, r.History.WriteCSV(&csv))
			values, history = nil, csv.String()
			for _, p := range m.Params().Params() {
				values = append(values, slices.Clone(p.Value().Data().([]float32)))
			}
		}
		return values, history
	}
	values, history := run(0)
	stopped, itsHistory := run(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0)
	require.Equal(t, values, stopped)
	require.Equal(t, history, itsHistory)
}

// Scheduled sampling with a teacher that never leaves is teacher forcing; and both ways to unroll
// agree.
func TestScheduledSampling(t *testing.T) {
	sources := phrases(16, 5, 5, 3)
	always := func(p float64) func(int) float64 { return func(int) float64 { return p } }
	for name, cfg := range seq2seqConfigs {
		t.Run(name, func(t *testing.T) {
			losses := map[string]float64{}
			for label, d := range map[string]seq2seq.Data{
				"forced": {}, "always": {Teacher: always(1)}, "never": {Teacher: always(0)},
				"half": {Teacher: always(0.5)}, "half expanded": {Teacher: always(0.5),
					Unroll: unroll.Expand},
			} {
				m := newSeq2Seq(t, cfg)
				pairs, err := m.Pairs(sources, reversed(sources))
				require.NoError(t, err)
				d.Train, d.Batch = pairs, 16
				task, err := m.Task(d)
				require.NoError(t, err)
				b, err := task.Next(3, 0)
				require.NoError(t, err)
				losses[label] = b.Loss
			}
			require.InDelta(t, losses["forced"], losses["always"], 1e-5)
			require.InDelta(t, losses["half"], losses["half expanded"], 1e-5)
			require.NotEqual(t, losses["always"], losses["never"])
			require.NotEqual(t, losses["half"], losses["never"])
		})
	}
	require.Equal(t, 0.75, seq2seq.InverseSigmoid(3)(0))
	require.InDelta(t, 0.5, seq2seq.InverseSigmoid(math.E)(2), 0.08)
}

// Whole-model gradients, with sources and targets of unlike lengths and a smoothed loss.
func TestSeq2SeqGradients(t *testing.T) {
	sources := [][]string{{"a"}, {"b", "c", "a"}, {"d", "a"}, {"a", "b", "c", "d", "e"}}
	targets := [][]string{{}, {"a"}, {"c", "b", "e"}, {"d", "d", "a", "c"}}
	for name, cfg := range seq2seqConfigs {
		for _, s := range []unroll.Strategy{unroll.Scan, unroll.Expand} {
			t.Run(fmt.Sprint(name, " ", s), func(t *testing.T) {
				cfg.Float64, cfg.IODropout = true, 0.2
				m := newSeq2Seq(t, cfg)
				pairs, err := m.Pairs(sources, targets)
				require.NoError(t, err)
				task, err := m.Task(seq2seq.Data{Train: pairs, Batch: 5, Smoothing: 0.1, Unroll: s})
				require.NoError(t, err)
				zootest.CheckGradients(t, task)
			})
		}
	}
}

// Smoothing is of training alone, and what validation measures is what Loss and Translate say.
func TestSeq2SeqValidates(t *testing.T) {
	sources := phrases(37, 5, 5, 3)
	// as validation takes them
	slices.SortStableFunc(sources, func(a, b []string) int { return len(a) - len(b) })
	m := newSeq2Seq(t, seq2seqConfigs["luong"])
	found, err := m.TranslateAll(context.Background(), sources, decode.SearchOptions{})
	require.NoError(t, err)
	var said, targets [][]string
	for i, f := range found { // a target much like what is said, and with words that are unknown
		said = append(said, f[0].Tokens)
		targets = append(targets, append(slices.Clone(f[0].Tokens[:len(f[0].Tokens)*(i%3)/2]),
			"zebra"))
	}
	pairs, err := m.Pairs(sources, targets)
	require.NoError(t, err)
	task, err := m.Task(seq2seq.Data{Train: pairs, Valid: pairs, Smoothing: 0.3, BLEU: true,
		Batch: len(pairs)})
	require.NoError(t, err)
	measured, err := task.Validate(context.Background())
	require.NoError(t, err)
	want, err := metrics.CorpusBLEU(said, targets)
	require.NoError(t, err)
	require.Greater(t, want.BLEU, 10.0)
	require.InDelta(t, want.BLEU, measured["valid_bleu"], 1e-9)
	loss, err := m.Loss(context.Background(), pairs)
	require.NoError(t, err)
	require.Equal(t, loss, measured["valid_loss"])
	require.Equal(t, math.Exp(loss), measured["valid_perplexity"])
	b, err := task.Next(1, 0)
	require.NoError(t, err)
	require.Greater(t, math.Abs(b.Loss-loss), 0.01)
	_, err = m.Task(seq2seq.Data{Train: pairs, Smoothing: 1})
	require.ErrorContains(t, err, "Smoothing is 1, want [0, 1)")
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = task.Validate(cancelled)
	require.ErrorIs(t, err, context.Canceled)
}
