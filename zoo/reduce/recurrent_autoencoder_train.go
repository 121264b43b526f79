package reduce

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// SeriesData says on what a RecurrentAutoencoder is trained. The zero value of an optional field is
// its default.
type SeriesData struct {
	Train [][]float32 // series [T, V], of any lengths
	Valid [][]float32 // empty: nothing is validated
	Batch int         // series side by side; default 32, with Tokens no limit
	// steps of a batch, padding included, in place of Batch; see train.BatchesConfig
	Tokens int
	Seed   uint64 // of the order

	// Stream is read in place of Train, as RowData.Stream is: series [T, V], of which Buffer are in
	// memory at a time
	Stream iter.Seq2[[]float32, error]
	Buffer int
}

// Task makes a task for train.Fit from windows: rows [N, D]. See SeriesTask.
func (m *RecurrentAutoencoder) Task(d RowData) (train.Task, error) {
	s := SeriesData{Batch: d.Batch, Seed: d.Seed, Buffer: d.Buffer}
	var err error
	if d.Stream != nil {
		s.Stream = checked(d.Stream, m.Features(), 0)
	}
	if d.Stream == nil || len(d.Train) > 0 {
		if s.Train, err = m.windows(d.Train); err != nil {
			return nil, fmt.Errorf("training: %w", err)
		}
	}
	if len(d.Valid) > 0 {
		if s.Valid, err = m.windows(d.Valid); err != nil {
			return nil, fmt.Errorf("validation: %w", err)
		}
	}
	return m.SeriesTask(s)
}

// SeriesTask makes a task for train.Fit. Its loss is the squared error, summed over steps and
// variables, mean over the series; its validation measures valid_loss, the same, and valid_mse, the
// squared error a step and variable. It keeps the series, which must not change.
func (m *RecurrentAutoencoder) SeriesTask(d SeriesData) (train.Task, error) {
	fail := func(err error) (train.Task, error) {
		return nil, recurrentPrefix.Wrap(err)
	}
	if err := d.check(m); err != nil {
		return fail(err)
	}
	stream, err := m.stream(d)
	if err != nil {
		return fail(err)
	}
	valid := scaled(m.scaling, d.Valid)
	steps := func(x []float32) int { return len(x) / m.cfg.Variables }
	batching := shared.Batching{Batch: d.Batch, Tokens: d.Tokens, Seed: d.Seed}
	r := &seriesRunner{m: m, graphs: run.NewCache(m.compileWith)}
	return shared.Learner[[]float32]{
		Prefix: recurrentPrefix, Params: m.store.Params(), Length: steps,
		Source: shared.Source[[]float32]{
			Kind: "series", Train: scaled(m.scaling, d.Train), Stream: stream, Buffer: d.Buffer,
			Check: func([][]float32) error { return nil }, // they are
			Size:  steps, Gather: batching.Config(32, 20),
		},
		Begin: func(feed *shared.Feed[[]float32]) (data shared.TaskData, err error) {
			cfg := m.cfg
			cfg.Threshold = 0 // training knows nothing of it
			parts := shared.TaskParts{Train: d.Train, Valid: d.Valid, Model: cfg,
				Settings: batching.More([]any{cmp.Or(d.Batch, 32), d.Seed}, 0)}
			if feed.Streamed() {
				parts.Train = feed.Data()
			}
			if data, err = shared.NewTaskData(parts); err != nil {
				return data, err
			}
			data.Empty(d.Valid != nil, len(d.Valid))
			data.Doubts(m.cfg.Recurrent.Idle()...)
			shared.Overlap(&data, feed.At, valid, shared.NoPrint.Floats)
			return data, nil
		},
		Compile: func(series [][]float32, part shared.Rows) error {
			_, err := r.graph(trainSeries, series, part)
			return err
		},
		Run: func(series [][]float32, p shared.Rows, seed uint64, counter int) (train.Batch,
			error) {
			return r.batch(trainSeries, series, p, seed, counter)
		},
		Valid:   valid,
		Measure: r.measure,
	}.Task()
}

// check reports series that the model does not read, and a batch out of range.
func (d SeriesData) check(m *RecurrentAutoencoder) error {
	if err := shared.Made(m.store); err != nil {
		return err
	}
	if d.Stream != nil && len(d.Train) > 0 {
		return errors.New("there are series in Train and a Stream: give one of them")
	}
	if d.Stream == nil {
		if err := m.checkSeries(d.Train); err != nil {
			return fmt.Errorf("training: %w", err)
		}
	}
	if len(d.Valid) > 0 {
		if err := m.checkSeries(d.Valid); err != nil {
			return fmt.Errorf("validation: %w", err)
		}
	}
	if d.Batch < 0 || d.Batch > 1<<16 {
		return fmt.Errorf("the batch is %d, want 1 … %d, or 0 for the default", d.Batch, 1<<16)
	}
	return nil
}

// stream fits the scaling to the training series, and gives those of a stream as the model sees
// them; nil without one.
func (m *RecurrentAutoencoder) stream(d SeriesData) (iter.Seq2[[]float32, error], error) {
	if d.Stream == nil {
		if m.scaling != nil {
			m.scaling.fit(slices.Concat(d.Train...))
		}
		return nil, nil
	}
	of := func(yield func([]float32, error) bool) {
		for x, err := range d.Stream {
			if err == nil {
				err = m.checkOne(x)
			}
			if !yield(x, err) || err != nil {
				return
			}
		}
	}
	if m.scaling == nil {
		return of, nil
	}
	return m.scaling.applied(of), m.scaling.fitFrom("series", of)
}

// seriesRunner runs batches of series, which are scaled already.
type seriesRunner struct {
	m      *RecurrentAutoencoder
	graphs *run.Cache[seriesShape, *seriesGraph]
}

// batch runs a part of a batch for a use: trainSeries or validSeries.
func (r *seriesRunner) batch(use string, series [][]float32, p shared.Rows, seed uint64,
	counter int) (b train.Batch, err error) {
	examples := p.Examples()
	g, err := r.graph(use, series, p)
	if err != nil {
		return b, err
	}
	some := make([][]float32, len(examples))
	for i, e := range examples {
		some[i] = series[e]
	}
	g.feed(some)
	b.Count = len(examples)
	b.Loss, err = g.measured.RunRows(seed, counter, p.From, len(p.Batch))
	b.Grads = g.measured.Grads()
	return b, err
}

// graph is that of a part of a batch.
func (r *seriesRunner) graph(use string, series [][]float32, p shared.Rows) (*seriesGraph, error) {
	examples := p.Examples()
	shape := seriesShape{use: use, B: len(examples)}
	for _, e := range examples {
		shape.T = max(shape.T, shared.Lengths.Up(len(series[e])/r.m.cfg.Variables))
	}
	return r.graphs.Get(shape)
}

// measure is the loss of a series, and the mean squared error of a number.
func (r *seriesRunner) measure(ctx context.Context, valid [][]float32) (map[string]float64, error) {
	values := 0
	for _, v := range valid {
		values += len(v)
	}
	batches, err := train.NewBatches(len(valid), nil,
		train.BatchesConfig{Batch: 64, InOrder: true})
	if err != nil {
		return nil, err
	}
	loss, err := shared.MeanLoss(ctx, batches, func(examples []int) (train.Batch, error) {
		return r.batch(validSeries, valid, shared.Whole(examples), 0, 0)
	})
	if err != nil {
		return nil, err
	}
	return map[string]float64{"valid_loss": loss,
		"valid_mse": loss * float64(len(valid)) / float64(values)}, nil
}
