package optimise

import (
	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/graph/internal/pass"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// functions are the passes of this stage, each of which registers itself in its file.
var functions = map[pass.Name]func(l *level){}

// register adds a pass of this stage, which run applies to a level. The pass runs again for each
// loop of the level, and l.loop is then that loop.
func register(run func(l *level), p pass.Pass) {
	p.Stage = pass.Optimising
	functions[pass.Register(p)] = run
}

// Run applies the passes to a graph with the given results, and gives the results that equal them.
// What they leave as it is goes to the notes, with the reason.
func Run(r *ir.Region, results []*ir.Value, without map[pass.Name]bool,
	notes *ir.Notes) []*ir.Value {
	l := &level{region: r, roots: results, notes: notes}
	for _, p := range pass.Table() {
		if p.Stage != pass.Optimising || without[p.Name] {
			continue
		}
		run := functions[p.Name]
		l.scan()
		run(l)
		l.loops(run)
	}
	l.scan()
	apart(l)
	l.loops(apart)
	return l.roots
}

// loops applies a pass to the bodies of the loops of a level. That of a loop over segments is a
// graph with loops in it.
func (l *level) loops(run func(l *level)) {
	l.scan()
	for _, v := range l.order {
		loop, ok := v.Fn.(*ir.Loop)
		if !ok {
			continue
		}
		body := bodyOf(loop, v, l)
		body.scan()
		run(body)
		if loop.Segments {
			body.loops(run)
		}
		body.finish(loop)
	}
}

// level is a region and the values that are needed of it.
type level struct {
	region *ir.Region
	roots  []*ir.Value
	order  []*ir.Value // what the roots need, operands first
	users  map[*ir.Value][]*ir.Value
	notes  *ir.Notes

	loop  *ir.Loop // whose step this is; nil if it is a graph
	value *ir.Value
	outer *level
	outs  []*ir.Value // outputs of the loop whose values are roots, after the carries'
}

// bodyOf is the body of a loop as a level. Its roots are what the carries become, then what is
// stored.
func bodyOf(loop *ir.Loop, v *ir.Value, outer *level) *level {
	l := &level{region: loop.Body, value: v, outer: outer, notes: outer.notes}
	if !loop.Segments {
		l.loop = loop
	}
	for _, c := range loop.Carries {
		l.roots = append(l.roots, c.Next)
	}
	for _, o := range loop.Outs {
		if p := o.Fn.(ir.Output); p.Kind == ir.Stored && len(outer.users[o]) > 0 {
			l.roots = append(l.roots, p.Value)
			l.outs = append(l.outs, o)
		}
	}
	return l
}

// finish tells the loop, whose body l is, what its roots have become.
func (l *level) finish(loop *ir.Loop) {
	taken := map[*ir.Value]bool{}
	for i, c := range loop.Carries {
		if c.Next = l.roots[i]; taken[c.Next] || !ir.Computed(c.Next) {
			c.Next = l.region.Copy(c.Next)
		}
		taken[c.Next] = true
	}
	for i, o := range l.outs {
		p := o.Fn.(ir.Output)
		p.Value = l.roots[len(loop.Carries)+i]
		if _, ok := p.Value.Fn.(ir.Copy); ok && ir.Computed(p.Value.Args[0]) {
			p.Value = p.Value.Args[0] // what it was a part of is computed part by part by now
		}
		if !ir.Computed(p.Value) {
			p.Value = l.region.Copy(p.Value)
		}
		o.Fn = p
	}
}

// scan finds what the roots need, and who reads what. A root has nil among its users.
func (l *level) scan() {
	l.order, l.users = nil, map[*ir.Value][]*ir.Value{}
	ir.Walk(l.roots, func(v *ir.Value) { l.order = append(l.order, v) },
		func(a, by *ir.Value) { l.users[a] = append(l.users[a], by) })
	for _, v := range l.roots {
		l.users[v] = append(l.users[v], nil)
	}
}

// rewrite replaces values: rule gives a replacement for v, whose operands' replacements are args,
// or nil for v itself on those. Loops and what comes out of them stay.
func (l *level) rewrite(now map[*ir.Value]*ir.Value,
	rule func(v *ir.Value, args []*ir.Value) *ir.Value) {
	for _, v := range l.order {
		if now[v] != nil {
			continue
		}
		same := true
		args := make([]*ir.Value, len(v.Args))
		for i, a := range v.Args {
			args[i] = now[a]
			same = same && args[i] == a
		}
		switch v.Fn.(type) {
		case *ir.Loop:
			v.Args = args
			now[v] = v
			continue
		case ir.Output, ir.Input, ir.BodyLeaf:
			now[v] = v
			continue
		case ir.Foreign:
			v.Args = args
			now[v] = v
			continue
		case ir.Copy:
			v.Args = args
			now[v] = v
			continue
		}
		l.region.At = v.At
		w := rule(v, args)
		switch {
		case w != nil:
		case same:
			w = v
		default:
			w = l.region.Apply(v.Fn, args...)
			if w.Steps == 0 {
				w.Steps, w.First = v.Steps, v.First
			}
		}
		now[v] = w
	}
	for i, v := range l.roots {
		l.roots[i] = now[v]
	}
}

// kind is the element-wise function of v, or "".
func kind(v *ir.Value) ops.Kind {
	if fn, ok := v.Fn.(ops.Elementwise); ok {
		return fn.Kind
	}
	return ""
}
