package exec

import (
	"fmt"
	"slices"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/graph/internal/pass"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// copying is the function that copies.
var copying = ops.Elementwise{Kind: ops.KindStop}

// group is element-wise values of one shape that are computed in one pass.
type group struct {
	members []*ir.Value // operands first
	done    bool
}

// isElementwise reports whether fused code computes v.
func isElementwise(v *ir.Value) bool {
	_, ok := ir.Elementwise(v)
	return ok
}

// group divides the element-wise values into groups, each of which is computed in one pass. Outside
// of loops only values that read one another are joined; in a body, all of one stage and shape.
func (k *block[F]) group() {
	stage := k.stages()
	joined := newUnion()
	fuse := !k.cfg.Without[pass.Fuse]
	type key struct {
		stage int
		shape string
	}
	first := map[key]*ir.Value{}
	for _, v := range k.order {
		if !isElementwise(v) || !fuse {
			continue
		}
		if k.outer != nil {
			id := key{stage[v], ops.ShapeString(v.Shape)}
			if first[id] == nil {
				first[id] = v
			} else {
				joined.parent[v] = first[id]
			}
			continue
		}
		for _, a := range v.Args {
			if joins(a, v) && stage[a] == stage[v] {
				joined.join(v, a)
			}
		}
	}
	k.unfused(fuse, joined.find)
	k.groups = map[*ir.Value]*group{}
	byRoot := map[*ir.Value]*group{}
	for _, v := range k.order {
		if !isElementwise(v) {
			continue
		}
		root := joined.find(v)
		if byRoot[root] == nil {
			byRoot[root] = &group{}
		}
		byRoot[root].members = append(byRoot[root].members, v)
		k.groups[v] = byRoot[root]
	}
}

// stages numbers all values: an element-wise value has the stage of an element-wise operand of its
// shape, else one more than its operands'. Values of one stage and shape depend on each other only
// directly, so one pass computes them. An element-wise value then moves to the latest stage that
// its readers allow.
func (k *block[F]) stages() map[*ir.Value]int {
	stage := map[*ir.Value]int{}
	known := map[*ir.Value]bool{}
	var set func(v *ir.Value)
	set = func(v *ir.Value) {
		if known[v] {
			return
		}
		known[v] = true
		s := 0
		for _, a := range k.operands(v) {
			set(a) // it may come later in the order: a loss waits for the gradient that comes to it
			switch {
			case isElementwise(v) && joins(a, v), view(v) && len(a.Args) > 0:
				s = max(s, stage[a])
			case len(a.Args) > 0:
				s = max(s, stage[a]+1)
			}
		}
		stage[v] = s
		if l := k.lossOf[v]; l != nil { // a gradient is there when its loss is
			set(l)
			stage[v] = max(s, stage[l])
		}
	}
	for _, v := range k.order {
		set(v)
	}
	for _, v := range slices.Backward(k.order) {
		if isElementwise(v) {
			stage[v] = max(stage[v], k.latest(v, stage))
		}
	}
	return stage
}

// latest is the first stage of those that read an element-wise value, if all of them can be
// computed in one pass with it; else its own.
func (k *block[F]) latest(v *ir.Value, stage map[*ir.Value]int) int {
	late := -1
	for _, u := range k.readers[v] {
		if !isElementwise(u) || !joins(v, u) {
			return stage[v]
		}
		if late < 0 || stage[u] < late {
			late = stage[u]
		}
	}
	return late
}

// joins reports whether an operand is element-wise and of the shape of v, which reads it.
func joins(a, v *ir.Value) bool { return isElementwise(a) && slices.Equal(a.Shape, v.Shape) }

// union holds sets of values that are joined, each with one value that stands for it.
type union struct{ parent map[*ir.Value]*ir.Value }

func newUnion() union { return union{map[*ir.Value]*ir.Value{}} }

func (u union) find(v *ir.Value) *ir.Value {
	for u.parent[v] != nil {
		v = u.parent[v]
	}
	return v
}

// join joins the set of v to that of a.
func (u union) join(v, a *ir.Value) {
	if u.find(a) != u.find(v) {
		u.parent[u.find(v)] = u.find(a)
	}
}

// unfused notes which element-wise values are read by others that are not computed in one pass with
// them. It is no loss where the value in between is a result that has to be written in any case.
func (k *block[F]) unfused(fuse bool, find func(*ir.Value) *ir.Value) {
	if !fuse {
		k.note("element-wise operations are computed one by one: the pass fuse is off")
		return
	}
	seen := map[[2]ops.Place]bool{} // a graph with every step laid out has the same case many times
	for _, v := range k.order {
		if !isElementwise(v) {
			continue
		}
		for _, a := range v.Args {
			if !isElementwise(a) || find(a) == find(v) || a.At == v.At || seen[[2]ops.Place{a.At, v.At}] {
				continue
			}
			seen[[2]ops.Place{a.At, v.At}] = true
			switch {
			case !slices.Equal(a.Shape, v.Shape):
				k.note("%v is not fused with %v, which reads it: %s is repeated to %s", a.At, v.At, ops.ShapeString(a.Shape), ops.ShapeString(v.Shape))
			default:
				k.note("%v is not fused with %v, which reads it: %s", a.At, v.At, k.between(a, v))
			}
		}
	}
}

// between says what stands between an element-wise value and one of its shape that reads it.
func (k *block[F]) between(a, v *ir.Value) string {
	for _, b := range v.Args {
		for o := b; o != a; {
			if !view(o) && !isElementwise(o) && len(o.Args) > 0 && k.needs(o, a) {
				return fmt.Sprintf("that needs %v as well, which needs all of it", o.At)
			}
			i := slices.IndexFunc(o.Args, func(c *ir.Value) bool { return c != a && k.needs(c, a) })
			if i < 0 {
				break
			}
			o = o.Args[i]
		}
	}
	return "that is computed with its own readers, which wait for more"
}

// emitGroup compiles a group to one instruction.
func (k *block[F]) emitGroup(g *group) {
	if g.done {
		return
	}
	g.done = true
	in := map[*ir.Value]bool{}
	for _, v := range g.members {
		in[v] = true
	}
	for _, v := range g.members {
		for _, a := range v.Args {
			if !in[a] {
				k.emit(a)
			}
		}
	}
	k.at = placesOf(g.members)
	f := newFuser[F](g.members[0].Shape)
	for _, v := range g.members {
		fn, _ := ir.Elementwise(v)
		args := make([]int, len(v.Args))
		for i, a := range v.Args {
			switch fill, ok := a.Fill(); {
			case in[a]:
				args[i] = f.of[a]
			case ok:
				args[i] = f.constant(F(fill))
			default:
				args[i] = f.load(a, k.layout(a))
			}
		}
		out := f.temp()
		if k.kept(v, in) {
			l := k.target(v)
			k.layouts[v] = l
			out = f.result(l)
		}
		f.of[v] = out
		f.compute(fn, out, args...)
		for _, l := range k.also[v] {
			f.ops = append(f.ops, compute[F](copying, f.result(l), out))
		}
	}
	inst, layouts := f.finish(k.batch)
	k.regs, k.slots = max(k.regs, inst.regs), max(k.slots, inst.regs+len(inst.operands))
	k.add(inst, layouts...)
}

// kept reports whether a member of a group is needed in memory.
func (k *block[F]) kept(v *ir.Value, in map[*ir.Value]bool) bool {
	if k.roots[v] || k.dest[v] != nil {
		return true
	}
	for _, u := range k.readers[v] {
		if !in[u] {
			return true
		}
	}
	return false
}

// copy copies what lies at from to another place of the same shape.
func (k *block[F]) copy(to, from *layout) {
	if to.ints {
		k.add(&copyInts[F]{to, from}, to, from)
		return
	}
	f := newFuser[F](to.shape)
	loaded := f.load(nil, from)
	f.compute(copying, f.result(to), loaded)
	k.addFused(f, to)
}

// fill writes one number everywhere.
func (k *block[F]) fill(to *layout, v float64) {
	if to.ints {
		k.add(&copyInts[F]{to, nil}, to)
		return
	}
	f := newFuser[F](to.shape)
	f.unitCost = 30
	f.ops = append(f.ops, op[F]{code: opFill, dst: f.result(to), p: float64(F(v))})
	k.addFused(f, to)
}

func (k *block[F]) addFused(f *fuser[F], to *layout) {
	batch := k.batch
	if batch > 0 && (len(to.shape) == 0 || to.shape[0]%batch != 0) {
		batch = 0
	}
	inst, layouts := f.finish(batch)
	k.regs, k.slots = max(k.regs, inst.regs), max(k.slots, inst.regs+len(inst.operands))
	k.add(inst, layouts...)
}
