package plan

import (
	"slices"

	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/graph/internal/vm"
	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// block is a region while it is compiled.
type block[F kernels.Float] struct {
	*builder[F]
	outer   *block[F] // of the body of a loop
	loop    *ir.Loop
	order   []*ir.Value // what is needed, operands first
	users   map[*ir.Value]int
	readers map[*ir.Value][]*ir.Value
	roots   map[*ir.Value]bool
	layouts map[*ir.Value]*vm.Layout   // what has been compiled
	dest    map[*ir.Value]*vm.Layout   // where a value is to be written, if that is decided
	placed  map[*ir.Value]bool         // whose operands have been placed
	also    map[*ir.Value][]*vm.Layout // further places that an element-wise value is written to
	groups  map[*ir.Value]*group
	// of a loss: the gradient of its logits, if one instruction computes both
	gradOf map[*ir.Value]*ir.Value
	lossOf map[*ir.Value]*ir.Value // the same turned round
	why    string                  // a body is not divided by rows
	// units of every instruction of a body that is divided by rows, else 0
	batch   int
	instrs  []vm.Instruction[F]
	touched [][]int // buffers of each instruction
	// of those that are loops over segments: what is used in what order
	bodies  map[int]uses
	above   *block[F]             // around a loop over segments, whose body this is
	lasting []int                 // buffers of above that every segment uses
	skips   map[*ir.Value]*masked // of loops
	// of loops, before it is known whether all that they store can be skipped
	found map[*ir.Value]*masked
	// stored values that are 0 in the rows where a mask [T, B, 1] is 0
	zeroRows map[*ir.Value]*vm.Layout
	packOf   map[packKey]int
}

func newBlock[F kernels.Float](b *builder[F], outer *block[F], roots []*ir.Value) *block[F] {
	k := &block[F]{builder: b, outer: outer, users: map[*ir.Value]int{},
		readers: map[*ir.Value][]*ir.Value{},
		roots:   map[*ir.Value]bool{}, layouts: map[*ir.Value]*vm.Layout{},
		dest: map[*ir.Value]*vm.Layout{}, also: map[*ir.Value][]*vm.Layout{},
		placed: map[*ir.Value]bool{}, zeroRows: map[*ir.Value]*vm.Layout{}}
	seen := map[*ir.Value]bool{}
	var visit func(v *ir.Value)
	visit = func(v *ir.Value) {
		if seen[v] {
			return
		}
		seen[v] = true
		for _, a := range v.Args {
			visit(a)
			k.users[a]++
			k.readers[a] = append(k.readers[a], v)
		}
		k.order = append(k.order, v)
	}
	for _, v := range roots {
		visit(v)
		k.users[v]++
		k.roots[v] = true
	}
	k.pairLosses()
	k.group()
	return k
}

// view reports whether v shows its operand's memory.
func view(v *ir.Value) bool {
	switch v.Fn.(type) {
	case ops.Slice, ops.Reshape, ops.Transpose, ops.Broadcast, ir.Output:
		return true
	}
	return false
}

// strided reports whether v's instruction can write its result into a part of something larger.
func strided(v *ir.Value) bool {
	switch v.Fn.(type) {
	case ops.Elementwise, ir.Copy, ir.MatMulAcc:
		return true
	case ops.MatMul:
		return len(v.Shape) == 2
	case ops.Concat, ops.Pad:
		return v.Dtype != tensor.Int
	}
	return false
}

// add appends an instruction that reads or writes layouts.
func (k *block[F]) add(in vm.Instruction[F], layouts ...*vm.Layout) {
	k.instrs = append(k.instrs, in)
	k.code.At[in] = k.at
	var bufs []int
	for _, l := range layouts {
		bufs = append(bufs, l.Buf)
	}
	k.touched = append(k.touched, bufs)
}

// placesOf is where values are written in the model.
func placesOf(vs []*ir.Value) []ops.Place {
	var at []ops.Place
	for _, v := range vs {
		if !slices.Contains(at, v.At) {
			at = append(at, v.At)
		}
	}
	return at
}

// layout is where v lies. v is compiled if it was not yet.
func (k *block[F]) layout(v *ir.Value) *vm.Layout {
	k.emit(v)
	if k.layouts[v] == nil { // a constant that an instruction wants in memory
		f, _ := v.Fill()
		l := k.target(v)
		k.fill(l, f)
		k.layouts[v] = l
	}
	return k.layouts[v]
}

// dense is v in contiguous memory.
func (k *block[F]) dense(v *ir.Value) *vm.Layout {
	l := k.layout(v)
	if l.Contiguous() {
		return l
	}
	return k.compact(l, v.Type)
}

func (k *block[F]) compact(l *vm.Layout, t ops.Type) *vm.Layout {
	to := k.fresh(t, vm.InArena)
	k.copy(to, l)
	return to
}

// note adds a remark to the listing.
func (k *block[F]) note(format string, args ...any) { k.notes.Add(format, args...) }

// outputs are the outputs of a loop that something needs.
func (k *block[F]) outputs(l *ir.Loop) []*ir.Value {
	var outs []*ir.Value
	for _, o := range l.Outs {
		if k.users[o] > 0 {
			outs = append(outs, o)
		}
	}
	return outs
}

// rootsOf are the values that a body computes: what is carried on, then what is stored.
func rootsOf(l *ir.Loop, outs []*ir.Value) []*ir.Value {
	var roots []*ir.Value
	for _, c := range l.Carries {
		roots = append(roots, c.Next)
	}
	for _, o := range outs {
		if p := o.Fn.(ir.Output); p.Kind == ir.Stored && !slices.Contains(roots, p.Value) {
			roots = append(roots, p.Value)
		}
	}
	return roots
}

// unshaped is what v is a reshaping of.
func unshaped(v *ir.Value) *ir.Value {
	for {
		if _, ok := v.Fn.(ops.Reshape); !ok {
			return v
		}
		v = v.Args[0]
	}
}

// fixed reports whether a value of the body is a constant of it, or a view of one.
func (k *block[F]) fixed(v *ir.Value) bool {
	for view(v) {
		v = v.Args[0]
	}
	for _, p := range k.loop.Consts {
		if p.Leaf == v {
			return true
		}
	}
	return false
}
