package cells

import (
	"github.com/seqzoo/seqzoo/internal/steps"
	"github.com/seqzoo/seqzoo/nodes"
)

// ConvLSTMConfig is an LSTM over pictures, whose gates are convolutions (Shi et al., 2015). A
// picture of x has C = In/(Height·Width) channels, one of the state K = Hidden/(Height·Width), and
// a place outside of it counts as 0:
//
//	i, f = σ(W_xi∗x + W_hi∗h + w_ci∘c + b_i), σ(W_xf∗x + W_hf∗h + w_cf∘c + b_f)
//	c'   = f∘c + i∘tanh(W_xg∗x + W_hg∗h + b_g)
//	o    = σ(W_xo∗x + W_ho∗h + w_co∘c' + b_o)
//	h'   = o∘tanh(c')
//
// The peepholes w_c, one weight for each place and channel, are left out by default, as in most
// programs. A picture lies row by row, and all channels of a place side by side, so that a grey one
// is as it is elsewhere, and one of channels lies as in image files. A convolution is a product
// with what surrounds each place.
//
// Its state is {h, c}: c is [B, Height, Width, K].
//
// The zero value of an optional field is its default.
type ConvLSTMConfig struct {
	In, Hidden int
	Height     int  `json:"height,omitempty"` // of the picture; default 1
	Width      int  `json:"width,omitempty"`  // of the picture; default 1
	Kernel     int  `json:"kernel,omitempty"` // rows and columns of a convolution; odd, default 3
	Peephole   bool `json:"peephole,omitempty"`
	// of W_ih; default Xavier uniform
	InitInput nodes.Init
	// of W_hh; default Xavier uniform
	InitHidden nodes.Init
}

// withDefaults fills in the defaults of fields that are not set.
func (c ConvLSTMConfig) withDefaults() ConvLSTMConfig {
	c.Height, c.Width = max(c.Height, 1), max(c.Width, 1)
	if c.Kernel == 0 {
		c.Kernel = 3
	}
	return c
}

// Validate reports every field that is out of range.
func (c ConvLSTMConfig) Validate() error {
	bad := checkWidths("ConvLSTM", "In", c.In, "Hidden", c.Hidden)
	bad.Optional("Height", c.Height, 1, MaxWidth, "or 0 for 1")
	bad.Optional("Width", c.Width, 1, MaxWidth, "or 0 for 1")
	bad.Optional("Kernel", c.Kernel, 1, maxKernel, "or 0 for 3")
	bad.That(c.Kernel == 0 || c.Kernel%2 != 0, "Kernel is %d, want an odd number", c.Kernel)
	if !bad.None() {
		return bad.Err()
	}
	c = c.withDefaults()
	places := c.Height * c.Width
	fits := func(name string, width int) {
		bad.That(width%places == 0,
			"%s is %d, want a number of channels for each of %d × %d places", name, width,
			c.Height, c.Width)
	}
	fits("In", c.In)
	fits("Hidden", c.Hidden)
	return bad.Err()
}

// maxKernel bounds a kernel; a larger one is a slip.
const maxKernel = 255

// Sized is the configuration for the given widths.
func (c ConvLSTMConfig) Sized(in, hidden int) Config {
	c.In, c.Hidden = in, hidden
	return c
}

func init() { Register("convlstm", ConvLSTMConfig{}) }

// convLSTM is the cell of ConvLSTMConfig.
type convLSTM struct {
	ConvLSTMConfig
	channels, units int // C and K
	down, across    int // how far a convolution sees
	wIH, wHH, b     *nodes.Param
	peep            *nodes.Param // [3, Height, Width, K]: of i, f, o
}

// New declares W_ih [n·C, 4K], W_hh [n·K, 4K] and b [4K], the gates in the order i, f, g, o, for
// the n places that a convolution sees, row by row, all channels of a place side by side; and with
// peepholes w_c [3, Height, Width, K] in the order i, f, o. What a kernel would see of pictures
// smaller than half of it has no weights.
func (cfg ConvLSTMConfig) New(s *nodes.Scope) Cell {
	must(s, "ConvLSTMConfig.New", cfg.Validate())
	cfg = cfg.withDefaults()
	places := cfg.Height * cfg.Width
	c := &convLSTM{ConvLSTMConfig: cfg, channels: cfg.In / places, units: cfg.Hidden / places,
		down: min(cfg.Kernel/2, cfg.Height-1), across: min(cfg.Kernel/2, cfg.Width-1)}
	n, K, xavier := (2*c.down+1)*(2*c.across+1), c.units, nodes.XavierUniform(1)
	c.wIH = s.Param("W_ih", nodes.Gates(4, or(cfg.InitInput, xavier)), n*c.channels, 4*K)
	steps.Own(c.wIH, "a ConvLSTM")
	c.wHH = s.Param("W_hh", nodes.Gates(4, or(cfg.InitHidden, xavier)), n*K, 4*K)
	zeros := nodes.Zeros()
	c.b = s.Param("b", nodes.Blocks(zeros, nodes.Ones(), zeros, zeros), 4*K)
	if cfg.Peephole {
		c.peep = s.Param("w_c", zeros, 3, cfg.Height, cfg.Width, K)
	}
	return c
}

// Parts is {h, c}.
func (c *convLSTM) Parts() []Part {
	return []Part{{Name: "h", Width: c.Hidden}, Matrix("c", c.Height, c.Width, c.units)}
}

// Step advances one time step.
func (c *convLSTM) Step(x *nodes.Node, s State) State {
	ready(c, c.wIH, x, s)
	a := nodes.Add(affine(c.around(x, c.channels), c.wIH, c.b),
		nodes.MatMul(c.around(s[0], c.units), c.wHH))
	gates, memory := nodes.Split(a, 4, -1), s[1] // [B, Height, Width, K] each
	i, f := nodes.Sigmoid(c.see(gates[0], memory, 0)), nodes.Sigmoid(c.see(gates[1], memory, 1))
	memory = nodes.Add(nodes.Mul(f, memory), nodes.Mul(i, nodes.Tanh(gates[2])))
	h := nodes.Mul(nodes.Sigmoid(c.see(gates[3], memory, 2)), nodes.Tanh(memory))
	return State{nodes.Reshape(h, x.Dim(0), c.Hidden), memory}
}

// see adds peephole k to a gate.
func (c *convLSTM) see(gate, memory *nodes.Node, k int) *nodes.Node {
	if c.peep == nil {
		return gate
	}
	w := nodes.Slice(gate.Graph().Param(c.peep), 0, k, k+1)
	return nodes.Add(gate, nodes.Mul(memory, w))
}

// around is what a convolution sees of each place of a picture [B, ·] of so many channels: [B,
// Height, Width, n·channels].
func (c *convLSTM) around(x *nodes.Node, channels int) *nodes.Node {
	x = nodes.Reshape(x, x.Dim(0), c.Height, c.Width, channels)
	for k, edge := range []int{c.down, c.across} {
		if edge > 0 {
			shape := x.Shape()
			shape[1+k] = edge
			x = nodes.Concat(1+k, x.Graph().Zeros(shape...), x, x.Graph().Zeros(shape...))
		}
	}
	var seen []*nodes.Node
	for row := range 2*c.down + 1 {
		rows := nodes.Slice(x, 1, row, row+c.Height)
		for column := range 2*c.across + 1 {
			seen = append(seen, nodes.Slice(rows, 2, column, column+c.Width))
		}
	}
	if len(seen) == 1 {
		return seen[0]
	}
	return nodes.Concat(3, seen...)
}
