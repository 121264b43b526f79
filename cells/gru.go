package cells

import (
	"github.com/seqzoo/seqzoo/nodes"
)

// GRUConfig is a gated recurrent unit (Cho et al., 2014):
//
//	r, z = σ(x·W_ih + h·W_hh + b)
//	n    = tanh(x·W_in + b_in + r∘(h·W_hn + b_hn))    reset after
//	n    = tanh(x·W_in + b_in + (r∘h)·W_hn)           reset before
//	h'   = (1 − z)∘n + z∘h
//
// Its state is {h}.
//
// The zero value of an optional field is its default.
type GRUConfig struct {
	In, Hidden int
	// reset h before its product, as Cho et al. wrote it; default: reset the product, as cuDNN and
	// PyTorch
	ResetBefore bool `json:"reset_before,omitempty"`
	NoBias      bool `json:"no_bias,omitempty"`
	// Uniform draws all first weights and biases that no Init sets from ±1/√Hidden, as PyTorch does
	// (b_hn begins at 0).
	Uniform bool `json:"uniform,omitempty"`
	// Memory is how many steps the cell is to remember at the start: its units are spread over all
	// times up to it (nodes.Chrono; Tallec and Ollivier, 2018). 0: the biases begin as said below.
	Memory     int        `json:"memory,omitempty"`
	InitInput  nodes.Init // of W_ih, every gate; default Xavier uniform
	InitHidden nodes.Init // of W_hh, every gate; default orthogonal
	InitBias   nodes.Init // of b; default zeros
}

// Validate reports every field that is out of range.
func (c GRUConfig) Validate() error {
	bad := checkWidths("GRU", "In", c.In, "Hidden", c.Hidden)
	checkMemory(bad, c.Memory, c.Uniform)
	return bad.Err()
}

// Sized is the configuration for the given widths.
func (c GRUConfig) Sized(in, hidden int) Config {
	c.In, c.Hidden = in, hidden
	return c
}

func init() { Register("gru", GRUConfig{}) }

// gru is the cell of GRUConfig.
type gru struct {
	cfg      GRUConfig
	gates    int // in W_hh
	wIH, wHH *nodes.Param
	wHN      *nodes.Param // only where the reset comes before
	b, bHN   *nodes.Param // or nil; bHN only where the reset comes after
}

// NewGRU is cfg.New(s), which reads better where the configuration is written out.
func NewGRU(s *nodes.Scope, cfg GRUConfig) Cell { return cfg.New(s) }

// New declares W_ih [In, 3H] and b [3H] under s, gates in the order r, z, n. Reset after: W_hh
// [H, 3H] and b_hn [H]. Reset before: W_hh [H, 2H] of r and z, and W_hh_n [H, H].
func (cfg GRUConfig) New(s *nodes.Scope) Cell {
	must(s, "GRUConfig.New", cfg.Validate())
	if cfg.Uniform {
		setUniform(cfg.Hidden, &cfg.InitInput, &cfg.InitHidden, &cfg.InitBias)
	}
	if cfg.Memory > 0 {
		cfg.InitBias = or(cfg.InitBias, nodes.Blocks(nodes.Zeros(),
			nodes.Chrono(float64(cfg.Memory), 1), nodes.Zeros()))
	}
	H := cfg.Hidden
	hidden := or(cfg.InitHidden, nodes.Orthogonal(1))
	gates := 3 // in W_hh
	if cfg.ResetBefore {
		gates = 2
	}
	g := &gru{
		cfg: cfg, gates: gates,
		wIH: s.Param("W_ih", nodes.Gates(3, or(cfg.InitInput, nodes.XavierUniform(1))), cfg.In,
			3*H),
		wHH: s.Param("W_hh", nodes.Gates(gates, hidden), H, gates*H),
		b:   bias(s, cfg.NoBias, "b", cfg.InitBias, 3*H),
	}
	if cfg.ResetBefore {
		g.wHN = s.Param("W_hh_n", hidden, H, H)
	} else {
		g.bHN = bias(s, cfg.NoBias, "b_hn", nodes.Zeros(), H)
	}
	return g
}

// Parts is {h}.
func (g *gru) Parts() []Part { return []Part{{Name: "h", Width: g.cfg.Hidden}} }

// Step advances one time step.
func (g *gru) Step(x *nodes.Node, s State) State {
	ready(g, g.wIH, x, s)
	h := s[0]
	ax := nodes.Split(affine(x, g.wIH, g.b), 3, -1)        // r, z, n
	ah := nodes.Split(nodes.MatMul(h, g.wHH), g.gates, -1) // r, z, and n if the reset comes after
	r := nodes.Sigmoid(nodes.Add(ax[0], ah[0]))
	z := nodes.Sigmoid(nodes.Add(ax[1], ah[1]))
	var n *nodes.Node
	if g.cfg.ResetBefore {
		n = nodes.MatMul(nodes.Mul(r, h), g.wHN)
	} else {
		n = nodes.Mul(r, plus(ah[2], g.bHN))
	}
	n = nodes.Tanh(nodes.Add(ax[2], n))
	return State{nodes.Add(nodes.Mul(nodes.OneMinus(z), n), nodes.Mul(z, h))}
}
