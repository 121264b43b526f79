package lm

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/zootest"
)

func TestTaskErrors(t *testing.T) {
	m := newLM(t, smallGRU)
	for want, d := range map[string]Data{
		"training text: stream: the text has 0 tokens":                      {},
		"training text: id 11 at position 1; the vocabulary has ids 0 … 10": {Train: []int{1, 11}},
		"validation text: id -1 at position 0": {Train: lmText,
			Valid: []int{-1}},
		"validation text: fewer than 2 tokens": {Train: lmText,
			Valid: []int{1}},
		"a batch has -1 tracks": {Train: lmText,
			Batch: -1},
		"Stride is -1": {Train: lmText,
			Window: unroll.Window{Stride: -1}},
		"Stride is 0": {Train: lmText,
			Window: unroll.Window{Length: 5}},
		"Length is 2, want at least Stride": {Train: lmText,
			Window: unroll.Window{Stride: 3, Length: 2}},
		"needs at least 1121": {Train: lmText,
			Window: unroll.Window{Stride: 35}},
	} {
		_, err := m.Task(d)
		require.ErrorContains(t, err, want)
	}
	task, err := m.Task(Data{Train: lmText, Batch: 2, Unroll: 7})
	require.NoError(t, err)
	_, err = task.Next(1, 0)
	require.ErrorContains(t, err, "no strategy")
	for _, ids := range [][]int{nil, {1}} {
		_, err := m.Perplexity(context.Background(), ids)
		require.ErrorContains(t, err, "fewer than 2 tokens")
	}
	_, err = m.Perplexity(context.Background(), []int{1, 2, 99})
	require.ErrorContains(t, err, "id 99 at position 2")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = m.Perplexity(ctx, lmText)
	require.ErrorIs(t, err, context.Canceled)
}

// crossEntropy is −log p(id) by the meaning of the word.
func crossEntropy(logits []float32, id int) float64 { return -logProb(logits, id) }

// Truncated training by hand: the state of every track from sessions, the loss token by token, the
// gradient by finite differences from the state at which a window starts.
func TestWindowsByHand(t *testing.T) {
	const tracks = 3
	ids := lmText[:100] // tracks of 33 steps
	for _, window := range []unroll.Window{{Stride: 5}, {Stride: 5, Length: 8},
		{Stride: 7, Length: 21}, {Stride: 33}, {Stride: 1}, {Stride: 40 - 7, Length: 99}} {
		for _, cfg := range []Config{smallGRU, {Recurrent: zoo.Recurrent{Hidden: 4}, Tied: true},
			smallAdaptive} {
			m := newLM(t, cfg)
			task, err := m.Task(Data{Train: ids, Batch: tracks, Window: window})
			require.NoError(t, err)
			spans, err := window.Plan(33)
			require.NoError(t, err)
			require.Equal(t, len(spans), task.Len())
			sessions := make([]*Session, tracks)
			for b := range sessions {
				sessions[b], err = m.NewSession()
				require.NoError(t, err)
			}
			// lossOf is the mean over what a window scores, its state taken from before its start.
			lossOf := func(s unroll.Span, state [][][]float32) (loss float64) {
				for b, session := range sessions {
					setState(session, state[b])
					for i := s.Start; i < s.End; i++ {
						logits, err := session.Step(ids[b*33+i])
						require.NoError(t, err)
						if i >= s.Scored {
							loss += crossEntropy(logits, ids[b*33+i+1])
						}
					}
				}
				return loss / float64(tracks*(s.End-s.Scored))
			}
			for epoch := range 2 {
				for k, s := range spans {
					state := make([][][]float32, tracks)
					for b, session := range sessions {
						session.Reset()
						for i := range s.Start {
							_, err := session.Step(ids[b*33+i])
							require.NoError(t, err)
						}
						state[b] = getState(session)
					}
					batch, err := task.Next(1, 0)
					require.NoError(t, err)
					require.Equal(t, tracks*(s.End-s.Scored), batch.Count)
					require.InDelta(t, lossOf(s, state), batch.Loss, 2e-5,
						"%+v, epoch %d, window %d", window, epoch, k)
					if epoch > 0 || k > 2 {
						continue
					}
					for _, g := range batch.Grads {
						p, ok := m.store.Get(g.(interface{ Name() string }).Name())
						require.True(t, ok)
						grad, err := g.Grad()
						require.NoError(t, err)
						d := slices.Clone(grad.Data().([]float32))
						w := p.Value().Float32s()
						for _, i := range []int{0, len(w) / 2, len(w) - 1} {
							const h = 1.0 / 512
							old := w[i]
							w[i] = old + h
							up := lossOf(s, state)
							w[i] = old - h
							down := lossOf(s, state)
							w[i] = old
							require.InDelta(t, (up-down)/(2*h), d[i], 2e-3,
								"%+v, window %d: %s[%d]", window, k, p.Name(), i)
						}
					}
				}
			}
		}
	}
}

// Two tasks of one seed give the same batches; a model's weights do not depend on what else was
// declared.
func TestLanguageModelSeed(t *testing.T) {
	cfg := Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 3}}
	v := newLM(t, cfg).Vocabulary()
	one, err := New(cfg, v, 1)
	require.NoError(t, err)
	cfg.Layers = 2
	two, err := New(cfg, v, 1)
	require.NoError(t, err)
	other, err := New(cfg, v, 2)
	require.NoError(t, err)
	for _, p := range one.Params().Params() {
		q, ok := two.Params().Get(p.Name())
		require.True(t, ok)
		require.Equal(t, p.Value().Float32s(), q.Value().Float32s())
		q, _ = other.Params().Get(p.Name())
		if !strings.HasPrefix(p.Leaf(), "b") {
			require.NotEqual(t, p.Value().Float32s(), q.Value().Float32s())
		}
	}
	require.Equal(t, nodes.Float32, one.Params().Dtype())
}

// Measure reads a text as one, or in tracks, and counts every token that it predicts once.
func TestMeasure(t *testing.T) {
	for _, cfg := range []Config{smallGRU, smallAdaptive} {
		m := newLM(t, cfg)
		for _, n := range []int{2, 3, 35, 36, 37, 71, 200} {
			ids := lmText[:n]
			logProbs, err := m.LogProbs(context.Background(), ids)
			require.NoError(t, err)
			require.Len(t, logProbs, n-1)
			var sum float64
			for i, logits := range logitsOf(t, m, ids[:n-1]) {
				require.InDelta(t, logProb(logits, ids[i+1]), logProbs[i], 1e-12)
				sum -= logProbs[i]
			}
			for _, window := range []int{0, 1, 7, 1000} {
				got, err := m.Measure(context.Background(), ids, MeasureOptions{Window: window})
				require.NoError(t, err)
				require.Equal(t, n-1, got.Tokens)
				require.InEpsilon(t, sum/float64(n-1), got.Loss, 1e-5, "%d tokens, window %d", n,
					window)
				require.InEpsilon(t, math.Exp(got.Loss), got.Perplexity(), 1e-12)
			}
			if n < 20 {
				continue
			}
			sum = 0
			steps := (n - 1) / 10
			for b := range 10 { // as PyTorch's word_language_model cuts a text for evaluation
				track, err := m.LogProbs(context.Background(), ids[b*steps:(b+1)*steps+1])
				require.NoError(t, err)
				for _, l := range track {
					sum -= l
				}
			}
			got, err := m.Measure(context.Background(), ids, MeasureOptions{Tracks: 10})
			require.NoError(t, err)
			require.Equal(t, 10*steps, got.Tokens)
			require.InEpsilon(t, sum/float64(10*steps), got.Loss, 1e-5)
		}
	}
	m := newLM(t, smallGRU)
	ctx := context.Background()
	for want, o := range map[string]MeasureOptions{"-1 tracks": {Tracks: -1},
		"windows of -2 steps": {Window: -2}, "a batch of 99 tracks": {Tracks: 99}} {
		_, err := m.Measure(ctx, lmText[:50], o)
		require.ErrorContains(t, err, want)
	}
	for _, ids := range [][]int{nil, {1}} {
		_, err := m.Measure(ctx, ids, MeasureOptions{})
		require.ErrorContains(t, err, "fewer than 2 tokens")
		_, err = m.LogProbs(ctx, ids)
		require.ErrorContains(t, err, "fewer than 2 tokens")
	}
	_, err := m.Measure(ctx, []int{1, 99}, MeasureOptions{})
	require.ErrorContains(t, err, "id 99")
	_, err = m.LogProbs(ctx, []int{1, 99})
	require.ErrorContains(t, err, "id 99")
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	_, err = m.LogProbs(ctx, lmText)
	require.ErrorIs(t, err, context.Canceled)
}

// With a sample of the whole vocabulary the sampled softmax is the full one; with a part of it the
// text is learned too, and the whole is measured.
func TestSampledTraining(t *testing.T) {
	for _, tied := range []bool{false, true} {
		cfg := Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 8}, Tied: tied}
		data := Data{Train: lmText, Valid: lmText, Batch: 7,
			Window: unroll.Window{Stride: 7, Length: 9}}
		fit := func(sampled, epochs int) (losses []float64, m *Model) {
			m = newLM(t, cfg)
			data.Sampled = sampled
			task, err := m.Task(data)
			require.NoError(t, err)
			adam, err := train.NewAdam(train.AdamConfig{LR: 0.01})
			require.NoError(t, err)
			r, err := train.Fit(context.Background(), task,
				train.Config{Optimizer: adam, Epochs: epochs, Seed: 2})
			require.NoError(t, err)
			_, losses = r.History.Column("valid_loss")
			return losses, m
		}
		want, full := fit(0, 2)
		got, all := fit(lmTokens, 2)
		testkit.RequireInDelta(t, want, got, 1e-4)
		for name, w := range zootest.Weights(full) {
			testkit.RequireInDelta(t, w, zootest.Weights(all)[name], 2e-3, name)
		}
		part, _ := fit(5, 6)
		require.Less(t, part[5], part[0]-0.1)
		for _, bad := range []int{-1, lmTokens + 1} {
			data.Sampled = bad
			_, err := full.Task(data)
			require.ErrorContains(t, err, "want 1 … V of them")
		}
	}
	_, err := newLM(t, smallAdaptive).Task(Data{Train: lmText, Batch: 2, Sampled: 3})
	require.ErrorContains(t, err, "the model has an adaptive softmax")
}

// Resumed in the midst of an epoch, dropout on, is never stopped, to the bit; for each loss.
func TestLanguageModelResumes(t *testing.T) {
	for name, c := range map[string]struct {
		cfg     Config
		sampled int
	}{
		"full":    {Config{Recurrent: zoo.Recurrent{Hidden: 4}, IODropout: 0.2, Tied: true}, 0},
		"sampled": {Config{Recurrent: zoo.Recurrent{Hidden: 4}, IODropout: 0.2}, 4},
		"adaptive": {Config{Recurrent: zoo.Recurrent{Hidden: 4}, IODropout: 0.2,
			Cutoffs: []int{3, 6}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			run := func(stops ...int) map[string][]float32 {
				dir := t.TempDir()
				var m *Model
				for _, steps := range stops {
					m = newLM(t, c.cfg)
					task, err := m.Task(Data{Train: lmText, Batch: 5,
						Window: unroll.Window{Stride: 9, Length: 12}, Sampled: c.sampled})
					require.NoError(t, err)
					adam, err := train.NewAdam(train.AdamConfig{LR: 0.01})
					require.NoError(t, err)
					checkpoints, err := train.OpenCheckpoints(dir, 0)
					require.NoError(t, err)
					_, err = train.Fit(context.Background(), task, train.Config{
						Optimizer: adam, Epochs: 9, MaxSteps: steps, Seed: 3,
						Checkpoints: checkpoints, SaveEvery: 50, Resume: true})
					require.NoError(t, err)
					require.NoError(t, checkpoints.Close())
				}
				return zootest.Weights(m)
			}
			require.Equal(t, run(30), run(7, 8, 30))
		})
	}
}

// The gradients of all weights along a random direction, in float64, of each loss, whole and
// truncated.
func TestLanguageModelGradients(t *testing.T) {
	for name, c := range map[string]struct {
		cfg     Config
		sampled int
	}{
		"tied":           {Config{Recurrent: zoo.Recurrent{Hidden: 5, Layers: 2}, Tied: true}, 0},
		"untied":         {Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 5}, Embed: 3}, 0},
		"adaptive":       {smallAdaptive, 0},
		"sampled tied":   {Config{Recurrent: zoo.Recurrent{Hidden: 5}, Tied: true}, 4},
		"sampled untied": {Config{Recurrent: zoo.Recurrent{Cell: "rnn", Hidden: 5}}, 4},
	} {
		for _, window := range []unroll.Window{{Stride: 10}, {Stride: 10, Length: 10}} {
			for seed := range uint64(3) {
				c.cfg.Float64 = true
				m, err := New(c.cfg, newLM(t, smallGRU).Vocabulary(), seed)
				require.NoError(t, err)
				// one window
				task, err := m.Task(Data{Train: lmText[:61], Batch: 6, Window: window,
					Sampled: c.sampled})
				require.NoError(t, err)
				require.Equal(t, 1, task.Len())
				batch, err := task.Next(3, 4)
				require.NoError(t, err)
				along := rng.Stream{Key: rng.New(seed).Named(name)}
				direction := make([][]float64, len(batch.Grads))
				slope := 0.
				for i, g := range batch.Grads {
					d, err := g.Grad()
					require.NoError(t, err)
					for _, x := range d.Data().([]float64) {
						direction[i] = append(direction[i], along.Normal())
						slope += x * direction[i][len(direction[i])-1]
					}
				}
				loss := func(by float64) float64 {
					for i, g := range batch.Grads {
						w := g.Value().Data().([]float64)
						for k := range w {
							w[k] += by * direction[i][k]
						}
					}
					b, err := task.Next(3, 4)
					require.NoError(t, err)
					return b.Loss
				}
				const h = 1e-4
				up, up2, down, down2 := loss(h), loss(h), loss(-3*h), loss(-h)
				require.InEpsilon(t, (8*(up-down)-(up2-down2))/(12*h), slope, 1e-6, "%s, seed %d",
					name, seed)
			}
		}
	}
}

// Random clusters and sizes build and agree with each other, or say what is wrong.
func TestLanguageModelRandomCutoffs(t *testing.T) {
	r := rng.Stream{Key: rng.New(9).Named("cutoffs")}
	rounds := 60
	if testing.Short() {
		rounds = 15
	}
	built := 0
	for range rounds {
		cfg := Config{Recurrent: zoo.Recurrent{Cell: []string{"rnn", "gru", "lstm"}[r.Intn(3)],
			Hidden: 1 + r.Intn(7)}, Div: float64(r.Intn(4))}
		for range 1 + r.Intn(3) {
			cfg.Cutoffs = append(cfg.Cutoffs, r.Intn(lmTokens+1))
		}
		if r.Intn(4) > 0 {
			slices.Sort(cfg.Cutoffs)
		}
		m, err := New(cfg, newLM(t, smallGRU).Vocabulary(), 1)
		if err != nil {
			require.ErrorContains(t, err, "zoo: language model: ")
			continue
		}
		built++
		logProbs, err := m.LogProbs(context.Background(), lmText[:40])
		require.NoError(t, err)
		var sum float64
		for _, l := range logProbs {
			sum -= l / 39
		}
		got, err := m.Measure(context.Background(), lmText[:40],
			MeasureOptions{Window: 1 + r.Intn(40)})
		require.NoError(t, err)
		require.InEpsilon(t, sum, got.Loss, 1e-4, "%+v", cfg)
	}
	require.Greater(t, built, rounds/6)
}
