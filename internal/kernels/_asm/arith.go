package main

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

var globals = map[string]Mem{}

// global is a constant, made once a file.
func global(name string, data func()) Mem {
	if m, ok := globals[name]; ok {
		return m
	}
	m := GLOBL(name, attr.RODATA|attr.NOPTR)
	data()
	globals[name] = m
	return m
}

// lanes is a table of 32 bytes of ones and 32 of zeros: read n elements before its middle it is a
// mask of n lanes.
func lanes() Mem {
	return global("lanes", func() {
		for i := range 8 {
			DATA(8*i, U64(map[bool]uint64{true: math.MaxUint64, false: 0}[i < 4]))
		}
	})
}

// c is a vector of the constant x.
func (s isa) c(x float64) Mem {
	if s.single() {
		return bits32(math.Float32bits(float32(x)))
	}
	b := math.Float64bits(x)
	return global(fmt.Sprintf("d%016x", b), func() {
		for i := range 4 {
			DATA(8*i, U64(b))
		}
	})
}

// bits32 is a vector of a 32-bit pattern.
func bits32(b uint32) Mem {
	return global(fmt.Sprintf("s%08x", b), func() {
		for i := range 8 {
			DATA(4*i, U32(b))
		}
	})
}

func (s isa) v() reg.VecVirtual {
	if s.avx512 {
		return ZMM()
	}
	return YMM()
}

// instruction is one with three operands.
type instruction = func(...Op)

// arith is the instruction whose first operand may be a constant: AVX-512 broadcasts it from one
// element, while AVX2 reads a vector.
func (s isa) arith(ps, pd, psConst, pdConst instruction) instruction {
	return func(ops ...Op) {
		if s.avx512 && isConst(ops[0]) {
			ps, pd = psConst, pdConst
		}
		pick(s, ps, pd)(ops...)
	}
}

func isConst(o Op) bool {
	m, ok := o.(Mem)
	return ok && m.Symbol.Name != ""
}

// Arithmetic, z = x op y. y may be in memory.
func (s isa) add(x, y, z Op) { s.arith(VADDPS, VADDPD, VADDPS_BCST, VADDPD_BCST)(y, x, z) }
func (s isa) sub(x, y, z Op) { s.arith(VSUBPS, VSUBPD, VSUBPS_BCST, VSUBPD_BCST)(y, x, z) }
func (s isa) mul(x, y, z Op) { s.arith(VMULPS, VMULPD, VMULPS_BCST, VMULPD_BCST)(y, x, z) }
func (s isa) div(x, y, z Op) { s.arith(VDIVPS, VDIVPD, VDIVPS_BCST, VDIVPD_BCST)(y, x, z) }

// max and min give y if one of the operands is NaN.
func (s isa) max(x, y, z Op) { s.arith(VMAXPS, VMAXPD, VMAXPS_BCST, VMAXPD_BCST)(y, x, z) }
func (s isa) min(x, y, z Op) { s.arith(VMINPS, VMINPD, VMINPS_BCST, VMINPD_BCST)(y, x, z) }

// fnma is z −= x·y.
func (s isa) fnma(x, y, z Op) {
	s.arith(VFNMADD231PS, VFNMADD231PD, VFNMADD231PS_BCST, VFNMADD231PD_BCST)(x, y, z)
}

// horner is z = z·x + c.
func (s isa) horner(c, x, z Op) {
	s.arith(VFMADD213PS, VFMADD213PD, VFMADD213PS_BCST, VFMADD213PD_BCST)(c, x, z)
}

// orNaN puts the NaNs of x into z.
func (s isa) orNaN(x, z Op) {
	if s.avx512 {
		k := K()
		pick(s, VCMPPS, VCMPPD)(U8(3), x, x, k)
		pick(s, VMOVAPS, VMOVAPD)(x, k, z)
		return
	}
	m := YMM()
	pick(s, VCMPPS, VCMPPD)(U8(3), x, x, m)
	pick(s, VBLENDVPS, VBLENDVPD)(m, x, z, z)
}

// and and or work on the bits of float32; y may be in memory.
func (s isa) and(x, y, z Op) {
	if s.avx512 {
		s.arith(VPANDD, VPANDQ, VPANDD_BCST, VPANDQ_BCST)(y, x, z)
	} else {
		VPAND(y, x, z)
	}
}

func (s isa) or(x, y, z Op) {
	if s.avx512 {
		s.arith(VPORD, VPORQ, VPORD_BCST, VPORQ_BCST)(y, x, z)
	} else {
		VPOR(y, x, z)
	}
}
