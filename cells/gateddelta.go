package cells

import (
	"math"

	"github.com/seqzoo/seqzoo/nodes"
)

// GatedDeltaConfig is linear attention with the gated delta rule (Yang, Kautz and
// Hatamizadeh, 2024): a memory S a head that forgets as a whole by α, and in which what stands at a
// key is replaced by a new value by the share β:
//
//	q, k, v = split(x·W_ih)             q and k of each head divided by their lengths
//	α = exp(−exp(A)·softplus(x·W_α + b_α)),  β = σ(x·W_β + b_β)       one number a head each
//	S' = α·S + k·(β·(v − α·k·S))ᵀ
//	h  = q·S'/√d                        d = Hidden/Heads
//
// The authors' layer puts a convolution and SiLU before q, k and v, and an output gate and a norm
// behind h.
//
// Its state is {h, S}: S is [B, Heads, d, d].
//
// The zero value of an optional field is its default.
type GatedDeltaConfig struct {
	In, Hidden int
	// each with a memory of its own, a matrix [Hidden/Heads, Hidden/Heads]; default 1
	Heads     int        `json:"heads,omitempty"`
	InitInput nodes.Init // of W_ih, every block; default Xavier uniform
}

// Validate reports every field that is out of range.
func (c GatedDeltaConfig) Validate() error {
	bad := checkWidths("GatedDelta", "In", c.In, "Hidden", c.Hidden)
	checkHeads(bad, c.Heads, c.Hidden)
	return bad.Err()
}

// Sized is the configuration for the given widths.
func (c GatedDeltaConfig) Sized(in, hidden int) Config {
	c.In, c.Hidden = in, hidden
	return c
}

func init() { Register("gateddelta", GatedDeltaConfig{}) }

// gatedDelta is the cell of GatedDeltaConfig.
type gatedDelta struct {
	cfg                  GatedDeltaConfig
	wIH, wAB, bAB, decay *nodes.Param
}

// New declares W_ih [In, 3H] in the order q, k, v, W_ab [In, 2·Heads] and b_ab [2·Heads]
// in the order α, β, and A [Heads].
func (cfg GatedDeltaConfig) New(s *nodes.Scope) Cell {
	must(s, "GatedDeltaConfig.New", cfg.Validate())
	cfg.Heads = max(cfg.Heads, 1)
	// A step of 0.001 to 0.1 behind the softplus, as Mamba and the authors begin.
	inverse := func(dt float64) float64 { return math.Log(math.Expm1(dt)) }
	start := nodes.Blocks(nodes.Uniform(inverse(0.001), inverse(0.1)), nodes.Zeros())
	return &gatedDelta{
		cfg: cfg,
		wIH: s.Param("W_ih", nodes.Gates(3, or(cfg.InitInput, nodes.XavierUniform(1))), cfg.In,
			3*cfg.Hidden),
		wAB:   s.Param("W_ab", nodes.Gates(2, nodes.XavierUniform(1)), cfg.In, 2*cfg.Heads),
		bAB:   s.Param("b_ab", start, 2*cfg.Heads),
		decay: s.Param("A", nodes.Uniform(0, math.Log(16)), cfg.Heads),
	}
}

// Parts is {h, S}.
func (c *gatedDelta) Parts() []Part {
	heads := max(c.cfg.Heads, 1)
	d := c.cfg.Hidden / heads
	return []Part{{Name: "h", Width: c.cfg.Hidden}, Matrix("S", heads, d, d)}
}

// Step advances one time step.
func (c *gatedDelta) Step(x *nodes.Node, s State) State {
	ready(c, c.wIH, x, s)
	B, heads, d := x.Dim(0), c.cfg.Heads, c.cfg.Hidden/c.cfg.Heads
	memory := s[1]
	qkv := nodes.Split(nodes.MatMul(x, c.wIH), 3, -1)
	unit := func(x *nodes.Node) *nodes.Node { // of length 1, head by head: [B, heads, d, 1]
		x = nodes.Reshape(x, B, heads, d, 1)
		return nodes.Div(x, nodes.Sqrt(nodes.Shift(nodes.SumKeep(nodes.Square(x), 2), 1e-6)))
	}
	q, k, v := unit(qkv[0]), unit(qkv[1]), nodes.Reshape(qkv[2], B, heads, 1, d)
	ab := nodes.Split(affine(x, c.wAB, c.bAB), 2, -1) // [B, heads]
	rate := nodes.Neg(nodes.Exp(x.Graph().Param(c.decay)))
	alpha := nodes.Reshape(nodes.Exp(nodes.Mul(rate, nodes.Softplus(ab[0]))), B, heads, 1, 1)
	beta := nodes.Reshape(nodes.Sigmoid(ab[1]), B, heads, 1, 1)

	memory = nodes.Mul(alpha, memory)
	known := nodes.SumKeep(nodes.Mul(k, memory), 2) // k·S, [B, heads, 1, d]
	memory = nodes.Add(memory, nodes.Mul(k, nodes.Mul(beta, nodes.Sub(v, known))))
	h := nodes.Scale(nodes.Sum(nodes.Mul(q, memory), 2), 1/math.Sqrt(float64(d)))
	return State{nodes.Reshape(h, B, c.cfg.Hidden), memory}
}
