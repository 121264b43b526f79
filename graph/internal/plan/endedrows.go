package plan

import (
	"slices"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/graph/internal/vm"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// endedRows finds the loops of a region whose ended rows can be skipped.
//
// A loop over a batch of sequences of different lengths has a mask: rows where it is 0 keep their
// state. Substituting 0 for the mask tells at compile time what an ended row computes: mostly a
// copy of the state, and 0 for outputs and gradients. If that is all, each step runs the body on
// the rows from the first that has not ended to the last, and only those copies on the others. In a
// batch whose rows are sorted by length, an ended row costs no more than a copy.
//
// Gates and other values stored for the backward pass are not computed for ended rows: nothing
// reads them there, which endedRows.unread makes sure of.
type endedRows struct {
	*flow
	cfg   Config
	size  int  // bytes of a number
	off   bool // none are skipped
	skips map[*ir.Value]*masked
	// found holds loops before it is known whether all that they store can be skipped
	found map[*ir.Value]*masked
}

// masked is what a body computes in rows where the mask is 0.
type masked struct {
	rows   map[*ir.Value]*ir.Value // of each root: see little; absent if nobody reads it there
	leaves map[*ir.Value]bool      // that are read there
	mask   *ir.Value               // [T, B, 1], outside of the loop
}

// of is what the rows of loop v come to where its mask is 0; nil if rows cannot be skipped.
func (e *endedRows) of(v *ir.Value, l *ir.Loop) *masked {
	if m, ok := e.skips[v]; ok {
		return m
	}
	e.skips[v] = nil // also while it is being found out
	mask := maskOf(v, l)
	if mask == nil || e.off || l.T < 2 {
		return nil
	}
	outs := e.outputs(l)
	in := newBody(l, outs)
	batch, _ := in.rows()
	if batch < 2 || mask.Size() != l.T*batch || in.asTeam(e.cfg, e.size, batch) {
		return nil
	}
	m := &masked{rows: map[*ir.Value]*ir.Value{}, leaves: map[*ir.Value]bool{}, mask: mask}
	zero := whereZero(l)
	take := func(root *ir.Value) bool {
		r, most := zero(root), 8
		if !little(r, &most) {
			return false
		}
		m.rows[root] = r
		m.readLeaves(r)
		return true
	}
	for _, c := range l.Carries {
		if !take(c.Next) {
			return nil
		}
	}
	var computed []*ir.Value // outputs
	for _, o := range outs {
		if p := o.Fn.(ir.Output); p.Kind == ir.Stored && m.rows[p.Value] == nil && !take(p.Value) {
			computed = append(computed, o)
		}
	}
	e.found[v] = m
	for _, o := range computed {
		p := o.Fn.(ir.Output)
		unread, multiplied := e.unread(o, mask)
		switch {
		case !unread:
			return nil
		case multiplied:
			m.rows[p.Value] = l.Body.Apply(ops.Fill{Dtype: p.Value.Dtype, Shape: p.Value.Shape})
		}
	}
	e.skips[v] = m
	return m
}

// little reports whether v takes no more than a few element-wise operations on leaves and constants
// of its shape.
func little(v *ir.Value, most *int) bool {
	if *most--; *most < 0 {
		return false
	}
	switch v.Fn.(type) {
	case ops.Fill, ir.BodyLeaf:
		return true
	}
	if isElementwise(v) {
		return !slices.ContainsFunc(v.Args, func(a *ir.Value) bool { return !little(a, most) })
	}
	return view(v) && len(v.Args) == 1 && !isElementwise(v.Args[0]) && little(v.Args[0], most)
}

// readLeaves notes what v reads.
func (m *masked) readLeaves(v *ir.Value) {
	if _, ok := v.Fn.(ir.BodyLeaf); ok {
		m.leaves[v] = true
	}
	for _, a := range v.Args {
		m.readLeaves(a)
	}
}

// maskOf is the mask of a loop for all steps, outside of it; nil if it has none.
func maskOf(v *ir.Value, l *ir.Loop) *ir.Value {
	for _, p := range l.Seqs {
		if l.Mask != nil && p.Leaf == l.Mask {
			return v.Args[p.Arg]
		}
	}
	return nil
}

// unread reports whether it does not matter what a stored value is in rows where the mask is 0:
// nothing reads it there, or it is multiplied by 0, and only must not be infinite or NaN.
func (e *endedRows) unread(o, mask *ir.Value) (unread, multiplied bool) {
	if e.roots[o] {
		return false, false
	}
	for _, u := range e.readers[o] {
		switch fn := u.Fn.(type) {
		case ops.Reshape:
			ok, times := e.unread(u, mask)
			if multiplied = multiplied || times; !ok {
				return false, false
			}
		case ops.Elementwise: // of a 0 it may be infinite
			if ok, times := e.unread(u, mask); !ok || times || !slices.Equal(u.Shape, o.Shape) {
				return false, false
			}
		case ops.MatMul: // a sum over all rows
			if !fn.TransA || fn.TransB || u.Args[0] != o || !e.zeroWhere(u.Args[1], mask) {
				return false, false
			}
			multiplied = true
		case *ir.Loop:
			m := e.of(u, fn)
			if m == nil || m.mask != mask {
				return false, false
			}
			for i, a := range u.Args {
				if a == o && !slices.ContainsFunc(fn.Seqs,
					func(p ir.Port) bool { return p.Arg == i && !m.leaves[p.Leaf] }) {
					return false, false
				}
			}
		default:
			return false, false
		}
	}
	return true, multiplied
}

// zeroWhere reports whether v is what a loop stores, and 0 in rows where the mask is.
func (e *endedRows) zeroWhere(v, mask *ir.Value) bool {
	v = unshaped(v)
	o, ok := v.Fn.(ir.Output)
	if !ok || o.Kind != ir.Stored {
		return false
	}
	m := e.found[v.Args[0]] // also of the loop that is being found out about
	if m == nil {
		m = e.of(v.Args[0], v.Args[0].Fn.(*ir.Loop))
	}
	return m != nil && m.mask == mask && m.rows[o.Value] != nil && m.rows[o.Value].IsZero()
}

// whereZero gives for a value of a body what it is in rows where the mask is 0. A product with what
// is 0 there is 0: what is multiplied by it may be anything in such a row, and means nothing.
func whereZero(l *ir.Loop) func(v *ir.Value) *ir.Value {
	r := l.Body
	now := map[*ir.Value]*ir.Value{l.Mask: r.Apply(ops.Fill{Dtype: l.Mask.Dtype,
		Shape: l.Mask.Shape})}
	var zero func(v *ir.Value) *ir.Value
	zero = func(v *ir.Value) *ir.Value {
		if w := now[v]; w != nil {
			return w
		}
		w := v
		if len(v.Args) > 0 {
			args := make([]*ir.Value, len(v.Args))
			for i, a := range v.Args {
				args[i] = zero(a)
			}
			if w = absorbed(r, v, args); w == nil {
				if w = v; !slices.Equal(args, v.Args) {
					w = r.Apply(v.Fn, args...)
				}
			}
		}
		now[v] = w
		return w
	}
	return zero
}

// absorbed is v on other operands if these make it one of them, or 0; else nil.
func absorbed(r *ir.Region, v *ir.Value, args []*ir.Value) *ir.Value {
	nothing := func() *ir.Value { return r.Apply(ops.Fill{Dtype: v.Dtype, Shape: v.Shape}) }
	as := func(a *ir.Value) *ir.Value {
		switch {
		case slices.Equal(a.Shape, v.Shape):
			return a
		case a.IsZero():
			return nothing()
		}
		return nil
	}
	switch fn := v.Fn.(type) {
	case ir.Copy:
		return as(args[0])
	case ops.Elementwise:
		if fn.Kind == ops.KindSelect {
			switch {
			case args[0].IsZero():
				return as(args[2])
			case args[1].IsZero() && args[2].IsZero():
				return nothing()
			}
			return nil
		}
		for i, a := range args {
			if a.IsZero() && fn.Vanishes(i) {
				return nothing()
			}
		}
		for _, i := range []int{1, 0} {
			if len(args) == 2 && args[i].IsZero() && fn.Neutral(i, 0) {
				return as(args[1-i])
			}
		}
	case ops.MatMul:
		if args[0].IsZero() || args[1].IsZero() {
			return nothing()
		}
	case ir.MatMulAcc:
		if args[1].IsZero() || args[2].IsZero() {
			return as(args[0])
		}
	}
	return nil
}

// emitSkipped compiles what is left of the body in rows that are skipped. The block k is the body,
// compiled.
func (k *block[F]) emitSkipped(m *masked, roots []*ir.Value) []vm.Instruction[F] {
	before := k.instrs
	k.instrs = nil
	for _, root := range roots {
		to, r := k.layouts[root], m.rows[root]
		if r == nil {
			continue
		}
		if f, ok := r.Fill(); ok {
			k.fill(to, f)
			continue
		}
		if isElementwise(r) {
			f := newFuser[F](r.Shape)
			k.expression(f, r, f.result(to))
			k.addFused(f, to)
			continue
		}
		if from := k.layout(r); !from.Same(to) {
			k.copy(to, from)
		}
	}
	skipped := k.instrs
	k.instrs = before
	return skipped
}
