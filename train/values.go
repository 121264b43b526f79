package train

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"unsafe"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/kernels"
)

type float interface{ float32 | float64 }

// vector is the numbers of a value, in place and in row-major order. They are in f32 or in f64 and
// the other is nil: a loop over both needs no branch.
type vector struct {
	shape tensor.Shape
	dtype tensor.Dtype
	f32   []float32
	f64   []float64
}

func vectorOf(value gorgonia.Value) (vector, error) {
	switch v := value.(type) {
	case *gorgonia.F32:
		if v != nil {
			return vector{dtype: tensor.Float32, f32: unsafe.Slice((*float32)(v), 1)}, nil
		}
	case *gorgonia.F64:
		if v != nil {
			return vector{dtype: tensor.Float64, f64: unsafe.Slice((*float64)(v), 1)}, nil
		}
	case *tensor.Dense:
		if v != nil {
			return vectorOfDense(v)
		}
	case nil:
	default:
		return vector{}, fmt.Errorf("is a %T; it must be a *tensor.Dense, a *gorgonia.F64 or "+
			"a *gorgonia.F32", value)
	}
	return vector{}, errors.New("is missing")
}

func vectorOfDense(d *tensor.Dense) (vector, error) {
	v := vector{shape: d.Shape(), dtype: d.Dtype()}
	strides, size := d.Strides(), 1
	contiguous := len(strides) == len(v.shape) || v.shape.IsScalar()
	for i := len(v.shape) - 1; i >= 0; i-- {
		contiguous = contiguous && (v.shape[i] == 1 || strides[i] == size)
		size *= v.shape[i]
	}
	switch v.dtype {
	case tensor.Float32:
		v.f32 = d.Float32s()
	case tensor.Float64:
		v.f64 = d.Float64s()
	default:
		return v, fmt.Errorf("has type %v; it must be float32 or float64", v.dtype)
	}
	if size > 0 && (!contiguous || d.IsMasked()) || v.len() != size {
		return v, fmt.Errorf("of shape %v is transposed, masked or a view with gaps; it must be "+
			"contiguous and row-major",
			v.shape)
	}
	return v, nil
}

func (v vector) len() int { return len(v.f32) + len(v.f64) }

// like reports whether v and w have one shape and one type.
func (v vector) like(w vector) bool { return v.dtype == w.dtype && slices.Equal(v.shape, w.shape) }

// address tells vectors that share their memory.
func (v vector) address() unsafe.Pointer {
	if v.dtype == tensor.Float32 {
		return unsafe.Pointer(unsafe.SliceData(v.f32))
	}
	return unsafe.Pointer(unsafe.SliceData(v.f64))
}

func (v vector) String() string { return fmt.Sprintf("%v %v", v.dtype, []int(v.shape)) }

// zeros is a new vector of v's shape and type.
func (v vector) zeros() vector {
	z := vector{shape: v.shape.Clone(), dtype: v.dtype}
	if v.dtype == tensor.Float32 {
		z.f32 = make([]float32, v.len())
	} else {
		z.f64 = make([]float64, v.len())
	}
	return z
}

func (v vector) clone() vector {
	c := v.zeros()
	c.copyFrom(v)
	return c
}

// dense is a tensor over a copy of v.
func (v vector) dense() *tensor.Dense {
	d := tensor.New(tensor.Of(v.dtype), tensor.WithShape(v.shape.Clone()...))
	w, _ := vectorOfDense(d) // a new tensor is contiguous
	w.copyFrom(v)
	return d
}

// valueLike is a copy of v as a value of other's kind, a scalar or a tensor.
func (v vector) valueLike(other gorgonia.Value) gorgonia.Value {
	switch other.(type) {
	case *gorgonia.F32:
		return gorgonia.NewF32(v.f32[0])
	case *gorgonia.F64:
		return gorgonia.NewF64(v.f64[0])
	}
	return v.dense()
}

func (v vector) zero() {
	clear(v.f32)
	clear(v.f64)
}

func (v vector) copyFrom(w vector) {
	copy(v.f32, w.f32)
	copy(v.f64, w.f64)
}

func (v vector) add(w vector) {
	add(v.f32, w.f32)
	add(v.f64, w.f64)
}

func (v vector) scale(factor float64) {
	scale(v.f32, factor)
	scale(v.f64, factor)
}

func add[T float](x, y []T) {
	kernels.Add(x, x, y[:len(x)])
}

func scale[T float](x []T, factor float64) {
	kernels.MulScalar(x, x, T(factor))
}

// gradOwner says whose the memory of a gradient is.
type gradOwner int

const (
	ofCaller    gradOwner = iota // a ValueGrad's own, which every run writes anew
	ofDualValue                  // a Gorgonia node's, bound by BindDualValues: every run adds to it
	ofDeriv                      // the derivative node's: other nodes and constants may share it
)

// parameter is one entry of a list of parameters, opened.
type parameter struct {
	name        string
	value, grad vector
	owner       gradOwner
	touched     touched // of grad
}

func openValue(i int, vg gorgonia.ValueGrad) (p parameter, err error) {
	node, isNode := vg.(*gorgonia.Node)
	if vg == nil || isNode && node == nil {
		return p, fmt.Errorf("parameter %d is nil", i)
	}
	p.name = nameOf(i, vg)
	if p.value, err = vectorOf(vg.Value()); err != nil {
		return p, fmt.Errorf("parameter %q: its value %w", p.name, err)
	}
	return p, nil
}

func openValueGrad(i int, vg gorgonia.ValueGrad) (parameter, error) {
	p, err := openValue(i, vg)
	if err != nil {
		return p, err
	}
	grad, touched, err := gradOf(vg)
	if err != nil {
		return p, fmt.Errorf("parameter %q has no gradient: %w", p.name, err)
	}
	if p.grad, err = vectorOf(grad); err != nil {
		return p, fmt.Errorf("parameter %q: its gradient %w", p.name, err)
	}
	if !p.value.like(p.grad) {
		return p, fmt.Errorf("parameter %q: its value is %v and its gradient %v; they "+
			"must be the same",
			p.name, p.value, p.grad)
	}
	p.touched = touched
	if node, ok := vg.(*gorgonia.Node); ok {
		p.owner = ofDualValue
		if node.Deriv() != nil && node.Deriv().Value() == grad {
			p.owner = ofDeriv
		}
	}
	return p, nil
}

// consume empties a used gradient that the next run would add to.
func (p parameter) consume() {
	if p.owner == ofDualValue {
		p.grad.zero()
	}
}

// unnamed is what Name gives for an input node that has no name.
var unnamed = new(gorgonia.Node).Name()

func nameOf(i int, vg gorgonia.ValueGrad) string {
	if named, ok := vg.(gorgonia.Namer); ok {
		if name := named.Name(); name != "" && name != unnamed {
			return name
		}
	}
	return "#" + strconv.Itoa(i)
}
