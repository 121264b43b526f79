package cells

import "github.com/seqzoo/seqzoo/nodes"

// MinGRUConfig is a minimal gated recurrent unit (Feng et al., 2024), whose gate and
// candidate do not see the state:
//
//	z  = σ(x·W_z + b_z)
//	n  = x·W_n + b_n                       or g(x·W_n + b_n) if Positive
//	h' = (1 − z)∘h + z∘n
//
// where g(u) is u + ½ for u ≥ 0 and σ(u) below. All products are taken for all steps at once; only
// the last line is left in the loop.
//
// Its state is {h}.
//
// The zero value of an optional field is its default.
type MinGRUConfig struct {
	In, Hidden int
	// the candidate goes through g, as in the authors' log-space form: every state is then above 0
	Positive bool `json:"positive,omitempty"`
	NoBias   bool `json:"no_bias,omitempty"`
	// Memory is how many steps the cell is to remember at the start: its units are spread over all
	// times up to it (nodes.Chrono; Tallec and Ollivier, 2018). 0: the biases begin as said below.
	Memory    int        `json:"memory,omitempty"`
	InitInput nodes.Init // of W_ih, every block; default Xavier uniform
	InitBias  nodes.Init // of b; default zeros
}

// Validate reports every field that is out of range.
func (c MinGRUConfig) Validate() error {
	bad := checkWidths("MinGRU", "In", c.In, "Hidden", c.Hidden)
	checkMemoryBias(bad, c.Memory, c.NoBias)
	return bad.Err()
}

// Sized is the configuration for the given widths.
func (c MinGRUConfig) Sized(in, hidden int) Config {
	c.In, c.Hidden = in, hidden
	return c
}

func init() { Register("mingru", MinGRUConfig{}) }

// minGRU is the cell of MinGRUConfig.
type minGRU struct{ minimal }

// New declares W_ih [In, 2H] and b [2H] under s, in the order z, n.
func (cfg MinGRUConfig) New(s *nodes.Scope) Cell {
	must(s, "MinGRUConfig.New", cfg.Validate())
	return &minGRU{newMinimal(s, cfg, chrono(cfg.Memory, -1, nodes.Zeros()), nodes.Zeros())}
}

// Step advances one time step.
func (c *minGRU) Step(x *nodes.Node, s State) State {
	ready(c, c.wIH, x, s)
	a := nodes.Split(affine(x, c.wIH, c.b), 2, -1)
	z, n := nodes.Sigmoid(a[0]), candidate(a[1], c.cfg.Positive)
	return State{nodes.Add(nodes.Mul(nodes.OneMinus(z), s[0]), nodes.Mul(z, n))}
}

// minimal is the common part of MinGRU and MinLSTM: gates and candidate of x alone.
type minimal struct {
	cfg    MinGRUConfig
	wIH, b *nodes.Param // b may be nil
}

// newMinimal declares a block of weights for each start of a block of biases: of the gates, and of
// the candidate.
func newMinimal(s *nodes.Scope, cfg MinGRUConfig, biases ...nodes.Init) minimal {
	width := len(biases) * cfg.Hidden
	init := nodes.Gates(len(biases), or(cfg.InitInput, nodes.XavierUniform(1)))
	return minimal{cfg: cfg, wIH: s.Param("W_ih", init, cfg.In, width),
		b: bias(s, cfg.NoBias, "b", or(cfg.InitBias, nodes.Blocks(biases...)), width)}
}

// Parts is {h}.
func (c *minimal) Parts() []Part { return []Part{{Name: "h", Width: c.cfg.Hidden}} }

// candidate is u, or if positive g(u) of Feng et al., 2024, appendix B: u + ½ for u ≥ 0, else σ(u).
func candidate(u *nodes.Node, positive bool) *nodes.Node {
	if !positive {
		return u
	}
	return nodes.Select(nodes.GreaterEqual(u, nodes.Scalar(0)), nodes.Shift(u, 0.5),
		nodes.Sigmoid(u))
}
