package optimise

import (
	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/graph/internal/pass"
	"github.com/seqzoo/seqzoo/internal/ops"
)

func init() {
	register(gates, pass.Pass{
		Name: "gates",
		Does: "products of which only slices are read become a product for each slice",
		Runs: []pass.Place{{After: "slice", Why: "gates looks for products that are read in " +
			"slices, which slice has moved down to them"}},
	})
}

// gateWidth is the least number of columns of a product of its own: narrower ones waste the width
// of a kernel.
const gateWidth = 96

// gates makes products of which only column slices are read into a product for each slice. The
// gates then lie apart, each contiguous, and those that add up with another product accumulate. In
// a GRU r and z do, n does not.
func gates(l *level) {
	if l.loop == nil {
		return
	}
	fixed := map[*ir.Value]bool{}
	for _, p := range l.loop.Consts {
		fixed[p.Leaf] = true
	}
	// whole reports whether m is a product, or a sum of products, of constants.
	var whole func(m *ir.Value) bool
	whole = func(m *ir.Value) bool {
		switch fn := m.Fn.(type) {
		case ops.MatMul:
			return !fn.TransA && len(m.Shape) == 2 && fixed[m.Args[1]]
		case ir.MatMulAcc:
			u := m.Args[0]
			return !fn.TransA && fixed[m.Args[2]] && len(l.users[u]) == 1 && whole(u)
		}
		return false
	}
	sliced := func(m *ir.Value) bool {
		for _, u := range l.users[m] {
			if u == nil {
				return false
			}
			if s, ok := u.Fn.(ops.Slice); !ok || s.Axis != 1 || s.To-s.From < gateWidth {
				return false
			}
		}
		return true
	}
	for _, v := range l.order {
		if whole(v) && !sliced(v) {
			l.ungated(v)
		}
	}
	now := map[*ir.Value]*ir.Value{}
	var cut func(s ops.Slice, m *ir.Value) *ir.Value
	cut = func(s ops.Slice, m *ir.Value) *ir.Value {
		weights := func(trans bool, w *ir.Value) *ir.Value {
			if trans {
				s.Axis = 0
			}
			return l.region.Apply(s, now[w])
		}
		if fn, ok := m.Fn.(ir.MatMulAcc); ok {
			u := cut(s, m.Args[0])
			l.region.At = m.At
			return l.region.Apply(fn, u, now[m.Args[1]], weights(fn.TransB, m.Args[2]))
		}
		fn := m.Fn.(ops.MatMul)
		l.region.At = m.At
		return l.region.Apply(fn, now[m.Args[0]], weights(fn.TransB, m.Args[1]))
	}
	l.rewrite(now, func(v *ir.Value, args []*ir.Value) *ir.Value {
		if s, ok := v.Fn.(ops.Slice); ok && whole(v.Args[0]) && sliced(v.Args[0]) {
			return cut(s, v.Args[0])
		}
		return nil
	})
}

// ungated notes why a product whose columns are read in slices stays one product.
func (l *level) ungated(m *ir.Value) {
	narrowest, others := 0, false
	for _, u := range l.users[m] {
		if u == nil {
			others = true
			continue
		}
		if s, ok := u.Fn.(ops.Slice); !ok || s.Axis != 1 {
			_, acc := u.Fn.(ir.MatMulAcc)
			if others = true; acc {
				return // the sum that it is a part of says it
			}
		} else if n := s.To - s.From; narrowest == 0 || n < narrowest {
			narrowest = n
		}
	}
	switch {
	case narrowest == 0:
	case others:
		l.notes.Add("%v stays one product for all its slices: it is read whole as well", m.At)
	default:
		l.notes.Add("%v stays one product for all its slices: the narrowest has %d columns, "+
			"fewer than %d", m.At, narrowest, gateWidth)
	}
}
