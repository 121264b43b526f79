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
// exploding. Units meet in the layer above.
//
// Its state is {h}.
//
// The zero value of an optional field is its default.
type IndRNNConfig struct {
	In, Hidden int
	Activation Activation `json:"activation,omitempty"` // default relu, as in the paper
	// over how many steps a unit is to remember: u begins within 2^(1/Steps); default 100
	Steps     int        `json:"steps,omitempty"`
	NoBias    bool       `json:"no_bias,omitempty"`
	InitInput nodes.Init // of W_ih; default He uniform
	InitBias  nodes.Init // of b; default zeros
}

// Validate reports every field that is out of range.
func (c IndRNNConfig) Validate() error {
	bad := checkWidths("IndRNN", "In", c.In, "Hidden", c.Hidden)
	bad.Optional("Steps", c.Steps, 1, math.MaxInt, "or 0 for 100")
	checkActivation(bad, c.Activation)
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
	return &indRNN{
		cfg: cfg,
		wIH: s.Param("W_ih", or(cfg.InitInput, nodes.HeUniform(math.Sqrt2)), cfg.In, cfg.Hidden),
		u:   s.Param("u", nodes.Uniform(0, math.Pow(2, 1/float64(cfg.Steps))), cfg.Hidden),
		b:   bias(s, cfg.NoBias, "b", cfg.InitBias, cfg.Hidden),
	}
}

// Parts is {h}.
func (c *indRNN) Parts() []Part { return []Part{{Name: "h", Width: c.cfg.Hidden}} }

// Step advances one time step.
func (c *indRNN) Step(x *nodes.Node, s State) State {
	ready(c, c.wIH, x, s)
	return State{c.cfg.Activation.of(nodes.Add(affine(x, c.wIH, c.b), nodes.Mul(s[0], c.u)))}
}
