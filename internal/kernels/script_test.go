package kernels

import (
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/rng"
)

// scripted is what each operation of a script is to compute.
var scripted = map[Scripted]func(dst, a, b, c []float32, p, q float32){
	ScriptAdd:         func(dst, a, b, _ []float32, _, _ float32) { Add(dst, a, b) },
	ScriptSub:         func(dst, a, b, _ []float32, _, _ float32) { Sub(dst, a, b) },
	ScriptMul:         func(dst, a, b, _ []float32, _, _ float32) { Mul(dst, a, b) },
	ScriptDiv:         func(dst, a, b, _ []float32, _, _ float32) { Div(dst, a, b) },
	ScriptMax:         func(dst, a, b, _ []float32, _, _ float32) { Max(dst, a, b) },
	ScriptMin:         func(dst, a, b, _ []float32, _, _ float32) { Min(dst, a, b) },
	ScriptTanhGrad:    func(dst, a, b, _ []float32, _, _ float32) { TanhGrad(dst, a, b) },
	ScriptSigmoidGrad: func(dst, a, b, _ []float32, _, _ float32) { SigmoidGrad(dst, a, b) },
	ScriptReLU:        func(dst, a, _, _ []float32, _, _ float32) { Relu(dst, a) },
	ScriptSqrt:        func(dst, a, _, _ []float32, _, _ float32) { Sqrt(dst, a) },
	ScriptExp:         func(dst, a, _, _ []float32, _, _ float32) { Exp(dst, a) },
	ScriptLog:         func(dst, a, _, _ []float32, _, _ float32) { Log(dst, a) },
	ScriptTanh:        func(dst, a, _, _ []float32, _, _ float32) { Tanh(dst, a) },
	ScriptSigmoid:     func(dst, a, _, _ []float32, _, _ float32) { Sigmoid(dst, a) },
	ScriptSoftplus:    func(dst, a, _, _ []float32, _, _ float32) { Softplus(dst, a) },
	ScriptExpm1:       func(dst, a, _, _ []float32, _, _ float32) { Expm1(dst, a) },
	ScriptCopy:        func(dst, a, _, _ []float32, _, _ float32) { copy(dst, a) },
	ScriptSquare:      each1(func(x float32) float32 { return x * x }),
	ScriptAbs:         each1(func(x float32) float32 { return float32(math.Abs(float64(x))) }),
	ScriptInverse:     each1(func(x float32) float32 { return 1 / x }),
	ScriptPositive:    each1(func(x float32) float32 { return truth(x > 0) }),
	ScriptSign:        each1(func(x float32) float32 { return truth(x > 0) - truth(x < 0) }),
	ScriptScale:       func(dst, a, _, _ []float32, p, _ float32) { MulScalar(dst, a, p) },
	ScriptShift:       func(dst, a, _, _ []float32, _, q float32) { AddScalar(dst, a, q) },
	ScriptAffine: func(dst, a, _, _ []float32, p, q float32) {
		MulScalar(dst, a, p)
		AddScalar(dst, dst, q)
	},
	ScriptLt:     each2(func(x, y float32) float32 { return truth(x < y) }),
	ScriptLe:     each2(func(x, y float32) float32 { return truth(x <= y) }),
	ScriptGt:     each2(func(x, y float32) float32 { return truth(x > y) }),
	ScriptGe:     each2(func(x, y float32) float32 { return truth(x >= y) }),
	ScriptEq:     each2(func(x, y float32) float32 { return truth(x == y) }),
	ScriptNe:     each2(func(x, y float32) float32 { return truth(x != y) }),
	ScriptSelect: func(dst, a, b, c []float32, _, _ float32) { Select(dst, a, b, c) },
	ScriptFill:   func(dst, _, _, _ []float32, p, _ float32) { Fill(dst, p) },
	ScriptSpread: func(dst, a, _, _ []float32, _, _ float32) { Fill(dst, a[0]) },
}

// init adds the pairs: one function after the other.
func init() {
	for i, f := range firsts {
		for k, g := range seconds {
			first, second, at := scripted[f], scripted[g.kind], g.at
			arity := f.Arity()
			kind := scriptPairs + Scripted(i*len(seconds)+k)
			scripted[kind] = func(dst, a, b, c []float32, p, q float32) {
				mid, others := make([]float32, len(dst)), [][]float32{a, b, c}[arity:]
				first(mid, a, b, nil, p, q)
				in := slices.Insert(append([][]float32{}, others...), at, mid)
				in = append(in, nil, nil)
				second(dst, in[0], in[1], in[2], p, q)
			}
		}
	}
}

func truth(b bool) float32 {
	if b {
		return 1
	}
	return 0
}

func each1(f func(float32) float32) func(dst, a, b, c []float32, p, q float32) {
	return func(dst, a, _, _ []float32, _, _ float32) {
		for i, x := range a {
			dst[i] = f(x)
		}
	}
}

func each2(f func(x, y float32) float32) func(dst, a, b, c []float32, p, q float32) {
	return func(dst, a, b, _ []float32, _, _ float32) {
		for i, x := range a {
			dst[i] = f(x, b[i])
		}
	}
}

// edgy draws numbers among which the odd ones are frequent.
func edgy(r *rng.Stream, n int) []float32 {
	odd := []float32{0, float32(math.Copysign(0, -1)), 1, -1, float32(math.NaN()),
		float32(math.Inf(1)), float32(math.Inf(-1)), 1e-40, -1e-40, 3e38, 100, -100}
	x := make([]float32, n)
	for i := range x {
		if x[i] = float32(r.Normal()) * 3; r.Intn(4) == 0 {
			x[i] = odd[r.Intn(len(odd))]
		}
	}
	return x
}

// sameBits holds got to want, but for the bits of a NaN.
func sameBits(t *testing.T, want, got []float32, what ...any) {
	t.Helper()
	for i := range want {
		if math.Float32bits(want[i]) != math.Float32bits(got[i]) &&
			!(math.IsNaN(float64(want[i])) && math.IsNaN(float64(got[i]))) {
			require.Failf(t, "other bits", "%v, element %d: %v for %v", what, i, got[i], want[i])
		}
	}
}

// held keeps slices that slots know by address alone: on the heap, and until the test ends.
func held(t *testing.T, s ...[]float32) { t.Cleanup(func() { runtime.KeepAlive(s) }) }

// Every operation gives the bits of its function, over any number of columns, and writes nothing
// beyond them.
func TestScriptOperations(t *testing.T) {
	needScripts(t)
	r := &rng.Stream{Key: rng.New(1)}
	last := scriptPairs + Scripted(len(firsts)*len(seconds)) - 1
	for kind := ScriptNone + 1; kind <= last; kind++ {
		if f, g := kind.pair(); kind >= scriptPairs && firsts[f] == ScriptAffine && seconds[g].kind == ScriptAffine {
			continue // none is made of two that have parameters
		}
		require.Contains(t, scripted, kind)
		for _, n := range []int{1, 2, 15, 16, 17, 63, 64, 65, 127, 128, 129, 200, 256, 333} {
			a, b, c := edgy(r, n), edgy(r, n), edgy(r, n)
			want, got := make([]float32, n+1), edgy(r, n+1)
			held(t, got, a, b, c)
			want[n] = got[n]
			scripted[kind](want[:n], a, b, c, 0.7, -0.3)
			var slots []ScriptSlot
			for _, s := range [][]float32{got, a, b, c} {
				slots = append(slots, ScriptSlot{At: Address(s), Mask: Across})
			}
			if kind == ScriptSpread {
				slots[1].Mask = Within
			}
			code := []ScriptOp{{Kind: kind, Dst: ScriptAt(0), A: ScriptAt(1), B: ScriptAt(2),
				C: ScriptAt(3), P: 0.7, Q: -0.3}}
			RunScript(&Script{}, []ScriptPart{NewScriptPart(code, slots, 4, 1, n)}, 1)
			sameBits(t, want, got, kind, n)
		}
	}
}

func needScripts(t *testing.T) {
	if !Scripts() {
		t.Skip("no scripts at this level")
	}
}

// A recurrence over steps and rows, with registers, a state in two places in turn, and a number a
// row, is what loops give.
func TestScriptSteps(t *testing.T) {
	needScripts(t)
	r := &rng.Stream{Key: rng.New(2)}
	for _, T := range []int{1, 2, 7} {
		for _, rows := range []int{1, 2, 5} {
			for _, n := range []int{1, 16, 100, 128, 300} {
				x, scale := edgy(r, T*rows*n), edgy(r, T*rows) // [T, rows, n], [T, rows, 1]
				u := edgy(r, n)
				state := make([]float32, 2*rows*n)
				copy(state, edgy(r, rows*n))
				wantState, want := append([]float32{}, state[:rows*n]...), make([]float32, T*rows*n)
				for i := range T * rows {
					h := wantState[i%rows*n:][:n]
					for k := range n {
						v := float32(x[i*n+k] * scale[i])
						h[k] = float32(h[k]*u[k]) + v
						want[i*n+k] = h[k]
					}
				}
				got, register := make([]float32, T*rows*n), make([]float32, 2*ScriptBlock)
				held(t, x, scale, u, state, got, register)
				size := 4 * rows * n
				place := func(s []float32, row, step int) ScriptSlot {
					p := ScriptSlot{At: Address(s), Mask: Across, Row: 4 * row}
					p.Moves(step, 4*row*(rows-1), false)
					return p
				}
				before, after := place(state, n, size), place(state[rows*n:], n, -size)
				before.Moves(size, 4*n*(rows-1), true)
				after.Moves(-size, 4*n*(rows-1), true)
				spread := place(scale, 1, 4*rows)
				spread.Mask = Within
				slots := []ScriptSlot{place(x, n, size), spread, place(u, 0, 0), before, after,
					place(got, n, size), {At: Address(register)},
					{At: Address(register[ScriptBlock:])}}
				op := func(kind Scripted, dst, a, b int) ScriptOp {
					return ScriptOp{Kind: kind, Dst: ScriptAt(dst), A: ScriptAt(a), B: ScriptAt(b)}
				}
				parts := []ScriptPart{NewScriptPart([]ScriptOp{
					op(ScriptSpread, 6, 1, 0), op(ScriptMul, 6, 0, 6), op(ScriptMul, 7, 3, 2),
					op(ScriptAdd, 4, 7, 6), op(ScriptCopy, 5, 4, 0),
				}, slots, 6, rows, n)}
				first := T / 2 // in two runs, the second of which goes on where the first ended
				RunScript(&Script{}, parts, first)
				RunScript(&Script{}, parts, T-first)
				sameBits(t, want, got, T, rows, n)
			}
		}
	}
}
