package ops

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/kernels"
)

// Fill is a tensor of one value. Its operand only says to which graph it belongs.
type Fill struct {
	Dtype tensor.Dtype
	Shape []int
	Value float64
}

func (f Fill) Key() string { return fmt.Sprintf("fill{%v %v %g}", f.Dtype, f.Shape, f.Value) }

func (f Fill) Infer([]Type) (Type, error) { return Type{f.Dtype, f.Shape}, nil }

func (f Fill) Eval(_ []Tensor, out Tensor) error {
	for i := range out.F32 {
		out.F32[i] = float32(f.Value)
	}
	for i := range out.F64 {
		out.F64[i] = f.Value
	}
	return nil
}

// Zeros has the type of n.
func Zeros(n *G.Node) *G.Node { t := TypeOf(n); return Apply(Fill{t.Dtype, t.Shape, 0}, n) }

// Reshape gives the same elements another shape.
type Reshape struct{ Shape []int }

func (r Reshape) Key() string { return fmt.Sprintf("reshape{%v}", r.Shape) }

func (r Reshape) Infer(in []Type) (Type, error) {
	out := Type{in[0].Dtype, r.Shape}
	if err := CheckShape(r.Shape); err != nil {
		return out, err
	}
	if out.Size() != in[0].Size() {
		return out, fmt.Errorf("%d elements do not fill %s, which has %d", in[0].Size(),
			ShapeString(r.Shape), out.Size())
	}
	return out, nil
}

func (r Reshape) Eval(in []Tensor, out Tensor) error { out.CopyFrom(in[0]); return nil }

func (r Reshape) Diff(in []*G.Node, _, dy *G.Node, _ []bool) []*G.Node {
	return []*G.Node{reshape(dy, in[0].Shape())}
}

func reshape(n *G.Node, shape []int) *G.Node {
	if slices.Equal([]int(n.Shape()), shape) {
		return n
	}
	return Apply(Reshape{slices.Clone(shape)}, n)
}

// Transpose reorders the axes: axis i of the result is axis Perm[i] of the operand.
type Transpose struct{ Perm []int }

func (t Transpose) Key() string { return fmt.Sprintf("transpose{%v}", t.Perm) }

func (t Transpose) Infer(in []Type) (Type, error) {
	sorted := slices.Sorted(slices.Values(t.Perm))
	for i, a := range sorted {
		if a != i {
			return in[0], fmt.Errorf("axes %v are not an order of 0 … %d", t.Perm,
				len(in[0].Shape)-1)
		}
	}
	if len(t.Perm) != len(in[0].Shape) {
		return in[0], fmt.Errorf("%d axes given for shape %s", len(t.Perm),
			ShapeString(in[0].Shape))
	}
	out := Type{in[0].Dtype, make([]int, len(t.Perm))}
	for i, a := range t.Perm {
		out.Shape[i] = in[0].Shape[a]
	}
	return out, nil
}

func (t Transpose) Eval(in []Tensor, out Tensor) error {
	strides := make([]int, len(t.Perm))
	full := make([]int, len(t.Perm))
	for i, s := len(full)-1, 1; i >= 0; i-- {
		full[i] = s
		s *= in[0].Shape[i]
	}
	for i, a := range t.Perm {
		strides[i] = full[a]
	}
	index := make([]int, len(strides))
	from := 0
	for k := range Size(out.Shape) {
		switch {
		case out.F32 != nil:
			out.F32[k] = in[0].F32[from]
		case out.F64 != nil:
			out.F64[k] = in[0].F64[from]
		default:
			out.Int[k] = in[0].Int[from]
		}
		for i := len(index) - 1; i >= 0; i-- {
			index[i]++
			from += strides[i]
			if index[i] < out.Shape[i] {
				break
			}
			from -= strides[i] * out.Shape[i]
			index[i] = 0
		}
	}
	return nil
}

func (t Transpose) Diff(_ []*G.Node, _, dy *G.Node, _ []bool) []*G.Node {
	back := make([]int, len(t.Perm))
	for i, a := range t.Perm {
		back[a] = i
	}
	return []*G.Node{Apply(Transpose{back}, dy)}
}

// Slice takes [From, To) of an axis, and keeps the axis.
type Slice struct{ Axis, From, To int }

func (s Slice) Key() string { return fmt.Sprintf("slice{%d %d %d}", s.Axis, s.From, s.To) }

func (s Slice) Infer(in []Type) (Type, error) {
	if s.Axis < 0 || s.Axis >= len(in[0].Shape) {
		return in[0], fmt.Errorf("axis %d of shape %s", s.Axis, ShapeString(in[0].Shape))
	}
	if s.From < 0 || s.To > in[0].Shape[s.Axis] || s.From >= s.To {
		return in[0], fmt.Errorf("range [%d, %d) of axis %d, whose size is %d", s.From, s.To,
			s.Axis, in[0].Shape[s.Axis])
	}
	out := Type{in[0].Dtype, slices.Clone(in[0].Shape)}
	out.Shape[s.Axis] = s.To - s.From
	return out, nil
}

// blocks views a shape around an axis as outer × size × inner.
func blocks(shape []int, axis int) (outer, size, inner int) {
	return Size(shape[:axis]), shape[axis], Size(shape[axis+1:])
}

// copyBlock copies n elements of src from offset i to offset o of dst.
func copyBlock(dst Tensor, o int, src Tensor, i, n int) {
	switch {
	case dst.F32 != nil:
		copy(dst.F32[o:o+n], src.F32[i:i+n])
	case dst.F64 != nil:
		copy(dst.F64[o:o+n], src.F64[i:i+n])
	default:
		copy(dst.Int[o:o+n], src.Int[i:i+n])
	}
}

func (s Slice) Eval(in []Tensor, out Tensor) error {
	outer, size, inner := blocks(in[0].Shape, s.Axis)
	n := (s.To - s.From) * inner
	for b := range outer {
		copyBlock(out, b*n, in[0], (b*size+s.From)*inner, n)
	}
	return nil
}

func (s Slice) Diff(in []*G.Node, _, dy *G.Node, _ []bool) []*G.Node {
	return []*G.Node{Apply(Pad{s.Axis, s.From, in[0].Shape()[s.Axis]}, dy)}
}

// Pad puts its operand at From of an axis of size Total, with zeros around it: Slice turned round.
type Pad struct{ Axis, From, Total int }

func (p Pad) Key() string { return fmt.Sprintf("pad{%d %d %d}", p.Axis, p.From, p.Total) }

func (p Pad) Infer(in []Type) (Type, error) {
	if p.Axis < 0 || p.Axis >= len(in[0].Shape) {
		return in[0], fmt.Errorf("axis %d of shape %s", p.Axis, ShapeString(in[0].Shape))
	}
	if p.From < 0 || p.From+in[0].Shape[p.Axis] > p.Total {
		return in[0], fmt.Errorf("%d places from %d on do not fit into %d", in[0].Shape[p.Axis],
			p.From, p.Total)
	}
	out := Type{in[0].Dtype, slices.Clone(in[0].Shape)}
	out.Shape[p.Axis] = p.Total
	return out, nil
}

func (p Pad) Eval(in []Tensor, out Tensor) error {
	out.Zero()
	outer, size, inner := blocks(in[0].Shape, p.Axis)
	n := size * inner
	for b := range outer {
		copyBlock(out, (b*p.Total+p.From)*inner, in[0], b*n, n)
	}
	return nil
}

func (p Pad) Diff(in []*G.Node, _, dy *G.Node, _ []bool) []*G.Node {
	return []*G.Node{Apply(Slice{p.Axis, p.From, p.From + in[0].Shape()[p.Axis]}, dy)}
}

// Concat joins its operands along an axis.
type Concat struct{ Axis int }

func (c Concat) Key() string { return fmt.Sprintf("concat{%d}", c.Axis) }

func (c Concat) Infer(in []Type) (Type, error) {
	if len(in) == 0 {
		return Type{}, fmt.Errorf("nothing to join")
	}
	if c.Axis < 0 || c.Axis >= len(in[0].Shape) {
		return in[0], fmt.Errorf("axis %d of shape %s", c.Axis, ShapeString(in[0].Shape))
	}
	out := Type{in[0].Dtype, slices.Clone(in[0].Shape)}
	for _, t := range in[1:] {
		fits := t.Dtype == out.Dtype && len(t.Shape) == len(out.Shape)
		for i := range t.Shape {
			fits = fits && (i == c.Axis || t.Shape[i] == out.Shape[i])
		}
		if !fits {
			return out, fmt.Errorf("%v and %v must agree in everything but axis %d", in[0], t,
				c.Axis)
		}
		out.Shape[c.Axis] += t.Shape[c.Axis]
	}
	return out, nil
}

func (c Concat) Eval(in []Tensor, out Tensor) error {
	outer, total, inner := blocks(out.Shape, c.Axis)
	at := 0
	for _, t := range in {
		n := t.Shape[c.Axis] * inner
		for b := range outer {
			copyBlock(out, b*total*inner+at, t, b*n, n)
		}
		at += n
	}
	return nil
}

func (c Concat) Diff(in []*G.Node, _, dy *G.Node, need []bool) []*G.Node {
	ds := make([]*G.Node, len(in))
	at := 0
	for i, n := range in {
		size := n.Shape()[c.Axis]
		if need[i] {
			ds[i] = slice(dy, c.Axis, at, at+size)
		}
		at += size
	}
	return ds
}

func slice(n *G.Node, axis, from, to int) *G.Node {
	if from == 0 && to == n.Shape()[axis] {
		return n
	}
	return Apply(Slice{axis, from, to}, n)
}

// SumTo adds up the axes along which Shape would be broadcast to the operand: the derivative of
// broadcasting.
type SumTo struct{ Shape []int }

func (s SumTo) Key() string { return fmt.Sprintf("sumto{%v}", s.Shape) }

func (s SumTo) Infer(in []Type) (Type, error) {
	full, err := broadcast(in[0].Shape, s.Shape)
	if err != nil || !slices.Equal(full, in[0].Shape) {
		return in[0], fmt.Errorf("%s is not a sum of %s", ShapeString(s.Shape),
			ShapeString(in[0].Shape))
	}
	if !in[0].IsFloat() {
		return in[0], fmt.Errorf("cannot add up %v", in[0].Dtype)
	}
	return Type{in[0].Dtype, s.Shape}, nil
}

func (s SumTo) Eval(in []Tensor, out Tensor) error {
	return evaluate(out, func() error { return evalSumTo[float32](in[0], out) },
		func() error { return evalSumTo[float64](in[0], out) })
}

// evalSumTo adds in double precision, in the order of the elements.
func evalSumTo[F kernels.Float](in, out Tensor) error {
	src, dst := data[F](in), data[F](out)
	sums := make([]float64, len(dst))
	n := 1
	if k := len(in.Shape); k > 0 {
		n = in.Shape[k-1]
	}
	w := newWalk(out.Shape, in.Shape)
	for at := 0; at < len(src); at += n {
		to := w.next()
		if w.last == 0 {
			s := sums[to]
			for _, v := range src[at : at+n] {
				s += float64(v)
			}
			sums[to] = s
			continue
		}
		row := sums[to : to+n]
		for i, v := range src[at : at+n] {
			row[i] += float64(v)
		}
	}
	for i, v := range sums {
		dst[i] = F(v)
	}
	return nil
}

func (s SumTo) Diff(in []*G.Node, _, dy *G.Node, _ []bool) []*G.Node {
	return []*G.Node{broadcastTo(dy, in[0].Shape())}
}

func sumTo(n *G.Node, shape []int) *G.Node {
	if slices.Equal([]int(n.Shape()), shape) {
		return n
	}
	return Apply(SumTo{slices.Clone(shape)}, n)
}

// Broadcast repeats its operand to Shape.
type Broadcast struct{ Shape []int }

func (b Broadcast) Key() string { return fmt.Sprintf("broadcast{%v}", b.Shape) }

func (b Broadcast) Infer(in []Type) (Type, error) {
	full, err := broadcast(in[0].Shape, b.Shape)
	if err != nil || !slices.Equal(full, b.Shape) {
		return in[0], fmt.Errorf("%s cannot be repeated to %s", ShapeString(in[0].Shape),
			ShapeString(b.Shape))
	}
	if !in[0].IsFloat() {
		return in[0], fmt.Errorf("cannot repeat %v", in[0].Dtype)
	}
	return Type{in[0].Dtype, b.Shape}, nil
}

func (b Broadcast) Eval(in []Tensor, out Tensor) error {
	return Elementwise{Kind: KindStop}.Eval(in, out)
}

func (b Broadcast) Diff(in []*G.Node, _, dy *G.Node, _ []bool) []*G.Node {
	return []*G.Node{sumTo(dy, in[0].Shape())}
}

func broadcastTo(n *G.Node, shape []int) *G.Node {
	if slices.Equal([]int(n.Shape()), shape) {
		return n
	}
	return Apply(Broadcast{slices.Clone(shape)}, n)
}

// Max is the largest element along an axis, which is kept with size 1. Ties share the gradient.
type Max struct{ Axis int }

func (m Max) Key() string { return fmt.Sprintf("maxof{%d}", m.Axis) }

func (m Max) Infer(in []Type) (Type, error) {
	if err := sameFloat(in...); err != nil {
		return in[0], err
	}
	if m.Axis < 0 || m.Axis >= len(in[0].Shape) {
		return in[0], fmt.Errorf("axis %d of shape %s", m.Axis, ShapeString(in[0].Shape))
	}
	out := Type{in[0].Dtype, slices.Clone(in[0].Shape)}
	out.Shape[m.Axis] = 1
	return out, nil
}

func (m Max) Eval(in []Tensor, out Tensor) error {
	return evaluate(out, func() error { return evalMax[float32](m, in[0], out) },
		func() error { return evalMax[float64](m, in[0], out) })
}

func evalMax[F kernels.Float](m Max, in, out Tensor) error {
	src, dst := data[F](in), data[F](out)
	outer, size, inner := blocks(in.Shape, m.Axis)
	for b := range outer {
		for k := range inner {
			v := src[b*size*inner+k]
			for i := range size {
				v = max(v, src[(b*size+i)*inner+k])
			}
			dst[b*inner+k] = v
		}
	}
	return nil
}

func (m Max) Diff(in []*G.Node, y, dy *G.Node, _ []bool) []*G.Node {
	hit := bin(KindEq, in[0], y)
	share := bin(KindDiv, hit, sumTo(hit, y.Shape()))
	return []*G.Node{Mul(share, dy)}
}
