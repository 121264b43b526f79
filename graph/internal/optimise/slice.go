package optimise

import (
	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/graph/internal/pass"
	"github.com/seqzoo/seqzoo/internal/ops"
)

func init() {
	register(slice, pass.Pass{
		Name: "slice",
		Does: "slices of element-wise results become element-wise operations on slices, " +
			"so that gates fuse",
		Runs: []pass.Place{{After: "accumulate",
			Why: "accumulate looks for whole sums, which slices divide"}},
	})
}

// slice moves slices through element-wise operations of which nothing else is read, down to what
// can be sliced for nothing.
func slice(l *level) {
	onlySlices := func(v *ir.Value) bool {
		for _, u := range l.users[v] {
			if u == nil {
				return false
			}
			if _, ok := u.Fn.(ops.Slice); !ok {
				return false
			}
		}
		return true
	}
	now := map[*ir.Value]*ir.Value{}
	var cut func(fn ops.Slice, v *ir.Value, free bool) *ir.Value
	cut = func(fn ops.Slice, v *ir.Value, free bool) *ir.Value {
		e, ok := v.Fn.(ops.Elementwise)
		if !ok || !free {
			return l.region.Apply(fn, now[v])
		}
		args := make([]*ir.Value, len(v.Args))
		for i, a := range v.Args {
			axis := fn.Axis - len(v.Shape) + len(a.Shape)
			switch {
			case axis < 0 || a.Shape[axis] == 1 && v.Shape[fn.Axis] != 1:
				args[i] = now[a]
			default:
				args[i] = cut(ops.Slice{Axis: axis, From: fn.From, To: fn.To}, a,
					len(l.users[a]) == 1)
			}
		}
		l.region.At = v.At
		return l.region.Apply(e, args...)
	}
	l.rewrite(now, func(v *ir.Value, args []*ir.Value) *ir.Value {
		if fn, ok := v.Fn.(ops.Slice); ok {
			return cut(fn, v.Args[0], onlySlices(v.Args[0]))
		}
		return nil
	})
}
