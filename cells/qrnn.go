package cells

import (
	"github.com/seqzoo/seqzoo/nodes"
)

// QRNNConfig is a quasi-recurrent network with fo-pooling (Bradbury et al., 2017):
//
//	z, f, o = split(x·W_ih + x₋₁·W_last + b)
//	c'      = σ(f)∘c + (1 − σ(f))∘tanh(z)
//	h       = σ(o)∘c'
//
// where x₋₁ is the input of the step before, zeros at the start; a convolution of width 1 leaves it
// out.
//
// Its state is {h, c, x}, without x for a width of 1.
//
// The zero value of an optional field is its default.
type QRNNConfig struct {
	In, Hidden int
	// of the convolution over time: 1 or 2 steps; default 2, this step and the last
	Width  int  `json:"width,omitempty"`
	NoBias bool `json:"no_bias,omitempty"`
	// Memory is how many steps the cell is to remember at the start: its units are spread over all
	// times up to it (nodes.Chrono; Tallec and Ollivier, 2018). 0: the biases begin as said below.
	Memory    int        `json:"memory,omitempty"`
	InitInput nodes.Init // of W_ih, every block; default Xavier uniform
	InitBias  nodes.Init // of b; default zeros
}

// Validate reports every field that is out of range.
func (c QRNNConfig) Validate() error {
	bad := checkWidths("QRNN", "In", c.In, "Hidden", c.Hidden)
	bad.That(c.Width >= 0 && c.Width <= 2, "Width is %d, want 1 or 2 steps, or 0 for 2", c.Width)
	checkMemoryBias(bad, c.Memory, c.NoBias)
	return bad.Err()
}

// Sized is the configuration for the given widths.
func (c QRNNConfig) Sized(in, hidden int) Config {
	c.In, c.Hidden = in, hidden
	return c
}

func init() { Register("qrnn", QRNNConfig{}) }

// qrnn is the cell of QRNNConfig.
type qrnn struct {
	cfg           QRNNConfig
	wIH, wLast, b *nodes.Param // wLast and b may be nil
}

// New declares W_ih [In, 3H], W_last [In, 3H] and b [3H] under s, in the order z, f, o.
func (cfg QRNNConfig) New(s *nodes.Scope) Cell {
	must(s, "QRNNConfig.New", cfg.Validate())
	if cfg.Width == 0 {
		cfg.Width = 2
	}
	H, input := cfg.Hidden, nodes.Gates(3, or(cfg.InitInput, nodes.XavierUniform(1)))
	c := &qrnn{cfg: cfg, wIH: s.Param("W_ih", input, cfg.In, 3*H)}
	if cfg.Width == 2 {
		c.wLast = s.Param("W_last", input, cfg.In, 3*H)
	}
	zeros := nodes.Zeros()
	c.b = bias(s, cfg.NoBias, "b", or(cfg.InitBias, nodes.Blocks(zeros, chrono(cfg.Memory, 1, zeros),
		zeros)), 3*H)
	return c
}

// Parts is {h, c, x} or {h, c}.
func (c *qrnn) Parts() []Part {
	parts := []Part{{Name: "h", Width: c.cfg.Hidden}, {Name: "c", Width: c.cfg.Hidden}}
	if c.wLast != nil {
		parts = append(parts, Part{Name: "x", Width: c.cfg.In})
	}
	return parts
}

// FreeParts are h and c: x is an input.
func (c *qrnn) FreeParts() []string { return []string{"h", "c"} }

// Role is of the input for all weights: what of the state they multiply is the input of the step
// before.
func (c *qrnn) Role(string) Role { return OfInput }

// Step advances one time step.
func (c *qrnn) Step(x *nodes.Node, s State) State {
	ready(c, c.wIH, x, s)
	a := affine(x, c.wIH, c.b)
	if c.wLast != nil {
		a = nodes.Add(a, nodes.MatMul(s[2], c.wLast))
	}
	zfo := nodes.Split(a, 3, -1)
	f := nodes.Sigmoid(zfo[1])
	next := nodes.Add(nodes.Mul(f, s[1]), nodes.Mul(nodes.OneMinus(f), nodes.Tanh(zfo[0])))
	state := State{nodes.Mul(nodes.Sigmoid(zfo[2]), next), next}
	if c.wLast != nil {
		state = append(state, x)
	}
	return state
}
