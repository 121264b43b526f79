package reduce

import (
	"cmp"
	"context"
	"fmt"

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
}

// Task makes a task for train.Fit from windows: rows [N, D]. See SeriesTask.
func (m *RecurrentAutoencoder) Task(d RowData) (train.Task, error) {
	x, err := m.windows(d.Train)
	if err != nil {
		return nil, fmt.Errorf("training: %w", err)
	}
	s := SeriesData{Train: x, Batch: d.Batch, Seed: d.Seed}
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
	if m.scaling != nil {
		var all []float32
		for _, x := range d.Train {
			all = append(all, x...)
		}
		m.scaling.fit(all)
	}
	x, valid := scaled(m.scaling, d.Train), scaled(m.scaling, d.Valid)
	lengths := make([]int, len(x))
	for i := range x {
		lengths[i] = len(x[i]) / m.cfg.Variables
	}
	batching := shared.Batching{Batch: d.Batch, Tokens: d.Tokens, Seed: d.Seed}
	batches, err := train.NewBatches(len(x), lengths, batching.Config(32, 20))
	if err != nil {
		return fail(err)
	}
	cfg := m.cfg
	cfg.Threshold = 0 // training knows nothing of it
	data, err := shared.NewTaskData(shared.TaskParts{
		Train: d.Train, Valid: d.Valid, Model: cfg,
		Settings: batching.More([]any{cmp.Or(d.Batch, 32), d.Seed}, 0),
	})
	if err != nil {
		return fail(err)
	}
	data.Empty(d.Valid != nil, len(d.Valid))
	shared.Overlap(&data, d.Train, d.Valid, shared.NoPrint.Floats)
	r := &seriesRunner{m: m, graphs: run.NewCache(m.compileWith)}
	task := &shared.ExampleTask{TaskData: data, Weights: m.store.Params(), Order: shared.Listed(batches)}
	task.Length = func(i int) int { return len(x[i]) / m.cfg.Variables }
	task.RunBatch = func(p shared.Rows, seed uint64, counter int) (train.Batch, error) {
		return r.batch(trainSeries, x, p, seed, counter)
	}
	if len(valid) > 0 {
		task.Measure = func(ctx context.Context) (map[string]float64, error) {
			return r.measure(ctx, valid)
		}
	}
	return task, nil
}

// check reports series that the model does not read, and a batch out of range.
func (d SeriesData) check(m *RecurrentAutoencoder) error {
	if err := m.checkSeries(d.Train); err != nil {
		return fmt.Errorf("training: %w", err)
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

// seriesRunner runs batches of series, which are scaled already.
type seriesRunner struct {
	m      *RecurrentAutoencoder
	graphs *run.Cache[seriesShape, *seriesGraph]
}

// batch runs a part of a batch for a use: trainSeries or validSeries.
func (r *seriesRunner) batch(use string, series [][]float32, p shared.Rows, seed uint64,
	counter int) (b train.Batch, err error) {
	examples := p.Examples()
	shape, some := seriesShape{use: use, B: len(examples)}, make([][]float32, len(examples))
	for i, e := range examples {
		some[i] = series[e]
		shape.T = max(shape.T, shared.Lengths.Up(len(series[e])/r.m.cfg.Variables))
	}
	g, err := r.graphs.Get(shape)
	if err != nil {
		return b, err
	}
	g.feed(some)
	b.Count = len(examples)
	b.Loss, err = g.measured.RunRows(seed, counter, p.From, len(p.Batch))
	b.Grads = g.measured.Grads()
	return b, err
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
