package cells

import "github.com/seqzoo/seqzoo/nodes"

// MinLSTMConfig is a minimal LSTM (Feng et al., 2024), whose gates and candidate do not see
// the state:
//
//	f, i = σ(x·W_f + b_f), σ(x·W_i + b_i)
//	n    = x·W_n + b_n                     or g(x·W_n + b_n) if Positive
//	h'   = (f∘h + i∘n) / (f + i)
//
// All products are taken for all steps at once; only the last line is left in the loop.
//
// Its state is {h}.
//
// It has the fields of a MinGRU, with the same defaults.
type MinLSTMConfig MinGRUConfig

// Validate reports every field that is out of range.
func (c MinLSTMConfig) Validate() error {
	bad := checkWidths("MinLSTM", "In", c.In, "Hidden", c.Hidden)
	checkMemoryBias(bad, c.Memory, c.NoBias)
	return bad.Err()
}

// Sized is the configuration for the given widths.
func (c MinLSTMConfig) Sized(in, hidden int) Config {
	c.In, c.Hidden = in, hidden
	return c
}

func init() { Register("minlstm", MinLSTMConfig{}) }

// minLSTM is the cell of MinLSTMConfig.
type minLSTM struct{ minimal }

// New declares W_ih [In, 3H] and b [3H] under s, in the order f, i, n.
func (cfg MinLSTMConfig) New(s *nodes.Scope) Cell {
	must(s, "MinLSTMConfig.New", cfg.Validate())
	keep, take := chrono(cfg.Memory, 1, nodes.Zeros()), chrono(cfg.Memory, -1, nodes.Zeros())
	return &minLSTM{newMinimal(s, MinGRUConfig(cfg), keep, take, nodes.Zeros())}
}

// Step advances one time step. The share of the old state, f/(f + i), is σ of the difference of the
// logarithms of the gates, log σ(u) = −softplus(−u): where both gates are near 0 their quotient
// would lose its digits.
func (c *minLSTM) Step(x *nodes.Node, s State) State {
	ready(c, c.wIH, x, s)
	a := nodes.Split(affine(x, c.wIH, c.b), 3, -1)
	keep := nodes.Sigmoid(nodes.Sub(nodes.Softplus(nodes.Neg(a[1])),
		nodes.Softplus(nodes.Neg(a[0]))))
	n := candidate(a[2], c.cfg.Positive)
	return State{nodes.Add(nodes.Mul(keep, s[0]), nodes.Mul(nodes.OneMinus(keep), n))}
}
