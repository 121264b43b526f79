package cells

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/nodes"
)

// State holds the values that a cell carries from step to step. State[0] is the cell's output.
type State []*nodes.Node

// Part describes one part of a state. Everything outside of a cell holds it as [B, Width]; the cell
// itself sees it as [B, Shape...] if it says a shape.
type Part struct {
	Name  string // such as "h"
	Width int    // numbers a row
	Shape []int  // of the part of one row, such as [heads, d, d]; nil: [Width]
}

// Matrix is a part that a cell sees as [B, shape...].
func Matrix(name string, shape ...int) Part { return Part{name, ops.Size(shape), shape} }

// Equal reports whether both parts are called and shaped alike.
func (p Part) Equal(q Part) bool {
	return p.Name == q.Name && p.Width == q.Width && slices.Equal(p.dims(), q.dims())
}

// dims is the shape of one row.
func (p Part) dims() []int {
	if p.Shape == nil {
		return []int{p.Width}
	}
	return p.Shape
}

// String is the part as an error shows it, such as "C [B, 2, 8, 8]".
func (p Part) String() string {
	s := p.Name + " [B"
	for _, d := range p.dims() {
		s += fmt.Sprintf(", %d", d)
	}
	return s + "]"
}

// CheckParts reports the first part that cannot be one: each has a name of its own, which a path of
// a parameter can hold, a width of 1 or more, and a shape that holds as many numbers. The first is
// the output of the cell, which has no shape of its own.
func CheckParts(parts []Part) error {
	if len(parts) == 0 {
		return errors.New("a state of no parts; want one at least, its output")
	}
	names := map[string]bool{}
	for i, p := range parts {
		switch {
		case p.Name == "" || names[p.Name]:
			return fmt.Errorf("the parts %v; want each with a name of its own", parts)
		case strings.ContainsFunc(p.Name, notInPart) || !utf8.ValidString(p.Name):
			return fmt.Errorf("the part %q; want printable characters, and no slash, space, "+
				"comma or +", p.Name)
		case p.Width < 1 || p.Width > 1<<30:
			return fmt.Errorf("the part %s with a width of %d; want 1 … %d", p.Name, p.Width, 1<<30)
		case p.Shape != nil && (ops.CheckShape(p.Shape) != nil || ops.Size(p.Shape) != p.Width):
			return fmt.Errorf("the part %v with a width of %d; want as many numbers as "+
				"its shape has", p, p.Width)
		case i == 0 && len(p.dims()) != 1:
			return fmt.Errorf("the output as %v; want [B, Width]", p)
		}
		names[p.Name] = true
	}
	return nil
}

// notInPart reports a character that the name of a part cannot have: paths of parameters are made
// of it, and lists of parts for Zoneout.
func notInPart(r rune) bool { return strings.ContainsRune("/ ,+", r) || !unicode.IsPrint(r) }

// Advance is one step of c with states as everything outside of a cell holds them, every part [B,
// Width]: c.Step itself sees those that say a shape in that shape.
func Advance(c Cell, x *nodes.Node, s State) State {
	if c == nil || x == nil {
		nodes.Failf("Advance", "the cell or its input is nil")
	}
	parts, inside := c.Parts(), slices.Clone(s)
	for i, p := range parts {
		if i < len(s) && s[i] != nil && p.Shape != nil {
			inside[i] = nodes.Reshape(s[i], append([]int{s[i].Dim(0)}, p.Shape...)...)
		}
	}
	next := slices.Clone(c.Step(x, inside))
	for i, p := range parts {
		if i >= len(next) || next[i] == nil || p.Shape == nil {
			continue
		}
		if want := append([]int{x.Dim(0)}, p.Shape...); !slices.Equal(next[i].Shape(), want) {
			nodes.Failf("Advance", "the step of the cell %T gives the part %s as %s, want %s", c,
				p.Name, ops.ShapeString(next[i].Shape()), ops.ShapeString(want))
		}
		next[i] = nodes.Reshape(next[i], x.Dim(0), p.Width)
	}
	return next
}

// Cell is one step of a recurrence.
type Cell interface {
	// Parts describes the state, output first.
	Parts() []Part
	// Step maps x [B, In] and the state, each part in the shape that Parts says, to the next state,
	// whose part 0 is the output of the step. It may be called more than once for one model, so it
	// must do the same every time. What is not a cell itself calls Advance.
	Step(x *nodes.Node, s State) State
}

// Free is a cell some parts of whose state have a meaning that only the cell itself knows, such as
// the scale of its other parts. FreeParts names the others: those that may start as any numbers,
// for example as those that another network computes. What is not named starts at zero, or as a
// cell of the same kind left it. In a cell without the method all parts are free.
type Free interface{ FreeParts() []string }

// FreeParts names the parts of a state that may start as any numbers; see Free.
func FreeParts(c interface{ Parts() []Part }) (names []string) {
	if c == nil {
		return nil
	}
	if f, ok := c.(Free); ok {
		return f.FreeParts()
	}
	for _, p := range c.Parts() {
		names = append(names, p.Name)
	}
	return names
}

// ready refuses what no step begins with: a cell that no constructor has made, of whose weights one
// is given, and an input or a state that is nil or of other parts than the cell's.
func ready(c Cell, weight *nodes.Param, x *nodes.Node, s State) {
	name := strings.TrimPrefix(fmt.Sprintf("%T", c), "*cells.")
	if weight == nil {
		nodes.Failf(name, "the cell is an empty value: New%s makes one", name)
	}
	checkStep(name, c, x, s)
}

// checkStep refuses an input or a state of a step that is nil, and a state of other parts than c's.
func checkStep(name string, c interface{ Parts() []Part }, x *nodes.Node, s State) {
	if parts := c.Parts(); len(s) != len(parts) {
		nodes.Failf(name, "a state of %d parts: want %v", len(s), parts)
	}
	for i, n := range append(State{x}, s...) {
		if n == nil || n.Graph() == nil {
			what := "x"
			if i > 0 {
				what = fmt.Sprintf("part %d of the state", i-1)
			}
			nodes.Failf(name, "%s is nil, or none that a graph made", what)
		}
	}
}

// Zero is the state of zeros for a batch, every part [B, Width].
func Zero(g *nodes.Graph, c interface{ Parts() []Part }, batch int) State {
	if g == nil || c == nil {
		nodes.Failf("Zero", "the graph or the cell is nil")
	}
	s := State{}
	for _, p := range c.Parts() {
		s = append(s, g.Zeros(batch, p.Width))
	}
	return s
}

// Activation names the function of a plain RNN.
type Activation string

const (
	Tanh    Activation = "tanh" // the default
	ReLU    Activation = "relu"
	Sigmoid Activation = "sigmoid"
)

// checkActivation reports an activation that is none of the three.
func checkActivation(bad *check.Problems, a Activation) {
	check.OneOf(bad, "Activation", cmp.Or(a, Tanh), Tanh, ReLU, Sigmoid)
}

func (a Activation) of(x *nodes.Node) *nodes.Node {
	switch a {
	case ReLU:
		return nodes.ReLU(x)
	case Sigmoid:
		return nodes.Sigmoid(x)
	}
	return nodes.Tanh(x)
}

// MaxWidth is the largest width of a cell: 2²⁰, far beyond use, and small enough that no product of
// sizes overflows.
const MaxWidth = 1 << 20

// checkWidths begins to gather what is wrong with a cell: every width outside of 1 … MaxWidth, by
// name.
func checkWidths(cell string, widths ...any) *check.Problems {
	bad := &check.Problems{Prefix: cell + ": "}
	for i := 0; i < len(widths); i += 2 {
		bad.Int(widths[i].(string), widths[i+1].(int), 1, MaxWidth)
	}
	return bad
}

// must panics with the mistakes of a configuration as a *nodes.BuildError.
func must(s *nodes.Scope, op string, err error) {
	if err != nil {
		panic(&nodes.BuildError{Path: s.Path(), Op: op, Msg: err.Error(), Err: err})
	}
}

// or is init, or what else says if init is the zero value.
func or(init, otherwise nodes.Init) nodes.Init {
	if init.IsZero() {
		return otherwise
	}
	return init
}

// setUniform makes initialisers that are not set uniform in ±1/√hidden.
func setUniform(hidden int, inits ...*nodes.Init) {
	bound := 1 / math.Sqrt(float64(hidden))
	for _, init := range inits {
		*init = or(*init, nodes.Uniform(-bound, bound))
	}
}

// maxMemory bounds the steps that gates are to remember; the sigmoid of a larger bias is 1.
const maxMemory = 1 << 20

// checkMemory reports a memory out of range, or set beside another start of the biases.
func checkMemory(bad *check.Problems, memory int, uniform bool) {
	bad.Optional("Memory", memory, 2, maxMemory, "or 0")
	bad.That(memory == 0 || !uniform,
		"Memory and Uniform both say how biases begin; set one of them")
}

// checkMemoryBias reports a memory out of range, or one of a cell without the biases that hold it.
func checkMemoryBias(bad *check.Problems, memory int, noBias bool) {
	checkMemory(bad, memory, false)
	bad.That(memory == 0 || !noBias,
		"Memory is how biases begin, and NoBias leaves them out; set one of them")
}

// chrono is the start of the biases of a gate whose units are to remember for all times up to
// memory steps: sign is 1 for a gate that keeps the state and −1 for one that replaces it. Without a
// memory it is otherwise.
func chrono(memory int, sign float64, otherwise nodes.Init) nodes.Init {
	if memory == 0 {
		return otherwise
	}
	return nodes.Chrono(float64(memory), sign)
}

// affine is x·w + b, without b if the cell has none.
func affine(x nodes.Operand, w, b *nodes.Param) *nodes.Node {
	return plus(nodes.MatMul(x, w), b)
}

// plus is y + b, without b if the cell has none.
func plus(y *nodes.Node, b *nodes.Param) *nodes.Node {
	if b == nil {
		return y
	}
	return nodes.Add(y, b)
}

// bias declares a bias unless it is not wanted.
func bias(s *nodes.Scope, none bool, name string, init nodes.Init, shape ...int) *nodes.Param {
	if none {
		return nil
	}
	return s.Param(name, init, shape...)
}
