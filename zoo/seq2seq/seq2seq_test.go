package seq2seq_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/internal/zootest"
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
					without, err := m.TranslateAll(context.Background(), sources, o)
					require.NoError(t, err)
					require.Nil(t, without[0][0].Alignment, "nobody asked for it")
					o.KeepAttention = true
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
