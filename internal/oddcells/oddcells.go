// Package oddcells registers cells of kinds that the library's own are not, as odd-tape, odd-blur
// and odd-gap. A test that imports it has them in every model, wrapper, program and file beside the
// library's.
package oddcells

import (
	"fmt"
	"math"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
)

func init() {
	cells.Register("odd-tape", TapeConfig{Rows: 3})
	cells.Register("odd-blur", BlurConfig{})
	cells.Register("odd-gap", GapConfig{})
}

// TapeConfig is a cell that writes to rows of a memory and reads them by what they hold, as a
// neural Turing machine does (Graves et al., 2014). Its output is wider than Hidden, one part of
// its state is a matrix and one counts steps, and none of its products has a parameter as such on
// its right: two have slices of one, one a parameter on the left.
type TapeConfig struct {
	In, Hidden int
	Rows       int `json:"rows"`
}

// Sized is the configuration for the given widths.
func (c TapeConfig) Sized(in, hidden int) cells.Config { c.In, c.Hidden = in, hidden; return c }

// Validate reports a width or a number of rows that is out of range.
func (c TapeConfig) Validate() error {
	if c.Rows < 1 {
		return fmt.Errorf("odd-tape: Rows is %d", c.Rows)
	}
	return checkWidths("odd-tape", c.In, c.Hidden)
}

func checkWidths(cell string, in, hidden int) error {
	if in < 1 || hidden < 1 || hidden > cells.MaxWidth {
		return fmt.Errorf("%s: In %d, Hidden %d", cell, in, hidden)
	}
	return nil
}

// New declares heads [In + Hidden + 2, 3·Hidden] and their bias, and left [Hidden + 2, Hidden].
func (c TapeConfig) New(s *nodes.Scope) cells.Cell {
	wide := c.Hidden + 2
	in := s.In("β.heads")
	return &tape{c, wide, in.Param("all", nodes.XavierUniform(1), c.In+wide, 3*c.Hidden),
		in.Param("b", nodes.Normal(0, 0.1), 3*c.Hidden),
		s.Param("left", nodes.XavierUniform(1), wide, c.Hidden)}
}

type tape struct {
	TapeConfig
	wide         int
	all, b, left *nodes.Param
}

// Parts is {seen, tape, clock}.
func (c *tape) Parts() []cells.Part {
	return []cells.Part{{Name: "seen", Width: c.wide}, cells.Matrix("tape", c.Rows, c.Hidden),
		{Name: "clock", Width: 1}}
}

// Step writes a row, and then reads.
func (c *tape) Step(x *nodes.Node, s cells.State) cells.State {
	B, H := x.Dim(0), c.Hidden
	all := x.Graph().Param(c.all)
	heads := nodes.Split(nodes.Add(nodes.MatMul(x, nodes.Slice(all, 0, 0, c.In)),
		nodes.MatMul(s[0], nodes.Slice(all, 0, c.In, c.In+c.wide)), c.b), 3, -1)
	key, value := nodes.Tanh(heads[0]), nodes.Tanh(heads[1])
	fit := nodes.MatMul(s[1], nodes.Reshape(key, B, H, 1)) // [B, Rows, 1]
	at := nodes.Softmax(nodes.Add(nodes.Reshape(fit, B, c.Rows),
		nodes.Cos(nodes.Mul(s[2], nodes.Scalar(math.Pi/3)))))
	written := nodes.Mul(nodes.Reshape(at, B, c.Rows, 1), nodes.Reshape(value, B, 1, H))
	memory := nodes.Add(nodes.Scale(s[1], 0.9), written)
	read := nodes.Reshape(nodes.MatMul(nodes.Reshape(at, B, 1, c.Rows), memory), B, H)
	out := nodes.Transpose(nodes.MatMul(c.left, // as on paper: W·h
		nodes.Transpose(nodes.Mul(read, nodes.Sigmoid(heads[2])))))
	return cells.State{nodes.Tanh(out), memory, nodes.Shift(s[2], 1)}
}

// BlurConfig is a cell whose loop has no product: averages of x·mix over three spans of time, in a
// part that is wider than the output. Its weights have no product with the state.
type BlurConfig struct{ In, Hidden int }

// Sized is the configuration for the given widths.
func (c BlurConfig) Sized(in, hidden int) cells.Config { return BlurConfig{in, hidden} }

// Validate reports a width that is out of range.
func (c BlurConfig) Validate() error { return checkWidths("odd-blur", c.In, c.Hidden) }

// New declares W_hh [In, Hidden], which multiplies x for all its name, and spans and weigh
// [Hidden, 3].
func (c BlurConfig) New(s *nodes.Scope) cells.Cell {
	return blur{c, s.Param("W_hh", nodes.XavierUniform(1), c.In, c.Hidden),
		s.Param("spans", nodes.Uniform(-2, 2), c.Hidden, spans),
		s.Param("weigh", nodes.Normal(0, 1), c.Hidden, spans)}
}

// spans are the averages that blur takes of each unit.
const spans = 3

type blur struct {
	BlurConfig
	mix, spans, weigh *nodes.Param
}

// Parts is {y, averages}.
func (c blur) Parts() []cells.Part {
	return []cells.Part{{Name: "y", Width: c.Hidden}, cells.Matrix("averages", c.Hidden, spans)}
}

// Step moves the averages, each by its share.
func (c blur) Step(x *nodes.Node, s cells.State) cells.State {
	u := nodes.Reshape(nodes.MatMul(x, c.mix), x.Dim(0), c.Hidden, 1)
	keep := nodes.Sigmoid(x.Graph().Param(c.spans))
	averages := nodes.Add(nodes.Mul(keep, s[1]), nodes.Mul(nodes.OneMinus(keep), u))
	return cells.State{nodes.Tanh(nodes.Sum(nodes.Mul(averages, c.weigh), 2)), averages}
}

// GapConfig is a cell the last feature of whose input is the time since the step before, by which
// its state decays. It multiplies its state by three matrices, of which one is named as weights of
// inputs are elsewhere, one is not used as it is, and one multiplies what another one gave; and it
// draws noise of its own.
type GapConfig struct {
	In, Hidden int
	Noise      float64 `json:"noise"`
}

// Sized is the configuration for the given widths.
func (c GapConfig) Sized(in, hidden int) cells.Config { c.In, c.Hidden = in, hidden; return c }

// Validate reports a width that is out of range.
func (c GapConfig) Validate() error {
	if c.In < 2 {
		return fmt.Errorf("odd-gap: In is %d, want a feature beside the gap", c.In)
	}
	return checkWidths("odd-gap", c.In, c.Hidden)
}

// New declares W_hh [In − 1, 2·Hidden] of the input, its bias, and three matrices [Hidden, Hidden].
func (c GapConfig) New(s *nodes.Scope) cells.Cell {
	H, init := c.Hidden, nodes.XavierUniform(1)
	return &gap{c, s.Param("W_hh", init, c.In-1, 2*H), s.Param("W_ih", init, H, H),
		s.Param("stiff", init, H, H), s.Param("→", init, H, H),
		s.Param("bias_W_ih", nodes.Zeros(), 2*H)}
}

type gap struct {
	GapConfig
	in, first, stiff, last, b *nodes.Param
}

// Parts is {h, age}.
func (c *gap) Parts() []cells.Part {
	return []cells.Part{{Name: "h", Width: c.Hidden}, {Name: "age", Width: 1}}
}

// Step lets h decay by the time that has passed, and moves it towards the candidate by as much.
func (c *gap) Step(x *nodes.Node, s cells.State) cells.State {
	F := c.In - 1
	passed := nodes.Softplus(nodes.Slice(x, -1, F, c.In))
	a := nodes.Split(nodes.Add(nodes.MatMul(nodes.Slice(x, -1, 0, F), c.in), c.b), 2, -1)
	h := nodes.Mul(s[0], nodes.Exp(nodes.Neg(passed)))
	r := nodes.Sigmoid(nodes.Add(a[0], nodes.MatMul(h, c.first)))
	// antisymmetric, so that nothing explodes
	skew := nodes.Sub(c.stiff, nodes.Transpose(x.Graph().Param(c.stiff)))
	n := nodes.MatMul(nodes.MatMul(nodes.Mul(r, h), skew), c.last)
	n = nodes.Dropout(nodes.Tanh(nodes.Add(a[1], n)), c.Noise)
	return cells.State{nodes.Add(h, nodes.Mul(passed, nodes.Sub(n, h))), nodes.Add(s[1], passed)}
}
