package cells

import "github.com/seqzoo/seqzoo/nodes"

// GRUConfig sizes a GRU cell. The zero value of an optional field is its default.
type GRUConfig struct {
	In, Hidden  int
	ResetBefore bool // reset h before its product, as Cho et al. wrote it; default: reset the product, as cuDNN and PyTorch
	NoBias      bool
	InitInput   nodes.Init // of W_ih, every gate; default Xavier uniform
	InitHidden  nodes.Init // of W_hh, every gate; default orthogonal
	InitBias    nodes.Init // of b; default zeros
}

// Validate reports every field that is out of range.
func (c GRUConfig) Validate() error { return checkWidths("GRU", "In", c.In, "Hidden", c.Hidden) }

// GRU is one step of a gated recurrent unit (Cho et al., 2014):
//
//	r, z = σ(x·W_ih + h·W_hh + b)
//	n    = tanh(x·W_in + b_in + r∘(h·W_hn + b_hn))    reset after
//	n    = tanh(x·W_in + b_in + (r∘h)·W_hn)           reset before
//	h'   = (1 − z)∘n + z∘h
//
// Its state is {h}.
type GRU struct {
	cfg      GRUConfig
	gates    int // in W_hh
	wIH, wHH *nodes.Param
	wHN      *nodes.Param // only where the reset comes before
	b, bHN   *nodes.Param // or nil; bHN only where the reset comes after
}

// NewGRU declares W_ih [In, 3H] and b [3H] under s, gates in the order r, z, n. Reset after: W_hh [H, 3H] and b_hn [H].
// Reset before: W_hh [H, 2H] of r and z, and W_hh_n [H, H].
func NewGRU(s *nodes.Scope, cfg GRUConfig) *GRU {
	must(s, "NewGRU", cfg.Validate())
	H := cfg.Hidden
	hidden := or(cfg.InitHidden, nodes.Orthogonal(1))
	gates := 3 // in W_hh
	if cfg.ResetBefore {
		gates = 2
	}
	g := &GRU{
		cfg: cfg, gates: gates,
		wIH: s.Param("W_ih", nodes.Gates(3, or(cfg.InitInput, nodes.XavierUniform(1))), cfg.In, 3*H),
		wHH: s.Param("W_hh", nodes.Gates(gates, hidden), H, gates*H),
		b:   bias(s, cfg.NoBias, "b", cfg.InitBias, 3*H),
	}
	if cfg.ResetBefore {
		g.wHN = s.Param("W_hh_n", hidden, H, H)
	} else {
		g.bHN = bias(s, cfg.NoBias, "b_hn", nodes.Zeros(), H)
	}
	return g
}

// Parts is {h}.
func (g *GRU) Parts() []Part { return []Part{{"h", g.cfg.Hidden}} }

// Step advances one time step.
func (g *GRU) Step(x *nodes.Node, s State) State {
	h := s[0]
	ax := nodes.Split(affine(x, g.wIH, g.b), 3, -1)        // r, z, n
	ah := nodes.Split(nodes.MatMul(h, g.wHH), g.gates, -1) // r, z, and n if the reset comes after
	r := nodes.Sigmoid(nodes.Add(ax[0], ah[0]))
	z := nodes.Sigmoid(nodes.Add(ax[1], ah[1]))
	var n *nodes.Node
	if g.cfg.ResetBefore {
		n = nodes.MatMul(nodes.Mul(r, h), g.wHN)
	} else {
		n = nodes.Mul(r, plus(ah[2], g.bHN))
	}
	n = nodes.Tanh(nodes.Add(ax[2], n))
	return State{nodes.Add(nodes.Mul(nodes.OneMinus(z), n), nodes.Mul(z, h))}
}
