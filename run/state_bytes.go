package run

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/internal/safetensors"
	"github.com/seqzoo/seqzoo/nodes"
)

// Clone is a state of its own with the same numbers.
func (s *State) Clone() *State {
	if s == nil {
		return nil
	}
	c := &State{names: s.names}
	for _, t := range s.tensors {
		own := tensor.New(tensor.Of(t.Dtype()), tensor.WithShape(t.Shape()...))
		f, _ := floatsOfDense(own) // as NewState made it
		c.tensors, c.parts = append(c.tensors, own), append(c.parts, f)
	}
	for i, p := range c.parts {
		_ = p.Copy(s.parts[i]) // of one shape
	}
	return c
}

// CopyFrom takes the numbers of parts, such as the outputs of a step. Shapes and types must be
// those of the state.
func (s *State) CopyFrom(parts []Floats) error {
	if err := s.fits(parts); err != nil {
		return err
	}
	for i, p := range s.parts {
		_ = p.Copy(parts[i])
	}
	return nil
}

// CopyTo writes the numbers into parts, such as the inputs of a step.
func (s *State) CopyTo(parts []Floats) error {
	if err := s.fits(parts); err != nil {
		return err
	}
	for i, p := range s.parts {
		_ = parts[i].Copy(p)
	}
	return nil
}

func (s *State) fits(parts []Floats) error {
	if s == nil || len(parts) != len(s.parts) {
		return check.Kind(check.ErrMisfit,
			fmt.Errorf("run: a state of %d parts does not fit one of %d",
				len(s.Parts()), len(parts)))
	}
	for i, p := range s.parts {
		if !slices.Equal(p.shape, parts[i].shape) || (p.f64 == nil) != (parts[i].f64 == nil) {
			return check.Kind(check.ErrMisfit, fmt.Errorf("run: part %d of a state, %q, is %v and "+
				"does not fit %v, or is of another type", i, s.names[i], p.shape, parts[i].shape))
		}
	}
	return nil
}

// MarshalBinary gives the state as bytes: a safetensors file with a tensor "0 h", "1 c", … for each
// part, and a checksum.
func (s *State) MarshalBinary() ([]byte, error) { return s.Encode(nil) }

// Encode is MarshalBinary with notes, which stand in the metadata of the file.
func (s *State) Encode(notes map[string]string) ([]byte, error) {
	if s == nil {
		return nil, errors.New("run: the state is nil")
	}
	tensors := make([]safetensors.Tensor, len(s.parts))
	for i, p := range s.parts {
		name := fmt.Sprintf("%d %s", i, s.names[i])
		if p.f64 != nil {
			tensors[i] = safetensors.New(name, p.shape, p.f64)
		} else {
			tensors[i] = safetensors.New(name, p.shape, p.f32)
		}
	}
	var b bytes.Buffer
	if err := safetensors.Write(&b, tensors, notes); err != nil {
		return nil, fmt.Errorf("run: state: %w", err)
	}
	return b.Bytes(), nil
}

// UnmarshalBinary makes s the state that MarshalBinary gave as bytes. Bytes that were changed or
// cut off are an error, and s stays as it was.
func (s *State) UnmarshalBinary(data []byte) error {
	other, _, err := DecodeState(data)
	if err == nil {
		*s = *other
	}
	return err
}

// DecodeState is UnmarshalBinary for bytes with notes.
func DecodeState(data []byte) (s *State, notes map[string]string, err error) {
	fail := func(err error) (*State, map[string]string, error) {
		return nil, nil, fmt.Errorf("run: these %d bytes are no state: %w", len(data), err)
	}
	f, err := safetensors.Read(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return fail(err)
	}
	if !f.Checked {
		return fail(errors.New("there is no checksum, so that another program wrote or changed it"))
	}
	s = &State{}
	for i := range f.Tensors {
		prefix := fmt.Sprintf("%d ", i)
		at := slices.IndexFunc(f.Tensors, func(t safetensors.Tensor) bool {
			return strings.HasPrefix(t.Name, prefix)
		})
		if at < 0 || len(f.Tensors[at].Shape) != 2 {
			return fail(fmt.Errorf("among %d tensors there is none [B, width] of the name %q and "+
				"more", len(f.Tensors), prefix))
		}
		t := f.Tensors[at]
		part := cells.Part{Name: strings.TrimPrefix(t.Name, prefix), Width: t.Shape[1]}
		if err := s.add(part, t); err != nil {
			return fail(err)
		}
	}
	return s, f.Metadata, nil
}

// add is a part with the values of a tensor.
func (s *State) add(p cells.Part, t safetensors.Tensor) error {
	dtype := nodes.Float32
	if t.DType == "F64" {
		dtype = nodes.Float64
	}
	one, err := NewState([]cells.Part{p}, t.Shape[0], dtype)
	if err != nil {
		return err
	}
	if dtype == nodes.Float64 {
		v, err := safetensors.Values[float64](t)
		if err != nil {
			return err
		}
		one.parts[0].Put64(0, v)
	} else {
		v, err := safetensors.Values[float32](t)
		if err != nil {
			return err
		}
		one.parts[0].Put32(0, v)
	}
	s.names, s.parts = append(s.names, p.Name), append(s.parts, one.parts[0])
	s.tensors = append(s.tensors, one.tensors[0])
	return nil
}
