package seq2seq_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/rng"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
	"github.com/seqzoo/seqzoo/zoo/internal/zootest"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/metrics"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// newSeq2Seq is a model over 5 letters with weights that are not small, so that its predictions are
// not all alike.
func newSeq2Seq(t *testing.T, cfg seq2seq.Config) *seq2seq.Model {
	m, err := seq2seq.New(cfg, zootest.Letters(t, 5, text.Unk),
		zootest.Letters(t, 5, text.BOS, text.EOS, text.Unk), 1)
	require.NoError(t, err)
	for _, p := range m.Params().Params() {
		key := rng.New(5).Named(p.Name())
		switch v := p.Value().Data().(type) {
		case []float32:
			for i := range v {
				v[i] = float32(0.7 * key.Normal(uint64(i)))
			}
		case []float64:
			for i := range v {
				v[i] = 0.7 * key.Normal(uint64(i))
			}
		}
	}
	b, ok := m.Params().Get("out/b") // no <bos>, <unk>: Translate leaves them out
	require.True(t, ok)
	for _, id := range []int{0, 2} {
		switch v := b.Value().Data().(type) {
		case []float32:
			v[id] = -40
		case []float64:
			v[id] = -40
		}
	}
	return m
}

// phrases are sequences of letters of lengths 1 … longest.
func phrases(n, longest, letters int, seed uint64) [][]string {
	r := rng.Stream{Key: rng.New(seed)}
	out := make([][]string, n)
	for i := range out {
		for range 1 + r.Intn(longest) {
			out[i] = append(out[i], string(rune('a'+r.Intn(letters))))
		}
	}
	return out
}

func reversed(sources [][]string) [][]string {
	out := make([][]string, len(sources))
	for i, s := range sources {
		out[i] = slices.Clone(s)
		slices.Reverse(out[i])
	}
	return out
}

var seq2seqConfigs = map[string]seq2seq.Config{
	"plain":   {Encoder: zoo.Recurrent{Cell: "rnn", Hidden: 4}},
	"stacked": {Encoder: zoo.Recurrent{Hidden: 3, Layers: 2}, Bidirectional: true},
	"bahdanau": {Encoder: zoo.Recurrent{Cell: "gru", Hidden: 3},
		Decoder: zoo.Recurrent{Cell: "rnn", Hidden: 4}, Attention: "bahdanau", Coverage: 0.5},
	"luong": {Encoder: zoo.Recurrent{Hidden: 4, Layers: 2, Residual: true}, Attention: "luong"},
	"luong dot": {Encoder: zoo.Recurrent{Hidden: 2}, Decoder: zoo.Recurrent{Hidden: 4},
		Bidirectional: true, Attention: "luong", Score: cells.DotScore},
	"peeky": {Encoder: zoo.Recurrent{Hidden: 3, Layers: 2}, Peeky: true, EmbedTarget: 2},
	"peeky both ways": {
		Encoder: zoo.Recurrent{Cell: "gru", Hidden: 2},
		Decoder: zoo.Recurrent{Cell: "gru", Hidden: 3}, Bidirectional: true,
		Attention: "luong", Peeky: true, Readout: 5,
	},
	"tied": {Encoder: zoo.Recurrent{Hidden: 3}, Attention: "bahdanau", EmbedTarget: 4,
		Readout: 4, Tied: true, Peeky: true},
	"in float64": {Encoder: zoo.Recurrent{Hidden: 1}, Attention: "luong", Score: cells.ConcatScore,
		Float64: true},
}

// What a translation is said to be worth is what the model, read as in training, thinks of it; and
// it does not depend on what is translated beside it.
func TestTranslationsAreTheModels(t *testing.T) {
	sources := phrases(18, 6, 5, 2)
	for name, cfg := range seq2seqConfigs {
		for _, o := range []decode.SearchOptions{{Max: 7}, {Beam: 3, Best: 2, Max: 7},
			{Sample: decode.Sampler{Temperature: 1}, Max: 5}} {
			t.Run(fmt.Sprint(name, " beam ", o.Beam, " ", o.Sample.Temperature),
				func(t *testing.T) {
					m := newSeq2Seq(t, cfg)
					all, err := m.TranslateAll(context.Background(), sources, o)
					require.NoError(t, err)
					require.Len(t, all, len(sources))
					for i, found := range all {
						if o.Sample.Temperature == 0 && i%5 == 0 {
							alone, err := m.Translate(context.Background(), sources[i], o)
							require.NoError(t, err)
							require.Len(t, alone, len(found))
							for k := range alone {
								require.Equal(t, found[k].Tokens, alone[k].Tokens)
								require.InDelta(t, found[k].Score, alone[k].Score, 1e-4)
							}
						}
						for _, f := range found {
							if cfg.Attention != "" {
								require.Len(t, f.Alignment, len(f.Tokens))
								for _, row := range f.Alignment {
									require.Len(t, row, len(sources[i]))
								}
							}
							if !f.Ended || i%4 != 0 {
								continue
							}
							pairs, err := m.Pairs(sources[i:i+1], [][]string{f.Tokens})
							require.NoError(t, err)
							loss, err := m.Loss(context.Background(), pairs)
							require.NoError(t, err)
							require.InDelta(t, -loss*float64(len(f.Tokens)+1), f.LogProb, 1e-4)
						}
					}
				})
		}
	}
}

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

// Random configurations: each is refused, or builds, and then Scan says what Expand says.
func TestSeq2SeqShapes(t *testing.T) {
	built := 0
	r := rng.Stream{Key: rng.New(10)}
	pick := func(s ...string) string { return s[r.Intn(len(s))] }
	half := func() bool { return r.Intn(2) == 0 }
	const configs = 40
	for i := range configs {
		layers := 1 + r.Intn(2)
		stack := func(hidden int) zoo.Recurrent {
			return zoo.Recurrent{Cell: pick("rnn", "gru", "lstm", "gru", "lstm"), Hidden: hidden,
				Layers: layers, Residual: half()}
		}
		cfg := seq2seq.Config{
			Encoder: stack(1 + r.Intn(17)), Bidirectional: half(),
			Attention:   seq2seq.Attention(pick("none", "bahdanau", "luong")),
			EmbedTarget: r.Intn(18), EmbedSource: r.Intn(18), Readout: r.Intn(4) * r.Intn(9),
			Peeky: half(), Tied: r.Intn(4) == 0,
			ScoreHidden: r.Intn(3) * r.Intn(9), Float64: true,
		}
		if half() {
			cfg.Decoder = stack(r.Intn(18))
		}
		if cfg.Attention != "none" && half() {
			cfg.Score = cells.Score(pick("additive", "dot", "general", "concat"))
		}
		if cfg.Tied && half() {
			cfg.Readout = cfg.EmbedTarget
		}
		if r.Intn(5) == 0 {
			cfg.Coverage = 1
		}
		m, err := seq2seq.New(cfg, zootest.Letters(t, 4), zootest.Letters(t, 3, text.BOS, text.EOS),
			uint64(i))
		require.Equal(t, cfg.Validate() == nil, err == nil, "%+v: %v", cfg, err)
		if err != nil {
			continue
		}
		built++
		n := 1 + r.Intn(4)
		sources, targets := phrases(n, 1+r.Intn(9), 4, uint64(i)),
			phrases(n, 1+r.Intn(9), 3, uint64(i+1))
		pairs, err := m.Pairs(sources, targets)
		require.NoError(t, err)
		var losses [2]float64
		for k, s := range []unroll.Strategy{unroll.Scan, unroll.Expand} {
			task, err := m.Task(seq2seq.Data{Train: pairs, Batch: n, Unroll: s})
			require.NoError(t, err)
			b, err := task.Next(1, 0)
			require.NoError(t, err)
			losses[k] = b.Loss
		}
		require.InDelta(t, losses[1], losses[0], 1e-10, "%+v", cfg)
		_, err = m.Translate(context.Background(), sources[0],
			decode.SearchOptions{Beam: 1 + r.Intn(3), Max: 3})
		require.NoError(t, err, "%+v", cfg)
	}
	t.Logf("%d of %d are valid", built, configs)
	require.Greater(t, built, configs/4)
}

// One model, used by 32 goroutines at once.
func TestSeq2SeqConcurrently(t *testing.T) {
	sources := phrases(5, 6, 5, 2)
	m := newSeq2Seq(t, seq2seqConfigs["peeky both ways"])
	say := func(i int) ([][]decode.Found, error) {
		return m.TranslateAll(context.Background(), sources[i%3:],
			decode.SearchOptions{Beam: i % 3, Max: 6})
	}
	var want [6][][]decode.Found
	for i := range want {
		var err error
		want[i], err = say(i)
		require.NoError(t, err)
	}
	var wg sync.WaitGroup
	var failed [32]error
	var same [32]bool
	for i := range failed {
		wg.Go(func() {
			same[i] = true
			for k := range 10 {
				got, err := say(i + k)
				same[i] = same[i] && assert.ObjectsAreEqual(want[(i+k)%6], got)
				failed[i] = errors.Join(failed[i], err)
			}
		})
	}
	wg.Wait()
	for i := range failed {
		require.NoError(t, failed[i])
		require.True(t, same[i])
	}
}

func TestSeq2SeqErrors(t *testing.T) {
	gru := zoo.Recurrent{Cell: "gru", Hidden: 3}
	for want, cfg := range map[string]seq2seq.Config{
		"encoder: hidden is 0": {},
		"decoder: cell is \"elman\"": {Encoder: gru,
			Decoder: zoo.Recurrent{Cell: "elman", Hidden: 1}},
		"1 layers, the decoder 2": {Encoder: gru,
			Decoder: zoo.Recurrent{Cell: "gru", Hidden: 3, Layers: 2}},
		"of the same names and widths": {Encoder: gru, Decoder: zoo.Recurrent{Hidden: 4},
			Bridge: "none"},
		"bridge is \"linear\"":  {Encoder: gru, Bridge: "linear"},
		"must read one way":     {Encoder: gru, Bridge: "none", Bidirectional: true},
		"coverage is NaN":       {Encoder: gru, Attention: "bahdanau", Coverage: math.NaN()},
		"and attention is none": {Encoder: gru, Coverage: 1},
		"io_dropout is 1":       {Encoder: gru, IODropout: 1},
		"readout is -1":         {Encoder: gru, Readout: -1},
		"a readout of 2 gives":  {Encoder: gru, EmbedTarget: 2, Tied: true},
		"embed_std is -1":       {Encoder: gru, EmbedStd: -1},
		"embed_target is -1":    {Encoder: gru, EmbedTarget: -1},
		"attention is \"hard\"": {Encoder: gru, Attention: "hard"},
		"want equal widths": {Encoder: gru, Bidirectional: true, Attention: "luong",
			Score: cells.DotScore},
		"belong to the additive score": {Encoder: gru, Attention: "luong", Coverage: 1},
	} {
		_, err := seq2seq.New(cfg, zootest.Letters(t, 2), zootest.Letters(t, 2, text.BOS, text.EOS),
			1)
		require.ErrorContains(t, err, want)
	}
	_, err := seq2seq.New(seq2seq.Config{Encoder: gru}, zootest.Letters(t, 2),
		zootest.Letters(t, 2, text.EOS), 1)
	require.ErrorContains(t, err, "needs the special tokens <bos> and <eos>")
	_, err = seq2seq.New(seq2seq.Config{Encoder: gru}, nil, zootest.Letters(t, 2), 1)
	require.ErrorContains(t, err, "a vocabulary of the sources")

	m := newSeq2Seq(t, seq2seqConfigs["luong"])
	ctx := context.Background()
	long := strings.Split(strings.Repeat("a", shared.MaxTokens+1), "")
	for want, run := range map[string]func() error{
		"source is empty": func() error {
			_, err := m.Translate(ctx, nil,
				decode.SearchOptions{})
			return err
		},
		"has 8193 tokens": func() error {
			_, err := m.Translate(ctx, long,
				decode.SearchOptions{})
			return err
		},
		"Max is -1": func() error {
			_, err := m.Translate(ctx, long[:2],
				decode.SearchOptions{Max: -1})
			return err
		},
		"Beam is 5000": func() error {
			_, err := m.Translate(ctx, long[:2],
				decode.SearchOptions{Beam: 5000})
			return err
		},
		"Alpha is -1": func() error {
			_, err := m.Translate(ctx, long[:2], decode.SearchOptions{Beam: 2, Alpha: -1})
			return err
		},
		"Temperature is -1": func() error {
			_, err := m.Translate(ctx, long[:2],
				decode.SearchOptions{Sample: decode.Sampler{Temperature: -1}})
			return err
		},
		"1 sources and 0 target": func() error {
			_,
				err := m.Pairs([][]string{{"a"}}, nil)
			return err
		},
		"pair 0: the source is empty": func() error {
			_,
				err := m.Pairs([][]string{{}}, [][]string{{"a"}})
			return err
		},
		"target has id 8 at": func() error {
			_,
				err := m.Task(seq2seq.Data{Train: []seq2seq.Pair{{[]int{1}, []int{8}}}})
			return err
		},
		"seq2seq: validation: pair": func() error {
			_, err := m.Task(seq2seq.Data{Train: []seq2seq.Pair{{[]int{1}, nil}},
				Valid: []seq2seq.Pair{{}}})
			return err
		},
		"there are 0 examples": func() error { _, err := m.Task(seq2seq.Data{}); return err },
		"0 examples":           func() error { _, err := m.Loss(ctx, nil); return err },
		"Teacher(0) is 2": func() error {
			task, err := m.Task(seq2seq.Data{Train: []seq2seq.Pair{{[]int{1}, []int{3, 4}}},
				Teacher: func(int) float64 { return 2 }})
			require.NoError(t, err)
			_, err = task.Next(0, 0)
			return err
		},
	} {
		require.ErrorContains(t, run(), want)
	}
	strict, err := seq2seq.New(seq2seq.Config{Encoder: gru}, zootest.Letters(t, 2),
		zootest.Letters(t, 2, text.BOS, text.EOS), 1)
	require.NoError(t, err)
	_, err = strict.Translate(ctx, []string{"zebra"}, decode.SearchOptions{})
	require.ErrorContains(t, err, "zebra")

	cancelled, cancel := context.WithCancel(ctx)
	n := 0
	found, err := m.Translate(cancelled, []string{"a", "unheard of"},
		decode.SearchOptions{Sample: decode.Sampler{Temperature: 9}, Max: 1000,
			Each: func(_ int, tokens []string) {
				if n++; n == 2 {
					cancel()
				}
			}})
	if n >= 2 {
		require.ErrorIs(t, err, context.Canceled)
	}
	require.Len(t, found, 1)

	dir := t.TempDir()
	require.NoError(t, m.Save(dir))
	require.NoError(t, os.Remove(filepath.Join(dir, "target.json")))
	_, err = zoo.Load(dir)
	require.ErrorContains(t, err, "target.json")
	_, err = lm.Load(dir)
	require.Error(t, err)
}

// A model's configuration says what was left open, of its recurrent layers too.
func TestConfigHasDefaults(t *testing.T) {
	c := newSeq2Seq(t, seq2seq.Config{Encoder: zoo.Recurrent{Hidden: 3}}).Config()
	require.Equal(t, zoo.Recurrent{Cell: "lstm", Hidden: 3, Layers: 1}, c.Encoder)
	require.Equal(t, c.Encoder, c.Decoder)
}
