package train

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// Carry is the state of a recurrence between two windows of truncated backpropagation: a tensor [B, Width] for each part.
// It begins as zeros.
type Carry struct {
	parts   []cells.Part
	tensors []*tensor.Dense
}

// NewCarry makes the state of a batch, of Float32 or Float64.
func NewCarry(parts []cells.Part, batch int, dtype tensor.Dtype) (*Carry, error) {
	c := &Carry{parts: parts}
	for _, p := range parts {
		shape := []int{batch, p.Width}
		if err := ops.CheckShape(shape); err != nil {
			return nil, fmt.Errorf("train: state %q: %w", p.Name, err)
		}
		c.tensors = append(c.tensors, tensor.New(tensor.Of(dtype), tensor.WithShape(shape...)))
	}
	return c, nil
}

// Tensors are the parts, to be read or changed.
func (c *Carry) Tensors() []*tensor.Dense { return c.tensors }

// Zero starts every sequence of the batch anew.
func (c *Carry) Zero() {
	for _, t := range c.tensors {
		t.Zero()
	}
}

// Reset starts single sequences of the batch anew, where others go on.
func (c *Carry) Reset(rows ...int) error {
	for i, t := range c.tensors {
		batch, width := t.Shape()[0], c.parts[i].Width
		for _, r := range rows {
			if r < 0 || r >= batch {
				return fmt.Errorf("train: reset of sequence %d in a batch of %d", r, batch)
			}
			switch v := t.Data().(type) {
			case []float32:
				clear(v[r*width : (r+1)*width])
			case []float64:
				clear(v[r*width : (r+1)*width])
			}
		}
	}
	return nil
}

// Set copies the values of a part.
func (c *Carry) Set(part int, from gorgonia.Value) error { return copyValue(c.tensors[part], from) }

// CopyTo copies a part into the tensor that feeds a window.
func (c *Carry) CopyTo(part int, to *tensor.Dense) error { return copyValue(to, c.tensors[part]) }

func copyValue(to *tensor.Dense, from gorgonia.Value) error {
	switch v := to.Data().(type) {
	case []float32:
		if f, ok := from.Data().([]float32); ok && len(f) == len(v) {
			copy(v, f)
			return nil
		}
	case []float64:
		if f, ok := from.Data().([]float64); ok && len(f) == len(v) {
			copy(v, f)
			return nil
		}
	}
	return fmt.Errorf("train: a state of %v %v does not take %v %v", to.Dtype(), to.Shape(), from.Dtype(), from.Shape())
}

// Save adds the state to a checkpoint under a name.
func (c *Carry) Save(to *Checkpoint, name string) {
	for i, t := range c.tensors {
		to.Tensors[fmt.Sprintf("%s %d", name, i)] = t
	}
}

// Load takes back what Save added.
func (c *Carry) Load(from *Checkpoint, name string) error {
	for i, t := range c.tensors {
		saved := from.Tensors[fmt.Sprintf("%s %d", name, i)]
		if saved == nil {
			return fmt.Errorf("train: the checkpoint has no state %q: it was made with other layers", fmt.Sprintf("%s %d", name, i))
		}
		if err := copyValue(t, saved); err != nil {
			return fmt.Errorf("%w: the checkpoint was made with other sizes", err)
		}
	}
	return nil
}
