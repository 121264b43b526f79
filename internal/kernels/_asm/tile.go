package main

import (
	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

type tileEnv struct {
	arg                                                                          func(int) Mem
	curA, curC, panelB, panelC, blocks, rowA, rowC, stepA, lineB, packing, lines Mem
	shift                                                                        Constant
}

// tiling writes the loop over the blocks of one shape of tile.
type tiling struct {
	isa
	tileEnv
	sh    shape
	pack  bool // the tile does one block, and copies B into a packed panel for the blocks that follow
	wide  bool // it holds the broadcasts of A and passes the vectors of B by; a narrow one does the reverse
	held  int  // registers for what it holds
	first int  // the first register of the sums
	label string
}

// tile writes the loop over the blocks of one shape, of kind "" or "pack".
func tile(s isa, sh shape, e tileEnv, kind string) {
	t := &tiling{isa: s, sh: sh, tileEnv: e, pack: kind == "pack", label: sh.label(kind)}
	t.wide = sh.vectors > s.panel()
	t.held = sh.vectors
	t.first = t.held + 2
	if t.wide {
		t.held = sh.rows
		t.first = t.held + 1
	}
	t.loadC()
	if !t.wide {
		t.fetchC()
		t.fetchLine()
	}
	t.start()
	Label(t.label + "k")
	if t.wide {
		t.multiplyWide()
	} else {
		t.multiplyNarrow()
	}
	t.advance()
	t.storeC()
	t.nextBlock()
}

// acc is the register of the sums of row i, vector j.
func (t *tiling) acc(i, j int) reg.VecPhysical { return t.regs()[t.first+i*t.sh.vectors+j] }

// row is the address of element 0 of row i, of A or C.
func (t *tiling) row(base reg.Register, i int) Mem {
	m := Mem{Base: base}
	switch i {
	case 1, 2, 4, 8:
		m.Index, m.Scale = row1, uint8(i)
	case 3, 6:
		m.Index, m.Scale = row3, uint8(i/3)
	case 5:
		m.Index, m.Scale = row5, 1
	case 7:
		m.Index, m.Scale = row7, 1
	}
	return m
}

// strides sets the registers that row needs.
func (t *tiling) strides(stride Mem) {
	if t.sh.rows > 1 {
		MOVQ(stride, row1)
	}
	if t.sh.rows > 3 {
		LEAQ(Mem{Base: row1, Index: row1, Scale: 2}, row3)
	}
	if t.sh.rows > 5 {
		LEAQ(Mem{Base: row1, Index: row1, Scale: 4}, row5)
	}
	if t.sh.rows > 7 {
		LEAQ(Mem{Base: row3, Index: row1, Scale: 4}, row7)
	}
}

// each visits the vectors of C with their registers; last says that a vector ends its row.
func (t *tiling) each(visit func(c Mem, z reg.VecPhysical, last bool)) {
	for i := range t.sh.rows {
		for j := range t.sh.vectors {
			c := t.row(rC, i)
			c.Disp = j * t.bytes
			visit(c, t.acc(i, j), j == t.sh.vectors-1)
		}
	}
}

// loadC starts the sums at 0, or at C.
func (t *tiling) loadC() {
	Label(t.label)
	MOVQ(t.curC, rC)
	CMPQ(t.arg(argAcc), U8(0))
	JNE(LabelRef(t.label + "load"))
	t.each(func(c Mem, z reg.VecPhysical, last bool) { t.zero(z) })
	JMP(LabelRef(t.label + "ready"))
	Label(t.label + "load")
	t.strides(t.rowC)
	t.copyC("load", func(c Mem, z reg.VecPhysical, masked bool) {
		switch {
		case !masked:
			t.load(c, z)
		case t.avx512:
			pick(t.isa, VMOVUPS_Z, VMOVUPD_Z)(c, partial, z)
		default:
			pick(t.isa, VMASKMOVPS, VMASKMOVPD)(c, t.regs()[0], z)
		}
	})
	Label(t.label + "ready")
}

// fetchLine has each block of rows fetch a cache line of every row of the next panel, until it is
// there.
func (t *tiling) fetchLine() {
	CMPQ(t.lines, U8(0))
	JNE(LabelRef(t.label + "ahead"))
	XORQ(rAheadBy, rAheadBy)
	INCQ(t.lines)
	Label(t.label + "ahead")
	DECQ(t.lines)
	MOVQ(t.lineB, rAhead)
	ADDQ(U8(64), t.lineB)
}

// start sets the registers of the loop over k.
func (t *tiling) start() {
	MOVQ(t.curA, rA)
	CMPQ(t.arg(argColA), U8(0))
	JNE(LabelRef(t.label + "inplace"))
	MOVQ(U32(t.sh.rows*t.size), rColA)
	Label(t.label + "inplace")
	MOVQ(t.panelB, rB)
	t.strides(t.rowA)
	if t.wide {
		MOVQ(t.arg(argPanelB), rPanel)
		SHLQ(t.shift.(U8), rPanel)
		if t.sh.vectors > 3*t.panel() {
			LEAQ(Mem{Base: rPanel, Index: rPanel, Scale: 2}, rPanel3)
		}
		if t.sh.vectors > 5*t.panel() {
			LEAQ(Mem{Base: rPanel, Index: rPanel, Scale: 4}, rPanel5)
			LEAQ(Mem{Base: rPanel3, Index: rPanel, Scale: 4}, rPanel7)
		}
	}
	MOVQ(t.arg(argK), rK)
	if t.pack {
		MOVQ(t.tileEnv.packing, rPack)
	}
}

// multiplyWide adds the products of one k, with the broadcasts of A in registers.
func (t *tiling) multiplyWide() {
	v := t.regs()
	for i := range t.sh.rows {
		t.broadcast(t.row(rA, i), v[1+i])
	}
	for j := range t.sh.vectors {
		b := Mem{Base: rB, Disp: j % t.panel() * t.bytes}
		switch p := j / t.panel(); p {
		case 1, 2, 4, 8:
			b.Index, b.Scale = rPanel, uint8(p)
		case 3, 6:
			b.Index, b.Scale = rPanel3, uint8(p/3)
		case 5:
			b.Index, b.Scale = rPanel5, 1
		case 7:
			b.Index, b.Scale = rPanel7, 1
		}
		t.load(b, v[0])
		for i := range t.sh.rows {
			t.fma(v[0], v[1+i], t.acc(i, j))
		}
	}
}

// multiplyNarrow adds the products of one k, with the vectors of B in registers.
func (t *tiling) multiplyNarrow() {
	v := t.regs()
	for j := range t.sh.vectors {
		t.load(Mem{Base: rB, Disp: j * t.bytes}, v[j])
		if t.pack {
			t.store(v[j], Mem{Base: rPack, Disp: j * t.bytes})
		}
	}
	for i := range t.sh.rows {
		t.broadcast(t.row(rA, i), v[t.held+i%2])
		for j := range t.sh.vectors {
			t.fma(v[j], v[t.held+i%2], t.acc(i, j))
		}
	}
}

// advance goes on to the next k.
func (t *tiling) advance() {
	if !t.wide {
		PREFETCHT1(Mem{Base: rAhead})
		ADDQ(rAheadBy, rAhead)
	}
	ADDQ(rColA, rA)
	ADDQ(rRowB, rB)
	if t.pack {
		ADDQ(U32(t.sh.vectors*t.bytes), rPack)
	}
	DECQ(rK)
	JNE(LabelRef(t.label + "k"))
}

// storeC writes the sums to C.
func (t *tiling) storeC() {
	MOVQ(t.curC, rC)
	t.strides(t.rowC)
	t.copyC("store", func(c Mem, z reg.VecPhysical, masked bool) {
		switch {
		case !masked:
			t.store(z, c)
		case t.avx512:
			pick(t.isa, VMOVUPS, VMOVUPD)(z, partial, c)
		default:
			pick(t.isa, VMASKMOVPS, VMASKMOVPD)(z, t.regs()[0], c)
		}
	})
}

// nextBlock goes on to the next block of rows.
func (t *tiling) nextBlock() {
	for _, next := range []struct{ cur, stride Mem }{{t.curA, t.stepA}, {t.curC, t.rowC}} {
		IMUL3Q(U8(t.sh.rows), next.stride, rTmp)
		ADDQ(rTmp, next.cur)
	}
	DECQ(t.blocks)
	if t.pack {
		move(t.tileEnv.packing, t.panelB)
		MOVQ(U32(t.sh.vectors*t.bytes), rRowB)
		MOVQ(U32(0), t.tileEnv.packing)
		JMP(LabelRef("group"))
		return
	}
	JNE(LabelRef(t.label))
	JMP(LabelRef("groupdone"))
}

// fetchC asks for the tile of C that comes next: the one below, or at the end of the rows the top
// of the next panel.
func (t *tiling) fetchC() {
	skip := t.label + "fetched"
	CMPQ(t.arg(argAheadC), U8(0))
	JE(LabelRef(skip))
	IMUL3Q(U8(t.sh.rows), t.rowC, rA)
	ADDQ(rC, rA)
	CMPQ(t.blocks, U8(1))
	JNE(LabelRef(t.label + "below"))
	MOVQ(t.arg(argStepC), rA)
	SHLQ(t.shift.(U8), rA)
	ADDQ(t.panelC, rA)
	Label(t.label + "below")
	t.strides(t.rowC)
	for i := range t.sh.rows {
		for j := 0; j < t.sh.vectors*t.bytes; j += 64 {
			c := t.row(rA, i)
			c.Disp = j
			PREFETCHT0(c)
		}
	}
	Label(skip)
}

// copyC moves a tile between C and the registers. With AVX-512 the last vector of a row is always
// under the mask; masked moves of AVX2 are slow, so that there they are kept to the tiles that need
// them.
func (t *tiling) copyC(what string, move func(c Mem, z reg.VecPhysical, masked bool)) {
	if t.avx512 {
		t.each(move)
		return
	}
	if t.sh.vectors <= t.panel() {
		CMPQ(t.arg(argPartial), U8(0))
		JE(LabelRef(t.label + what + "full"))
		t.load(t.arg(argLanes), t.regs()[0])
		t.each(move)
		JMP(LabelRef(t.label + what + "done"))
		Label(t.label + what + "full")
	}
	t.each(func(c Mem, z reg.VecPhysical, last bool) { move(c, z, false) })
	Label(t.label + what + "done")
}

// peak is a loop of fused multiply-adds on registers alone, as many as the widest tile has, 8
// rounds an iteration.
func peak() {
	for _, s := range isas {
		TEXT("peak"+s.name, attr.NOSPLIT, "func(n int)")
		Doc("peak" + s.name + " does n rounds of independent fused multiply-adds on registers.")
		n := Load(Param("n"), GP64())
		chains := 12
		if s.avx512 {
			chains = 28
		}
		v := s.regs()
		for i := range chains + 2 {
			s.zero(v[i])
		}
		Label("loop")
		for range 8 {
			for i := range chains {
				s.fma(v[0], v[1], v[2+i])
			}
		}
		DECQ(n)
		JNE(LabelRef("loop"))
		VZEROUPPER()
		RET()
	}
}
