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

// group divides the element-wise values into groups. Each has a stage: that of an element-wise
// operand of its shape, else one more than its operands'. Values of one stage and shape never need
// each other through anything else, so they can be one pass. A value moves to the latest stage that
// its users allow. Outside of loops only values that read one another are joined; in a body, all.
func (k *block[F]) group() {
	stage := map[*ir.Value]int{}
	joins := func(a, v *ir.Value) bool { return isElementwise(a) && slices.Equal(a.Shape, v.Shape) }
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
			case isElementwise(v) && joins(a, v):
				s = max(s, stage[a])
			case len(a.Args) == 0:
			case view(v) && len(a.Args) > 0:
				s = max(s, stage[a])
			default:
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
		if !isElementwise(v) {
			continue
		}
		late := -1
		for _, u := range k.readers[v] {
			if !isElementwise(u) || !joins(v, u) {
				late = stage[v]
				break
			}
			if late < 0 || stage[u] < late {
				late = stage[u]
			}
		}
		stage[v] = max(stage[v], late)
	}
	k.groups = map[*ir.Value]*group{}
	parent := map[*ir.Value]*ir.Value{}
	find := func(v *ir.Value) *ir.Value {
		for parent[v] != nil {
			v = parent[v]
		}
		return v
	}
	type key struct {
		stage int
		shape string
	}
	first := map[key]*ir.Value{}
	fuse := !k.cfg.Without[pass.Fuse]
	for _, v := range k.order {
		if !isElementwise(v) || !fuse {
			continue
		}
		if k.outer != nil {
			id := key{stage[v], ops.ShapeString(v.Shape)}
			if first[id] == nil {
				first[id] = v
			} else {
				parent[v] = first[id]
			}
			continue
		}
		for _, a := range v.Args {
			if joins(a, v) && stage[a] == stage[v] && find(a) != find(v) {
				parent[find(v)] = find(a)
			}
		}
	}
	k.unfused(fuse, find)
	byRoot := map[*ir.Value]*group{}
	for _, v := range k.order {
		if !isElementwise(v) {
			continue
		}
		root := find(v)
		if byRoot[root] == nil {
			byRoot[root] = &group{}
		}
		byRoot[root].members = append(byRoot[root].members, v)
		k.groups[v] = byRoot[root]
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
				args[i] = f.load(a, k.loc(a))
			}
		}
		out := f.temp()
		if k.kept(v, in) {
			l := k.target(v)
			k.locs[v] = l
			out = f.result(l)
		}
		f.of[v] = out
		f.compute(fn, out, args...)
		for _, l := range k.also[v] {
			f.ops = append(f.ops, compute[F](copying, f.result(l), out))
		}
	}
	inst, locs := f.finish(k.batch)
	k.regs, k.slots = max(k.regs, inst.regs), max(k.slots, inst.regs+len(inst.operands))
	k.add(inst, locs...)
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
func (k *block[F]) copy(to, from *loc) {
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
func (k *block[F]) fill(to *loc, v float64) {
	if to.ints {
		k.add(&copyInts[F]{to, nil}, to)
		return
	}
	f := newFuser[F](to.shape)
	f.unitCost = 30
	f.ops = append(f.ops, op[F]{code: opFill, dst: f.result(to), p: float64(F(v))})
	k.addFused(f, to)
}

func (k *block[F]) addFused(f *fuser[F], to *loc) {
	batch := k.batch
	if batch > 0 && (len(to.shape) == 0 || to.shape[0]%batch != 0) {
		batch = 0
	}
	inst, locs := f.finish(batch)
	k.regs, k.slots = max(k.regs, inst.regs), max(k.slots, inst.regs+len(inst.operands))
	k.add(inst, locs...)
}
