package plan

import (
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/graph/internal/vm"
	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// block makes the instructions of a region. What is known of its values before any instruction is
// made stands in pairs, body, groups and ended.
type block[F kernels.Float] struct {
	*builder[F]
	*pairs
	groups map[*ir.Value]*group
	ended  *endedRows // of its loops
	// zeroRows are values that loops store and that are 0 in the rows where a mask [T, B, 1] is 0
	zeroRows map[*ir.Value]*vm.Layout

	outer *block[F] // around a loop, of whose body this is the block; nil: it is no body
	body  *body     // that body
	batch int       // units of every instruction of a body that is divided by rows, else 0
	above *block[F] // around a loop over segments, whose body this is
	same  []int     // buffers of above that hold the same in every segment

	places
	emitted[F]
	packOf map[packKey]int
}

// places is where the values of a block lie.
type places struct {
	layouts map[*ir.Value]*vm.Layout   // what has been compiled
	dest    map[*ir.Value]*vm.Layout   // where a value is to be written, if that is decided
	also    map[*ir.Value][]*vm.Layout // further places that an element-wise value is written to
	placed  map[*ir.Value]bool         // whose operands have been placed
}

// emitted is the code of a block.
type emitted[F kernels.Float] struct {
	instrs  []vm.Instruction[F]
	touched [][]int      // buffers of each instruction
	bodies  map[int]uses // of those that are loops over segments: what is used in what order
}

// newBlock is the block of a program's results, or, with above, of the body of a loop over
// segments.
func newBlock[F kernels.Float](b *builder[F], above *block[F], roots []*ir.Value) *block[F] {
	pairs := newPairs(newFlow(roots), !b.cfg.Without[passFuse])
	return begin(&block[F]{builder: b, pairs: pairs, above: above})
}

// newBodyBlock is the block of the body of a loop in k.
func (k *block[F]) newBodyBlock(in *body) *block[F] {
	pairs := newPairs(in.flow, false)
	return begin(&block[F]{builder: k.builder, pairs: pairs, outer: k, body: in})
}

// begin gives a block its tables.
func begin[F kernels.Float](k *block[F]) *block[F] {
	fuse := !k.cfg.Without[passFuse]
	k.groups = grouped(k.pairs, fuse, k.outer != nil)
	noteUnfused(k.pairs, k.groups, fuse, &k.notes)
	k.ended = &endedRows{flow: k.flow, cfg: k.cfg, size: k.elementSize(),
		off:   k.outer != nil || k.cfg.Without[passSkip],
		skips: map[*ir.Value]*masked{}, found: map[*ir.Value]*masked{}}
	k.zeroRows, k.packOf = map[*ir.Value]*vm.Layout{}, map[packKey]int{}
	k.places = places{layouts: map[*ir.Value]*vm.Layout{}, dest: map[*ir.Value]*vm.Layout{},
		also: map[*ir.Value][]*vm.Layout{}, placed: map[*ir.Value]bool{}}
	k.bodies = map[int]uses{}
	return k
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
