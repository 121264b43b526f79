// Package host computes ONNX operators on tensors of every element type, plainly and without
// gradients: shapes, ids and other integers of a model, and whatever is known before a model runs.
package host

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/internal/sysmem"
	"github.com/seqzoo/seqzoo/onnx/internal/pb"
)

// Type is an element type, numbered as in ONNX's files.
type Type int32

// The element types.
const (
	Undefined Type = iota
	Float32
	Uint8
	Int8
	Uint16
	Int16
	Int32
	Int64
	String
	Bool
	Float16
	Float64
	Uint32
	Uint64
	Complex64
	Complex128
	BFloat16
)

func (t Type) String() string {
	if name, ok := pb.TensorProto_DataType_name[int32(t)]; ok {
		return strings.ToLower(name)
	}
	return fmt.Sprintf("type %d", int32(t))
}

// IsFloat reports whether elements are floating-point numbers.
func (t Type) IsFloat() bool {
	return t == Float32 || t == Float64 || t == Float16 || t == BFloat16
}

// IsInt reports whether elements are integers.
func (t Type) IsInt() bool { return t.Bits() > 0 && t != Bool }

// Bits is the number of bits of an integer or a boolean; 0 for other types.
func (t Type) Bits() int {
	switch t {
	case Uint8, Int8, Bool:
		return 8
	case Uint16, Int16:
		return 16
	case Int32, Uint32:
		return 32
	case Int64, Uint64:
		return 64
	}
	return 0
}

// Unsigned reports whether elements are integers without a sign.
func (t Type) Unsigned() bool { return t == Uint8 || t == Uint16 || t == Uint32 || t == Uint64 }

// Known reports whether this library has tensors of the type.
func (t Type) Known() bool { return t.IsFloat() || t.Bits() > 0 || t == String }

// Tensor is a tensor in row-major order: F of floating-point types, I of integers and booleans, S
// of strings. Elements of Uint64 are the bits.
type Tensor struct {
	Type  Type
	Shape []int
	F     []float64
	I     []int64
	S     []string
}

// MaxElements is the largest number of elements of one tensor.
const MaxElements = 1<<31 - 1

// Size is the number of elements of a shape.
func Size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// CheckShape refuses negative sizes and tensors of more than MaxElements.
func CheckShape(shape []int) error {
	n := 1
	for _, d := range shape {
		if d < 0 {
			return fmt.Errorf("shape %v: a size is negative", shape)
		}
		if d > 0 && n > MaxElements/d {
			return fmt.Errorf("shape %v has more than 2³¹−1 elements", shape)
		}
		n *= d
	}
	return nil
}

// New is a tensor of zeros.
func New(t Type, shape ...int) *Tensor {
	if err := CheckShape(shape); err != nil {
		Failf("%w", err)
	}
	x := &Tensor{Type: t, Shape: slices.Clone(shape)}
	n := Size(shape)
	Fits(n)
	switch {
	case t.IsFloat():
		x.F = make([]float64, n)
	case t.Bits() > 0:
		x.I = make([]int64, n)
	case t == String:
		x.S = make([]string, n)
	default:
		Failf("tensors of %v are not supported", t)
	}
	return x
}

// Fits refuses n elements where there is no memory for them: a file of a few bytes can ask for any
// number.
func Fits(n int) {
	const small = 1 << 20
	if n <= small {
		return
	}
	if have := sysmem.Available(); have > 0 && n > have/32 {
		Failf("%d elements need more memory than there is", n)
	}
}

// Ints is an int64 vector.
func Ints(xs ...int) *Tensor {
	t := New(Int64, len(xs))
	for i, x := range xs {
		t.I[i] = int64(x)
	}
	return t
}

// Len is the number of elements.
func (t *Tensor) Len() int { return Size(t.Shape) }

func (t *Tensor) String() string {
	if t == nil {
		return "nothing"
	}
	return fmt.Sprintf("%v %v", t.Type, t.Shape)
}

// As is the tensor with another shape of as many elements, sharing them.
func (t *Tensor) As(shape ...int) *Tensor {
	if Size(shape) != t.Len() {
		Failf("%d elements do not fill %v", t.Len(), shape)
	}
	return &Tensor{t.Type, slices.Clone(shape), t.F, t.I, t.S}
}

// Float is element i as a float.
func (t *Tensor) Float(i int) float64 {
	switch {
	case t.F != nil:
		return t.F[i]
	case t.S != nil:
		Failf("a text stands where a number is wanted")
	case t.Type == Uint64:
		return float64(uint64(t.I[i]))
	}
	return float64(t.I[i])
}

// Int is element i as an integer.
func (t *Tensor) Int(i int) int {
	if t.S != nil {
		Failf("a text stands where a number is wanted")
	}
	if i >= max(len(t.F), len(t.I)) {
		Failf("%v has no element %d", t, i)
	}
	if t.F != nil {
		return int(t.F[i])
	}
	return int(t.I[i])
}

// Ints is all elements as integers.
func (t *Tensor) Ints() []int {
	out := make([]int, t.Len())
	for i := range out {
		out[i] = t.Int(i)
	}
	return out
}

// set copies element j of src to element i.
func (t *Tensor) set(i int, src *Tensor, j int) {
	switch {
	case t.F != nil && src.F != nil:
		t.F[i] = src.F[j]
	case t.I != nil && src.I != nil:
		t.I[i] = src.I[j]
	case t.S != nil && src.S != nil:
		t.S[i] = src.S[j]
	default:
		Failf("%v among %v", src.Type, t.Type)
	}
}

// Equal reports whether two tensors are the same, NaN with NaN.
func (t *Tensor) Equal(u *Tensor) bool {
	return t.Type == u.Type && slices.Equal(t.Shape, u.Shape) && slices.Equal(t.I, u.I) &&
		slices.Equal(t.S, u.S) && slices.EqualFunc(t.F, u.F, func(a, b float64) bool {
		return math.Float64bits(a) == math.Float64bits(b)
	})
}

// Round rounds all elements to what the type holds, as a result of it has to be.
func (t *Tensor) Round() *Tensor {
	switch t.Type {
	case Float32:
		for i, x := range t.F {
			t.F[i] = float64(float32(x))
		}
	case Float16:
		for i, x := range t.F {
			t.F[i] = HalfToFloat(FloatToHalf(float32(x)))
		}
	case BFloat16:
		for i, x := range t.F {
			t.F[i] = BrainToFloat(FloatToBrain(float32(x)))
		}
	}
	for i, x := range t.I {
		t.I[i] = Wrap(x, t.Type)
	}
	return t
}

// Wrap is x modulo what an integer type holds.
func Wrap(x int64, t Type) int64 {
	switch t {
	case Uint8:
		return int64(uint8(x))
	case Int8:
		return int64(int8(x))
	case Uint16:
		return int64(uint16(x))
	case Int16:
		return int64(int16(x))
	case Int32:
		return int64(int32(x))
	case Uint32:
		return int64(uint32(x))
	case Bool:
		if x != 0 {
			return 1
		}
	}
	return x
}

// Range is the least and the largest number that an integer type of at most 32 bits holds.
func Range(t Type) (low, high float64) {
	bits := t.Bits()
	if t.Unsigned() {
		return 0, math.Pow(2, float64(bits)) - 1
	}
	return -math.Pow(2, float64(bits-1)), math.Pow(2, float64(bits-1)) - 1
}

// HalfToFloat is the number that the 16 bits of IEEE's half precision stand for.
func HalfToFloat(h uint16) float64 {
	sign, exp, frac := 1.0, int(h>>10&31), float64(h&1023)
	if h>>15 == 1 {
		sign = -1
	}
	switch exp {
	case 0:
		return sign * math.Ldexp(frac, -24)
	case 31:
		if frac != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	}
	return sign * math.Ldexp(1024+frac, exp-25)
}

// FloatToHalf rounds to half precision, ties to even.
func FloatToHalf(f float32) uint16 {
	x := float64(f)
	var sign uint16
	if math.Signbit(x) {
		sign, x = 1<<15, -x
	}
	switch {
	case math.IsNaN(x):
		return sign | 0x7e00
	case x >= 65520:
		return sign | 0x7c00
	case x < math.Ldexp(1, -14):
		return sign | uint16(math.RoundToEven(math.Ldexp(x, 24)))
	}
	frac, exp := math.Frexp(x) // 0.5 ≤ frac < 1
	// The leading 1 of the fraction is a carry into the exponent, as is a fraction rounded up.
	return sign | uint16(uint32(exp+13)<<10+uint32(math.RoundToEven(frac*2048)))
}

// BrainToFloat is the number that the 16 bits of bfloat16 stand for.
func BrainToFloat(b uint16) float64 { return float64(math.Float32frombits(uint32(b) << 16)) }

// FloatToBrain rounds to bfloat16, ties to even.
func FloatToBrain(f float32) uint16 {
	bits := math.Float32bits(f)
	if f != f {
		return uint16(bits>>16) | 64
	}
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}

// Failure is what an operator panics with. Run recovers it.
type Failure struct{ Err error }

// Failf panics with a Failure.
func Failf(format string, args ...any) { panic(Failure{fmt.Errorf(format, args...)}) }
