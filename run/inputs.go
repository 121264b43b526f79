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
	if v.tensor == nil {
		return nil
	}
	if v.tensor.Dtype() != tensor.Int {
		in.fail(fmt.Errorf("run: input %s is of %v, not of integers", name(input),
			v.tensor.Dtype()))
	}
	return v.Ints()
}

// Floats is the memory of an input of numbers; empty after an error.
func (in *Inputs) Floats(input *nodes.Node) Floats {
	v := in.feed(input)
	if v.tensor == nil {
		return Floats{}
	}
	f, err := floatsOfDense(v.tensor)
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

func (in *Inputs) feed(input *nodes.Node) Input {
	v, err := Feed(input)
	if err != nil {
		in.fail(err)
	}
	return v
}

// Input is the memory of an input of a graph, of integers or of numbers. What is written to it
// feeds the runs to come. The zero value has no memory.
type Input struct{ tensor *tensor.Dense }

// Feed gives an input its memory, zeros at first. Inputs does it for many.
func Feed(input *nodes.Node) (Input, error) {
	if input == nil || input.Graph() == nil {
		return Input{}, errors.New("run: the input is nil")
	}
	v := tensor.New(tensor.Of(input.Dtype()), tensor.WithShape(input.Shape()...))
	if err := gorgonia.Let(input.Gorgonia(), v); err != nil {
		return Input{}, fmt.Errorf("run: input %s: %w", name(input), err)
	}
	return Input{v}, nil
}

// Ints is the memory of an input of integers, in row-major order; nil of one of numbers.
func (in Input) Ints() []int {
	if in.tensor == nil || in.tensor.Dtype() != tensor.Int {
		return nil
	}
	return in.tensor.Ints()
}

// Floats is the memory of an input of numbers; empty of one of integers.
func (in Input) Floats() Floats {
	if in.tensor == nil {
		return Floats{}
	}
	f, err := floatsOfDense(in.tensor)
	if err != nil {
		return Floats{} // integers
	}
	return f
}

// Tensor is the memory as Gorgonia's value; nil of the zero value.
func (in Input) Tensor() *tensor.Dense { return in.tensor }

func name(n *nodes.Node) string { return n.Gorgonia().Name() }
