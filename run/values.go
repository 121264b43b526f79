package run

import (
	"fmt"
	"unsafe"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/nodes"
)

// Floats are numbers in place and in row-major order, of float32 or of float64, whichever the model
// has. The zero value has none. As with a slice, a place that is out of range panics.
type Floats struct {
	shape []int
	f32   []float32 // these, or
	f64   []float64 // these
}

// FloatsOf are the numbers of a tensor or a scalar, in place.
func FloatsOf(value gorgonia.Value) (Floats, error) {
	switch v := value.(type) {
	case *gorgonia.F32:
		if v != nil {
			return Floats{f32: unsafe.Slice((*float32)(v), 1)}, nil
		}
	case *gorgonia.F64:
		if v != nil {
			return Floats{f64: unsafe.Slice((*float64)(v), 1)}, nil
		}
	case *tensor.Dense:
		if v != nil {
			return floatsOfDense(v)
		}
	}
	return Floats{}, fmt.Errorf("run: the value is %T, want a tensor or a scalar of "+
		"float32 or float64",
		value)
}

// ParamFloats are the numbers of a parameter, in place. Without a parameter there are none.
func ParamFloats(p *nodes.Param) Floats {
	if p == nil || p.Name() == "" { // nil, or not of a store
		return Floats{}
	}
	f, err := floatsOfDense(p.Value())
	if err != nil {
		return Floats{} // a store makes no such tensor
	}
	return f
}

func floatsOfDense(v *tensor.Dense) (Floats, error) {
	f := Floats{shape: v.Shape()}
	strides, size := v.Strides(), 1
	contiguous := len(strides) == len(f.shape) || len(f.shape) == 0
	for i := len(f.shape) - 1; i >= 0; i-- {
		contiguous = contiguous && (f.shape[i] == 1 || strides[i] == size)
		size *= f.shape[i]
	}
	switch v.Dtype() {
	case tensor.Float32:
		f.f32 = v.Float32s()
	case tensor.Float64:
		f.f64 = v.Float64s()
	default:
		return Floats{}, fmt.Errorf("run: the tensor is of %v, want float32 or float64", v.Dtype())
	}
	if size > 0 && (!contiguous || v.IsMasked()) || f.Len() != size {
		return Floats{}, fmt.Errorf("run: the tensor %v is transposed, masked or a view with gaps; "+
			"want one that is contiguous and row-major", v.Shape())
	}
	return f, nil
}

// Shape is that of the tensor; a scalar has none.
func (f Floats) Shape() []int { return f.shape }

// Len is how many numbers there are.
func (f Floats) Len() int { return len(f.f32) + len(f.f64) }

// Rows are the numbers of rows [from, to), by the first axis, in place.
func (f Floats) Rows(from, to int) Floats {
	width := f.Len() / f.shape[0]
	r := f.slice(from*width, to*width)
	r.shape = append([]int{to - from}, f.shape[1:]...)
	return r
}

func (f Floats) slice(from, to int) Floats {
	if f.f64 != nil {
		return Floats{f64: f.f64[from:to]}
	}
	return Floats{f32: f.f32[from:to]}
}

// At is number i.
func (f Floats) At(i int) float64 {
	if f.f64 != nil {
		return f.f64[i]
	}
	return float64(f.f32[i])
}

// Set makes number i be x.
func (f Floats) Set(i int, x float64) {
	if f.f64 != nil {
		f.f64[i] = x
	} else {
		f.f32[i] = float32(x)
	}
}

// Fill makes every number x.
func (f Floats) Fill(x float64) {
	for i := range f.f32 {
		f.f32[i] = float32(x)
	}
	for i := range f.f64 {
		f.f64[i] = x
	}
}

// Put32 copies x to the places from at on.
func (f Floats) Put32(at int, x []float32) {
	if f.f64 == nil {
		copy(f.f32[at:at+len(x)], x)
		return
	}
	to := f.f64[at : at+len(x)]
	for i, v := range x {
		to[i] = float64(v)
	}
}

// Put64 copies x to the places from at on, rounded if the model is of float32.
func (f Floats) Put64(at int, x []float64) {
	if f.f64 != nil {
		copy(f.f64[at:at+len(x)], x)
		return
	}
	to := f.f32[at : at+len(x)]
	for i, v := range x {
		to[i] = float32(v)
	}
}

// Read32 fills to with the numbers from place at on, rounded if the model is of float64.
func (f Floats) Read32(at int, to []float32) {
	if f.f64 == nil {
		copy(to, f.f32[at:at+len(to)])
		return
	}
	for i, v := range f.f64[at : at+len(to)] {
		to[i] = float32(v)
	}
}

// Read64 fills to with the numbers from place at on.
func (f Floats) Read64(at int, to []float64) {
	if f.f64 != nil {
		copy(to, f.f64[at:at+len(to)])
		return
	}
	for i, v := range f.f32[at : at+len(to)] {
		to[i] = float64(v)
	}
}

// Float32s is a copy of the numbers, rounded if the model is of float64.
func (f Floats) Float32s() []float32 {
	out := make([]float32, f.Len())
	f.Read32(0, out)
	return out
}

// Float64s is a copy of the numbers.
func (f Floats) Float64s() []float64 {
	out := make([]float64, f.Len())
	f.Read64(0, out)
	return out
}

// Copy copies the numbers of from, of which there must be as many, and of the same type.
func (f Floats) Copy(from Floats) error {
	if len(f.f32) != len(from.f32) || len(f.f64) != len(from.f64) {
		return fmt.Errorf("run: %v does not take %v", f, from)
	}
	copy(f.f32, from.f32)
	copy(f.f64, from.f64)
	return nil
}

// Gather cuts f into as many rows as are named, and makes each of them a copy of a row of from of
// the same width: row i of row rows[i]. The two must not share memory.
func (f Floats) Gather(from Floats, rows []int) error {
	if len(rows) == 0 || f.Len()%len(rows) != 0 || (f.f64 == nil) != (from.f64 == nil) {
		return fmt.Errorf("run: %v does not take %d rows of %v", f, len(rows), from)
	}
	width := f.Len() / len(rows)
	if width == 0 {
		return nil
	}
	for i, k := range rows {
		if n := from.Len() / width; k < 0 || k >= n {
			return fmt.Errorf("run: %v has no row %d: there are %d", from, k, n)
		}
		to, row := f.slice(i*width, (i+1)*width), from.slice(k*width, (k+1)*width)
		copy(to.f32, row.f32)
		copy(to.f64, row.f64)
	}
	return nil
}

// String names shape and type.
func (f Floats) String() string {
	kind := "float32"
	if f.f64 != nil {
		kind = "float64"
	}
	return fmt.Sprintf("%s %v", kind, f.shape)
}
