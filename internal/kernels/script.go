package kernels

import (
	"math"
	"slices"
	"unsafe"
)

// A Script is element-wise operations on rows of float32 that run many times without coming back to
// Go: for a step, for a part, for a row, for a block of its columns, one operation after another.
// An operation gives the same bits as the function of the same name, so that a script is nothing
// but the order in which they are called.
type Script struct {
	parts           *ScriptPart
	count           int
	steps           int
	step, part, row int // counters of the assembly
}

// ScriptPart is operations on rows of columns. What an operation reads and writes are slots.
type ScriptPart struct {
	code      *ScriptOp
	codeBytes int
	slots     *ScriptSlot
	moving    int // bytes of the slots that move from row to row and from step to step
	rows      int
	cols      int // bytes
}

// ScriptSlot is where columns lie: in memory, from which they move on with rows and steps, or in a
// register of ScriptBlock columns, which every block uses again.
type ScriptSlot struct {
	At   uintptr // of memory that the caller keeps alive
	Mask int     // Across: of memory; Within: of a register, or of one element that is spread
	Row  int     // bytes from one row to the next
	next int     // bytes from the last row of this step to the first of the next
	sum  int     // of next in this step and in the next one
}

// Moves lets a slot go so many bytes on with each step, or on and back in turn. back is the bytes
// from the first row to the last.
func (s *ScriptSlot) Moves(step, back int, turns bool) {
	s.next = step - back
	if s.sum = 2 * s.next; turns {
		s.sum = -2 * back
	}
}

// The values of ScriptSlot.Mask.
const (
	Across = -1
	Within = 0
)

// ScriptBlock is the columns of a register.
const ScriptBlock = 128

// ScriptOp is one operation on slots, which it names by ScriptAt of their numbers.
type ScriptOp struct {
	Kind         Scripted
	Dst, A, B, C int32
	P, Q         float32
	_            int32
}

// ScriptAt is what an operation names slot i by.
func ScriptAt(i int) int32 { return int32(i * int(unsafe.Sizeof(ScriptSlot{}))) }

// Scripted is an operation that a script can have.
type Scripted int32

// The operations, in the order in which the assembly knows them.
const (
	ScriptNone Scripted = iota
	ScriptAdd
	ScriptSub
	ScriptMul
	ScriptDiv
	ScriptMax
	ScriptMin
	ScriptTanhGrad
	ScriptSigmoidGrad
	ScriptReLU
	ScriptSqrt
	ScriptExp
	ScriptLog
	ScriptTanh
	ScriptSigmoid
	ScriptSoftplus
	ScriptExpm1
	ScriptCopy
	ScriptSquare
	ScriptAbs
	ScriptInverse
	ScriptPositive
	ScriptSign
	ScriptScale  // P·a
	ScriptShift  // a + Q
	ScriptAffine // P·a + Q, rounded twice
	ScriptLt
	ScriptLe
	ScriptGt
	ScriptGe
	ScriptEq
	ScriptNe
	ScriptSelect // b where a is not 0, else c
	ScriptFill   // P
	ScriptSpread // the first element of a everywhere

	scriptPairs // the first of the pairs: each of firsts with each of seconds
)

// follower is an operation that takes what another one gives as its operand number at.
type follower struct {
	kind Scripted
	at   int
}

// The operations that pairs are made of.
var (
	firsts  = []Scripted{ScriptAdd, ScriptSub, ScriptMul, ScriptAffine}
	seconds = []follower{
		{ScriptAdd, 0}, {ScriptSub, 0}, {ScriptSub, 1}, {ScriptMul, 0}, {ScriptReLU, 0},
		{ScriptAffine, 0}, {ScriptExp, 0}, {ScriptTanh, 0}, {ScriptSigmoid, 0}, {ScriptTanhGrad, 1},
		{ScriptSigmoidGrad, 1},
	}
)

// Arity is how many operands an operation has.
func (k Scripted) Arity() int {
	switch {
	case k >= scriptPairs:
		f, g := k.pair()
		return firsts[f].Arity() + seconds[g].kind.Arity() - 1
	case k >= ScriptAdd && k <= ScriptSigmoidGrad, k >= ScriptLt && k <= ScriptNe:
		return 2
	case k == ScriptSelect:
		return 3
	case k == ScriptFill:
		return 0
	}
	return 1
}

// pair is which of firsts and of seconds a pair is.
func (k Scripted) pair() (first, second int) {
	n := int(k - scriptPairs)
	return n / len(seconds), n % len(seconds)
}

// Operands are the slots that the operation reads.
func (o *ScriptOp) Operands() []*int32 { return []*int32{&o.A, &o.B, &o.C}[:o.Kind.Arity()] }

// Join is one operation for two, of which the second takes what the first gives as its operand
// number at, and is the only one that does; ok is false if there is none. What lies between is not
// written to memory, and rounded as before.
func Join(first, second ScriptOp, at int) (both ScriptOp, ok bool) {
	f, g := first.general(), second.general()
	if at == 1 && (g.Kind == ScriptAdd || g.Kind == ScriptMul) { // either operand may come first
		g.A, g.B, at = g.B, g.A, 0
	}
	i := slices.Index(firsts, f.Kind)
	j := slices.Index(seconds, follower{g.Kind, at})
	if i < 0 || j < 0 || f.Kind == ScriptAffine && g.Kind == ScriptAffine {
		return both, false
	}
	both = ScriptOp{Kind: scriptPairs + Scripted(i*len(seconds)+j), Dst: g.Dst, P: f.P, Q: f.Q}
	if g.Kind == ScriptAffine {
		both.P, both.Q = g.P, g.Q
	}
	var in []int32
	for _, a := range f.Operands() {
		in = append(in, *a)
	}
	for n, a := range g.Operands() {
		if n != at {
			in = append(in, *a)
		}
	}
	for n, a := range both.Operands() {
		*a = in[n]
	}
	return both, true
}

// general is the operation as affine, if it is a scaling or a shift: by 1 nothing is rounded, and to
// add −0 leaves every number as it is.
func (o ScriptOp) general() ScriptOp {
	switch o.Kind {
	case ScriptScale:
		o.Kind, o.Q = ScriptAffine, float32(math.Copysign(0, -1))
	case ScriptShift:
		o.Kind, o.P = ScriptAffine, 1
	}
	return o
}

// NewScriptPart is code on slots, of which the first moving move. The code is not changed.
func NewScriptPart(code []ScriptOp, slots []ScriptSlot, moving, rows, cols int) ScriptPart {
	return ScriptPart{
		code: unsafe.SliceData(code), codeBytes: len(code) * int(unsafe.Sizeof(ScriptOp{})),
		slots: unsafe.SliceData(slots), moving: moving * int(unsafe.Sizeof(ScriptSlot{})),
		rows: rows, cols: 4 * cols,
	}
}

// Address is where a slice begins, for a slot. A number does not keep memory, and a stack may move:
// the slice must be on the heap, and be referred to by something else until the script has run.
func Address[F Float](s []F) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(s))) }

// RunScript runs parts for a number of steps, and leaves the slots where the next step begins. The
// parts must have rows, columns and code. It runs only where Scripts says so.
func RunScript(s *Script, parts []ScriptPart, steps int) {
	s.parts, s.count, s.steps = unsafe.SliceData(parts), len(parts), steps
	runScript(s)
}

var withoutScripts bool

// UseScripts chooses whether scripts run where they can, for tests and comparisons. It must not run
// while kernels do.
func UseScripts(on bool) { withoutScripts = !on }
