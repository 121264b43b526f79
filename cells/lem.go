package cells

import (
	"math"

	"github.com/seqzoo/seqzoo/nodes"
)

// LEMConfig is long expressive memory (Rusch et al., 2022), two coupled equations of motion
// whose time steps are learned:
//
//	Δ₁, Δ₂ = Δt·σ(x·V₁ + y·W₁ + b₁), Δt·σ(x·V₂ + y·W₂ + b₂)
//	z'     = (1 − Δ₁)∘z + Δ₁∘tanh(x·V_z + y·W_z + b_z)
//	y'     = (1 − Δ₂)∘y + Δ₂∘tanh(x·V_y + z'·W_y + b_y)
//
// Its state is {y, z}; y is the output.
//
// The zero value of an optional field is its default.
type LEMConfig struct {
	In, Hidden int
	Dt         float64 `json:"dt,omitempty"` // the largest time step; default 1
	// of all weights and biases; default uniform in ±1/√Hidden, as in the authors' code
	Init nodes.Init
}

// Validate reports every field that is out of range.
func (c LEMConfig) Validate() error {
	bad := checkWidths("LEM", "In", c.In, "Hidden", c.Hidden)
	bad.NotNegative("Dt", c.Dt, "0 for 1")
	return bad.Err()
}

// Sized is the configuration for the given widths.
func (c LEMConfig) Sized(in, hidden int) Config {
	c.In, c.Hidden = in, hidden
	return c
}

func init() { Register("lem", LEMConfig{}) }

// lem is the cell of LEMConfig.
type lem struct {
	cfg         LEMConfig
	wIH, wHH, b *nodes.Param
	wZ          *nodes.Param
}

// New declares W_ih [In, 4H] in the order 1, 2, z, y, W_hh [H, 3H] in the order 1, 2, z, W_hh_y
// [H, H], and b [4H].
func (cfg LEMConfig) New(s *nodes.Scope) Cell {
	must(s, "LEMConfig.New", cfg.Validate())
	if cfg.Dt == 0 {
		cfg.Dt = 1
	}
	H, bound := cfg.Hidden, 1/math.Sqrt(float64(cfg.Hidden))
	init := or(cfg.Init, nodes.Uniform(-bound, bound))
	return &lem{
		cfg: cfg,
		wIH: s.Param("W_ih", init, cfg.In, 4*H),
		wHH: s.Param("W_hh", init, H, 3*H),
		wZ:  s.Param("W_hh_y", init, H, H),
		b:   s.Param("b", init, 4*H),
	}
}

// Parts is {y, z}.
func (c *lem) Parts() []Part {
	return []Part{{Name: "y", Width: c.cfg.Hidden}, {Name: "z", Width: c.cfg.Hidden}}
}

// Step advances one time step.
func (c *lem) Step(x *nodes.Node, s State) State {
	ready(c, c.wIH, x, s)
	y, z := s[0], s[1]
	ax := nodes.Split(affine(x, c.wIH, c.b), 4, -1)
	ay := nodes.Split(nodes.MatMul(y, c.wHH), 3, -1)
	d1 := nodes.Scale(nodes.Sigmoid(nodes.Add(ax[0], ay[0])), c.cfg.Dt)
	d2 := nodes.Scale(nodes.Sigmoid(nodes.Add(ax[1], ay[1])), c.cfg.Dt)
	z = nodes.Add(nodes.Mul(nodes.OneMinus(d1), z),
		nodes.Mul(d1, nodes.Tanh(nodes.Add(ax[2], ay[2]))))
	n := nodes.Tanh(nodes.Add(ax[3], nodes.MatMul(z, c.wZ)))
	return State{nodes.Add(nodes.Mul(nodes.OneMinus(d2), y), nodes.Mul(d2, n)), z}
}
