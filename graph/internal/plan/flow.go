package plan

import (
	"slices"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// flow is what a region computes, in which order, and who reads it. It knows of no memory and of no
// instruction.
type flow struct {
	order   []*ir.Value               // what the roots need, operands first
	users   map[*ir.Value]int         // reads of a value; to be a root is one more
	readers map[*ir.Value][]*ir.Value // by value, as often as they read it
	roots   map[*ir.Value]bool        // results of the region
}

func newFlow(roots []*ir.Value) *flow {
	f := &flow{users: map[*ir.Value]int{}, readers: map[*ir.Value][]*ir.Value{},
		roots: map[*ir.Value]bool{}}
	ir.Walk(roots, func(v *ir.Value) { f.order = append(f.order, v) }, func(a, by *ir.Value) {
		f.users[a]++
		f.readers[a] = append(f.readers[a], by)
	})
	for _, v := range roots {
		f.users[v]++
		f.roots[v] = true
	}
	return f
}

// outputs are the outputs of a loop that something reads.
func (f *flow) outputs(l *ir.Loop) []*ir.Value {
	var outs []*ir.Value
	for _, o := range l.Outs {
		if f.users[o] > 0 {
			outs = append(outs, o)
		}
	}
	return outs
}

// valueOf is the value that stands for a loop.
func (f *flow) valueOf(l *ir.Loop) *ir.Value {
	for _, v := range f.order {
		if v.Fn == ops.Fn(l) {
			return v
		}
	}
	return nil
}

// body is the flow of the body of a loop.
type body struct {
	*flow
	loop *ir.Loop
}

// newBody is the body of l as far as what it carries and outs need it.
func newBody(l *ir.Loop, outs []*ir.Value) *body { return &body{newFlow(rootsOf(l, outs)), l} }

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

// fixed reports whether a value of the body is a constant of it, or a view of one.
func (b *body) fixed(v *ir.Value) bool {
	for view(v) {
		v = v.Args[0]
	}
	return slices.ContainsFunc(b.loop.Consts, func(p ir.Port) bool { return p.Leaf == v })
}

// view reports whether v shows its operand's memory.
func view(v *ir.Value) bool {
	switch v.Fn.(type) {
	case ops.Slice, ops.Reshape, ops.Transpose, ops.Broadcast, ir.Output:
		return true
	}
	return false
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
