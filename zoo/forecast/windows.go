package forecast

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/seqzoo/seqzoo/zoo/internal/shared"
	"github.com/seqzoo/seqzoo/zoo/series"
)

// windows are examples, standardised.
type windows struct {
	cfg     Config
	targets []int
	known   []int
	V       int
	at      []window
}

// window is Lookback steps of a series, and the Horizon steps behind it.
type window struct {
	x    []float64 // [Lookback+Horizon, V], a part of the series; NaN is a gap
	last bool      // of its series
}

// none are windows of the model, of which there is none yet.
func (m *Model) none() *windows {
	return &windows{cfg: m.cfg, targets: m.targets, known: m.known, V: len(m.cfg.Variables)}
}

// windows are those of a series and of more.
func (m *Model) windows(s *series.Series, more ...*series.Series) (*windows, error) {
	w, err := m.none(), shared.Made(m.store)
	if err == nil {
		err = w.add(m, s)
	}
	for i, one := range more {
		if err == nil {
			if err = w.add(m, one); err != nil {
				err = fmt.Errorf("series %d behind the first: %w", i+1, err)
			}
		}
	}
	return w, err
}

// add cuts a series into windows.
func (w *windows) add(m *Model, s *series.Series) error {
	if s == nil {
		return errors.New("there is no series")
	}
	if !slices.Equal(s.Names, m.cfg.Variables) {
		return fmt.Errorf("the series has the variables %.200q; the model was made for %.200q",
			s.Names, m.cfg.Variables)
	}
	need := m.cfg.Lookback + m.cfg.Horizon
	if s.Len() < need {
		return fmt.Errorf("the series has %d times; a window and what is behind it take %d",
			s.Len(), need)
	}
	rows := make([]float64, 0, s.Len()*w.V)
	for t := range s.Len() {
		x, err := m.standardise(s.Row(t), t)
		if err != nil {
			return err
		}
		rows = append(rows, x...)
	}
	for t := range s.Len() - need + 1 {
		w.at = append(w.at, window{x: rows[t*w.V : (t+need)*w.V : (t+need)*w.V]})
	}
	w.at[len(w.at)-1].last = true
	return nil
}

// windowsOf are those of series that come one by one.
func (m *Model) windowsOf(stream iter.Seq2[*series.Series, error]) iter.Seq2[window, error] {
	if stream == nil {
		return nil
	}
	return func(yield func(window, error) bool) {
		n := 0
		for s, err := range stream {
			w := m.none()
			if err == nil {
				err = w.add(m, s)
			}
			if err != nil {
				yield(window{}, fmt.Errorf("series %d: %w", n, err))
				return
			}
			for _, one := range w.at {
				if !yield(one, nil) {
					return
				}
			}
			n++
		}
	}
}

// rows are those of windows that follow each other, each once: of a series whose windows end
// elsewhere, those that begin a window.
func rows(at []window, V int) (x []float64) {
	for _, w := range at {
		if w.last {
			x = append(x, w.x...)
		} else {
			x = append(x, w.x[:V]...)
		}
	}
	return x
}

// standardise is a row of a series on the scale of the model.
func (m *Model) standardise(row []float64, t int) ([]float64, error) {
	if len(row) != len(m.cfg.Variables) {
		return nil, fmt.Errorf("row %d has %d values; there are %d variables: %.200q", t, len(row),
			len(m.cfg.Variables), m.cfg.Variables)
	}
	z := make([]float64, len(row))
	for i, x := range row {
		z[i] = (x - m.scale.Mean[i]) / m.scale.Deviation[i]
		gap := math.IsNaN(x) && m.cfg.Gaps != RefuseGaps
		if !gap && !(math.Abs(z[i]) <= math.MaxFloat32) {
			hint := ""
			if math.IsNaN(x) {
				hint = "; a model with Gaps takes gaps"
			}
			return nil, fmt.Errorf("%s is %g at row %d: want a finite number%s",
				m.cfg.Variables[i], x, t, hint)
		}
	}
	return z, nil
}

func (w *windows) len() int { return len(w.at) }

// truth is the value of a target behind a window; NaN in a gap.
func (w *windows) truth(window, h, v int) float64 {
	return w.at[window].x[(w.cfg.Lookback+h)*w.V+w.targets[v]]
}

// counts are how many true values are known from a window on.
type counts struct {
	all              float64
	ofTarget, ofStep []float64
}

// counts are those from the window first on, and an error if a target has no value.
func (w *windows) counts(first int) (counts, error) {
	c := w.knowns(first)
	return c, w.scored(c.ofTarget)
}

// knowns are counts of which any may be 0.
func (w *windows) knowns(first int) (c counts) {
	c.ofTarget, c.ofStep = make([]float64, len(w.targets)), make([]float64, w.cfg.Horizon)
	for window := first; window < w.len(); window++ {
		for h := range c.ofStep {
			for v := range c.ofTarget {
				if !math.IsNaN(w.truth(window, h, v)) {
					c.all++
					c.ofTarget[v]++
					c.ofStep[h]++
				}
			}
		}
	}
	return c
}

// scored is an error if a target has no value that a loss could go by.
func (w *windows) scored(ofTarget []float64) error {
	for v, n := range ofTarget {
		if n == 0 {
			return fmt.Errorf("no value of %s is known behind the windows", w.cfg.Targets[v])
		}
	}
	return nil
}

// nothing reports whether no true value behind some windows is known.
func (w *windows) nothing(examples []int) bool {
	for _, example := range examples {
		for h := range w.cfg.Horizon {
			for v := range w.targets {
				if !math.IsNaN(w.truth(example, h, v)) {
					return false
				}
			}
		}
	}
	return true
}

// load puts windows into the graph, and in training what is behind them. It returns how many
// examples that is: windows, or with gaps true values that are known, of which a loss is the mean.
func (g *forecastGraph) load(w *windows, examples []int) int {
	gaps, known := w.cfg.Gaps != RefuseGaps, 0
	for k, example := range examples {
		x := w.at[example].x
		if gaps {
			g.loadGaps(w, k, x)
		} else {
			g.loadWhole(w, k, x)
		}
		if g.Measured == nil {
			continue
		}
		for h := range w.cfg.Horizon {
			for v := range w.targets {
				at, truth := (h*g.B+k)*len(w.targets)+v, w.truth(example, h, v)
				if gaps {
					one := 1.0
					if math.IsNaN(truth) {
						one, truth = 0, 0
					}
					g.known.Set(at, one)
					known += int(one)
				}
				g.y.Set(at, truth)
			}
		}
	}
	if gaps {
		return known
	}
	return len(examples)
}

// loadWhole puts a window without gaps into column k.
func (g *forecastGraph) loadWhole(w *windows, k int, x []float64) {
	for t := range w.cfg.Lookback {
		at := (t*g.B + k) * (w.V + len(w.known))
		g.x.Put64(at, x[t*w.V:(t+1)*w.V])
		for n, i := range w.known {
			g.x.Set(at+w.V+n, x[(t+w.cfg.Horizon)*w.V+i])
		}
	}
}

// loadGaps puts a window with gaps into column k: each variable, and each known one as it is later,
// is filled for itself, by what is in the window.
func (g *forecastGraph) loadGaps(w *windows, k int, of []float64) {
	c, read := w.cfg, w.V+len(w.known)
	width := read
	if c.Gaps == MaskGaps {
		width = 2 * read
	}
	for n := range read {
		from := n
		if n >= w.V {
			from = c.Horizon*w.V + w.known[n-w.V]
		}
		last := 0.0 // the mean
		for t := range c.Lookback {
			if x := of[from+t*w.V]; !math.IsNaN(x) && c.Gaps != MeanForGap {
				last = x
				break
			}
		}
		for t := range c.Lookback {
			at, x, value := (t*g.B+k)*width, of[from+t*w.V], 1.0
			switch {
			case math.IsNaN(x):
				x, value = last, 0
			case c.Gaps != MeanForGap:
				last = x
			}
			if g.x.Set(at+n, x); c.Gaps == MaskGaps {
				g.x.Set(at+read+n, value)
			}
		}
	}
}
