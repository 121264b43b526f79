package cells

import (
	"math"

	"github.com/seqzoo/seqzoo/nodes"
)

// SSMConfig is a selective state space with a diagonal matrix, the recurrence of Mamba (Gu
// and Dao, 2023). Each of the Hidden channels u has a state s of Units numbers, whose step Δ, input
// B and output C depend on x:
//
//	u, Δ = x·W_u, softplus(x·W_Δ + b_Δ)      [Hidden] each
//	B, C = x·W_B, x·W_C                      [Units] each, the same for all channels
//	s'   = exp(Δ·A)∘s + Δ·u·B                A = −exp(A_log)
//	y    = s'·C + D∘u
//
// It is the recurrence alone: Mamba's block has a convolution and SiLU before u and a gate behind
// y, u there is the input of the recurrence from which Δ, B and C are computed, and W_Δ is a
// product of two narrow matrices.
//
// Its state is {y, s}: s is [B, Hidden, Units].
//
// The zero value of an optional field is its default.
type SSMConfig struct {
	In, Hidden int
	// numbers in the state of each of the Hidden channels; default 16
	Units     int        `json:"units,omitempty"`
	InitInput nodes.Init // of W_ih, W_bc; default Xavier uniform
}

// Validate reports every field that is out of range.
func (c SSMConfig) Validate() error {
	if c.Units == 0 {
		c.Units = 16
	}
	if err := checkWidths("SSM", "In", c.In, "Hidden", c.Hidden, "Units",
		c.Units).Err(); err != nil {
		return err
	}
	return checkWidths("SSM", "Hidden·Units", c.Hidden*c.Units).Err()
}

// Sized is the configuration for the given widths.
func (c SSMConfig) Sized(in, hidden int) Config {
	c.In, c.Hidden = in, hidden
	return c
}

func init() { Register("ssm", SSMConfig{}) }

// ssm is the cell of SSMConfig.
type ssm struct {
	cfg                           SSMConfig
	wIH, wBC, bDelta, aLog, dSkip *nodes.Param
}

// New declares W_ih [In, 2H] in the order u, Δ, W_bc [In, 2·Units] in the order B, C, b_delta
// [H], A_log [H, Units] and D [H]. A begins at −1 … −Units in every channel (S4D-Real), and Δ
// between 0.001 and 0.1.
func (cfg SSMConfig) New(s *nodes.Scope) Cell {
	must(s, "SSMConfig.New", cfg.Validate())
	if cfg.Units == 0 {
		cfg.Units = 16
	}
	columns := make([]nodes.Init, cfg.Units)
	for n := range columns {
		columns[n] = nodes.Constant(math.Log(float64(n + 1)))
	}
	inverse := func(dt float64) float64 { return math.Log(math.Expm1(dt)) }
	input := or(cfg.InitInput, nodes.XavierUniform(1))
	return &ssm{
		cfg:    cfg,
		wIH:    s.Param("W_ih", nodes.Gates(2, input), cfg.In, 2*cfg.Hidden),
		wBC:    s.Param("W_bc", nodes.Gates(2, input), cfg.In, 2*cfg.Units),
		bDelta: s.Param("b_delta", nodes.Uniform(inverse(0.001), inverse(0.1)), cfg.Hidden),
		aLog:   s.Param("A_log", nodes.Blocks(columns...), cfg.Hidden, cfg.Units),
		dSkip:  s.Param("D", nodes.Ones(), cfg.Hidden),
	}
}

// Parts is {y, s}.
func (c *ssm) Parts() []Part {
	return []Part{{Name: "y", Width: c.cfg.Hidden}, Matrix("s", c.cfg.Hidden, c.cfg.Units)}
}

// Step advances one time step.
func (c *ssm) Step(x *nodes.Node, s State) State {
	ready(c, c.wIH, x, s)
	B, H, N := x.Dim(0), c.cfg.Hidden, c.cfg.Units
	ud := nodes.Split(nodes.MatMul(x, c.wIH), 2, -1)
	u, delta := ud[0], nodes.Reshape(nodes.Softplus(nodes.Add(ud[1], c.bDelta)), B, H, 1)
	bc := nodes.Split(nodes.Reshape(nodes.MatMul(x, c.wBC), B, 1, 2*N), 2, -1) // [B, 1, N] each
	a := nodes.Neg(nodes.Exp(x.Graph().Param(c.aLog)))                         // [H, N]
	decay := nodes.Exp(nodes.Mul(delta, a))                                    // [B, H, N]
	in := nodes.Mul(nodes.Mul(delta, nodes.Reshape(u, B, H, 1)), bc[0])
	state := nodes.Add(nodes.Mul(decay, s[1]), in)
	y := nodes.Add(nodes.Sum(nodes.Mul(state, bc[1]), 2), nodes.Mul(u, c.dSkip))
	return State{y, state}
}
