package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// isa is what the generators need to know of an instruction set and an element type.
type isa struct {
	name   string // as in the function names
	bytes  int    // of a vector
	size   int    // of an element
	avx512 bool
}

var isas = []isa{
	{"F32AVX512", 64, 4, true},
	{"F64AVX512", 64, 8, true},
	{"F32AVX2", 32, 4, false},
	{"F64AVX2", 32, 8, false},
}

func (s isa) lanes() int   { return s.bytes / s.size }
func (s isa) single() bool { return s.size == 4 }

var (
	zmm = []reg.VecPhysical{
		reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7, reg.Z8, reg.Z9, reg.Z10, reg.Z11, reg.Z12, reg.Z13, reg.Z14, reg.Z15,
		reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23, reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31,
	}
	ymm = []reg.VecPhysical{
		reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7, reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15,
	}
)

// regs are the vector registers.
func (s isa) regs() []reg.VecPhysical {
	if s.avx512 {
		return zmm
	}
	return ymm
}

// pick is the instruction for the element type.
func pick[T any](s isa, ps, pd T) T {
	if s.single() {
		return ps
	}
	return pd
}

// load moves a vector into a register; a constant is broadcast.
func (s isa) load(from, to Op) {
	if s.avx512 && isConst(from) {
		pick(s, VBROADCASTSS, VBROADCASTSD)(from, to)
		return
	}
	pick(s, VMOVUPS, VMOVUPD)(from, to)
}

func (s isa) store(from, to Op) { pick(s, VMOVUPS, VMOVUPD)(from, to) }
func (s isa) broadcast(from Mem, to Op) {
	pick(s, VBROADCASTSS, VBROADCASTSD)(from, to)
}

// fma is z += x·y.
func (s isa) fma(x, y, z Op) {
	s.arith(VFMADD231PS, VFMADD231PD, VFMADD231PS_BCST, VFMADD231PD_BCST)(x, y, z)
}

// loadZeros says that zeros are loaded: the allocator takes an exclusive or of a register for a use
// of what was in it, which in the loop of scripts would be kept for all of the loop.
var loadZeros bool

func (s isa) zero(z Op) {
	if loadZeros {
		s.load(s.c(0), z)
		return
	}
	if s.avx512 {
		VPXORD(z, z, z)
	} else {
		VXORPS(z, z, z)
	}
}
