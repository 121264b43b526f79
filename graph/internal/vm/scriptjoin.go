package vm

import (
	"slices"

	"github.com/seqzoo/seqzoo/internal/kernels"
)

// joining is the code of a script while it is shortened. An operation reads and writes the
// first-level cache, which takes longer than arithmetic: what goes from one operation to the next
// had better not pass through it.
type joining struct {
	code       []kernels.ScriptOp
	from, to   int32 // the registers: slots from ≤ i < to
	overlapped func(a, b int32) bool
}

// shorten writes results straight to where they are copied to, and joins operations of which one
// reads what the other gives.
func (f *Fused[F]) shorten(s *script) {
	slots := int32(len(f.Operands))
	j := &joining{code: s.code, from: kernels.ScriptAt(int(slots)),
		to: kernels.ScriptAt(int(slots) + s.regs)}
	size := kernels.ScriptAt(1)
	j.overlapped = func(a, b int32) bool {
		return a == b || a < j.from && b < j.from && f.overlap(int(a/size), int(b/size))
	}
	j.straight()
	j.pairs()
	s.code = j.code
}

// overlap reports whether two operands may have elements in common at one time: whether they lie in
// one buffer, unless they are different columns of the same rows.
func (f *Fused[F]) overlap(i, k int) bool {
	a, b := &f.Operands[i], &f.Operands[k]
	if a.Buf != b.Buf {
		return false
	}
	last := len(f.Dims) - 1
	n, apart := f.Dims[last], max(a.Off-b.Off, b.Off-a.Off)
	same := a.Clock == b.Clock && a.Tick == b.Tick && a.Segment == b.Segment &&
		slices.Equal(a.Strides, b.Strides) && a.Strides[last] == 1
	return !same || apart < n || last == 1 && apart+n > a.Strides[0]
}

func (j *joining) register(slot int32) bool { return slot >= j.from && slot < j.to }

// straight has an operation write where the next one copies its result.
func (j *joining) straight() {
	for i := 1; i < len(j.code); i++ {
		made, copied := &j.code[i-1], j.code[i]
		d := copied.A
		if copied.Kind != kernels.ScriptCopy || made.Dst != d || !j.register(d) ||
			j.written(i+1, len(j.code), copied.Dst) {
			continue
		}
		made.Dst = copied.Dst
		j.code = append(j.code[:i], j.code[i+1:]...)
		for k := i; k < len(j.code); k++ {
			for _, a := range j.code[k].Operands() {
				if *a == d {
					*a = copied.Dst
				}
			}
			if j.code[k].Dst == d {
				break
			}
		}
		i--
	}
}

// written reports whether one of the operations lo ≤ i < hi writes what lies at a slot.
func (j *joining) written(lo, hi int, slot int32) bool {
	for i := lo; i < hi; i++ {
		if j.overlapped(j.code[i].Dst, slot) {
			return true
		}
	}
	return false
}

// pairs joins an operation to the only one that reads its result.
func (j *joining) pairs() {
	for n := 0; n < len(j.code); n++ {
		for at, a := range j.code[n].Operands() {
			i := j.madeFor(n, *a)
			if i < 0 {
				continue
			}
			if both, ok := kernels.Join(j.code[i], j.code[n], at); ok {
				j.code[n] = both
				j.code = append(j.code[:i], j.code[i+1:]...)
				n--
				break
			}
		}
	}
}

// madeFor is the operation that gives what operation n reads in a register, if nothing else reads
// it and it may as well be done where n is; else −1.
func (j *joining) madeFor(n int, slot int32) int {
	if !j.register(slot) {
		return -1
	}
	i := n - 1
	for ; i >= 0 && j.code[i].Dst != slot; i-- {
	}
	if i < 0 {
		return -1 // it is set up once
	}
	reads := 0
	for k := i + 1; k < len(j.code); k++ {
		for _, a := range j.code[k].Operands() {
			if *a == slot {
				reads++
			}
		}
		if j.code[k].Dst == slot {
			break
		}
	}
	if reads != 1 {
		return -1
	}
	for _, a := range j.code[i].Operands() {
		if j.written(i+1, n, *a) {
			return -1
		}
	}
	return i
}
