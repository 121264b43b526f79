package cells

import (
	"cmp"
	"math"

	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/nodes"
)

// State is what a cell carries from step to step. State[0] is the cell's output.
type State []*nodes.Node

// Part describes one part of a state: [B, Width].
type Part struct {
	Name  string // such as "h"
	Width int
}

// Cell is one step of a recurrence.
type Cell interface {
	// Parts describes the state, output first.
	Parts() []Part
	// Step maps x [B, In] and the state to the next state, whose part 0 is the output of the step.
	// It may be called more than once for one model, so it must do the same every time.
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

// Zero is the state of zeros for a batch.
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

// setUniform makes uniform in ±1/√hidden what is not set.
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
