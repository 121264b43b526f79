package cells

import (
	"math"

	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/internal/steps"
	"github.com/seqzoo/seqzoo/nodes"
)

// SLSTMConfig is the scalar LSTM of xLSTM (Beck et al., 2024): an LSTM with an exponential
// input gate, and a normaliser n that keeps its output within bounds:
//
//	i, f, z, o = split(x·W_ih + h·W_hh + b)
//	m'  = max(i, m + log σ(f))                 i at the first step
//	c'  = exp(m + log σ(f) − m')∘c + exp(i − m')∘tanh(z)
//	n'  = exp(m + log σ(f) − m')∘n + exp(i − m')
//	h'  = σ(o)∘c'/n'
//
// m only keeps the exponentials in range: h does not depend on it. W_hh is block-diagonal, a block
// a head. As in the authors' code the forget gate is a sigmoid, and a step is the first of a
// sequence where n is 0.
//
// Its state is {h, c, n, m}.
//
// The zero value of an optional field is its default.
type SLSTMConfig struct {
	In, Hidden int
	// the units see those of their own head alone in the state; default 1. Hidden must be a
	// multiple
	Heads int `json:"heads,omitempty"`
	// Memory is how many steps the cell is to remember at the start: its units are spread over all
	// times up to it (nodes.Chrono; Tallec and Ollivier, 2018). 0: the biases begin as said below.
	Memory    int        `json:"memory,omitempty"`
	InitInput nodes.Init // of W_ih, every gate; default Xavier uniform
	// of W_hh, every gate; default orthogonal, with several heads uniform in ±√(Heads/Hidden)
	InitHidden nodes.Init
	InitBias   nodes.Init // of b; default 0 for i, z, o, and 3 for f, which then begins near 1
}

// Validate reports every field that is out of range.
func (c SLSTMConfig) Validate() error {
	bad := checkWidths("SLSTM", "In", c.In, "Hidden", c.Hidden)
	checkHeads(bad, c.Heads, c.Hidden)
	checkMemory(bad, c.Memory, false)
	return bad.Err()
}

// Sized is the configuration for the given widths.
func (c SLSTMConfig) Sized(in, hidden int) Config {
	c.In, c.Hidden = in, hidden
	return c
}

func init() { Register("slstm", SLSTMConfig{}) }

// checkHeads reports a number of heads that does not divide the width.
func checkHeads(bad *check.Problems, heads, hidden int) {
	bad.That(heads == 0 || heads > 0 && heads <= hidden && hidden%heads == 0,
		"Heads is %d, want a number that divides Hidden, which is %d", heads, hidden)
}

// slstm is the cell of SLSTMConfig.
type slstm struct {
	cfg         SLSTMConfig
	wIH, wHH, b *nodes.Param
}

// New declares W_ih [In, 4H] and b [4H] in the order i, f, z, o, and W_hh: [H, 4H], or [Heads,
// H/Heads, 4·H/Heads] if there are several heads.
func (cfg SLSTMConfig) New(s *nodes.Scope) Cell {
	must(s, "SLSTMConfig.New", cfg.Validate())
	cfg.Heads = max(cfg.Heads, 1)
	H := cfg.Hidden
	shape := []int{H, 4 * H}
	if cfg.Heads > 1 {
		shape = []int{cfg.Heads, H / cfg.Heads, 4 * H / cfg.Heads}
	}
	zeros, hidden := nodes.Zeros(), nodes.Orthogonal(1)
	if cfg.Heads > 1 {
		bound := math.Sqrt(float64(cfg.Heads) / float64(H))
		hidden = nodes.Uniform(-bound, bound)
	}
	c := &slstm{
		cfg: cfg,
		wIH: s.Param("W_ih", nodes.Gates(4, or(cfg.InitInput, nodes.XavierUniform(1))), cfg.In,
			4*H),
		wHH: s.Param("W_hh", nodes.Gates(4, or(cfg.InitHidden, hidden)), shape...),
		b: s.Param("b", or(cfg.InitBias, nodes.Blocks(zeros,
			chrono(cfg.Memory, 1, nodes.Constant(3)), zeros, zeros)), 4*H),
	}
	steps.Own(c.wIH, "an sLSTM")
	return c
}

// Parts is {h, c, n, m}.
func (c *slstm) Parts() []Part {
	H := c.cfg.Hidden
	return []Part{{Name: "h", Width: H}, {Name: "c", Width: H}, {Name: "n", Width: H},
		{Name: "m", Width: H}}
}

// FreeParts is {h}: c, n and m are of one scale, and where n is 0 the cell takes the step for the
// first.
func (c *slstm) FreeParts() []string { return []string{"h"} }

// recurrent is h·W_hh, head by head, as [B, 4H] in the order of the gates.
func (c *slstm) recurrent(h *nodes.Node) *nodes.Node {
	if c.cfg.Heads == 1 {
		return nodes.MatMul(h, c.wHH)
	}
	B, heads, d := h.Dim(0), c.cfg.Heads, c.cfg.Hidden/c.cfg.Heads
	byHead := nodes.Transpose(nodes.Reshape(h, B, heads, d), 1, 0, 2) // [heads, B, d]
	gates := nodes.Reshape(nodes.MatMul(byHead, c.wHH), heads, B, 4, d)
	return nodes.Reshape(nodes.Transpose(gates, 1, 2, 0, 3), B, 4*c.cfg.Hidden)
}

// Step advances one time step.
func (c *slstm) Step(x *nodes.Node, s State) State {
	ready(c, c.wIH, x, s)
	h, cell, n, m := s[0], s[1], s[2], s[3]
	a := nodes.Split(nodes.Add(affine(x, c.wIH, c.b), c.recurrent(h)), 4, -1)
	i, f, z, o := a[0], a[1], a[2], a[3]
	kept := nodes.Sub(m, nodes.Softplus(nodes.Neg(f))) // m + log σ(f)
	first := nodes.Equal(n, nodes.Scalar(0))
	next := nodes.Select(first, i, nodes.Maximum(i, kept))
	// Where n is 0 there is nothing to keep, and the exponential of the difference could exceed
	// every number.
	keep := nodes.Exp(nodes.Select(first, nodes.Scalar(-1e4), nodes.Sub(kept, next)))
	take := nodes.Exp(nodes.Sub(i, next))
	cell = nodes.Add(nodes.Mul(keep, cell), nodes.Mul(take, nodes.Tanh(z)))
	n = nodes.Add(nodes.Mul(keep, n), take)
	return State{nodes.Div(nodes.Mul(nodes.Sigmoid(o), cell), n), cell, n, next}
}
