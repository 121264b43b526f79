package forecast

import "math"

// load puts windows into the graph, and in training what is behind them. It returns how many examples
// that is: windows, or with gaps true values that are known, of which a loss is the mean; 1 at least.
func (g *forecastGraph) load(w *windows, examples []int) int {
	gaps, known := w.cfg.Gaps != RefuseGaps, 0
	for k, example := range examples {
		start := w.starts[example]
		if gaps {
			g.loadGaps(w, k, start)
		} else {
			g.loadWhole(w, k, start)
		}
		if g.learned == nil {
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
		return max(known, 1)
	}
	return len(examples)
}

// loadWhole puts a window without gaps into column k.
func (g *forecastGraph) loadWhole(w *windows, k, start int) {
	for t := range w.cfg.Lookback {
		at := (t*g.B + k) * (w.V + len(w.known))
		g.x.Put64(at, w.x[(start+t)*w.V:(start+t+1)*w.V])
		for n, i := range w.known {
			g.x.Set(at+w.V+n, w.x[(start+t+w.cfg.Horizon)*w.V+i])
		}
	}
}

// loadGaps puts a window with gaps into column k: each variable, and each known one as it is later,
// is filled for itself, by what is in the window.
func (g *forecastGraph) loadGaps(w *windows, k, start int) {
	c, read := w.cfg, w.V+len(w.known)
	width := read
	if c.Gaps == MaskGaps {
		width = 2 * read
	}
	for n := range read {
		from := start*w.V + n
		if n >= w.V {
			from = (start+c.Horizon)*w.V + w.known[n-w.V]
		}
		last := 0.0 // the mean
		for t := range c.Lookback {
			if x := w.x[from+t*w.V]; !math.IsNaN(x) && c.Gaps != MeanForGap {
				last = x
				break
			}
		}
		for t := range c.Lookback {
			at, x, value := (t*g.B+k)*width, w.x[from+t*w.V], 1.0
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
