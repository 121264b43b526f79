package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func pack() {
	copyRows(isas[0])
	copyRows(isas[1])
	transpose(isa{"F32AVX2", 32, 4, false})
	transpose(isa{"F64AVX2", 32, 8, false})
}

const copyVectors = 3 // the widest panel

// copyRows writes dst[p*ldd+j] = src[p*lds+j] for the first 1 to 48 columns (24 of float64).
func copyRows(s isa) {
	TEXT("copyRows"+s.name, attr.NOSPLIT, "func(dst *byte, ldd int, src *byte, lds int, rows int, cols int)")
	Doc("copyRows" + s.name + " copies rows of at most three vectors; the strides are in bytes.")
	dst, ldd := Load(Param("dst"), GP64()), Load(Param("ldd"), GP64())
	src, lds := Load(Param("src"), GP64()), Load(Param("lds"), GP64())
	rows, cols := Load(Param("rows"), GP64()), Load(Param("cols"), reg.RCX)
	mask, one, part := GP64(), GP64(), K()
	// 2^cols − 1 shifted down to the last vector
	for v := copyVectors; v > 1; v-- {
		CMPQ(cols, U8((v-1)*s.lanes()))
		JG(LabelRef(fmt.Sprintf("copy%d", v)))
	}
	for v := 1; v <= copyVectors; v++ {
		l := fmt.Sprintf("copy%d", v)
		Label(l)
		SUBQ(U8((v-1)*s.lanes()), cols)
		MOVQ(U32(1), one)
		MOVQ(one, mask)
		SHLQ(reg.CL, mask)
		SUBQ(one, mask)
		KMOVW(mask.As32(), part)
		Label(l + "row")
		z := ZMM()
		for j := range v - 1 {
			s.load(Mem{Base: src, Disp: j * s.bytes}, z)
			s.store(z, Mem{Base: dst, Disp: j * s.bytes})
		}
		pick(s, VMOVUPS_Z, VMOVUPD_Z)(Mem{Base: src, Disp: (v - 1) * s.bytes}, part, z)
		pick(s, VMOVUPS, VMOVUPD)(z, part, Mem{Base: dst, Disp: (v - 1) * s.bytes})
		ADDQ(lds, src)
		ADDQ(ldd, dst)
		DECQ(rows)
		JNE(LabelRef(l + "row"))
		VZEROUPPER()
		RET()
	}
}

// transpose writes dst[j*ldd+i] = src[i*lds+j], in square blocks of one vector.
func transpose(s isa) {
	TEXT("transpose"+s.name, attr.NOSPLIT, "func(dst *byte, ldd int, src *byte, lds int, rows int, cols int)")
	Doc("transpose" + s.name + " transposes a matrix with whole numbers of blocks; the strides are in bytes.")
	n := s.lanes()
	dst, ldd := Load(Param("dst"), GP64()), Load(Param("ldd"), GP64())
	src, lds := Load(Param("src"), GP64()), Load(Param("lds"), GP64())
	rows := Load(Param("rows"), GP64())
	cols, from, to := GP64(), GP64(), GP64()
	lds3, ldd3, src4, dst4 := GP64(), GP64(), GP64(), GP64()
	LEAQ(Mem{Base: lds, Index: lds, Scale: 2}, lds3)
	LEAQ(Mem{Base: ldd, Index: ldd, Scale: 2}, ldd3)
	// row is one of the eight rows at base; base4 is four rows on
	row := func(base, base4, ld, ld3 reg.Register, i int) Mem {
		m := Mem{Base: base}
		if i >= 4 {
			m.Base = base4
		}
		switch i % 4 {
		case 1, 2:
			m.Index, m.Scale = ld, uint8(i%4)
		case 3:
			m.Index, m.Scale = ld3, 1
		}
		return m
	}
	Label("rows")
	Load(Param("cols"), cols)
	MOVQ(src, from)
	MOVQ(dst, to)
	Label("cols")
	LEAQ(Mem{Base: from, Index: lds, Scale: 4}, src4)
	LEAQ(Mem{Base: to, Index: ldd, Scale: 4}, dst4)
	v := s.halves(func(i int) Mem { return row(from, src4, lds, lds3, i) })
	out := s.transposeWithin(v)
	for j := range n {
		VMOVUPS(out[j], row(to, dst4, ldd, ldd3, j))
	}
	ADDQ(U8(32), from)
	LEAQ(Mem{Base: to, Index: ldd, Scale: uint8(n)}, to)
	SUBQ(U8(n), cols)
	JNE(LabelRef("cols"))
	LEAQ(Mem{Base: src, Index: lds, Scale: uint8(n)}, src)
	ADDQ(U8(32), dst)
	SUBQ(U8(n), rows)
	JNE(LabelRef("rows"))
	VZEROUPPER()
	RET()
}

// halves loads a square block of one vector a row: vector i takes its lower half from row i and its
// upper half from row i+n/2, so that what is left is a transposition within 128 bits.
func (s isa) halves(row func(i int) Mem) []reg.VecVirtual {
	n := s.lanes()
	half := n / 2
	v := make([]reg.VecVirtual, n)
	for i := range n {
		v[i] = YMM()
	}
	for i := range half {
		for h := range 2 { // the halves of the columns
			lower, upper := row(i), row(i+half)
			lower.Disp, upper.Disp = 16*h, 16*h
			z := v[i+half*h]
			VMOVUPS(lower, z.AsX())
			VINSERTF128(U8(1), upper, z, z)
		}
	}
	return v
}

// transposeWithin transposes the blocks of 128 bits of the vectors that halves loaded.
func (s isa) transposeWithin(v []reg.VecVirtual) []reg.VecVirtual {
	out := make([]reg.VecVirtual, len(v))
	if s.single() {
		for h := range 2 {
			q := v[4*h : 4*h+4]
			a, b, c, d := YMM(), YMM(), YMM(), YMM()
			VUNPCKLPS(q[1], q[0], a)
			VUNPCKHPS(q[1], q[0], b)
			VUNPCKLPS(q[3], q[2], c)
			VUNPCKHPS(q[3], q[2], d)
			for i, lo := range []bool{true, false} {
				mask := U8(0x44)
				if !lo {
					mask = 0xee
				}
				out[4*h+i], out[4*h+2+i] = YMM(), YMM()
				VSHUFPS(mask, c, a, out[4*h+i])
				VSHUFPS(mask, d, b, out[4*h+2+i])
			}
		}
	} else {
		for h := range 2 {
			q := v[2*h : 2*h+2]
			out[2*h], out[2*h+1] = YMM(), YMM()
			VUNPCKLPD(q[1], q[0], out[2*h])
			VUNPCKHPD(q[1], q[0], out[2*h+1])
		}
	}
	return out
}
