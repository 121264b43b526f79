package reduce

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/interrupt"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// RowData says on what an Autoencoder or a VAE is trained. The zero value of an optional field is
// its default.
type RowData struct {
	Train []float32 // rows [N, D]
	Valid []float32 // rows; empty: nothing is validated
	Batch int       // rows side by side; default 128
	Seed  uint64    // of the order

	// Stream is read in place of Train: rows [D], one by one, that need not fit in memory. Each
	// time that it is ranged over, it gives the same rows from the first on, which it does not
	// change any more; an error ends the training with the number of the row. Buffer rows, by
	// default 8,192, are in memory at a time, and shuffled among each other
	Stream iter.Seq2[[]float32, error]
	Buffer int
}

// check reports what is wrong with the data, for a model of a width whose first features, as many
// as unit, must be in [0, 1].
func (d RowData) check(features, unit int) error {
	if d.Stream != nil && len(d.Train) > 0 {
		return errors.New("there are rows in Train and a Stream: give one of them")
	}
	if d.Batch < 0 || d.Batch > 1<<16 {
		return fmt.Errorf("the batch is %d, want 1 … %d, or 0 for the default", d.Batch, 1<<16)
	}
	for _, part := range []struct {
		name string
		rows []float32
	}{{"training", d.Train}, {"validation", d.Valid}} {
		if len(part.rows) == 0 && (part.name == "validation" || d.Stream != nil) {
			continue
		}
		if err := checkRows(part.rows, features, "features"); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
		for row := range len(part.rows) / features {
			if err := inUnit(part.rows[row*features:], unit); err != nil {
				return fmt.Errorf("%s: row %d: %w", part.name, row, err)
			}
		}
	}
	return nil
}

// inUnit reports the first features of a row, as many as unit, that are no probabilities.
func inUnit(row []float32, unit int) error {
	for i, v := range row[:unit] {
		if !(v >= 0 && v <= 1) {
			return fmt.Errorf("feature %d is %v; the model's output is a probability, and features "+
				"must be in [0, 1]", i, v)
		}
	}
	return nil
}

// checked are the rows of a stream, of which the first that the model does not read is an error.
func checked(stream iter.Seq2[[]float32, error], features, unit int) iter.Seq2[[]float32, error] {
	return func(yield func([]float32, error) bool) {
		for row, err := range stream {
			if err == nil && len(row) != features {
				err = fmt.Errorf("it has %d numbers, and the model reads %d features", len(row),
					features)
			}
			for i, v := range row {
				if err == nil && v-v != 0 {
					err = fmt.Errorf("feature %d is %v; want finite numbers", i, v)
				}
			}
			if err == nil {
				err = inUnit(row, unit)
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}

// rowModel is a model that learns from rows.
type rowModel struct {
	store   *nodes.Store
	cfg     any      // without what training does not depend on
	scaling *scaling // nil: none
	width   int      // of a row
	scaled  int      // features of it, from the first, that a scaling is of
	unit    int      // that must be in [0, 1]
	// the loss of a node [B, width], which a warmup of so many batches has read a number [1] that
	// rises from 0 to 1
	loss   func(x, warm *nodes.Node) *nodes.Node
	warmup int
}

// task trains the model, and gives the validation rows as the model sees them.
func (m rowModel) task(d RowData) (task *shared.ExampleTask, valid []float32, err error) {
	if err := shared.Made(m.store); err != nil {
		return nil, nil, err
	}
	if err := d.check(m.width, m.unit); err != nil {
		return nil, nil, err
	}
	var stream iter.Seq2[[]float32, error]
	if d.Stream != nil {
		stream = checked(d.Stream, m.width, m.unit)
	}
	if m.scaling != nil {
		if stream == nil {
			m.scaling.fit(d.Train)
		} else if err := m.scaling.fitFrom("row", stream); err != nil {
			return nil, nil, err
		}
		m.scaling.leave(m.scaled)
		if stream != nil {
			stream = m.scaling.applied(stream)
		}
	}
	feed, err := shared.NewFeed(shared.Source[[]float32]{
		Kind: "row", Train: slices.Collect(slices.Chunk(m.scaling.apply(d.Train), m.width)),
		Stream: stream, Buffer: d.Buffer,
		Gather: train.BatchesConfig{Batch: cmp.Or(d.Batch, 128), Seed: d.Seed},
		Check:  func([][]float32) error { return nil }, // they are
		Size:   func([]float32) int { return 0 },       // all are alike
	})
	if err != nil {
		return nil, nil, err
	}
	parts := shared.TaskParts{Train: d.Train, Valid: d.Valid, Model: m.cfg,
		Settings: []any{cmp.Or(d.Batch, 128), d.Seed, m.warmup}}
	if feed.Streamed() {
		parts.Train = feed.Data()
	}
	data, err := shared.NewTaskData(parts)
	if err != nil {
		return nil, nil, err
	}
	valid = m.scaling.apply(d.Valid)
	data.Empty(d.Valid != nil, len(d.Valid))
	shared.Overlap(&data, feed.At, slices.Collect(slices.Chunk(valid, m.width)),
		shared.NoPrint.Floats)
	graphs := m.graphs()
	task = &shared.ExampleTask{TaskData: data, Weights: m.store.Params(), Order: feed}
	task.RunBatch = func(p shared.Rows, seed uint64, counter int) (b train.Batch, err error) {
		examples := p.Examples()
		g, err := graphs.Get(len(examples)) // the last batch of an epoch may have fewer
		if err != nil {
			return b, err
		}
		for i, e := range examples {
			g.in.Put32(i*m.width, feed.At[e])
		}
		if m.warmup > 0 {
			g.warm.Fill(min(1, float64(counter)/float64(m.warmup)))
		}
		b.Count = len(examples)
		b.Loss, err = g.RunRows(seed, counter, p.From, len(p.Batch))
		b.Grads = g.Grads()
		return b, err
	}
	return task, valid, nil
}

// graphs are those of the loss of batches.
func (m rowModel) graphs() *run.Cache[int, *lossGraph] {
	return run.NewCache(func(B int, o graph.Option) (l *lossGraph, err error) {
		var warm *nodes.Node
		l, err = newLossGraph(B, m.store.Dtype(), m.width, true, o, func(x *nodes.Node) []*nodes.Node {
			if m.warmup > 0 {
				warm = x.Graph().Input("warm", 1)
			}
			return []*nodes.Node{m.loss(x, warm)}
		})
		if err != nil || warm == nil {
			return l, err
		}
		var in run.Inputs
		l.warm = in.Floats(warm)
		return l, in.Err()
	})
}

// lossGraph is a graph of losses of rows.
type lossGraph struct {
	*train.Step // its outputs are the losses
	in, warm    run.Floats
	losses      int
}

// newLossGraph compiles the losses that build makes of a node [B, width].
func newLossGraph(B int, dtype tensor.Dtype, width int, training bool, o graph.Option,
	build func(*nodes.Node) []*nodes.Node) (*lossGraph, error) {
	var x *nodes.Node
	var losses []*nodes.Node
	err := nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{Dtype: dtype, Training: training, Rows: B})
		x = g.Input("x", B, width)
		losses = build(x)
	})
	if err != nil {
		return nil, err
	}
	l := &lossGraph{losses: len(losses)}
	if l.Step, err = train.NewStepWith(train.StepConfig{Options: []graph.Option{o}}, losses[0], losses...); err != nil {
		return nil, err
	}
	var in run.Inputs
	l.in = in.Floats(x)
	return l, in.Err()
}

// meanRowLoss is the mean over rows [N, width] of losses, each a mean over the rows of a batch.
// Noise is the same in every call. A loss that is not finite is an error, which names the row if
// one alone has such a loss too.
func meanRowLoss(ctx context.Context, dtype tensor.Dtype, x []float32, width int,
	build func(*nodes.Node) []*nodes.Node) ([]float64, error) {
	const B = 250
	graphs := run.NewCache(func(B int, o graph.Option) (*lossGraph, error) {
		return newLossGraph(B, dtype, width, false, o, build)
	})
	defer graphs.Close()
	rows := len(x) / width
	var sums []float64
	err := train.ShareOut(ctx, (rows+B-1)/B, func(batch int) (losses []float64, err error) {
		if err := interrupt.Err(ctx); err != nil {
			return nil, err
		}
		first := batch * B
		n := min(rows-first, B)
		g, err := graphs.Get(n)
		if err != nil {
			return nil, err
		}
		some := x[first*width:][:n*width]
		g.in.Put32(0, some)
		if _, err := g.Run(0, batch); err != nil {
			return nil, err
		}
		for k := range g.losses {
			loss := g.Output(k).At(0) * float64(n)
			if loss-loss != 0 {
				return nil, notFiniteRow(graphs, some, width, first)
			}
			losses = append(losses, loss)
		}
		return losses, nil
	}, func(_ int, losses []float64) error {
		if sums == nil {
			sums = make([]float64, len(losses))
		}
		for k, loss := range losses {
			sums[k] += loss
		}
		return nil
	})
	for k := range sums {
		sums[k] /= float64(rows)
	}
	return sums, err
}

// notFiniteRow finds the first of some rows, of which there are before others, whose loss is not
// finite, and why.
func notFiniteRow(graphs *run.Cache[int, *lossGraph], x []float32, width, before int) error {
	g, err := graphs.Get(1)
	if err != nil {
		return err
	}
	n := len(x) / width
	for i := range n {
		g.in.Put32(0, x[i*width:(i+1)*width])
		if _, err := g.Run(0, 0); err != nil {
			return err
		}
		for k := range g.losses {
			if v := g.Output(k).At(0); v-v != 0 {
				return &RowError{before + i, fmt.Errorf("its loss is %g: %w", v,
					cmp.Or(g.Check(), shared.ErrOverflow))}
			}
		}
	}
	return fmt.Errorf("rows %d to %d: the sum of their losses is not finite: %w", before,
		before+n-1, shared.ErrOverflow)
}
