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

// tile writes the loop over the blocks of one shape. The tiles of kind "pack" do one block, and copy B into a packed
// panel on the way, for the blocks that follow.
func tile(s isa, sh shape, e tileEnv, kind string) {
	v := s.regs()
	wide := sh.vectors > s.panel()
	// a wide tile holds the broadcasts and passes the vectors of B by; a narrow one holds B and passes the broadcasts by
	held := sh.vectors
	first := held + 2
	if wide {
		held = sh.rows
		first = held + 1
	}
	acc := func(i, j int) reg.VecPhysical { return v[first+i*sh.vectors+j] }

	// row is the address of element 0 of row i, of A or C
	row := func(base reg.Register, i int) Mem {
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
	// strides sets the registers that row needs
	strides := func(stride Mem) {
		if sh.rows > 1 {
			MOVQ(stride, row1)
		}
		if sh.rows > 3 {
			LEAQ(Mem{Base: row1, Index: row1, Scale: 2}, row3)
		}
		if sh.rows > 5 {
			LEAQ(Mem{Base: row1, Index: row1, Scale: 4}, row5)
		}
		if sh.rows > 7 {
			LEAQ(Mem{Base: row3, Index: row1, Scale: 4}, row7)
		}
	}

	each := func(visit func(c Mem, z reg.VecPhysical, last bool)) {
		for i := range sh.rows {
			for j := range sh.vectors {
				c := row(rC, i)
				c.Disp = j * s.bytes
				visit(c, acc(i, j), j == sh.vectors-1)
			}
		}
	}

	l := sh.label(kind)
	Label(l)
	MOVQ(e.curC, rC)
	CMPQ(e.arg(argAcc), U8(0))
	JNE(LabelRef(l + "load"))
	each(func(c Mem, z reg.VecPhysical, last bool) { s.zero(z) })
	JMP(LabelRef(l + "ready"))
	Label(l + "load")
	strides(e.rowC)
	s.tileCopy(sh, e, l+"load", each, func(c Mem, z reg.VecPhysical, masked bool) {
		switch {
		case !masked:
			s.load(c, z)
		case s.avx512:
			pick(s, VMOVUPS_Z, VMOVUPD_Z)(c, partial, z)
		default:
			pick(s, VMASKMOVPS, VMASKMOVPD)(c, v[0], z)
		}
	})

	Label(l + "ready")
	if !wide {
		s.fetchC(sh, e, l, row, strides)
		// each block of rows fetches a cache line of every row of the next panel, until it is there
		CMPQ(e.lines, U8(0))
		JNE(LabelRef(l + "ahead"))
		XORQ(rAheadBy, rAheadBy)
		INCQ(e.lines)
		Label(l + "ahead")
		DECQ(e.lines)
		MOVQ(e.lineB, rAhead)
		ADDQ(U8(64), e.lineB)
	}
	MOVQ(e.curA, rA)
	CMPQ(e.arg(argColA), U8(0))
	JNE(LabelRef(l + "inplace"))
	MOVQ(U32(sh.rows*s.size), rColA)
	Label(l + "inplace")
	MOVQ(e.panelB, rB)
	strides(e.rowA)
	if wide {
		MOVQ(e.arg(argPanelB), rPanel)
		SHLQ(e.shift.(U8), rPanel)
		if sh.vectors > 3*s.panel() {
			LEAQ(Mem{Base: rPanel, Index: rPanel, Scale: 2}, rPanel3)
		}
		if sh.vectors > 5*s.panel() {
			LEAQ(Mem{Base: rPanel, Index: rPanel, Scale: 4}, rPanel5)
			LEAQ(Mem{Base: rPanel3, Index: rPanel, Scale: 4}, rPanel7)
		}
	}
	MOVQ(e.arg(argK), rK)
	if kind == "pack" {
		MOVQ(e.packing, rPack)
	}

	Label(l + "k")
	if wide {
		for i := range sh.rows {
			s.broadcast(row(rA, i), v[1+i])
		}
		for j := range sh.vectors {
			b := Mem{Base: rB, Disp: j % s.panel() * s.bytes}
			switch p := j / s.panel(); p {
			case 1, 2, 4, 8:
				b.Index, b.Scale = rPanel, uint8(p)
			case 3, 6:
				b.Index, b.Scale = rPanel3, uint8(p/3)
			case 5:
				b.Index, b.Scale = rPanel5, 1
			case 7:
				b.Index, b.Scale = rPanel7, 1
			}
			s.load(b, v[0])
			for i := range sh.rows {
				s.fma(v[0], v[1+i], acc(i, j))
			}
		}
	} else {
		for j := range sh.vectors {
			s.load(Mem{Base: rB, Disp: j * s.bytes}, v[j])
			if kind == "pack" {
				s.store(v[j], Mem{Base: rPack, Disp: j * s.bytes})
			}
		}
		for i := range sh.rows {
			s.broadcast(row(rA, i), v[held+i%2])
			for j := range sh.vectors {
				s.fma(v[j], v[held+i%2], acc(i, j))
			}
		}
	}
	if !wide {
		PREFETCHT1(Mem{Base: rAhead})
		ADDQ(rAheadBy, rAhead)
	}
	ADDQ(rColA, rA)
	ADDQ(rRowB, rB)
	if kind == "pack" {
		ADDQ(U32(sh.vectors*s.bytes), rPack)
	}
	DECQ(rK)
	JNE(LabelRef(l + "k"))

	MOVQ(e.curC, rC)
	strides(e.rowC)
	s.tileCopy(sh, e, l+"store", each, func(c Mem, z reg.VecPhysical, masked bool) {
		switch {
		case !masked:
			s.store(z, c)
		case s.avx512:
			pick(s, VMOVUPS, VMOVUPD)(z, partial, c)
		default:
			pick(s, VMASKMOVPS, VMASKMOVPD)(z, v[0], c)
		}
	})

	// the next block of rows
	for _, next := range []struct{ cur, stride Mem }{{e.curA, e.stepA}, {e.curC, e.rowC}} {
		IMUL3Q(U8(sh.rows), next.stride, rTmp)
		ADDQ(rTmp, next.cur)
	}
	DECQ(e.blocks)
	if kind == "pack" {
		move(e.packing, e.panelB)
		MOVQ(U32(sh.vectors*s.bytes), rRowB)
		MOVQ(U32(0), e.packing)
		JMP(LabelRef("group"))
		return
	}
	JNE(LabelRef(l))
	JMP(LabelRef("groupdone"))
}

// fetchC asks for the tile of C that comes next: the one below, or at the end of the rows the top of the next panel.
func (s isa) fetchC(sh shape, e tileEnv, l string, row func(reg.Register, int) Mem, strides func(Mem)) {
	skip := l + "fetched"
	CMPQ(e.arg(argAheadC), U8(0))
	JE(LabelRef(skip))
	IMUL3Q(U8(sh.rows), e.rowC, rA)
	ADDQ(rC, rA)
	CMPQ(e.blocks, U8(1))
	JNE(LabelRef(l + "below"))
	MOVQ(e.arg(argStepC), rA)
	SHLQ(e.shift.(U8), rA)
	ADDQ(e.panelC, rA)
	Label(l + "below")
	strides(e.rowC)
	for i := range sh.rows {
		for j := 0; j < sh.vectors*s.bytes; j += 64 {
			c := row(rA, i)
			c.Disp = j
			PREFETCHT0(c)
		}
	}
	Label(skip)
}

// tileCopy moves a tile between C and the registers. With AVX-512 the last vector of a row is always under the mask;
// masked moves of AVX2 are slow, so that there they are kept to the tiles that need them.
func (s isa) tileCopy(sh shape, e tileEnv, l string, each func(func(Mem, reg.VecPhysical, bool)), copy func(Mem, reg.VecPhysical, bool)) {
	if s.avx512 {
		each(func(c Mem, z reg.VecPhysical, last bool) { copy(c, z, last) })
		return
	}
	if sh.vectors <= s.panel() {
		CMPQ(e.arg(argPartial), U8(0))
		JE(LabelRef(l + "full"))
		s.load(e.arg(argLanes), s.regs()[0])
		each(func(c Mem, z reg.VecPhysical, last bool) { copy(c, z, last) })
		JMP(LabelRef(l + "done"))
		Label(l + "full")
	}
	each(func(c Mem, z reg.VecPhysical, last bool) { copy(c, z, false) })
	Label(l + "done")
}

// peak is a loop of fused multiply-adds on registers alone, as many as the widest tile has, 8 rounds an iteration.
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
