package dialogue_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/dialogue"
	"github.com/seqzoo/seqzoo/zoo/internal/zootest"
)

// echoes are dialogues in which the answer to the last turn was said in the first, so that one turn
// alone does not do.
func echoes(n int, seed uint64) []dialogue.Dialogue {
	r := rng.Stream{Key: rng.New(seed)}
	out := make([]dialogue.Dialogue, n)
	for i := range out {
		secret := []int{3 + r.Intn(4), 3 + r.Intn(4)}
		out[i] = dialogue.Dialogue{secret, {7}, {7, 7}, secret}
	}
	return out
}

// fitHRED trains a model.
func fitHRED(t *testing.T, m *dialogue.Model, d dialogue.Data, c train.Config) *train.Result {
	task, err := m.Task(d)
	require.NoError(t, err)
	c.Optimizer, err = train.NewAdam(train.AdamConfig{LR: 0.01})
	require.NoError(t, err)
	r, err := train.Fit(context.Background(), task, c)
	require.NoError(t, err)
	return r
}

// What was said turns ago is remembered, and a saved model does the same.
func TestHREDRemembers(t *testing.T) {
	v := newHRED(t, hredConfigs["plain"]).Vocabulary()
	m, err := dialogue.New(dialogue.Config{Encoder: zoo.Recurrent{Cell: "gru", Hidden: 24},
		Embed: 8}, v, 1)
	require.NoError(t, err)
	fitHRED(t, m, dialogue.Data{Train: echoes(400, 1), Batch: 16},
		train.Config{Epochs: 40, Clip: train.Clip{Norm: 1}})
	test := echoes(50, 2)
	score, err := m.Evaluate(context.Background(), test, dialogue.EvaluateOptions{})
	require.NoError(t, err)
	require.Less(t, score.Perplexity(), 1.05)
	dir := t.TempDir()
	require.NoError(t, m.Save(dir))
	loaded, err := dialogue.Load(dir)
	require.NoError(t, err)
	require.Equal(t, m.Config(), loaded.Config())
	right := 0
	for _, d := range test {
		turns := spoken(t, m, d)
		found, err := loaded.Reply(context.Background(), turns[:3], dialogue.ReplyOptions{})
		require.NoError(t, err)
		if slices.Equal(found[0].Tokens, turns[3]) {
			right++
		}
	}
	require.GreaterOrEqual(t, right, 48)
}

// Where what comes next cannot be known, the latent variable learns to tell it, and replies vary as
// dialogues do.
func TestVHREDUsesItsLatentVariable(t *testing.T) {
	r := rng.Stream{Key: rng.New(8)}
	ds := make([]dialogue.Dialogue, 400)
	for i := range ds {
		a := 3 + r.Intn(4)
		// 1.4 nats that only the latent variable can know before the first word
		ds[i] = dialogue.Dialogue{{7}, {a, a, a, a}}
	}
	v := newHRED(t, hredConfigs["plain"]).Vocabulary()
	m, err := dialogue.New(dialogue.Config{
		Encoder: zoo.Recurrent{Cell: "gru", Hidden: 16}, Embed: 8, ContextInput: true,
		Latent: dialogue.Latent{Width: 4},
	}, v, 1)
	require.NoError(t, err)
	fitHRED(t, m, dialogue.Data{Train: ds, Batch: 16, WordDropout: 0.5,
		KLWeight: dialogue.RisingTo(200), FreeBits: 0.2},
		train.Config{Epochs: 16, Clip: train.Clip{Norm: 1}})
	score, err := m.Evaluate(context.Background(), ds[:100], dialogue.EvaluateOptions{Samples: 5})
	require.NoError(t, err)
	t.Logf("%+v", score)
	require.Greater(t, score.KL, 0.7)
	require.NotZero(t, score.ActiveUnits)
	require.NotZero(t, score.InformativeUnits)
	require.Less(t, score.Weighted, score.Bound)
	require.InDelta(t, math.Log(4), score.Bound*5, 1) // of 5 tokens a turn
	said := map[string]int{}
	for seed := range uint64(60) {
		found, err := m.Reply(context.Background(), [][]string{{"e"}},
			dialogue.ReplyOptions{Seed: seed})
		require.NoError(t, err)
		said[strings.Join(found[0].Tokens, " ")]++
	}
	require.GreaterOrEqual(t, len(said), 3, "%v", said)
}

// A training with everything on is resumed to the bit, from any step.
func TestHREDResumes(t *testing.T) {
	ds := dialogues(12, 4, 5, 3)
	run := func(dir string, steps ...int) [][]float32 {
		var m *dialogue.Model
		for i, n := range steps {
			var err error
			m, err = dialogue.New(dialogue.Config{
				Encoder: zoo.Recurrent{Cell: "gru", Hidden: 4, Layers: 2, Dropout: 0.2,
					HiddenDropout: 0.1}, Bidirectional: true, ContextInput: true,
				Latent: dialogue.Latent{Width: 2}, IODropout: 0.1,
			}, newHRED(t, hredConfigs["plain"]).Vocabulary(), 1)
			require.NoError(t, err)
			checkpoints, err := train.OpenCheckpoints(dir, 0)
			require.NoError(t, err)
			fitHRED(t, m, dialogue.Data{
				Train: ds, Valid: ds[:3], Batch: 4, Bucket: 2, WordDropout: 0.3,
				KLWeight: dialogue.RisingTo(5), FreeBits: 0.01,
			}, train.Config{Epochs: 3, MaxSteps: n, Seed: 4, Checkpoints: checkpoints,
				Resume: i > 0})
			require.NoError(t, checkpoints.Close())
		}
		var values [][]float32
		for _, p := range m.Params().Params() {
			values = append(values, p.Value().Data().([]float32))
		}
		return values
	}
	want := run(t.TempDir(), 8)
	for _, at := range []int{1, 2, 3, 4, 7} {
		require.Equal(t, want, run(t.TempDir(), at, 8), "resumed after step %d", at)
	}
}

// Gradients of the whole model, with turns that are absent, are those of central differences.
func TestHREDGradients(t *testing.T) {
	var ds []dialogue.Dialogue
	// of 2, 3 and 4 turns, so that every epoch has them in the same order
	for n, d := range dialogues(3, 5, 4, 9) {
		for len(d) < n+2 {
			d = append(d, []int{3, 6})
		}
		ds = append(ds, d[:n+2])
	}
	for name, cfg := range hredConfigs {
		for _, s := range []unroll.Strategy{unroll.Scan, unroll.Expand} {
			t.Run(fmt.Sprint(name, " ", s), func(t *testing.T) {
				cfg.Float64, cfg.IODropout = true, 0.2
				data := dialogue.Data{Train: ds, Batch: 4, Unroll: s, WordDropout: 0.3}
				if cfg.Latent.Width > 0 {
					data.KLWeight, data.FreeBits = func(int) float64 { return 0.7 }, 0.05
				}
				task, err := newHRED(t, cfg).Task(data)
				require.NoError(t, err)
				zootest.CheckGradients(t, task)
			})
		}
	}
}
