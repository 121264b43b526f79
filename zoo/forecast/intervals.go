package forecast

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/zoo/series"
)

// Intervals widen or narrow what a model forecasts until it holds the true value as often as it
// should, by how wrong forecasts have been: conformal prediction, without an assumption about the
// model (Vovk et al., 2005), and around quantiles if the model has those of the level (Romano,
// Patterson and Candès, 2019).
type Intervals struct {
	Level  float64     `json:"level"`  // share of true values that they are to hold
	Margin [][]float64 `json:"margin"` // [Horizon][Targets], in the units of the series
}

// Calibrate measures by how much intervals must be wider than the forecasts, from the windows of a
// series that the model was not trained on: of n scores of a step and target the ⌈(n+1)·level⌉-th
// smallest. What is like that series is then held with a probability of level at least. Of a series
// that changes with time, Backtest tells how often it is.
func (m *Model) Calibrate(ctx context.Context, s *series.Series,
	level float64) (*Intervals, error) {
	scores, err := m.scores(ctx, s, level)
	if err != nil {
		return nil, err
	}
	in := &Intervals{Level: level}
	for h := range m.cfg.Horizon {
		var row []float64
		for v, i := range m.targets {
			of := slices.DeleteFunc(slices.Clone(scores.at(h, v)), math.IsNaN)
			slices.Sort(of)
			if len(of) < least(level) {
				return nil, prefix.Errorf("calibration: %d windows; intervals of %g take at "+
					"least %d", len(of), level, least(level))
			}
			row = append(row, conformal(of, level)*m.scale.Deviation[i])
		}
		in.Margin = append(in.Margin, row)
	}
	return in, nil
}

// least is how many scores tell of a level.
func least(level float64) int { return int(math.Ceil(level / (1 - level) * (1 - 1e-12))) }

// conformal is the ⌈(n+1)·level⌉-th of n sorted scores, of which there are enough.
func conformal(sorted []float64, level float64) float64 {
	k := int(math.Ceil(float64(len(sorted)+1) * level * (1 - 1e-12)))
	return sorted[min(max(k, 1), len(sorted))-1]
}

// Interval forecasts with intervals: low and high are [Horizon][Targets], in the units of the
// series. Ahead is that of Forecast.
func (m *Model) Interval(in *Intervals, history [][]float64, ahead ...[]float64) (low,
	high [][]float64, err error) {
	if in == nil || len(in.Margin) != m.cfg.Horizon {
		return nil, nil, prefix.Errorf("the intervals are none that Calibrate made for a horizon "+
			"of %d", m.cfg.Horizon)
	}
	all, err := m.ForecastQuantiles(history, ahead...)
	if err != nil {
		return nil, nil, err
	}
	below, above := m.bounds(in.Level)
	for h, targets := range all {
		if len(in.Margin[h]) != len(targets) {
			return nil, nil, prefix.Errorf("the intervals have %d targets; the model has %d",
				len(in.Margin[h]), len(targets))
		}
		var l, u []float64
		for v, y := range targets {
			bottom, top := y[below]-in.Margin[h][v], y[above]+in.Margin[h][v]
			l, u = append(l, min(bottom, top)), append(u, max(bottom, top))
		}
		low, high = append(low, l), append(high, u)
	}
	return low, high, nil
}

// bounds are the places of the quantiles that an interval of a level begins with: those that leave
// half of the rest on either side, if there are such, else the forecast.
func (m *Model) bounds(level float64) (low, high int) {
	find := func(q float64) int {
		return slices.IndexFunc(m.cfg.Quantiles, func(x float64) bool {
			return math.Abs(x-q) < 1e-9
		})
	}
	low, high = find((1-level)/2), find((1+level)/2)
	if low < 0 || high < 0 {
		return m.median, m.median
	}
	return low, high
}

// intervalScores are by how much true values fall out of what is forecast, below 0 for those
// within: [Horizon][Targets][windows], standardised; NaN where the true value is not known.
type intervalScores struct {
	V   int
	all [][]float64
}

func (s *intervalScores) at(h, v int) []float64 { return s.all[h*s.V+v] }

func (m *Model) scores(ctx context.Context, s *series.Series,
	level float64) (*intervalScores, error) {
	var bad check.Problems
	bad.That(level > 0 && level < 1, "the level is %g, want a number in (0, 1)", level)
	if err := bad.Err(); err != nil {
		return nil, prefix.Wrap(err)
	}
	w, err := m.windows(s)
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	V := len(m.targets)
	out := &intervalScores{V: V, all: make([][]float64, m.cfg.Horizon*V)}
	for i := range out.all {
		out.all[i] = slices.Repeat([]float64{math.NaN()}, w.len())
	}
	low, high := m.bounds(level)
	err = m.each(ctx, w, func(window, h, v int, y []float64, truth float64) {
		out.at(h, v)[window] = max(y[low]-truth, truth-y[high])
	})
	return out, err
}

// BacktestOptions configures Backtest. The zero value of a field is its default.
type BacktestOptions struct {
	Level float64 // of the intervals; 0 means 0.9
	// how many of the last forecasts whose true value is known already an interval goes by; 0 means
	// 500
	Window int
}

// Backtest is what Backtest measures, from the first window on that has intervals.
type Backtest struct {
	Windows       int       // that were measured
	RMSE, MeanAbs []float64 // of each target, in its own units
	Covered       float64   // share of true values that the intervals hold
	ByHorizon     []float64 // of each step ahead
	Width         []float64 // mean width of the intervals of each target, in its own units
}

// Backtest goes through a series as if it came in row by row, and forecasts behind every window.
// The intervals of a forecast go by how wrong the last Window forecasts were whose true values were
// known by then, each step and target by its own, so that they follow a series that changes. The
// first Window forecasts are only gathered; it is an error if there are no more.
func (m *Model) Backtest(ctx context.Context, s *series.Series,
	o BacktestOptions) (*Backtest, error) {
	level, size := cmp.Or(o.Level, 0.9), cmp.Or(o.Window, 500)
	scores, err := m.scores(ctx, s, level)
	if err != nil {
		return nil, err
	}
	if size < least(level) {
		return nil, prefix.Errorf("backtest: a window of %d forecasts; intervals of %g take at "+
			"least %d", size, level, least(level))
	}
	n, H, V := len(scores.at(0, 0)), m.cfg.Horizon, len(m.targets)
	if size > n-H {
		return nil, prefix.Errorf("backtest: the series has %d windows; a Window of %d with a "+
			"horizon of %d leaves none to measure: give a longer one, or a smaller Window",
			n, size, H)
	}
	first := size + H - 1 // before it a forecast of H steps has fewer known ones
	b := &Backtest{Windows: n - first, RMSE: make([]float64, V), MeanAbs: make([]float64, V),
		ByHorizon: make([]float64, H), Width: make([]float64, V)}
	margins, err := rolling(scores, first, size, level)
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	w, err := m.windows(s)
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	known, err := w.counts(first)
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	low, high := m.bounds(level)
	err = m.each(ctx, w, func(window, h, v int, y []float64, truth float64) {
		if window < first {
			return
		}
		deviation := m.scale.Deviation[m.targets[v]]
		d := (y[m.median] - truth) * deviation
		b.RMSE[v] += d * d / known.ofTarget[v]
		b.MeanAbs[v] += math.Abs(d) / known.ofTarget[v]
		margin := margins[h*V+v][window-first]
		b.Width[v] += max(y[high]-y[low]+2*margin, 0) * deviation / known.ofTarget[v]
		if scores.at(h, v)[window] <= margin {
			b.ByHorizon[h] += 1 / known.ofStep[h]
			b.Covered += 1 / known.all
		}
	})
	if err != nil {
		return nil, err
	}
	for v := range b.RMSE {
		b.RMSE[v] = math.Sqrt(b.RMSE[v])
	}
	return b, nil
}

// rolling are the margins of each step and target for the windows from first on: that of a forecast
// of h+1 steps goes by the scores of the size windows that end h+1 before.
func rolling(scores *intervalScores, first, size int, level float64) ([][]float64, error) {
	out := make([][]float64, len(scores.all))
	for i, all := range scores.all {
		h := i / scores.V
		from := first - h - size // the oldest that counts for the first
		sorted := slices.DeleteFunc(slices.Clone(all[from:from+size]), math.IsNaN)
		slices.Sort(sorted)
		for at := from; ; at++ {
			if len(sorted) < least(level) {
				return nil, fmt.Errorf("backtest: of the %d forecasts before window %d only %d "+
					"have true values that are known; intervals of %g take at least %d: take a "+
					"larger Window", size, first+at-from, len(sorted), level, least(level))
			}
			out[i] = append(out[i], conformal(sorted, level))
			if at+size+h+1 >= len(all) {
				break
			}
			if x := all[at]; !math.IsNaN(x) {
				gone, _ := slices.BinarySearch(sorted, x)
				sorted = slices.Delete(sorted, gone, gone+1)
			}
			if x := all[at+size]; !math.IsNaN(x) {
				put, _ := slices.BinarySearch(sorted, x)
				sorted = slices.Insert(sorted, put, x)
			}
		}
	}
	return out, nil
}

// String is a line for a person.
func (b *Backtest) String() string {
	return fmt.Sprintf("%d windows, %.1f %% of the true values within the intervals", b.Windows,
		100*b.Covered)
}
