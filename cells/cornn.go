package cells

import (
	"math"

	"github.com/seqzoo/seqzoo/nodes"
)

// CoRNNConfig is a coupled oscillatory network (Rusch and Mishra, 2021): units that swing,
// driven by the input and by each other:
//
//	z' = z + Δt·(tanh(x·V + y·W + z·𝒲 + b) − γy − εz)
//	y' = y + Δt·z'
//
// Its state is {y, z}; y is the output, z its velocity.
//
// The zero value of an optional field is its default.
type CoRNNConfig struct {
	In, Hidden int
	// time step; default 0.042, as the authors use for sequential MNIST
	Dt float64 `json:"dt,omitempty"`
	// frequency: how strongly y pulls back; default 2.7
	Gamma   float64 `json:"gamma,omitempty"`
	Epsilon float64 `json:"epsilon,omitempty"` // damping; default 4.7
	// of all weights and biases; default uniform in ±1/√(In + 2·Hidden), as PyTorch has it
	Init nodes.Init
}

// Validate reports every field that is out of range.
func (c CoRNNConfig) Validate() error {
	bad := checkWidths("CoRNN", "In", c.In, "Hidden", c.Hidden)
	bad.NotNegative("Dt", c.Dt, "0 for the default")
	bad.NotNegative("Gamma", c.Gamma, "0 for the default")
	bad.NotNegative("Epsilon", c.Epsilon, "0 for the default")
	return bad.Err()
}

// Sized is the configuration for the given widths.
func (c CoRNNConfig) Sized(in, hidden int) Config {
	c.In, c.Hidden = in, hidden
	return c
}

func init() { Register("cornn", CoRNNConfig{}) }

// coRNN is the cell of CoRNNConfig.
type coRNN struct {
	cfg            CoRNNConfig
	wIH, wY, wZ, b *nodes.Param
}

// New declares W_ih [In, H], W_hh_y [H, H], W_hh_z [H, H] and b [H] under s.
func (cfg CoRNNConfig) New(s *nodes.Scope) Cell {
	must(s, "CoRNNConfig.New", cfg.Validate())
	for _, f := range []struct {
		field *float64
		value float64
	}{{&cfg.Dt, 0.042}, {&cfg.Gamma, 2.7}, {&cfg.Epsilon, 4.7}} {
		if *f.field == 0 {
			*f.field = f.value
		}
	}
	H, bound := cfg.Hidden, 1/math.Sqrt(float64(cfg.In+2*cfg.Hidden))
	init := or(cfg.Init, nodes.Uniform(-bound, bound))
	return &coRNN{
		cfg: cfg,
		wIH: s.Param("W_ih", init, cfg.In, H),
		wY:  s.Param("W_hh_y", init, H, H),
		wZ:  s.Param("W_hh_z", init, H, H),
		b:   s.Param("b", init, H),
	}
}

// Parts is {y, z}.
func (c *coRNN) Parts() []Part {
	return []Part{{Name: "y", Width: c.cfg.Hidden}, {Name: "z", Width: c.cfg.Hidden}}
}

// Step advances one time step.
func (c *coRNN) Step(x *nodes.Node, s State) State {
	ready(c, c.wIH, x, s)
	y, z := s[0], s[1]
	drive := nodes.Tanh(nodes.Add(affine(x, c.wIH, c.b), nodes.MatMul(y, c.wY),
		nodes.MatMul(z, c.wZ)))
	force := nodes.Sub(nodes.Sub(drive, nodes.Scale(y, c.cfg.Gamma)), nodes.Scale(z, c.cfg.Epsilon))
	z = nodes.Add(z, nodes.Scale(force, c.cfg.Dt))
	return State{nodes.Add(y, nodes.Scale(z, c.cfg.Dt)), z}
}
