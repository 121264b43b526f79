package vm

import (
	"unsafe"

	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// script is the code of a fused instruction as the kernels run it. Its slots are the operands, the
// registers, and the constants.
type script struct {
	code   []kernels.ScriptOp
	regs   int
	consts [][]float32 // each a number again and again
}

func (s *script) slots(operands int) int { return operands + s.regs + len(s.consts) }

// shortRow is the columns below which a tile of several rows is faster than a script, which works
// row by row.
const shortRow = 64

// Compile makes a script of the instruction, if it is one of float32 on rows whose operands lie
// element after element, or repeat one, and whose functions a script can have.
func (f *Fused[F]) Compile(s *scratch) {
	var z F
	last := len(f.Dims) - 1
	if unsafe.Sizeof(z) != 4 || last > 1 || last == 1 && f.Dims[1] < shortRow {
		return
	}
	for i := range f.Operands {
		if n := f.Operands[i].Strides[last]; n != 0 && n != 1 && f.Dims[last] > 1 {
			return
		}
	}
	c := &scripting[F]{f: f, script: &script{regs: f.Regs}, is: make([]int, len(f.Operands)+f.Regs)}
	for i := range c.is {
		c.is[i] = i
	}
	for i := range f.Setup {
		if !c.add(&f.Setup[i], true) {
			return
		}
	}
	for i := range f.Code {
		if !c.add(&f.Code[i], false) {
			return
		}
	}
	f.shorten(c.script)
	f.script = c.script
	s.scripts(f.script.slots(len(f.Operands)), 1)
}

// scripts makes room for scripts that run together.
func (s *scratch) scripts(slots, parts int) {
	s.scriptSlots, s.scriptParts = max(s.scriptSlots, slots), max(s.scriptParts, parts)
}

// scripting is a script while it is made.
type scripting[F kernels.Float] struct {
	f      *Fused[F]
	script *script
	is     []int // slot of the script that holds what a slot of the instruction does
}

// add adds an operation; false if a script cannot have it. Setup is done once for all elements, and
// its registers stay as they are.
func (c *scripting[F]) add(o *Op[F], setup bool) bool {
	at := func(i int) int32 { return kernels.ScriptAt(c.is[i]) }
	op := kernels.ScriptOp{P: float32(o.P), Q: float32(o.Q)}
	switch o.Code {
	case OpFill:
		if setup {
			row := make([]float32, kernels.ScriptBlock)
			kernels.Fill(row, float32(o.P))
			c.is[o.Dst] = c.script.slots(len(c.f.Operands))
			c.script.consts = append(c.script.consts, row)
			return true
		}
		op.Kind = kernels.ScriptFill
	case OpRows: // the rows lie where they can be read
		if c.f.Operands[o.A].Strides[len(c.f.Dims)-1] == 1 {
			c.is[o.Dst] = o.A
			return true
		}
		return false
	case OpSpread:
		op.Kind, op.A = kernels.ScriptSpread, at(o.A)
	case OpScatter:
		op.Kind, op.A = kernels.ScriptCopy, at(o.A)
	case opCompute:
		fn := ops.Elementwise{Kind: o.Kind, P: o.P, Q: o.Q}
		if op.Kind = fn.Scripted(); op.Kind == kernels.ScriptNone {
			return false
		}
		for i, to := range []*int32{&op.A, &op.B, &op.C}[:o.Kind.Arity()] {
			*to = at([]int{o.A, o.B, o.C}[i])
		}
	default:
		return false
	}
	c.is[o.Dst] = o.Dst // whatever it stood for before
	op.Dst = at(o.Dst)
	c.script.code = append(c.script.code, op)
	return true
}

// extent is the rows and columns of the units lo ≤ i < hi.
func (f *Fused[F]) extent(lo, hi int) (row, rows, col, cols int) {
	last := len(f.Dims) - 1
	n := f.Dims[last]
	switch {
	case last == 1:
		each := f.Dims[0] / f.Split
		return lo * each, (hi - lo) * each, 0, n
	case f.Chunked:
		col = lo * f.Tile
		return 0, 1, col, min(hi*f.Tile, n) - col
	}
	col = n * lo / f.Split
	return 0, 1, col, n*hi/f.Split - col
}

// bindScript places the slots for rows and columns at the worker's time.
func (f *Fused[F]) bindScript(x *worker[F], slots []kernels.ScriptSlot,
	row, rows, col, cols int) kernels.ScriptPart {
	last := len(f.Dims) - 1
	for i := range f.Operands {
		o := &f.Operands[i]
		first := o.first(x.clock, x.segment) + col*o.Strides[last]
		s := kernels.ScriptSlot{Mask: kernels.Across}
		if o.Strides[last] == 0 {
			s.Mask = kernels.Within
		}
		if last == 1 {
			first += row * o.Strides[0]
			s.Row = 4 * o.Strides[0]
			s.Moves(0, s.Row*(rows-1), false)
		}
		s.At = kernels.Address(x.p.bufs[o.Buf][first:])
		slots[i] = s
	}
	next := slots[len(f.Operands):]
	for i := range f.script.regs {
		next[i] = kernels.ScriptSlot{At: kernels.Address(x.regs[i*kernels.ScriptBlock:])}
	}
	next = next[f.script.regs:]
	for i, c := range f.script.consts {
		next[i] = kernels.ScriptSlot{At: kernels.Address(c)}
	}
	return kernels.NewScriptPart(f.script.code, slots, len(f.Operands), rows, cols)
}

// scriptElements is how many elements go through an operation at most in one call of the kernels,
// which cannot be interrupted: between two calls the scheduler and the collector of garbage have
// their turn, and a loop looks at whether the run is to end.
const scriptElements = 1 << 20

func (f *Fused[F]) runScript(x *worker[F], lo, hi int) {
	row, rows, col, cols := f.extent(lo, hi)
	if rows <= 0 || cols <= 0 {
		return
	}
	most := max(kernels.ScriptBlock, scriptElements/max(1, len(f.script.code)))
	for rows > 0 {
		some := min(rows, max(1, most/cols))
		for c := 0; c < cols; c += most {
			x.scriptParts[0] = f.bindScript(x, x.scriptSlots, row, some, col+c, min(most, cols-c))
			kernels.RunScript(&x.script, x.scriptParts[:1], 1)
		}
		row, rows = row+some, rows-some
	}
}

// scripted reports whether the steps of the loop are run by the kernels, without coming back
// between.
func (l *Loop[F]) scripted() bool { return l.script && kernels.Scripts() }

// Compile makes one script of the loop if all that it does is one.
func (l *Loop[F]) Compile(s *scratch) {
	if l.Team || l.Mask != nil || len(l.Body) == 0 {
		return
	}
	slots := 0
	for _, in := range l.Body {
		f, ok := in.(*Fused[F])
		if !ok || f.script == nil {
			return
		}
		slots += f.script.slots(len(f.Operands))
	}
	l.script = true
	s.scripts(slots, len(l.Body))
}

func (l *Loop[F]) runScript(x *worker[F], lo, hi int) error {
	l.tick(x, 0)
	slots, parts, elements := x.scriptSlots, x.scriptParts[:0], 0
	for _, in := range l.Body {
		f := in.(*Fused[F])
		if l.Rows == 1 {
			lo, hi = 0, f.units()
		}
		row, rows, col, cols := f.extent(lo, hi)
		if rows <= 0 || cols <= 0 {
			continue
		}
		parts = append(parts, f.bindScript(x, slots, row, rows, col, cols))
		for i := range f.Operands {
			l.turn(&slots[i], &f.Operands[i].Layout, rows)
		}
		slots = slots[f.script.slots(len(f.Operands)):]
		elements += rows * cols * len(f.script.code)
	}
	if len(parts) == 0 {
		return nil
	}
	for i, some := 0, max(1, scriptElements/elements); i < l.T; i += some {
		if err := x.p.stopped(); err != nil {
			return err
		}
		kernels.RunScript(&x.script, parts, min(some, l.T-i))
	}
	return nil
}

// turn is how a slot moves from the first step on.
func (l *Loop[F]) turn(s *kernels.ScriptSlot, at *Layout, rows int) {
	step, back := 4*at.Tick, s.Row*(rows-1)
	switch {
	case at.Clock == ByTime && l.Reverse:
		s.Moves(-step, back, false)
	case at.Clock == ByTime:
		s.Moves(step, back, false)
	case at.Clock == ByStep:
		s.Moves(step, back, true)
	case at.Clock == ByStep1:
		s.Moves(-step, back, true)
	}
}
