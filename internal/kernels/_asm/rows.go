package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// rows writes what works on many short rows in one call.
func rows() {
	for _, s := range isas {
		s.addRows()
		s.sumRows()
		s.spreadRows()
	}
}

// addRows is dst[j] += src[r*stride+j] for one row r after another.
func (s isa) addRows() {
	elem := pick(s, "float32", "float64")
	TEXT("addRows"+s.name, attr.NOSPLIT,
		fmt.Sprintf("func(dst, src *%s, stride, rows, n int)", elem))
	dst, src := Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	stride, rows := Load(Param("stride"), GP64()), Load(Param("rows"), GP64())
	n := Load(Param("n"), GP64())
	SHLQ(U8(map[bool]int{true: 2, false: 3}[s.single()]), stride)
	s.addedRows("", dst, src, stride, rows, n, nil)
	VZEROUPPER()
	RET()
}

// factors are numbers of which each row has one, so many bytes apart.
type factors struct{ at, apart reg.Register }

// addedRows adds rows of n elements, so many bytes apart, to dst, each by its factor if there are
// factors. It goes through the rows once for each strip of columns that registers hold.
func (s isa) addedRows(name string, dst, src, apart, rows, n reg.Register, by *factors) {
	block := func(label string, vectors int, load func(Mem, Op), store func(Op, Mem)) {
		var acc []reg.VecVirtual
		for j := range vectors {
			acc = append(acc, s.v())
			load(Mem{Base: dst, Disp: j * s.bytes}, acc[j])
		}
		p, r, factor, one := GP64(), GP64(), GP64(), s.v()
		MOVQ(src, p)
		MOVQ(rows, r)
		if by != nil {
			MOVQ(by.at, factor)
		}
		Label(label + "Row")
		if by != nil {
			s.broadcast(Mem{Base: factor}, one)
			ADDQ(by.apart, factor)
		}
		for j := range vectors {
			v := s.v()
			load(Mem{Base: p, Disp: j * s.bytes}, v)
			if by != nil {
				s.mul(v, one, v)
			}
			s.add(acc[j], v, acc[j])
		}
		ADDQ(apart, p)
		DECQ(r)
		JNZ(LabelRef(label + "Row"))
		for j := range vectors {
			store(acc[j], Mem{Base: dst, Disp: j * s.bytes})
		}
		ADDQ(U32(vectors*s.bytes), dst)
		ADDQ(U32(vectors*s.bytes), src)
	}
	for _, vectors := range []int{4, 1} {
		label := fmt.Sprintf("%sStrip%d", name, vectors)
		Label(label)
		CMPQ(n, U8(vectors*s.lanes()))
		JL(LabelRef(label + "Done"))
		block(label, vectors, func(m Mem, v Op) { s.load(m, v) },
			func(v Op, m Mem) { s.store(v, m) })
		SUBQ(U8(vectors*s.lanes()), n)
		JMP(LabelRef(label))
		Label(label + "Done")
	}
	TESTQ(n, n)
	JZ(LabelRef(name + "Done"))
	load, store, _ := s.masked(n)
	block(name+"Rest", 1, load, store)
	Label(name + "Done")
}

// sumRows is dst[r] = the sum of the n elements at src[r*stride], in the order of sum.
func (s isa) sumRows() {
	elem := pick(s, "float32", "float64")
	TEXT("sumRows"+s.name, attr.NOSPLIT,
		fmt.Sprintf("func(dst, src *%s, stride, rows, n int)", elem))
	dst, x := Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	stride, rows := Load(Param("stride"), GP64()), Load(Param("rows"), GP64())
	all := Load(Param("n"), GP64())
	SHLQ(U8(map[bool]int{true: 2, false: 3}[s.single()]), stride)
	Label("row")
	n := GP64()
	MOVQ(all, n)
	var acc [4]reg.VecVirtual
	for i := range acc {
		acc[i] = s.v()
		s.zero(acc[i])
	}
	s.loop("sum", n, len(acc), func(off int, i reg.Register, load func(Mem, Op), _ func(Op, Mem),
		_ func(Op, Op)) {
		v, a := s.v(), acc[off/s.bytes]
		load(Mem{Base: x, Index: i, Scale: 1, Disp: off}, v)
		s.add(a, v, a)
	})
	s.add(acc[0], acc[1], acc[0])
	s.add(acc[2], acc[3], acc[2])
	s.add(acc[0], acc[2], acc[0])
	pick(s, VMOVSS, VMOVSD)(s.fold(acc[0], s.add), Mem{Base: dst})
	ADDQ(U8(s.size), dst)
	ADDQ(stride, x)
	DECQ(rows)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// spreadRows is dst[r*n+j] = src[r*stride].
func (s isa) spreadRows() {
	elem := pick(s, "float32", "float64")
	TEXT("spreadRows"+s.name, attr.NOSPLIT,
		fmt.Sprintf("func(dst, src *%s, stride, rows, n int)", elem))
	dst, src := Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	stride, rows := Load(Param("stride"), GP64()), Load(Param("rows"), GP64())
	n := Load(Param("n"), GP64())
	shift := U8(map[bool]int{true: 2, false: 3}[s.single()])
	SHLQ(shift, stride)
	v, whole, left := s.v(), GP64(), GP64()
	MOVQ(n, left)
	ANDQ(U8(s.lanes()-1), left)
	MOVQ(n, whole)
	SUBQ(left, whole)
	SHLQ(shift, whole)
	Label("row")
	s.broadcast(Mem{Base: src}, v)
	i := GP64()
	XORQ(i, i)
	Label("vector")
	CMPQ(i, whole)
	JGE(LabelRef("vectorDone"))
	s.store(v, Mem{Base: dst, Index: i, Scale: 1})
	ADDQ(U8(s.bytes), i)
	JMP(LabelRef("vector"))
	Label("vectorDone")
	ADDQ(i, dst)
	k := GP64()
	MOVQ(left, k)
	Label("element")
	TESTQ(k, k)
	JZ(LabelRef("rowDone"))
	pick(s, VMOVSS, VMOVSD)(v.AsX(), Mem{Base: dst})
	ADDQ(U8(s.size), dst)
	DECQ(k)
	JMP(LabelRef("element"))
	Label("rowDone")
	ADDQ(stride, src)
	DECQ(rows)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}
