package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Offsets into the structures of package kernels.
const (
	ofParts, ofPartCount, ofSteps, ofStep, ofPart, ofRow = 0, 8, 16, 24, 32, 40 // Script

	ofCode, ofCodeBytes, ofSlots, ofMoving, ofRows, ofCols = 0, 8, 16, 24, 32, 40 // ScriptPart
	partBytes                                              = 48

	ofAt, ofMask, ofRowStep, ofNext, ofSum = 0, 8, 16, 24, 32 // ScriptSlot
	slotBytes                              = 40

	ofKind, ofDst, ofA, ofB, ofC, ofP, ofQ = 0, 4, 8, 12, 16, 20, 24 // ScriptOp
	opBytes                                = 32
)

// line is an operation of a script: how many operands it has, and what one vector of it is.
type line struct {
	name  string
	arity int
	body  func(s isa, in []reg.VecVirtual, p, q Mem, out reg.VecVirtual)
}

// lines are the operations in the order of the constants in script.go.
func lines() []line {
	var all []line
	plain := func(ks []kernel, arity int) {
		for _, k := range ks {
			if k.name == "mulAdd" {
				continue
			}
			body := func(s isa, in []reg.VecVirtual, _, _ Mem, out reg.VecVirtual) {
				k.body(s, in, out)
			}
			all = append(all, line{k.name, arity, body})
		}
	}
	plain(binaries, 2)
	plain(unaries, 1)
	one := func(name string, body func(s isa, x reg.VecVirtual, p, q Mem, out reg.VecVirtual)) {
		of := func(s isa, in []reg.VecVirtual, p, q Mem, out reg.VecVirtual) {
			body(s, in[0], p, q, out)
		}
		all = append(all, line{name, 1, of})
	}
	one("copy", func(s isa, x reg.VecVirtual, _, _ Mem, out reg.VecVirtual) { VMOVAPS(x, out) })
	one("square", func(s isa, x reg.VecVirtual, _, _ Mem, out reg.VecVirtual) { s.mul(x, x, out) })
	one("abs", func(s isa, x reg.VecVirtual, _, _ Mem, out reg.VecVirtual) {
		s.and(x, bits32(1<<31-1), out)
	})
	one("inverse", func(s isa, x reg.VecVirtual, _, _ Mem, out reg.VecVirtual) {
		s.load(s.c(1), out)
		s.div(out, x, out)
	})
	one("positive", func(s isa, x reg.VecVirtual, _, _ Mem, out reg.VecVirtual) {
		zero := s.v()
		s.zero(zero)
		s.truth(greater, x, zero, out)
	})
	one("sign", func(s isa, x reg.VecVirtual, _, _ Mem, out reg.VecVirtual) {
		zero, negative := s.v(), s.v()
		s.zero(zero)
		s.truth(greater, x, zero, out)
		s.truth(less, x, zero, negative)
		s.sub(out, negative, out)
	})
	one("scale", func(_ isa, x reg.VecVirtual, p, _ Mem, out reg.VecVirtual) {
		VMULPS_BCST(p, x, out)
	})
	one("shift", func(_ isa, x reg.VecVirtual, _, q Mem, out reg.VecVirtual) {
		VADDPS_BCST(q, x, out)
	})
	one("affine", func(s isa, x reg.VecVirtual, p, q Mem, out reg.VecVirtual) { // rounded twice
		VMULPS_BCST(p, x, out)
		VADDPS_BCST(q, out, out)
	})
	for _, c := range []struct {
		name string
		code uint8
	}{
		{"lt", less}, {"le", lessEqual}, {"gt", greater}, {"ge", greaterEqual}, {"eq", equal},
		{"ne", notEqual},
	} {
		body := func(s isa, in []reg.VecVirtual, _, _ Mem, out reg.VecVirtual) {
			s.truth(c.code, in[0], in[1], out)
		}
		all = append(all, line{c.name, 2, body})
	}
	all = append(all, line{"select", 3, func(s isa, in []reg.VecVirtual, _, _ Mem, out reg.VecVirtual) {
		zero, k := s.v(), K()
		s.zero(zero)
		VCMPPS(U8(notEqual), zero, in[0], k)
		VMOVAPS(in[2], out)
		VMOVAPS(in[1], k, out)
	}})
	all = append(all, line{"fill", 0, func(s isa, _ []reg.VecVirtual, p, _ Mem, out reg.VecVirtual) {
		VBROADCASTSS(p, out)
	}})
	// the element at the first operand
	all = append(all, line{"spread", 1, nil})
	return all
}

// Comparisons, false if an operand is NaN but for notEqual.
const (
	equal, notEqual = 0, 4
	less, lessEqual = 17, 18
	greaterEqual    = 29
	greater         = 30
)

// truth is out = 1 where x compares so to y, else 0.
func (s isa) truth(code uint8, x, y, out reg.VecVirtual) {
	k, one := K(), s.v()
	s.load(s.c(1), one)
	VCMPPS(U8(code), y, x, k)
	VMOVAPS_Z(one, k, out)
}

// script writes the function that runs scripts: for all steps, parts, rows and blocks of columns,
// one operation after another. Operations are found by a tree of comparisons, whose branches the
// processor learns.
func script() {
	s := isas[0]
	loadZeros = true
	TEXT("script"+s.name, attr.NOSPLIT, "func(s *byte)")
	c := &scripter{isa: s, s: Load(Param("s"), GP64()).(reg.GPVirtual), part: GP64(), slots: GP64(),
		code: GP64(), i: GP64(), all: lines()}
	at := func(base reg.Register, off int) Mem { return Mem{Base: base, Disp: off} }
	t := GP64()
	MOVQ(at(c.s, ofSteps), t)
	MOVQ(t, at(c.s, ofStep))
	TESTQ(t, t)
	JLE(LabelRef("end"))
	Label("step")
	MOVQ(at(c.s, ofParts), c.part)
	MOVQ(at(c.s, ofPartCount), t)
	MOVQ(t, at(c.s, ofPart))
	Label("part")
	MOVQ(at(c.part, ofSlots), c.slots)
	MOVQ(at(c.part, ofRows), t)
	MOVQ(t, at(c.s, ofRow))
	Label("row")
	XORQ(c.i, c.i)
	for _, width := range []int{8, 4, 2, 1} {
		c.blocks(width)
	}
	DECQ(at(c.s, ofRow))
	JZ(LabelRef("rowsDone"))
	c.move("rowMove", func(slot, v reg.Register) {
		MOVQ(at(slot, ofRowStep), v)
		ADDQ(v, at(slot, ofAt))
	})
	JMP(LabelRef("row"))
	Label("rowsDone")
	c.move("timeMove", func(slot, v reg.Register) {
		sum := GP64()
		MOVQ(at(slot, ofNext), v)
		MOVQ(at(slot, ofSum), sum)
		ADDQ(v, at(slot, ofAt))
		SUBQ(v, sum)
		MOVQ(sum, at(slot, ofNext))
	})
	ADDQ(U8(partBytes), c.part)
	DECQ(at(c.s, ofPart))
	JNZ(LabelRef("part"))
	DECQ(at(c.s, ofStep))
	JNZ(LabelRef("step"))
	Label("end")
	VZEROUPPER()
	RET()
}

type scripter struct {
	isa
	s, part, slots, code, i reg.GPVirtual
	all                     []line
}

// move changes all slots that move.
func (c *scripter) move(name string, change func(slot, v reg.Register)) {
	slot, end, v := GP64(), GP64(), GP64()
	MOVQ(c.slots, slot)
	MOVQ(Mem{Base: c.part, Disp: ofMoving}, end)
	ADDQ(slot, end)
	CMPQ(slot, end)
	JGE(LabelRef(name + "Done"))
	Label(name)
	change(slot, v)
	ADDQ(U8(slotBytes), slot)
	CMPQ(slot, end)
	JL(LabelRef(name))
	Label(name + "Done")
}

// blocks runs the code on blocks of a width in vectors, as long as there are columns enough; width
// 1 does the rest under a mask.
func (c *scripter) blocks(width int) {
	name := fmt.Sprintf("w%d", width)
	var load, store func(from, to Op)
	Label(name)
	rest := GP64()
	MOVQ(Mem{Base: c.part, Disp: ofCols}, rest)
	SUBQ(c.i, rest)
	if width > 1 {
		CMPQ(rest, U32(width*c.bytes))
		JL(LabelRef(name + "Done"))
		load, store = func(m, v Op) { c.load(m, v) }, func(v, m Op) { c.store(v, m) }
	} else {
		JLE(LabelRef(name + "Done"))
		most := GP64()
		MOVQ(U32(c.bytes), most)
		CMPQ(rest, most)
		CMOVQGT(most, rest)
		SHRQ(U8(2), rest)
		l, st, _ := c.masked(rest)
		load, store = func(m, v Op) { l(m.(Mem), v) }, func(v, m Op) { st(v, m.(Mem)) }
	}
	MOVQ(Mem{Base: c.part, Disp: ofCode}, c.code)
	Label(name + "op")
	kind := GP32()
	MOVL(Mem{Base: c.code, Disp: ofKind}, kind)
	c.choose(name, kind, 1, len(c.all)+1)
	for _, l := range c.all {
		Label(name + l.name)
		c.line(l, width, load, store)
		ADDQ(U8(opBytes), c.code)
		end := GP64()
		MOVQ(Mem{Base: c.part, Disp: ofCode}, end)
		ADDQ(Mem{Base: c.part, Disp: ofCodeBytes}, end)
		CMPQ(c.code, end)
		JL(LabelRef(name + "op"))
		JMP(LabelRef(name + "next"))
	}
	Label(name + "next")
	ADDQ(U32(width*c.bytes), c.i)
	JMP(LabelRef(name))
	Label(name + "Done")
}

// choose jumps to the operation of a kind in [lo, hi).
func (c *scripter) choose(name string, kind reg.Register, lo, hi int) {
	if hi-lo == 1 {
		JMP(LabelRef(name + c.all[lo-1].name))
		return
	}
	mid := (lo + hi) / 2
	CMPL(kind, U8(mid))
	right := fmt.Sprintf("%sfrom%dto%d", name, mid, hi)
	JGE(LabelRef(right))
	c.choose(name, kind, lo, mid)
	Label(right)
	c.choose(name, kind, mid, hi)
}

// line writes one operation on width vectors.
func (c *scripter) line(l line, width int, load, store func(from, to Op)) {
	ptr := func(off int) reg.Register {
		p, m := GP64(), GP64()
		MOVLQSX(Mem{Base: c.code, Disp: off}, p)
		MOVQ(Mem{Base: c.slots, Index: p, Scale: 1, Disp: ofMask}, m)
		ANDQ(c.i, m)
		ADDQ(Mem{Base: c.slots, Index: p, Scale: 1, Disp: ofAt}, m)
		return m
	}
	dst := ptr(ofDst)
	var in []reg.Register
	for _, off := range []int{ofA, ofB, ofC}[:l.arity] {
		in = append(in, ptr(off))
	}
	p, q := Mem{Base: c.code, Disp: ofP}, Mem{Base: c.code, Disp: ofQ}
	if l.name == "spread" || l.name == "fill" {
		v, from := c.v(), p
		if l.name == "spread" {
			from = Mem{Base: in[0]}
		}
		VBROADCASTSS(from, v)
		for j := range width {
			store(v, Mem{Base: dst, Disp: j * c.bytes})
		}
		return
	}
	for j := range width {
		var x []reg.VecVirtual
		for _, p := range in {
			x = append(x, c.v())
			load(Mem{Base: p, Disp: j * c.bytes}, x[len(x)-1])
		}
		out := c.v()
		l.body(c.isa, x, p, q, out)
		store(out, Mem{Base: dst, Disp: j * c.bytes})
	}
}
