package word2vec

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/nodes"
)

func TestRefusals(t *testing.T) {
	sentences := topics(50)
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{Model: "x"}, `Model is "x"`}, {Config{Output: Full}, `Output is "full"`},
		{Config{Dim: -1}, "Dim is -1"},
		{Config{Dim: 1 << 40}, "Dim is"}, {Config{Window: -1}, "Window"},
		{Config{Window: 1 << 40}, "Window"}, {Config{MinCount: -1}, "MinCount"},
		{Config{MaxVocab: -1}, "MaxVocab"}, {Config{Negatives: -1}, "Negatives"},
		{Config{Sample: 2}, "Sample"}, {Config{Sample: math.NaN()}, "Sample"},
		{Config{LR: math.Inf(1)}, "LR"}, {Config{LR: -1}, "LR"}, {Config{MinLR: 1}, "MinLR"},
		{Config{Epochs: -1}, "Epochs"},
		{Config{MinCount: 1e9}, "no token"},
	} {
		_, err := New(context.Background(), c.cfg, sentences)
		require.ErrorContains(t, err, c.want)
	}
	_, err := New(context.Background(), Config{}, nil)
	require.ErrorContains(t, err, "no tokens")

	m, err := New(context.Background(), Config{Dim: 4}, sentences)
	require.NoError(t, err)
	ctx := context.Background()
	require.ErrorContains(t, m.Train(ctx, sentences, TrainOptions{Workers: -1}), "Workers is -1")
	require.ErrorContains(t, m.Train(ctx, [][]string{{"unheard"}}, TrainOptions{}),
		"none of the words")
	full := errors.New("disk full")
	require.ErrorIs(t, m.Train(ctx, sentences,
		TrainOptions{AfterEpoch: func(*Model) error { return full }}), full)
	require.ErrorContains(t, m.Train(ctx, topics(51), TrainOptions{}), "not the text")
	require.Equal(t, 1, m.Epoch())
}

func TestLoadRefuses(t *testing.T) {
	m, err := New(context.Background(), Config{Dim: 3}, topics(50))
	require.NoError(t, err)
	_, err = Load(t.TempDir())
	require.ErrorIs(t, err, ErrNoModel)
	for name, c := range map[string]struct {
		file   string
		change func([]byte) []byte
		want   string
	}{
		"config of another kind": {configFile,
			func(b []byte) []byte {
				return []byte(strings.Replace(string(b), architecture, "GRU",
					1))
			}, `"GRU"`},
		"newer format": {configFile,
			func(b []byte) []byte {
				return []byte(strings.Replace(string(b), `"format": 1`,
					`"format": 2`, 1))
			}, "newer version"},
		"unknown field": {configFile,
			func(b []byte) []byte {
				return []byte(strings.Replace(string(b), `"dim"`, `"dimension"`,
					1))
			}, "dimension"},
		"other config": {configFile,
			func(b []byte) []byte {
				return []byte(strings.Replace(string(b), `"window": 5`,
					`"window": 6`, 1))
			}, "does not belong"},
		"endless config": {configFile, func(b []byte) []byte { return make([]byte, 2<<20) },
			"longer than"},
		"other words": {vocabularyFile,
			func(b []byte) []byte { return []byte(strings.Replace(string(b), "sun", "son", 1)) },
			"does not belong"},
		"damaged weights": {weightsFile,
			func(b []byte) []byte { b[len(b)-1] ^= 1; return b }, "checksum"},
		"truncated weights": {weightsFile, func(b []byte) []byte { return b[:len(b)/2] },
			"shorter"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, m.Save(dir))
			path := filepath.Join(dir, c.file)
			b, err := os.ReadFile(path)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(path, c.change(b), 0o666))
			_, err = Load(dir)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestNetworkRefuses(t *testing.T) {
	for _, cfg := range []NetworkConfig{{}, {Model: CBOW}, {Model: SkipGram, Output: Full, V: 3},
		{Model: CBOW, Output: Negative, V: -1, E: 3}} {
		var e *nodes.BuildError
		require.ErrorAs(t, nodes.Try(func() {
			NewNetwork(nodes.NewStore(nodes.Float32, 1).Root(),
				cfg)
		}), &e)
	}
}
