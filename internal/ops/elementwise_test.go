package ops_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/gradcheck"
	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/nodes"
)

// kind is the independent definition of an element-wise function, and where it is tested.
type kind struct {
	f      func(p, q float64, a []float64) float64
	ranges [][2]float64 // of the operands
	p, q   float64
	fixed  bool // the first operand is not differentiated: the function jumps with it
	stops  bool // the gradient is 0 by definition, not by the function
}

func of1(f func(a float64) float64) func(_, _ float64, a []float64) float64 {
	return func(_, _ float64, a []float64) float64 { return f(a[0]) }
}

func of2(f func(a, b float64) float64) func(_, _ float64, a []float64) float64 {
	return func(_, _ float64, a []float64) float64 { return f(a[0], a[1]) }
}

func indicator(holds func(a, b float64) bool) func(_, _ float64, a []float64) float64 {
	return of2(func(a, b float64) float64 {
		if holds(a, b) {
			return 1
		}
		return 0
	})
}

var (
	around   = [2]float64{-2, 2}
	positive = [2]float64{0.5, 2}
	unary    = [][2]float64{around}
	above0   = [][2]float64{positive}
	binary   = [][2]float64{around, around}
)

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// kinds has every element-wise function. TestEveryKindIsTested holds it against the package.
var kinds = map[ops.Kind]kind{
	"affine": {f: func(p, q float64, a []float64) float64 { return p*a[0] + q }, ranges: unary,
		p: -1.5, q: 0.25},
	"clip": {f: func(p, q float64, a []float64) float64 {
		switch {
		case a[0] < p:
			return p
		case a[0] > q:
			return q
		}
		return a[0]
	}, ranges: unary, p: -1, q: 0.5},
	"within": {f: func(p, q float64, a []float64) float64 {
		if a[0] >= p && a[0] <= q {
			return 1
		}
		return 0
	}, ranges: unary, p: -1, q: 0.5},
	"power": {f: func(p, _ float64, a []float64) float64 { return math.Pow(a[0], p) },
		ranges: above0, p: 2.5},
	"exp":     {f: of1(math.Exp), ranges: unary},
	"log":     {f: of1(math.Log), ranges: above0},
	"log2":    {f: of1(math.Log2), ranges: above0},
	"log1p":   {f: of1(math.Log1p), ranges: above0},
	"expm1":   {f: of1(math.Expm1), ranges: unary},
	"tanh":    {f: of1(math.Tanh), ranges: unary},
	"sigmoid": {f: of1(sigmoid), ranges: unary},
	"relu":    {f: of1(func(a float64) float64 { return (a + math.Abs(a)) / 2 }), ranges: unary},
	"softplus": {f: of1(func(a float64) float64 { return math.Log(1 + math.Exp(a)) }),
		ranges: unary},
	"sqrt":     {f: of1(math.Sqrt), ranges: above0},
	"square":   {f: of1(func(a float64) float64 { return a * a }), ranges: unary},
	"abs":      {f: of1(math.Abs), ranges: unary},
	"inverse":  {f: of1(func(a float64) float64 { return 1 / a }), ranges: above0},
	"sin":      {f: of1(math.Sin), ranges: unary},
	"cos":      {f: of1(math.Cos), ranges: unary},
	"floor":    {f: of1(math.Floor), ranges: unary},
	"ceil":     {f: of1(math.Ceil), ranges: unary},
	"sign":     {f: of1(func(a float64) float64 { return a / math.Abs(a) }), ranges: unary},
	"positive": {f: of1(func(a float64) float64 { return (1 + a/math.Abs(a)) / 2 }), ranges: unary},
	"stop":     {f: of1(func(a float64) float64 { return a }), ranges: unary, stops: true},

	"add": {f: of2(func(a, b float64) float64 { return a + b }), ranges: binary},
	"sub": {f: of2(func(a, b float64) float64 { return a - b }), ranges: binary},
	"mul": {f: of2(func(a, b float64) float64 { return a * b }), ranges: binary},
	"div": {f: of2(func(a, b float64) float64 { return a / b }),
		ranges: [][2]float64{around, positive}},
	"pow": {f: of2(math.Pow), ranges: [][2]float64{positive, around}},
	"max": {f: of2(math.Max), ranges: binary},
	"min": {f: of2(math.Min), ranges: binary},
	"lt":  {f: indicator(func(a, b float64) bool { return a < b }), ranges: binary},
	"le":  {f: indicator(func(a, b float64) bool { return a <= b }), ranges: binary},
	"gt":  {f: indicator(func(a, b float64) bool { return a > b }), ranges: binary},
	"ge":  {f: indicator(func(a, b float64) bool { return a >= b }), ranges: binary},
	"eq":  {f: indicator(func(a, b float64) bool { return a == b }), ranges: binary},
	"ne":  {f: indicator(func(a, b float64) bool { return a != b }), ranges: binary},

	"tanhgrad": {f: of2(func(y, dy float64) float64 { return dy * (1 - y*y) }), ranges: binary},
	"sigmoidgrad": {f: of2(func(y, dy float64) float64 { return dy * y * (1 - y) }),
		ranges: binary},

	"select": {f: func(_, _ float64, a []float64) float64 {
		if a[0] != 0 {
			return a[1]
		}
		return a[2]
	}, ranges: [][2]float64{around, around, around}, fixed: true},
}

func TestEveryKindIsTested(t *testing.T) {
	for _, k := range ops.Kinds() {
		require.Contains(t, kinds, k, "a new element-wise function needs an entry in kinds")
	}
	require.Len(t, kinds, len(ops.Kinds()))
}

// shapes that the operands of a function of 1, 2 and 3 operands are tested with.
var shapes = map[int][][][]int{
	1: {{{}}, {{1}}, {{7}}, {{2, 3}}, {{3, 1, 5}}},
	2: {
		{{2, 3}, {2, 3}}, {{}, {}}, {{}, {3}}, {{5}, {1}}, {{2, 3}, {3}}, {{2, 3}, {2, 1}},
		{{3, 1}, {1, 5}}, {{1}, {1, 1, 1}},
		{{2, 1, 3}, {7, 1}}, {{7, 1, 5}, {7, 3, 5}}, {{1, 1}, {}}, {{2, 1, 1, 3}, {2, 1, 1}},
		{{1, 1, 2}, {3, 1, 1}},
	},
	3: {{{2, 3}, {2, 3}, {2, 3}}, {{2, 1}, {2, 3}, {}}, {{}, {3}, {2, 1}}, {{}, {}, {}},
		{{5, 1, 1}, {1, 3, 1}, {1, 1, 2}}},
}

// operands of a kind: no two lie close to each other, nor any to a multiple of ½.
func (k kind) operands(shapes [][]int) []operand {
	var in []operand
	for i, r := range k.ranges {
		x := gradcheck.Between(0, 1, i, shapes[i]...)
		for j, u := range x.Values {
			cell := (math.Floor(20*u) + 0.4 + 0.1*float64(i)) / 20
			x.Values[j] = float64(float32(r[0] + (r[1]-r[0])*cell))
			if k.fixed && i == 0 {
				x.Values[j] = float64(j % 2)
			}
		}
		in = append(in, operand{Input: x, fixed: k.fixed && i == 0})
	}
	return in
}

func elementwiseCases() []opCase {
	var cases []opCase
	for _, name := range ops.Kinds() {
		k := kinds[name]
		for _, s := range shapes[len(k.ranges)] {
			fn := ops.Elementwise{Kind: name, P: k.p, Q: k.q}
			cases = append(cases, opCase{
				name:  fmt.Sprintf("%s of %v", name, s),
				fn:    func(tensor.Dtype) ops.Operation { return fn },
				in:    k.operands(s),
				stops: k.stops,
				want: func(in []array) array {
					return generate(together(in...), func(ix []int) float64 {
						a := make([]float64, len(in))
						for i, x := range in {
							a[i] = x.repeated(ix)
						}
						return k.f(k.p, k.q, a)
					})
				},
			})
		}
	}
	return cases
}

// edges are arguments at which functions have limits, or stop.
var edges = []float64{0, math.Copysign(0, -1), 1, -1, 0.5, -0.5, 1e-30, 1000, -1000,
	math.MaxFloat32, math.Inf(1), math.Inf(-1), math.NaN()}

// atTheEdges are functions whose definition in kinds is not the limit, or rounds badly.
var atTheEdges = map[ops.Kind]func(a []float64) float64{
	// NaN wins, also against an infinity
	"max":  func(a []float64) float64 { return max(a[0], a[1]) },
	"min":  func(a []float64) float64 { return min(a[0], a[1]) },
	"relu": func(a []float64) float64 { return math.Max(a[0], 0) },
	"softplus": func(a []float64) float64 {
		return math.Max(a[0], 0) + math.Log1p(math.Exp(-math.Abs(a[0])))
	},
	"sign": func(a []float64) float64 {
		switch {
		case a[0] > 0:
			return 1
		case a[0] < 0:
			return -1
		}
		return 0
	},
	"positive": func(a []float64) float64 {
		if a[0] > 0 {
			return 1
		}
		return 0
	},
}

// Every function at its edges: ties, zeros of both signs, infinities, what overflows, NaN.
func TestElementwiseAtTheEdges(t *testing.T) {
	for _, name := range ops.Kinds() {
		t.Run(string(name), func(t *testing.T) {
			k := kinds[name]
			n := len(k.ranges)
			total := int(math.Pow(float64(len(edges)), float64(n)))
			in := make([]operand, n)
			for i := range in {
				in[i].Shape = []int{total}
			}
			for j := range total {
				for i, rest := 0, j; i < n; i, rest = i+1, rest/len(edges) {
					in[i].Values = append(in[i].Values, edges[rest%len(edges)])
				}
			}
			fn := ops.Elementwise{Kind: name, P: k.p, Q: k.q}
			c := opCase{name: string(name), in: in,
				fn: func(tensor.Dtype) ops.Operation { return fn }}
			for _, dtype := range []tensor.Dtype{nodes.Float64, nodes.Float32} {
				for j, got := range c.values(t, dtype, plainly) {
					requireAtTheEdges(t, fn, argumentsAt(in, j, dtype), dtype, got)
				}
			}
		})
	}
}

// argumentsAt are the arguments at place j, as a type rounds them.
func argumentsAt(in []operand, j int, dtype tensor.Dtype) (a []float64) {
	for _, x := range in {
		v := x.Values[j]
		if dtype == nodes.Float32 {
			v = float64(float32(v))
		}
		a = append(a, v)
	}
	return a
}

// requireAtTheEdges holds the value of a function of a to its definition.
func requireAtTheEdges(t *testing.T, fn ops.Elementwise, a []float64, dtype tensor.Dtype,
	got float64) {
	t.Helper()
	if strings.HasSuffix(string(fn.Kind), "grad") && !(math.Abs(a[0]) <= 1) {
		return // not a tanh or sigmoid
	}
	want := kinds[fn.Kind].f(fn.P, fn.Q, a)
	if f := atTheEdges[fn.Kind]; f != nil {
		want = f(a)
	}
	tol := 1e-13
	if dtype == nodes.Float32 {
		want, tol = float64(float32(want)), 3e-7
	}
	same := got == want || math.IsNaN(want) && math.IsNaN(got) ||
		math.Abs(got-want) <= tol*math.Abs(want)
	// A float32 result below the normal numbers, or whose intermediate overflows, may go to 0.
	same = same || dtype == nodes.Float32 && math.Abs(want) < 1e-36 && math.Abs(got) < 1e-36
	require.True(t, same, "%s%v in %v is %v, want %v", fn.Kind, a, dtype, got, want)
}
