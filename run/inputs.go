package run

import (
	"errors"
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/nodes"
)

// Inputs gives inputs of a graph their memory: what is written into it feeds the runs to come. The
// first error stays, so that many inputs need one look at Err. The zero value is ready.
type Inputs struct{ err error }

// Ints is the memory of an integer input, in row-major order; nil after an error.
func (in *Inputs) Ints(input *nodes.Node) []int {
	v := in.feed(input)
	if v == nil {
		return nil
	}
	if v.Dtype() != tensor.Int {
		in.fail(fmt.Errorf("run: input %s is of %v, not of integers", name(input), v.Dtype()))
		return nil
	}
	return v.Ints()
}

// Floats is the memory of an input of numbers; empty after an error.
func (in *Inputs) Floats(input *nodes.Node) Floats {
	v := in.feed(input)
	if v == nil {
		return Floats{}
	}
	f, err := floatsOfDense(v)
	if err != nil {
		in.fail(fmt.Errorf("run: input %s: %w", name(input), err))
	}
	return f
}

// State is the memory of the inputs that are the parts of a state.
func (in *Inputs) State(inputs []*nodes.Node) []Floats {
	parts := make([]Floats, len(inputs))
	for i, n := range inputs {
		parts[i] = in.Floats(n)
	}
	return parts
}

// Err is the first error.
func (in *Inputs) Err() error { return in.err }

func (in *Inputs) fail(err error) {
	if in.err == nil {
		in.err = err
	}
}

func (in *Inputs) feed(input *nodes.Node) *tensor.Dense {
	v, err := Feed(input)
	if err != nil {
		in.fail(err)
		return nil
	}
	return v
}

// Feed makes a tensor of zeros the value of an input, of whatever type, and returns it: writing to
// its elements feeds the runs to come. Inputs has them typed.
func Feed(input *nodes.Node) (*tensor.Dense, error) {
	if input == nil || input.Graph() == nil {
		return nil, errors.New("run: the input is nil")
	}
	v := tensor.New(tensor.Of(input.Dtype()), tensor.WithShape(input.Shape()...))
	if err := gorgonia.Let(input.Gorgonia(), v); err != nil {
		return nil, fmt.Errorf("run: input %s: %w", name(input), err)
	}
	return v, nil
}

func name(n *nodes.Node) string { return n.Gorgonia().Name() }
