package nodes

import (
	"math"
	"slices"

	"github.com/seqzoo/seqzoo/internal/ops"
)

// Reduction says how the losses of elements become one.
type Reduction int

const (
	ReduceMean Reduction = iota // over the elements that count
	ReduceSum
	ReduceNone // every element keeps its own
)

func (r Reduction) of(x *Node) *Node {
	switch r {
	case ReduceMean:
		return Mean(x)
	case ReduceSum:
		return Sum(x)
	case ReduceNone:
		return x
	}
	x.g.failf("Reduction", "no reduction %d: want ReduceMean, ReduceSum or ReduceNone", r)
	return nil
}

// loss is f of x and target, reduced. A tensor as target must have the shape of x:
// repeated along an axis it is far more often a slip, such as [B] beside [B, 1], than a wish.
func loss(op string, x, target Operand, r Reduction, f func(x, target Operand) *Node) *Node {
	g := common(op, []Operand{x, target})
	defer g.locate(op)
	if _, number := target.(Scalar); !number {
		a, b := x.in(g), target.in(g)
		if !slices.Equal(a.Shape(), b.Shape()) {
			ops.Failf(op, "%s, the target %s: want one shape", ops.Describe(a.n), ops.Describe(b.n))
		}
	}
	return r.of(f(x, target))
}

// CrossEntropyOptions are the rarer wishes; the zero value is the mean over all targets.
type CrossEntropyOptions struct {
	Ignore []int // targets that count nothing, such as padding
	// label smoothing ε in [0, 1): (1−ε)·NLL + ε·mean over V of −log p (Szegedy et al., 2016)
	Smoothing float64
	Reduction Reduction
}

// CrossEntropy is −log softmax(logits)[target]: logits [..., V], targets [...] of ids. It is
// computed from the logits in one piece, so no probability underflows. The mean over targets that
// are all ignored is 0.
func CrossEntropy(logits, targets *Node, o CrossEntropyOptions) *Node {
	if !(o.Smoothing >= 0 && o.Smoothing < 1) {
		ops.Failf("CrossEntropy", "label smoothing %g: want [0, 1)", o.Smoothing)
	}
	losses := call("CrossEntropy", ops.CrossEntropy{Ignore: slices.Clone(o.Ignore),
		Smoothing: o.Smoothing}, logits, targets)
	if o.Reduction != ReduceMean || len(o.Ignore) == 0 {
		return o.Reduction.of(losses)
	}
	return Div(Sum(losses), Maximum(Sum(NotIn(targets, o.Ignore...)), Scalar(1)))
}

// CopyCrossEntropy is the loss of a decoder that writes words of its vocabulary or copies them from
// the source that it attends to (pointer-generator; See, Liu and Manning, 2017):
//
//	−log (p·softmax(logits)[target] + (1 − p)·Σ_s weights_s·here_s),  p = σ(gate)
//
// Logits are [..., V], the gate is [...], weights are those of the attention [..., S], and here
// [..., S] is 1 where a place of the source has the target, else 0. Targets [...] are ids; one
// that the options ignore is not in the vocabulary, and can only be copied, or counts nothing if
// no place has it. It is computed from logits; a copy of a probability below 10⁻³⁰ has that one.
// There is no Smoothing.
func CopyCrossEntropy(logits, gate, weights, here, targets *Node, o CrossEntropyOptions) *Node {
	const op = "CopyCrossEntropy"
	if o.Smoothing != 0 {
		ops.Failf(op, "label smoothing %g: a copy has none", o.Smoothing)
	}
	g := common(op, []Operand{logits, gate, weights, here, targets})
	defer g.locate(op)
	for _, x := range []*Node{gate, weights, here} {
		shape := x.Shape()
		if x != gate {
			shape = shape[:max(len(shape)-1, 0)]
		}
		if !slices.Equal(shape, targets.Shape()) {
			ops.Failf(op, "gate %v, weights %v, here %v and targets %v: want [...], [..., S], "+
				"[..., S] and [...]", gate.Shape(), weights.Shape(), here.Shape(), targets.Shape())
		}
	}
	const never = Scalar(-1e30) // the logarithm of what cannot be
	known := NotIn(targets, o.Ignore...)
	there := Minimum(Sum(here, -1), Scalar(1))
	nll := CrossEntropy(logits, targets,
		CrossEntropyOptions{Ignore: o.Ignore, Reduction: ReduceNone})
	written := Select(known, Neg(Add(Softplus(Neg(gate)), nll)), never)
	mass := Maximum(Sum(Mul(weights, here), -1), Scalar(1e-30))
	copied := Select(there, Sub(Log(mass), Softplus(gate)), never)
	both := Add(Maximum(written, copied), Softplus(Neg(Abs(Sub(written, copied)))))
	counts := Maximum(known, there)
	losses := Select(counts, Neg(both), Scalar(0))
	if o.Reduction != ReduceMean {
		return o.Reduction.of(losses)
	}
	return Div(Sum(losses), Maximum(Sum(counts), Scalar(1)))
}

// BCEWithLogits is −t·log σ(x) − (1−t)·log(1 − σ(x)), computed as softplus(x) − x·t. Targets t are
// in [0, 1].
func BCEWithLogits(x, target Operand, r Reduction) *Node {
	return loss("BCEWithLogits", x, target, r, func(x,
		target Operand) *Node {
		return Sub(Softplus(x), Mul(x, target))
	})
}

// MSE is the squared error (x − target)², without a factor ½.
func MSE(x, target Operand, r Reduction) *Node {
	return loss("MSE", x, target, r, func(x,
		target Operand) *Node {
		return Square(Sub(x, target))
	})
}

// L1 is the absolute error |x − target|.
func L1(x, target Operand, r Reduction) *Node {
	return loss("L1", x, target, r, func(x, target Operand) *Node { return Abs(Sub(x, target)) })
}

// Huber is ½e² where the error e is at most delta, and delta·(|e| − ½delta) beyond (Huber, 1964).
func Huber(x, target Operand, delta float64, r Reduction) *Node {
	if !(delta > 0) || math.IsInf(delta, 0) {
		ops.Failf("Huber", "delta %g: want a positive number", delta)
	}
	return loss("Huber", x, target, r, func(x, target Operand) *Node {
		e := Abs(Sub(x, target))
		inner := Minimum(e, Scalar(delta)) // ½q² + delta·(e − q) with q = min(e, delta)
		return Add(Scale(Square(inner), 0.5), Scale(Sub(e, inner), delta))
	})
}

// Pinball is the loss of a forecast x of a quantile of the target: q·(t − x) where the target is
// above, (1 − q)·(x − t) where it is below (Koenker and Bassett, 1978). It is least, in the mean,
// where a share q of the targets is below x; q is in (0, 1), and ½ gives half the absolute error.
func Pinball(x, target Operand, q float64, r Reduction) *Node {
	if !(q > 0 && q < 1) {
		ops.Failf("Pinball", "quantile %g: want a number in (0, 1)", q)
	}
	return loss("Pinball", x, target, r, func(x, target Operand) *Node {
		e := Sub(target, x)
		return Maximum(Scale(e, q), Scale(e, q-1))
	})
}

// KLStandardNormal is KL(N(mu, exp(logvar)) ‖ N(0, 1)) = ½Σ(mu² + exp(logvar) − 1 − logvar) over
// the last axis.
func KLStandardNormal(mu, logvar *Node) *Node {
	k := Sub(Add(Square(mu), Exp(logvar)), Shift(logvar, 1))
	return Scale(Sum(k, -1), 0.5)
}

// KLGaussians is KL(q ‖ p) of two diagonal Gaussians, over the last axis.
func KLGaussians(muQ, logvarQ, muP, logvarP *Node) *Node {
	gap := Sub(logvarQ, logvarP)
	k := Sub(Add(Exp(gap), Mul(Square(Sub(muQ, muP)), Exp(Neg(logvarP)))), Shift(gap, 1))
	return Scale(Sum(k, -1), 0.5)
}
