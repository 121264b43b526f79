package ops

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/internal/kernels"
)

// Elementwise applies a scalar function to every element of one to three operands, which are
// broadcast against each other as NumPy does: shapes are aligned at their last axis, and a size of
// 1 (or a missing axis) is repeated.
type Elementwise struct {
	Kind Kind
	P, Q float64 // parameters of the kind, else 0
}

// ONNX is the name of the operator of ONNX that is the same function; "" if there is none.
func (k Kind) ONNX() string { return kinds[k].onnx }

func (e Elementwise) Key() string { return fmt.Sprintf("%s{%g %g}", e.Kind, e.P, e.Q) }

func (e Elementwise) Infer(in []Type) (Type, error) {
	row, ok := kinds[e.Kind]
	if !ok {
		return Type{}, fmt.Errorf("no element-wise function %q", e.Kind)
	}
	if len(in) != row.arity {
		return Type{}, fmt.Errorf("%d operands, want %d", len(in), row.arity)
	}
	out := in[0]
	for _, t := range in {
		if err := sameFloat(t, out); err != nil {
			return out, err
		}
		var err error
		if out.Shape, err = broadcast(out.Shape, t.Shape); err != nil {
			return out, err
		}
	}
	return out, nil
}

// sameFloat wants two float types of one dtype.
func sameFloat(ts ...Type) error {
	for _, t := range ts {
		if !t.IsFloat() {
			return fmt.Errorf("an operand is %v: want float32 or float64; ids become floats by "+
				"OneHot or Embedding", t.Dtype)
		}
		if t.Dtype != ts[0].Dtype {
			return fmt.Errorf("dtypes %v and %v differ: a graph has one float type", ts[0].Dtype,
				t.Dtype)
		}
	}
	return nil
}

// broadcast is the shape of two operands together.
func broadcast(a, b []int) ([]int, error) {
	if len(a) < len(b) {
		a, b = b, a
	}
	out := slices.Clone(a)
	for i := range b {
		j := len(a) - len(b) + i
		switch {
		case b[i] == out[j] || b[i] == 1:
		case out[j] == 1:
			out[j] = b[i]
		default:
			return nil, fmt.Errorf("shapes %s and %s do not broadcast: sizes %d and %d differ, "+
				"and neither is 1", ShapeString(a), ShapeString(b), out[j], b[i])
		}
	}
	return out, nil
}

func (e Elementwise) Diff(in []*G.Node, y, dy *G.Node, need []bool) []*G.Node {
	ds := make([]*G.Node, len(in))
	diff := kinds[e.Kind].diff
	for i := range in {
		if need[i] {
			if d := diff(e, i, in, y, dy); d != nil {
				ds[i] = sumTo(d, in[i].Shape())
			}
		}
	}
	return ds
}

func (e Elementwise) Eval(in []Tensor, out Tensor) error {
	if _, ok := kinds[e.Kind]; !ok {
		return fmt.Errorf("no element-wise function %q", e.Kind)
	}
	return evaluate(out, func() error { return evalElementwise[float32](e, in, out) },
		func() error { return evalElementwise[float64](e, in, out) })
}

func evalElementwise[F kernels.Float](e Elementwise, in []Tensor, out Tensor) error {
	dst, plain := data[F](out), plainKernel[F](e.Kind)
	whole := true
	for _, t := range in {
		whole = whole && slices.Equal(t.Shape, out.Shape)
	}
	var args [3][]F
	if whole {
		for i, t := range in {
			args[i] = data[F](t)
		}
		plain.Run(dst, args[0], args[1], args[2], e.P, e.Q)
		return nil
	}
	// Row by row along the last axis. An operand that is repeated along it is spread over a row of
	// its own.
	n := 1
	if k := len(out.Shape); k > 0 {
		n = out.Shape[k-1]
	}
	var spread [3][]F
	var walks [3]walk
	for i, t := range in {
		walks[i] = newWalk(t.Shape, out.Shape)
		if walks[i].last == 0 && n > 1 {
			spread[i] = make([]F, n)
		}
	}
	for at := 0; at < len(dst); at += n {
		for i, t := range in {
			from := walks[i].next()
			if spread[i] != nil {
				v := data[F](t)[from]
				for k := range spread[i] {
					spread[i][k] = v
				}
				args[i] = spread[i]
			} else {
				args[i] = data[F](t)[from : from+n]
			}
		}
		plain.Run(dst[at:at+n], args[0], args[1], args[2], e.P, e.Q)
	}
	return nil
}

// walk yields, for each row of out in order, the offset at which the row of an operand broadcast to
// out starts.
type walk struct {
	sizes, strides, index []int // of all axes but the last
	last                  int   // stride of the last axis: 1 or 0
	at                    int
	started               bool
}

func newWalk(shape, out []int) walk {
	full := make([]int, len(out)) // strides of the operand along the axes of out
	stride := 1
	for i := len(shape) - 1; i >= 0; i-- {
		if shape[i] > 1 {
			full[len(out)-len(shape)+i] = stride
		}
		stride *= shape[i]
	}
	if len(out) == 0 {
		return walk{last: 1}
	}
	k := len(out) - 1
	return walk{sizes: out[:k], strides: full[:k], index: make([]int, k), last: full[k]}
}

func (w *walk) next() int {
	if !w.started {
		w.started = true
		return 0
	}
	for i := len(w.sizes) - 1; i >= 0; i-- {
		w.index[i]++
		w.at += w.strides[i]
		if w.index[i] < w.sizes[i] {
			break
		}
		w.at -= w.strides[i] * w.sizes[i]
		w.index[i] = 0
	}
	return w.at
}
