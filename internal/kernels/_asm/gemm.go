package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Offsets in the Go struct tiles; a test holds them against unsafe.Offsetof.
const (
	argA        = 0
	argB        = 24
	argC        = 48
	argAhead    = 72
	argPack     = 96
	argRowA     = 120
	argColA     = 128
	argStepA    = 136
	argRowB     = 144
	argPanelB   = 152
	argRowC     = 160
	argRowAhead = 168
	argK        = 176
	argSteps    = 184
	argVectors  = 192
	argRows     = 200
	argBig      = 208
	argSmall    = 216
	argStepB    = 224
	argStepC    = 232
	argAheadC   = 240
	argAcc      = 248
	argPartial  = 256
	argMask     = 264
	argLanes    = 272
)

// shape is a tile of C held in registers: rows by vectors.
type shape struct{ rows, vectors int }

// panel is the width of a full panel of B in vectors, and rows the most that a tile has beside it:
// with AVX-512 3 by 9 sums, 3 vectors of B and 2 broadcasts of A fill the 32 registers; with AVX2 2
// by 6, 2 and 2 the 16.
func (s isa) panel() int { return map[bool]int{true: 3, false: 2}[s.avx512] }
func (s isa) rows() int  { return map[bool]int{true: 9, false: 6}[s.avx512] }

// wide are the tiles that read several panels, for the few rows that have too few sums in one
// panel: a multiply-add takes 4 cycles and two start in each, so that at least 8 must be under way.
func (s isa) wide() []shape {
	if s.avx512 {
		return []shape{{1, 6}, {2, 6}, {1, 9}, {1, 27}}
	}
	return []shape{{1, 8}, {2, 4}, {3, 4}}
}

// shapes lists the tiles, by vectors.
func (s isa) shapes() map[int][]shape {
	all := map[int][]shape{}
	for v := 1; v <= s.panel(); v++ {
		for m := 1; m <= s.rows(); m++ {
			all[v] = append(all[v], shape{m, v})
		}
	}
	for _, sh := range s.wide() {
		all[sh.vectors] = append(all[sh.vectors], sh)
	}
	return all
}

// packing lists the tiles that pack B. Blocks are of nearly the same size, so that the first of
// several has more than half of the most rows.
func (s isa) packing() map[int][]shape {
	all := map[int][]shape{}
	for v := 1; v <= s.panel(); v++ {
		for m := s.rows()/2 + 1; m <= s.rows(); m++ {
			all[v] = append(all[v], shape{m, v})
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
	rArgs    = reg.RDI
	rA       = reg.RSI
	row1     = reg.R9 // the stride, and three, five and seven of it: rows 0 to 8 from one base
	row3     = reg.R10
	row5     = reg.R11
	row7     = reg.R8
	rColA    = reg.R12
	rB       = reg.RBX
	rRowB    = reg.R13
	rK       = reg.RCX
	rC       = reg.RDX
	rTmp     = reg.RAX
	rPack    = reg.RDX // inside the loop
	rPanel   = reg.R8  // from panel to panel; wide tiles have too few rows to need row7
	rPanel3  = reg.R10
	rPanel5  = reg.R9 // for one row
	rPanel7  = reg.R11
	rAhead   = reg.R15 // what is fetched ahead of B, and its step
	rAheadBy = reg.RBP
	partial  = reg.K1
)

// gemmKernel writes
//
//	for each panel (or group of panels) of B
//		for each block of rows of A (first the big ones, then the small ones with a row less)
//			C tile = (C tile or 0) + Σp A[·,p]·B[p,·], in the order of p, each term by a fused multiply-add
func gemmKernel(s isa) {
	TEXT("gemm"+s.name, attr.NOSPLIT, "func(t *byte)") // in Go, *tiles[float32] or *tiles[float64]
	local := func(i int) Mem { return Mem{Base: reg.StackPointer, Disp: 8 * i} }
	AllocLocal(8 * 15)
	var (
		curA, curC, panelB, panelC   = local(0), local(1), local(2), local(3)
		blocks, rows, panels, second = local(4), local(5), local(6), local(7)
		rowA, rowC, stepA            = local(8), local(9), local(10)
		aheadB, lineB, packing       = local(11), local(12), local(13)
		lines                        = local(14)
	)
	arg := func(off int) Mem { return Mem{Base: rArgs, Disp: off} }
	shift := U8(map[bool]int{true: 2, false: 3}[s.single()])

	Load(Param("t"), rArgs)
	scaled := func(off int, to reg.Register) { MOVQ(arg(off), to); SHLQ(shift, to) }
	scaled(argRowA, rTmp)
	MOVQ(rTmp, rowA)
	scaled(argRowC, rTmp)
	MOVQ(rTmp, rowC)
	scaled(argStepA, rTmp)
	MOVQ(rTmp, stepA)
	scaled(argColA, rColA)
	scaled(argRowB, rRowB)
	move(arg(argB), panelB)
	move(arg(argAhead), aheadB)
	move(arg(argPack), packing)
	move(arg(argC), panelC)
	move(arg(argSteps), panels)
	if s.avx512 {
		KMOVW(arg(argMask), partial)
	}

	Label("panel")
	move(aheadB, lineB)
	MOVQ(U32(s.panel()*s.bytes/64+1), lines)
	scaled(argRowAhead, rAheadBy)
	move(arg(argA), curA)
	move(panelC, curC)
	move(arg(argRows), rows)
	move(arg(argBig), blocks)
	MOVQ(U32(0), second)

	Label("group")
	CMPQ(blocks, U8(0))
	JE(LabelRef("groupdone"))
	CMPQ(packing, U8(0))
	JNE(LabelRef("pack"))
	dispatch(s, arg(argVectors), rows, "")
	Label("pack")
	dispatch(s, arg(argVectors), rows, "pack")
	env := tileEnv{arg: arg, curA: curA, curC: curC, panelB: panelB, blocks: blocks, panelC: panelC, rowA: rowA, rowC: rowC, stepA: stepA, lineB: lineB, packing: packing, lines: lines, shift: shift}
	for _, v := range slices.Sorted(maps.Keys(s.shapes())) {
		for _, sh := range s.shapes()[v] {
			tile(s, sh, env, "")
		}
		for _, sh := range s.packing()[v] {
			tile(s, sh, env, "pack")
		}
	}

	Label("groupdone")
	CMPQ(second, U8(0))
	JNE(LabelRef("paneldone"))
	MOVQ(U32(1), second)
	DECQ(rows)
	move(arg(argSmall), blocks)
	JMP(LabelRef("group"))

	Label("paneldone")
	scaled(argStepC, rTmp)
	ADDQ(rTmp, panelC)
	scaled(argStepB, rTmp)
	ADDQ(rTmp, panelB)
	ADDQ(rTmp, aheadB)
	DECQ(panels)
	JNE(LabelRef("panel"))
	VZEROUPPER()
	RET()
}

func (sh shape) label(kind string) string {
	return fmt.Sprintf("%stile%dx%d", kind, sh.rows, sh.vectors)
}

// move copies a word.
func move(from, to Mem) {
	MOVQ(from, rTmp)
	MOVQ(rTmp, to)
}

// dispatch jumps to the tile for the given numbers of vectors and rows.
func dispatch(s isa, vectors, rows Mem, kind string) {
	MOVQ(vectors, rTmp)
	MOVQ(rows, rK)
	all := s.shapes()
	if kind == "pack" {
		all = s.packing()
	}
	widths := slices.Sorted(maps.Keys(all))
	for _, v := range widths[1:] {
		CMPQ(rTmp, U8(v))
		JE(LabelRef(fmt.Sprintf("%svectors%d", kind, v)))
	}
	for _, v := range widths {
		Label(fmt.Sprintf("%svectors%d", kind, v))
		search(all[v], kind)
	}
}

// search is a binary search for the tile whose rows are in rK.
func search(shapes []shape, kind string) {
	if len(shapes) == 1 {
		JMP(LabelRef(shapes[0].label(kind)))
		return
	}
	mid := len(shapes) / 2
	upper := "from" + shapes[mid].label(kind)
	CMPQ(rK, U8(shapes[mid].rows))
	JGE(LabelRef(upper))
	search(shapes[:mid], kind)
	Label(upper)
	search(shapes[mid:], kind)
}
