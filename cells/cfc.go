package cells

import (
	"github.com/seqzoo/seqzoo/internal/steps"
	"github.com/seqzoo/seqzoo/nodes"
)

// CfCConfig is a closed-form continuous-time network (Hasani et al., 2022), the solution of a
// liquid time-constant equation, so that the time between steps may differ:
//
//	u  = [x, h], or tanh(x·W_ih + h·W_hh + b) with a backbone
//	h' = tanh(u·W_f + b_f)∘(1 − σ(t)) + tanh(u·W_g + b_g)∘σ(t),   t = (u·W_a + b_a)·Δ + u·W_b + b_b
//
// where Δ is the gap of time. The activation of the authors' backbone is 1.7159·tanh(⅔u); this one
// is tanh.
//
// Its state is {h}.
//
// The zero value of an optional field is its default.
type CfCConfig struct {
	In, Hidden int
	// Gaps: the last feature of the input is the time that has gone by since the step before, in
	// units of which the network learns what is long. Default: every step takes 1.
	Gaps bool `json:"gaps,omitempty"`
	// Backbone is the width of a tanh layer that the four heads read; 0: they read input and state
	// themselves.
	Backbone  int        `json:"backbone,omitempty"`
	InitInput nodes.Init // of W_ih and W; default Xavier uniform
}

// Validate reports every field that is out of range.
func (c CfCConfig) Validate() error {
	bad := checkWidths("CfC", "In", c.In, "Hidden", c.Hidden)
	bad.Optional("Backbone", c.Backbone, 1, MaxWidth, "or 0 for none")
	bad.That(!c.Gaps || c.In != 1,
		"In is 1 and Gaps is set: want at least one feature beside the gap")
	return bad.Err()
}

// Sized is the configuration for the given widths.
func (c CfCConfig) Sized(in, hidden int) Config {
	c.In, c.Hidden = in, hidden
	return c
}

func init() { Register("cfc", CfCConfig{}) }

// cfc is the cell of CfCConfig.
type cfc struct {
	cfg          CfCConfig
	features     int // of x, without the gap
	wIH, wHH, b  *nodes.Param
	wHead, bHead *nodes.Param // with a backbone
}

// New declares, without a backbone, W_ih [F, 4H], W_hh [H, 4H] and b [4H], the heads in the
// order f, g, a, b, where F is In, less 1 with Gaps; with one of width K, W_ih [F, K], W_hh [H, K],
// b [K], W [K, 4H] and b_heads [4H].
func (cfg CfCConfig) New(s *nodes.Scope) Cell {
	must(s, "CfCConfig.New", cfg.Validate())
	c := &cfc{cfg: cfg, features: cfg.In}
	if cfg.Gaps {
		c.features--
	}
	H, init := cfg.Hidden, or(cfg.InitInput, nodes.XavierUniform(1))
	if K := cfg.Backbone; K > 0 {
		c.wIH, c.wHH = s.Param("W_ih", init, c.features, K), s.Param("W_hh", init, H, K)
		c.b = s.Param("b", nodes.Zeros(), K)
		c.wHead, c.bHead = s.Param("W", nodes.Gates(4, init), K, 4*H),
			s.Param("b_heads", nodes.Zeros(), 4*H)
		return c
	}
	c.wIH, c.wHH = s.Param("W_ih", nodes.Gates(4, init), c.features, 4*H),
		s.Param("W_hh", nodes.Gates(4, init), H, 4*H)
	steps.Own(c.wIH, "a CfC")
	c.b = s.Param("b", nodes.Zeros(), 4*H)
	return c
}

// Parts is {h}.
func (c *cfc) Parts() []Part { return []Part{{Name: "h", Width: c.cfg.Hidden}} }

// Role tells the weights of input and state from those of the heads behind them.
func (c *cfc) Role(leaf string) Role {
	switch leaf {
	case "W_ih":
		return OfInput
	case "W_hh":
		return OfState
	}
	return NoRole
}

// Step advances one time step.
func (c *cfc) Step(x *nodes.Node, s State) State {
	ready(c, c.wIH, x, s)
	var gap nodes.Operand = nodes.Scalar(1)
	if c.cfg.Gaps {
		gap = nodes.Slice(x, -1, c.features, c.cfg.In)
		x = nodes.Slice(x, -1, 0, c.features)
	}
	u := nodes.Add(affine(x, c.wIH, c.b), nodes.MatMul(s[0], c.wHH))
	if c.wHead != nil {
		u = affine(nodes.Tanh(u), c.wHead, c.bHead)
	}
	heads := nodes.Split(u, 4, -1)
	t := nodes.Sigmoid(nodes.Add(nodes.Mul(heads[2], gap), heads[3]))
	early, late := nodes.Tanh(heads[0]), nodes.Tanh(heads[1])
	return State{nodes.Add(nodes.Mul(early, nodes.OneMinus(t)), nodes.Mul(late, t))}
}
