package forecast

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/internal/interrupt"
	"github.com/seqzoo/seqzoo/zoo/series"
)

// RollingOptions says how Rolling goes through a series. The zero value of an optional field is its
// default.
type RollingOptions struct {
	From   int // the first row that is forecast
	Every  int // rows after which a model is fitted anew
	Window int // rows that a model is fitted to, the last before it; 0: all
	// Fit makes a model of what is known, and trains it. Fold counts the models from 0
	Fit func(ctx context.Context, fold int, known *series.Series) (*Model, error)
}

// Fold is what one model of Rolling reaches.
type Fold struct {
	From, To int // it forecasts rows From … To−1, behind each from From−1 to To−1−Horizon
	// in units standardised by what it was fitted to; NaN if no true value is known
	MSE, MAE float64
}

// Rolled is what Rolling measures.
type Rolled struct {
	Folds         []Fold
	Targets       []string
	RMSE, MeanAbs []float64 // of each target, in its own units, over all folds
}

// Rolling goes through a series as if it came in row by row (rolling origin; Tashman, 2000): every
// so many rows a model is fitted to the rows so far, and forecasts behind each of the next, up to
// the next fit. No model has seen what it forecasts. What is forecast beyond the end of the series
// is left out.
func Rolling(ctx context.Context, s *series.Series, o RollingOptions) (*Rolled, error) {
	var bad check.Problems
	bad.That(s != nil, "there is no series")
	bad.That(o.Fit != nil, "the option Fit is nil")
	bad.Int("From", o.From, 1, math.MaxInt)
	bad.Int("Every", o.Every, 1, math.MaxInt)
	bad.Int("Window", o.Window, 0, math.MaxInt)
	if err := bad.Err(); err != nil {
		return nil, prefix.Errorf("rolling: %w", err)
	}
	r := &Rolled{}
	var n []float64
	for at := o.From; at < s.Len(); at = next(at, o.Every, s.Len()) {
		if err := interrupt.Err(ctx); err != nil {
			return nil, err
		}
		from := 0
		if o.Window > 0 {
			from = max(0, at-o.Window)
		}
		m, err := o.Fit(ctx, len(r.Folds), s.Slice(from, at))
		if err == nil && m == nil {
			err = errors.New("the option Fit gives no model")
		}
		if err != nil {
			return nil, prefix.Errorf("rolling: the model fitted to the rows before %d: %w", at,
				err)
		}
		if r.Targets == nil {
			r.Targets = slices.Clone(m.cfg.Targets)
			n = make([]float64, len(r.Targets))
			r.RMSE, r.MeanAbs = make([]float64, len(n)), make([]float64, len(n))
		} else if !slices.Equal(r.Targets, m.cfg.Targets) {
			return nil, prefix.Errorf("rolling: a model forecasts %.200q, the one before it %.200q",
				m.cfg.Targets, r.Targets)
		}
		c := m.cfg
		end := min(next(at, o.Every, s.Len())+c.Horizon-1, s.Len())
		if end-at < c.Horizon {
			break // the last rows are behind every forecast that could be measured
		}
		if at < c.Lookback {
			return nil, prefix.Errorf("rolling: From is %d; a model reads %d rows before the "+
				"first that it forecasts", at, c.Lookback)
		}
		fold, err := m.fold(ctx, s.Slice(at-c.Lookback, end), r, n)
		if err != nil {
			return nil, err
		}
		fold.From, fold.To = at, end
		r.Folds = append(r.Folds, fold)
	}
	if len(r.Folds) == 0 {
		return nil, prefix.Errorf("rolling: From is %d, and the series has %d rows: nothing can "+
			"be forecast and compared", o.From, s.Len())
	}
	for v := range r.RMSE {
		if n[v] == 0 {
			return nil, prefix.Errorf("rolling: no value of %s is known", r.Targets[v])
		}
		r.RMSE[v], r.MeanAbs[v] = math.Sqrt(r.RMSE[v]/n[v]), r.MeanAbs[v]/n[v]
	}
	return r, nil
}

// next is the row of the next fit, or the end.
func next(at, every, end int) int {
	if every > end-at {
		return end
	}
	return at + every
}

// fold forecasts a part, and adds the errors in the units of the series to sums, of n values.
func (m *Model) fold(ctx context.Context, part *series.Series, sums *Rolled,
	n []float64) (f Fold, err error) {
	w, err := m.windows(part)
	if err != nil {
		return f, prefix.Wrap(fmt.Errorf("rolling: %w", err))
	}
	count := 0.0
	err = m.each(ctx, w, func(_, _, v int, y []float64, truth float64) {
		d := y[m.median] - truth
		f.MSE, f.MAE, count = f.MSE+d*d, f.MAE+math.Abs(d), count+1
		d *= m.scale.Deviation[m.targets[v]]
		sums.RMSE[v], sums.MeanAbs[v] = sums.RMSE[v]+d*d, sums.MeanAbs[v]+math.Abs(d)
		n[v]++
	})
	f.MSE, f.MAE = f.MSE/count, f.MAE/count
	return f, err
}
