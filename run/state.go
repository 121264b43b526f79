package run

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// State is the state of a recurrence between two runs: a tensor [B, Width] for each part. It begins
// as zeros.
//
// It is a value: Clone forks it, MarshalBinary turns it into bytes that may be kept in a file or a
// database, and UnmarshalBinary makes it of them, to the bit.
type State struct {
	names   []string // of the parts
	parts   []Floats
	tensors []*tensor.Dense
}

// NewState makes the state of a batch, of nodes.Float32 or nodes.Float64.
func NewState(parts []cells.Part, batch int, dtype tensor.Dtype) (*State, error) {
	s := &State{}
	for _, p := range parts {
		shape := []int{batch, p.Width}
		if err := ops.CheckShape(shape); err != nil {
			return nil, fmt.Errorf("run: state %q: %w", p.Name, err)
		}
		if dtype != tensor.Float32 && dtype != tensor.Float64 {
			return nil, fmt.Errorf("run: state %q is of %v, want float32 or float64", p.Name, dtype)
		}
		t := tensor.New(tensor.Of(dtype), tensor.WithShape(shape...))
		f, err := floatsOfDense(t)
		if err != nil {
			return nil, err
		}
		s.names = append(s.names, p.Name)
		s.tensors, s.parts = append(s.tensors, t), append(s.parts, f)
	}
	return s, nil
}

// Tensors are the parts as tensors, such as a checkpoint keeps.
func (s *State) Tensors() []*tensor.Dense {
	if s == nil {
		return nil
	}
	return s.tensors
}

// Parts are the numbers of the parts, [B, Width], to be read or changed.
func (s *State) Parts() []Floats {
	if s == nil {
		return nil
	}
	return s.parts
}

// Zero starts every sequence of the batch anew.
func (s *State) Zero() {
	for _, p := range s.parts {
		p.Fill(0)
	}
}

// Reset starts single sequences of the batch anew, where others go on.
func (s *State) Reset(rows ...int) error {
	for _, p := range s.parts {
		for _, r := range rows {
			if batch := p.shape[0]; r < 0 || r >= batch {
				return fmt.Errorf("run: reset of sequence %d in a batch of %d", r, batch)
			}
			p.Rows(r, r+1).Fill(0)
		}
	}
	return nil
}
