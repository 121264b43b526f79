package cells

import (
	"math"

	"github.com/seqzoo/seqzoo/nodes"
)

// LRUConfig is a linear recurrent unit (Orvieto et al., 2023), a linear recurrence with a
// complex diagonal matrix:
//
//	λ  = exp(−exp(ν) + i·exp(θ))
//	s' = λ∘s + exp(γ)∘(x·B)       s and B complex
//	y  = Re(s'·C) + x·D
//
// A complex number is a pair of reals here. |λ| < 1 whatever is learned, so the state cannot
// explode.
//
// Its state is {y, re, im}: the output, and s.
//
// The zero value of an optional field is its default.
type LRUConfig struct {
	In, Hidden int
	Units      int `json:"units,omitempty"` // complex numbers in the state; default Hidden
	// the eigenvalues begin with |λ| in [MinRadius, MaxRadius]; default 0.9 …
	MinRadius float64 `json:"min_radius,omitempty"`
	MaxRadius float64 `json:"max_radius,omitempty"` // … to 0.999
	MaxPhase  float64 `json:"max_phase,omitempty"`  // and arguments in [0, MaxPhase]; default π/10
}

// Validate reports every field that is out of range.
func (c LRUConfig) Validate() error {
	c = c.withDefaults()
	bad := checkWidths("LRU", "In", c.In, "Hidden", c.Hidden, "Units", c.Units)
	bad.That(0 < c.MinRadius && c.MinRadius < c.MaxRadius && c.MaxRadius < 1,
		"MinRadius is %g and MaxRadius %g, want 0 < MinRadius < MaxRadius < 1", c.MinRadius,
		c.MaxRadius)
	bad.That(0 < c.MaxPhase && c.MaxPhase <= 2*math.Pi,
		"MaxPhase is %g, want more than 0 and at most 2π", c.MaxPhase)
	return bad.Err()
}

// Sized is the configuration for the given widths.
func (c LRUConfig) Sized(in, hidden int) Config {
	c.In, c.Hidden = in, hidden
	return c
}

func init() { Register("lru", LRUConfig{}) }

func (c LRUConfig) withDefaults() LRUConfig {
	if c.Units == 0 {
		c.Units = c.Hidden
	}
	if c.MinRadius == 0 {
		c.MinRadius = 0.9
	}
	if c.MaxRadius == 0 {
		c.MaxRadius = 0.999
	}
	if c.MaxPhase == 0 {
		c.MaxPhase = math.Pi / 10
	}
	return c
}

// lru is the cell of LRUConfig.
type lru struct {
	cfg                  LRUConfig
	nu, theta, gamma     *nodes.Param
	wIH, wRe, wIm, wSkip *nodes.Param
}

// New declares nu, theta and gamma [N], W_ih [In, 2N] (B, real parts first), W_re and W_im [N,
// H] (C, whose imaginary part has the sign of −Im C), and W_skip [In, H] (D) under s, N being
// Units. Radii begin uniform over the area of the ring, arguments uniform in their logarithm's
// domain as the paper draws them, and γ so that the state has the variance of its input.
func (cfg LRUConfig) New(s *nodes.Scope) Cell {
	must(s, "LRUConfig.New", cfg.Validate())
	cfg = cfg.withDefaults()
	N := cfg.Units
	radius := math.Sqrt((cfg.MinRadius*cfg.MinRadius + cfg.MaxRadius*cfg.MaxRadius) / 2)
	low, high := math.Log(-math.Log(cfg.MaxRadius)), math.Log(-math.Log(cfg.MinRadius))
	return &lru{
		cfg:   cfg,
		nu:    s.Param("nu", nodes.Uniform(low, high), N),
		theta: s.Param("theta", nodes.Uniform(math.Log(cfg.MaxPhase)-5, math.Log(cfg.MaxPhase)), N),
		gamma: s.Param("gamma", nodes.Constant(math.Log(1-radius*radius)/2), N),
		wIH:   s.Param("W_ih", nodes.Normal(0, 1/math.Sqrt(2*float64(cfg.In))), cfg.In, 2*N),
		wRe:   s.Param("W_re", nodes.Normal(0, 1/math.Sqrt(float64(N))), N, cfg.Hidden),
		wIm:   s.Param("W_im", nodes.Normal(0, 1/math.Sqrt(float64(N))), N, cfg.Hidden),
		wSkip: s.Param("W_skip", nodes.XavierUniform(1), cfg.In, cfg.Hidden),
	}
}

// Parts is {y, re, im}.
func (c *lru) Parts() []Part {
	return []Part{{Name: "y", Width: c.cfg.Hidden}, {Name: "re", Width: c.cfg.Units},
		{Name: "im", Width: c.cfg.Units}}
}

// Role tells the weights of the input from those that only read the state.
func (c *lru) Role(leaf string) Role {
	if leaf == "W_ih" || leaf == "W_skip" {
		return OfInput
	}
	return NoRole
}

// Step advances one time step.
func (c *lru) Step(x *nodes.Node, s State) State {
	ready(c, c.wIH, x, s)
	re, im := s[1], s[2]
	radius := nodes.Exp(nodes.Neg(nodes.Exp(x.Graph().Param(c.nu))))
	phase := nodes.Exp(x.Graph().Param(c.theta))
	a, b := nodes.Mul(radius, nodes.Cos(phase)), nodes.Mul(radius, nodes.Sin(phase)) // λ = a + ib
	in := nodes.Split(nodes.MatMul(x, c.wIH), 2, -1)
	scale := nodes.Exp(x.Graph().Param(c.gamma))
	nextRe := nodes.Add(nodes.Sub(nodes.Mul(a, re), nodes.Mul(b, im)), nodes.Mul(scale, in[0]))
	nextIm := nodes.Add(nodes.Mul(a, im), nodes.Mul(b, re), nodes.Mul(scale, in[1]))
	y := nodes.Add(nodes.MatMul(nextRe, c.wRe), nodes.MatMul(nextIm, c.wIm),
		nodes.MatMul(x, c.wSkip))
	return State{y, nextRe, nextIm}
}
