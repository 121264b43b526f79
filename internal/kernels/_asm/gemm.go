package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Offsets in the Go struct tiles; a test holds them against unsafe.Offsetof.
const (
	argA       = 0
	argB       = 24
	argC       = 48
	argRowA    = 72
	argColA    = 80
	argRowB    = 88
	argPanelB  = 96
	argRowC    = 104
	argK       = 112
	argSteps   = 120
	argVectors = 128
	argRows    = 136
	argBig     = 144
	argSmall   = 152
	argAcc     = 160
	argPartial = 168
	argMask    = 176
	argLanes   = 184
)

// shape is a tile of C held in registers: rows by vectors.
type shape struct{ rows, vectors int }

// shapes lists the tiles of an instruction set. A tile of up to two vectors reads one panel. The wide ones read
// several, for the few rows at which two vectors a row would leave the multipliers waiting for one another.
func (s isa) shapes() []shape {
	var all []shape
	most, wide := 14, map[int]int{1: 8, 2: 8, 3: 4, 4: 4, 5: 4, 6: 4}
	if !s.avx512 {
		most, wide = 6, map[int]int{1: 8, 2: 4, 3: 4}
	}
	for _, v := range []int{1, 2, 4, 8} {
		for m := 1; m <= most; m++ {
			if v <= 2 || wide[m] == v {
				all = append(all, shape{m, v})
			}
		}
	}
	return all
}

func gemm() {
	for _, s := range isas {
		gemmKernel(s)
	}
}

// The registers. Those of the row addresses serve A inside the loop over k, C before and after it.
var (
	rArgs      = reg.RDI
	rA, rA7    = reg.RSI, reg.R8 // rows 0 and 7
	row1       = reg.R9          // the stride, three and five of it: rows 0 to 6 from one base
	row3, row5 = reg.R10, reg.R11
	rColA      = reg.R12
	rB, rRowB  = reg.RBX, reg.R13
	rK         = reg.RCX
	rC         = reg.RDX
	rTmp       = reg.RAX
	rPanel     = reg.R8  // wide tiles have at most six rows and leave rA7 free
	rPanel3    = reg.R15 // three panels
	partial    = reg.K1
)

// gemmKernel writes
//
//	for each panel (or group of panels) of B
//		for each block of rows of A (first the big ones, then the small ones with a row less)
//			C tile = (C tile or 0) + Σp A[·,p]·B[p,·], in the order of p, each term by a fused multiply-add
func gemmKernel(s isa) {
	TEXT("gemm"+s.name, attr.NOSPLIT, "func(t *byte)") // in Go, *tiles[float32] or *tiles[float64]
	local := func(i int) Mem { return Mem{Base: reg.StackPointer, Disp: 8 * i} }
	AllocLocal(8 * 10)
	var (
		curA, curC, panelB, panelC   = local(0), local(1), local(2), local(3)
		blocks, rows, panels, second = local(4), local(5), local(6), local(7)
		rowA, rowC                   = local(8), local(9)
	)
	arg := func(off int) Mem { return Mem{Base: rArgs, Disp: off} }
	shift := U8(map[bool]int{true: 2, false: 3}[s.single()])
	move := func(from, to Mem) { MOVQ(from, rTmp); MOVQ(rTmp, to) }

	Load(Param("t"), rArgs)
	scaled := func(off int, to reg.Register) { MOVQ(arg(off), to); SHLQ(shift, to) }
	scaled(argRowA, rTmp)
	MOVQ(rTmp, rowA)
	scaled(argRowC, rTmp)
	MOVQ(rTmp, rowC)
	scaled(argColA, rColA)
	scaled(argRowB, rRowB)
	move(arg(argB), panelB)
	move(arg(argC), panelC)
	move(arg(argSteps), panels)
	if s.avx512 {
		KMOVW(arg(argMask), partial)
	}

	Label("panel")
	move(arg(argA), curA)
	move(panelC, curC)
	move(arg(argRows), rows)
	move(arg(argBig), blocks)
	MOVQ(U32(0), second)

	Label("group")
	CMPQ(blocks, U8(0))
	JE(LabelRef("groupdone"))
	dispatch(s, arg(argVectors), rows)
	for _, sh := range s.shapes() {
		tile(s, sh, tileEnv{arg: arg, curA: curA, curC: curC, panelB: panelB, blocks: blocks, rowA: rowA, rowC: rowC, shift: shift})
	}

	Label("groupdone")
	CMPQ(second, U8(0))
	JNE(LabelRef("paneldone"))
	MOVQ(U32(1), second)
	DECQ(rows)
	move(arg(argSmall), blocks)
	JMP(LabelRef("group"))

	Label("paneldone")
	// the next group of panels: vectors/2 panels on (a lone vector is always the last)
	MOVQ(arg(argVectors), rTmp)
	MOVQ(rTmp, rK)
	IMUL3Q(U8(s.bytes), rTmp, rTmp)
	ADDQ(rTmp, panelC)
	SHRQ(U8(1), rK)
	MOVQ(arg(argPanelB), rTmp)
	SHLQ(shift, rTmp)
	IMULQ(rK, rTmp)
	ADDQ(rTmp, panelB)
	DECQ(panels)
	JNE(LabelRef("panel"))
	VZEROUPPER()
	RET()
}

func (sh shape) label() string { return fmt.Sprintf("tile%dx%d", sh.rows, sh.vectors) }

// dispatch jumps to the tile for the given numbers of vectors and rows.
func dispatch(s isa, vectors, rows Mem) {
	MOVQ(vectors, rTmp)
	MOVQ(rows, rK)
	byVectors := map[int][]shape{}
	for _, sh := range s.shapes() {
		byVectors[sh.vectors] = append(byVectors[sh.vectors], sh)
	}
	for _, v := range []int{1, 4, 8} {
		CMPQ(rTmp, U8(v))
		JE(LabelRef(fmt.Sprintf("vectors%d", v)))
	}
	for _, v := range []int{2, 1, 4, 8} {
		Label(fmt.Sprintf("vectors%d", v))
		search(byVectors[v])
	}
}

// search is a binary search for the tile whose rows are in rK.
func search(shapes []shape) {
	if len(shapes) == 1 {
		JMP(LabelRef(shapes[0].label()))
		return
	}
	mid := len(shapes) / 2
	upper := "from" + shapes[mid].label()
	CMPQ(rK, U8(shapes[mid].rows))
	JGE(LabelRef(upper))
	search(shapes[:mid])
	Label(upper)
	search(shapes[mid:])
}

type tileEnv struct {
	arg                                    func(int) Mem
	curA, curC, panelB, blocks, rowA, rowC Mem
	shift                                  Constant
}

// tile writes the loop over the blocks of one shape.
func tile(s isa, sh shape, e tileEnv) {
	v := s.regs()
	wide := sh.vectors > 2
	// a wide tile holds the broadcasts and passes the vectors of B by; a narrow one holds B and passes the broadcasts by
	first := 4
	if wide {
		first = sh.rows + 1
	}
	acc := func(i, j int) reg.VecPhysical { return v[first+i*sh.vectors+j] }

	// row is the address of element 0 of row i, of A or C
	row := func(base, base7 reg.Register, i int) Mem {
		if i >= 7 {
			base, i = base7, i-7
		}
		m := Mem{Base: base}
		switch i {
		case 1, 2, 4:
			m.Index, m.Scale = row1, uint8(i)
		case 3, 6:
			m.Index, m.Scale = row3, uint8(i/3)
		case 5:
			m.Index, m.Scale = row5, 1
		}
		return m
	}
	// strides sets the registers that row needs
	strides := func(base, base7 reg.Register, stride Mem) {
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
			LEAQ(Mem{Base: row3, Index: row1, Scale: 4}, base7)
			ADDQ(base, base7)
		}
	}

	each := func(visit func(c Mem, z reg.VecPhysical, last bool)) {
		for i := range sh.rows {
			for j := range sh.vectors {
				c := row(rC, rA7, i)
				c.Disp = j * s.bytes
				visit(c, acc(i, j), j == sh.vectors-1)
			}
		}
	}

	l := sh.label()
	Label(l)
	MOVQ(e.curC, rC)
	CMPQ(e.arg(argAcc), U8(0))
	JNE(LabelRef(l + "load"))
	each(func(c Mem, z reg.VecPhysical, last bool) { s.zero(z) })
	JMP(LabelRef(l + "ready"))
	Label(l + "load")
	strides(rC, rA7, e.rowC)
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
	MOVQ(e.curA, rA)
	MOVQ(e.panelB, rB)
	strides(rA, rA7, e.rowA)
	if wide {
		MOVQ(e.arg(argPanelB), rPanel)
		SHLQ(e.shift.(U8), rPanel)
		if sh.vectors > 4 {
			LEAQ(Mem{Base: rPanel, Index: rPanel, Scale: 2}, rPanel3)
		}
	}
	MOVQ(e.arg(argK), rK)

	Label(l + "k")
	if wide {
		for i := range sh.rows {
			s.broadcast(row(rA, rA7, i), v[1+i])
		}
		for j := range sh.vectors {
			b := Mem{Base: rB, Disp: j % 2 * s.bytes}
			switch j / 2 {
			case 1, 2:
				b.Index, b.Scale = rPanel, uint8(j/2)
			case 3:
				b.Index, b.Scale = rPanel3, 1
			}
			s.load(b, v[0])
			for i := range sh.rows {
				s.fma(v[0], v[1+i], acc(i, j))
			}
		}
	} else {
		for j := range sh.vectors {
			s.load(Mem{Base: rB, Disp: j * s.bytes}, v[j])
		}
		for i := range sh.rows {
			s.broadcast(row(rA, rA7, i), v[2+i%2])
			for j := range sh.vectors {
				s.fma(v[j], v[2+i%2], acc(i, j))
			}
		}
	}
	ADDQ(rColA, rA)
	if sh.rows > 7 {
		ADDQ(rColA, rA7)
	}
	ADDQ(rRowB, rB)
	DECQ(rK)
	JNE(LabelRef(l + "k"))

	strides(rC, rA7, e.rowC)
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
	for _, next := range []struct{ cur, stride Mem }{{e.curA, e.rowA}, {e.curC, e.rowC}} {
		IMUL3Q(U8(sh.rows), next.stride, rTmp)
		ADDQ(rTmp, next.cur)
	}
	DECQ(e.blocks)
	JNE(LabelRef(l))
	JMP(LabelRef("groupdone"))
}

// tileCopy moves a tile between C and the registers. With AVX-512 the last vector of a row is always under the mask;
// masked moves of AVX2 are slow, so that there they are kept to the tiles that need them.
func (s isa) tileCopy(sh shape, e tileEnv, l string, each func(func(Mem, reg.VecPhysical, bool)), copy func(Mem, reg.VecPhysical, bool)) {
	if s.avx512 {
		each(func(c Mem, z reg.VecPhysical, last bool) { copy(c, z, last) })
		return
	}
	if sh.vectors <= 2 {
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
