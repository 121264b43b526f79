package train

import (
	"fmt"
	"math"
	"slices"
	"unsafe"

	"gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/internal/kernels"
)

// Clip limits gradients before a step (Pascanu, Mikolov and Bengio, 2013). The zero value limits
// nothing and only measures.
type Clip struct {
	Norm  float64 // limit of the global norm, that of all gradients taken as one vector; 0 is none
	Value float64 // limit of the magnitude of each element; 0 is none; not together with Norm
	// Norm limits the norm of each parameter's gradient by itself, not that of all together
	Each bool
	// added to the norm before dividing by it; 0 means 1e-6 as in PyTorch, Zero means 0 as in the
	// paper
	Eps float64
}

// Validate reports every field that is out of its range.
func (c Clip) Validate() error {
	check := checks{config: "Clip"}
	check.rate("Norm", c.Norm)
	check.rate("Value", c.Value)
	check.rate("Eps", c.Eps)
	if c.Norm != 0 && c.Value != 0 {
		check.field(false, "Value", c.Value, "0 when Norm is set")
	}
	if c.Each && c.Norm == 0 {
		check.field(false, "Each", true, "false without Norm, which it is about")
	}
	return check.err()
}

// Apply clips the gradients of params in place and returns their global norm from before:
//
//	Norm    g·min(1, Norm/(norm + Eps)), where norm is the global one, or with Each that of g
//	Value   g clamped to [−Value, Value]
//
// The norm is summed in float64, in the order of the list. If it is not finite, because a gradient
// is NaN or infinite, the gradients stay as they are and the error is nil: the caller sees it in
// the norm, and may skip the step.
//
// A gradient that two parameters share is clipped once. The error names a parameter without a
// gradient, or a *gorgonia.Node whose gradient is not its own (see the package comment).
func (c Clip) Apply(params []gorgonia.ValueGrad) (norm float64, err error) {
	if err := c.Validate(); err != nil {
		return 0, err
	}
	for i, vg := range params {
		p, err := openValueGrad(i, vg)
		if err == nil && p.owner == ofDeriv && (c.Norm > 0 || c.Value > 0) {
			err = fmt.Errorf("parameter %q: its gradient is the derivative node's own value, which other nodes may "+
				"share; run the graph with gorgonia.BindDualValues", p.name)
		}
		if err != nil {
			return 0, fmt.Errorf("train: clip: %w", err)
		}
		// one of the two is empty
		norm = math.Hypot(norm, length(p.grad.f32, p.touched)+length(p.grad.f64, p.touched))
	}
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		return norm, nil
	}
	if c.factor(norm) == 1 && c.Value == 0 { // no gradient alone has a larger norm
		return norm, nil
	}
	var room [128]unsafe.Pointer // so that few parameters need no allocation
	done := room[:0]
	for i, vg := range params {
		p, err := openValueGrad(i, vg)
		if err != nil {
			return norm, fmt.Errorf("train: clip: %w", err)
		}
		if slices.Contains(done, p.grad.address()) {
			continue // two parameters of which only the sum is used can have one gradient
		}
		done = append(done, p.grad.address())
		of := norm
		if c.Each {
			of = length(p.grad.f32, p.touched) + length(p.grad.f64, p.touched)
		}
		factor := c.factor(of) // set once, so that capturing it takes no allocation
		p.touched.in(0, p.grad.len(), func(from, to int) {
			c.limit(p.grad.flat().slice(from, to), factor)
		})
	}
	return norm, nil
}

// factor is what gradients of a norm are multiplied by.
func (c Clip) factor(norm float64) float64 {
	if c.Norm > 0 {
		return min(1, c.Norm/(norm+or(c.Eps, 1e-6)))
	}
	return 1
}

// limit clips some numbers of a gradient.
func (c Clip) limit(x flat, factor float64) {
	if factor < 1 {
		x.scale(factor)
	}
	if c.Value > 0 {
		clamp(x.f32, c.Value)
		clamp(x.f64, c.Value)
	}
}

// sumSquares is kernels.SumSquares of numbers that are 0 outside of t.
func sumSquares[T float](x []T, t touched) (sum float64) {
	if t == nil {
		return kernels.SumSquares(x)
	}
	for i := 0; i < len(x); i += kernels.Block {
		if end := min(i+kernels.Block, len(x)); t.size(i, end) > 0 {
			sum += kernels.SumSquares(x[i:end])
		}
	}
	return sum
}

// length is the Euclidean norm of x, which is 0 outside of t.
func length[T float](x []T, t touched) float64 {
	var largest float64
	squares := sumSquares(x, t)
	if !math.IsInf(squares, 1) {
		return math.Sqrt(squares)
	}
	// The squares of an exploded gradient overflow long before its norm does.
	for _, xi := range x {
		largest = max(largest, math.Abs(float64(xi)))
	}
	if math.IsInf(largest, 1) {
		return largest
	}
	squares = 0
	for _, xi := range x {
		squares += (float64(xi) / largest) * (float64(xi) / largest)
	}
	return largest * math.Sqrt(squares)
}

func clamp[T float](x []T, limit float64) {
	for i := range x {
		x[i] = min(max(x[i], -T(limit)), T(limit))
	}
}
