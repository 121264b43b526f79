package nodes

import (
	"fmt"
	"math"
	"strings"

	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/rng"
)

// Init says how a parameter is initialised. The zero value is Zeros.
//
// A weight is [in, out], so its fan-in is its first size and its fan-out the last; a vector has
// both equal to its length.
type Init struct {
	kind   string
	a, b   float64
	blocks []Init
}

// Zeros fills with 0.
func Zeros() Init { return Init{} }

// Ones fills with 1.
func Ones() Init { return Constant(1) }

// Constant fills with one value.
func Constant(value float64) Init { return Init{kind: "constant", a: value} }

// Uniform draws from [low, high).
func Uniform(low, high float64) Init { return Init{kind: "uniform", a: low, b: high} }

// Normal draws from the normal distribution.
func Normal(mean, std float64) Init { return Init{kind: "normal", a: mean, b: std} }

// XavierUniform draws evenly with the variance gain²·2/(fan-in + fan-out) (Glorot and Bengio,
// 2010). Gain 1 suits linear and sigmoid units, 5/3 tanh.
func XavierUniform(gain float64) Init { return Init{kind: "xavier uniform", a: gain} }

// XavierNormal is XavierUniform with the normal distribution.
func XavierNormal(gain float64) Init { return Init{kind: "xavier normal", a: gain} }

// HeUniform draws evenly with the variance gain²/fan-in (He et al., 2015). Gain √2 suits ReLU.
func HeUniform(gain float64) Init { return Init{kind: "he uniform", a: gain} }

// HeNormal is HeUniform with the normal distribution.
func HeNormal(gain float64) Init { return Init{kind: "he normal", a: gain} }

// HeUniformOut is HeUniform with the fan-out in place of the fan-in, which keeps the size of
// gradients instead of values.
func HeUniformOut(gain float64) Init { return Init{kind: "he_out uniform", a: gain} }

// HeNormalOut is HeUniformOut with the normal distribution.
func HeNormalOut(gain float64) Init { return Init{kind: "he_out normal", a: gain} }

// LeCunUniform draws evenly with the variance 1/fan-in (LeCun et al., 1998).
func LeCunUniform() Init { return Init{kind: "he uniform", a: 1} }

// LeCunNormal is LeCunUniform with the normal distribution.
func LeCunNormal() Init { return Init{kind: "he normal", a: 1} }

// Orthogonal draws a matrix whose rows or columns, whichever are fewer, are orthogonal and of
// length gain (Saxe et al., 2014).
func Orthogonal(gain float64) Init { return Init{kind: "orthogonal", a: gain} }

// Chrono is sign·log(u), with u spread evenly over 1 … steps (Tallec and Ollivier, 2018, who draw
// it): as biases of forget or update gates, with sign 1, they make the units of a cell remember for
// times of all lengths up to so many steps. The input gates that belong to them have sign −1. Steps
// is at least 2.
func Chrono(steps, sign float64) Init { return Init{kind: "chrono", a: steps, b: sign} }

// Blocks divides the last axis evenly and initialises each part by its own: the gates of a cell
// whose weights are one matrix, or a bias of 1 for the forget gate alone.
func Blocks(parts ...Init) Init { return Init{kind: "blocks", blocks: parts} }

// Gates is Blocks with n times the same.
func Gates(n int, init Init) Init {
	const most = 1 << 16 // gates; a cell has a few
	if n < 0 || n > most {
		Failf("Gates", "%d gates: want 0 … %d", n, most)
	}
	b := make([]Init, n)
	for i := range b {
		b[i] = init
	}
	return Blocks(b...)
}

// String is the name of an initialiser with its numbers.
func (i Init) String() string {
	switch i.kind {
	case "":
		return "zeros"
	case "blocks":
		parts := make([]string, len(i.blocks))
		for k, b := range i.blocks {
			parts[k] = b.String()
		}
		return "blocks(" + strings.Join(parts, ", ") + ")"
	case "uniform", "normal", "chrono":
		return fmt.Sprintf("%s(%g, %g)", i.kind, i.a, i.b)
	}
	return fmt.Sprintf("%s(%g)", i.kind, i.a)
}

// IsZero reports whether i is the zero value, Zeros: configurations take it for "the default".
func (i Init) IsZero() bool { return i.kind == "" }

func (i Init) check(shape []int) error {
	for _, v := range []float64{i.a, i.b} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("initialiser %v is not finite", i)
		}
	}
	last := shape[len(shape)-1]
	switch i.kind {
	case "blocks":
		if len(i.blocks) == 0 || last%len(i.blocks) != 0 {
			return fmt.Errorf("initialiser %v: %d parts do not divide a last axis of %d", i,
				len(i.blocks), last)
		}
		part := append(append([]int{}, shape[:len(shape)-1]...), last/len(i.blocks))
		for _, b := range i.blocks {
			if err := b.check(part); err != nil {
				return err
			}
		}
	case "orthogonal":
		if len(shape) != 2 {
			return fmt.Errorf("initialiser %v wants a matrix", i)
		}
	case "chrono":
		if i.a < 2 {
			return fmt.Errorf("initialiser %v: the steps are fewer than 2", i)
		}
	case "normal":
		if i.b < 0 {
			return fmt.Errorf("initialiser %v: the standard deviation is negative", i)
		}
	case "uniform":
		if i.b < i.a {
			return fmt.Errorf("initialiser %v: the bounds are in the wrong order", i)
		}
	}
	return nil
}

// fill writes the initial value of a parameter of the given shape to w.
func (i Init) fill(r *rng.Stream, shape []int, w []float64) {
	rows, cols := shape[0], shape[len(shape)-1]
	fanIn, fanOut := float64(rows), float64(cols)
	draw := func(std float64, kind string) {
		for k := range w {
			if strings.HasSuffix(kind, "normal") {
				w[k] = std * r.Normal()
			} else {
				w[k] = std * math.Sqrt(3) * (2*r.Float64() - 1)
			}
		}
	}
	switch i.kind {
	case "":
		clear(w)
	case "constant":
		for k := range w {
			w[k] = i.a
		}
	case "uniform":
		for k := range w {
			w[k] = i.a + (i.b-i.a)*r.Float64()
		}
	case "chrono":
		for k := range w {
			u := (float64(k%cols) + 0.5) / fanOut
			w[k] = i.b * math.Log(1+(i.a-1)*u)
		}
	case "normal":
		for k := range w {
			w[k] = i.a + i.b*r.Normal()
		}
	case "xavier uniform", "xavier normal":
		draw(i.a*math.Sqrt(2/(fanIn+fanOut)), i.kind)
	case "he uniform", "he normal":
		draw(i.a/math.Sqrt(fanIn), i.kind)
	case "he_out uniform", "he_out normal":
		draw(i.a/math.Sqrt(fanOut), i.kind)
	case "orthogonal":
		orthogonal(r, rows, cols, i.a, w)
	case "blocks":
		n := cols / len(i.blocks)
		part := append(append([]int{}, shape[:len(shape)-1]...), n)
		buf := make([]float64, len(w)/len(i.blocks))
		for b, init := range i.blocks {
			init.fill(r, part, buf)
			for k := range len(buf) / n {
				copy(w[k*cols+b*n:], buf[k*n:(k+1)*n])
			}
		}
	default:
		panic("nodes: no initialiser " + i.kind)
	}
}

// orthogonal fills w with n orthogonal vectors of the given length, which are its rows or its
// columns. Normal vectors are orthogonalised by Gram-Schmidt, twice for accuracy, in blocks, so
// that most of the work is matrix products.
func orthogonal(r *rng.Stream, rows, cols int, gain float64, w []float64) {
	n, length := min(rows, cols), max(rows, cols)
	q := make([]float64, n*length)
	row := func(v int) []float64 { return q[v*length : (v+1)*length] }
	draw := func(x []float64) {
		for k := range x {
			x[k] = r.Normal()
		}
	}
	remove := func(x []float64, from, to int) { // what x has of the vectors from … to−1
		for range 2 {
			for u := from; u < to; u++ {
				d := dot(x, row(u))
				for k, v := range row(u) {
					x[k] -= d * v
				}
			}
		}
	}
	const block = 32
	parts := make([]float64, block*n)
	for from := 0; from < n; from += block {
		to := min(from+block, n)
		x := q[from*length : to*length]
		draw(x)
		if from > 0 {
			for range 2 {
				c := parts[:(to-from)*from]
				kernels.Gemm(false, true, to-from, from, length, x, length, q, length, c, from,
					false)
				for i := range c {
					c[i] = -c[i]
				}
				kernels.Gemm(false, false, to-from, length, from, c, from, q, length, x, length,
					true)
			}
		}
		for v := from; v < to; v++ {
			x := row(v)
			remove(x, from, v)
			norm := math.Sqrt(dot(x, x))
			for norm < 1e-6 { // next to never: nothing is left of it but rounding
				draw(x)
				remove(x, 0, v)
				norm = math.Sqrt(dot(x, x))
			}
			for k := range x {
				x[k] /= norm
			}
		}
	}
	for i := range rows {
		for j := range cols {
			if rows > cols {
				w[i*cols+j] = gain * q[j*length+i]
			} else {
				w[i*cols+j] = gain * q[i*length+j]
			}
		}
	}
}

func dot(a, b []float64) (sum float64) {
	for k, v := range a {
		sum += v * b[k]
	}
	return sum
}
