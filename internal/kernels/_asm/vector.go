package main

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// kernel is the body of an element-wise function: it takes one vector of every operand and leaves
// one in out.
type kernel struct {
	name   string
	body   func(s isa, in []reg.VecVirtual, out reg.VecVirtual)
	both   bool // for float64 too
	unroll int
}

// of1 and of2 are bodies that are one function of their operands.
func of1(f func(s isa, x, out reg.VecVirtual)) func(isa, []reg.VecVirtual, reg.VecVirtual) {
	return func(s isa, in []reg.VecVirtual, out reg.VecVirtual) { f(s, in[0], out) }
}

func of2(f func(s isa, x, y, out Op)) func(isa, []reg.VecVirtual, reg.VecVirtual) {
	return func(s isa, in []reg.VecVirtual, out reg.VecVirtual) { f(s, in[0], in[1], out) }
}

// The kernels, in the order of the constants in vector_amd64.go.
var (
	binaries = []kernel{
		{"add", of2(isa.add), true, 4},
		{"sub", of2(isa.sub), true, 4},
		{"mul", of2(isa.mul), true, 4},
		{"div", of2(isa.div), true, 4},
		{"max", func(s isa, in []reg.VecVirtual, out reg.VecVirtual) {
			s.max(in[0], in[1], out) // in[1] if one is NaN
			s.orNaN(in[0], out)
		}, true, 4},
		{"min", func(s isa, in []reg.VecVirtual, out reg.VecVirtual) {
			s.min(in[0], in[1], out)
			s.orNaN(in[0], out)
		}, true, 4},
		{"tanhGrad", func(s isa, in []reg.VecVirtual, out reg.VecVirtual) { // dy·(1 − y²)
			s.load(s.c(1), out)
			s.fnma(in[0], in[0], out)
			s.mul(out, in[1], out)
		}, true, 4},
		{"sigmoidGrad", func(s isa, in []reg.VecVirtual, out reg.VecVirtual) { // dy·(y − y²)
			s.load(in[0], out)
			s.fnma(in[0], in[0], out)
			s.mul(out, in[1], out)
		}, true, 4},
		{"mulAdd", of2(isa.fma), true, 4}, // out is the old dst
	}
	// in[1] is the scalar
	scalars = []kernel{
		{"addScalar", of2(isa.add), true, 4},
		{"mulScalar", of2(isa.mul), true, 4},
		{"axpy", of2(isa.fma), true, 4},
		{"fill", func(s isa, in []reg.VecVirtual, out reg.VecVirtual) {
			s.load(in[1], out)
		}, true, 4},
	}
	unaries = []kernel{
		{"relu", func(s isa, in []reg.VecVirtual, out reg.VecVirtual) {
			s.zero(out)
			s.max(out, in[0], out) // x if it is NaN
		}, true, 4},
		{"sqrt", func(s isa, in []reg.VecVirtual, out reg.VecVirtual) {
			pick(s, VSQRTPS, VSQRTPD)(in[0], out)
		}, true, 4},
		{"exp", of1(isa.exp), false, 2},
		{"log", of1(isa.log), false, 2},
		{"tanh", of1(isa.tanh), false, 2},
		{"sigmoid", of1(isa.sigmoid), false, 2},
		{"softplus", of1(isa.softplus), false, 2},
		{"expm1", of1(isa.expm1), false, 2},
	}
)

// readsDst says which kernels take the old value of dst.
var readsDst = map[string]bool{"mulAdd": true, "axpy": true}

func vector() {
	for _, s := range isas {
		elem := pick(s, "float32", "float64")
		s.family("binary", binaries, "a *"+elem+", b *"+elem)
		s.family("scalar", scalars, "x *"+elem+", s "+elem)
		s.family("unary", unaries, "x *"+elem)
		s.selection()
		s.reductions()
	}
}

// selection is dst = a where c is not 0 (a NaN is not), else b.
func (s isa) selection() {
	elem := pick(s, "float32", "float64")
	TEXT("select"+s.name, attr.NOSPLIT, fmt.Sprintf("func(dst, c, a, b *%s, n int)", elem))
	var ptr [4]reg.Register
	for i, name := range []string{"dst", "c", "a", "b"} {
		ptr[i] = Load(Param(name), GP64())
	}
	n, zero := Load(Param("n"), GP64()), s.v()
	s.zero(zero)
	s.loop("select", n, 4, func(off int, i reg.Register, load func(Mem, Op),
		store func(Op, Mem), pad func(Op, Op)) {
		at := func(k int) Mem { return Mem{Base: ptr[k], Index: i, Scale: 1, Disp: off} }
		c, a, b := s.v(), s.v(), s.v()
		load(at(1), c)
		load(at(2), a)
		load(at(3), b)
		if s.avx512 {
			k := K()
			pick(s, VCMPPS, VCMPPD)(U8(notEqual), zero, c, k)
			pick(s, VMOVAPS, VMOVAPD)(a, k, b)
		} else {
			pick(s, VCMPPS, VCMPPD)(U8(notEqual), zero, c, c)
			pick(s, VBLENDVPS, VBLENDVPD)(c, a, b, b)
		}
		store(b, at(0))
	})
	VZEROUPPER()
	RET()
}

// family writes one function for a family of kernels; its first argument chooses among them.
func (s isa) family(name string, kernels []kernel, operands string) {
	elem := pick(s, "float32", "float64")
	TEXT(name+s.name, attr.NOSPLIT, fmt.Sprintf("func(op int, dst *%s, %s, n int)", elem, operands))
	op, n := Load(Param("op"), GP64()), Load(Param("n"), GP64())
	dst := Load(Param("dst"), GP64())
	var in []reg.Register
	scalar := s.v()
	switch name {
	case "binary":
		in = append(in, Load(Param("a"), GP64()), Load(Param("b"), GP64()))
	case "scalar":
		in = append(in, Load(Param("x"), GP64()))
		x := Load(Param("s"), XMM())
		pick(s, VBROADCASTSS, VBROADCASTSD)(x, scalar)
	case "unary":
		in = append(in, Load(Param("x"), GP64()))
	}
	for i, k := range kernels {
		if k.both || s.single() {
			CMPQ(op, U8(i))
			JE(LabelRef(k.name))
		}
	}
	RET()
	for _, k := range kernels {
		if !k.both && !s.single() {
			continue
		}
		Label(k.name)
		s.loop(k.name, n, k.unroll, func(off int, i reg.Register, load func(Mem, Op),
			store func(Op, Mem), pad func(Op, Op)) {
			at := func(p reg.Register) Mem { return Mem{Base: p, Index: i, Scale: 1, Disp: off} }
			var x []reg.VecVirtual
			for _, p := range in {
				x = append(x, s.v())
				load(at(p), x[len(x)-1])
			}
			if name == "scalar" {
				x = append(x, scalar)
			}
			out := s.v()
			if readsDst[k.name] {
				load(at(dst), out)
			}
			k.body(s, x, out)
			store(out, at(dst))
		})
		VZEROUPPER()
		RET()
	}
}

// vectorBody does the vector that lies i+off bytes into the operands, with moves of the whole of
// it, or of a part, whose other elements pad sets.
type vectorBody = func(off int, i reg.Register, load func(Mem, Op), store func(Op, Mem),
	pad func(Op, Op))

// loop writes a loop over n elements: several vectors at a time, one at a time, and the rest under
// a mask.
func (s isa) loop(name string, n reg.Register, unroll int, body vectorBody) {
	i := s.vectors(name, n, unroll, body)
	load, store, pad := s.masked(n)
	body(0, i, load, store, pad)
	Label(name + "done")
}

// vectors is loop as far as the vectors are whole. It leaves in n how many elements remain, of the
// vector at i, and jumps to the label name+"done" if there are none.
func (s isa) vectors(name string, n reg.Register, unroll int, body vectorBody) (i reg.Register) {
	i = GP64()
	XORQ(i, i)
	whole := func(off int) {
		body(off, i, func(m Mem, v Op) { s.load(m, v) }, func(v Op, m Mem) { s.store(v, m) }, nil)
	}
	for _, u := range []int{unroll, 1} {
		l := fmt.Sprintf("%s%d", name, u)
		SUBQ(U8(u*s.lanes()), n)
		JL(LabelRef(l + "end"))
		Label(l)
		for j := range u {
			whole(j * s.bytes)
		}
		ADDQ(U32(u*s.bytes), i)
		SUBQ(U8(u*s.lanes()), n)
		JGE(LabelRef(l))
		Label(l + "end")
		ADDQ(U8(u*s.lanes()), n)
		if u == 1 {
			break
		}
	}
	JE(LabelRef(name + "done"))
	return i
}

// masked are the moves of the first n elements of a vector, n less than its lanes. What is not
// loaded is 0; pad makes it something else.
func (s isa) masked(n reg.Register) (load func(Mem, Op), store func(Op, Mem), pad func(Op, Op)) {
	if s.avx512 {
		one, bits, k, rest := GP64(), GP64(), K(), K()
		MOVQ(n, reg.RCX)
		MOVQ(U32(1), one)
		MOVQ(one, bits)
		SHLQ(reg.CL, bits)
		SUBQ(one, bits)
		KMOVW(bits.As32(), k)
		KNOTW(k, rest)
		return func(m Mem, v Op) { pick(s, VMOVUPS_Z, VMOVUPD_Z)(m, k, v) },
			func(v Op, m Mem) { pick(s, VMOVUPS, VMOVUPD)(v, k, m) },
			func(c, v Op) { pick(s, VMOVUPS, VMOVUPD)(c, rest, v) }
	}
	table, back, mask := GP64(), GP64(), s.v()
	LEAQ(lanes(), table)
	MOVQ(n, back)
	SHLQ(U8(map[bool]int{true: 2, false: 3}[s.single()]), back)
	SUBQ(back, table)
	VMOVUPS(Mem{Base: table, Disp: 32}, mask)
	return func(m Mem, v Op) { pick(s, VMASKMOVPS, VMASKMOVPD)(m, mask, v) },
		func(v Op, m Mem) { pick(s, VMASKMOVPS, VMASKMOVPD)(v, mask, m) },
		func(c, v Op) {
			t := s.v()
			VANDNPS(c, mask, t)
			VORPS(t, v, v)
		}
}

// reductions writes sum, dot and maxOf. Four partial sums go along the slice, the masked rest goes
// to the first, and the sums are folded in halves, so that the order depends on the length alone.
func (s isa) reductions() {
	elem := pick(s, "float32", "float64")
	for _, name := range []string{"sum", "dot", "maxOf"} {
		operands := "x *" + elem
		if name == "dot" {
			operands += ", y *" + elem
		}
		TEXT(name+s.name, attr.NOSPLIT, fmt.Sprintf("func(%s, n int) %s", operands, elem))
		n, x, y := Load(Param("n"), GP64()), Load(Param("x"), GP64()), reg.Register(nil)
		if name == "dot" {
			y = Load(Param("y"), GP64())
		}
		var acc [4]reg.VecVirtual
		bad := s.v() // where a NaN was seen
		for i := range acc {
			acc[i] = s.v()
			if name == "maxOf" {
				s.load(s.c(math.Inf(-1)), acc[i])
			} else {
				s.zero(acc[i])
			}
		}
		s.zero(bad)
		s.loop(name, n, len(acc), func(off int, i reg.Register, load func(Mem, Op),
			store func(Op, Mem), pad func(Op, Op)) {
			at := func(p reg.Register) Mem { return Mem{Base: p, Index: i, Scale: 1, Disp: off} }
			v, a := s.v(), acc[off/s.bytes]
			load(at(x), v)
			if name == "maxOf" && pad != nil {
				inf := s.v()
				s.load(s.c(math.Inf(-1)), inf)
				pad(inf, v)
			}
			switch name {
			case "sum":
				s.add(a, v, a)
			case "dot":
				w := s.v()
				load(at(y), w)
				s.fma(v, w, a)
			case "maxOf":
				s.max(v, a, a)
				s.orNaN(v, bad)
			}
		})
		fold := s.add
		if name == "maxOf" {
			fold = s.max
		}
		fold(acc[0], acc[1], acc[0])
		fold(acc[2], acc[3], acc[2])
		fold(acc[0], acc[2], acc[0])
		result := s.fold(acc[0], fold)
		if name == "maxOf" {
			// bad holds nothing but zeros and NaNs
			nan := s.fold(bad, s.add)
			s.add(result, nan, result)
		}
		Store(result, ReturnIndex(0))
		VZEROUPPER()
		RET()
	}
}

// fold folds a vector in halves, down to its first element.
func (s isa) fold(v reg.VecVirtual, op func(x, y, z Op)) reg.Register {
	y, upper := v.AsY(), YMM()
	if s.avx512 {
		pick(s, VEXTRACTF32X8, VEXTRACTF64X4)(U8(1), v, upper)
		op(y, upper, y)
	}
	x, other := v.AsX(), XMM()
	VEXTRACTF128(U8(1), y, other)
	op(x, other, x)
	if s.single() {
		VMOVHLPS(x, x, other)
		op(x, other, x)
		VMOVSHDUP(x, other)
	} else {
		VUNPCKHPD(x, x, other)
	}
	op(x, other, x)
	return x
}
