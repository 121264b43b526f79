package shared

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/internal/interrupt"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
)

// ExampleTask is the train.Task of a model that learns from examples in any order, gathered into
// batches.
type ExampleTask struct {
	TaskData
	Weights  []*nodes.Param
	Order    Order
	RunBatch func(p Rows, seed uint64, counter int) (train.Batch, error)
	Measure  func(ctx context.Context) (map[string]float64, error) // nil: nothing is validated
	// Length is how many tokens or steps an example has, for messages; nil: all have the same
	Length func(example int) int

	batch []int // the examples at hand, as Order gave them
}

// Rows are a part of a batch: a shard, or the whole as one.
type Rows struct {
	Batch    []int // the examples of the whole batch
	From, To int   // those of the part are Batch[From:To]
	Shards   int   // into which the batch is divided
}

// Whole is a batch that is not divided.
func Whole(examples []int) Rows { return Rows{examples, 0, len(examples), 1} }

// Examples are the examples of the part.
func (p Rows) Examples() []int { return p.Batch[p.From:p.To] }

// Width is how many rows the whole batch has when it is filled up: batch, or if that is 0, since
// batches have as many as their tokens allow, those that it has, rounded up.
func (p Rows) Width(batch int) int {
	if batch > 0 {
		return batch
	}
	return run.Round(len(p.Batch))
}

// Room is how many rows a graph needs for any part of such a batch.
func (p Rows) Room(batch int) int {
	n := max(p.Shards, 1)
	from, to := train.ShardRows(p.Width(batch), n-1, n) // the last is the largest
	return to - from
}

// Params implements train.Task, as what follows does.
func (t *ExampleTask) Params() []*nodes.Param { return t.Weights }

// Len is the number of batches in an epoch.
func (t *ExampleTask) Len() int { return t.Order.Len() }

// Next takes the next batch and runs it.
func (t *ExampleTask) Next(seed uint64, counter int) (train.Batch, error) {
	if err := t.Advance(); err != nil {
		return train.Batch{}, err
	}
	return t.Shard(0, 1, seed, counter)
}

// Advance takes the examples of the next batch.
func (t *ExampleTask) Advance() (err error) {
	t.batch, err = t.Order.Take()
	return err
}

// Shard runs shard k of n of the batch. The examples of a batch that was gathered by length are
// sorted, so a shard has those of like length.
func (t *ExampleTask) Shard(k, n int, seed uint64, counter int) (train.Batch, error) {
	if n < 1 || k < 0 || k >= n {
		return train.Batch{}, fmt.Errorf("zoo: shard %d of %d: there is none", k, n)
	}
	p := Rows{Batch: t.batch, Shards: n}
	p.From, p.To = train.ShardRows(len(t.batch), k, n)
	if p.From == p.To {
		return train.Batch{}, nil
	}
	b, err := t.RunBatch(p, seed, counter)
	return b, t.explain(err, p)
}

// explain adds to the error of a batch for which there is no memory which one it is, how long its
// examples are, and how many of them would fit: the memory of a graph grows as its rows do. It is
// the longest of them that the error is about.
func (t *ExampleTask) explain(err error, p Rows) error {
	var m *run.MemoryError
	if !errors.As(err, &m) {
		return err
	}
	at, examples := t.Order.Position(), p.Examples()
	said := fmt.Sprintf("epoch %d, batch %d, of %d examples", at.Epoch+1, at.Next, len(examples))
	longest, shortest := examples[0], examples[0]
	if t.Length != nil {
		for _, e := range examples {
			if t.Length(e) > t.Length(longest) {
				longest = e
			}
			if t.Length(e) < t.Length(shortest) {
				shortest = e
			}
		}
		said += fmt.Sprintf(" of %d to %d steps, the longest of which is example %d",
			t.Length(shortest), t.Length(longest), longest+t.Order.First())
	}
	fit := "not one of such a length would fit: leave it out, or cut it"
	if n := len(examples) * m.Limit / max(m.Need, 1); n > 0 {
		fit = fmt.Sprintf("about %d side by side would fit", n)
	}
	if t.Length == nil {
		return fmt.Errorf("%s: %w; %s", said, err, fit)
	}
	return check.Example("example", longest+t.Order.First(), "%s: %w; %s", said, err, fit)
}

// Validate measures what Measure does.
func (t *ExampleTask) Validate(ctx context.Context) (map[string]float64, error) {
	if t.Measure == nil {
		return nil, nil
	}
	measured, err := t.Measure(ctx)
	if example := (*check.ExampleError)(nil); errors.As(err, &example) {
		return nil, check.Validation(err)
	}
	return measured, err
}

// Save keeps how far the batches have come, and what tells the data from others.
func (t *ExampleTask) Save(c *train.Checkpoint) {
	train.SavePosition(c, t.Order.Position())
	t.SaveDigests(c)
}

// Load goes on where Save was.
func (t *ExampleTask) Load(c *train.Checkpoint) error {
	p, err := train.LoadPosition(c)
	if err != nil {
		return err
	}
	return t.Order.Seek(p)
}

// CheckLoss reports a loss that is not finite.
func CheckLoss(loss float64) error {
	if loss-loss != 0 {
		return fmt.Errorf("the loss is %g: weights or data are too large for the model's numbers",
			loss)
	}
	return nil
}

// MeanLoss is the mean, over all that was counted, of the loss of one pass over batches. One that
// is not finite is an error that names the first example whose loss is not.
func MeanLoss(ctx context.Context, batches *train.Batches,
	run func(examples []int) (train.Batch, error)) (float64, error) {
	return MeanLossAnd(ctx, batches, func(examples []int) (train.Batch, bool, error) {
		b, err := run(examples)
		return b, true, err
	}, func([]int, bool) error { return nil })
}

// measured is the result of a batch.
type measured[T any] struct {
	Loss  float64
	Count int
	Found T
}

// MeanLossAnd is MeanLoss of batches whose run also returns something else, which is given to take,
// batch by batch. Several processes that train share the batches out (train.ShareOut).
func MeanLossAnd[T any](ctx context.Context, batches *train.Batches,
	run func(examples []int) (train.Batch, T, error),
	take func(examples []int, found T) error) (float64, error) {
	var sum float64
	var n int
	var all [][]int
	for examples := range batches.Epoch() {
		all = append(all, slices.Clone(examples))
	}
	err := train.ShareOut(ctx, len(all), func(i int) (m measured[T], err error) {
		if err := interrupt.Err(ctx); err != nil {
			return m, err
		}
		b, found, err := run(all[i])
		if err != nil {
			return m, err
		}
		if err := CheckLoss(b.Loss); err != nil {
			for _, e := range all[i] {
				if one, _, alone := run([]int{e}); alone == nil && CheckLoss(one.Loss) != nil {
					return m, check.Example("example", e, "%w", err)
				}
			}
			return m, err
		}
		return measured[T]{b.Loss, b.Count, found}, nil
	}, func(i int, m measured[T]) error {
		sum += m.Loss * float64(m.Count)
		n += m.Count
		return take(all[i], m.Found)
	})
	return sum / float64(max(n, 1)), err
}
