package run

import (
	"fmt"
	"unsafe"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Floats are the numbers of an input or an output in place and in row-major order, of float32 or of float64, whichever the
// model has. The zero value has none.
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
	return Floats{}, fmt.Errorf("run: the value is %T, want a tensor or a scalar of float32 or float64", value)
}

func floatsOfDense(v *tensor.Dense) (Floats, error) {
	f := Floats{shape: v.Shape()}
	switch d := v.Data().(type) {
	case []float32:
		f.f32 = d
	case []float64:
		f.f64 = d
	case float32: // a tensor without axes gives its number, not its memory
		f.f32 = v.Float32s()
	case float64:
		f.f64 = v.Float64s()
	default:
		return Floats{}, fmt.Errorf("run: the tensor is of %v, want float32 or float64", v.Dtype())
	}
	if n := v.Shape().TotalSize(); f.Len() != n {
		return Floats{}, fmt.Errorf("run: the tensor %v is a view of %d numbers, want one whose rows lie one behind the other",
			v.Shape(), f.Len())
	}
	return f, nil
}

// Shape is the shape of the node; a scalar has none.
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

// Put32 copies numbers to the places from at on.
func (f Floats) Put32(at int, x []float32) {
	if f.f64 == nil {
		copy(f.f32[at:], x)
		return
	}
	for i, v := range x {
		f.f64[at+i] = float64(v)
	}
}

// Put64 copies numbers to the places from at on, rounded if the model is of float32.
func (f Floats) Put64(at int, x []float64) {
	if f.f64 != nil {
		copy(f.f64[at:], x)
		return
	}
	for i, v := range x {
		f.f32[at+i] = float32(v)
	}
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

// Gather makes row i of f a copy of row rows[i] of from, by the first axis.
func (f Floats) Gather(from Floats, rows []int) error {
	if len(rows) == 0 || f.Len()%len(rows) != 0 || (f.f64 == nil) != (from.f64 == nil) {
		return fmt.Errorf("run: %v does not take %d rows of %v", f, len(rows), from)
	}
	width := f.Len() / len(rows)
	for i, k := range rows {
		if k < 0 || (k+1)*width > from.Len() {
			return fmt.Errorf("run: row %d of %v: there are %d", k, from, from.Len()/max(width, 1))
		}
		if err := f.slice(i*width, (i+1)*width).Copy(from.slice(k*width, (k+1)*width)); err != nil {
			return err
		}
	}
	return nil
}

// Float64s is a copy of the numbers.
func (f Floats) Float64s() []float64 {
	out := make([]float64, f.Len())
	f.Read64(0, out)
	return out
}

// Float32s is a copy of the numbers, rounded if the model is of float64.
func (f Floats) Float32s() []float32 {
	out := make([]float32, f.Len())
	copy(out, f.f32)
	for i, v := range f.f64 {
		out[i] = float32(v)
	}
	return out
}

// Read64 copies the numbers from place at on to to.
func (f Floats) Read64(at int, to []float64) {
	if f.f64 != nil {
		copy(to, f.f64[at:])
		return
	}
	for i, v := range f.f32[at:min(at+len(to), len(f.f32))] {
		to[i] = float64(v)
	}
}

// String names shape and type.
func (f Floats) String() string {
	kind := "float32"
	if f.f64 != nil {
		kind = "float64"
	}
	return fmt.Sprintf("%d numbers %v of %s", f.Len(), f.shape, kind)
}
