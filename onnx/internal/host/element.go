package host

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// Broadcast is the shape to which shapes are repeated, as NumPy does.
func Broadcast(shapes ...[]int) []int {
	var out []int
	for _, s := range shapes {
		for len(out) < len(s) {
			out = append([]int{1}, out...)
		}
		for i, d := range s {
			k := len(out) - len(s) + i
			switch {
			case out[k] == 1:
				out[k] = d
			case d != 1 && d != out[k]:
				Failf("shapes %v do not fit each other", shapes)
			}
		}
	}
	return out
}

// places are, for every element of shape to, the place of the element of shape from that is
// repeated there.
func places(from, to []int) []int {
	strides := make([]int, len(to))
	step := 1
	for i := len(from) - 1; i >= 0; i-- {
		if from[i] != 1 {
			strides[len(to)-len(from)+i] = step
		}
		step *= from[i]
	}
	return walk(to, strides)
}

// walk lists the offsets of all elements of a shape, by strides.
func walk(shape, strides []int) []int {
	check(shape)
	Fits(Size(shape))
	out := make([]int, Size(shape))
	index := make([]int, len(shape))
	at := 0
	for k := range out {
		out[k] = at
		for i := len(index) - 1; i >= 0; i-- {
			index[i]++
			at += strides[i]
			if index[i] < shape[i] {
				break
			}
			at -= strides[i] * shape[i]
			index[i] = 0
		}
	}
	return out
}

// expand repeats a tensor to a shape.
func expand(t *Tensor, shape []int) *Tensor {
	if slices.Equal(t.Shape, shape) {
		return t
	}
	return take(t, places(t.Shape, shape), shape)
}

// take is a tensor of the elements at places.
func take(t *Tensor, at, shape []int) *Tensor {
	out := New(t.Type, shape...)
	if len(at) > 0 && t.Len() == 0 {
		Failf("elements %v of nothing, %v", shape, t)
	}
	for i, j := range at {
		out.set(i, t, j)
	}
	return out
}

func unary(f func(x float64) float64, g func(x int64, t Type) int64) Func {
	return func(c *Call) []*Tensor {
		x := c.need(0)
		out := New(x.Type, x.Shape...)
		switch {
		case x.F != nil && f != nil:
			for i, v := range x.F {
				out.F[i] = f(v)
			}
		case x.I != nil && g != nil:
			for i, v := range x.I {
				out.I[i] = g(v, x.Type)
			}
		case x.Len() > 0:
			Failf("%s of %v is not supported", c.Op, x.Type)
		}
		return []*Tensor{out}
	}
}

// folded is a function of one or more operands of one type.
func folded(f func(a, b float64) float64, g func(a, b int64, t Type) int64) Func {
	return func(c *Call) []*Tensor {
		acc := c.need(0)
		if len(c.In) == 1 {
			acc = take(acc, places(acc.Shape, acc.Shape), acc.Shape)
		}
		for i := 1; i < len(c.In); i++ {
			b := c.need(i)
			if acc.Type != b.Type && c.Op != "Pow" {
				Failf("operands of %v and %v", acc.Type, b.Type)
			}
			shape := Broadcast(acc.Shape, b.Shape)
			x, y := expand(acc, shape), expand(b, shape)
			acc = New(x.Type, shape...)
			for k := range acc.Len() {
				switch {
				case x.F != nil:
					acc.F[k] = f(x.F[k], y.Float(k))
				case x.I == nil || y.S != nil:
					Failf("%s of %v is not supported", c.Op, x.Type)
				case c.Op == "Pow" && y.F != nil:
					acc.I[k] = int64(math.Pow(x.Float(k), y.F[k]))
				default:
					if c.Shapes && (c.Op == "Div" || c.Op == "Mod") && y.I[k] == 0 {
						continue
					}
					acc.I[k] = g(x.I[k], y.I[k], x.Type)
				}
			}
		}
		return []*Tensor{acc}
	}
}

func compare(f func(order int, unordered bool) bool) Func {
	return func(c *Call) []*Tensor {
		a, b := c.need(0), c.need(1)
		if a.Type != b.Type {
			Failf("%v and %v are not compared", a.Type, b.Type)
		}
		shape := Broadcast(a.Shape, b.Shape)
		a, b = expand(a, shape), expand(b, shape)
		out := New(Bool, shape...)
		for i := range out.I {
			order, unordered := ordered(a, i, b, i)
			if f(order, unordered) {
				out.I[i] = 1
			}
		}
		return []*Tensor{out}
	}
}

// ordered compares an element of a with one of b, which is of the same type: integers to their last
// digit, and NaN behind all, where they are unordered.
func ordered(a *Tensor, i int, b *Tensor, j int) (order int, unordered bool) {
	switch {
	case a.F != nil:
		x, y := a.F[i], b.F[j]
		if x != x || y != y {
			return cmp(truth(x != x), truth(y != y)), true
		}
		return cmp(x, y), false
	case a.S != nil:
		return cmp(a.S[i], b.S[j]), false
	case a.Type == Uint64:
		return cmp(uint64(a.I[i]), uint64(b.I[j])), false
	}
	return cmp(a.I[i], b.I[j]), false
}

func cmp[T int64 | uint64 | float64 | string](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func intDiv(a, b int64, t Type) int64 {
	switch {
	case b == 0:
		Failf("an integer is divided by 0")
	case t == Uint64:
		return int64(uint64(a) / uint64(b))
	case b == -1:
		return -a
	}
	return a / b
}

// intMod has the sign of the divisor, as Python has it.
func intMod(a, b int64, t Type) int64 {
	switch {
	case b == 0:
		Failf("an integer is divided by 0")
	case t == Uint64:
		return int64(uint64(a) % uint64(b))
	case b == -1:
		return 0
	}
	r := a % b
	if r != 0 && (r < 0) != (b < 0) {
		r += b
	}
	return r
}

func intPow(a, b int64, _ Type) int64 {
	if b < 0 {
		return int64(math.Pow(float64(a), float64(b)))
	}
	out := int64(1)
	for ; b > 0; b >>= 1 {
		if b&1 == 1 {
			out *= a
		}
		a *= a
	}
	return out
}

func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func mod(c *Call) []*Tensor {
	if c.Attrs.Int("fmod", 0) == 1 {
		return folded(math.Mod, func(a, b int64, t Type) int64 {
			if b == 0 || b == -1 || t == Uint64 {
				return intMod(a, b, t)
			}
			return a % b
		})(c)
	}
	return folded(func(a, b float64) float64 {
		r := math.Mod(a, b)
		if r != 0 && (r < 0) != (b < 0) {
			r += b
		}
		return r
	}, intMod)(c)
}

func smaller(a, b int64, t Type) int64 {
	if t == Uint64 && uint64(a) > uint64(b) || t != Uint64 && a > b {
		return b
	}
	return a
}

func larger(a, b int64, t Type) int64 { return a + b - smaller(a, b, t) }

func shift(c *Call) []*Tensor {
	direction := c.Attrs.String("direction", "")
	if direction != "LEFT" && direction != "RIGHT" {
		Failf("direction %q", direction)
	}
	left := direction == "LEFT"
	return folded(nil, func(a, b int64, _ Type) int64 {
		if left {
			return int64(uint64(a) << uint64(b))
		}
		return int64(uint64(a) >> uint64(b))
	})(c)
}

func where(c *Call) []*Tensor {
	cond, a, b := c.need(0), c.need(1), c.need(2)
	if a.Type != b.Type {
		Failf("operands of %v and %v", a.Type, b.Type)
	}
	shape := Broadcast(cond.Shape, a.Shape, b.Shape)
	cond, a, b = expand(cond, shape), expand(a, shape), expand(b, shape)
	out := New(a.Type, shape...)
	for i := range out.Len() {
		if cond.Int(i) != 0 {
			out.set(i, a, i)
		} else {
			out.set(i, b, i)
		}
	}
	return []*Tensor{out}
}

// Cast converts elements as C does: towards 0, and modulo what the type holds.
func Cast(x *Tensor, to Type) *Tensor {
	out := New(to, x.Shape...)
	for i := range x.Len() {
		switch {
		case x.S != nil && to == String:
			out.S[i] = x.S[i]
		case to == String && x.F != nil:
			out.S[i] = strconv.FormatFloat(x.F[i], 'g', -1, floatBits(x.Type))
		case to == String:
			out.S[i] = strconv.FormatInt(x.I[i], 10)
		case x.S != nil:
			v, err := strconv.ParseFloat(strings.TrimSpace(x.S[i]), 64)
			if err != nil {
				Failf("%q is no number", x.S[i])
			}
			if out.F != nil {
				out.F[i] = v
			} else {
				out.I[i] = int64(v)
			}
		case to == Bool:
			out.I[i] = truth(x.Float(i) != 0)
		case out.F != nil:
			out.F[i] = x.Float(i)
		case x.F != nil && to == Uint64 && x.F[i] >= 1<<63:
			out.I[i] = int64(uint64(x.F[i]))
		case x.F != nil:
			out.I[i] = int64(x.F[i])
		default:
			out.I[i] = x.I[i]
		}
	}
	return out.Round()
}

// floatBits is how many bits are kept of a float as a text.
func floatBits(t Type) int {
	if t == Float64 {
		return 64
	}
	return 32
}

func clip(c *Call) []*Tensor {
	out := c.need(0)
	for i, name := range []string{"Max", "Min"} {
		if b := c.Arg(i + 1); b != nil {
			out = funcs[name](&Call{Op: name, In: []*Tensor{out, b}})[0]
		}
	}
	return []*Tensor{expand(out, out.Shape)}
}

func isInf(c *Call) []*Tensor {
	x := c.need(0)
	neg, pos := c.Attrs.Int("detect_negative", 1) == 1, c.Attrs.Int("detect_positive", 1) == 1
	out := New(Bool, x.Shape...)
	for i := range out.I {
		v := x.Float(i)
		out.I[i] = truth(neg && math.IsInf(v, -1) || pos && math.IsInf(v, 1))
	}
	return []*Tensor{out}
}

func isNaN(c *Call) []*Tensor {
	x := c.need(0)
	out := New(Bool, x.Shape...)
	for i := range out.I {
		out.I[i] = truth(math.IsNaN(x.Float(i)))
	}
	return []*Tensor{out}
}

func elementFuncs() map[string]Func {
	ints := func(f func(int64) int64) func(int64, Type) int64 {
		return func(x int64, _ Type) int64 { return f(x) }
	}
	same := ints(func(x int64) int64 { return x })
	add := func(a, b int64, _ Type) int64 { return a + b }
	return map[string]Func{
		"Abs": unary(math.Abs, func(x int64, t Type) int64 {
			if t.Unsigned() {
				return x
			}
			return max(x, -x)
		}),
		"Neg": unary(func(x float64) float64 { return -x },
			ints(func(x int64) int64 { return -x })),
		"Sign": unary(sign, func(x int64, t Type) int64 {
			if t.Unsigned() {
				return truth(x != 0)
			}
			return int64(cmp(x, 0))
		}),
		"Floor": unary(math.Floor, same), "Ceil": unary(math.Ceil, same),
		"Round": unary(math.RoundToEven, same),
		"Sqrt":  unary(math.Sqrt, nil), "Exp": unary(math.Exp, nil), "Log": unary(math.Log, nil),
		"Reciprocal": unary(func(x float64) float64 { return 1 / x }, nil),
		"Relu": unary(func(x float64) float64 { return max(x, 0) },
			ints(func(x int64) int64 { return max(x, 0) })),
		"Not":        unary(nil, ints(func(x int64) int64 { return 1 - x })),
		"BitwiseNot": unary(nil, ints(func(x int64) int64 { return ^x })),
		"Identity": func(c *Call) []*Tensor {
			return []*Tensor{expand(c.need(0), c.need(0).Shape)}
		},
		"Add": folded(func(a, b float64) float64 { return a + b }, add),
		"Sum": folded(func(a, b float64) float64 { return a + b }, add),
		"Sub": folded(func(a, b float64) float64 { return a - b },
			func(a, b int64, _ Type) int64 { return a - b }),
		"Mul": folded(func(a, b float64) float64 { return a * b },
			func(a, b int64, _ Type) int64 { return a * b }),
		"Div": folded(func(a, b float64) float64 { return a / b }, intDiv),
		"Pow": folded(math.Pow, intPow),
		"Mod": mod,
		"Max": folded(math.Max, larger), "Min": folded(math.Min, smaller),
		"And":            folded(nil, func(a, b int64, _ Type) int64 { return a & b }),
		"Or":             folded(nil, func(a, b int64, _ Type) int64 { return a | b }),
		"Xor":            folded(nil, func(a, b int64, _ Type) int64 { return a ^ b }),
		"BitwiseAnd":     folded(nil, func(a, b int64, _ Type) int64 { return a & b }),
		"BitwiseOr":      folded(nil, func(a, b int64, _ Type) int64 { return a | b }),
		"BitwiseXor":     folded(nil, func(a, b int64, _ Type) int64 { return a ^ b }),
		"BitShift":       shift,
		"Equal":          compare(func(o int, un bool) bool { return o == 0 && !un }),
		"Less":           compare(func(o int, un bool) bool { return o < 0 && !un }),
		"Greater":        compare(func(o int, un bool) bool { return o > 0 && !un }),
		"LessOrEqual":    compare(func(o int, un bool) bool { return o <= 0 && !un }),
		"GreaterOrEqual": compare(func(o int, un bool) bool { return o >= 0 && !un }),
		"Where":          where, "Clip": clip, "IsInf": isInf, "IsNaN": isNaN,
		"Cast": func(c *Call) []*Tensor {
			return []*Tensor{Cast(c.need(0), Type(c.Attrs.Int("to", 0)))}
		},
		"CastLike": func(c *Call) []*Tensor { return []*Tensor{Cast(c.need(0), c.need(1).Type)} },
	}
}

func sign(x float64) float64 {
	if x != x {
		return x
	}
	return float64(cmp(x, 0))
}
