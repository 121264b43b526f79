package ops

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/kernels"
)

// MaxPool is the largest element that each place of the window sees, of x [N, C, ...]. Of equals
// the first gets the gradient.
type MaxPool struct{ Window }

func (m MaxPool) Key() string { return fmt.Sprintf("maxpool{%s}", m.key()) }

func (m MaxPool) Infer(in []Type) (Type, error) { return m.infer(in[0]) }

func (w Window) infer(x Type) (Type, error) {
	if err := sameFloat(x); err != nil {
		return x, err
	}
	if len(x.Shape) < 3 {
		return x, fmt.Errorf("want x [N, C, ...]")
	}
	return Type{x.Dtype, batchShape(x.Shape[0], x.Shape[1], w.Out)}, w.check(x.Shape[2:])
}

func (m MaxPool) Eval(in []Tensor, out Tensor) error {
	return m.EvalParts(in, out, 0, m.Parts(in, out))
}

// Parts are the images.
func (m MaxPool) Parts(in []Tensor, _ Tensor) int { return in[0].Shape[0] }

func (m MaxPool) EvalParts(in []Tensor, out Tensor, from, to int) error {
	return evaluate(out,
		func() error { return evalMaxPool[float32](m.Window, in[0], out, from, to) },
		func() error { return evalMaxPool[float64](m.Window, in[0], out, from, to) })
}

func evalMaxPool[F kernels.Float](w Window, in, out Tensor, from, to int) error {
	x, y := data[F](in), data[F](out)
	s := w.slide(in.Shape[2:])
	size, places, channels := volume(s.in), volume(s.out), in.Shape[1]
	if s.squares() {
		eachOfFours(&s, x[from*channels*size:to*channels*size], func(c int, _, most []F) {
			takeFours(&s, y[(from*channels+c)*places:][:places], most)
		})
		return nil
	}
	best := make([]int32, places)
	for p := from * channels; p < to*channels; p++ {
		image, row := x[p*size:(p+1)*size], y[p*places:(p+1)*places]
		if err := largest(s, image, best); err != nil {
			return err
		}
		for i, k := range best {
			row[i] = image[k]
		}
	}
	return nil
}

// largest finds, for each place, which element is the largest that it sees.
func largest[F kernels.Float](s slide, x []F, best []int32) error {
	for i := range best {
		best[i] = -1
	}
	s.eachRow(func(_, o, i, n, step int) {
		for j := range n {
			k := int32(i + j*step)
			if b := best[o+j]; b < 0 || x[k] > x[b] || x[k] != x[k] && x[b] == x[b] {
				best[o+j] = k
			}
		}
	})
	if slices.Contains(best, -1) {
		return fmt.Errorf("a window sees nothing but what lies around x")
	}
	return nil
}

func (m MaxPool) Diff(in []*G.Node, _, dy *G.Node, _ []bool) []*G.Node {
	return []*G.Node{Apply(MaxPoolGrad(m), in[0], dy)}
}

// MaxPoolGrad is the gradient of MaxPool's x, from x and the gradient of the result.
type MaxPoolGrad struct{ Window }

func (m MaxPoolGrad) Key() string { return fmt.Sprintf("maxpoolgrad{%s}", m.key()) }

func (m MaxPoolGrad) Infer(in []Type) (Type, error) {
	t, err := m.infer(in[0])
	if err == nil && (!slices.Equal(t.Shape, in[1].Shape) || t.Dtype != in[1].Dtype) {
		err = fmt.Errorf("%v, want %v", in[1], t)
	}
	return in[0], err
}

func (m MaxPoolGrad) Eval(in []Tensor, out Tensor) error {
	return m.EvalParts(in, out, 0, m.Parts(in, out))
}

// Parts are the images.
func (m MaxPoolGrad) Parts(in []Tensor, _ Tensor) int { return in[0].Shape[0] }

func (m MaxPoolGrad) EvalParts(in []Tensor, out Tensor, from, to int) error {
	return evaluate(out,
		func() error { return evalMaxPoolGrad[float32](m.Window, in, out, from, to) },
		func() error { return evalMaxPoolGrad[float64](m.Window, in, out, from, to) })
}

func evalMaxPoolGrad[F kernels.Float](w Window, in []Tensor, out Tensor, from, to int) error {
	x, dy, dx := data[F](in[0]), data[F](in[1]), data[F](out)
	s := w.slide(in[0].Shape[2:])
	size, places, channels := volume(s.in), volume(s.out), in[0].Shape[1]
	if s.squares() {
		eachOfFours(&s, x[from*channels*size:to*channels*size], func(c int, image, most []F) {
			p := from*channels + c
			giveFours(&s, dx[p*size:(p+1)*size], image, most, dy[p*places:(p+1)*places])
		})
		return nil
	}
	best := make([]int32, places)
	for p := from * channels; p < to*channels; p++ {
		image, row := x[p*size:(p+1)*size], dx[p*size:(p+1)*size]
		if err := largest(s, image, best); err != nil {
			return err
		}
		clear(row)
		for i, k := range best {
			row[k] += dy[p*places+i]
		}
	}
	return nil
}

// Diff takes the elements that were the largest: the gradient is linear in that of the result.
func (m MaxPoolGrad) Diff(in []*G.Node, _, dy *G.Node, need []bool) []*G.Node {
	ds := make([]*G.Node, 2)
	if need[1] {
		table := reshape(dy, []int{TypeOf(dy).Size(), 1})
		rows := Apply(Gather{-1}, table, Apply(MaxPlaces{m.Window, false}, in[0]))
		ds[1] = reshape(rows, in[1].Shape())
	}
	return ds
}

// MaxPlaces is where in x, flat, the elements stand that MaxPool takes. ByColumn counts along the
// axes that the window slides along in the order of columns.
type MaxPlaces struct {
	Window
	ByColumn bool
}

func (m MaxPlaces) Key() string { return fmt.Sprintf("maxplaces{%s %t}", m.key(), m.ByColumn) }

func (m MaxPlaces) Infer(in []Type) (Type, error) {
	t, err := m.infer(in[0])
	t.Dtype = tensor.Int
	return t, err
}

func (m MaxPlaces) Eval(in []Tensor, out Tensor) error {
	if in[0].F32 != nil {
		return evalMaxPlaces(m, in[0], in[0].F32, out.Int)
	}
	return evalMaxPlaces(m, in[0], in[0].F64, out.Int)
}

func evalMaxPlaces[F kernels.Float](m MaxPlaces, in Tensor, x []F, out []int) error {
	s := m.slide(in.Shape[2:])
	size, places := volume(s.in), volume(s.out)
	best := make([]int32, places)
	for p := range in.Shape[0] * in.Shape[1] {
		if err := largest(s, x[p*size:(p+1)*size], best); err != nil {
			return err
		}
		for i, k := range best {
			at := int(k)
			if m.ByColumn {
				a, b, c := at/s.in[2]/s.in[1], at/s.in[2]%s.in[1], at%s.in[2]
				at = (c*s.in[1]+b)*s.in[0] + a
				if len(in.Shape) == 4 {
					at = c*s.in[1] + b
				}
			}
			out[p*places+i] = p*size + at
		}
	}
	return nil
}

// AvgPool is the mean of what each place of the window sees, of x [N, C, ...]. WithPad counts what
// lies around x as zeros; without, only elements of x count.
type AvgPool struct {
	Window
	WithPad bool
}

func (a AvgPool) Key() string { return fmt.Sprintf("avgpool{%s %t}", a.key(), a.WithPad) }

func (a AvgPool) Infer(in []Type) (Type, error) { return a.infer(in[0]) }

func (a AvgPool) Eval(in []Tensor, out Tensor) error {
	return evaluate(out, func() error { return evalAvgPool[float32](a, in[0], out) },
		func() error { return evalAvgPool[float64](a, in[0], out) })
}

// weights are 1 over how many elements count at each place.
func (a AvgPool) weights(s slide) []float64 {
	count := make([]float64, volume(s.out))
	if a.WithPad {
		// What reaches over the padding too, by rounding up, does not count.
		wide := s
		for i := range wide.in {
			wide.in[i] += s.before[i] + s.behind[i]
			wide.before[i], wide.behind[i] = 0, 0
		}
		s = wide
	}
	s.eachRow(func(_, o, _, n, _ int) {
		for j := range n {
			count[o+j]++
		}
	})
	for i, n := range count {
		count[i] = 1 / max(n, 1)
	}
	return count
}

func evalAvgPool[F kernels.Float](a AvgPool, in, out Tensor) error {
	x, y := data[F](in), data[F](out)
	s := a.slide(in.Shape[2:])
	size, places, weights := volume(s.in), volume(s.out), a.weights(s)
	clear(y)
	for p := range in.Shape[0] * in.Shape[1] {
		image, row := x[p*size:(p+1)*size], y[p*places:(p+1)*places]
		s.eachRow(func(_, o, i, n, step int) {
			for j := range n {
				row[o+j] += image[i+j*step]
			}
		})
		for i := range row {
			row[i] *= F(weights[i])
		}
	}
	return nil
}

func (a AvgPool) Diff(in []*G.Node, _, dy *G.Node, _ []bool) []*G.Node {
	return []*G.Node{Apply(AvgPoolGrad{a, slices.Clone([]int(in[0].Shape()))}, dy)}
}

// AvgPoolGrad is the gradient of AvgPool's x, of shape Shape, from that of the result.
type AvgPoolGrad struct {
	AvgPool
	Shape []int
}

func (a AvgPoolGrad) Key() string {
	return fmt.Sprintf("avgpoolgrad{%s %v}", a.AvgPool.Key(), a.Shape)
}

func (a AvgPoolGrad) Infer(in []Type) (Type, error) {
	t, err := a.infer(Type{in[0].Dtype, a.Shape})
	if err == nil && !slices.Equal(t.Shape, in[0].Shape) {
		err = fmt.Errorf("%v, want %v", in[0], t)
	}
	return Type{in[0].Dtype, a.Shape}, err
}

func (a AvgPoolGrad) Eval(in []Tensor, out Tensor) error {
	return evaluate(out, func() error { return evalAvgPoolGrad[float32](a, in[0], out) },
		func() error { return evalAvgPoolGrad[float64](a, in[0], out) })
}

func evalAvgPoolGrad[F kernels.Float](a AvgPoolGrad, in, out Tensor) error {
	dy, dx := data[F](in), data[F](out)
	s := a.slide(a.Shape[2:])
	size, places, weights := volume(s.in), volume(s.out), a.weights(s)
	clear(dx)
	for p := range a.Shape[0] * a.Shape[1] {
		image, row := dx[p*size:(p+1)*size], dy[p*places:(p+1)*places]
		s.eachRow(func(_, o, i, n, step int) {
			for j := range n {
				image[i+j*step] += row[o+j] * F(weights[o+j])
			}
		})
	}
	return nil
}

func (a AvgPoolGrad) Diff(_ []*G.Node, _, dy *G.Node, _ []bool) []*G.Node {
	return []*G.Node{Apply(a.AvgPool, dy)}
}
