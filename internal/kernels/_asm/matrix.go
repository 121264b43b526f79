package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// matrices are the functions of rows of one matrix, in the order of the constants in matrix.go.
var matrices = []struct {
	name string
	body func(s isa, name string, p matrixParams)
}{
	{"scaleRows", byRow("x s", func(s isa, x, _, by, _, out reg.VecVirtual) {
		s.mul(x, by, out)
	})},
	{"mulRows", byRow("x b", func(s isa, x, b, _, _, out reg.VecVirtual) { s.mul(x, b, out) })},
	{"outer", byRow("b a", func(s isa, _, b, _, a, out reg.VecVirtual) { s.mul(a, b, out) })},
	{"addOuter", byRow("x b s a", func(s isa, x, b, by, a, out reg.VecVirtual) {
		s.mul(x, by, x)
		s.mul(a, b, b)
		s.add(x, b, out)
	})},
	{"subOuter", byRow("x b s a", func(s isa, x, b, by, a, out reg.VecVirtual) {
		s.mul(x, by, x)
		s.mul(a, b, b)
		s.sub(x, b, out)
	})},
	{"addScaledRows", isa.addScaledRows},
	{"dotRows", isa.dotRows},
}

// matrixParams loads parameters, and strides in bytes.
type matrixParams struct {
	load   func(name string) reg.Register
	stride func(name string) reg.Register
}

// matrix writes one function for all that works on rows of a matrix; its first argument chooses.
func matrix() {
	for _, s := range isas {
		elem := pick(s, "float32", "float64")
		TEXT("matrix"+s.name, attr.NOSPLIT, fmt.Sprintf(
			"func(op int, dst, x, b, s, a *%s, sStride, aStride, bStride, rows, n int)", elem))
		op := Load(Param("op"), GP64())
		for i, m := range matrices {
			CMPQ(op, U8(i))
			JE(LabelRef(m.name))
		}
		RET()
		p := matrixParams{load: func(name string) reg.Register { return Load(Param(name), GP64()) }}
		p.stride = func(name string) reg.Register {
			r := p.load(name)
			SHLQ(U8(map[bool]int{true: 2, false: 3}[s.single()]), r)
			return r
		}
		for _, m := range matrices {
			Label(m.name)
			m.body(s, m.name, p)
			VZEROUPPER()
			RET()
		}
	}
}

// byRow is a function of a row of x, a row b that is the same for all, and of one element each of s
// and a for a row; of these it reads those that reads names.
func byRow(reads string, f func(s isa, x, b, by, a, out reg.VecVirtual)) func(isa, string,
	matrixParams) {
	return func(s isa, name string, p matrixParams) {
		has := map[string]bool{}
		var letters []string
		for _, c := range reads {
			if c != ' ' {
				has[string(c)] = true
				letters = append(letters, string(c))
			}
		}
		at := map[string]reg.Register{}
		for _, c := range letters {
			at[c] = p.load(c)
		}
		step := map[string]reg.Register{}
		for _, c := range []string{"s", "a"} {
			if has[c] {
				step[c] = p.stride(c + "Stride")
			}
		}
		dst, rows, all := p.load("dst"), p.load("rows"), p.load("n")
		one := map[string]reg.VecVirtual{"s": s.v(), "a": s.v()}
		Label(name + "Row")
		for _, c := range []string{"s", "a"} {
			if has[c] {
				s.broadcast(Mem{Base: at[c]}, one[c])
				ADDQ(step[c], at[c])
			}
		}
		n := GP64()
		MOVQ(all, n)
		s.loop(name+"Part", n, 4, func(off int, i reg.Register, load func(Mem, Op),
			store func(Op, Mem), _ func(Op, Op)) {
			v := map[string]reg.VecVirtual{"x": s.v(), "b": s.v()}
			for _, c := range []string{"x", "b"} {
				if has[c] {
					load(Mem{Base: at[c], Index: i, Scale: 1, Disp: off}, v[c])
				}
			}
			out := s.v()
			f(s, v["x"], v["b"], one["s"], one["a"], out)
			store(out, Mem{Base: dst, Index: i, Scale: 1, Disp: off})
		})
		bytes := GP64()
		MOVQ(all, bytes)
		SHLQ(U8(map[bool]int{true: 2, false: 3}[s.single()]), bytes)
		ADDQ(bytes, dst)
		if has["x"] {
			ADDQ(bytes, at["x"])
		}
		DECQ(rows)
		JNZ(LabelRef(name + "Row"))
	}
}

// addScaledRows is dst[j] += a[r·aStride]·x[r·n+j] for one row r after another.
func (s isa) addScaledRows(name string, p matrixParams) {
	dst, x, a, step := p.load("dst"), p.load("x"), p.load("a"), p.stride("aStride")
	rows, n, width := p.load("rows"), p.load("n"), p.stride("n")
	s.addedRows(name, dst, x, width, rows, n, &factors{a, step})
}

// dotRows is dst[r] = the sum over j of x[r·n+j]·b[r·bStride+j], in the order of sum.
func (s isa) dotRows(name string, p matrixParams) {
	dst, x, b, step := p.load("dst"), p.load("x"), p.load("b"), p.stride("bStride")
	rows, all, width := p.load("rows"), p.load("n"), p.stride("n")
	Label(name + "Row")
	n := GP64()
	MOVQ(all, n)
	var acc [4]reg.VecVirtual
	for i := range acc {
		acc[i] = s.v()
		s.zero(acc[i])
	}
	s.loop(name+"Part", n, len(acc), func(off int, i reg.Register, load func(Mem, Op),
		_ func(Op, Mem), _ func(Op, Op)) {
		v, w, sum := s.v(), s.v(), acc[off/s.bytes]
		load(Mem{Base: x, Index: i, Scale: 1, Disp: off}, v)
		load(Mem{Base: b, Index: i, Scale: 1, Disp: off}, w)
		s.mul(v, w, v)
		s.add(sum, v, sum)
	})
	s.add(acc[0], acc[1], acc[0])
	s.add(acc[2], acc[3], acc[2])
	s.add(acc[0], acc[2], acc[0])
	pick(s, VMOVSS, VMOVSD)(s.fold(acc[0], s.add), Mem{Base: dst})
	ADDQ(U8(s.size), dst)
	ADDQ(width, x)
	ADDQ(step, b)
	DECQ(rows)
	JNZ(LabelRef(name + "Row"))
}
