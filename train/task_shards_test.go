package train_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/threads"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
)

// shardOf is a graph of some rows of a batch.
type shardOf struct {
	step *train.Step
	x, y run.Floats
}

// sumOf is a task by TaskConfig.Shard, of 30 examples in batches of 7: a GRU with dropout tells the
// sum of three numbers.
func sumOf(change func(*train.TaskConfig)) (train.Task, error) {
	const T = 3
	store := nodes.NewStore(nodes.Float32, 1)
	cell := cells.NewGRU(store.Root().In("l0"), cells.GRUConfig{In: 1, Hidden: 5})
	out := nodes.NewLinear(store.Root().In("out"), nodes.LinearConfig{In: 5, Out: 1})
	shards := map[int]shardOf{} // by the number of rows
	build := func(rows int) (s shardOf, err error) {
		g := nodes.NewGraph(nodes.Options{Training: true, Rows: rows})
		err = nodes.Try(func() {
			x, y := g.Input("x", T, rows, 1), g.Input("y", rows, 1)
			h := unroll.Over(cell).Unroll(x, nil, unroll.Options{}).Final()[0]
			s.step = must(train.NewStep(nodes.MSE(out.Of(nodes.Dropout(h, 0.3)), y,
				nodes.ReduceMean)))
			s.x, s.y = must(run.Feed(x)).Floats(), must(run.Feed(y)).Floats()
		})
		return s, err
	}
	c := train.TaskConfig{
		Params:  store.Params(),
		Batches: must(train.NewBatches(30, nil, train.BatchesConfig{Batch: 7, Seed: 2})),
		Data:    []any{"made up"},
		Shard: func(examples []int, first, of int, seed uint64, counter int) (train.Batch, error) {
			rows := len(examples)
			s, ok := shards[rows]
			if !ok {
				var err error
				if s, err = build(rows); err != nil {
					return train.Batch{}, err
				}
				shards[rows] = s
			}
			for b, e := range examples {
				sum := 0.0
				for i := range T {
					x := float64(e*(i+3)%11) / 11
					s.x.Set(i*rows+b, x)
					sum += x
				}
				s.y.Set(b, sum)
			}
			loss, err := s.step.RunRows(seed, counter, first, of)
			return train.Batch{Loss: loss, Count: rows, Grads: s.step.Grads()}, err
		},
	}
	if change != nil {
		change(&c)
	}
	return train.NewTask(c)
}

// A task of NewTask that says how its batches are divided trains on 1 to 4 processes to the same
// bits, stopped and gone on with on other numbers of them too; and a batch is the mean of its
// shards, noise and all.
func TestNewTaskInShards(t *testing.T) {
	task, err := sumOf(nil)
	require.NoError(t, err)
	require.NoError(t, train.CheckTask(task, task.Len()+1))
	b, err := task.Next(5, 0)
	require.NoError(t, err)
	for _, n := range []int{1, 2, 4, 9} { // 9 shards of 7 rows: two have none
		other := must(sumOf(nil)).(train.Sharded)
		require.NoError(t, other.Advance())
		loss, count := 0.0, 0
		for k := range n {
			part, err := other.Shard(k, n, 5, 0)
			require.NoError(t, err)
			loss += part.Loss * float64(part.Count)
			count += part.Count
		}
		require.Equal(t, b.Count, count)
		require.InDelta(t, b.Loss, loss/float64(count), 1e-6, "%d shards", n)
	}

	end := func(p train.Processes, dir string, steps int) (end string, err error) {
		task, err := sumOf(nil)
		if err != nil {
			return "", err
		}
		c := train.Config{Optimizer: adam(0.01), Epochs: 3, MaxSteps: steps, Seed: 1, Shards: 4,
			Processes: p, Clip: train.Clip{Norm: 0.1}, Resume: true, Warn: func(string) {}}
		if p == nil || p.Rank() == 0 {
			if c.Checkpoints, err = train.OpenCheckpoints(dir, 0); err != nil {
				return "", err
			}
			defer c.Checkpoints.Close()
		}
		if _, err := train.Fit(context.Background(), task, c); err != nil {
			return "", err
		}
		for _, p := range task.Params() {
			end += fmt.Sprintf("%s %x\n", p.Name(), p.Value().Data())
		}
		state := c.Optimizer.State()
		for _, name := range slices.Sorted(maps.Keys(state.Tensors)) {
			end += fmt.Sprintf("%s %x\n", name, state.Tensors[name].Data())
		}
		return end, nil
	}
	want, err := end(nil, tempDir(t), 0)
	require.NoError(t, err)
	on := func(processes int, dir string, steps int) {
		t.Helper()
		ends := make([]string, processes)
		errs := threads.Run(processes, func(p *threads.Process) (err error) {
			ends[p.Rank()], err = end(p, dir, steps)
			return err
		})
		for r, err := range errs {
			require.NoError(t, err)
			require.True(t, steps > 0 || ends[r] == want, "process %d of %d", r, processes)
		}
	}
	for processes := 1; processes <= 4; processes++ {
		on(processes, tempDir(t), 0)
	}
	dir := tempDir(t)
	on(3, dir, 4) // in the midst of an epoch
	on(2, dir, 0)
}

func TestNewTaskInShardsErrors(t *testing.T) {
	_, err := sumOf(func(c *train.TaskConfig) {
		c.Next = func([]int, uint64, int) (train.Batch, error) { return train.Batch{}, nil }
	})
	require.ErrorContains(t, err, "TaskConfig has Next: true, and Shard: true")
	state := must(run.NewState([]cells.Part{{Name: "h", Width: 1}}, 7, nodes.Float32))
	_, err = sumOf(func(c *train.TaskConfig) { c.States = map[string]*run.State{"h": state} })
	require.ErrorContains(t, err, "TaskConfig.Shard with States")
	whole, err := lastValue(t, false, nil)
	require.NoError(t, err)
	_, err = train.Fit(context.Background(), whole, train.Config{Optimizer: adam(0.01), Epochs: 1,
		Shards: 2})
	require.ErrorContains(t, err, "TaskConfig.Shard")
}
