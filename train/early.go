package train

// EarlyStopConfig configures [NewEarlyStop]. The zero value stops at the first metric that is no
// better than the best.
type EarlyStopConfig struct {
	// observations without progress, one after another, that are tolerated; the next one stops
	Patience int
	MinDelta float64 // by how much a metric must be better than the best to count as progress
	// whether smaller or larger metrics are better; "" means Smaller, and in Fit what Config.Goal
	// means
	Goal Goal
}

// EarlyStop tells when to stop a training: when a metric has stopped getting better (Prechelt,
// 1998). It serves one training.
type EarlyStop struct {
	config   EarlyStopConfig
	best     float64
	bestAt   int // number of the observation that gave best, from 1
	observed int
}

// NewEarlyStop has seen nothing yet. The error names every field that is out of its range.
func NewEarlyStop(c EarlyStopConfig) (*EarlyStop, error) {
	check := checks{config: "EarlyStopConfig"}
	check.field(c.Patience >= 0, "Patience", c.Patience, "not negative")
	check.rate("MinDelta", c.MinDelta)
	check.field(c.Goal.known(), "Goal", c.Goal, goalsWanted)
	if err := check.err(); err != nil {
		return nil, err
	}
	return &EarlyStop{config: c, best: c.Goal.worst()}, nil
}

// Observe reports the next metric and whether to stop now. A metric that is better than the best by
// more than MinDelta is progress and becomes the best; NaN and infinities are no progress.
func (e *EarlyStop) Observe(metric float64) (stop bool) {
	e.observed++
	if e.bestAt == 0 {
		e.best = e.config.Goal.worst()
	}
	if e.config.Goal.better(metric, e.best, e.config.MinDelta) {
		e.best, e.bestAt = metric, e.observed
	}
	return e.Stopped()
}

// Stopped is the last answer of Observe.
func (e *EarlyStop) Stopped() bool { return e.observed-e.bestAt > e.config.Patience }

// Best is the best metric and the number of its observation, counted from 1; an infinity and 0
// before any progress.
func (e *EarlyStop) Best() (metric float64, observation int) { return e.best, e.bestAt }

func (e *EarlyStop) aim() *Goal        { return &e.config.Goal }
func (e *EarlyStop) observations() int { return e.observed }

// State copies what has been observed.
func (e *EarlyStop) State() State {
	return State{Kind: e.config.Goal.kind("early_stop"), Step: e.observed,
		Scalars: map[string]float64{"best": e.best, "best_at": float64(e.bestAt)}}
}

// Restore goes on from a state of an EarlyStop; on an error nothing has changed.
func (e *EarlyStop) Restore(s State) error {
	kind := e.config.Goal.kind("early_stop")
	if err := s.check(kind, "best", "best_at"); err != nil {
		return err
	}
	bestAt, err := s.whole("best_at", 0, s.Step)
	if err != nil {
		return misfit(kind, err.Error())
	}
	e.best, e.bestAt, e.observed = s.Scalars["best"], bestAt, s.Step
	return nil
}
