package cells

import (
	"math"

	"github.com/seqzoo/seqzoo/nodes"
)

// MLSTMConfig is the matrix LSTM of xLSTM (Beck et al., 2024), whose memory is a matrix C a
// head that is written by the outer product of a key and a value, and read by a query. Nothing of
// it sees the state through weights:
//
//	q, k, v, o = split(x·W_ih + b)             k divided by √d, d = Hidden/Heads
//	i, f       = split(x·W_if + b_if)          one number a head each
//	m' = max(i, m + log σ(f))
//	C' = exp(m + log σ(f) − m')·C + exp(i − m')·k·vᵀ
//	n' = exp(m + log σ(f) − m')·n + exp(i − m')·k
//	h' = σ(o)∘(q·C')/max(|q·n'|, exp(−m'))
//
// m only keeps the exponentials in range. The query, key and value come from x itself, without the
// convolution of the block that the authors put round the cell. Their code normalises every head
// before o; here that is left out.
//
// Its state is {h, C, n, m}: C is [B, Heads, d, d], n is [B, Heads, d, 1] and m [B, Heads, 1, 1].
//
// The zero value of an optional field is its default.
type MLSTMConfig struct {
	In, Hidden int
	// each with a memory of its own, a matrix [Hidden/Heads, Hidden/Heads]; default 1
	Heads     int        `json:"heads,omitempty"`
	InitInput nodes.Init // of W_ih, every block; default Xavier uniform
	// of b_if; default normal with a deviation of 0.1 for i and 3 to 6 for f, as in the authors' code
	InitGates nodes.Init
}

// Validate reports every field that is out of range.
func (c MLSTMConfig) Validate() error {
	bad := checkWidths("MLSTM", "In", c.In, "Hidden", c.Hidden)
	checkHeads(bad, c.Heads, c.Hidden)
	return bad.Err()
}

// Sized is the configuration for the given widths.
func (c MLSTMConfig) Sized(in, hidden int) Config {
	c.In, c.Hidden = in, hidden
	return c
}

func init() { Register("mlstm", MLSTMConfig{}) }

// mlstm is the cell of MLSTMConfig.
type mlstm struct {
	cfg              MLSTMConfig
	wIH, b, wIF, bIF *nodes.Param
}

// New declares W_ih [In, 4H] and b [4H] in the order q, k, v, o, and W_if [In, 2·Heads] and
// b_if [2·Heads] in the order i, f.
func (cfg MLSTMConfig) New(s *nodes.Scope) Cell {
	must(s, "MLSTMConfig.New", cfg.Validate())
	cfg.Heads = max(cfg.Heads, 1)
	H := cfg.Hidden
	return &mlstm{
		cfg: cfg,
		wIH: s.Param("W_ih", nodes.Gates(4, or(cfg.InitInput, nodes.XavierUniform(1))), cfg.In,
			4*H),
		b:   s.Param("b", nodes.Zeros(), 4*H),
		wIF: s.Param("W_if", nodes.Zeros(), cfg.In, 2*cfg.Heads),
		bIF: s.Param("b_if", or(cfg.InitGates, nodes.Blocks(nodes.Normal(0, 0.1),
			nodes.Uniform(3, 6))), 2*cfg.Heads),
	}
}

// Parts is {h, C, n, m}.
func (c *mlstm) Parts() []Part {
	H, heads := c.cfg.Hidden, max(c.cfg.Heads, 1)
	d := H / heads
	return []Part{{Name: "h", Width: H}, Matrix("C", heads, d, d), Matrix("n", heads, d, 1),
		Matrix("m", heads, 1, 1)}
}

// FreeParts are h and C, which with an m of 0 has the scale 1; n is the sum of the keys that are in
// it, and m a scale.
func (c *mlstm) FreeParts() []string { return []string{"h", "C"} }

// Step advances one time step.
func (c *mlstm) Step(x *nodes.Node, s State) State {
	ready(c, c.wIH, x, s)
	B, heads, d := x.Dim(0), c.cfg.Heads, c.cfg.Hidden/c.cfg.Heads
	memory, n, m := s[1], s[2], s[3]
	qkvo := nodes.Split(affine(x, c.wIH, c.b), 4, -1)
	column := func(x *nodes.Node) *nodes.Node { return nodes.Reshape(x, B, heads, d, 1) }
	q, k := column(qkvo[0]), nodes.Scale(column(qkvo[1]), 1/math.Sqrt(float64(d)))
	v := nodes.Reshape(qkvo[2], B, heads, 1, d)
	gates := nodes.Split(nodes.Reshape(affine(x, c.wIF, c.bIF), B, 2*heads, 1, 1), 2, 1)

	i, kept := gates[0], nodes.Sub(m, nodes.Softplus(nodes.Neg(gates[1]))) // m + log σ(f)
	next := nodes.Maximum(i, kept)
	// [B, heads, 1, 1]
	keep, take := nodes.Exp(nodes.Sub(kept, next)), nodes.Exp(nodes.Sub(i, next))
	memory = nodes.Add(nodes.Mul(keep, memory), nodes.Mul(nodes.Mul(take, k), v))
	n = nodes.Add(nodes.Mul(keep, n), nodes.Mul(take, k))

	read := nodes.Reshape(nodes.Sum(nodes.Mul(q, memory), 2), B, heads, 1, d)
	// [B, heads, 1, 1]
	norm := nodes.Maximum(nodes.Abs(nodes.SumKeep(nodes.Mul(q, n), 2)), nodes.Exp(nodes.Neg(next)))
	h := nodes.Mul(nodes.Sigmoid(qkvo[3]), nodes.Reshape(nodes.Div(read, norm), B, c.cfg.Hidden))
	return State{h, memory, n, next}
}
