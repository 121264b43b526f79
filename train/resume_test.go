package train_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
)

// groups trains the second layer of smallLM by SGD, and all else by AdamW.
func groups() train.Optimizer {
	second := must(lmStore.Find("**/l1"))
	return must(train.NewGroups(train.Group{Optimizer: must(train.NewAdamW(train.AdamConfig{
		WeightDecay: 0.1}))}, train.Group{Params: second,
		Optimizer: must(train.NewSGD(train.SGDConfig{LR: 0.1, Momentum: 0.9}))}))
}

// plan is a way to train that is stopped and resumed. Everything in it is made anew for each run,
// as a new process does.
type plan struct {
	name   string
	task   func(t testing.TB) train.Task
	config func() train.Config
	steps  int // of the whole training, at least
}

func plans() []plan {
	lm := func(w unroll.Window) func(testing.TB) train.Task {
		return func(t testing.TB) train.Task { return smallLM(t, w) }
	}
	toy := func(testing.TB) train.Task { return newBowl(7) }
	return []plan{
		{"LM, cosine, clipping", lm(unroll.Window{Stride: 5}), func() train.Config {
			return train.Config{
				Optimizer: adam(0), Epochs: 4, Seed: 3, Clip: train.Clip{Norm: 0.5}, RecordEvery: 3,
				Schedule: must(train.NewCosine(train.CosineConfig{LR: 0.05, Warmup: 5, Total: 52})),
			}
		}, 50},
		{"LM, overlapping windows, accumulation, average", lm(unroll.Window{Stride: 5, Length: 8}),
			func() train.Config {
				return train.Config{
					Optimizer: must(train.NewSGD(train.SGDConfig{LR: 0.5, Momentum: 0.9})),
					Epochs:    10, Seed: 3, Accumulate: 3,
					Average: must(train.NewAverage(train.AverageConfig{Decay: 0.9})), SaveEvery: 4,
					RecordEvery: 7,
				}
			}, 50},
		{"toy, plateau, average, early stop", toy, func() train.Config {
			return train.Config{
				Optimizer: must(train.NewRMSProp(train.RMSPropConfig{LR: 0.1})), Epochs: 100,
				Seed:     5,
				Schedule: must(train.NewPlateau(train.PlateauConfig{LR: 0.1, Factor: 0.5})),
				Average:  must(train.NewAverage(train.AverageConfig{})),
				EarlyStop: must(train.NewEarlyStop(train.EarlyStopConfig{Patience: 2,
					MinDelta: 0.005})),
			}
		}, 50}, // it stops early
		{"LM, groups, frozen, best", func(t testing.TB) train.Task {
			task := lm(unroll.Window{Stride: 5})(t)
			task.Params()[0].Freeze(true)
			return task
		}, func() train.Config {
			return train.Config{Optimizer: groups(), Epochs: 4, Seed: 3, RecordEvery: 3,
				RestoreBest: true, Schedule: must(train.NewCosine(train.CosineConfig{LR: 0.05,
					Warmup: 5, Total: 52}))}
		}, 52},
		{"toy, one cycle, clipping each, late average", toy, func() train.Config {
			return train.Config{
				Optimizer: adam(0), Epochs: 6, Seed: 3, Clip: train.Clip{Norm: 0.05, Each: true},
				Schedule:    must(train.NewOneCycle(train.OneCycleConfig{LR: 0.05, Total: 42})),
				Average:     must(train.NewAverage(train.AverageConfig{After: 20})),
				RecordEvery: 3,
			}
		}, 40},
		{"toy, plateau with cooldown, average from within", toy, func() train.Config {
			return train.Config{
				Optimizer: adam(0.1), Epochs: 20, Seed: 5, RestoreBest: true,
				Schedule: must(train.NewPlateau(train.PlateauConfig{LR: 0.1, Factor: 0.5,
					Cooldown: 2, Threshold: 0.2})),
				Average: must(train.NewAverage(train.AverageConfig{Decay: 0.9, After: 25})),
			}
		}, 40},
		{"toy, accumulation", toy, func() train.Config {
			return train.Config{Optimizer: adam(0.1), Epochs: 20, Seed: 5, Accumulate: 4,
				SaveEvery: 1, RecordEvery: 1}
		}, 40},
	}
}

// fit trains in dir. Its outcome is everything that a training leaves: the last checkpoint, with
// weights, optimizer and history, and the weights as the model then has them.
func fit(t testing.TB, ctx context.Context, dir string, task train.Task,
	c train.Config) (outcome string, r *train.Result, err error) {
	cp := must(train.OpenCheckpoints(dir, 0))
	defer cp.Close()
	c.Checkpoints, c.Resume = cp, true
	if r, err = train.Fit(ctx, task, c); err != nil {
		return "", r, err
	}
	latest, err := cp.Latest()
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, latest.Write(&b))
	for _, p := range task.Params() {
		fmt.Fprintf(&b, "\n%s %x", p.Name(), p.Value().Data())
	}
	return b.String(), r, nil
}

// interrupting cancels when a batch is asked for, or in a validation.
type interrupting struct {
	train.Task
	batch      int // that is followed by a cancellation, or −1
	validation int // that is cancelled while it runs, or −1
	cancel     func()
}

func (i *interrupting) Next(seed uint64, counter int) (train.Batch, error) {
	if counter == i.batch {
		i.cancel()
	}
	return i.Task.Next(seed, counter)
}

func (i *interrupting) Validate(ctx context.Context) (map[string]float64, error) {
	if i.validation--; i.validation == -1 {
		i.cancel()
	}
	return i.Task.Validate(ctx)
}

// A training stopped after any step and resumed is one that never stopped, to the bit.
func TestResumeIsNeverStopped(t *testing.T) {
	for _, p := range plans() {
		t.Run(p.name, func(t *testing.T) {
			want, r, err := fit(t, context.Background(), tempDir(t), p.task(t), p.config())
			require.NoError(t, err)
			require.GreaterOrEqual(t, r.Steps, p.steps)
			stride := 1
			if testing.Short() {
				stride = 7
			}
			for k := 1; k <= p.steps; k += stride {
				dir := tempDir(t)
				c := p.config()
				c.MaxSteps = k
				_, r, err := fit(t, context.Background(), dir, p.task(t), c)
				require.NoError(t, err)
				require.Equal(t, k, r.Steps)
				require.NotEmpty(t, r.Stopped)
				got, _, err := fit(t, context.Background(), dir, p.task(t), p.config())
				require.NoError(t, err)
				require.True(t, want == got, "stopped after step %d", k)
			}
			t.Logf("a training of %d steps (%s)", r.Steps, r.Stopped)
			t.Logf("stopped at %d steps and resumed, equal to the bit", (p.steps+stride-1)/stride)
		})
	}
}

// The same by a cancelled context, at any batch: also between the batches of one update.
func TestInterruptAndResume(t *testing.T) {
	for _, p := range plans() {
		t.Run(p.name, func(t *testing.T) {
			want, _, err := fit(t, context.Background(), tempDir(t), p.task(t), p.config())
			require.NoError(t, err)
			dir, runs := tempDir(t), 0
			for batch := 0; ; batch += 5 {
				ctx, cancel := context.WithCancel(context.Background())
				got, r, err := fit(t, ctx, dir, &interrupting{Task: p.task(t), batch: batch,
					validation: -1, cancel: cancel}, p.config())
				cancel()
				runs++
				if err == nil {
					require.True(t, want == got, "after %d runs", runs)
					break
				}
				require.ErrorIs(t, err, train.ErrInterrupted)
				latest := lastStep(t, dir)
				require.Equal(t, r.Steps, latest, "the state was saved")
			}
			require.Greater(t, runs, 5)
		})
	}
}

// counting cancels in a shard of a batch, and counts the shards that are computed after it.
type counting struct {
	train.Sharded
	batch, shard int
	cancel       func()
	cancelled    bool
	after        int
}

func (c *counting) Next(seed uint64, counter int) (train.Batch, error) {
	if err := c.Advance(); err != nil {
		return train.Batch{}, err
	}
	return c.Shard(0, 1, seed, counter)
}

func (c *counting) Shard(k, n int, seed uint64, counter int) (train.Batch, error) {
	if c.cancelled {
		c.after++
	}
	if counter == c.batch && k == c.shard {
		c.cancel()
		c.cancelled = true
	}
	return c.Sharded.Shard(k, n, seed, counter)
}

// Of an update of several batches and shards none is computed after the one at hand, and the update
// is made anew after a resume, from the state at its beginning.
func TestInterruptWithinAnUpdate(t *testing.T) {
	config := func() train.Config {
		return train.Config{Optimizer: adam(0.05), Epochs: 3, Seed: 3, Accumulate: 5, Shards: 4}
	}
	task := func() train.Sharded { return smallLM(t, unroll.Window{Stride: 5}).(train.Sharded) }
	want, _, err := fit(t, context.Background(), tempDir(t), task(), config())
	require.NoError(t, err)
	for _, at := range [][3]int{{0, 0, 0}, {3, 2, 0}, {5, 3, 1}, {6, 1, 1}, {12, 2, 2}} {
		dir := tempDir(t)
		ctx, cancel := context.WithCancel(context.Background())
		c := &counting{Sharded: task(), batch: at[0], shard: at[1], cancel: cancel}
		_, r, err := fit(t, ctx, dir, c, config())
		require.ErrorIs(t, err, train.ErrInterrupted)
		require.Zero(t, c.after, at)
		require.Equal(t, at[2], r.Steps)
		require.Equal(t, r.Steps, lastStep(t, dir))
		got, _, err := fit(t, context.Background(), dir, task(), config())
		require.NoError(t, err)
		require.True(t, want == got, at)
	}
}

func lastStep(t testing.TB, dir string) int {
	cp := must(train.OpenCheckpoints(dir, 0))
	defer cp.Close()
	c, err := cp.Latest()
	require.NoError(t, err)
	return c.Step
}

func TestInterruptDuringValidation(t *testing.T) {
	for _, p := range plans() {
		t.Run(p.name, func(t *testing.T) {
			want, _, err := fit(t, context.Background(), tempDir(t), p.task(t), p.config())
			require.NoError(t, err)
			dir := tempDir(t)
			for range 3 { // each is interrupted in the second validation that it begins
				ctx, cancel := context.WithCancel(context.Background())
				task := p.task(t)
				if b, ok := task.(*bowl); ok {
					b.validate = func(ctx context.Context) error { return ctx.Err() }
				}
				_, _, err := fit(t, ctx, dir, &interrupting{Task: task, batch: -1, validation: 1,
					cancel: cancel}, p.config())
				require.Equal(t, train.ErrInterrupted, err)
			}
			got, _, err := fit(t, context.Background(), dir, p.task(t), p.config())
			require.NoError(t, err)
			require.True(t, want == got)
		})
	}
}

func TestFitBeforeTheFirstStep(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r, err := train.Fit(ctx, newBowl(3), train.Config{Optimizer: adam(0.1), Epochs: 1})
	require.Equal(t, train.ErrInterrupted, err, "nowhere to save")
	require.Zero(t, r.Steps)
	dir := tempDir(t)
	_, _, err = fit(t, ctx, dir, newBowl(3), train.Config{Optimizer: adam(0.1), Epochs: 1})
	require.Equal(t, train.ErrInterrupted, err)
	require.Zero(t, lastStep(t, dir))
	_, r, err = fit(t, context.Background(), dir, newBowl(3),
		train.Config{Optimizer: adam(0.1), Epochs: 1})
	require.NoError(t, err)
	require.Equal(t, 3, r.Steps)
}

// A training that is done can go on: with more steps, with more epochs.
func TestFitGoesOn(t *testing.T) {
	config := func(epochs, steps int) train.Config {
		return train.Config{Optimizer: adam(0.1), Epochs: epochs, MaxSteps: steps}
	}
	want, _, err := fit(t, context.Background(), tempDir(t), newBowl(5), config(4, 0))
	require.NoError(t, err)
	dir := tempDir(t)
	for _, next := range []struct{ epochs, max, steps, done int }{
		{2, 3, 3, 0}, {2, 3, 3, 0}, {2, 2, 3, 0}, {2, 5, 5, 0}, {2, 10, 10, 1}, {2, 0, 10, 2},
		{3, 12, 12, 2}, {4, 0, 20, 4}, {4, 0, 20, 4}, {1, 0, 20, 4},
	} {
		got, r, err := fit(t, context.Background(), dir, newBowl(5), config(next.epochs, next.max))
		require.NoError(t, err)
		require.Equal(t, next.steps, r.Steps, "%+v", next)
		require.Equal(t, next.done, r.Epochs, "%+v", next)
		if r.Epochs == 4 {
			require.True(t, want == got)
		}
	}
}
