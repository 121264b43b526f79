package run

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// State is the state of a recurrence between two runs: a tensor [B, Width] for each part. It begins as zeros.
type State struct {
	parts   []cells.Part
	tensors []*tensor.Dense
}

// NewState makes the state of a batch, of nodes.Float32 or nodes.Float64.
func NewState(parts []cells.Part, batch int, dtype tensor.Dtype) (*State, error) {
	s := &State{parts: parts}
	for _, p := range parts {
		shape := []int{batch, p.Width}
		if err := ops.CheckShape(shape); err != nil {
			return nil, fmt.Errorf("run: state %q: %w", p.Name, err)
		}
		if dtype != tensor.Float32 && dtype != tensor.Float64 {
			return nil, fmt.Errorf("run: state %q: the type is %v, want float32 or float64", p.Name, dtype)
		}
		s.tensors = append(s.tensors, tensor.New(tensor.Of(dtype), tensor.WithShape(shape...)))
	}
	return s, nil
}

// Parts describes the parts of the state.
func (s *State) Parts() []cells.Part { return s.parts }

// Tensors are the parts, to be read or changed, and kept by checkpoints.
func (s *State) Tensors() []*tensor.Dense { return s.tensors }

// Part is part i of the state, [B, Width], in place.
func (s *State) Part(i int) Floats {
	f, err := floatsOfDense(s.tensors[i])
	if err != nil {
		return Floats{} // NewState makes no such tensor
	}
	return f
}

// Zero starts every sequence of the batch anew.
func (s *State) Zero() {
	for _, t := range s.tensors {
		t.Zero()
	}
}

// Reset starts single sequences of the batch anew, where others go on.
func (s *State) Reset(rows ...int) error {
	for i, t := range s.tensors {
		for _, r := range rows {
			if batch := t.Shape()[0]; r < 0 || r >= batch {
				return fmt.Errorf("run: reset of sequence %d in a batch of %d", r, batch)
			}
			s.Part(i).Rows(r, r+1).Fill(0)
		}
	}
	return nil
}
