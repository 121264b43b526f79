package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// optim writes what an update of parameters needs.
func optim() {
	for _, s := range isas {
		s.adam()
		if s.single() {
			s.squares()
		}
	}
}

// adam is AdamStep.Update: the same operations in the same order, none of them fused.
func (s isa) adam() {
	elem := pick(s, "float32", "float64")
	TEXT("adam"+s.name, attr.NOSPLIT, fmt.Sprintf("func(c *byte, p, dp, m, v, largest *%s, n int)", elem))
	c := Load(Param("c"), GP64()) // the fields of AdamStep, in their order
	field := func(i int) reg.VecVirtual {
		x := s.v()
		s.broadcast(Mem{Base: c, Disp: i * s.size}, x)
		return x
	}
	beta1, rest1, beta2, rest2 := field(0), field(1), field(2), field(3)
	rate, unbias, eps, penalty, keep := Mem{Base: c, Disp: 4 * s.size}, field(5), Mem{Base: c, Disp: 6 * s.size}, field(7), field(8)
	var ptr [5]reg.Register
	for i, name := range []string{"p", "dp", "m", "v", "largest"} {
		ptr[i] = Load(Param(name), GP64())
	}
	n := Load(Param("n"), GP64())
	s.loop("adam", n, 1, func(off int, i reg.Register, load func(Mem, Op), store func(Op, Mem), pad func(Op, Op)) {
		at := func(k int) Mem { return Mem{Base: ptr[k], Index: i, Scale: 1, Disp: off} }
		p, g, m, v, t := s.v(), s.v(), s.v(), s.v(), s.v()
		load(at(0), p)
		load(at(1), g)
		s.mul(penalty, p, t)
		s.add(g, t, g)
		load(at(2), m)
		s.mul(beta1, m, m)
		s.mul(rest1, g, t)
		s.add(m, t, m)
		store(m, at(2))
		load(at(3), v)
		s.mul(beta2, v, v)
		s.mul(rest2, g, t)
		s.mul(t, g, t)
		s.add(v, t, v)
		store(v, at(3))
		load(at(4), t) // v itself, without AMSGrad
		s.max(t, v, v)
		s.orNaN(t, v)
		store(v, at(4))
		s.mul(v, unbias, v)
		pick(s, VSQRTPS, VSQRTPD)(v, v)
		s.broadcast(eps, t)
		s.add(v, t, v)
		s.broadcast(rate, t)
		s.mul(m, t, m)
		s.div(m, v, m)
		s.mul(p, keep, p)
		s.sub(p, m, p)
		store(p, at(0))
	})
	VZEROUPPER()
	RET()
}

// squares is SumSquares of float32: four partial sums of float64.
func (s isa) squares() {
	TEXT("squares"+s.name, attr.NOSPLIT, "func(x *float32, n int) float64")
	x, n := Load(Param("x"), GP64()), Load(Param("n"), GP64())
	d := isa{s.name, s.bytes, 8, s.avx512}
	half := func() reg.VecVirtual {
		if s.avx512 {
			return YMM()
		}
		return XMM()
	}
	var acc [4]reg.VecVirtual
	for i := range acc {
		acc[i] = s.v()
		s.zero(acc[i])
	}
	i := GP64()
	XORQ(i, i)
	square := func(v Op, acc reg.VecVirtual) {
		w := s.v()
		VCVTPS2PD(v, w)
		d.fma(w, w, acc)
	}
	for _, u := range []int{len(acc), 1} {
		l := fmt.Sprintf("squares%d", u)
		SUBQ(U8(u*d.lanes()), n)
		JL(LabelRef(l + "end"))
		Label(l)
		for j := range u {
			v := half()
			VMOVUPS(Mem{Base: x, Index: i, Scale: 4, Disp: j * s.bytes / 2}, v)
			square(v, acc[j])
		}
		ADDQ(U32(u*d.lanes()), i)
		SUBQ(U8(u*d.lanes()), n)
		JGE(LabelRef(l))
		Label(l + "end")
		ADDQ(U8(u*d.lanes()), n)
	}
	JE(LabelRef("squaresdone"))
	Label("squaresrest") // one by one
	v := XMM()
	VMOVSS(Mem{Base: x, Index: i, Scale: 4}, v) // the other lanes are 0
	if s.avx512 {
		square(v.AsY(), acc[0])
	} else {
		square(v, acc[0])
	}
	INCQ(i)
	DECQ(n)
	JNE(LabelRef("squaresrest"))
	Label("squaresdone")
	d.add(acc[0], acc[1], acc[0])
	d.add(acc[2], acc[3], acc[2])
	d.add(acc[0], acc[2], acc[0])
	Store(d.fold(acc[0], d.add), ReturnIndex(0))
	VZEROUPPER()
	RET()
}
