package word2vec

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/threads"
	"github.com/seqzoo/seqzoo/rng"
)

// varied are sentences of many words, the first of them often.
func varied(n int) [][]string {
	key := rng.New(7)
	sentences := make([][]string, n)
	at := uint64(0)
	for i := range sentences {
		for range 3 + i%17 {
			x := key.Float64(at)
			at++
			sentences[i] = append(sentences[i], fmt.Sprint("w", int(300*x*x*x)))
		}
	}
	return sentences
}

// together trains models on some processes.
func together(size int, make func(rank int) (*Model, TrainOptions, context.Context),
	sentences [][]string) ([]*Model, []error) {
	models := [17]*Model{}
	errs := threads.Run(size, func(p *threads.Process) error {
		m, o, ctx := make(p.Rank())
		models[p.Rank()], o.Processes = m, p
		return m.Train(ctx, sentences, o)
	})
	return models[:size], errs
}

// On any number of processes all of them end with the vectors, outputs and losses of one.
func TestProcessesSameBits(t *testing.T) {
	sentences, sizes := varied(900), []int{1, 2, 3, 4, 7, 16}
	if testing.Short() {
		sizes = []int{2, 3} // under the race detector it takes long
	}
	each(t, func(t *testing.T, cfg Config) {
		cfg.Dim, cfg.Epochs, cfg.MinCount = 7, 2, 1
		want, loss := trained(t, cfg, sentences, TrainOptions{Workers: 1, Loss: true})
		for _, size := range sizes {
			losses := 0.0
			models, errs := together(size, func(rank int) (*Model, TrainOptions, context.Context) {
				return must(New(context.Background(), cfg, sentences)), TrainOptions{Workers: 1 + rank%2,
					Loss: true, Progress: func(p Progress) { losses = p.Loss }}, context.Background()
			}, sentences)
			for r, err := range errs {
				require.NoError(t, err)
				require.Equal(t, want.in, models[r].in, "process %d of %d", r, size)
				require.Equal(t, want.out, models[r].out, "process %d of %d", r, size)
				require.True(t, models[r].Done())
			}
			require.Equal(t, loss, losses)
		}
	})
}

// One process that is asked to stop stops all after the same chunk, with the same weights; they go
// on, on another number of processes, from the first one's.
func TestProcessesStopTogether(t *testing.T) {
	sentences := varied(900)
	each(t, func(t *testing.T, cfg Config) {
		cfg.Dim, cfg.Epochs, cfg.MinCount = 7, 3, 1
		want, _ := trained(t, cfg, sentences, TrainOptions{Workers: 1})
		var half *Model
		for _, size := range []int{3, 2, 4} {
			models, errs := together(size, func(rank int) (*Model, TrainOptions, context.Context) {
				m := must(New(context.Background(), cfg, sentences))
				if half != nil && rank == 0 {
					m = half
				}
				ctx := context.Background()
				if rank == 1 && size < 4 {
					ctx = &countdown{Context: ctx, left: 7 - size}
				}
				return m, TrainOptions{Workers: 1}, ctx
			}, sentences)
			for r, err := range errs {
				if size < 4 {
					require.ErrorIs(t, err, context.Canceled, "process %d of %d", r, size)
				} else {
					require.NoError(t, err)
				}
				require.Equal(t, models[0].in, models[r].in, "process %d of %d", r, size)
				require.Equal(t, models[0].out, models[r].out)
				require.Equal(t, models[0].sentence, models[r].sentence)
				require.Equal(t, models[0].epoch, models[r].epoch)
			}
			half = models[0]
		}
		require.Equal(t, want.in, half.in)
		require.Equal(t, want.out, half.out)
	})
}

// What differs is named, and an error of one process ends all.
func TestProcessesRefuse(t *testing.T) {
	sentences := varied(100)
	cfg := Config{Dim: 3, MinCount: 1, Epochs: 2}
	for what, change := range map[string]func(cfg *Config, o *TrainOptions){
		"configuration":       func(cfg *Config, _ *TrainOptions) { cfg.Seed = 9 },
		"option Loss":         func(_ *Config, o *TrainOptions) { o.Loss = true },
		"LockFree is for the": func(_ *Config, o *TrainOptions) { o.LockFree = true },
		"broken": func(_ *Config, o *TrainOptions) {
			o.AfterEpoch = func(*Model) error { return errors.New("broken") }
		},
	} {
		for _, rank := range []int{0, 1} {
			_, errs := together(2, func(r int) (*Model, TrainOptions, context.Context) {
				cfg, o := cfg, TrainOptions{}
				if r == rank || what == "LockFree is for the" {
					change(&cfg, &o)
				}
				return must(New(context.Background(), cfg, sentences)), o, context.Background()
			}, sentences)
			for _, err := range errs {
				if what == "broken" && rank == 1 {
					require.NoError(t, err, "only the first process calls back")
					continue
				}
				require.Error(t, err)
			}
			if what != "broken" || rank == 0 {
				require.ErrorContains(t, errs[0], what)
			}
		}
	}
	_, errs := together(17, func(int) (*Model, TrainOptions, context.Context) {
		return must(New(context.Background(), cfg, sentences)), TrainOptions{}, context.Background()
	}, sentences)
	require.ErrorContains(t, errs[0], "17 processes: more than 16 have nothing to do")
}
