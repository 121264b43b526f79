package word2vec

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/testkit"
)

var raceDetector bool // reports a lock-free training, as its documentation says

// trained is a model that has learnt from sentences, and the loss of its last epoch.
func trained(t *testing.T, cfg Config, sentences [][]string, o TrainOptions) (*Model, float64) {
	t.Helper()
	m, err := New(context.Background(), cfg, sentences)
	require.NoError(t, err)
	last := 0.0
	o.Progress = func(p Progress) { last = p.Loss }
	require.NoError(t, m.Train(context.Background(), sentences, o))
	return m, last
}

// In the order of the text the result is the same for any number of workers, and a lock-free
// training on one worker is the same training.
func TestTextOrder(t *testing.T) {
	each(t, func(t *testing.T, cfg Config) {
		cfg.Dim, cfg.Epochs, cfg.MinCount, cfg.TextOrder = 7, 2, 1, true
		sentences := topics(900)
		want, _ := trained(t, cfg, sentences, TrainOptions{Workers: 1})
		for _, o := range []TrainOptions{{Workers: 3}, {Workers: 1, LockFree: true},
			{Workers: 1, Loss: true}} {
			got, _ := trained(t, cfg, sentences, o)
			require.Equal(t, want.in, got.in, "%+v", o)
			require.Equal(t, want.out, got.out, "%+v", o)
		}
		cfg.TextOrder = false
		sorted, _ := trained(t, cfg, sentences, TrainOptions{Workers: 1})
		if cfg.Output == Hierarchical {
			require.Equal(t, want.in, sorted.in)
		} else {
			require.NotEqual(t, want.in, sorted.in)
		}
	})
}

// Workers without locks learn the topics as well.
func TestLockFree(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector reports a lock-free training")
	}
	each(t, func(t *testing.T, cfg Config) {
		cfg.Dim, cfg.Epochs, cfg.Sample, cfg.LR = 16, 10, 1, 0.05
		m, _ := trained(t, cfg, topics(1500), TrainOptions{Workers: 4, LockFree: true})
		v, err := m.Vectors()
		require.NoError(t, err)
		near, err := v.Similarity("sun", "moon")
		require.NoError(t, err)
		far, err := v.Similarity("sun", "soup")
		require.NoError(t, err)
		require.Greater(t, near, far+0.3)
	})
}

// A single worker that works on copies of the rows near the root learns what it learns without, but
// for rounding, however many rows there are.
func TestHeld(t *testing.T) {
	for _, model := range []Architecture{SkipGram, CBOW} {
		for _, words := range []int{3, 900} { // all nodes are held, or a part
			cfg := Config{Model: model, Output: Hierarchical, Dim: 7, Epochs: 2, MinCount: 1}
			sentences := topics(900)
			for i := range words {
				sentences = append(sentences, []string{fmt.Sprint("w", i), "sun",
					fmt.Sprint("w", i/2)})
			}
			m, err := New(context.Background(), cfg, sentences)
			require.NoError(t, err)
			want, _ := trained(t, cfg, sentences, TrainOptions{Workers: 1})
			c, err := m.encode(context.Background(), all(sentences))
			require.NoError(t, err)
			m.digest = c.digest
			tr := newTrainer(m, c, TrainOptions{Workers: 1, LockFree: true})
			tr.readers[0].held = newHeld(m.outputs(), cfg.Dim)
			require.NoError(t, tr.run(context.Background(), TrainOptions{}))
			tr.team.close()
			testkit.RequireInDelta(t, want.in, m.in, 1e-5)
			testkit.RequireInDelta(t, want.out, m.out, 1e-5)
			require.NotEqual(t, want.out, m.out)
		}
	}
}

// The first loss is that of outputs that are 0: log 2 for each; it falls, and does not depend on
// the workers.
func TestLoss(t *testing.T) {
	each(t, func(t *testing.T, cfg Config) {
		cfg.Dim, cfg.MinCount, cfg.Sample, cfg.Epochs = 8, 1, 1, 1
		if cfg.Output == Negative {
			cfg.Negatives = 4
		}
		cfg.LR = 1e-9 // nothing is learnt
		sentences := topics(400)
		_, start := trained(t, cfg, sentences, TrainOptions{Workers: 1, Loss: true})
		if cfg.Output == Negative {
			// a negative that is the word itself is left out
			require.InDelta(t, 4.6*math.Ln2, start, 0.4*math.Ln2)
		} else {
			require.InDelta(t, 3.3*math.Ln2, start, 0.6*math.Ln2, "paths of 11 words")
		}
		cfg.LR, cfg.Epochs = 0.05, 5
		_, one := trained(t, cfg, sentences, TrainOptions{Workers: 1, Loss: true})
		_, three := trained(t, cfg, sentences, TrainOptions{Workers: 3, Loss: true})
		require.Equal(t, one, three)
		require.Less(t, one, 0.95*start)
		_, none := trained(t, cfg, sentences, TrainOptions{Workers: 1})
		require.Zero(t, none)
	})
}

func TestNats(t *testing.T) {
	for _, x := range []float32{-90, -3, 0, 0.5, 90} {
		sigma := 1 / (1 + math.Exp(-float64(x)))
		if x > -90 {
			require.InEpsilon(t, 1-math.Log(sigma), 1+nats(1, x), 1e-12)
		}
		if x < 90 {
			require.InEpsilon(t, 1-math.Log(1-sigma), 1+nats(0, x), 1e-12)
		}
	}
	require.InDelta(t, 90, nats(1, -90), 1e-12)
	require.InDelta(t, 90, nats(0, 90), 1e-12)
}

// A model goes on with another text: old words keep their places in the space, new ones join.
func TestExtend(t *testing.T) {
	each(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		cfg.Dim, cfg.Epochs, cfg.Sample, cfg.LR = 16, 10, 1, 0.05
		old, _ := trained(t, cfg, topics(1500), TrainOptions{Workers: 2})
		was := append([]float32(nil), old.in...)
		var more [][]string
		for _, s := range topics(1500) {
			for i, w := range s {
				if w == "moon" {
					s[i] = "comet"
				}
			}
			more = append(more, s)
		}
		m, err := old.Extend(ctx, ExtendConfig{Epochs: 6, LR: 0.04}, more)
		require.NoError(t, err)
		require.Equal(t, was, old.in)
		require.Equal(t, old.Instructions(), m.Instructions())
		require.False(t, m.Done())
		require.Equal(t, cfg.MinLR, 0.0)
		require.InDelta(t, 0.0001, m.Config().MinLR, 1e-12)
		for id := range old.Vocabulary().Len() {
			word, _ := old.Vocabulary().Token(id)
			now, ok := m.Vocabulary().ID(word)
			require.True(t, ok, word)
			require.Equal(t, row(was, uint32(id), 16), row(m.in, uint32(now), 16))
		}
		require.NoError(t, m.Train(ctx, more, TrainOptions{Workers: 2}))
		require.Error(t, m.Train(ctx, topics(20), TrainOptions{}), "another text")
		v, err := m.Vectors()
		require.NoError(t, err)
		if cfg.Output == Hierarchical {
			_, err = v.Similarity("comet", "sun")
			require.Error(t, err, "a tree takes no new words")
			return
		}
		near, err := v.Similarity("comet", "sun")
		require.NoError(t, err)
		far, err := v.Similarity("comet", "soup")
		require.NoError(t, err)
		require.Greater(t, near, far+0.3)
		comet, _ := m.Vocabulary().ID("sun")
		before, _ := old.Vocabulary().ID("sun")
		require.Greater(t, m.Vocabulary().Count(comet), old.Vocabulary().Count(before))
	})
	_, err := new(Model).Extend(context.Background(), ExtendConfig{}, nil)
	require.Error(t, err)
	m, _ := trained(t, Config{MinCount: 1, Dim: 2}, topics(3), TrainOptions{})
	_, err = m.Extend(context.Background(), ExtendConfig{LR: -1}, topics(3))
	require.ErrorContains(t, err, "LR")
	_, err = m.Extend(context.Background(), ExtendConfig{}, nil)
	require.Error(t, err)
}
