package ops

import (
	"fmt"
	"math"
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/internal/kernels"
)

// LogSoftmax and Softmax work along the last axis, shifted by its maximum so that nothing
// overflows.
type LogSoftmax struct{}

// Rows is how the engine computes it.
func (LogSoftmax) Rows() RowKernel {
	return RowKernel{logSoftmaxRow[float32],
		logSoftmaxRow[float64]}
}

func logSoftmaxRow[F kernels.Float](dst, x, scratch []F) {
	// The largest element goes first: beside one of some thousands the logarithm has no digits.
	top, sum := ExpRow(scratch, x)
	kernels.AddScalar(dst, x, -top)
	kernels.AddScalar(dst, dst, -F(math.Log(float64(sum))))
}

func (LogSoftmax) Key() string                   { return "logsoftmax{}" }
func (LogSoftmax) Infer(in []Type) (Type, error) { return inferLast(in) }

func inferLast(in []Type) (Type, error) {
	if len(in[0].Shape) == 0 {
		return in[0], fmt.Errorf("a scalar has no axis")
	}
	return in[0], sameFloat(in[0])
}

func (LogSoftmax) Eval(in []Tensor, out Tensor) error {
	return evaluate(out, func() error { return evalLogSoftmax[float32](in[0], out) },
		func() error { return evalLogSoftmax[float64](in[0], out) })
}

func evalLogSoftmax[F kernels.Float](in, out Tensor) error {
	src, dst := data[F](in), data[F](out)
	n := in.Shape[len(in.Shape)-1]
	for at := 0; at < len(src); at += n {
		x, y := src[at:at+n], dst[at:at+n]
		top, log := logSumExp(x, y)
		for i, v := range x {
			y[i] = F(float64(v) - float64(top) - log)
		}
	}
	return nil
}

// logSumExp is log Σ eˣ, in two parts to be added: the largest element and the rest. It uses
// scratch, as long as x and not x itself.
func logSumExp[F kernels.Float](x, scratch []F) (top F, log float64) {
	top = slices.Max(x)
	for i, v := range x {
		scratch[i] = v - top
	}
	kernels.Exp(scratch, scratch)
	var sum float64
	for _, v := range scratch {
		sum += float64(v)
	}
	return top, math.Log(sum)
}

func (LogSoftmax) Diff(_ []*G.Node, y, dy *G.Node, _ []bool) []*G.Node {
	return []*G.Node{bin(KindSub, dy, Mul(un(KindExp, y), sumTo(dy, lastOne(y))))}
}

// lastOne is the shape of n with a last axis of 1.
func lastOne(n *G.Node) []int {
	s := slices.Clone([]int(n.Shape()))
	s[len(s)-1] = 1
	return s
}

// Softmax is the exponential of LogSoftmax.
type Softmax struct{}

// Rows is how the engine computes it.
func (Softmax) Rows() RowKernel { return RowKernel{softmaxRow[float32], softmaxRow[float64]} }

func softmaxRow[F kernels.Float](dst, x, _ []F) {
	_, sum := ExpRow(dst, x)
	kernels.MulScalar(dst, dst, 1/sum)
}

func (Softmax) Key() string                   { return "softmax{}" }
func (Softmax) Infer(in []Type) (Type, error) { return inferLast(in) }

func (Softmax) Eval(in []Tensor, out Tensor) error {
	return evaluate(out, func() error { return evalSoftmax[float32](in[0], out) },
		func() error { return evalSoftmax[float64](in[0], out) })
}

func evalSoftmax[F kernels.Float](in, out Tensor) error {
	src, dst := data[F](in), data[F](out)
	n := in.Shape[len(in.Shape)-1]
	for at := 0; at < len(src); at += n {
		softmax(dst[at:at+n], src[at:at+n])
	}
	return nil
}

func softmax[F kernels.Float](dst, x []F) {
	top := slices.Max(x)
	for i, v := range x {
		dst[i] = v - top
	}
	kernels.Exp(dst, dst)
	var sum float64
	for _, v := range dst {
		sum += float64(v)
	}
	scale := F(1 / sum)
	for i := range dst {
		dst[i] *= scale
	}
}

func (Softmax) Diff(_ []*G.Node, y, dy *G.Node, _ []bool) []*G.Node {
	return []*G.Node{Mul(y, bin(KindSub, dy, sumTo(Mul(dy, y), lastOne(y))))}
}

// ExpRow writes e^(x − max x) to dst, and gives the maximum and the sum.
func ExpRow[F kernels.Float](dst, x []F) (top, sum F) {
	top = kernels.MaxOf(x)
	kernels.AddScalar(dst, x, -top)
	kernels.Exp(dst, dst)
	return top, kernels.Sum(dst)
}
