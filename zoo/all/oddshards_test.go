package all_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/threads"
	"github.com/seqzoo/seqzoo/train"
)

// oddTraining is a training whose settings are drawn.
type oddTraining struct {
	name                              string
	make                              func() train.Task
	optimizer                         int
	shards, accumulate                int
	clip                              train.Clip
	schedule, average, stop, asks     int // 0: without
	frozen                            int // of so many parameters the first; 0: none
	valid, best, saves, rows, longest int
}

// drawOdd draws one of them.
func drawOdd(r *rand.Rand) (o oddTraining) {
	own := slices.Sorted(maps.Keys(lookingUp))
	if all := slices.Sorted(maps.Keys(resumable)); r.IntN(3) > 0 {
		o.name = all[r.IntN(len(all))]
		make := resumable[o.name]
		change := []string{theSame, manyValid}[r.IntN(2)]
		o.make, o.valid = func() train.Task { return must(make(change)) }, 1
	} else {
		o.name = own[r.IntN(len(own))]
		o.make = lookingUp[o.name]
	}
	o.optimizer = r.IntN(len(oddOptimizers))
	o.shards, o.accumulate = []int{2, 3, 5, 7, 8, 13}[r.IntN(6)], 1+r.IntN(3)
	o.clip = []train.Clip{{}, {Norm: 0.05}, {Value: 0.001}, {Norm: 0.3}}[r.IntN(4)]
	o.schedule, o.average, o.stop, o.asks = r.IntN(4), r.IntN(2), r.IntN(3), r.IntN(3)
	o.frozen, o.best, o.saves, o.rows = r.IntN(4), r.IntN(2), r.IntN(4), 1+r.IntN(3)
	o.longest = 5 + r.IntN(4)
	return o
}

// oddOptimizers are for the parameters of a task.
var oddOptimizers = []func(task train.Task) train.Optimizer{
	func(train.Task) train.Optimizer { return must(train.NewSGD(train.SGDConfig{})) },
	func(train.Task) train.Optimizer { return must(train.NewSGD(train.SGDConfig{Momentum: 0.9})) },
	func(train.Task) train.Optimizer { return must(train.NewSGD(train.SGDConfig{WeightDecay: 0.1})) },
	func(train.Task) train.Optimizer { return must(train.NewAdam(train.AdamConfig{LR: 0.01})) },
	func(train.Task) train.Optimizer {
		return must(train.NewAdamW(train.AdamConfig{LR: 0.01, WeightDecay: 0.1}))
	},
	func(train.Task) train.Optimizer { return must(train.NewAdagrad(train.AdagradConfig{})) },
	func(train.Task) train.Optimizer { return must(train.NewRMSProp(train.RMSPropConfig{})) },
	func(train.Task) train.Optimizer { return must(train.NewAdadelta(train.AdadeltaConfig{})) },
	twoOptimizers,
	func(task train.Task) train.Optimizer { return own{twoOptimizers(task)} },
}

// twoOptimizers are one for every third parameter and one for the others.
func twoOptimizers(task train.Task) train.Optimizer {
	var thirds train.Group
	for i, p := range task.Params() {
		if i%3 == 0 {
			thirds.Params = append(thirds.Params, p)
		}
	}
	thirds.Optimizer = must(train.NewAdamW(train.AdamConfig{LR: 0.01, WeightDecay: 0.02}))
	return must(train.NewGroups(thirds, train.Group{
		Optimizer: must(train.NewSGD(train.SGDConfig{LR: 0.02, Momentum: 0.5}))}))
}

// fit trains, up to a number of steps unless that is 0, as one of some processes, and returns all
// that the training ends with. The first process saves to dir, and all go on from there.
func (o oddTraining) fit(dir string, p train.Processes, steps int) (string, error) {
	task := o.make()
	for i, param := range task.Params() {
		if o.frozen > 0 && i%(o.frozen+1) == 0 {
			param.Freeze(true)
		}
	}
	c := train.Config{Optimizer: oddOptimizers[o.optimizer](task), Epochs: 5, MaxSteps: o.longest,
		Seed: 4, Shards: o.shards, Accumulate: o.accumulate, Processes: p, Clip: o.clip, Resume: true,
		SaveEvery: o.saves, RecordEvery: o.rows, Warn: func(string) {}, Monitor: "loss"}
	if steps > 0 {
		c.MaxSteps = steps
	}
	switch o.schedule {
	case 1:
		c.Schedule = must(train.NewPlateau(train.PlateauConfig{LR: 0.02, Factor: 0.5, Threshold: 0.5}))
	case 2:
		c.Schedule = must(train.NewCosine(train.CosineConfig{LR: 0.02, Warmup: 2, Total: 9}))
	}
	if o.average > 0 {
		c.Average = must(train.NewAverage(train.AverageConfig{Decay: 0.7}))
	}
	if o.stop > 0 {
		c.EarlyStop = must(train.NewEarlyStop(train.EarlyStopConfig{
			Patience: o.stop - 1, MinDelta: 0.01}))
	}
	c.RestoreBest = o.best > 0
	calls := ""
	if p == nil || p.Rank() == 0 {
		c.Checkpoints = must(train.OpenCheckpoints(dir, 0))
		defer c.Checkpoints.Close()
		if o.asks > 0 {
			c.AfterStep = func(step int) error {
				if step == o.longest-o.asks {
					return train.ErrStop
				}
				return nil
			}
			c.OnRow = append(c.OnRow, func(r train.Row) error {
				calls += fmt.Sprintln(r)
				return nil
			})
		}
	}
	r, err := train.Fit(context.Background(), task, c)
	if err != nil {
		return "", err
	}
	var history strings.Builder
	s, err := c.Optimizer.State(), r.History.WriteCSV(&history)
	end := state(task) + fmt.Sprintln(r.Steps, r.Epochs, r.Best, r.Stopped, s.Step, s.Scalars,
		history.String())
	for _, name := range slices.Sorted(maps.Keys(s.Tensors)) {
		end += fmt.Sprintf("%s %v %x\n", name, s.Tensors[name].Shape(), s.Tensors[name].Data())
	}
	if steps == 0 && (p == nil || p.Rank() == 0) {
		dirCalls[dir] = calls
	}
	return end, err
}

// dirCalls are what callbacks were told.
var dirCalls = map[string]string{}

// on is fit on some processes, all of which end alike.
func (o oddTraining) on(t *testing.T, dir string, processes, steps int) string {
	ends := make([]string, processes)
	errs := threads.Run(processes, func(p *threads.Process) (err error) {
		ends[p.Rank()], err = o.fit(dir, exchange(p), steps)
		return err
	})
	for r, err := range errs {
		require.NoError(t, err)
		require.True(t, ends[0] == ends[r], "process %d of %d ends otherwise", r, processes)
	}
	return ends[0]
}

// sameEnd names the lines in which two trainings end otherwise.
func sameEnd(t *testing.T, want, got, format string, args ...any) {
	if want == got {
		return
	}
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	require.Equal(t, len(a), len(b), fmt.Sprintf(format, args...))
	for i := range a {
		if a[i] != b[i] {
			t.Errorf("%.200s\nis alone\n%.200s", b[i], a[i])
		}
	}
	t.Fatalf(format, args...)
}

// With settings that nobody would choose (shards that do not divide the batch, or are more than its
// rows, updates of several batches, of which the last of an epoch has fewer, frozen parameters, two
// optimizers, stops) a training ends on any number of processes with the bits of one that knows of
// no other, and so it does if it was stopped and has gone on, on others.
func TestOddShardsOverProcesses(t *testing.T) {
	trials, counts, random := 12, []int{2, 3}, rand.New(rand.NewPCG(5, 17))
	if *long {
		trials, counts = 400, []int{2, 3, 4, 6}
	}
	for i := range trials {
		o := drawOdd(random)
		stop := 1 + random.IntN(4)
		t.Run(fmt.Sprintf("%d %s", i, o.name), func(t *testing.T) {
			about := fmt.Sprintf("%+v", o)
			alone := t.TempDir()
			want, err := o.fit(alone, nil, 0)
			require.NoError(t, err, about)
			for _, n := range counts {
				if n > o.shards {
					continue
				}
				dir := t.TempDir()
				sameEnd(t, want, o.on(t, dir, n, 0), "%d processes: %s", n, about)
				require.Equal(t, dirCalls[alone], dirCalls[dir], "%d processes: %s", n, about)
				require.Equal(t, strings.ReplaceAll(content(t, alone), alone, ""),
					strings.ReplaceAll(content(t, dir), dir, ""), "checkpoints of %d processes: %s", n, about)
			}
			if o.asks > 0 && stop >= o.longest-o.asks {
				return // it ends there
			}
			dir := t.TempDir()
			o.on(t, dir, min(3, o.shards), stop)
			sameEnd(t, want, o.on(t, dir, 2, 0), "resumed after step %d: %s", stop, about)
		})
	}
}
