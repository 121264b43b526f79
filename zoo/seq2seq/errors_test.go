package seq2seq_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
	"github.com/seqzoo/seqzoo/zoo/internal/zootest"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/text"
)

func TestSeq2SeqConfigErrors(t *testing.T) {
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
}

// What cannot be translated, measured or trained on is refused by what is wrong with it.
func TestSeq2SeqErrors(t *testing.T) {
	gru := zoo.Recurrent{Cell: "gru", Hidden: 3}
	m := newSeq2Seq(t, seq2seqConfigs["luong"])
	ctx := context.Background()
	long := strings.Split(strings.Repeat("a", shared.MaxTokens+1), "")
	for want, err := range map[string]error{
		"source is empty": testkit.ErrOf(m.Translate(ctx, nil,
			decode.SearchOptions{})),
		"has 8193 tokens": testkit.ErrOf(m.Translate(ctx, long,
			decode.SearchOptions{})),
		"Max is -1": testkit.ErrOf(m.Translate(ctx, long[:2],
			decode.SearchOptions{Max: -1})),
		"Beam is 5000": testkit.ErrOf(m.Translate(ctx, long[:2],
			decode.SearchOptions{Beam: 5000})),
		"Alpha is -1": testkit.ErrOf(m.Translate(ctx, long[:2], decode.SearchOptions{Beam: 2, Alpha: -1})),
		"Temperature is -1": testkit.ErrOf(m.Translate(ctx, long[:2],
			decode.SearchOptions{Sample: decode.Sampler{Temperature: -1}})),
		"Seed is 3, and Temperature is 0": testkit.ErrOf(m.Translate(ctx, long[:2],
			decode.SearchOptions{Seed: 3})),
		"Seed is 3, and Beam is 2": testkit.ErrOf(m.Translate(ctx, long[:2],
			decode.SearchOptions{Seed: 3, Beam: 2})),
		"BLEU is set, and Valid is empty": testkit.ErrOf(m.Task(seq2seq.Data{
			Train: []seq2seq.Pair{{[]int{1}, []int{3, 4}}}, BLEU: true})),
		"1 sources and 0 target":      testkit.ErrOf(m.Pairs([][]string{{"a"}}, nil)),
		"pair 0: the source is empty": testkit.ErrOf(m.Pairs([][]string{{}}, [][]string{{"a"}})),
		"target has id 8 at":          testkit.ErrOf(m.Task(seq2seq.Data{Train: []seq2seq.Pair{{[]int{1}, []int{8}}}})),
		"seq2seq: validation: pair": testkit.ErrOf(m.Task(seq2seq.Data{Train: []seq2seq.Pair{{[]int{1}, nil}},
			Valid: []seq2seq.Pair{{}}})),
		"there are 0 examples": testkit.ErrOf(m.Task(seq2seq.Data{})),
		"0 examples":           testkit.ErrOf(m.Loss(ctx, nil)),
		"Teacher(0) is 2": func() error {
			task, err := m.Task(seq2seq.Data{Train: []seq2seq.Pair{{[]int{1}, []int{3, 4}}},
				Teacher: func(int) float64 { return 2 }})
			require.NoError(t, err)
			_, err = task.Next(0, 0)
			return err
		}(),
	} {
		require.ErrorContains(t, err, want)
	}
	strict, err := seq2seq.New(seq2seq.Config{Encoder: gru}, zootest.Letters(t, 2),
		zootest.Letters(t, 2, text.BOS, text.EOS), 1)
	require.NoError(t, err)
	_, err = strict.Translate(ctx, []string{"zebra"}, decode.SearchOptions{})
	require.ErrorContains(t, err, "zebra")
}

// A cancelled context ends a translation, which gives what it has.
func TestTranslationCancelled(t *testing.T) {
	ctx, m := context.Background(), newSeq2Seq(t, seq2seqConfigs["luong"])
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
}

// A directory without one of its vocabularies, or of another model, is refused.
func TestSeq2SeqLoadErrors(t *testing.T) {
	m := newSeq2Seq(t, seq2seqConfigs["luong"])
	dir := t.TempDir()
	require.NoError(t, m.Save(dir))
	require.NoError(t, os.Remove(filepath.Join(dir, "target.json")))
	_, err := zoo.Load(dir)
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
