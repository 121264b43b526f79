package safetensors

import (
	"encoding/binary"
	"fmt"
	"math"
)

// dtypes are the formats of values that files may hold, with their sizes in bytes.
var dtypes = map[string]int{
	"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1,
	"I64": 8, "I32": 4, "I16": 2, "I8": 1,
	"U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1,
}

var dtypeNames = func() map[string]string {
	names := make(map[string]string, len(dtypes))
	for name := range dtypes {
		names[name] = name
	}
	return names
}()

// Element is a Go type whose values New stores and Values returns.
type Element interface {
	float32 | float64 | int64 | int32 | uint64 | uint8
}

func dtypeOf[E Element]() string {
	switch any(*new(E)).(type) {
	case float32:
		return "F32"
	case float64:
		return "F64"
	case int64:
		return "I64"
	case int32:
		return "I32"
	case uint64:
		return "U64"
	default:
		return "U8"
	}
}

// New returns a tensor with a copy of values, row-major.
func New[E Element](name string, shape []int, values []E) Tensor {
	data, err := binary.Append([]byte{}, binary.LittleEndian, values)
	if err != nil {
		panic("unreachable: all elements have a fixed size: " + err.Error())
	}
	return Tensor{Name: name, DType: dtypeOf[E](), Shape: shape, Data: data}
}

// Values returns a copy of t's values, row-major. The dtype must be that of E; only F16 and BF16
// are widened, to float32, which holds all their values.
func Values[E Element](t Tensor) ([]E, error) {
	n, err := elements(t)
	if err != nil {
		return nil, err
	}
	values := make([]E, n)
	return values, ValuesTo(t, values)
}

// elements is how many values t has.
func elements(t Tensor) (int, error) {
	n, err := Size(t.DType, t.Shape)
	if err != nil || n != len(t.Data) {
		return 0, fmt.Errorf("safetensors: %.64q: %s %v in %d bytes: %w", t.Name, t.DType,
			t.Shape, len(t.Data), ErrSize)
	}
	return n / dtypes[t.DType], nil
}

// ValuesTo is Values into memory of the caller, which must be as long.
func ValuesTo[E Element](t Tensor, values []E) error {
	n, err := elements(t)
	if err == nil && n != len(values) {
		err = fmt.Errorf("safetensors: %.64q has %d values, not %d: %w", t.Name, n, len(values),
			ErrSize)
	}
	if err != nil {
		return err
	}
	var half func(uint16) float32
	switch t.DType {
	case dtypeOf[E]():
		return decode(t.Data, values)
	case "F16":
		half = fromF16
	case "BF16":
		half = func(b uint16) float32 { return math.Float32frombits(uint32(b) << 16) }
	}
	floats, ok := any(values).([]float32)
	if !ok || half == nil {
		return fmt.Errorf("safetensors: %.64q is %s, not %s: %w", t.Name, t.DType,
			dtypeOf[E](), ErrDType)
	}
	for i := range floats {
		floats[i] = half(binary.LittleEndian.Uint16(t.Data[2*i:]))
	}
	return nil
}

// decode reads values that a file holds as they are. Those of models are read in a loop of their
// own, which takes a quarter of the time of binary.Decode.
func decode[E Element](data []byte, values []E) error {
	switch v := any(values).(type) {
	case []float32:
		for i := range v {
			v[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		}
	case []float64:
		for i := range v {
			v[i] = math.Float64frombits(binary.LittleEndian.Uint64(data[8*i:]))
		}
	default:
		_, err := binary.Decode(data, binary.LittleEndian, values)
		return err
	}
	return nil
}

// fromF16 returns the value of an IEEE 754 half: 1 bit of sign, 5 of exponent, 10 of fraction.
func fromF16(b uint16) float32 {
	sign, exp, frac := uint32(b>>15)<<31, uint32(b>>10&31), uint32(b&1023)
	switch exp {
	case 0: // subnormal: frac · 2⁻²⁴, exact in float32
		return math.Float32frombits(math.Float32bits(float32(frac)*0x1p-24) | sign)
	case 31: // infinity or NaN, whose payload is kept
		return math.Float32frombits(sign | 0xff<<23 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}
