package optimise

import (
	"slices"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/graph/internal/pass"
	"github.com/seqzoo/seqzoo/internal/ops"
)

func init() {
	register(pull, pass.Pass{
		Name: "pull",
		Does: "element-wise operations whose only reader is a loop are computed in it, " +
			"step by step",
		Runs: []pass.Place{{After: "hoist", Why: "pull takes back into a loop what was computed " +
			"before it, where the loop alone reads it"}},
	})
}

// pull moves element-wise operations into the only loop that reads their result.
func pull(l *level) {
	if l.loop == nil {
		return
	}
	now := map[*ir.Value]*ir.Value{}
	changed := false
	for _, p := range slices.Clone(l.loop.Seqs) {
		if len(l.users[p.Leaf]) == 0 {
			continue
		}
		if v := l.pulled(l.value.Args[p.Arg]); v != nil {
			now[p.Leaf] = v
			changed = true
		}
	}
	if changed {
		l.scan2(now)
		l.rewrite(now, func(*ir.Value, []*ir.Value) *ir.Value { return nil })
		l.dropUnread()
	}
}

// pulled is one time of an array outside, computed in the body; nil if it had better be read.
func (l *level) pulled(o *ir.Value) *ir.Value {
	fn, ok := o.Fn.(ops.Elementwise)
	if !ok || len(l.outer.users[o]) != 1 {
		return nil
	}
	var args []*ir.Value
	for _, a := range o.Args {
		switch f, fill := a.Fill(); {
		case fill && len(a.Shape) == 0:
			args = append(args, l.region.Apply(ops.Fill{Dtype: a.Dtype, Value: f}))
		case !slices.Equal(a.Shape, o.Shape):
			return nil
		case fill:
			args = append(args, l.region.Apply(ops.Fill{Dtype: a.Dtype, Shape: a.Shape[1:],
				Value: f}))
		default:
			args = append(args, nil)
		}
	}
	for i, a := range o.Args {
		if args[i] == nil {
			if args[i] = l.pulled(a); args[i] == nil {
				args[i] = l.loop.Seq(l.value, a)
			}
		}
	}
	l.region.At = o.At
	return l.region.Apply(fn, args...)
}

// scan2 makes the order include what replaces leaves.
func (l *level) scan2(now map[*ir.Value]*ir.Value) {
	for _, v := range now {
		var visit func(v *ir.Value)
		visit = func(v *ir.Value) {
			if now[v] == nil {
				now[v] = v
				for _, a := range v.Args {
					visit(a)
				}
			}
		}
		visit(v)
	}
}

// dropUnread takes operands from the loop that its body reads no more.
func (l *level) dropUnread() {
	l.scan()
	used := func(ps []ir.Port) []ir.Port {
		return slices.DeleteFunc(ps, func(p ir.Port) bool { return len(l.users[p.Leaf]) == 0 })
	}
	l.loop.Seqs, l.loop.Consts = used(l.loop.Seqs), used(l.loop.Consts)
	to := map[int]int{}
	var args []*ir.Value
	keep := func(i int) int {
		if n, ok := to[i]; ok {
			return n
		}
		to[i] = len(args)
		args = append(args, l.value.Args[i])
		return to[i]
	}
	for _, ps := range [][]ir.Port{l.loop.Seqs, l.loop.Consts} {
		for i := range ps {
			ps[i].Arg = keep(ps[i].Arg)
		}
	}
	for _, c := range l.loop.Carries {
		args = append(args, l.value.Args[c.Init])
		c.Init = len(args) - 1
	}
	l.value.Args = args
}
