package all_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/threads"
	"github.com/seqzoo/seqzoo/train"
)

// together trains the VAE in 4 shards on some processes, as change has it, and returns the weights
// and the error of each.
func together(processes int,
	change func(rank int, task train.Task, c *train.Config) context.Context) (
	weights []string, results []*train.Result, errs []error) {
	weights, results = make([]string, processes), make([]*train.Result, processes)
	errs = threads.Run(processes, func(p *threads.Process) error {
		task := must(resumable["VAE"](theSame))
		c := train.Config{Optimizer: must(train.NewAdam(train.AdamConfig{LR: 0.01})),
			Epochs: 4, Shards: 4, Processes: exchange(p), Warn: func(string) {}}
		ctx := context.Background()
		if change != nil {
			if other := change(p.Rank(), task, &c); other != nil {
				ctx = other
			}
		}
		r, err := train.Fit(ctx, task, c)
		weights[p.Rank()], results[p.Rank()] = state(task), r
		return err
	})
	return weights, results, errs
}

// What is different among processes is named before anything is trained, by all, and before they
// look for memory to share, of which they would need other sizes.
func TestProcessesMustBeAlike(t *testing.T) {
	for what, change := range map[string]func(task train.Task, c *train.Config){
		"the weights": func(task train.Task, _ *train.Config) {
			task.Params()[0].Value().Float32s()[0]++
		},
		"the setting seed": func(_ train.Task, c *train.Config) { c.Seed = 9 },
		"the optimizer": func(_ train.Task, c *train.Config) {
			c.Optimizer = must(train.NewSGD(train.SGDConfig{}))
		},
		"the number of epochs": func(_ train.Task, c *train.Config) { c.Epochs = 5 },
		"the clipping":         func(_ train.Task, c *train.Config) { c.Clip.Norm = 3 },
		"the number of shards": func(_ train.Task, c *train.Config) { c.Shards = 6 },
		"the way of summing":   func(_ train.Task, c *train.Config) { c.FastSum = true },
	} {
		for last := 1; last <= 2; last++ {
			_, _, errs := together(last+1, func(r int, task train.Task,
				c *train.Config) context.Context {
				if r == last {
					change(task, c)
				}
				return nil
			})
			for _, err := range errs {
				require.ErrorIs(t, err, train.ErrProcesses)
				require.ErrorContains(t, err, fmt.Sprintf("process %d on ", last))
				require.ErrorContains(t, err, "differs in ")
				require.ErrorContains(t, err, what)
			}
		}
	}
	_, _, errs := together(3, func(_ int, _ train.Task, c *train.Config) context.Context {
		c.Shards = 2
		return nil
	})
	require.ErrorContains(t, errs[1], "3 processes and 2 shards")
}

// One process that is interrupted stops all, after the same update; a callback of the first does
// too.
func TestProcessesStopTogether(t *testing.T) {
	_, results, errs := together(3, func(rank int, _ train.Task, c *train.Config) context.Context {
		ctx, cancel := context.WithCancel(context.Background())
		if rank == 1 {
			cancel()
		}
		_ = cancel
		return ctx
	})
	for r, err := range errs {
		require.ErrorIs(t, err, train.ErrInterrupted)
		require.Equal(t, 1, results[r].Steps)
	}
	weights, results, errs := together(2, func(rank int, _ train.Task,
		c *train.Config) context.Context {
		c.AfterStep = func(step int) error {
			if rank > 0 {
				return errors.New("only the first calls back")
			}
			if step == 3 {
				return train.ErrStop
			}
			return nil
		}
		return nil
	})
	for r, err := range errs {
		require.NoError(t, err)
		require.Equal(t, 3, results[r].Steps)
		require.Equal(t, weights[0], weights[r])
	}
}

// A loss that is not finite in one shard is an error of all processes.
func TestProcessesDivergeTogether(t *testing.T) {
	_, _, errs := together(4, func(_ int, task train.Task, _ *train.Config) context.Context {
		task.Params()[0].Value().Float32s()[0] = float32(math.NaN())
		return nil
	})
	for _, err := range errs {
		require.ErrorIs(t, err, train.ErrNotFinite)
		require.ErrorContains(t, err, "step 0: the loss in shard 0 of 4 is not finite")
		require.Equal(t, errs[0].Error(), err.Error())
	}
}

// The optimizers that divide the update, and those that do not, give the bits of one process; the
// fast sum gives nearly those.
func TestProcessesAndOptimizers(t *testing.T) {
	groups := func(task train.Task) train.Optimizer {
		a, b := must(train.NewAdamW(train.AdamConfig{LR: 0.01})),
			must(train.NewSGD(train.SGDConfig{LR: 0.02, Momentum: 0.9}))
		return must(train.NewGroups(train.Group{Optimizer: a},
			train.Group{Params: task.Params()[:1], Optimizer: b}))
	}
	for name, make := range map[string]func(task train.Task) train.Optimizer{
		"sgd": func(train.Task) train.Optimizer {
			return must(train.NewSGD(train.SGDConfig{Momentum: 0.9, WeightDecay: 0.1}))
		},
		"adagrad": func(train.Task) train.Optimizer {
			return must(train.NewAdagrad(train.AdagradConfig{}))
		},
		"groups": groups,
		"own":    func(task train.Task) train.Optimizer { return own{groups(task)} },
	} {
		fit := func(processes int, fast bool) []string {
			weights, _, errs := together(processes, func(_ int, task train.Task,
				c *train.Config) context.Context {
				c.Optimizer, c.FastSum, c.Clip.Norm = make(task), fast, 0.05
				return nil
			})
			for _, err := range errs {
				require.NoError(t, err, name)
			}
			return weights
		}
		want := fit(1, false)[0]
		for _, n := range []int{2, 3} {
			for _, got := range fit(n, false) {
				require.True(t, want == got, "%s on %d processes", name, n)
			}
		}
		fast := fit(2, true)
		require.Equal(t, fast[0], fast[1])
	}
}

// own is an optimizer of which the library knows nothing.
type own struct{ train.Optimizer }
