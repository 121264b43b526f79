package ops

import (
	"fmt"
	"math"
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/internal/kernels"
)

// Elementwise applies a scalar function to every element of one to three operands, which are broadcast against each
// other as NumPy does: shapes are aligned at their last axis, and a size of 1 (or a missing axis) is repeated.
type Elementwise struct {
	Kind string  // a key of elementwise
	P, Q float64 // parameters of the kind, else 0
}

// element describes a kind: its arity and its derivative. Its values are in evalRow.
type element struct {
	arity int
	// diff returns dL/d(operand i) before it is summed back to the operand's shape; nil is no gradient.
	diff func(e Elementwise, i int, in []*G.Node, y, dy *G.Node) *G.Node
}

func un(kind string, x *G.Node) *G.Node      { return Apply(Elementwise{Kind: kind}, x) }
func bin(kind string, a, b *G.Node) *G.Node  { return Apply(Elementwise{Kind: kind}, a, b) }
func affine(x *G.Node, a, b float64) *G.Node { return Apply(Elementwise{"affine", a, b}, x) }

// Add, Mul and Affine are what derivatives need most.
func Add(a, b *G.Node) *G.Node                   { return bin("add", a, b) }
func Mul(a, b *G.Node) *G.Node                   { return bin("mul", a, b) }
func Affine(x *G.Node, scale, b float64) *G.Node { return affine(x, scale, b) }

// unary makes the element of a function of one operand from its derivative times dy.
func unary(d func(x, y, dy *G.Node) *G.Node) element {
	return element{1, func(_ Elementwise, _ int, in []*G.Node, y, dy *G.Node) *G.Node { return d(in[0], y, dy) }}
}

// flat is an element whose derivative is 0 almost everywhere, and taken as 0.
func flat(arity int) element { return element{arity: arity} }

var elementwise map[string]element

func init() {
	elementwise = map[string]element{
		// P·x + Q
		"affine": {1, func(e Elementwise, _ int, _ []*G.Node, _, dy *G.Node) *G.Node { return affine(dy, e.P, 0) }},
		// min(max(x, P), Q); the derivative is 1 inside and at the bounds
		"clip": {1, func(e Elementwise, _ int, in []*G.Node, _, dy *G.Node) *G.Node {
			return Mul(dy, Apply(Elementwise{"within", e.P, e.Q}, in[0]))
		}},
		"within": flat(1), // 1 where P ≤ x ≤ Q, else 0
		"power": {1, func(e Elementwise, _ int, in []*G.Node, _, dy *G.Node) *G.Node { // x^P
			if e.P == 0 {
				return nil // x⁰ is 1, also at 0
			}
			return Mul(dy, affine(Apply(Elementwise{"power", e.P - 1, 0}, in[0]), e.P, 0))
		}},

		"exp":      unary(func(_, y, dy *G.Node) *G.Node { return Mul(dy, y) }),
		"log":      unary(func(x, _, dy *G.Node) *G.Node { return bin("div", dy, x) }),
		"log2":     unary(func(x, _, dy *G.Node) *G.Node { return bin("div", dy, affine(x, math.Ln2, 0)) }),
		"log1p":    unary(func(x, _, dy *G.Node) *G.Node { return bin("div", dy, affine(x, 1, 1)) }),
		"expm1":    unary(func(_, y, dy *G.Node) *G.Node { return Mul(dy, affine(y, 1, 1)) }),
		"tanh":     unary(func(_, y, dy *G.Node) *G.Node { return bin("tanhgrad", y, dy) }),
		"sigmoid":  unary(func(_, y, dy *G.Node) *G.Node { return bin("sigmoidgrad", y, dy) }),
		"relu":     unary(func(_, y, dy *G.Node) *G.Node { return Mul(dy, un("positive", y)) }),
		"softplus": unary(func(x, _, dy *G.Node) *G.Node { return Mul(dy, un("sigmoid", x)) }),
		"sqrt":     unary(func(_, y, dy *G.Node) *G.Node { return bin("div", affine(dy, 0.5, 0), y) }),
		"square":   unary(func(x, _, dy *G.Node) *G.Node { return Mul(dy, affine(x, 2, 0)) }),
		"abs":      unary(func(x, _, dy *G.Node) *G.Node { return Mul(dy, un("sign", x)) }),
		"inverse":  unary(func(_, y, dy *G.Node) *G.Node { return Mul(dy, affine(un("square", y), -1, 0)) }),
		"sin":      unary(func(x, _, dy *G.Node) *G.Node { return Mul(dy, un("cos", x)) }),
		"cos":      unary(func(x, _, dy *G.Node) *G.Node { return Mul(dy, affine(un("sin", x), -1, 0)) }),
		"sign":     flat(1),
		"floor":    flat(1),
		"ceil":     flat(1),
		"positive": flat(1), // 1 where x > 0, else 0
		"stop":     flat(1), // x itself, with no gradient

		"add": {2, func(_ Elementwise, _ int, _ []*G.Node, _, dy *G.Node) *G.Node { return dy }},
		"sub": {2, func(_ Elementwise, i int, _ []*G.Node, _, dy *G.Node) *G.Node {
			if i == 1 {
				return affine(dy, -1, 0)
			}
			return dy
		}},
		"mul": {2, func(_ Elementwise, i int, in []*G.Node, _, dy *G.Node) *G.Node { return Mul(dy, in[1-i]) }},
		"div": {2, func(_ Elementwise, i int, in []*G.Node, y, dy *G.Node) *G.Node {
			if i == 0 {
				return bin("div", dy, in[1])
			}
			return affine(Mul(dy, bin("div", y, in[1])), -1, 0)
		}},
		"pow": {2, func(_ Elementwise, i int, in []*G.Node, y, dy *G.Node) *G.Node { // a^b
			// At 0 the derivative of a⁰ is 0, and so is that in b.
			if i == 0 {
				d := Mul(in[1], bin("pow", in[0], affine(in[1], 1, -1)))
				return Mul(dy, Apply(Elementwise{Kind: "select"}, in[1], d, Zeros(d)))
			}
			d := Mul(y, un("log", in[0]))
			return Mul(dy, Apply(Elementwise{Kind: "select"}, in[0], d, Zeros(d)))
		}},
		// At a tie the whole gradient goes to the first operand.
		"max": {2, func(_ Elementwise, i int, in []*G.Node, _, dy *G.Node) *G.Node { return Mul(dy, wins(i, "ge", in)) }},
		"min": {2, func(_ Elementwise, i int, in []*G.Node, _, dy *G.Node) *G.Node { return Mul(dy, wins(i, "le", in)) }},
		"lt":  flat(2), "le": flat(2), "gt": flat(2), "ge": flat(2), "eq": flat(2), "ne": flat(2), // 1 or 0

		// (y, dy) → dy·(1 − y²) and dy·y·(1 − y): one pass instead of three
		"tanhgrad": {2, func(_ Elementwise, i int, in []*G.Node, _, dy *G.Node) *G.Node {
			if i == 0 {
				return affine(Mul(Mul(in[0], in[1]), dy), -2, 0)
			}
			return bin("tanhgrad", in[0], dy)
		}},
		"sigmoidgrad": {2, func(_ Elementwise, i int, in []*G.Node, _, dy *G.Node) *G.Node {
			if i == 0 {
				return Mul(Mul(affine(in[0], -2, 1), in[1]), dy)
			}
			return bin("sigmoidgrad", in[0], dy)
		}},

		// (c, a, b) → a where c ≠ 0, else b; a NaN in the part not taken does no harm, forward or backward
		"select": {3, func(_ Elementwise, i int, in []*G.Node, _, dy *G.Node) *G.Node {
			switch i {
			case 1:
				return Apply(Elementwise{Kind: "select"}, in[0], dy, Zeros(dy))
			case 2:
				return Apply(Elementwise{Kind: "select"}, in[0], Zeros(dy), dy)
			}
			return nil
		}},
	}
}

// wins is 1 where operand i is the one taken by max (cmp ge) or min (cmp le).
func wins(i int, cmp string, in []*G.Node) *G.Node {
	w := bin(cmp, in[0], in[1])
	if i == 1 {
		w = affine(w, -1, 1)
	}
	return w
}

// IsElementwise reports whether kind is known, and its arity.
func IsElementwise(kind string) (arity int, ok bool) {
	e, ok := elementwise[kind]
	return e.arity, ok
}

func (e Elementwise) Key() string { return fmt.Sprintf("%s{%g %g}", e.Kind, e.P, e.Q) }

func (e Elementwise) Infer(in []Type) (Type, error) {
	k, ok := elementwise[e.Kind]
	if !ok {
		return Type{}, fmt.Errorf("no element-wise function %q", e.Kind)
	}
	if len(in) != k.arity {
		return Type{}, fmt.Errorf("%d operands, want %d", len(in), k.arity)
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
			return fmt.Errorf("an operand is %v: want float32 or float64; ids become floats by OneHot or Embedding", t.Dtype)
		}
		if t.Dtype != ts[0].Dtype {
			return fmt.Errorf("dtypes %v and %v differ: a graph has one float type", ts[0].Dtype, t.Dtype)
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
			return nil, fmt.Errorf("shapes %s and %s do not broadcast: sizes %d and %d differ, and neither is 1",
				ShapeString(a), ShapeString(b), out[j], b[i])
		}
	}
	return out, nil
}

func (e Elementwise) Diff(in []*G.Node, y, dy *G.Node, need []bool) []*G.Node {
	ds := make([]*G.Node, len(in))
	diff := elementwise[e.Kind].diff
	if diff == nil {
		return ds
	}
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
	return evaluate(out, func() error { return evalElementwise[float32](e, in, out) },
		func() error { return evalElementwise[float64](e, in, out) })
}

func evalElementwise[F kernels.Float](e Elementwise, in []Tensor, out Tensor) error {
	dst := data[F](out)
	whole := true
	for _, t := range in {
		whole = whole && slices.Equal(t.Shape, out.Shape)
	}
	var args [3][]F
	if whole {
		for i, t := range in {
			args[i] = data[F](t)
		}
		evalRow(e, dst, args)
		return nil
	}
	// Row by row along the last axis. An operand that is repeated along it is spread over a row of its own.
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
		evalRow(e, dst[at:at+n], args)
	}
	return nil
}

// walk yields, for each row of out in order, the offset at which the row of an operand broadcast to out starts.
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

// evalRow is the definition of every kind over slices of one length.
func evalRow[F kernels.Float](e Elementwise, dst []F, args [3][]F) {
	x, y := args[0], args[1]
	each := func(f func(x float64) float64) {
		for i, v := range x {
			dst[i] = F(f(float64(v)))
		}
	}
	compare := func(f func(a, b F) bool) {
		for i := range dst {
			dst[i] = truth[F](f(x[i], y[i]))
		}
	}
	switch e.Kind {
	case "affine":
		p, q := F(e.P), F(e.Q)
		for i, v := range x {
			dst[i] = p*v + q
		}
	case "clip":
		lo, hi := F(e.P), F(e.Q)
		for i, v := range x {
			dst[i] = min(max(v, lo), hi)
		}
	case "within":
		lo, hi := F(e.P), F(e.Q)
		for i, v := range x {
			dst[i] = truth[F](lo <= v && v <= hi)
		}
	case "power":
		each(func(v float64) float64 { return math.Pow(v, e.P) })
	case "exp":
		kernels.Exp(dst, x)
	case "log":
		kernels.Log(dst, x)
	case "log2":
		each(math.Log2)
	case "log1p":
		each(math.Log1p)
	case "expm1":
		each(math.Expm1)
	case "tanh":
		kernels.Tanh(dst, x)
	case "sigmoid":
		kernels.Sigmoid(dst, x)
	case "softplus": // max(x, 0) + log(1 + e^−|x|): no overflow
		each(func(v float64) float64 { return max(v, 0) + math.Log1p(math.Exp(-math.Abs(v))) })
	case "relu":
		for i, v := range x {
			dst[i] = max(v, 0)
		}
	case "sqrt":
		each(math.Sqrt)
	case "square":
		for i, v := range x {
			dst[i] = v * v
		}
	case "abs":
		each(math.Abs)
	case "inverse":
		for i, v := range x {
			dst[i] = 1 / v
		}
	case "sin":
		each(math.Sin)
	case "cos":
		each(math.Cos)
	case "sign":
		for i, v := range x {
			dst[i] = truth[F](v > 0) - truth[F](v < 0)
		}
	case "floor":
		each(math.Floor)
	case "ceil":
		each(math.Ceil)
	case "positive":
		for i, v := range x {
			dst[i] = truth[F](v > 0)
		}
	case "stop":
		copy(dst, x)
	case "add":
		kernels.Add(dst, x, y)
	case "sub":
		kernels.Sub(dst, x, y)
	case "mul":
		kernels.Mul(dst, x, y)
	case "div":
		kernels.Div(dst, x, y)
	case "pow":
		for i := range dst {
			dst[i] = F(math.Pow(float64(x[i]), float64(y[i])))
		}
	case "max":
		for i := range dst {
			dst[i] = max(x[i], y[i])
		}
	case "min":
		for i := range dst {
			dst[i] = min(x[i], y[i])
		}
	case "lt":
		compare(func(a, b F) bool { return a < b })
	case "le":
		compare(func(a, b F) bool { return a <= b })
	case "gt":
		compare(func(a, b F) bool { return a > b })
	case "ge":
		compare(func(a, b F) bool { return a >= b })
	case "eq":
		compare(func(a, b F) bool { return a == b })
	case "ne":
		compare(func(a, b F) bool { return a != b })
	case "tanhgrad":
		kernels.TanhGrad(dst, x, y)
	case "sigmoidgrad":
		kernels.SigmoidGrad(dst, x, y)
	case "select":
		for i, c := range x {
			if c != 0 {
				dst[i] = y[i]
			} else {
				dst[i] = args[2][i]
			}
		}
	default:
		panic("ops: no values for element-wise function " + e.Kind)
	}
}

func truth[F kernels.Float](b bool) F {
	if b {
		return 1
	}
	return 0
}

// blocksGradient reports whether no gradient passes fn, whatever the operands.
func blocksGradient(fn Fn) bool {
	switch fn := fn.(type) {
	case Elementwise:
		return elementwise[fn.Kind].diff == nil
	case Fill, Range, ArgMax, Noise, LengthMask, OneHot, Differs, MaskIDs:
		return true
	}
	return false
}
