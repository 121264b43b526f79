package ops

import (
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/internal/kernels"
)

// Kind names an element-wise function. Everything that the library knows of one stands in its row
// of the table kinds: the operations, the engine's passes and its instructions ask there.
type Kind string

// The element-wise functions, of operands x, y and z and of the parameters P and Q of Elementwise.
// The functions that give 1 or 0 have a gradient of 0, and so do those that jump.
const (
	KindAffine Kind = "affine" // P·x + Q
	KindClip   Kind = "clip"   // min(max(x, P), Q); the derivative is 1 inside and at the bounds
	KindWithin Kind = "within" // 1 where P ≤ x ≤ Q, else 0
	KindPower  Kind = "power"  // x^P

	KindExp      Kind = "exp"
	KindLog      Kind = "log"
	KindLog2     Kind = "log2"
	KindLog1p    Kind = "log1p" // log(1 + x)
	KindExpm1    Kind = "expm1" // eˣ − 1
	KindTanh     Kind = "tanh"
	KindSigmoid  Kind = "sigmoid"
	KindReLU     Kind = "relu"
	KindSoftplus Kind = "softplus" // log(1 + eˣ)
	KindSqrt     Kind = "sqrt"
	KindSquare   Kind = "square"
	KindAbs      Kind = "abs"
	KindInverse  Kind = "inverse" // 1/x
	KindSin      Kind = "sin"
	KindCos      Kind = "cos"
	KindSign     Kind = "sign"
	KindFloor    Kind = "floor"
	KindCeil     Kind = "ceil"
	KindPositive Kind = "positive" // 1 where x > 0, else 0
	KindStop     Kind = "stop"     // x itself, without a gradient

	KindAdd Kind = "add"
	KindSub Kind = "sub"
	KindMul Kind = "mul"
	KindDiv Kind = "div"
	KindPow Kind = "pow" // x^y; at 0 the derivative of x⁰ is 0, and so is that in y
	KindMax Kind = "max" // at a tie the whole gradient goes to x
	KindMin Kind = "min" // likewise
	KindLt  Kind = "lt"
	KindLe  Kind = "le"
	KindGt  Kind = "gt"
	KindGe  Kind = "ge"
	KindEq  Kind = "eq"
	KindNe  Kind = "ne"

	KindTanhGrad    Kind = "tanhgrad"    // (y, dy) → dy·(1 − y²): one pass instead of three
	KindSigmoidGrad Kind = "sigmoidgrad" // (y, dy) → dy·y·(1 − y): likewise

	// KindSelect is y where x ≠ 0, else z. A NaN in the operand that is not taken does no harm,
	// forward or backward.
	KindSelect Kind = "select"
)

// kindInfo is the row of a kind.
type kindInfo struct {
	arity int
	cost  int    // nanoseconds that the engine takes for 1,024 elements, roughly
	title string // name for people, if it is not the kind with a capital letter
	onnx  string // the operator of ONNX that is the same function; none: package onnx composes it

	// stored says that the function takes much longer than reading its result, so that the backward
	// pass reads a stored result where it could compute it anew.
	stored bool

	plain kernel // the definition
	fast  kernel // what the engine runs; the zero value means plain
	// the same in a script, to the bit of what the engine runs; none: it cannot be in one
	script kernels.Scripted

	// diff returns dL/d(operand i) before it is summed back to the operand's shape. Nil, the
	// function or what it returns, means that no gradient passes.
	diff func(e Elementwise, i int, in []*G.Node, y, dy *G.Node) *G.Node

	algebra
}

// algebra is what the engine may simplify a function of two operands by.
type algebra struct {
	left, right *float64 // f(left, y) = y and f(x, right) = x, for all y and x; nil: there is none

	withRight func(c float64) Elementwise // f(x, c) as a function of x alone; nil: there is none
	withLeft  func(c float64) Elementwise // f(c, y) as a function of y alone

	vanishes  operands // f is 0 where any of these is 0 and the others are finite
	linearity linearity
}

// operands is a set of operands by number.
type operands int

const (
	first  operands = 1 << 0
	second operands = 1 << 1
)

// linearity says how sums pass through a function.
type linearity int

const (
	nonlinear linearity = iota
	additive            // f(Σx, Σy) = Σf(x, y); of affine, where Q is 0
	bilinear            // f(c, Σy) = Σf(c, y) and f(Σx, c) = Σf(x, c)
)

var zero, one = new(float64), func() *float64 { v := 1.0; return &v }()

// kinds is the table. It is filled by init because the derivatives, which refer to other kinds
// through Apply, need it themselves.
var kinds map[Kind]kindInfo

func init() {
	kinds = map[Kind]kindInfo{
		KindAffine: {
			arity: 1, cost: 60, title: "Scale", script: kernels.ScriptAffine,
			plain: with(affineRow[float32], affineRow[float64]),
			fast:  with(affineKernel[float32], affineKernel[float64]),
			diff: func(e Elementwise, _ int, _ []*G.Node, _, dy *G.Node) *G.Node {
				return affine(dy, e.P, 0)
			},
			algebra: algebra{linearity: additive},
		},
		KindClip: {
			arity: 1, cost: 400, plain: with(clip[float32], clip[float64]),
			diff: func(e Elementwise, _ int, in []*G.Node, _, dy *G.Node) *G.Node {
				return Mul(dy, Apply(Elementwise{KindWithin, e.P, e.Q}, in[0]))
			},
		},
		KindWithin: {arity: 1, cost: 400, title: "gradient of Clip",
			plain: with(within[float32], within[float64])},
		KindPower: {
			arity: 1, cost: 20000, stored: true, plain: with(power[float32], power[float64]),
			diff: func(e Elementwise, _ int, in []*G.Node, _, dy *G.Node) *G.Node {
				if e.P == 0 {
					return nil // x⁰ is 1, also at 0
				}
				return Mul(dy, affine(Apply(Elementwise{KindPower, e.P - 1, 0}, in[0]), e.P, 0))
			},
		},

		KindExp: {
			arity: 1, onnx: "Exp", cost: 300, stored: true, script: kernels.ScriptExp,
			plain: of1(kernels.Exp[float32], kernels.Exp[float64]),
			diff:  unary(func(_, y, dy *G.Node) *G.Node { return Mul(dy, y) }),
		},
		KindLog: {
			arity: 1, onnx: "Log", cost: 400, stored: true, script: kernels.ScriptLog,
			plain: of1(kernels.Log[float32], kernels.Log[float64]),
			diff:  unary(func(x, _, dy *G.Node) *G.Node { return bin(KindDiv, dy, x) }),
		},
		KindLog2: {
			arity: 1, cost: 10000, stored: true, plain: each(math.Log2),
			diff: unary(func(x, _, dy *G.Node) *G.Node {
				return bin(KindDiv, dy, affine(x, math.Ln2, 0))
			}),
		},
		KindLog1p: {
			arity: 1, cost: 10000, stored: true, plain: each(math.Log1p),
			fast: of1(kernels.Log1p[float32], kernels.Log1p[float64]),
			diff: unary(func(x, _, dy *G.Node) *G.Node {
				return bin(KindDiv, dy, affine(x, 1, 1))
			}),
		},
		KindExpm1: {
			arity: 1, cost: 700, stored: true, script: kernels.ScriptExpm1, plain: each(math.Expm1),
			fast: of1(kernels.Expm1[float32], kernels.Expm1[float64]),
			diff: unary(func(_, y, dy *G.Node) *G.Node { return Mul(dy, affine(y, 1, 1)) }),
		},
		KindTanh: {
			arity: 1, onnx: "Tanh", cost: 400, stored: true, script: kernels.ScriptTanh,
			plain: of1(kernels.Tanh[float32], kernels.Tanh[float64]),
			diff:  unary(func(_, y, dy *G.Node) *G.Node { return bin(KindTanhGrad, y, dy) }),
		},
		KindSigmoid: {
			arity: 1, onnx: "Sigmoid", cost: 300, stored: true, script: kernels.ScriptSigmoid,
			plain: of1(kernels.Sigmoid[float32], kernels.Sigmoid[float64]),
			diff:  unary(func(_, y, dy *G.Node) *G.Node { return bin(KindSigmoidGrad, y, dy) }),
		},
		KindReLU: {
			arity: 1, onnx: "Relu", cost: 60, title: "ReLU", script: kernels.ScriptReLU,
			plain: of1(relu[float32], relu[float64]),
			fast:  of1(kernels.Relu[float32], kernels.Relu[float64]),
			diff:  unary(func(_, y, dy *G.Node) *G.Node { return Mul(dy, un(KindPositive, y)) }),
		},
		KindSoftplus: {
			arity: 1, onnx: "Softplus", cost: 700, stored: true, script: kernels.ScriptSoftplus,
			plain: each(softplus), fast: of1(kernels.Softplus[float32], kernels.Softplus[float64]),
			diff: unary(func(x, _, dy *G.Node) *G.Node { return Mul(dy, un(KindSigmoid, x)) }),
		},
		KindSqrt: {
			arity: 1, onnx: "Sqrt", cost: 300, stored: true, script: kernels.ScriptSqrt,
			plain: each(math.Sqrt), fast: of1(kernels.Sqrt[float32], kernels.Sqrt[float64]),
			diff: unary(func(_, y, dy *G.Node) *G.Node {
				return bin(KindDiv, affine(dy, 0.5, 0), y)
			}),
		},
		KindSquare: {
			arity: 1, cost: 50, script: kernels.ScriptSquare,
			plain: of1(square[float32], square[float64]),
			diff:  unary(func(x, _, dy *G.Node) *G.Node { return Mul(dy, affine(x, 2, 0)) }),
		},
		KindAbs: {
			arity: 1, onnx: "Abs", cost: 400, script: kernels.ScriptAbs,
			plain: of1(abs[float32], abs[float64]),
			diff:  unary(func(x, _, dy *G.Node) *G.Node { return Mul(dy, un(KindSign, x)) }),
		},
		KindInverse: {
			arity: 1, onnx: "Reciprocal", cost: 300, stored: true, script: kernels.ScriptInverse,
			plain: of1(inverse[float32], inverse[float64]),
			diff: unary(func(_, y, dy *G.Node) *G.Node {
				return Mul(dy, affine(un(KindSquare, y), -1, 0))
			}),
		},
		KindSin: {
			arity: 1, onnx: "Sin", cost: 10000, stored: true, plain: each(math.Sin),
			diff: unary(func(x, _, dy *G.Node) *G.Node { return Mul(dy, un(KindCos, x)) }),
		},
		KindCos: {
			arity: 1, onnx: "Cos", cost: 10000, stored: true, plain: each(math.Cos),
			diff: unary(func(x, _, dy *G.Node) *G.Node {
				return Mul(dy, affine(un(KindSin, x), -1, 0))
			}),
		},
		KindSign: {arity: 1, onnx: "Sign", cost: 800, script: kernels.ScriptSign,
			plain: of1(sign[float32], sign[float64])},
		KindFloor: {arity: 1, onnx: "Floor", cost: 1000,
			plain: of1(floor[float32], floor[float64])},
		KindCeil: {arity: 1, onnx: "Ceil", cost: 1000, plain: of1(ceil[float32], ceil[float64])},
		KindPositive: {arity: 1, cost: 400, title: "gradient of ReLU",
			script: kernels.ScriptPositive, plain: of1(positive[float32], positive[float64])},
		KindStop: {arity: 1, onnx: "Identity", cost: 40, title: "StopGradient",
			script: kernels.ScriptCopy, plain: of1(copyRow[float32], copyRow[float64])},

		KindAdd: {
			arity: 2, onnx: "Add", cost: 50, script: kernels.ScriptAdd,
			plain: of2(kernels.Add[float32], kernels.Add[float64]),
			diff:  func(_ Elementwise, _ int, _ []*G.Node, _, dy *G.Node) *G.Node { return dy },
			algebra: algebra{left: zero, right: zero, withLeft: plus, withRight: plus,
				linearity: additive},
		},
		KindSub: {
			arity: 2, onnx: "Sub", cost: 50, script: kernels.ScriptSub,
			plain: of2(kernels.Sub[float32], kernels.Sub[float64]),
			diff: func(_ Elementwise, i int, _ []*G.Node, _, dy *G.Node) *G.Node {
				if i == 1 {
					return affine(dy, -1, 0)
				}
				return dy
			},
			algebra: algebra{right: zero, linearity: additive},
		},
		KindMul: {
			arity: 2, onnx: "Mul", cost: 50, script: kernels.ScriptMul,
			plain: of2(kernels.Mul[float32], kernels.Mul[float64]),
			diff: func(_ Elementwise, i int, in []*G.Node, _, dy *G.Node) *G.Node {
				return Mul(dy, in[1-i])
			},
			algebra: algebra{
				left: one, right: one, withLeft: times, withRight: times, vanishes: first | second,
				linearity: bilinear,
			},
		},
		KindDiv: {
			arity: 2, onnx: "Div", cost: 200, stored: true, script: kernels.ScriptDiv,
			plain: of2(kernels.Div[float32], kernels.Div[float64]),
			diff: func(_ Elementwise, i int, in []*G.Node, y, dy *G.Node) *G.Node {
				if i == 0 {
					return bin(KindDiv, dy, in[1])
				}
				return affine(Mul(dy, bin(KindDiv, y, in[1])), -1, 0)
			},
			algebra: algebra{right: one, vanishes: first},
		},
		KindPow: {
			arity: 2, onnx: "Pow", cost: 20000, stored: true,
			plain: of2(pow[float32], pow[float64]), diff: powDiff,
			algebra: algebra{right: one, withRight: toThe},
		},
		KindMax: {
			arity: 2, onnx: "Max", cost: 100, script: kernels.ScriptMax,
			plain: of2(larger[float32], larger[float64]),
			fast:  of2(kernels.Max[float32], kernels.Max[float64]),
			diff: func(_ Elementwise, i int, in []*G.Node, _, dy *G.Node) *G.Node {
				return Mul(dy, wins(i, KindGe, in))
			},
		},
		KindMin: {
			arity: 2, onnx: "Min", cost: 100, script: kernels.ScriptMin,
			plain: of2(smaller[float32], smaller[float64]),
			fast:  of2(kernels.Min[float32], kernels.Min[float64]),
			diff: func(_ Elementwise, i int, in []*G.Node, _, dy *G.Node) *G.Node {
				return Mul(dy, wins(i, KindLe, in))
			},
		},
		KindLt: {arity: 2, cost: 400, script: kernels.ScriptLt,
			plain: of2(less[float32], less[float64])},
		KindLe: {arity: 2, cost: 400, script: kernels.ScriptLe,
			plain: of2(lessEqual[float32], lessEqual[float64])},
		KindGt: {arity: 2, cost: 400, script: kernels.ScriptGt,
			plain: of2(greater[float32], greater[float64])},
		KindGe: {arity: 2, cost: 400, script: kernels.ScriptGe,
			plain: of2(greaterEqual[float32], greaterEqual[float64])},
		KindEq: {arity: 2, cost: 400, script: kernels.ScriptEq,
			plain: of2(equal[float32], equal[float64])},
		KindNe: {arity: 2, cost: 400, script: kernels.ScriptNe,
			plain: of2(notEqual[float32], notEqual[float64])},

		KindTanhGrad: {
			arity: 2, cost: 60, title: "gradient of Tanh", script: kernels.ScriptTanhGrad,
			plain: of2(kernels.TanhGrad[float32], kernels.TanhGrad[float64]),
			diff: func(_ Elementwise, i int, in []*G.Node, _, dy *G.Node) *G.Node {
				if i == 0 {
					return affine(Mul(Mul(in[0], in[1]), dy), -2, 0)
				}
				return bin(KindTanhGrad, in[0], dy)
			},
			algebra: algebra{vanishes: second},
		},
		KindSigmoidGrad: {
			arity: 2, cost: 60, title: "gradient of Sigmoid", script: kernels.ScriptSigmoidGrad,
			plain: of2(kernels.SigmoidGrad[float32], kernels.SigmoidGrad[float64]),
			diff: func(_ Elementwise, i int, in []*G.Node, _, dy *G.Node) *G.Node {
				if i == 0 {
					return Mul(Mul(affine(in[0], -2, 1), in[1]), dy)
				}
				return bin(KindSigmoidGrad, in[0], dy)
			},
			algebra: algebra{vanishes: second},
		},
		KindSelect: {
			arity: 3, cost: 80, script: kernels.ScriptSelect,
			plain: of3(choose[float32], choose[float64]),
			fast:  of3(kernels.Select[float32], kernels.Select[float64]), diff: selectDiff,
		},
	}
}

func un(kind Kind, x *G.Node) *G.Node        { return Apply(Elementwise{Kind: kind}, x) }
func bin(kind Kind, a, b *G.Node) *G.Node    { return Apply(Elementwise{Kind: kind}, a, b) }
func affine(x *G.Node, a, b float64) *G.Node { return Apply(Elementwise{KindAffine, a, b}, x) }

// Add, Mul and Affine are what derivatives need most.
func Add(a, b *G.Node) *G.Node                   { return bin(KindAdd, a, b) }
func Mul(a, b *G.Node) *G.Node                   { return bin(KindMul, a, b) }
func Affine(x *G.Node, scale, b float64) *G.Node { return affine(x, scale, b) }

// unary makes the diff of a function of one operand from its derivative times dy.
func unary(
	d func(x, y, dy *G.Node) *G.Node,
) func(Elementwise, int, []*G.Node, *G.Node, *G.Node) *G.Node {
	return func(_ Elementwise, _ int, in []*G.Node, y,
		dy *G.Node) *G.Node {
		return d(in[0], y, dy)
	}
}

// wins is 1 where operand i is the one taken by max (cmp ge) or min (cmp le).
func wins(i int, cmp Kind, in []*G.Node) *G.Node {
	w := bin(cmp, in[0], in[1])
	if i == 1 {
		w = affine(w, -1, 1)
	}
	return w
}

func powDiff(_ Elementwise, i int, in []*G.Node, y, dy *G.Node) *G.Node {
	if i == 0 {
		d := Mul(in[1], bin(KindPow, in[0], affine(in[1], 1, -1)))
		return Mul(dy, Apply(Elementwise{Kind: KindSelect}, in[1], d, Zeros(d)))
	}
	d := Mul(y, un(KindLog, in[0]))
	return Mul(dy, Apply(Elementwise{Kind: KindSelect}, in[0], d, Zeros(d)))
}

func selectDiff(_ Elementwise, i int, in []*G.Node, _, dy *G.Node) *G.Node {
	switch i {
	case 1:
		return Apply(Elementwise{Kind: KindSelect}, in[0], dy, Zeros(dy))
	case 2:
		return Apply(Elementwise{Kind: KindSelect}, in[0], Zeros(dy), dy)
	}
	return nil
}

func plus(c float64) Elementwise  { return Elementwise{KindAffine, 1, c} }
func times(c float64) Elementwise { return Elementwise{KindAffine, c, 0} }

func toThe(c float64) Elementwise {
	if c == 2 {
		return Elementwise{Kind: KindSquare}
	}
	return Elementwise{Kind: KindPower, P: c}
}

// Arity is the number of operands.
func (k Kind) Arity() int { return kinds[k].arity }

// Cost is about how many nanoseconds the engine takes for 1,024 elements.
func (k Kind) Cost() int { return kinds[k].cost }

// Stored reports whether the function takes much longer than reading its result.
func (k Kind) Stored() bool { return kinds[k].stored }

// Additive reports whether a sum of results is the result of the sums of the operands.
func (e Elementwise) Additive() bool {
	return kinds[e.Kind].linearity == additive && (e.Kind != KindAffine || e.Q == 0)
}

// Bilinear reports whether a sum of results for one fixed operand is the result of that operand and
// the sum of the other.
func (e Elementwise) Bilinear() bool { return kinds[e.Kind].linearity == bilinear }

// Vanishes reports whether the result is 0 where operand i is 0 and the others are finite.
func (e Elementwise) Vanishes(i int) bool {
	return kinds[e.Kind].vanishes&(1<<i) != 0 || e.Kind == KindAffine && e.Q == 0
}

// With is the function of the other operand alone that e is where operand i is c everywhere. It is
// the identity where c is neutral. ok is false if there is no such function.
func (e Elementwise) With(i int, c float64) (f Elementwise, identity, ok bool) {
	a := kinds[e.Kind].algebra
	neutral, with := a.right, a.withRight
	if i == 0 {
		neutral, with = a.left, a.withLeft
	}
	switch {
	case neutral != nil && *neutral == c:
		return Elementwise{}, true, true
	case with != nil:
		return with(c), false, true
	}
	return Elementwise{}, false, false
}

// Neutral reports whether the result is the other operand where operand i is c.
func (e Elementwise) Neutral(i int, c float64) bool {
	_, identity, ok := e.With(i, c)
	return ok && identity
}
