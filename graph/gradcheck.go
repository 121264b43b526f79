package graph

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/rng"
)

// GradientCheck says how CheckGradients checks. The zero value is its defaults.
type GradientCheck struct {
	// Samples is how many elements of each input are checked, spread evenly over it; 0 means 60,
	// and less than 0 none.
	Samples int
	// Directions is how many random directions in the space of all inputs are checked: each tests
	// all elements at once, for the price of five runs.
	Directions int
	Seed       uint64 // of the directions
	// Tolerance is how far a gradient may be off, relative to the largest element of the input's
	// gradient, or to 0.1 if that is smaller; 0 means 1e-7 for float64 and 5e-3 for float32. In a
	// direction it is relative to the norm of the whole gradient.
	Tolerance float64
}

// GradientReport is the result of CheckGradients.
type GradientReport struct {
	Loss       float64
	Tolerance  float64
	Inputs     []InputGradient
	Directions []Derivative
}

// InputGradient is the gradient of one input held against finite differences.
type InputGradient struct {
	Name    string
	Shape   []int
	Checked int        // elements
	Norm    float64    // of the gradient
	Worst   Derivative // the element that is off most
	Index   []int      // of that element
}

// Derivative is one derivative, found in two ways.
type Derivative struct {
	Symbolic float64 // by the gradient in the graph
	Numeric  float64 // by finite differences
	Error    float64 // their difference, relative as Tolerance says
}

// CheckGradients holds gradients against central finite differences of fourth order: the loss is
// computed four times for every element that is checked. Inputs are nodes with values; grads are
// the nodes of their gradients, and if grads is nil, what gorgonia.Grad made (gorgonia.Node.Deriv).
// The loss must be smooth near those values: at a kink, such as that of ReLU at 0, differences and
// gradients differ rightly. Noise must not change from run to run, as that of package nodes does
// not.
//
// The graph is compiled with opts; Plain checks the definitions of the operations instead. Values
// are changed while it runs, and are what they were in the end. float64 tells mistakes from
// rounding much better than float32 does.
//
// An error says that the check could not be done. Whether the gradients are right is in the report:
// see its Err.
func CheckGradients(loss *gorgonia.Node, inputs, grads []*gorgonia.Node, c GradientCheck,
	opts ...Option) (*GradientReport, error) {
	r, err := checkGradients(loss, inputs, grads, c, opts)
	if err != nil {
		return nil, fmt.Errorf("graph.CheckGradients: %w", err)
	}
	return r, nil
}

// checked is an input under check.
type checked struct {
	name  string
	value ops.Tensor // its own memory, or if it is a scalar,
	f32   *gorgonia.F32
	f64   *gorgonia.F64
	grad  []float64
}

func checkGradients(loss *gorgonia.Node, inputs, grads []*gorgonia.Node, c GradientCheck,
	opts []Option) (*GradientReport, error) {
	if loss == nil || len(inputs) == 0 {
		return nil, errors.New("want a loss and at least one input")
	}
	if grads != nil && len(grads) != len(inputs) {
		return nil, fmt.Errorf("%d gradients for %d inputs: want one for each", len(grads),
			len(inputs))
	}
	if len(loss.Shape()) > 0 {
		return nil, fmt.Errorf("the loss is %v: want a scalar", loss.Shape())
	}
	keep := []*gorgonia.Node{loss}
	ds := make([]*gorgonia.Node, len(inputs))
	for i, n := range inputs {
		switch {
		case n == nil:
			return nil, fmt.Errorf("input %d is nil", i)
		case grads != nil:
			ds[i] = grads[i]
		default:
			ds[i] = n.Deriv()
		}
		if ds[i] == nil {
			return nil, fmt.Errorf("input %q has no gradient: give one, or take it with "+
				"gorgonia.Grad", n.Name())
		}
		if !slices.Equal([]int(ds[i].Shape()), []int(n.Shape())) {
			return nil, fmt.Errorf("the gradient of %q is %v, the input %v", n.Name(),
				ds[i].Shape(), n.Shape())
		}
		keep = append(keep, ds[i])
	}
	all, err := Compile(loss.Graph(), append(slices.Clone(opts), Keep(keep...))...)
	if err != nil {
		return nil, err
	}
	defer all.Close()
	if err := all.RunAll(); err != nil {
		return nil, err
	}
	params := make([]gorgonia.ValueGrad, len(inputs))
	for i, n := range inputs {
		g, err := gorgonia.CloneValue(ds[i].Value()) // another machine may come to show its own
		if err != nil {
			return nil, fmt.Errorf("gradient of %q: %w", n.Name(), err)
		}
		params[i] = valueGrad{n, g}
	}
	forward, err := Compile(loss.Graph(), append(slices.Clone(opts), Keep(loss))...)
	if err != nil {
		return nil, err
	}
	defer forward.Close()
	return CheckLoss(func() (float64, error) {
		err := forward.RunAll()
		return scalar(loss), err
	}, params, c)
}

// valueGrad is a node with a gradient that nothing writes to.
type valueGrad struct {
	*gorgonia.Node
	grad gorgonia.Value
}

// Grad is the copy of the gradient, not the one that the node's machine writes.
func (v valueGrad) Grad() (gorgonia.Value, error) { return v.grad, nil }

// CheckLoss is CheckGradients for anything that computes a loss from parameters, compiled or not.
// The gradients are those that the parameters have now; loss computes the same loss anew whenever
// it is called, and leaves them as they are, or computes them anew: they are copied first.
// Parameters that have a Name method are reported by it.
func CheckLoss(loss func() (float64, error), params []gorgonia.ValueGrad,
	c GradientCheck) (*GradientReport, error) {
	if loss == nil || len(params) == 0 {
		return nil, errors.New("graph.CheckLoss: want a loss and at least one parameter")
	}
	xs := make([]checked, len(params))
	for i, p := range params {
		var err error
		if xs[i], err = newChecked(i, p); err != nil {
			return nil, fmt.Errorf("graph.CheckLoss: %w", err)
		}
	}
	var failed error
	f := func() float64 {
		y, err := loss()
		if err != nil && failed == nil {
			failed = fmt.Errorf("graph.CheckLoss: %w", err)
		}
		return y
	}
	half := xs[0].value.F32 != nil
	if c.Tolerance == 0 {
		if c.Tolerance = 1e-7; half {
			c.Tolerance = 5e-3
		}
	}
	if c.Samples == 0 {
		c.Samples = 60
	}
	r := &GradientReport{Loss: f(), Tolerance: c.Tolerance}
	width := 1e-3 // balances its fourth power against rounding over it
	if half {
		width = 3e-2
	}
	for _, x := range xs {
		if failed != nil {
			return nil, failed
		}
		r.Inputs = append(r.Inputs, x.check(f, c.Samples, width))
	}
	for k := range c.Directions {
		r.Directions = append(r.Directions, checkDirection(xs, f,
			rng.New(c.Seed).Named(fmt.Sprintf("direction %d", k)), width))
	}
	if failed != nil {
		return nil, failed
	}
	return r, nil
}

func newChecked(i int, p gorgonia.ValueGrad) (x checked, err error) {
	if p == nil {
		return x, fmt.Errorf("parameter %d is nil", i)
	}
	x.name = fmt.Sprintf("parameter %d", i)
	if p, ok := p.(interface{ Name() string }); ok {
		x.name = p.Name()
	}
	v := p.Value()
	switch v := v.(type) {
	case *gorgonia.F32:
		x.f32 = v
	case *gorgonia.F64:
		x.f64 = v
	case *tensor.Dense:
		if v.Size() > 1 && !contiguous(v) {
			return x, fmt.Errorf("%s is a view: want contiguous memory, that its elements can be "+
				"changed one by one", x.name)
		}
	}
	if x.value, err = ops.TensorOf(v); err != nil {
		return x, fmt.Errorf("%s: %w", x.name, err)
	}
	d, err := p.Grad()
	if err != nil {
		return x, fmt.Errorf("gradient of %s: %w", x.name, err)
	}
	g, err := ops.TensorOf(d)
	if err != nil {
		return x, fmt.Errorf("gradient of %s: %w", x.name, err)
	}
	if !slices.Equal(g.Shape, x.value.Shape) {
		return x, fmt.Errorf("the gradient of %s is %s, its value %s", x.name,
			ops.ShapeString(g.Shape), ops.ShapeString(x.value.Shape))
	}
	for _, v := range g.F32 {
		x.grad = append(x.grad, float64(v))
	}
	x.grad = append(x.grad, g.F64...)
	if len(x.grad) == 0 || x.value.F32 == nil && x.value.F64 == nil {
		return x, fmt.Errorf("%s is of %v: only floats have gradients", x.name, x.value.Dtype())
	}
	return x, nil
}

func scalar(n *gorgonia.Node) float64 {
	switch v := n.Value().Data().(type) {
	case float32:
		return float64(v)
	case float64:
		return v
	}
	return math.NaN()
}

func (x checked) at(i int) float64 {
	switch {
	case x.f32 != nil:
		return float64(*x.f32)
	case x.f64 != nil:
		return float64(*x.f64)
	case x.value.F32 != nil:
		return float64(x.value.F32[i])
	}
	return x.value.F64[i]
}

// set changes an element, and returns what it then is: a float32 holds not every number.
func (x checked) set(i int, v float64) float64 {
	switch {
	case x.f32 != nil:
		*x.f32 = gorgonia.F32(v)
	case x.f64 != nil:
		*x.f64 = gorgonia.F64(v)
	case x.value.F32 != nil:
		x.value.F32[i] = float32(v)
	default:
		x.value.F64[i] = v
	}
	return x.at(i)
}

func (x checked) norm() float64 {
	sum := 0.0
	for _, v := range x.grad {
		sum += v * v
	}
	return math.Sqrt(sum)
}

func (x checked) check(f func() float64, samples int, width float64) InputGradient {
	r := InputGradient{Name: x.name, Shape: x.value.Shape, Norm: x.norm()}
	n := len(x.grad)
	if samples < 0 {
		return r
	}
	scale := 0.1
	for _, v := range x.grad {
		scale = max(scale, math.Abs(v))
	}
	r.Worst.Error = -1
	step := max(1, float64(n)/float64(samples))
	for at := 0.0; int(at) < n; at += step {
		i := int(at)
		was := x.at(i)
		h := width * max(1, math.Abs(was))
		numeric := difference(func(d float64) (float64, float64) {
			moved := x.set(i, was+d)
			return f(), moved - was
		}, h)
		x.set(i, was)
		d := Derivative{Symbolic: x.grad[i], Numeric: numeric}
		d.Error = math.Abs(d.Symbolic-d.Numeric) / scale
		if r.Checked++; d.Error > r.Worst.Error || d.Error != d.Error {
			r.Worst, r.Index = d, ops.IndexOf(i, r.Shape)
		}
		if d.Error != d.Error {
			break
		}
	}
	return r
}

// difference is the derivative at 0 of what moved gives, with how far it moved, by central
// differences of fourth order.
func difference(moved func(d float64) (f, at float64), h float64) float64 {
	slope := func(h float64) float64 {
		up, a := moved(h)
		down, b := moved(-h)
		return (up - down) / (a - b)
	}
	return (4*slope(h) - slope(2*h)) / 3
}

// checkDirection compares the derivative along a random unit vector.
func checkDirection(xs []checked, f func() float64, key rng.Key, width float64) Derivative {
	var norm, gradient float64
	var directions, was [][]float64
	for i, x := range xs {
		k := key.Named(fmt.Sprint(i))
		v, w := make([]float64, len(x.grad)), make([]float64, len(x.grad))
		for j := range v {
			v[j], w[j] = k.Normal(uint64(j)), x.at(j)
			norm += v[j] * v[j]
		}
		directions, was = append(directions, v), append(was, w)
		gradient += x.norm() * x.norm()
	}
	norm, gradient = math.Sqrt(norm), math.Sqrt(gradient)
	var d Derivative
	for i, x := range xs {
		for j, v := range directions[i] {
			d.Symbolic += v / norm * x.grad[j]
		}
	}
	move := func(by float64) {
		for i, x := range xs {
			for j, v := range directions[i] {
				x.set(j, was[i][j]+by*v/norm)
			}
		}
	}
	// Each element moves by about width/√n, so the loss changes little: a longer way is smooth
	// still, and rounds less.
	d.Numeric = difference(func(by float64) (float64, float64) {
		move(by)
		return f(), by
	}, 4*width)
	for i, x := range xs {
		for j, v := range was[i] {
			x.set(j, v)
		}
	}
	d.Error = math.Abs(d.Symbolic-d.Numeric) / max(gradient, 0.1)
	return d
}

// Err is nil if every derivative is within the tolerance, and else says which are not.
func (r *GradientReport) Err() error {
	var errs []error
	for _, x := range r.Inputs {
		if !(x.Worst.Error <= r.Tolerance) {
			errs = append(errs, fmt.Errorf("gradient of %s %s: element %v is %.10g, by finite "+
				"differences %.10g: off by %.3g, allowed is %.3g",
				x.Name, ops.ShapeString(x.Shape), x.Index, x.Worst.Symbolic, x.Worst.Numeric,
				x.Worst.Error, r.Tolerance))
		}
	}
	for i, d := range r.Directions {
		if !(d.Error <= r.Tolerance) {
			errs = append(errs, fmt.Errorf("gradient in direction %d: %.10g, by finite "+
				"differences %.10g: off by %.3g, allowed is %.3g",
				i, d.Symbolic, d.Numeric, d.Error, r.Tolerance))
		}
	}
	return errors.Join(errs...)
}

// String is a table: every input with its worst element, then the directions.
func (r *GradientReport) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-24s %-16s %8s %12s %16s %16s %10s\n", "input", "shape", "checked",
		"‖gradient‖", "symbolic", "numeric", "error")
	verdict := func(e float64) string {
		if e <= r.Tolerance {
			return ""
		}
		return "  wrong"
	}
	for _, x := range r.Inputs {
		if x.Checked == 0 {
			continue
		}
		fmt.Fprintf(&b, "%-24s %-16s %8d %12.4g %16.9g %16.9g %10.2g%s\n", x.Name,
			ops.ShapeString(x.Shape), x.Checked, x.Norm,
			x.Worst.Symbolic, x.Worst.Numeric, x.Worst.Error, verdict(x.Worst.Error))
	}
	for i, d := range r.Directions {
		fmt.Fprintf(&b, "%-63s %16.9g %16.9g %10.2g%s\n", fmt.Sprintf("direction %d", i),
			d.Symbolic, d.Numeric, d.Error, verdict(d.Error))
	}
	return b.String()
}
