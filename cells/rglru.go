package cells

import (
	"math"

	"github.com/seqzoo/seqzoo/nodes"
)

// RGLRUConfig is a real-gated linear recurrent unit (De et al., 2024), the recurrence of
// Griffin:
//
//	u, r, i = split(x·W_ih + b)
//	a       = exp(−8·softplus(Λ)∘σ(r))
//	h'      = a∘h + √(1 − a²)∘σ(i)∘u
//
// It differs from the authors' code in three ways. Their u is x itself, behind a linear layer of
// the block around it: here that layer is part of the cell, so that In and Hidden may differ. Their
// gates are products with block-diagonal matrices, these with full ones. Their first step has a
// factor of 1 for √(1 − a²); a cell does not know which step it is. Like them, the root's
// derivative is bounded by 1,000.
//
// Its state is {h}.
//
// The zero value of an optional field is its default.
type RGLRUConfig struct {
	In, Hidden int
	InitInput  nodes.Init // of W_ih, every block; default LeCun normal
	InitBias   nodes.Init // of b; default zeros
}

// Validate reports every field that is out of range.
func (c RGLRUConfig) Validate() error {
	return checkWidths("RGLRU", "In", c.In, "Hidden", c.Hidden).Err()
}

// Sized is the configuration for the given widths.
func (c RGLRUConfig) Sized(in, hidden int) Config {
	c.In, c.Hidden = in, hidden
	return c
}

func init() { Register("rglru", RGLRUConfig{}) }

// rglru is the cell of RGLRUConfig.
type rglru struct {
	cfg            RGLRUConfig
	wIH, b, lambda *nodes.Param
}

// New declares W_ih [In, 3H] and b [3H] in the order u, r, i, and Lambda [H] under s. Λ begins
// so that a is 0.9 to 0.999 where the gate is open.
func (cfg RGLRUConfig) New(s *nodes.Scope) Cell {
	must(s, "RGLRUConfig.New", cfg.Validate())
	H := cfg.Hidden
	// softplus(Λ) = −log a
	inverse := func(a float64) float64 { return math.Log(math.Expm1(-math.Log(a))) }
	return &rglru{
		cfg: cfg,
		wIH: s.Param("W_ih", nodes.Gates(3, or(cfg.InitInput, nodes.LeCunNormal())), cfg.In,
			3*H),
		b:      s.Param("b", cfg.InitBias, 3*H),
		lambda: s.Param("Lambda", nodes.Uniform(inverse(0.999), inverse(0.9)), H),
	}
}

// Parts is {h}.
func (c *rglru) Parts() []Part { return []Part{{Name: "h", Width: c.cfg.Hidden}} }

// steepest is the least 1 − a² that is told from 0: there the root's derivative is 1,000.
const steepest = 2.5e-7

// Step advances one time step.
func (c *rglru) Step(x *nodes.Node, s State) State {
	ready(c, c.wIH, x, s)
	uri := nodes.Split(affine(x, c.wIH, c.b), 3, -1)
	logA := nodes.Mul(nodes.Scale(nodes.Softplus(x.Graph().Param(c.lambda)), -8),
		nodes.Sigmoid(uri[1]))
	// 1 − a², with its digits where a is near 1
	left := nodes.Neg(nodes.Expm1(nodes.Scale(logA, 2)))
	root := nodes.Sqrt(nodes.Maximum(left, nodes.Scalar(steepest)))
	in := nodes.Mul(nodes.Mul(root, nodes.Sigmoid(uri[2])), uri[0])
	return State{nodes.Add(nodes.Mul(nodes.Exp(logA), s[0]), in)}
}
