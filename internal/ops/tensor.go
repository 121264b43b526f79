package ops

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/kernels"
)

// Tensor is contiguous row-major data: exactly one of F32, F64 and Int is set.
type Tensor struct {
	Shape []int
	F32   []float32
	F64   []float64
	Int   []int
}

// NewTensor allocates zeros.
func NewTensor(t Type) Tensor {
	v := Tensor{Shape: t.Shape}
	switch t.Dtype {
	case tensor.Float32:
		v.F32 = make([]float32, t.Size())
	case tensor.Float64:
		v.F64 = make([]float64, t.Size())
	case tensor.Int:
		v.Int = make([]int, t.Size())
	}
	return v
}

// Dtype is the type of the elements.
func (t Tensor) Dtype() tensor.Dtype {
	switch {
	case t.F32 != nil:
		return tensor.Float32
	case t.F64 != nil:
		return tensor.Float64
	}
	return tensor.Int
}

// TensorOf looks into a Gorgonia value. The data is shared if it lies contiguous and row-major,
// else copied.
func TensorOf(v G.Value) (Tensor, error) {
	switch v := v.(type) {
	case *G.F32:
		return Tensor{F32: []float32{float32(*v)}}, nil
	case *G.F64:
		return Tensor{F64: []float64{float64(*v)}}, nil
	case *G.I:
		return Tensor{Int: []int{int(*v)}}, nil
	case *tensor.Dense:
		t := Tensor{Shape: v.Shape()}
		switch d := v.Data().(type) {
		case []float32:
			t.F32 = rowMajor(d, t.Shape, v.Strides())
		case []float64:
			t.F64 = rowMajor(d, t.Shape, v.Strides())
		case []int:
			t.Int = rowMajor(d, t.Shape, v.Strides())
		case float32: // a tensor of one element
			t.F32 = []float32{d}
		case float64:
			t.F64 = []float64{d}
		case int:
			t.Int = []int{d}
		default:
			return t, fmt.Errorf("dtype %v: want float32, float64 or int", v.Dtype())
		}
		return t, nil
	case nil:
		return Tensor{}, fmt.Errorf("no value is bound")
	}
	return Tensor{}, fmt.Errorf("a %T: want a *tensor.Dense or a scalar of float32, float64 or int",
		v)
}

// rowMajor is the elements of a strided tensor one after another: d itself if they lie like that.
func rowMajor[E any](d []E, shape, strides []int) []E {
	contiguous, stride := true, 1
	for i := len(shape) - 1; i >= 0; i-- {
		contiguous = contiguous && (shape[i] == 1 || strides[i] == stride)
		stride *= shape[i]
	}
	if contiguous {
		return d[:stride]
	}
	out := make([]E, 0, stride)
	var visit func(axis, at int)
	visit = func(axis, at int) {
		if axis == len(shape) {
			out = append(out, d[at])
			return
		}
		for i := range shape[axis] {
			visit(axis+1, at+i*strides[axis])
		}
	}
	visit(0, 0)
	return out
}

// Value is t as Gorgonia holds it, sharing the data; a scalar is copied.
func (t Tensor) Value() G.Value {
	if len(t.Shape) == 0 {
		switch {
		case t.F32 != nil:
			return G.NewF32(t.F32[0])
		case t.F64 != nil:
			return G.NewF64(t.F64[0])
		}
		return G.NewI(t.Int[0])
	}
	return t.Dense()
}

// Dense is t as a tensor that shares the data. A scalar becomes a tensor of shape [].
func (t Tensor) Dense() *tensor.Dense {
	var back any = t.Int
	switch {
	case t.F32 != nil:
		back = t.F32
	case t.F64 != nil:
		back = t.F64
	}
	return tensor.New(tensor.WithShape(t.Shape...), tensor.WithBacking(back))
}

// CopyFrom copies the elements of src, which has the same type and size.
func (t Tensor) CopyFrom(src Tensor) {
	copy(t.F32, src.F32)
	copy(t.F64, src.F64)
	copy(t.Int, src.Int)
}

// Add adds the elements of src, which has the same float type and size.
func (t Tensor) Add(src Tensor) {
	kernels.Add(t.F32, t.F32, src.F32)
	kernels.Add(t.F64, t.F64, src.F64)
}

// Zero sets every element to 0.
func (t Tensor) Zero() {
	clear(t.F32)
	clear(t.F64)
	clear(t.Int)
}

// Part is n elements from offset at, as a tensor of the given shape.
func (t Tensor) Part(at int, shape []int) Tensor {
	n := Size(shape)
	p := Tensor{Shape: shape}
	switch {
	case t.F32 != nil:
		p.F32 = t.F32[at : at+n : at+n]
	case t.F64 != nil:
		p.F64 = t.F64[at : at+n : at+n]
	default:
		p.Int = t.Int[at : at+n : at+n]
	}
	return p
}

// data is the elements of a float tensor as F.
func data[F kernels.Float](t Tensor) []F {
	if t.F32 != nil {
		return any(t.F32).([]F)
	}
	return any(t.F64).([]F)
}

// evaluate runs the float32 or the float64 instance of an Eval, as the type of out says.
func evaluate(out Tensor, f32, f64 func() error) error {
	if out.F32 != nil {
		return f32()
	}
	return f64()
}
