package kernels

import "unsafe"

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
)

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
