package train

import (
	"fmt"
	"math"
)

// Schedule is a learning rate that changes in the course of a training:
//
//	for step := 0; ; step++ {
//		optimizer.SetLR(schedule.LR(step))
//		// … a step
//		schedule.Observe(loss) // of every step, or now and then of the validation
//	}
type Schedule interface {
	// LR is the rate of step 0, 1, ….
	LR(step int) float64
	// Observe reports a metric, smaller being better. [NewPlateau] goes by it, the others by the
	// step alone.
	Observe(metric float64)

	State() State
	// Restore goes on from a state of the same kind; on an error nothing has changed.
	Restore(State) error
}

// curve is a Schedule that depends on the step alone.
type curve struct {
	kind string
	rate func(step int) float64
}

func (c *curve) LR(step int) float64   { return c.rate(step) }
func (c *curve) Observe(float64)       {}
func (c *curve) State() State          { return State{Kind: c.kind} }
func (c *curve) Restore(s State) error { return s.check(c.kind) }

// NewConstant is one rate for all steps.
func NewConstant(lr float64) (Schedule, error) {
	check := checks{config: "NewConstant"}
	check.rate("lr", lr)
	if err := check.err(); err != nil {
		return nil, err
	}
	return &curve{"constant", func(int) float64 { return lr }}, nil
}

// NewFunction is a rate that a function gives for each step from 0 on: any curve of one's own, such
// as a linear rise, cycles, or the rising rates by which one finds out which are too large. Its
// state knows the rate of the last step, and another function, which gives another, is refused.
func NewFunction(lr func(step int) float64) (Schedule, error) {
	check := checks{config: "NewFunction"}
	check.field(lr != nil, "lr", "nil", "a function")
	if err := check.err(); err != nil {
		return nil, err
	}
	return &function{rate: lr, last: -1}, nil
}

// function is the Schedule of a function.
type function struct {
	rate func(step int) float64
	last int // the step that was asked for last; −1: none
	lr   float64
}

const kindFunction = "function"

func (f *function) LR(step int) float64 {
	f.last, f.lr = step, f.rate(step)
	return f.lr
}

func (f *function) Observe(float64) {}

func (f *function) State() State {
	s := State{Kind: kindFunction, Scalars: map[string]float64{"last": float64(f.last), "lr": 0}}
	if f.last >= 0 && f.lr == f.lr { // a state has no NaN
		s.Scalars["lr"] = f.lr
	}
	return s
}

func (f *function) Restore(s State) error {
	if err := s.check(kindFunction, "last", "lr"); err != nil {
		return err
	}
	last, err := s.whole("last", -1, math.MaxInt32)
	if err != nil {
		return misfit(kindFunction, err.Error())
	}
	lr := 0.0
	if last >= 0 {
		lr = f.rate(last)
	}
	if was := s.Scalars["lr"]; lr != was {
		return misfit(kindFunction, fmt.Sprintf("it is another function: the rate of step %d is %g, "+
			"and was %g", last, lr, was))
	}
	f.last, f.lr = last, lr
	return nil
}

// StepDecayConfig configures [NewStepDecay].
type StepDecayConfig struct {
	LR    float64 // rate of the first steps; required
	Every int     // steps from one fall to the next; required
	Gamma float64 // γ, what the rate is multiplied by, in (0, 1]; 0 means 0.1
}

// NewStepDecay is LR·γ^⌊step/Every⌋. The error names every field that is out of its range.
func NewStepDecay(c StepDecayConfig) (Schedule, error) {
	c.Gamma = or(c.Gamma, 0.1)
	check := checks{config: "StepDecayConfig"}
	check.positive("LR", c.LR)
	check.field(c.Every > 0, "Every", c.Every, "at least 1")
	check.factor("Gamma", c.Gamma)
	if err := check.err(); err != nil {
		return nil, err
	}
	return &curve{"step_decay", func(step int) float64 {
		return c.LR * math.Pow(c.Gamma, float64(step/c.Every))
	}}, nil
}

// ExponentialConfig configures [NewExponential].
type ExponentialConfig struct {
	LR    float64 // rate of step 0; required
	Gamma float64 // γ, what every step multiplies the rate by, in (0, 1]; required
}

// NewExponential is LR·γ^step. The error names every field that is out of its range.
func NewExponential(c ExponentialConfig) (Schedule, error) {
	check := checks{config: "ExponentialConfig"}
	check.positive("LR", c.LR)
	check.factor("Gamma", c.Gamma)
	if err := check.err(); err != nil {
		return nil, err
	}
	return &curve{"exponential",
		func(step int) float64 { return c.LR * math.Pow(c.Gamma, float64(step)) }}, nil
}

// CosineConfig configures [NewCosine].
type CosineConfig struct {
	LR     float64 // highest rate; required
	MinLR  float64 // lowest rate, that of step Total and all after it; at most LR
	Warmup int     // steps of the linear rise at the start; 0 is none
	Total  int     // steps of the whole schedule, more than Warmup; required
}

// NewCosine falls along half a cosine (Loshchilov and Hutter, 2017, without restarts), after a
// linear rise (Goyal et al., 2017):
//
//	step < Warmup   LR·(step+1)/Warmup
//	otherwise       MinLR + (LR − MinLR)·½(1 + cos(π·min(1, (step − Warmup)/(Total − Warmup))))
//
// The error names every field that is out of its range.
func NewCosine(c CosineConfig) (Schedule, error) {
	check := checks{config: "CosineConfig"}
	check.positive("LR", c.LR)
	check.field(c.MinLR >= 0 && c.MinLR <= c.LR, "MinLR", c.MinLR, "from 0 to LR")
	check.field(c.Warmup >= 0, "Warmup", c.Warmup, "not negative")
	check.field(c.Total > c.Warmup, "Total", c.Total, "more than Warmup")
	if err := check.err(); err != nil {
		return nil, err
	}
	return &curve{"cosine", func(step int) float64 {
		if step < c.Warmup {
			return c.LR * float64(step+1) / float64(c.Warmup)
		}
		done := min(1, float64(step-c.Warmup)/float64(c.Total-c.Warmup))
		return c.MinLR + (c.LR-c.MinLR)*0.5*(1+math.Cos(math.Pi*done))
	}}, nil
}

// PlateauConfig configures [NewPlateau].
type PlateauConfig struct {
	LR     float64 // rate until the first fall; required
	Factor float64 // what a fall multiplies the rate by, in (0, 1); 0 means 0.1
	// observations without progress, one after another, that are tolerated; the next one lowers the
	// rate
	Patience  int
	Threshold float64 // share of the best metric that counts as progress, in [0, 1)
	MinDelta  float64 // by how much more a metric must be better than the best to count as progress
	Cooldown  int     // observations after a fall of which none counts as one without progress
	MinLR     float64 // lowest rate; at most LR
	// whether smaller or larger metrics are better; "" means Smaller, and in Fit what Config.Goal
	// means
	Goal Goal
}

// NewPlateau lowers the rate when the metric stops getting better. A metric that is better than the
// best by more than |best|·Threshold + MinDelta is progress and becomes the best; NaN and
// infinities are no progress. It serves one training. The error names every field that is out of
// its range.
func NewPlateau(c PlateauConfig) (Schedule, error) {
	c.Factor = or(c.Factor, 0.1)
	check := checks{config: "PlateauConfig"}
	check.positive("LR", c.LR)
	check.field(c.Factor > 0 && c.Factor < 1, "Factor", c.Factor, "more than 0 and less than 1")
	check.field(c.Patience >= 0, "Patience", c.Patience, "not negative")
	check.fraction("Threshold", c.Threshold)
	check.rate("MinDelta", c.MinDelta)
	check.field(c.Cooldown >= 0, "Cooldown", c.Cooldown, "not negative")
	check.field(c.MinLR >= 0 && c.MinLR <= c.LR, "MinLR", c.MinLR, "from 0 to LR")
	check.field(c.Goal.known(), "Goal", c.Goal, goalsWanted)
	if err := check.err(); err != nil {
		return nil, err
	}
	return &plateau{config: c, lr: c.LR, best: c.Goal.worst()}, nil
}

type plateau struct {
	config   PlateauConfig
	lr, best float64
	bad      int // observations since the last progress or fall
	cooling  int // observations to come that do not count, after a fall
	observed int
}

func (p *plateau) LR(int) float64 { return p.lr }

func (p *plateau) Observe(metric float64) {
	p.observed++
	if math.IsInf(p.best, 0) { // nothing is observed yet, and the goal may have been set since
		p.best = p.config.Goal.worst()
	}
	margin := 0.0
	if !math.IsInf(p.best, 0) {
		margin = math.Abs(p.best)*p.config.Threshold + p.config.MinDelta
	}
	cooling := p.cooling > 0
	if cooling {
		p.cooling--
	}
	switch {
	case p.config.Goal.better(metric, p.best, margin):
		p.best, p.bad = metric, 0
	case cooling:
		p.bad = 0
	default:
		if p.bad++; p.bad > p.config.Patience {
			p.lr, p.bad = max(p.lr*p.config.Factor, p.config.MinLR), 0
			p.cooling = p.config.Cooldown
		}
	}
}

func (p *plateau) aim() *Goal        { return &p.config.Goal }
func (p *plateau) observations() int { return p.observed }

func (p *plateau) State() State {
	s := State{Kind: p.config.Goal.kind("plateau"), Step: p.observed,
		Scalars: map[string]float64{"lr": p.lr, "best": p.best, "bad": float64(p.bad)}}
	if p.config.Cooldown > 0 {
		s.Scalars["cooling"] = float64(p.cooling)
	}
	return s
}

func (p *plateau) Restore(s State) error {
	kind := p.config.Goal.kind("plateau")
	names := []string{"lr", "best", "bad"}
	if p.config.Cooldown > 0 {
		names = append(names, "cooling")
	}
	if err := s.check(kind, names...); err != nil {
		return err
	}
	bad, err := s.whole("bad", 0, s.Step)
	if err != nil {
		return misfit(kind, err.Error())
	}
	cooling, err := s.whole("cooling", 0, p.config.Cooldown)
	if err != nil {
		return misfit(kind, err.Error())
	}
	lr := s.Scalars["lr"]
	if !nonNegative(lr) {
		return misfit(kind, fmt.Sprintf("scalar \"lr\" is %v, and must be finite and not "+
			"negative", lr))
	}
	p.lr, p.best, p.bad, p.cooling, p.observed = lr, s.Scalars["best"], bad, cooling, s.Step
	return nil
}
