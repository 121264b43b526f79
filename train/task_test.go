package train_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
)

var smallWindow = unroll.Window{Stride: 5}

// lastValue is a task in ten lines: a GRU tells the last of the numbers that it reads. State, if
// set, goes from batch to batch.
func lastValue(t testing.TB, state bool, change func(*train.TaskConfig)) (train.Task, error) {
	const B, T = 4, 6
	sequences := make([][]float32, 30)
	r := rng.Stream{Key: rng.New(1)}
	for i := range sequences {
		for range T {
			sequences[i] = append(sequences[i], float32(r.Float64()))
		}
	}
	store := nodes.NewStore(nodes.Float32, 1)
	var step *train.Step
	var in, want run.Floats
	carried := must(run.NewState([]cells.Part{{Name: "offset", Width: 1}}, B, nodes.Float32))
	require.NoError(t, nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{Training: true})
		x, y := g.Input("x", T, B, 1), g.Input("y", B, 1)
		cell := cells.NewGRU(store.Root().In("l0"), cells.GRUConfig{In: 1, Hidden: 5})
		out := nodes.NewLinear(store.Root().In("out"), nodes.LinearConfig{In: 5, Out: 1})
		h := unroll.Over(cell).Unroll(x, nil, unroll.Options{}).Final()[0]
		step = must(train.NewStep(nodes.MSE(out.Of(nodes.Dropout(h, 0.3)), y, nodes.ReduceMean)))
		in, want = must(run.Feed(x)).Floats(), must(run.Feed(y)).Floats()
	}))
	c := train.TaskConfig{
		Params:  store.Params(),
		Batches: must(train.NewBatches(len(sequences), nil, train.BatchesConfig{Batch: B, Seed: 2})),
		Data:    []any{sequences},
		Next: func(examples []int, seed uint64, counter int) (train.Batch, error) {
			for b := range B {
				s, offset := sequences[examples[b%len(examples)]], carried.Parts()[0]
				for i, v := range s {
					in.Set(i*B+b, float64(v))
				}
				want.Set(b, float64(s[T-1])+offset.At(b))
				if state {
					offset.Set(b, 0.9*offset.At(b)+0.1*float64(s[0]))
				}
			}
			loss, err := step.Run(seed, counter)
			return train.Batch{Loss: loss, Count: B, Grads: step.Grads()}, err
		},
	}
	if state {
		c.States = map[string]*run.State{"offset": carried}
	}
	if change != nil {
		change(&c)
	}
	return train.NewTask(c)
}

func TestNewTask(t *testing.T) {
	for _, state := range []bool{false, true} {
		t.Run(fmt.Sprint("state ", state), func(t *testing.T) {
			task, err := lastValue(t, state, nil)
			require.NoError(t, err)
			require.NoError(t, train.CheckTask(task, 0))
			require.NoError(t, train.CheckTask(task, task.Len()+1))
			config := func(steps int) train.Config {
				return train.Config{Optimizer: adam(0.01), Epochs: 3, MaxSteps: steps}
			}
			want, r, err := fit(t, context.Background(), tempDir(t), task, config(0))
			require.NoError(t, err)
			_, losses := r.History.Column("loss")
			require.Less(t, losses[2], losses[0])
			for _, stop := range []int{1, 8, 13} {
				dir := tempDir(t)
				for _, steps := range []int{stop, 0} {
					task, err := lastValue(t, state, nil)
					require.NoError(t, err)
					var got string
					got, _, err = fit(t, context.Background(), dir, task, config(steps))
					require.NoError(t, err)
					require.True(t, steps > 0 || got == want)
				}
			}
		})
	}
	dir := tempDir(t)
	task, err := lastValue(t, false, nil)
	require.NoError(t, err)
	c := train.Config{Optimizer: adam(0.01), Epochs: 1}
	_, _, err = fit(t, context.Background(), dir, task, c)
	require.NoError(t, err)
	other, err := lastValue(t, false, func(c *train.TaskConfig) { c.Data = []any{1} })
	require.NoError(t, err)
	_, _, err = fit(t, context.Background(), dir, other, c)
	require.ErrorIs(t, err, train.ErrOtherData)
}

func TestNewTaskErrors(t *testing.T) {
	for want, change := range map[string]func(*train.TaskConfig){
		"TaskConfig.Params is 0":     func(c *train.TaskConfig) { c.Params = nil },
		"TaskConfig.Params is 1":     func(c *train.TaskConfig) { c.Params = []*nodes.Param{nil} },
		"TaskConfig.Batches":         func(c *train.TaskConfig) { c.Batches = nil },
		"TaskConfig has Next: false": func(c *train.TaskConfig) { c.Next = nil },
		"TaskConfig.States is x":     func(c *train.TaskConfig) { c.States = map[string]*run.State{"x": nil} },
		"Data[1]: train: digest":     func(c *train.TaskConfig) { c.Data = []any{1, func() {}} },
	} {
		_, err := lastValue(t, false, change)
		require.ErrorContains(t, err, want)
	}
	_, err := train.NewTask(train.TaskConfig{})
	require.Error(t, err)
}

// forgetful is a task that does not put back what its fields say.
type forgetful struct {
	train.Task
	position, noise bool
	calls           int
}

func (f *forgetful) Next(seed uint64, counter int) (train.Batch, error) {
	f.calls++
	if f.noise {
		seed += uint64(f.calls)
	}
	return f.Task.Next(seed, counter)
}

func (f *forgetful) Load(c *train.Checkpoint) error {
	if f.position {
		return nil
	}
	return f.Task.Load(c)
}

// What would resume wrongly is told before, and told as what it is.
func TestCheckTask(t *testing.T) {
	for name, spoil := range map[string]func(*train.TaskConfig) func(train.Task) train.Task{
		"the position": func(*train.TaskConfig) func(train.Task) train.Task {
			return func(t train.Task) train.Task { return &forgetful{Task: t, position: true} }
		},
		"noise of its own": func(*train.TaskConfig) func(train.Task) train.Task {
			return func(t train.Task) train.Task { return &forgetful{Task: t, noise: true} }
		},
		"a state": func(c *train.TaskConfig) func(train.Task) train.Task {
			c.States = nil
			return func(t train.Task) train.Task { return t }
		},
	} {
		var wrap func(train.Task) train.Task
		task, err := lastValue(t, true, func(c *train.TaskConfig) { wrap = spoil(c) })
		require.NoError(t, err)
		task = wrap(task)
		err = train.CheckTask(task, 3)
		require.ErrorContains(t, err, "put back by Load to where Save was called after batch", name)
		require.ErrorContains(t, err, "the loss is ", name)
		if name == "a state" {
			continue // the first batch does not depend on it
		}
		_, err = train.CheckGradients(task, graph.GradientCheck{})
		require.ErrorContains(t, err, "the loss of one batch is ", name)
	}
	require.ErrorContains(t, train.CheckTask(nil, 1), "nil")
	require.ErrorContains(t, train.CheckTask(newBowl(0), 1), "an epoch has 0 batches")
	require.ErrorContains(t, train.CheckTask(newBowl(1), -1), "-1 batches")
	require.NoError(t, train.CheckTask(newBowl(3), 9))
	require.NoError(t, train.CheckTask(smallLM(t, unroll.Window{Stride: 5, Length: 8}), 15))
}

func TestLoadWeights(t *testing.T) {
	make := func(seed uint64, hidden int, scope string) *nodes.Store {
		s := nodes.NewStore(nodes.Float32, seed)
		s.Root().In("%s", scope).Param("W", nodes.Uniform(-1, 1), 2, hidden)
		s.Root().Param("head", nodes.Uniform(-1, 1), hidden, 3)
		return s
	}
	from := train.Weights(make(1, 4, "encoder").Params())
	to := make(2, 4, "encoder")
	head := to.Params()[1].Value().Clone().(*tensor.Dense)
	left, err := train.LoadWeights(to.Params(), from, func(name string) string {
		if name == "head" {
			return ""
		}
		return name
	})
	require.NoError(t, err)
	require.Equal(t, []string{"head"}, left)
	require.Equal(t, from["encoder/W"].Data(), to.Params()[0].Value().Data())
	require.Equal(t, head.Data(), to.Params()[1].Value().Data())

	to = make(3, 4, "source")
	left, err = train.LoadWeights(to.Params()[:1], from, func(string) string { return "encoder/W" })
	require.NoError(t, err)
	require.Empty(t, left)
	require.Equal(t, from["encoder/W"].Data(), to.Params()[0].Value().Data())

	to = make(3, 5, "encoder")
	before := to.Params()[0].Value().Clone().(*tensor.Dense)
	_, err = train.LoadWeights(to.Params(), from, nil)
	require.ErrorIs(t, err, train.ErrOtherModel)
	require.ErrorContains(t, err, "encoder/W: float32 [2 4] in the checkpoint, float32 [2 5] in "+
		"the model")
	require.Equal(t, before.Data(), to.Params()[0].Value().Data())
	_, err = train.LoadWeights(make(3, 4, "x").Params()[:1], from, nil)
	require.ErrorContains(t, err, "for none of the parameters")
	_, err = train.LoadWeights([]*nodes.Param{nil}, from, nil)
	require.ErrorContains(t, err, "parameter 0 is nil")
}
