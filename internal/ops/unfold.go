package ops

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/internal/kernels"
)

// Unfold writes what each place of the window sees, of x [N, C, ...]: [N, places..., C·K], channel
// by channel. A product with weights makes a convolution of it, as gorgonia.Conv2d does.
type Unfold struct{ Window }

func (u Unfold) Key() string { return fmt.Sprintf("unfold{%s}", u.key()) }

func (u Unfold) Infer(in []Type) (Type, error) {
	t, err := u.infer(in[0])
	if err == nil {
		t.Shape = u.shape(in[0].Shape)
	}
	return t, err
}

func (u Unfold) shape(x []int) []int {
	return slices.Concat([]int{x[0]}, u.Out, []int{x[1] * Size(u.Kernel)})
}

func (u Unfold) Eval(in []Tensor, out Tensor) error {
	return u.EvalParts(in, out, 0, u.Parts(in, out))
}

// Parts are the images.
func (u Unfold) Parts(in []Tensor, _ Tensor) int { return in[0].Shape[0] }

func (u Unfold) EvalParts(in []Tensor, out Tensor, from, to int) error {
	return evaluate(out, func() error { return evalUnfold[float32](u, in[0], out, from, to) },
		func() error { return evalUnfold[float64](u, in[0], out, from, to) })
}

func evalUnfold[F kernels.Float](u Unfold, in, out Tensor, from, to int) error {
	s := u.slide(in.Shape[2:])
	channels := in.Shape[1]
	x, y := data[F](in), data[F](out)
	size, row := channels*volume(s.in), volume(s.out)*channels*volume(s.kernel)
	k, plane := volume(s.kernel), volume(s.in)
	step := s.dilation[2]
	var list []line
	for a := range s.out[0] {
		for b := range s.out[1] {
			list = s.lines(list, a, b, channels*k)
			first := (a*s.out[1] + b) * s.out[2] * channels * k
			for n := from; n < to; n++ {
				rows := y[n*row+first : n*row+first+s.out[2]*channels*k]
				clear(rows)
				for c := range channels {
					image, rows := x[n*size+c*plane:n*size+(c+1)*plane], rows[c*k:]
					for _, l := range list {
						to, i := rows[l.at:l.at+l.n], int(l.in)
						for j := range to {
							to[j] = image[i]
							i += step
						}
					}
				}
			}
		}
	}
	return nil
}

// line is a line of the window at one place that lies inside the image: n elements, which stand one
// after another from at on, see elements of the image from in on.
type line struct{ at, in, n int32 }

// lines lists what the places of one row along the last axis, x and y along the others, see of one
// channel, at places in the rows of a result that has width elements a place.
func (s slide) lines(list []line, x, y, width int) []line {
	list = list[:0]
	step := s.dilation[2]
	for z := range s.out[2] {
		first := z*s.stride[2] - s.before[2]
		lo, hi := 0, s.kernel[2]
		if first < 0 {
			lo = min((-first+step-1)/step, hi)
		}
		if room := s.in[2] - 1 - first; room < 0 {
			hi = lo
		} else {
			hi = max(min(hi, room/step+1), lo)
		}
		for a := range s.kernel[0] {
			i := x*s.stride[0] + a*s.dilation[0] - s.before[0]
			for b := range s.kernel[1] {
				j := y*s.stride[1] + b*s.dilation[1] - s.before[1]
				if hi == lo || i < 0 || i >= s.in[0] || j < 0 || j >= s.in[1] {
					continue
				}
				list = append(list, line{
					at: int32(z*width + (a*s.kernel[1]+b)*s.kernel[2] + lo),
					in: int32((i*s.in[1]+j)*s.in[2] + first + lo*step), n: int32(hi - lo)})
			}
		}
	}
	return list
}

func (u Unfold) Diff(in []*G.Node, _, dy *G.Node, _ []bool) []*G.Node {
	return []*G.Node{Apply(Fold{u.Window, slices.Clone([]int(in[0].Shape()))}, dy)}
}

// Fold adds up what Unfold read of each element, to x of the shape Shape: the gradient of Unfold.
type Fold struct {
	Window
	Shape []int
}

func (f Fold) Key() string { return fmt.Sprintf("fold{%s %v}", f.key(), f.Shape) }

func (f Fold) Infer(in []Type) (Type, error) {
	x := Type{in[0].Dtype, f.Shape}
	t, err := Unfold{f.Window}.Infer([]Type{x})
	if err == nil && !slices.Equal(t.Shape, in[0].Shape) {
		err = fmt.Errorf("%v, want %v", in[0], t)
	}
	return x, err
}

func (f Fold) Eval(in []Tensor, out Tensor) error {
	return f.EvalParts(in, out, 0, f.Parts(in, out))
}

// Parts are the images.
func (f Fold) Parts(_ []Tensor, out Tensor) int { return out.Shape[0] }

func (f Fold) EvalParts(in []Tensor, out Tensor, from, to int) error {
	return evaluate(out, func() error { return evalFold[float32](f, in[0], out, from, to) },
		func() error { return evalFold[float64](f, in[0], out, from, to) })
}

func evalFold[F kernels.Float](f Fold, in, out Tensor, from, to int) error {
	s := f.slide(f.Shape[2:])
	channels := f.Shape[1]
	x, col := data[F](out), data[F](in)
	size, row := channels*volume(s.in), volume(s.out)*channels*volume(s.kernel)
	k, plane := volume(s.kernel), volume(s.in)
	step := s.dilation[2]
	clear(x[from*size : to*size])
	var list []line
	for a := range s.out[0] {
		for b := range s.out[1] {
			list = s.lines(list, a, b, channels*k)
			first := (a*s.out[1] + b) * s.out[2] * channels * k
			for n := from; n < to; n++ {
				rows := col[n*row+first : n*row+first+s.out[2]*channels*k]
				for c := range channels {
					image, rows := x[n*size+c*plane:n*size+(c+1)*plane], rows[c*k:]
					for _, l := range list {
						i := int(l.in)
						for _, v := range rows[l.at : l.at+l.n] {
							image[i] += v
							i += step
						}
					}
				}
			}
		}
	}
	return nil
}

func (f Fold) Diff(_ []*G.Node, _, dy *G.Node, _ []bool) []*G.Node {
	return []*G.Node{Apply(Unfold{f.Window}, dy)}
}
