package forecast

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/interrupt"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
	"github.com/seqzoo/seqzoo/zoo/series"
)

// Data says on what a Model is trained, in the units of the series. The zero value of an optional
// field is its default.
type Data struct {
	// every window of Lookback steps with Horizon steps behind it is an example
	Train *series.Series
	// more series of the same variables, such as those of other shops: their windows are examples
	// too
	More []*series.Series
	// nil: nothing is validated. It begins with the Lookback steps before the first that is
	// forecast
	Valid *series.Series
	// more series to validate on, as Valid is
	MoreValid []*series.Series

	Batch  int             // windows side by side; default 32
	Seed   uint64          // of the order
	Unroll unroll.Strategy // default: Scan

	// Recompute saves memory with long windows; see unroll.Options. 0: everything is kept
	Recompute int

	// Stream is read in place of Train and More: series that need not fit in memory together. Each
	// time that it is ranged over, it gives the same ones from the first on, which it does not
	// change any more; an error ends the training with the number of the window. Buffer windows, by
	// default 8,192, are in memory at a time with their series, and shuffled among each other
	Stream iter.Seq2[*series.Series, error]
	Buffer int
}

// Task makes a task for train.Fit. Its loss is the mean squared error of the standardised targets,
// or the mean of the quantiles' pinball losses. Its validation measures valid_loss, the same, and
// valid_mae. It keeps nothing of the series.
func (m *Model) Task(d Data) (train.Task, error) {
	if err := errors.Join(shared.Made(m.store),
		shared.CheckRecompute(d.Recompute, d.Unroll)); err != nil {
		return nil, prefix.Wrap(err)
	}
	w := m.none()
	feed, err := m.feed(w, d)
	if err != nil {
		return nil, prefix.Errorf("training: %w", err)
	}
	valid := m.none()
	if d.Valid != nil || len(d.MoreValid) > 0 {
		if valid, err = m.windows(d.Valid, d.MoreValid...); err == nil && m.cfg.Gaps != RefuseGaps {
			_, err = valid.counts(0)
		}
		if err != nil {
			return nil, prefix.Errorf("validation: %w", err)
		}
	}
	settings := []any{cmp.Or(d.Batch, 32), d.Seed, d.Unroll}
	for _, s := range d.More { // where the series begin
		settings = append(settings, s.Len())
	}
	learn, known := rows(feed.At, w.V), rows(valid.at, w.V)
	parts := shared.TaskParts{
		Train: learn, Valid: known, Model: []any{m.cfg, m.scale},
		Settings: shared.Batching{}.More(settings, d.Recompute),
	}
	if feed.Streamed() {
		parts.Train = feed.Data()
	}
	data, err := shared.NewTaskData(parts)
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	data.Doubts(m.cfg.Recurrent.Idle()...)
	shared.Part(&data, "series", learn, known)
	graphs := m.graphs(unroll.Options{Strategy: d.Unroll, Recompute: d.Recompute}, true)
	task := &shared.ExampleTask{TaskData: data, Weights: m.store.Params(), Order: feed}
	task.RunBatch = func(p shared.Rows, seed uint64, counter int) (b train.Batch, err error) {
		starts := p.Examples()
		w.at = feed.At
		g, err := graphs.Get(len(starts))
		if err != nil {
			return b, prefix.Wrap(err)
		}
		if b.Count = g.load(w, starts); b.Count == 0 && p.From == 0 && w.nothing(p.Batch) {
			b.Count = 1 // a batch counts something, be its loss 0
		}
		b.Loss, err = g.Measured.RunRows(seed, counter, p.From, len(p.Batch))
		b.Grads = g.Measured.Grads()
		return b, err
	}
	if d.Valid != nil {
		task.Measure = func(ctx context.Context) (map[string]float64, error) {
			e, err := m.Evaluate(ctx, d.Valid, d.MoreValid...)
			if err != nil {
				return nil, err
			}
			loss := e.MSE
			if len(m.cfg.Quantiles) > 0 {
				loss = e.Pinball
			}
			return map[string]float64{"valid_loss": loss, "valid_mae": e.MAE}, nil
		}
	}
	return task, nil
}

// feed reads the training data, into w those that are at hand.
func (m *Model) feed(w *windows, d Data) (*shared.Feed[window], error) {
	switch {
	case d.Stream == nil:
		if err := w.add(m, d.Train); err != nil {
			return nil, err
		}
		for i, s := range d.More {
			if err := w.add(m, s); err != nil {
				return nil, fmt.Errorf("series %d of More: %w", i, err)
			}
		}
	case d.Train != nil || len(d.More) > 0:
		return nil, errors.New("there are series in Train or More and a Stream: give one of them")
	}
	known := make([]float64, len(m.targets))
	feed, err := shared.NewFeed(shared.Source[window]{
		Kind: "window", Train: w.at, Stream: m.windowsOf(d.Stream), Buffer: d.Buffer,
		Gather: train.BatchesConfig{Batch: cmp.Or(d.Batch, 32), Seed: d.Seed},
		Check: func(at []window) error {
			if m.cfg.Gaps != RefuseGaps {
				some := *w
				some.at = at
				for v, n := range some.knowns(0).ofTarget {
					known[v] += n
				}
			}
			return nil
		},
		Size: func(window) int { return 0 }, // all are alike
		Digest: func(at []window) (string, error) {
			var ends []int
			for i, w := range at {
				if w.last {
					ends = append(ends, i)
				}
			}
			return train.DigestOf(rows(at, w.V), ends)
		},
	})
	if err == nil && m.cfg.Gaps != RefuseGaps {
		err = w.scored(known)
	}
	return feed, err
}

// ForecastErrors are those of forecasts, in standardised units, over all windows of a series, steps
// and targets.
type ForecastErrors struct {
	Windows   int
	MSE, MAE  float64
	ByTarget  []float64 // MSE of each target
	ByHorizon []float64 // MSE of each step ahead

	RMSE, MeanAbs []float64 // of each target, in its own units

	Pinball float64   // mean over the quantiles, or 0 if there are none
	Below   []float64 // of each quantile, the share of true values that are at most its forecast
}

// Evaluate forecasts behind every window of a series, and of more beside it, and compares. Each
// series begins with the Lookback steps before the first that is forecast.
func (m *Model) Evaluate(ctx context.Context, s *series.Series,
	more ...*series.Series) (*ForecastErrors, error) {
	w, err := m.windows(s, more...)
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	H, V := m.cfg.Horizon, len(m.targets)
	n, err := w.counts(0)
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	e := &ForecastErrors{Windows: w.len(), ByTarget: make([]float64, V),
		ByHorizon: make([]float64, H), RMSE: make([]float64, V), MeanAbs: make([]float64, V)}
	if n := len(m.cfg.Quantiles); n > 0 {
		e.Below = make([]float64, n)
	}
	err = m.each(ctx, w, func(window, h, v int, y []float64, truth float64) {
		d := y[m.median] - truth
		e.MAE += math.Abs(d) / n.all
		e.MSE += d * d / n.all
		e.ByTarget[v] += d * d / n.ofTarget[v]
		e.ByHorizon[h] += d * d / n.ofStep[h]
		e.MeanAbs[v] += math.Abs(d) / n.ofTarget[v]
		for i := range e.Below {
			e.Pinball += pinball(truth-y[i], m.cfg.Quantiles[i]) / (n.all * float64(len(e.Below)))
			if truth <= y[i] {
				e.Below[i] += 1 / n.all
			}
		}
	})
	if err != nil {
		return nil, err
	}
	for v, i := range m.targets {
		e.RMSE[v] = math.Sqrt(e.ByTarget[v]) * m.scale.Deviation[i]
		e.MeanAbs[v] *= m.scale.Deviation[i]
	}
	return e, nil
}

func pinball(above, q float64) float64 { return max(q*above, (q-1)*above) }

// each forecasts behind every window and calls found with the standardised forecasts of each value,
// one or a quantile each in ascending order, and the true value, where one is known.
func (m *Model) each(ctx context.Context, w *windows,
	found func(window, h, v int, y []float64, truth float64)) error {
	H, V, Q := m.cfg.Horizon, len(m.targets), m.quantiles()
	graphs := m.graphs(unroll.Options{}, false)
	defer graphs.Close()
	starts := make([]int, w.len())
	for i := range starts {
		starts[i] = i
	}
	batches := slices.Collect(slices.Chunk(starts, 64))
	return train.ShareOut(ctx, len(batches), func(n int) ([]float64, error) {
		batch := batches[n]
		if err := interrupt.Err(ctx); err != nil {
			return nil, err
		}
		g, err := graphs.Get(len(batch))
		if err != nil {
			return nil, prefix.Wrap(err)
		}
		g.load(w, batch)
		if err := g.Run(0, 0); err != nil {
			return nil, prefix.Wrap(err)
		}
		return slices.Clone(g.Output(0).Float64s()), nil
	}, func(n int, all []float64) error {
		batch := batches[n]
		for k, i := range batch {
			for h := range H {
				for v := range m.targets {
					at := ((h*len(batch)+k)*V + v) * Q
					y, truth := ascending(all[at:at+Q]), w.truth(i, h, v)
					if math.IsNaN(truth) {
						continue
					}
					if sum := y[0] + y[Q-1] - truth; sum-sum != 0 {
						return prefix.Errorf("the window at row %d: step %d of %s: %w", i, h+1,
							m.cfg.Targets[v], shared.ErrOverflow)
					}
					found(i, h, v, y, truth)
				}
			}
		}
		return nil
	})
}

// ascending are quantiles in their order, in which a network may not give them (Chernozhukov,
// Fernández-Val and Galichon, 2010).
func ascending(y []float64) []float64 {
	if !slices.IsSorted(y) {
		y = slices.Sorted(slices.Values(y))
	}
	return y
}

// Forecast forecasts the Horizon steps behind a history [times][Variables], of which the last
// Lookback rows are read: [Horizon][Targets], in the units of the series. Ahead are the known
// variables of these steps, [Horizon][Known], if there are any.
func (m *Model) Forecast(history [][]float64, ahead ...[]float64) ([][]float64, error) {
	all, err := m.ForecastQuantiles(history, ahead...)
	if err != nil {
		return nil, err
	}
	forecast := make([][]float64, len(all))
	for h, targets := range all {
		for _, y := range targets {
			forecast[h] = append(forecast[h], y[m.median])
		}
	}
	return forecast, nil
}

// ForecastQuantiles is Forecast with every quantile, in ascending order:
// [Horizon][Targets][Quantiles]. Of a model without quantiles it has the forecast alone.
func (m *Model) ForecastQuantiles(history [][]float64, ahead ...[]float64) ([][][]float64, error) {
	if err := shared.Made(m.store); err != nil {
		return nil, prefix.Wrap(err)
	}
	w, err := m.lastWindow(history, ahead)
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	Q := m.quantiles()
	forecast := make([][][]float64, m.cfg.Horizon)
	build := func(B run.Of[int]) (*forecastGraph, error) {
		return m.build(B.Key, unroll.Options{}, false)
	}
	err = m.idle.Do(run.Of[int]{Key: 1}, build, func(g *forecastGraph) (err error) {
		g.load(w, []int{0})
		if err := g.Run(0, 0); err != nil {
			return err
		}
		y := g.Output(0).Float64s()
		for h := range forecast {
			for v, i := range m.targets {
				at := (h*len(m.targets) + v) * Q
				values := slices.Clone(ascending(y[at : at+Q]))
				for k := range values {
					values[k] = values[k]*m.scale.Deviation[i] + m.scale.Mean[i]
					if x := values[k]; x-x != 0 {
						err = fmt.Errorf("step %d of %s is %g: %w", h+1, m.cfg.Targets[v], x,
							shared.ErrOverflow)
					}
				}
				forecast[h] = append(forecast[h], values)
			}
		}
		return err
	})
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	return forecast, nil
}

// lastWindow is the window of the last rows of a history, with what is known of the steps behind
// it.
func (m *Model) lastWindow(history, ahead [][]float64) (*windows, error) {
	c := m.cfg
	if len(history) < c.Lookback {
		return nil, fmt.Errorf("the history has %d rows; it reads %d", len(history), c.Lookback)
	}
	w := m.none()
	var rows []float64
	for t, row := range history[len(history)-c.Lookback:] {
		x, err := m.standardise(row, len(history)-c.Lookback+t)
		if err != nil {
			return nil, err
		}
		rows = append(rows, x...)
	}
	if len(m.known) == 0 {
		if len(ahead) > 0 {
			return nil, fmt.Errorf("there are %d rows ahead, and no variable is known ahead: see "+
				"Config.Known", len(ahead))
		}
		w.at = []window{{x: rows}}
		return w, nil
	}
	if len(ahead) != c.Horizon {
		return nil, fmt.Errorf("there are %d rows ahead; want %d of the known variables %.200q",
			len(ahead), c.Horizon, c.Known)
	}
	for t, row := range ahead {
		if len(row) != len(m.known) {
			return nil, fmt.Errorf("row %d ahead has %d values; %d variables are known: %.200q", t,
				len(row), len(m.known), c.Known)
		}
		whole := slices.Clone(m.scale.Mean) // of what is not known, which is not read
		for k, i := range m.known {
			whole[i] = row[k]
		}
		x, err := m.standardise(whole, len(history)+t)
		if err != nil {
			return nil, err
		}
		rows = append(rows, x...)
	}
	w.at = []window{{x: rows}}
	return w, nil
}

// forecastGraph is the graph of B windows, with what feeds it.
type forecastGraph struct {
	// in training it has the loss, and else as its output the forecasts [Horizon, B, Targets], or
	// [Horizon, B, Targets, Quantiles]
	shared.Compiled
	B     int
	x     run.Floats // [Lookback, B, Variables, known ones and masks]
	y     run.Floats // [Horizon, B, Targets]; empty but in training
	known run.Floats // where y is known; empty without gaps
}

func (m *Model) graphs(how unroll.Options, training bool) *run.Cache[int, *forecastGraph] {
	return run.NewCache(func(B int, o graph.Option) (*forecastGraph, error) {
		return m.build(B, how, training, o)
	})
}

func (m *Model) build(B int, how unroll.Options, training bool,
	o ...graph.Option) (*forecastGraph, error) {
	fg := &forecastGraph{B: B}
	var x, y, known, loss *nodes.Node
	var outputs []*nodes.Node
	err := nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{Dtype: m.store.Dtype(), Training: training, Rows: B})
		x = g.Input("window", m.cfg.Lookback, B, m.inputs())
		forecast := m.forward(x, how)
		if outputs = append(outputs, forecast); training {
			y = g.Input("behind it", m.cfg.Horizon, B, len(m.targets))
			if m.cfg.Gaps != RefuseGaps {
				known = g.Input("known", y.Shape()...)
			}
			loss, outputs = m.loss(forecast, y, known), nil
		}
	})
	if err != nil {
		return nil, err
	}
	if fg.Compiled, err = shared.Compile(outputs, loss, o...); err != nil {
		return nil, err
	}
	var in run.Inputs
	if fg.x = in.Floats(x); training {
		fg.y = in.Floats(y)
	}
	if known != nil {
		fg.known = in.Floats(known)
	}
	return fg, in.Err()
}
