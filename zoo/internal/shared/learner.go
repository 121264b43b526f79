package shared

import (
	"context"
	"errors"

	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
)

// Learner describes how a model learns from examples, each an E; Task makes a task of it.
type Learner[E any] struct {
	Prefix check.Prefix // of all errors but those of Run and Measure, which have it
	Params []*nodes.Param
	Source Source[E]
	Length func(e E) int // tokens or steps of an example, for messages

	// Begin returns the digests of the data, and the likely mistakes in them. It is called once the
	// data have been read and checked.
	Begin func(f *Feed[E]) (TaskData, error)

	// Compile makes the graph that a part of a batch runs on, and keeps it for Run. It is called
	// with the largest example before the first batch, so that what does not fit in memory is told
	// then.
	Compile func(examples []E, part Rows) error
	Run     func(examples []E, part Rows, seed uint64, counter int) (train.Batch, error)

	Valid      []E                   // empty: nothing is validated
	CheckValid func(valid []E) error // nil: they are checked
	Measure    func(ctx context.Context, valid []E) (map[string]float64, error)
}

// Task reads and checks all data, and makes the task. Errors of the data to learn from say
// "training: ", those of Valid "validation: ".
func (l Learner[E]) Task() (train.Task, error) {
	feed, err := NewFeed(l.Source)
	if err != nil {
		return nil, l.Prefix.Errorf("training: %w", err)
	}
	if l.CheckValid != nil {
		if err := l.CheckValid(l.Valid); err != nil {
			return nil, l.Prefix.Wrap(check.Validation(err))
		}
	}
	data, err := l.Begin(feed)
	if err != nil {
		return nil, l.Prefix.Wrap(err)
	}
	if err := feed.Foresee(l.Compile); err != nil {
		return nil, l.Prefix.Errorf("training: %w", err)
	}
	task := &ExampleTask{TaskData: data, Weights: l.Params, Order: feed,
		Length: func(i int) int { return l.Length(feed.At[i]) }}
	task.RunBatch = func(p Rows, seed uint64, counter int) (train.Batch, error) {
		return l.Run(feed.At, p, seed, counter)
	}
	if len(l.Valid) > 0 {
		task.Measure = func(ctx context.Context) (map[string]float64, error) {
			return l.Measure(ctx, l.Valid)
		}
	}
	return task, nil
}

// Learns reports a model that was not made by New or Load, and a Recompute that its way of
// unrolling does not allow.
func Learns(made *nodes.Store, recompute int, how unroll.Strategy) error {
	return errors.Join(Made(made), CheckRecompute(recompute, how))
}

// Teaching is the inputs of a decoder that learns by teacher forcing: the tokens that it reads, and
// those that it is to write, [T, B] each.
type Teaching struct {
	In, Out []int
	B       int
}

// Clear has all rows write nothing.
func (w Teaching) Clear() {
	clear(w.In)
	for i := range w.Out {
		w.Out[i] = Ignored
	}
}

// Put has row k write ids between bos and eos.
func (w Teaching) Put(k int, ids []int, bos, eos int) {
	w.In[k] = bos
	for t, id := range ids {
		w.In[(t+1)*w.B+k], w.Out[t*w.B+k] = id, id
	}
	w.Out[len(ids)*w.B+k] = eos
}
