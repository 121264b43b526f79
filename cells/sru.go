package cells

import "github.com/seqzoo/seqzoo/nodes"

// SRUConfig is a simple recurrent unit (Lei et al., 2018), whose gates see the last c unit by
// unit:
//
//	f  = σ(x·W_f + v_f∘c + b_f)
//	r  = σ(x·W_r + v_r∘c + b_r)
//	c' = f∘c + (1 − f)∘(x·W)
//	h  = r∘c' + (1 − r)∘x
//
// Where In and Hidden differ, the last x is x·W_x, as in the authors' code.
//
// Its state is {h, c}.
//
// The zero value of an optional field is its default.
type SRUConfig struct {
	In, Hidden int
	// Memory is how many steps the cell is to remember at the start: its units are spread over all
	// times up to it (nodes.Chrono; Tallec and Ollivier, 2018). 0: the biases begin as said below.
	Memory    int        `json:"memory,omitempty"`
	InitInput nodes.Init // of W_ih, every block; default Xavier uniform
	InitBias  nodes.Init // of b; default zeros
}

// Validate reports every field that is out of range.
func (c SRUConfig) Validate() error {
	bad := checkWidths("SRU", "In", c.In, "Hidden", c.Hidden)
	checkMemory(bad, c.Memory, false)
	return bad.Err()
}

// Sized is the configuration for the given widths.
func (c SRUConfig) Sized(in, hidden int) Config {
	c.In, c.Hidden = in, hidden
	return c
}

func init() { Register("sru", SRUConfig{}) }

// sru is the cell of SRUConfig.
type sru struct {
	cfg       SRUConfig
	blocks    int // of W_ih
	wIH, v, b *nodes.Param
}

// New declares W_ih [In, 3H] in the order W, f, r, or [In, 4H] with W_x behind if In and Hidden
// differ, v [2H] and b [2H] in the order f, r.
func (cfg SRUConfig) New(s *nodes.Scope) Cell {
	must(s, "SRUConfig.New", cfg.Validate())
	H, blocks := cfg.Hidden, 3
	if cfg.In != H {
		blocks = 4
	}
	return &sru{
		cfg: cfg, blocks: blocks,
		wIH: s.Param("W_ih", nodes.Gates(blocks, or(cfg.InitInput, nodes.XavierUniform(1))), cfg.In,
			blocks*H),
		v: s.Param("v", nodes.Uniform(-1, 1), 2*H),
		b: s.Param("b", or(cfg.InitBias, nodes.Blocks(chrono(cfg.Memory, 1, nodes.Zeros()),
			nodes.Zeros())), 2*H),
	}
}

// Parts is {h, c}.
func (c *sru) Parts() []Part {
	return []Part{{Name: "h", Width: c.cfg.Hidden}, {Name: "c", Width: c.cfg.Hidden}}
}

// Step advances one time step.
func (c *sru) Step(x *nodes.Node, s State) State {
	ready(c, c.wIH, x, s)
	last := s[1]
	a := nodes.Split(nodes.MatMul(x, c.wIH), c.blocks, -1)
	g := x.Graph()
	v, b := nodes.Split(g.Param(c.v), 2, -1), nodes.Split(g.Param(c.b), 2, -1)
	gate := func(i int) *nodes.Node {
		return nodes.Sigmoid(nodes.Add(a[1+i], nodes.Mul(last, v[i]), b[i]))
	}
	f, r := gate(0), gate(1)
	if c.blocks == 4 {
		x = a[3]
	}
	next := nodes.Add(nodes.Mul(f, last), nodes.Mul(nodes.OneMinus(f), a[0]))
	return State{nodes.Add(nodes.Mul(r, next), nodes.Mul(nodes.OneMinus(r), x)), next}
}
