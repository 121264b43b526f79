package ops

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/kernels"
)

func wantInt(t Type, what string) error {
	if t.Dtype != tensor.Int {
		return fmt.Errorf("the %s are %v: want int, as Graph.IntInput declares", what, t.Dtype)
	}
	return nil
}

func checkID(id, n, at int, what string) error {
	if id < 0 || id >= n {
		return fmt.Errorf("%s %d at position %d is outside 0 … %d", what, id, at, n-1)
	}
	return nil
}

// Gather looks up rows: operands table [V, E] and ids [...], result [..., E]. Lookups of the id
// Padding, if it is not negative, give the row's value but no gradient.
type Gather struct{ Padding int }

func (g Gather) Key() string { return fmt.Sprintf("gather{%d}", g.Padding) }

func (g Gather) Infer(in []Type) (Type, error) {
	if err := wantInt(in[1], "ids"); err != nil {
		return in[0], err
	}
	if len(in[0].Shape) != 2 || !in[0].IsFloat() {
		return in[0], fmt.Errorf("the table must be a matrix [V, E] of floats")
	}
	return Type{in[0].Dtype, append(slices.Clone(in[1].Shape), in[0].Shape[1])}, nil
}

func (g Gather) Eval(in []Tensor, out Tensor) error {
	v, e := in[0].Shape[0], in[0].Shape[1]
	for i, id := range in[1].Int {
		if err := checkID(id, v, i, "id"); err != nil {
			return err
		}
		copyBlock(out, i*e, in[0], id*e, e)
	}
	return nil
}

func (g Gather) Diff(in []*G.Node, _, dy *G.Node, need []bool) []*G.Node {
	ds := make([]*G.Node, 2)
	if need[0] {
		ds[0] = Apply(ScatterAdd{in[0].Shape()[0], g.Padding}, in[1], dy)
	}
	return ds
}

// Within gives ids [...] as they are, but 0 in place of those of N and more, as gorgonia.ByIndices
// has them.
type Within struct{ N int }

func (w Within) Key() string { return fmt.Sprintf("within{%d}", w.N) }

func (w Within) Infer(in []Type) (Type, error) { return in[0], wantInt(in[0], "ids") }

func (w Within) Eval(in []Tensor, out Tensor) error {
	for i, id := range in[0].Int {
		if id >= w.N {
			id = 0
		}
		out.Int[i] = id
	}
	return nil
}

// ScatterAdd adds rows up by id: operands ids [...] and rows [..., E], result [V, E]. Rows of the
// id Padding are left out.
type ScatterAdd struct{ V, Padding int }

func (s ScatterAdd) Key() string { return fmt.Sprintf("scatteradd{%d %d}", s.V, s.Padding) }

func (s ScatterAdd) Infer(in []Type) (Type, error) {
	if err := wantInt(in[0], "ids"); err != nil {
		return in[1], err
	}
	k := len(in[1].Shape) - 1
	if k < 0 || !slices.Equal(in[0].Shape, in[1].Shape[:k]) {
		return in[1], fmt.Errorf("rows must have the shape of the ids and one axis more")
	}
	return Type{in[1].Dtype, []int{s.V, in[1].Shape[k]}}, nil
}

func (s ScatterAdd) Eval(in []Tensor, out Tensor) error {
	return evaluate(out, func() error { return evalScatterAdd[float32](s, in, out) },
		func() error { return evalScatterAdd[float64](s, in, out) })
}

func evalScatterAdd[F kernels.Float](s ScatterAdd, in []Tensor, out Tensor) error {
	dst, rows := data[F](out), data[F](in[1])
	clear(dst)
	e := out.Shape[1]
	for i, id := range in[0].Int {
		if err := checkID(id, s.V, i, "id"); err != nil {
			return err
		}
		if id != s.Padding {
			to := dst[id*e : (id+1)*e]
			kernels.Add(to, to, rows[i*e:(i+1)*e])
		}
	}
	return nil
}

func (s ScatterAdd) Diff(in []*G.Node, _, dy *G.Node, need []bool) []*G.Node {
	ds := make([]*G.Node, 2)
	if need[1] {
		d := Apply(Gather{-1}, dy, in[0])
		if s.Padding >= 0 {
			keep := Apply(Differs{Dtype: TypeOf(dy).Dtype, Values: []int{s.Padding}}, in[0])
			d = Mul(d, reshape(keep, append(slices.Clone([]int(in[0].Shape())), 1)))
		}
		ds[1] = d
	}
	return ds
}

// OneHot turns ids [...] into [..., V] with a 1 at the id.
type OneHot struct {
	Dtype tensor.Dtype
	V     int
}

func (o OneHot) Key() string { return fmt.Sprintf("onehot{%v %d}", o.Dtype, o.V) }

func (o OneHot) Infer(in []Type) (Type, error) {
	return Type{o.Dtype, append(slices.Clone(in[0].Shape), o.V)}, wantInt(in[0], "ids")
}

func (o OneHot) Eval(in []Tensor, out Tensor) error {
	out.Zero()
	for i, id := range in[0].Int {
		if err := checkID(id, o.V, i, "id"); err != nil {
			return err
		}
		Fill{Value: 1}.Eval(nil, out.Part(i*o.V+id, nil))
	}
	return nil
}

// Differs is 1 where an id is none of Values, else 0.
type Differs struct {
	Dtype  tensor.Dtype
	Values []int
}

func (d Differs) Key() string { return fmt.Sprintf("differs{%v %v}", d.Dtype, d.Values) }

func (d Differs) Infer(in []Type) (Type, error) {
	return Type{d.Dtype, in[0].Shape}, wantInt(in[0], "ids")
}

func (d Differs) Eval(in []Tensor, out Tensor) error {
	for i, id := range in[0].Int {
		if out.F32 != nil {
			out.F32[i] = truth[float32](!slices.Contains(d.Values, id))
		} else {
			out.F64[i] = truth[float64](!slices.Contains(d.Values, id))
		}
	}
	return nil
}

// Range is 0, 1, …, N−1. Its operand only says to which graph it belongs.
type Range struct {
	Dtype tensor.Dtype
	N     int
}

func (r Range) Key() string { return fmt.Sprintf("range{%v %d}", r.Dtype, r.N) }

func (r Range) Infer([]Type) (Type, error) { return Type{r.Dtype, []int{r.N}}, nil }

func (r Range) Eval(_ []Tensor, out Tensor) error {
	for i := range out.F32 {
		out.F32[i] = float32(i)
	}
	for i := range out.F64 {
		out.F64[i] = float64(i)
	}
	return nil
}

// MaskIDs is ids where a mask of their shape is not 0, else 0.
type MaskIDs struct{}

func (MaskIDs) Key() string { return "maskids{}" }

func (MaskIDs) Infer(in []Type) (Type, error) {
	if !in[0].IsFloat() || !slices.Equal(in[0].Shape, in[1].Shape) {
		return in[1], fmt.Errorf("a mask %v for ids %v: want floats of the same shape", in[0],
			in[1])
	}
	return in[1], wantInt(in[1], "ids")
}

func (MaskIDs) Eval(in []Tensor, out Tensor) error {
	for i, id := range in[1].Int {
		if out.Int[i] = 0; in[0].F32 != nil && in[0].F32[i] != 0 || in[0].F64 != nil &&
			in[0].F64[i] != 0 {
			out.Int[i] = id
		}
	}
	return nil
}

// ArgMax is the place of the largest element along the last axis, which disappears; of equals, the
// first. A NaN is larger than all, as for PyTorch and NumPy.
type ArgMax struct{}

func (ArgMax) Key() string { return "argmax{}" }

func (ArgMax) Infer(in []Type) (Type, error) {
	if _, err := inferLast(in); err != nil {
		return in[0], err
	}
	return Type{tensor.Int, slices.Clone(in[0].Shape[:len(in[0].Shape)-1])}, nil
}

func (ArgMax) Eval(in []Tensor, out Tensor) error {
	if in[0].F32 != nil {
		evalArgMax(in[0].F32, out.Int)
	} else {
		evalArgMax(in[0].F64, out.Int)
	}
	return nil
}

func evalArgMax[F kernels.Float](x []F, out []int) {
	n := len(x) / len(out)
	for i := range out {
		row := x[i*n : (i+1)*n]
		best := 0
		for j, v := range row {
			if v > row[best] || v != v && row[best] == row[best] {
				best = j
			}
		}
		out[i] = best
	}
}

// LengthMask turns lengths [B] into [T, B, 1]: 1 at the steps t < length, else 0.
type LengthMask struct {
	Dtype tensor.Dtype
	T     int
}

func (m LengthMask) Key() string { return fmt.Sprintf("lengthmask{%v %d}", m.Dtype, m.T) }

func (m LengthMask) Infer(in []Type) (Type, error) {
	if len(in[0].Shape) != 1 {
		return in[0], fmt.Errorf("lengths must be a vector [B]")
	}
	return Type{m.Dtype, []int{m.T, in[0].Shape[0], 1}}, wantInt(in[0], "lengths")
}

func (m LengthMask) Eval(in []Tensor, out Tensor) error {
	b := len(in[0].Int)
	for i, n := range in[0].Int {
		if n < 0 || n > m.T {
			return fmt.Errorf("length %d of sequence %d is outside 0 … %d", n, i, m.T)
		}
		for t := range m.T {
			if out.F32 != nil {
				out.F32[t*b+i] = truth[float32](t < n)
			} else {
				out.F64[t*b+i] = truth[float64](t < n)
			}
		}
	}
	return nil
}

// CrossEntropy is −log softmax(logits)[target] with label smoothing: operands logits [..., V] and
// targets [...], result [...]. Targets in Ignore give 0 and no gradient.
type CrossEntropy struct {
	Ignore    []int
	Smoothing float64 // ε: (1−ε)·NLL + ε·mean over the vocabulary (Szegedy et al., 2016)
}

func (c CrossEntropy) Key() string {
	return fmt.Sprintf("crossentropy{%v %g}", c.Ignore,
		c.Smoothing)
}

func (c CrossEntropy) Infer(in []Type) (Type, error) {
	if err := wantInt(in[1], "targets"); err != nil {
		return in[0], err
	}
	k := len(in[0].Shape) - 1
	if k < 0 || !slices.Equal(in[1].Shape, in[0].Shape[:k]) {
		return in[0], fmt.Errorf("targets must have the shape of the logits without their last " +
			"axis, as [B] beside [B, V]")
	}
	return Type{in[0].Dtype, in[1].Shape}, sameFloat(in[0])
}

func (c CrossEntropy) Eval(in []Tensor, out Tensor) error {
	return evaluate(out, func() error { return evalCrossEntropy[float32](c, in, out) },
		func() error { return evalCrossEntropy[float64](c, in, out) })
}

func (c CrossEntropy) checkTarget(id, v, at int) (counts bool, err error) {
	if slices.Contains(c.Ignore, id) {
		return false, nil
	}
	return true, checkID(id, v, at, "target")
}

func evalCrossEntropy[F kernels.Float](c CrossEntropy, in []Tensor, out Tensor) error {
	logits, dst := data[F](in[0]), data[F](out)
	v := in[0].Shape[len(in[0].Shape)-1]
	scratch := make([]F, v)
	for i, id := range in[1].Int {
		dst[i] = 0
		counts, err := c.checkTarget(id, v, i)
		if err != nil {
			return err
		}
		if !counts {
			continue
		}
		x := logits[i*v : (i+1)*v]
		loss := (1 - c.Smoothing) * -float64(x[id])
		if c.Smoothing > 0 {
			var mean float64
			for _, l := range x {
				mean += float64(l) / float64(v)
			}
			loss -= c.Smoothing * mean
		}
		top, log := logSumExp(x, scratch)
		dst[i] = F(loss + float64(top) + log)
	}
	return nil
}

func (c CrossEntropy) Diff(in []*G.Node, _, dy *G.Node, need []bool) []*G.Node {
	ds := make([]*G.Node, 2)
	if need[0] {
		ds[0] = Apply(CrossEntropyGrad{c}, in[0], in[1], dy)
	}
	return ds
}

// CrossEntropyGrad is dy·(softmax(logits) − q), where q is the smoothed one-hot target: operands
// logits, targets, dy.
type CrossEntropyGrad struct{ CrossEntropy }

func (c CrossEntropyGrad) Key() string {
	return fmt.Sprintf("crossentropygrad{%v %g}", c.Ignore, c.Smoothing)
}

func (c CrossEntropyGrad) Infer(in []Type) (Type, error) { return in[0], nil }

func (c CrossEntropyGrad) Eval(in []Tensor, out Tensor) error {
	return evaluate(out, func() error { return evalCrossEntropyGrad[float32](c, in, out) },
		func() error { return evalCrossEntropyGrad[float64](c, in, out) })
}

func evalCrossEntropyGrad[F kernels.Float](c CrossEntropyGrad, in []Tensor, out Tensor) error {
	logits, dy, dst := data[F](in[0]), data[F](in[2]), data[F](out)
	v := in[0].Shape[len(in[0].Shape)-1]
	for i, id := range in[1].Int {
		row := dst[i*v : (i+1)*v]
		counts, err := c.checkTarget(id, v, i)
		if err != nil {
			return err
		}
		if !counts {
			clear(row)
			continue
		}
		softmax(row, logits[i*v:(i+1)*v])
		row[id] -= F(1 - c.Smoothing)
		if even := F(c.Smoothing / float64(v)); even > 0 {
			for k := range row {
				row[k] -= even
			}
		}
		for k := range row {
			row[k] *= dy[i]
		}
	}
	return nil
}

func (c CrossEntropyGrad) Diff([]*G.Node, *G.Node, *G.Node, []bool) []*G.Node {
	Failf("CrossEntropy", "it has no second derivative; build it from LogSoftmax where one "+
		"is needed")
	return nil
}
