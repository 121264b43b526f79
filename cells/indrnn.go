package cells

import (
	"math"

	"github.com/seqzoo/seqzoo/nodes"
)

// IndRNNConfig is an independently recurrent network (Li et al., 2018), whose units see only
// themselves in the state:
//
//	h' = relu(x·W_ih + u∘h + b)
//
// A unit's gradient over T steps has the factor u^T at most, so |u| ≤ 2^(1/T) keeps it from
// exploding: Bounded holds it there. Units meet in the layer above.
//
// The authors solve the adding problem by two layers, both Bounded and with an InputStd of 0.001,
// the upper one Lasting. They set a u that has left its bounds back onto them after an update; here
// the step takes it for the bound, and its gradient is 0 until something else leads it back.
//
// Its state is {h}.
//
// The zero value of an optional field is its default.
type IndRNNConfig struct {
	In, Hidden int
	Activation Activation `json:"activation,omitempty"` // default relu, as in the paper
	// over how many steps a unit is to remember: u begins within 2^(1/Steps); default 100
	Steps int `json:"steps,omitempty"`
	// u is clipped to ±2^(1/Steps) in every step, however far training takes it; default: it has no
	// bounds after the start
	Bounded bool `json:"bounded,omitempty"`
	// u begins between 2^(−1/Steps) and 2^(1/Steps), so that every unit remembers Steps steps, where
	// it would begin between 0 and 2^(1/Steps): for a layer of which only the last step is used
	Lasting bool `json:"lasting,omitempty"`
	NoBias  bool `json:"no_bias,omitempty"`
	// W_ih begins normal with this standard deviation; 0: as InitInput says. A unit that lasts sums
	// up its inputs, so these are to be small.
	InputStd  float64    `json:"input_std,omitempty"`
	InitInput nodes.Init // of W_ih; default He uniform
	InitBias  nodes.Init // of b; default zeros
}

// Validate reports every field that is out of range.
func (c IndRNNConfig) Validate() error {
	bad := checkWidths("IndRNN", "In", c.In, "Hidden", c.Hidden)
	bad.Optional("Steps", c.Steps, 1, math.MaxInt, "or 0 for 100")
	checkActivation(bad, c.Activation)
	bad.NotNegative("InputStd", c.InputStd, "0 for what InitInput says")
	bad.That(c.InputStd == 0 || c.InitInput.IsZero(),
		"InputStd and InitInput both say how W_ih begins; set one of them")
	return bad.Err()
}

// Sized is the configuration for the given widths.
func (c IndRNNConfig) Sized(in, hidden int) Config {
	c.In, c.Hidden = in, hidden
	return c
}

func init() { Register("indrnn", IndRNNConfig{}) }

// indRNN is the cell of IndRNNConfig.
type indRNN struct {
	cfg       IndRNNConfig
	limit     float64      // 2^(1/Steps)
	wIH, u, b *nodes.Param // b may be nil
}

// New declares W_ih [In, H], u [H] and b [H] under s.
func (cfg IndRNNConfig) New(s *nodes.Scope) Cell {
	must(s, "IndRNNConfig.New", cfg.Validate())
	if cfg.Activation == "" {
		cfg.Activation = ReLU
	}
	if cfg.Steps == 0 {
		cfg.Steps = 100
	}
	limit, least := math.Pow(2, 1/float64(cfg.Steps)), 0.
	if cfg.Lasting {
		least = 1 / limit
	}
	input := or(cfg.InitInput, nodes.HeUniform(math.Sqrt2))
	if cfg.InputStd > 0 {
		input = nodes.Normal(0, cfg.InputStd)
	}
	return &indRNN{
		cfg:   cfg,
		limit: limit,
		wIH:   s.Param("W_ih", input, cfg.In, cfg.Hidden),
		u:     s.Param("u", nodes.Uniform(least, limit), cfg.Hidden),
		b:     bias(s, cfg.NoBias, "b", cfg.InitBias, cfg.Hidden),
	}
}

// Parts is {h}.
func (c *indRNN) Parts() []Part { return []Part{{Name: "h", Width: c.cfg.Hidden}} }

// Step advances one time step.
func (c *indRNN) Step(x *nodes.Node, s State) State {
	ready(c, c.wIH, x, s)
	u := x.Graph().Param(c.u)
	if c.cfg.Bounded {
		u = nodes.Clip(u, -c.limit, c.limit)
	}
	return State{c.cfg.Activation.of(nodes.Add(affine(x, c.wIH, c.b), nodes.Mul(s[0], u)))}
}
