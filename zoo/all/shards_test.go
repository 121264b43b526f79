package all_test

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/internal/threads"
	"github.com/seqzoo/seqzoo/train"
)

// gradient is that of a batch in float64, by parameter.
func gradient(t *testing.T, b train.Batch, weight float64, to map[string][]float64) {
	for _, vg := range b.Grads {
		name := vg.(interface{ Name() string }).Name()
		g, err := vg.Grad()
		require.NoError(t, err)
		for i, x := range g.Data().([]float32) {
			if to[name] == nil {
				to[name] = make([]float64, g.Size())
			}
			to[name][i] += weight * float64(x)
		}
	}
}

// The gradient of a batch is the mean of its shards' gradients, weighted by their counts, noise and
// all: a row has the noise that it has in the whole batch. Where the noise of a model knows no rows
// the gradient is another one.
func TestShardsMakeUpTheBatch(t *testing.T) {
	noRows := map[string]bool{"HRED": true, "emoji2vec": true}
	for name, make := range resumable {
		if noRows[name] {
			continue
		}
		t.Run(name, func(t *testing.T) {
			for _, n := range []int{1, 2, 3, 7} {
				whole := must(make(theSame))
				parts, ok := must(make(theSame)).(train.Sharded)
				require.True(t, ok, "the task does not divide its batches")
				for batch := range 3 {
					b, err := whole.Next(5, batch)
					require.NoError(t, err)
					want, got, loss, count := map[string][]float64{}, map[string][]float64{}, 0.0, 0
					gradient(t, b, 1, want)
					require.NoError(t, parts.Advance())
					for k := range n {
						part, err := parts.Shard(k, n, 5, batch)
						require.NoError(t, err)
						gradient(t, part, float64(part.Count)/float64(b.Count), got)
						loss += part.Loss * float64(part.Count)
						count += part.Count
					}
					require.Equal(t, b.Count, count)
					require.InDelta(t, b.Loss, loss/float64(count), 1e-5*(1+math.Abs(b.Loss)))
					for p, x := range want {
						testkit.RequireInDelta(t, x, got[p], 2e-5, "%d shards, %s", n, p)
					}
				}
			}
		})
	}
}

// exchange has what a process may have: 2 processes read each other's memory, 3 send all at once,
// and of 4 or more each two that are neighbours read each other's memory and send the others
// messages.
func exchange(p *threads.Process) train.Processes {
	messages := threads.Messages{Process: p}
	switch p.Size() {
	case 2:
		return threads.Neighbours{Messages: messages}
	case 3:
		return p
	}
	return threads.Neighbours{Messages: messages, Near: func(other int) bool { return other/2 == p.Rank()/2 }}
}

// inShards trains the task of a model in 4 shards, up to a number of steps unless that is 0, and
// returns all that it ends with. The first process saves to dir, and all go on from there.
func inShards(name, dir string, p train.Processes, steps int) (string, error) {
	task, err := resumable[name](theSame)
	if err != nil {
		return "", err
	}
	c := train.Config{
		Optimizer: must(train.NewAdam(train.AdamConfig{LR: 0.01})), Epochs: 3, Seed: 2,
		MaxSteps: steps, Shards: 4, Accumulate: 1 + len(name)%2, Processes: p,
		Clip: train.Clip{Norm: 0.1, Each: len(name)%3 == 0}, Resume: true, Warn: func(string) {},
		Average:   must(train.NewAverage(train.AverageConfig{Decay: 0.9})),
		EarlyStop: must(train.NewEarlyStop(train.EarlyStopConfig{Patience: 9})), Monitor: "loss",
		RecordEvery: 2, SaveEvery: 2,
	}
	if p == nil || p.Rank() == 0 {
		c.Checkpoints = must(train.OpenCheckpoints(dir, 0))
		defer c.Checkpoints.Close()
	}
	r, err := train.Fit(context.Background(), task, c)
	if err != nil {
		return "", err
	}
	var history strings.Builder
	o, err := c.Optimizer.State(), r.History.WriteCSV(&history)
	end := state(task) + fmt.Sprint(r.Steps, r.Epochs, r.Best, o.Step, o.Scalars, history.String())
	for _, name := range slices.Sorted(maps.Keys(o.Tensors)) {
		end += fmt.Sprintf("%s %v %x\n", name, o.Tensors[name].Shape(), o.Tensors[name].Data())
	}
	return end, err
}

// A training in 4 shards gives the same weights, the same state of the optimizer and the same
// history on any number of processes, to the bit; stopped on some it goes on, on others, to the
// same bits.
func TestShardsOverProcesses(t *testing.T) {
	const shards = 4
	for name := range resumable {
		t.Run(name, func(t *testing.T) {
			fit := func(dir string, processes, steps int) (string, string) {
				states := [shards]string{}
				errs := threads.Run(processes, func(p *threads.Process) (err error) {
					states[p.Rank()], err = inShards(name, dir, exchange(p), steps)
					return err
				})
				for _, err := range errs {
					require.NoError(t, err)
				}
				for r := range processes {
					require.True(t, states[0] == states[r], "process %d ends otherwise "+
						"than process 0", r)
				}
				return states[0], strings.ReplaceAll(content(t, dir), dir, "")
			}
			want, files := fit(t.TempDir(), 1, 0)
			for processes := 2; processes <= shards; processes++ {
				end, written := fit(t.TempDir(), processes, 0)
				require.True(t, want == end, "%d processes", processes)
				require.True(t, files == written, "the checkpoints of %d processes", processes)
			}
			dir := t.TempDir()
			fit(dir, 3, 2)
			fit(dir, 1, 3)
			fit(dir, 2, 5)
			end, _ := fit(dir, 4, 0)
			require.True(t, want == end, "resumed on other numbers of processes")
		})
	}
}
