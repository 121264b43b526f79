package plan

import (
	"fmt"
	"slices"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// group is element-wise values of one shape that are computed in one pass.
type group struct {
	members []*ir.Value // operands first; sums of them among them
	done    bool
}

// isElementwise reports whether fused code computes v.
func isElementwise(v *ir.Value) bool {
	_, ok := ir.Elementwise(v)
	return ok
}

// grouped divides the element-wise values into groups, each of which is computed in one pass.
// Outside of loops only values that read one another are joined; in a body, all of one stage and
// shape.
func grouped(p *pairs, fuse, inBody bool) map[*ir.Value]*group {
	stage := p.stages()
	joined := newUnion()
	type key struct {
		stage int
		shape string
	}
	first := map[key]*ir.Value{}
	for _, v := range p.order {
		if !isElementwise(v) || !fuse {
			continue
		}
		if inBody {
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
	groups, byRoot := map[*ir.Value]*group{}, map[*ir.Value]*group{}
	for _, v := range p.order {
		root := v
		switch {
		case fuse && summed(v):
			root = v.Args[0]
		case !isElementwise(v):
			continue
		}
		root = joined.find(root)
		if byRoot[root] == nil {
			byRoot[root] = &group{}
		}
		byRoot[root].members = append(byRoot[root].members, v)
		groups[v] = byRoot[root]
	}
	return groups
}

// stages numbers all values: an element-wise value has the stage of an element-wise operand of its
// shape, else one more than its operands'. Values of one stage and shape depend on each other only
// directly, so one pass computes them. An element-wise value then moves to the latest stage that
// its readers allow.
func (p *pairs) stages() map[*ir.Value]int {
	stage := map[*ir.Value]int{}
	known := map[*ir.Value]bool{}
	var set func(v *ir.Value)
	set = func(v *ir.Value) {
		if known[v] {
			return
		}
		known[v] = true
		s := 0
		for _, a := range p.operands(v) {
			set(a) // it may come later in the order: a loss waits for the gradient that comes to it
			switch {
			case isElementwise(v) && joins(a, v), view(v) && len(a.Args) > 0:
				s = max(s, stage[a])
			case len(a.Args) > 0:
				s = max(s, stage[a]+1)
			}
		}
		stage[v] = s
		if l := p.lossOf[v]; l != nil { // a gradient is there when its loss is
			set(l)
			stage[v] = max(s, stage[l])
		}
	}
	for _, v := range p.order {
		set(v)
	}
	for _, v := range slices.Backward(p.order) {
		if isElementwise(v) {
			stage[v] = max(stage[v], p.latest(v, stage))
		}
	}
	return stage
}

// latest is the first stage of those that read an element-wise value, if all of them can be
// computed in one pass with it; else its own.
func (p *pairs) latest(v *ir.Value, stage map[*ir.Value]int) int {
	late := -1
	for _, u := range p.readers[v] {
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

// noteUnfused notes which element-wise values are read by others that are not computed in one pass
// with them. It is no loss where the value in between is a result that has to be written in any
// case.
func noteUnfused(p *pairs, groups map[*ir.Value]*group, fuse bool, notes *ir.Notes) {
	if !fuse {
		notes.Add("element-wise operations are computed one by one: the pass fuse is off")
		return
	}
	seen := map[[2]ops.Place]bool{} // a graph with every step laid out has the same case many times
	for _, v := range p.order {
		if !isElementwise(v) {
			continue
		}
		for _, a := range v.Args {
			if !isElementwise(a) || groups[a] == groups[v] || a.At == v.At ||
				seen[[2]ops.Place{a.At, v.At}] {
				continue
			}
			seen[[2]ops.Place{a.At, v.At}] = true
			switch {
			case !slices.Equal(a.Shape, v.Shape):
				notes.Add("%v is not fused with %v, which reads it: %s is repeated to %s", a.At, v.At,
					ops.ShapeString(a.Shape), ops.ShapeString(v.Shape))
			default:
				notes.Add("%v is not fused with %v, which reads it: %s", a.At, v.At, p.between(a, v))
			}
		}
	}
}

// between says what stands between an element-wise value and one of its shape that reads it.
func (p *pairs) between(a, v *ir.Value) string {
	for _, b := range v.Args {
		for o := b; o != a; {
			if !view(o) && !isElementwise(o) && len(o.Args) > 0 && p.needs(o, a) {
				return fmt.Sprintf("that needs %v as well, which needs all of it", o.At)
			}
			i := slices.IndexFunc(o.Args, func(c *ir.Value) bool { return c != a && p.needs(c, a) })
			if i < 0 {
				break
			}
			o = o.Args[i]
		}
	}
	return "that is computed with its own readers, which wait for more"
}
