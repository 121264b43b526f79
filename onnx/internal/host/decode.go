package host

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/seqzoo/seqzoo/onnx/internal/pb"
)

// Decode reads a tensor. External gives the bytes of one whose elements lie outside of the file;
// nil refuses those.
func Decode(p *pb.TensorProto, external func(p *pb.TensorProto, bytes int) ([]byte, error)) (
	t *Tensor, err error) {
	defer Catch(&err)
	if p == nil {
		return nil, fmt.Errorf("the tensor is missing")
	}
	shape, err := DimsOf(p)
	if err != nil {
		return nil, err
	}
	typ := Type(p.GetDataType())
	if !typ.Known() {
		return nil, fmt.Errorf("tensor %q is of %v, which is not supported", p.GetName(), typ)
	}
	raw := p.RawData
	if p.GetDataLocation() == pb.TensorProto_EXTERNAL {
		if external == nil {
			return nil, fmt.Errorf("tensor %q has its elements outside of the file", p.GetName())
		}
		if raw, err = external(p, Size(shape)*width(typ)); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", p.GetName(), err)
		}
		if raw == nil {
			raw = []byte{}
		}
	}
	// The elements are there before memory is taken for them, so that a file of a few bytes cannot
	// ask for gigabytes.
	if have, want := count(p, raw, typ), Size(shape); have != want {
		return nil, fmt.Errorf("tensor %q has %d elements, its shape %v has %d", p.GetName(), have,
			shape, want)
	}
	t = New(typ, shape...)
	if raw != nil {
		t.fromBytes(raw)
		return t, nil
	}
	t.fromFields(p)
	return t, nil
}

// DimsOf is the shape of a tensor in a file.
func DimsOf(p *pb.TensorProto) ([]int, error) {
	shape := make([]int, len(p.Dims))
	if len(shape) > MaxAxes {
		return nil, fmt.Errorf("tensor %q has %d axes, more than %d", p.GetName(), len(shape),
			MaxAxes)
	}
	for i, d := range p.Dims {
		if d > MaxElements {
			return nil, fmt.Errorf("tensor %q has a size of %d", p.GetName(), d)
		}
		shape[i] = int(d)
	}
	return shape, CheckShape(shape)
}

// MaxAxes is the largest number of axes.
const MaxAxes = 64

// width is the number of bytes of an element.
func width(t Type) int {
	switch t {
	case Float16, BFloat16:
		return 2
	case Float32:
		return 4
	case Float64:
		return 8
	}
	return t.Bits() / 8
}

// count is how many elements a file gives for a tensor.
func count(p *pb.TensorProto, raw []byte, t Type) int {
	if raw != nil {
		if w := width(t); w > 0 && len(raw)%w == 0 {
			return len(raw) / w
		}
		return -1
	}
	switch t {
	case Float32:
		return len(p.FloatData)
	case Float64:
		return len(p.DoubleData)
	case Int64:
		return len(p.Int64Data)
	case Uint32, Uint64:
		return len(p.Uint64Data)
	case String:
		return len(p.StringData)
	}
	return len(p.Int32Data)
}

func (t *Tensor) fromFields(p *pb.TensorProto) {
	switch t.Type {
	case Float32:
		for i, x := range p.FloatData {
			t.F[i] = float64(x)
		}
	case Float64:
		copy(t.F, p.DoubleData)
	case Float16:
		for i, x := range p.Int32Data {
			t.F[i] = HalfToFloat(uint16(x))
		}
	case BFloat16:
		for i, x := range p.Int32Data {
			t.F[i] = BrainToFloat(uint16(x))
		}
	case Int64:
		copy(t.I, p.Int64Data)
	case Uint32, Uint64:
		for i, x := range p.Uint64Data {
			t.I[i] = int64(x)
		}
	case String:
		for i, x := range p.StringData {
			t.S[i] = string(x)
		}
	default:
		for i, x := range p.Int32Data {
			t.I[i] = Wrap(int64(x), t.Type)
		}
	}
}

// fromBytes reads little-endian elements.
func (t *Tensor) fromBytes(b []byte) {
	le := binary.LittleEndian
	switch t.Type {
	case Float32:
		for i := range t.F {
			t.F[i] = float64(math.Float32frombits(le.Uint32(b[4*i:])))
		}
	case Float64:
		for i := range t.F {
			t.F[i] = math.Float64frombits(le.Uint64(b[8*i:]))
		}
	case Float16:
		for i := range t.F {
			t.F[i] = HalfToFloat(le.Uint16(b[2*i:]))
		}
	case BFloat16:
		for i := range t.F {
			t.F[i] = BrainToFloat(le.Uint16(b[2*i:]))
		}
	case Uint8, Int8, Bool:
		for i := range t.I {
			t.I[i] = Wrap(int64(b[i]), t.Type)
		}
	case Uint16, Int16:
		for i := range t.I {
			t.I[i] = Wrap(int64(le.Uint16(b[2*i:])), t.Type)
		}
	case Int32, Uint32:
		for i := range t.I {
			t.I[i] = Wrap(int64(le.Uint32(b[4*i:])), t.Type)
		}
	default:
		for i := range t.I {
			t.I[i] = int64(le.Uint64(b[8*i:]))
		}
	}
}

// Encode writes a tensor.
func Encode(name string, t *Tensor) *pb.TensorProto {
	typ := int32(t.Type)
	p := &pb.TensorProto{DataType: &typ, Name: &name}
	for _, d := range t.Shape {
		p.Dims = append(p.Dims, int64(d))
	}
	if t.Type == String {
		for _, s := range t.S {
			p.StringData = append(p.StringData, []byte(s))
		}
		return p
	}
	raw := make([]byte, 0, t.Len()*width(t.Type))
	le := binary.LittleEndian
	for i := range t.Len() {
		switch t.Type {
		case Float32:
			raw = le.AppendUint32(raw, math.Float32bits(float32(t.F[i])))
		case Float64:
			raw = le.AppendUint64(raw, math.Float64bits(t.F[i]))
		case Float16:
			raw = le.AppendUint16(raw, FloatToHalf(float32(t.F[i])))
		case BFloat16:
			raw = le.AppendUint16(raw, FloatToBrain(float32(t.F[i])))
		case Uint8, Int8, Bool:
			raw = append(raw, byte(t.I[i]))
		case Uint16, Int16:
			raw = le.AppendUint16(raw, uint16(t.I[i]))
		case Int32, Uint32:
			raw = le.AppendUint32(raw, uint32(t.I[i]))
		default:
			raw = le.AppendUint64(raw, uint64(t.I[i]))
		}
	}
	p.RawData = raw
	return p
}
