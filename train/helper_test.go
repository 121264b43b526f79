package train

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// requireClose wants |got − want| ≤ atol + rtol·max|want|.
func requireClose(t *testing.T, name string, want, got []float64, rtol, atol float64) {
	t.Helper()
	require.Len(t, got, len(want), name)
	largest := 0.0
	for _, w := range want {
		largest = max(largest, math.Abs(w))
	}
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= atol+rtol*largest) {
			t.Fatalf("%s[%d] is %v; want %v", name, i, got[i], want[i])
		}
	}
}

func dot(x, y []float64) (sum float64) {
	for i := range y {
		sum += x[i] * y[i]
	}
	return sum
}

// param is a parameter as the machines of this library list it.
type param struct {
	name        string
	value, grad gorgonia.Value
}

func (p *param) Name() string                  { return p.name }
func (p *param) Value() gorgonia.Value         { return p.value }
func (p *param) Grad() (gorgonia.Value, error) { return p.grad, nil }

// newParam has a gradient of zeros. data becomes the value, or is copied where the shape is that of
// a scalar.
func newParam[T float](name string, data []T, shape ...int) *param {
	if len(shape) == 0 {
		if dtypeOf[T]() == tensor.Float32 {
			return &param{name, gorgonia.NewF32(float32(data[0])), gorgonia.NewF32(0)}
		}
		return &param{name, gorgonia.NewF64(float64(data[0])), gorgonia.NewF64(0)}
	}
	return &param{name,
		tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data)),
		tensor.New(tensor.WithShape(shape...), tensor.WithBacking(make([]T, len(data))))}
}

func sizeOf(shape []int) int {
	size := 1
	for _, d := range shape {
		size *= d
	}
	return size
}

func dtypeOf[T float]() tensor.Dtype {
	if _, ok := any(T(0)).(float32); ok {
		return tensor.Float32
	}
	return tensor.Float64
}

// dataOf is the numbers of v in place.
func dataOf[T float](v gorgonia.Value) []T {
	opened, err := vectorOf(v)
	if err != nil {
		panic(err)
	}
	if x, ok := any(opened.f32).([]T); ok {
		return x
	}
	return any(opened.f64).([]T)
}

func convert[To, From float](from []From) []To {
	to := make([]To, len(from))
	for i, x := range from {
		to[i] = To(x)
	}
	return to
}
