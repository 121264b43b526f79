package onnx

import (
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/seqzoo/seqzoo/onnx/internal/host"
	"github.com/seqzoo/seqzoo/onnx/internal/pb"
)

// Type is the element type of a Tensor.
type Type int32

// The element types that tensors can have, numbered as in ONNX's files.
const (
	Float32  = Type(host.Float32)
	Uint8    = Type(host.Uint8)
	Int8     = Type(host.Int8)
	Uint16   = Type(host.Uint16)
	Int16    = Type(host.Int16)
	Int32    = Type(host.Int32)
	Int64    = Type(host.Int64)
	String   = Type(host.String)
	Bool     = Type(host.Bool)
	Float16  = Type(host.Float16)
	Float64  = Type(host.Float64)
	Uint32   = Type(host.Uint32)
	Uint64   = Type(host.Uint64)
	BFloat16 = Type(host.BFloat16)
)

// String is the type's name, as ONNX has it in lower case.
func (t Type) String() string { return host.Type(t).String() }

// Tensor is a value that goes into a model or comes out of one: numbers, truth values or texts in
// row-major order. It is not changed once it is made. The zero value is no tensor, and a model
// refuses it; so it does one whose numbers did not fill its shape (see Err).
type Tensor struct {
	t   *host.Tensor
	err error
}

// Values are tensors by the names of inputs or outputs.
type Values map[string]Tensor

// Number is what tensors are made of.
type Number interface {
	~float32 | ~float64 | ~int | ~int64 | ~int32 | ~int16 | ~int8 | ~uint8 | ~uint16 | ~uint32 |
		~uint64
}

// Of makes a tensor of a type from numbers, which it copies and rounds to the type. Without a shape
// it is a scalar. Numbers that do not fill the shape make a tensor that Err tells of.
func Of[T Number](t Type, values []T, shape ...int) (x Tensor) {
	defer host.Catch(&x.err)
	if err := fills(len(values), shape); err != nil {
		return Tensor{err: err}
	}
	v := host.New(host.Type(t), shape...)
	if v.S != nil {
		return Tensor{err: errors.New("numbers as a tensor of strings")}
	}
	for i, n := range values {
		if v.F != nil {
			v.F[i] = float64(n)
		} else {
			v.I[i] = int64(n)
		}
	}
	return Tensor{t: v.Round()}
}

// fills reports numbers that are not as many as a shape has.
func fills(n int, shape []int) error {
	if err := host.CheckShape(shape); err != nil {
		return err
	}
	if host.Size(shape) != n {
		return fmt.Errorf("%d elements do not fill the shape %v", n, shape)
	}
	return nil
}

// Err says why the tensor could not be made; nil if it was, and of the zero value.
func (t Tensor) Err() error { return t.err }

// Floats makes a tensor of Float32.
func Floats(values []float32, shape ...int) Tensor { return Of(Float32, values, shape...) }

// Ints makes a tensor of Int64, such as ids and lengths.
func Ints(values []int, shape ...int) Tensor { return Of(Int64, values, shape...) }

// Strings makes a tensor of texts.
func Strings(values []string, shape ...int) Tensor {
	if err := fills(len(values), shape); err != nil {
		return Tensor{err: err}
	}
	return Tensor{t: &host.Tensor{Type: host.String, Shape: slices.Clone(shape),
		S: slices.Clone(values)}}
}

// Type is the element type; 0 of the zero value.
func (t Tensor) Type() Type {
	if t.t == nil {
		return 0
	}
	return Type(t.t.Type)
}

// Shape is a copy of the shape; a scalar's is empty.
func (t Tensor) Shape() []int {
	if t.t == nil {
		return nil
	}
	return slices.Clone(t.t.Shape)
}

// Len is the number of elements.
func (t Tensor) Len() int {
	if t.t == nil {
		return 0
	}
	return t.t.Len()
}

// Float64s is a copy of the elements as float64; truth values are 1 and 0. Of texts it is nil.
func (t Tensor) Float64s() []float64 { return numbers[float64](t) }

// Float32s is a copy of the elements as float32.
func (t Tensor) Float32s() []float32 { return numbers[float32](t) }

// Ints is a copy of the elements as integers, floats cut off behind the point.
func (t Tensor) Ints() []int { return numbers[int](t) }

func numbers[T float32 | float64 | int](t Tensor) []T {
	if t.t == nil || t.t.S != nil {
		return nil
	}
	out := make([]T, t.t.Len())
	for i := range out {
		if t.t.F != nil {
			out[i] = T(t.t.F[i])
		} else {
			out[i] = T(t.t.I[i])
		}
	}
	return out
}

// Strings is a copy of the texts of a tensor of String, else nil.
func (t Tensor) Strings() []string {
	if t.t == nil {
		return nil
	}
	return slices.Clone(t.t.S)
}

// String is type and shape: "float [2 3]".
func (t Tensor) String() string { return t.t.String() }

// DecodeTensor reads a tensor from a message of ONNX's schema, as files beside models hold them.
func DecodeTensor(content []byte) (Tensor, error) {
	_, t, err := DecodeNamed(content)
	return t, err
}

// DecodeNamed is DecodeTensor and the name that the message gives the tensor.
func DecodeNamed(content []byte) (name string, t Tensor, err error) {
	defer wrap(&err)
	p := &pb.TensorProto{}
	if err := proto.Unmarshal(content, p); err != nil {
		return "", Tensor{}, fmt.Errorf("no tensor: %w", err)
	}
	x, err := host.Decode(p, nil)
	return p.GetName(), Tensor{t: x}, err
}

// EncodeTensor writes a tensor as a message of ONNX's schema.
func EncodeTensor(name string, t Tensor) (content []byte, err error) {
	defer wrap(&err)
	if t.err != nil || t.t == nil {
		return nil, errors.Join(errors.New("the tensor has no value"), t.err)
	}
	return proto.Marshal(host.Encode(name, t.t))
}
