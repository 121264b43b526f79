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

	blockBytes = 4 * 128 // of ScriptBlock columns
)

// line is an operation of a script: how many operands it has, and what one vector of it is. Without
// a body every vector is one number again and again, that at the operand or the parameter p.
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
	all = append(all, line{"fill", 0, nil}, line{"spread", 1, nil})
	return append(all, pairs(all)...)
}

// The operations that pairs are made of, in the order of the constants in script.go. A seconds takes
// what the first gave as the operand of that number.
var (
	firsts  = []string{"add", "sub", "mul", "affine"}
	seconds = []struct {
		name string
		at   int
	}{
		{"add", 0}, {"sub", 0}, {"sub", 1}, {"mul", 0}, {"relu", 0}, {"affine", 0}, {"exp", 0},
		{"tanh", 0}, {"sigmoid", 0}, {"tanhGrad", 1}, {"sigmoidGrad", 1},
	}
)

// pairs are operations of which the second reads what the first gave, which stays in a register of
// the processor. Their operands are those of the first, then the other one of the second. Two affine
// ones would need two pairs of parameters.
func pairs(all []line) (two []line) {
	named := map[string]line{}
	for _, l := range all {
		named[l.name] = l
	}
	for _, f := range firsts {
		for _, g := range seconds {
			f, g, at := named[f], named[g.name], g.at
			l := line{fmt.Sprintf("%s_%s%d", f.name, g.name, at), f.arity + g.arity - 1, nil}
			if f.name == g.name && f.name == "affine" {
				l.body, l.arity = f.body, f.arity // never asked for
			} else {
				l.body = func(s isa, in []reg.VecVirtual, p, q Mem, out reg.VecVirtual) {
					mid := s.v()
					f.body(s, in[:f.arity], p, q, mid)
					operands := append([]reg.VecVirtual{}, in[f.arity:]...)
					operands = append(operands[:at:at], append([]reg.VecVirtual{mid},
						operands[at:]...)...)
					g.body(s, operands, p, q, out)
				}
			}
			two = append(two, l)
		}
	}
	return two
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
	c.blocks()
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
	s, part, slots, code reg.GPVirtual
	i                    reg.GPVirtual // where the block begins, in bytes of a row
	n                    reg.GPVirtual // its columns
	all                  []line
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

// blocks runs the code on one block of columns after another.
func (c *scripter) blocks() {
	Label("block")
	c.n = GP64()
	MOVQ(Mem{Base: c.part, Disp: ofCols}, c.n)
	SUBQ(c.i, c.n)
	JLE(LabelRef("blocksDone"))
	most := GP64()
	MOVQ(U32(blockBytes), most)
	CMPQ(c.n, most)
	CMOVQGT(most, c.n)
	SHRQ(U8(2), c.n)
	rest := GP64()
	MOVQ(c.n, rest)
	ANDQ(U8(c.lanes()-1), rest)
	load, store, _ := c.masked(rest)
	MOVQ(Mem{Base: c.part, Disp: ofCode}, c.code)
	Label("op")
	kind := GP32()
	MOVL(Mem{Base: c.code, Disp: ofKind}, kind)
	c.choose(kind, 1, len(c.all)+1)
	for _, l := range c.all {
		Label(l.name)
		c.line(l, load, store)
		ADDQ(U8(opBytes), c.code)
		end := GP64()
		MOVQ(Mem{Base: c.part, Disp: ofCode}, end)
		ADDQ(Mem{Base: c.part, Disp: ofCodeBytes}, end)
		CMPQ(c.code, end)
		JL(LabelRef("op"))
		JMP(LabelRef("next"))
	}
	Label("next")
	ADDQ(U32(blockBytes), c.i)
	JMP(LabelRef("block"))
	Label("blocksDone")
}

// choose jumps to the operation of a kind in [lo, hi).
func (c *scripter) choose(kind reg.Register, lo, hi int) {
	if hi-lo == 1 {
		JMP(LabelRef(c.all[lo-1].name))
		return
	}
	mid := (lo + hi) / 2
	CMPL(kind, U8(mid))
	right := fmt.Sprintf("from%dto%d", mid, hi)
	JGE(LabelRef(right))
	c.choose(kind, lo, mid)
	Label(right)
	c.choose(kind, mid, hi)
}

// line writes one operation. load and store move what is left of the block behind its whole
// vectors.
func (c *scripter) line(l line, load func(Mem, Op), store func(Op, Mem)) {
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
	number := c.v()
	if l.body == nil {
		from := p
		if l.arity == 1 {
			from = Mem{Base: in[0]}
		}
		VBROADCASTSS(from, number)
	}
	n := GP64()
	MOVQ(c.n, n)
	body := func(off int, i reg.Register, load func(Mem, Op), store func(Op, Mem), _ func(Op, Op)) {
		at := func(p reg.Register) Mem { return Mem{Base: p, Index: i, Scale: 1, Disp: off} }
		out := number
		if l.body != nil {
			var x []reg.VecVirtual
			for _, p := range in {
				x = append(x, c.v())
				load(at(p), x[len(x)-1])
			}
			out = c.v()
			l.body(c.isa, x, p, q, out)
		}
		store(out, at(dst))
	}
	body(0, c.vectors(l.name, n, 1, body), load, store, nil)
	Label(l.name + "done")
}
