package train

import "math"

// OneCycleConfig configures [NewOneCycle].
type OneCycleConfig struct {
	LR    float64 // highest rate; required
	Total int     // steps of the whole schedule, at least 2; required
	// share of the steps in which the rate rises, in (0, 1); 0 means 0.3
	Rise float64
	// what LR is divided by for the first rate, at least 1; 0 means 25
	Div float64
	// what the first rate is divided by for the last, at least 1; 0 means 1e4
	FinalDiv float64
}

// NewOneCycle rises along half a cosine from LR/Div to LR, which it reaches at step Rise·Total − 1,
// and falls along another one to LR/(Div·FinalDiv) at step Total − 1 and all after it (Smith and
// Topin, 2018), as PyTorch's OneCycleLR; momentum stays as it is. The error names every field that
// is out of its range.
func NewOneCycle(c OneCycleConfig) (Schedule, error) {
	c.Rise, c.Div, c.FinalDiv = or(c.Rise, 0.3), or(c.Div, 25), or(c.FinalDiv, 1e4)
	check := checks{config: "OneCycleConfig"}
	check.positive("LR", c.LR)
	check.field(c.Total >= 2, "Total", c.Total, "at least 2")
	check.field(c.Rise > 0 && c.Rise < 1, "Rise", c.Rise, "more than 0 and less than 1")
	check.field(c.Div >= 1 && !math.IsInf(c.Div, 1), "Div", c.Div, "finite and at least 1")
	check.field(c.FinalDiv >= 1 && !math.IsInf(c.FinalDiv, 1), "FinalDiv", c.FinalDiv,
		"finite and at least 1")
	if err := check.err(); err != nil {
		return nil, err
	}
	first := c.LR / c.Div
	top, end := c.Rise*float64(c.Total)-1, float64(c.Total-1)
	return &curve{"one_cycle", func(step int) float64 {
		at := float64(step)
		if at < top {
			return between(first, c.LR, at/top)
		}
		from := max(top, 0)
		return between(c.LR, first/c.FinalDiv, min(1, (at-from)/(end-from)))
	}}, nil
}

// between goes from one rate to another along half a cosine; done is 0 at the first, and 1 at the
// second.
func between(from, to, done float64) float64 {
	return to + (from-to)*0.5*(1+math.Cos(math.Pi*done))
}

// WarmRestartsConfig configures [NewWarmRestarts].
type WarmRestartsConfig struct {
	LR    float64 // rate at the start of each cycle; required
	MinLR float64 // what each cycle falls to; at most LR
	First int     // steps of the first cycle; required
	Times int     // how many times as long as the one before each further cycle is; 0 means 1
}

// NewWarmRestarts falls along half a cosine from LR to MinLR in each cycle, and begins anew (SGDR;
// Loshchilov and Hutter, 2017), as PyTorch's CosineAnnealingWarmRestarts. The error names every
// field that is out of its range.
func NewWarmRestarts(c WarmRestartsConfig) (Schedule, error) {
	check := checks{config: "WarmRestartsConfig"}
	check.positive("LR", c.LR)
	check.field(c.MinLR >= 0 && c.MinLR <= c.LR, "MinLR", c.MinLR, "from 0 to LR")
	check.field(c.First > 0, "First", c.First, "at least 1")
	check.field(c.Times >= 0, "Times", c.Times, "0 (which means 1) or more")
	if err := check.err(); err != nil {
		return nil, err
	}
	times := float64(max(c.Times, 1))
	return &curve{"warm_restarts", func(step int) float64 {
		at, length := float64(step), float64(c.First)
		if times == 1 {
			at = float64(step % c.First)
		}
		for at >= length {
			at, length = at-length, length*times
		}
		return between(c.LR, c.MinLR, at/length)
	}}, nil
}
