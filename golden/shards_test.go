package golden_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/internal/threads"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/train"
)

// rowsOf are some rows of a case: of arrays [B] and [any, B, any].
func rowsOf(t *testing.T, c goldenCase, from, to int) goldenCase {
	config := map[string]any{}
	require.NoError(t, json.Unmarshal(c.Config, &config))
	config["B"] = to - from
	var err error
	c.Config, err = json.Marshal(config)
	require.NoError(t, err)
	inputs := map[string]array{}
	for name, a := range c.Inputs {
		outer, inner, B := 1, 1, a.Shape[0]
		part := array{Dtype: a.Dtype, Shape: []int{to - from}}
		if len(a.Shape) == 3 {
			outer, B, inner = a.Shape[0], a.Shape[1], a.Shape[2]
			part.Shape = []int{outer, to - from, inner}
		}
		for i := range outer {
			part.Data = append(part.Data, a.Data[(i*B+from)*inner:(i*B+to)*inner]...)
		}
		inputs[name] = part
	}
	c.Inputs = inputs
	return c
}

// shardTask computes the loss of a case, and the gradients of its parameters, shard by shard, each
// by the graph of a batch of its rows. The loss is a sum over rows, so that of a batch counts as B
// means.
type shardTask struct {
	*testing.T
	c      goldenCase
	family string
	m      mode
	whole  *goldenRun // for its parameters
}

func (s *shardTask) Params() []*nodes.Param                               { return s.whole.store.Params() }
func (s *shardTask) Len() int                                             { return 1 }
func (s *shardTask) Validate(context.Context) (map[string]float64, error) { return nil, nil }
func (s *shardTask) Save(*train.Checkpoint)                               {}
func (s *shardTask) Load(*train.Checkpoint) error                         { return nil }
func (s *shardTask) Advance() error                                       { return nil }

func (s *shardTask) Next(seed uint64, counter int) (train.Batch, error) {
	return s.Shard(0, 1, seed, counter)
}

func (s *shardTask) rows() int { return s.c.Inputs["x"].Shape[1] }

func (s *shardTask) Shard(k, n int, seed uint64, counter int) (b train.Batch, err error) {
	from, to := train.ShardRows(s.rows(), k, n)
	if from == to {
		return b, nil
	}
	r := newRun(s.T, s.family, rowsOf(s.T, s.c, from, to), s.m)
	r.instead = func(loss *nodes.Node) {
		step, e := train.NewStep(nodes.Scale(loss, 1/float64(to-from)))
		if err = e; err != nil {
			return
		}
		r.load(r.Params)
		b.Count, b.Grads = to-from, step.Grads()
		b.Loss, err = step.Run(seed, counter)
	}
	return b, joinErrors(nodes.Try(func() { families[s.family].run(r) }), err)
}

func joinErrors(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// noted is an optimizer that notes gradients and changes nothing.
type noted struct {
	train.Optimizer
	grads map[string][]float64
}

func (o *noted) Step(params []gorgonia.ValueGrad) error {
	for _, p := range params {
		g, err := p.Grad()
		if err != nil {
			return err
		}
		o.grads[p.(gorgonia.Namer).Name()] = testkit.Floats(g)
	}
	return nil
}

// The golden gradients come out if the rows of a case are shards, computed one after another or by
// several processes.
func TestGoldenThroughShards(t *testing.T) {
	for _, name := range []string{"rnn", "lstm", "gru", "lengths"} {
		file, err := readFile(filepath.Join("testdata", name+".json"))
		require.NoError(t, err)
		for i, raw := range file.Cases {
			c := readCase(t, raw)
			if family := c.family(file.Family); family != name || c.Inputs["x"].Shape[1] < 2 {
				continue
			}
			t.Run(name+"/"+c.Label, func(t *testing.T) {
				shards := 2 + i/2%2 // each case in one way, for time
				processes := 1 + i/4%2*(shards-1)
				throughShards(t, name, c, []mode{unrolled[0], unrolled[2]}[i%2], shards, processes)
			})
		}
	}
}

func throughShards(t *testing.T, family string, c goldenCase, m mode, shards, processes int) {
	errs := threads.Run(processes, func(p *threads.Process) error {
		whole := newRun(t, family, c, m)
		whole.instead = func(*nodes.Node) { whole.load(whole.Params) }
		if err := nodes.Try(func() { families[family].run(whole) }); err != nil {
			return err
		}
		sgd, err := train.NewSGD(train.SGDConfig{})
		if err != nil {
			return err
		}
		task, o := &shardTask{t, c, family, m, whole}, &noted{sgd, map[string][]float64{}}
		if _, err := train.Fit(context.Background(), task, train.Config{Optimizer: o, Epochs: 1,
			Shards: shards, Processes: threads.Messages{Process: p}, Warn: func(string) {}}); err != nil {
			return err
		}
		ours := map[*nodes.Param][]float64{}
		for _, p := range task.Params() {
			ours[p] = make([]float64, size(p.Shape()))
			for i, g := range o.grads[p.Name()] {
				ours[p][i] = g * float64(task.rows())
			}
		}
		want := map[string]array{}
		for name := range whole.theirs {
			want[name] = c.Grads[name]
		}
		whole.compareAll(fmt.Sprintf("%s: gradient through %d shards on %d processes", m.name, shards,
			processes), want, whole.gather(ours))
		return nil
	})
	for _, err := range errs {
		require.NoError(t, err)
	}
}
