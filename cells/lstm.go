package cells

import (
	"github.com/seqzoo/seqzoo/internal/steps"
	"github.com/seqzoo/seqzoo/nodes"
)

// Peephole says how the gates of an LSTM see the cell state.
type Peephole string

const (
	NoPeephole Peephole = "" // they do not
	// each unit its own: P(c) = p∘c (Gers, Schraudolph and Schmidhuber, 2002)
	Diagonal Peephole = "diagonal"
	Full     Peephole = "full" // all units: P(c) = c·P with a matrix
)

// Norm says where an LSTM is layer-normalised.
type Norm string

const (
	NoNorm    Norm = ""
	NormGates Norm = "gates" // one normalisation over all gates together
	NormGate  Norm = "gate"  // each gate on its own
)

// LSTMConfig is a long short-term memory (Hochreiter and Schmidhuber, 1997; with forget gate:
// Gers, Schmidhuber and Cummins, 2000):
//
//	i, f, g, o = split(x·W_ih + h·W_hh + b)
//	c' = σ(f + P_f(c))∘c + σ(i + P_i(c))∘tanh(g)
//	h' = σ(o + P_o(c'))∘tanh(c')
//
// The sum that makes c' is the constant error carousel: what a gate of 1 lets pass comes back
// through time unchanged. The P are the peepholes, 0 by default; with PeepholeNorm they see LN(c),
// normalised over the units without gain or bias, in place of c, which has no bound. Coupled gates
// are i, g, o with σ(f) = 1 − σ(i). A projection multiplies h' by W_hr. Layer normalisation makes
// it LN(x·W_ih) + LN(h·W_hh) + b, and tanh(LN(c')) in the last line.
//
// Its state is {h, c}.
//
// The zero value of an optional field is its default.
type LSTMConfig struct {
	In, Hidden int
	Peephole   Peephole `json:"peephole,omitempty"` // default none
	// The gates see the cell state normalised, P(LN(c)), which full peepholes need: see
	// chapter 4 of the course, examples/04-lstm.
	PeepholeNorm bool `json:"peephole_norm,omitempty"`
	Coupled      bool `json:"coupled,omitempty"` // f = 1 − i, three gates (Greff et al., 2017)
	// width of h if it is projected (Sak et al., 2014); 0: none, h has the width Hidden
	Projection int  `json:"projection,omitempty"`
	LayerNorm  Norm `json:"layer_norm,omitempty"` // default none (Ba, Kiros and Hinton, 2016)
	// inside the root of the normalisation; default 1e-5
	NormEps float64 `json:"norm_eps,omitempty"`
	NoBias  bool    `json:"no_bias,omitempty"`
	// Uniform draws all first weights and biases that no Init sets from ±1/√Hidden, as PyTorch
	// does.
	Uniform bool `json:"uniform,omitempty"`
	// Memory is how many steps the cell is to remember at the start: its units are spread over all
	// times up to it (nodes.Chrono; Tallec and Ollivier, 2018). 0: the biases begin as said below.
	Memory     int        `json:"memory,omitempty"`
	InitInput  nodes.Init // of W_ih, every gate; default Xavier uniform
	InitHidden nodes.Init // of W_hh, every gate; default orthogonal
	// of b; default 1 for the forget gate (Jozefowicz et al., 2015), else 0; Constant(0): all 0
	InitBias nodes.Init
}

// Validate reports every field that is out of range.
func (c LSTMConfig) Validate() error {
	bad := checkWidths("LSTM", "In", c.In, "Hidden", c.Hidden)
	bad.Optional("Projection", c.Projection, 1, MaxWidth)
	bad.That(c.Peephole == NoPeephole || c.Peephole == Diagonal || c.Peephole == Full,
		"Peephole is %q, want none, diagonal or full", c.Peephole)
	bad.That(c.LayerNorm == NoNorm || c.LayerNorm == NormGates || c.LayerNorm == NormGate,
		"LayerNorm is %q, want none, gates or gate", c.LayerNorm)
	bad.That(!c.PeepholeNorm || c.Peephole != NoPeephole,
		"PeepholeNorm is of peepholes, and Peephole is none")
	checkMemory(bad, c.Memory, c.Uniform)
	bad.NotNegative("NormEps", c.NormEps)
	return bad.Err()
}

// Sized is the configuration for the given widths.
func (c LSTMConfig) Sized(in, hidden int) Config {
	c.In, c.Hidden = in, hidden
	return c
}

func init() { Register("lstm", LSTMConfig{}) }

// output is the width of h.
func (c LSTMConfig) output() int {
	if c.Projection > 0 {
		return c.Projection
	}
	return c.Hidden
}

// lstm is the cell of LSTMConfig.
type lstm struct {
	cfg                 LSTMConfig
	gates               int // 4, or 3 if coupled
	wIH, wHH, b         *nodes.Param
	wHR                 *nodes.Param // projection, or nil
	peepI, peepF, peepO *nodes.Param // or nil
	normX, normH, normC *layerNorm   // or nil
}

// NewLSTM is cfg.New(s), which reads better where the configuration is written out.
func NewLSTM(s *nodes.Scope, cfg LSTMConfig) Cell { return cfg.New(s) }

// New declares W_ih [In, 4H], W_hh [H, 4H] and b [4H] under s, gates in the order i, f, g, o
// (i, g, o if coupled), and what the options ask for: peephole_i, _f, _o, [H] or [H, H]; W_hr [H,
// P], with W_hh [P, 4H]; gains and biases of the normalisations.
func (cfg LSTMConfig) New(s *nodes.Scope) Cell {
	must(s, "LSTMConfig.New", cfg.Validate())
	if cfg.Uniform {
		setUniform(cfg.Hidden, &cfg.InitInput, &cfg.InitHidden, &cfg.InitBias)
	}
	gates, forget := 4, nodes.Blocks(nodes.Zeros(), nodes.Ones(), nodes.Zeros(), nodes.Zeros())
	if cfg.Coupled {
		gates, forget = 3, nodes.Zeros()
	}
	if cfg.Memory > 0 {
		input, keep, zeros := nodes.Chrono(float64(cfg.Memory), -1),
			nodes.Chrono(float64(cfg.Memory), 1), nodes.Zeros()
		if forget = nodes.Blocks(input, keep, zeros, zeros); cfg.Coupled {
			forget = nodes.Blocks(input, zeros, zeros)
		}
	}
	H, out := cfg.Hidden, cfg.output()
	l := &lstm{
		cfg: cfg, gates: gates,
		wIH: s.Param("W_ih", nodes.Gates(gates, or(cfg.InitInput, nodes.XavierUniform(1))), cfg.In,
			gates*H),
		wHH: s.Param("W_hh", nodes.Gates(gates, or(cfg.InitHidden, nodes.Orthogonal(1))), out,
			gates*H),
		b: bias(s, cfg.NoBias, "b", or(cfg.InitBias, forget), gates*H),
	}
	if cfg.Coupled {
		steps.Own(l.wIH, "an LSTM with coupled gates")
	}
	if cfg.Projection > 0 {
		l.wHR = s.Param("W_hr", nodes.XavierUniform(1), H, out)
	}
	peep := func(name string) *nodes.Param {
		switch cfg.Peephole {
		case Diagonal:
			return s.Param(name, nodes.Zeros(), H)
		case Full:
			return s.Param(name, nodes.Zeros(), H, H)
		}
		return nil
	}
	l.peepI, l.peepO = peep("peephole_i"), peep("peephole_o")
	if !cfg.Coupled {
		l.peepF = peep("peephole_f")
	}
	if cfg.LayerNorm != NoNorm {
		blocks := 1
		if cfg.LayerNorm == NormGate {
			blocks = gates
		}
		l.normX = newLayerNorm(s, "x", gates*H, blocks, cfg.NormEps)
		l.normH = newLayerNorm(s, "h", gates*H, blocks, cfg.NormEps)
		l.normC = newLayerNorm(s, "c", H, 1, cfg.NormEps)
	}
	return l
}

// Parts is {h, c}.
func (l *lstm) Parts() []Part {
	return []Part{{Name: "h", Width: l.cfg.output()}, {Name: "c", Width: l.cfg.Hidden}}
}

// Role tells the weights of the gates from projection and peepholes, which also multiply what
// depends on the state.
func (l *lstm) Role(leaf string) Role {
	switch leaf {
	case "W_ih":
		return OfInput
	case "W_hh":
		return OfState
	}
	return NoRole
}

// Step advances one time step.
func (l *lstm) Step(x *nodes.Node, s State) State {
	ready(l, l.wIH, x, s)
	h, c := s[0], s[1]
	a := nodes.Add(l.normX.of(nodes.MatMul(x, l.wIH)), l.normH.of(nodes.MatMul(h, l.wHH)))
	gates := nodes.Split(plus(a, l.b), l.gates, -1) // i, f, g, o, or i, g, o: each [B, H]
	i := nodes.Sigmoid(l.peep(gates[0], c, l.peepI))
	var f *nodes.Node
	if l.cfg.Coupled {
		f = nodes.OneMinus(i)
	} else {
		f = nodes.Sigmoid(l.peep(gates[1], c, l.peepF))
	}
	g, o := gates[l.gates-2], gates[l.gates-1]
	c = nodes.Add(nodes.Mul(f, c), nodes.Mul(i, nodes.Tanh(g)))
	h = nodes.Mul(nodes.Sigmoid(l.peep(o, c, l.peepO)), nodes.Tanh(l.normC.of(c)))
	if l.wHR != nil {
		h = nodes.MatMul(h, l.wHR)
	}
	return State{h, c}
}

// peep adds the peephole of a gate.
func (l *lstm) peep(gate, c *nodes.Node, p *nodes.Param) *nodes.Node {
	if l.cfg.PeepholeNorm {
		g, H := c.Graph(), l.cfg.Hidden
		c = nodes.LayerNorm(c, g.Const(1, H), g.Const(0, H), l.cfg.NormEps)
	}
	switch l.cfg.Peephole {
	case Diagonal:
		return nodes.Add(gate, nodes.Mul(c, p))
	case Full:
		return nodes.Add(gate, nodes.MatMul(c, p))
	}
	return gate
}

// layerNorm normalises [B, width] in equal blocks. The nil *layerNorm does nothing.
type layerNorm struct {
	gain, bias *nodes.Param
	blocks     int
	eps        float64
}

// newLayerNorm declares gain_<name> and bias_<name>, [width].
func newLayerNorm(s *nodes.Scope, name string, width, blocks int, eps float64) *layerNorm {
	return &layerNorm{s.Param("gain_"+name, nodes.Ones(), width),
		s.Param("bias_"+name, nodes.Zeros(), width), blocks, eps}
}

func (n *layerNorm) width() int { return n.gain.Shape()[0] }

func (n *layerNorm) of(x *nodes.Node) *nodes.Node {
	if n == nil {
		return x
	}
	width := x.Dim(-1) / n.blocks
	split := nodes.Reshape(x, -1, n.blocks, width)
	gain := nodes.Reshape(x.Graph().Param(n.gain), n.blocks, width)
	bias := nodes.Reshape(x.Graph().Param(n.bias), n.blocks, width)
	return nodes.Reshape(nodes.LayerNorm(split, gain, bias, n.eps), x.Shape()...)
}
