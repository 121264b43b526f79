package train

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
)

// Task is what Fit trains: a model with its data.
type Task interface {
	// Params are the parameters of the model.
	Params() []*nodes.Param
	// Len is the number of batches in an epoch, the same in all.
	Len() int
	// Next computes loss and gradients of the next batch; after Len of them the next epoch begins.
	// All noise is drawn from seed and counter.
	Next(seed uint64, counter int) (Batch, error)
	// Validate measures the model on data kept apart, under names other than loss, lr and
	// grad_norm. It leaves the course of the training as it is. Without such data it returns
	// nothing.
	Validate(ctx context.Context) (map[string]float64, error)
	// Save adds the position in the data, and whatever state goes from batch to batch, to a
	// checkpoint; Load takes it back. Save also adds, by Checkpoint.SetDigest, digests of the data
	// and of all else that the batches to come depend on: Fit calls it before it resumes, and
	// refuses a checkpoint with other digests. A task that gives none is resumed with a warning, as
	// nobody knows whether its data are the same.
	Save(c *Checkpoint)
	Load(c *Checkpoint) error
}

// Warner is a Task that has doubts about its data: that it is hardly of use, such as a text of
// unknown words. Fit passes them to Config.Warn before it trains.
type Warner interface{ Warnings() []string }

// Warnings returns the warnings of a task, or nil if it is no Warner. A Task that wraps another one
// passes them on.
func Warnings(t Task) []string {
	if w, ok := t.(Warner); ok {
		return w.Warnings()
	}
	return nil
}

// Batch is the outcome of one batch.
type Batch struct {
	Loss  float64 // mean over what was counted
	Count int     // tokens, sequences or examples
	Grads []gorgonia.ValueGrad
}

// TaskConfig is what NewTask makes a Task of.
type TaskConfig struct {
	Params  []*nodes.Param // of the model; required
	Batches *Batches       // which examples go into each batch; required
	// Next computes loss and gradients of a batch of examples, all noise drawn from seed and
	// counter; required, or Shard. It must depend on nothing else but the parameters and States
	Next func(examples []int, seed uint64, counter int) (Batch, error)
	// Shard, in place of Next, computes those of a part of a batch: its examples are the rows from
	// first on of a batch of so many, and draw the noise of these (see [Step.RunRows]). The task is
	// [Sharded] then: Config.Shards divides its batches, and several processes share them. It is
	// never called without examples, and has no States: a task of those implements [Carrying]
	Shard func(examples []int, first, of int, seed uint64, counter int) (Batch, error)
	// Validate is that of the Task; nil: nothing is validated
	Validate func(ctx context.Context) (map[string]float64, error)
	// what goes on from batch to batch beside the position, by names; each is saved with it
	States map[string]*run.State
	// the data, and settings of Next: DigestOf of each is kept in checkpoints, so that a training
	// does not go on with others. It must not change
	Data []any
}

// NewTask makes a Task of a function that computes a batch. Which examples come next is kept and
// taken back by the task, so that a training of it resumes to the bit (see CheckTask):
//
//	task, err := train.NewTask(train.TaskConfig{
//		Params: store.Params(), Batches: batches, Data: []any{sequences},
//		Next: func(examples []int, seed uint64, counter int) (train.Batch, error) {
//			fill(examples)
//			loss, err := step.Run(seed, counter)
//			return train.Batch{Loss: loss, Count: len(examples), Grads: step.Grads()}, err
//		},
//	})
//
// It is an error if something required is missing, or Data have no digest.
func NewTask(c TaskConfig) (Task, error) {
	check := checks{config: "TaskConfig"}
	check.field(len(c.Params) > 0 && !slices.Contains(c.Params, nil), "Params", len(c.Params),
		"parameters, none of them nil")
	check.field(c.Batches != nil, "Batches", c.Batches, "set, by NewBatches")
	check.bad.That((c.Next == nil) != (c.Shard == nil), "train: TaskConfig has Next: %t, and "+
		"Shard: %t; it must have one of the two functions", c.Next != nil, c.Shard != nil)
	check.bad.That(c.Shard == nil || len(c.States) == 0, "train: TaskConfig.Shard with States: "+
		"rows of a state belong to shards, which a task must say by train.Carrying")
	for name, s := range c.States {
		check.field(s != nil, "States", name, "names of states that are not nil")
	}
	if err := check.err(); err != nil {
		return nil, err
	}
	t := &customTask{TaskConfig: c}
	for i, d := range c.Data {
		digest, err := DigestOf(d)
		if err != nil {
			return nil, fmt.Errorf("train: NewTask: Data[%d]: %w", i, err)
		}
		t.digests = append(t.digests, digest)
	}
	if c.Shard != nil {
		return &shardedTask{customTask: t}, nil
	}
	return t, nil
}

// customTask is the Task of NewTask.
type customTask struct {
	TaskConfig
	digests []string
}

func (t *customTask) Params() []*nodes.Param { return t.TaskConfig.Params }
func (t *customTask) Len() int               { return t.Batches.Len() }

func (t *customTask) Next(seed uint64, counter int) (Batch, error) {
	return t.TaskConfig.Next(t.Batches.Cycle(), seed, counter)
}

// shardedTask is that of TaskConfig.Shard.
type shardedTask struct {
	*customTask
	batch []int // at hand
}

func (t *shardedTask) Advance() error {
	t.batch = t.Batches.Cycle()
	return nil
}

func (t *shardedTask) Shard(k, n int, seed uint64, counter int) (Batch, error) {
	from, to := ShardRows(len(t.batch), k, n)
	if from == to {
		return Batch{}, nil
	}
	return t.TaskConfig.Shard(t.batch[from:to], from, len(t.batch), seed, counter)
}

func (t *shardedTask) Next(seed uint64, counter int) (Batch, error) {
	_ = t.Advance() // it never fails
	return t.Shard(0, 1, seed, counter)
}

func (t *customTask) Validate(ctx context.Context) (map[string]float64, error) {
	if t.TaskConfig.Validate == nil {
		return nil, nil
	}
	return t.TaskConfig.Validate(ctx)
}

func (t *customTask) Save(c *Checkpoint) {
	p := t.Batches.Position()
	c.Counters["data_epoch"], c.Counters["data_next"] = uint64(p.Epoch), uint64(p.Next)
	for name, s := range t.States {
		SaveState(c, name, s)
	}
	for i, d := range t.digests {
		c.SetDigest(fmt.Sprintf("data %d", i), d)
	}
}

func (t *customTask) Load(c *Checkpoint) error {
	epoch, next := c.Counters["data_epoch"], c.Counters["data_next"]
	if epoch > math.MaxInt32 || next > math.MaxInt32 {
		return fmt.Errorf("train: the checkpoint stands at batch %d of epoch %d: that is no "+
			"position", next, epoch)
	}
	for name, s := range t.States {
		if err := LoadState(c, name, s); err != nil {
			return err
		}
	}
	return t.Batches.Seek(Position{Epoch: int(epoch), Next: int(next)})
}

// CheckTask tells whether a task resumes to the bit: it computes batches, puts the task back by
// Load to where Save was called, and wants the same losses and gradients again; from the start, and
// from behind each batch. A task that forgets its position, a state that goes from batch to batch,
// or draws noise from elsewhere than seed and counter, is refused with the number of the batch.
// Batches is how many are tried; 0 means 4, and one more than an epoch has is the most that makes
// sense. In the end the task is where it was. No parameter changes.
func CheckTask(t Task, batches int) error {
	if t == nil {
		return errors.New("train: CheckTask: the task is nil")
	}
	if batches < 0 {
		return fmt.Errorf("train: CheckTask: %d batches; it must be 0 (4) or more", batches)
	}
	if batches == 0 {
		batches = 4
	}
	if n := t.Len(); n < 1 {
		return fmt.Errorf("train: CheckTask: an epoch has %d batches; it must have at least 1", n)
	}
	const seed = 1
	marks := []*Checkpoint{snapshot(t)}
	var want []outcome
	for i := range batches {
		o, err := next(t, seed, i)
		if err != nil {
			return fmt.Errorf("train: CheckTask: batch %d: %w", i, err)
		}
		want, marks = append(want, o), append(marks, snapshot(t))
	}
	for from := range batches {
		if err := t.Load(marks[from].clone()); err != nil {
			return fmt.Errorf("train: CheckTask: Load of what Save gave after %d batches: %w", from, err)
		}
		for i := from; i < batches; i++ {
			o, err := next(t, seed, i)
			if err != nil {
				return fmt.Errorf("train: CheckTask: batch %d, again: %w", i, err)
			}
			if err := o.equal(want[i]); err != nil {
				return fmt.Errorf("train: CheckTask: batch %d, put back by Load to where Save "+
					"was called after batch %d: %w; "+
					"Save and Load must keep all that Next depends on: the position in the data, "+
					"states, and no noise but that of seed and counter",
					i, from, err)
			}
			if from > 0 {
				break // the one after is all that this Save adds
			}
		}
	}
	if err := t.Load(marks[0]); err != nil {
		return fmt.Errorf("train: CheckTask: %w", err)
	}
	return nil
}

// outcome is what a batch came to.
type outcome struct {
	loss  float64
	count int
	grads uint64 // a hash of them
}

func next(t Task, seed uint64, counter int) (outcome, error) {
	b, err := t.Next(seed, counter)
	if err != nil {
		return outcome{}, err
	}
	h := fnv.New64a()
	var buf [8]byte
	add := func(bits uint64) {
		for i := range buf {
			buf[i] = byte(bits >> (8 * i))
		}
		h.Write(buf[:])
	}
	for i, vg := range b.Grads {
		p, err := openValueGrad(i, vg)
		if err != nil {
			return outcome{}, err
		}
		h.Write([]byte(p.name))
		for _, x := range p.grad.f32 {
			add(uint64(math.Float32bits(x)))
		}
		for _, x := range p.grad.f64 {
			add(math.Float64bits(x))
		}
	}
	return outcome{b.Loss, b.Count, h.Sum64()}, nil
}

// equal says in what o differs from what was computed before.
func (o outcome) equal(before outcome) error {
	switch {
	case math.Float64bits(o.loss) != math.Float64bits(before.loss):
		return fmt.Errorf("the loss is %v, and was %v", o.loss, before.loss)
	case o.count != before.count:
		return fmt.Errorf("the count is %d, and was %d", o.count, before.count)
	case o.grads != before.grads:
		return errors.New("the loss is the same, and the gradients are others")
	}
	return nil
}

// snapshot is what a task saves now, in memory of its own.
func snapshot(t Task) *Checkpoint {
	c := newCheckpoint()
	t.Save(c)
	return c.clone()
}

// clone is a copy that shares no tensors and no maps.
func (c *Checkpoint) clone() *Checkpoint {
	d := *c
	d.Counters, d.Text, d.States = maps.Clone(c.Counters), maps.Clone(c.Text), maps.Clone(c.States)
	d.Tensors = map[string]*tensor.Dense{}
	for name, v := range c.Tensors {
		if v != nil {
			d.Tensors[name] = v.Clone().(*tensor.Dense)
		}
	}
	return &d
}

// Weights are the tensors of parameters by their names, as checkpoints have them.
func Weights(params []*nodes.Param) map[string]*tensor.Dense {
	m := make(map[string]*tensor.Dense, len(params))
	for _, p := range params {
		if p != nil && p.Name() != "" {
			m[p.Name()] = p.Value()
		}
	}
	return m
}

// LoadWeights gives parameters the weights that a checkpoint (Checkpoint.Params) or another model
// (Weights) has for them, and leaves the others as they are: their names are left. Name tells under
// which name the weight of a parameter is found; nil: under its own, "": it is left.
//
// It is an error, and nothing changes, if a weight has another shape or type than its parameter,
// and if no parameter has one.
func LoadWeights(params []*nodes.Param, from map[string]*tensor.Dense,
	name func(param string) string) (left []string, err error) {
	to, found := map[string]*tensor.Dense{}, newCheckpoint()
	found.Params = map[string]*tensor.Dense{}
	for i, p := range params {
		if p == nil || p.Name() == "" {
			return nil, fmt.Errorf("train: LoadWeights: parameter %d is nil", i)
		}
		key := p.Name()
		if name != nil {
			key = name(key)
		}
		if w := from[key]; w != nil && key != "" {
			to[p.Name()], found.Params[p.Name()] = p.Value(), w
		} else {
			left = append(left, p.Name())
		}
	}
	if len(to) == 0 {
		return nil, errors.New("train: LoadWeights: there is a weight for none of the " +
			"parameters: their names differ")
	}
	if err := found.Apply(to); err != nil {
		return nil, fmt.Errorf("train: LoadWeights: %w", err)
	}
	return left, nil
}
