package cells

import (
	"github.com/seqzoo/seqzoo/nodes"
)

// UGRNNConfig is an update gate network, a cell between the plain RNN and the GRU (Collins,
// Sohl-Dickstein and Sussillo, 2017):
//
//	n  = tanh(x·W_in + h·W_hn + b_n)
//	g  = σ(x·W_ig + h·W_hg + b_g)
//	h' = g∘h + (1 − g)∘n
//
// Its state is {h}.
//
// The zero value of an optional field is its default.
type UGRNNConfig struct {
	In, Hidden int
	Activation Activation `json:"activation,omitempty"` // of the candidate; default tanh
	// Memory is how many steps the cell is to remember at the start: its units are spread over all
	// times up to it (nodes.Chrono; Tallec and Ollivier, 2018). 0: the biases begin as said below.
	Memory     int        `json:"memory,omitempty"`
	InitInput  nodes.Init // of W_ih, both blocks; default Xavier uniform
	InitHidden nodes.Init // of W_hh, both blocks; default orthogonal
	InitBias   nodes.Init // of b; default 1 for the gate, which keeps the state, else 0
}

// Validate reports every field that is out of range.
func (c UGRNNConfig) Validate() error {
	bad := checkWidths("UGRNN", "In", c.In, "Hidden", c.Hidden)
	checkActivation(bad, c.Activation)
	checkMemory(bad, c.Memory, false)
	return bad.Err()
}

// Sized is the configuration for the given widths.
func (c UGRNNConfig) Sized(in, hidden int) Config {
	c.In, c.Hidden = in, hidden
	return c
}

func init() { Register("ugrnn", UGRNNConfig{}) }

// ugrnn is the cell of UGRNNConfig.
type ugrnn struct {
	cfg         UGRNNConfig
	wIH, wHH, b *nodes.Param
}

// New declares W_ih [In, 2H], W_hh [H, 2H] and b [2H] under s, in the order n, g.
func (cfg UGRNNConfig) New(s *nodes.Scope) Cell {
	must(s, "UGRNNConfig.New", cfg.Validate())
	H := cfg.Hidden
	return &ugrnn{
		cfg: cfg,
		wIH: s.Param("W_ih", nodes.Gates(2, or(cfg.InitInput, nodes.XavierUniform(1))), cfg.In,
			2*H),
		wHH: s.Param("W_hh", nodes.Gates(2, or(cfg.InitHidden, nodes.Orthogonal(1))), H, 2*H),
		b: s.Param("b", or(cfg.InitBias, nodes.Blocks(nodes.Zeros(),
			chrono(cfg.Memory, 1, nodes.Ones()))), 2*H),
	}
}

// Parts is {h}.
func (c *ugrnn) Parts() []Part { return []Part{{Name: "h", Width: c.cfg.Hidden}} }

// Step advances one time step.
func (c *ugrnn) Step(x *nodes.Node, s State) State {
	ready(c, c.wIH, x, s)
	h := s[0]
	a := nodes.Split(nodes.Add(affine(x, c.wIH, c.b), nodes.MatMul(h, c.wHH)), 2, -1)
	n, g := c.cfg.Activation.of(a[0]), nodes.Sigmoid(a[1])
	return State{nodes.Add(nodes.Mul(g, h), nodes.Mul(nodes.OneMinus(g), n))}
}
