package cells

import (
	"github.com/seqzoo/seqzoo/internal/steps"
	"github.com/seqzoo/seqzoo/nodes"
)

// RNNConfig is the simple recurrent network (Elman, 1990):
//
//	h' = act(x·W_ih + h·W_hh + b)
//
// Its state is {h}.
//
// The zero value of an optional field is its default.
type RNNConfig struct {
	In, Hidden int
	Activation Activation `json:"activation,omitempty"` // Tanh (default), ReLU or Sigmoid
	NoBias     bool       `json:"no_bias,omitempty"`
	// Uniform draws all first weights and biases that no Init sets from ±1/√Hidden, as PyTorch
	// does.
	Uniform    bool       `json:"uniform,omitempty"`
	InitInput  nodes.Init // of W_ih; default Xavier uniform
	InitHidden nodes.Init // of W_hh; default orthogonal
	InitBias   nodes.Init // of b; default zeros
}

// Validate reports every field that is out of range.
func (c RNNConfig) Validate() error {
	bad := checkWidths("RNN", "In", c.In, "Hidden", c.Hidden)
	checkActivation(bad, c.Activation)
	return bad.Err()
}

// Sized is the configuration for the given widths.
func (c RNNConfig) Sized(in, hidden int) Config {
	c.In, c.Hidden = in, hidden
	return c
}

func init() { Register("rnn", RNNConfig{}) }

// rnn is the cell of RNNConfig.
type rnn struct {
	cfg         RNNConfig
	wIH, wHH, b *nodes.Param
}

// NewRNN is cfg.New(s), which reads better where the configuration is written out.
func NewRNN(s *nodes.Scope, cfg RNNConfig) Cell { return cfg.New(s) }

// New declares W_ih [In, H], W_hh [H, H] and b [H] under s.
func (cfg RNNConfig) New(s *nodes.Scope) Cell {
	must(s, "RNNConfig.New", cfg.Validate())
	if cfg.Uniform {
		setUniform(cfg.Hidden, &cfg.InitInput, &cfg.InitHidden, &cfg.InitBias)
	}
	r := &rnn{
		cfg: cfg,
		wIH: s.Param("W_ih", or(cfg.InitInput, nodes.XavierUniform(1)), cfg.In, cfg.Hidden),
		wHH: s.Param("W_hh", or(cfg.InitHidden, nodes.Orthogonal(1)), cfg.Hidden, cfg.Hidden),
		b:   bias(s, cfg.NoBias, "b", cfg.InitBias, cfg.Hidden),
	}
	if cfg.Activation == Sigmoid {
		steps.Own(r.wIH, "an RNN of sigmoids")
	}
	return r
}

// Parts is {h}.
func (r *rnn) Parts() []Part { return []Part{{Name: "h", Width: r.cfg.Hidden}} }

// Step advances one time step.
func (r *rnn) Step(x *nodes.Node, s State) State {
	ready(r, r.wIH, x, s)
	h := s[0]
	return State{r.cfg.Activation.of(nodes.Add(affine(x, r.wIH, r.b), nodes.MatMul(h, r.wHH)))}
}
