package optimise

import (
	"slices"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// accumulate finds sums of several terms, one of which at least is a matrix product that nothing else reads, and has
// the products added to another product, or to one time of a product that was taken for all times. In an LSTM that is
// x·W_ih + h·W_hh, where x·W_ih was computed before the loop.
func accumulate(l *level) {
	inner := map[*ir.Value]bool{} // sums that are terms of another
	for _, v := range l.order {
		if kind(v) == ops.KindAdd {
			for _, a := range v.Args {
				inner[a] = inner[a] || kind(a) == ops.KindAdd && slices.Equal(a.Shape, v.Shape) && len(l.users[a]) == 1
			}
		}
	}
	now := map[*ir.Value]*ir.Value{}
	l.rewrite(now, func(v *ir.Value, args []*ir.Value) *ir.Value {
		if kind(v) != ops.KindAdd || inner[v] {
			return nil
		}
		var base *ir.Value
		var products, rest []*ir.Value
		for _, t := range l.terms(v, inner) {
			p := l.product(t)
			same := slices.Equal(t.Shape, v.Shape) && len(l.users[t]) == 1
			switch {
			case same && p != nil && (len(products) == 0 || slices.Equal(p.Shape, products[0].Shape)):
				products = append(products, p)
			case same && base == nil && len(t.Shape) == 2 && l.productOutside(t):
				base = t
			default:
				rest = append(rest, t)
			}
		}
		for _, t := range rest {
			l.unadded(t, v, len(products) > 0 || base != nil)
		}
		if len(products) == 0 || base == nil && len(products) < 2 {
			return nil
		}
		if base == nil || !slices.Equal(base.Shape, products[0].Shape) {
			if base != nil {
				rest = append(rest, base)
			}
			if base, products = products[0], products[1:]; len(products) == 0 {
				return nil
			}
		}
		sum := now[base]
		for _, p := range products {
			fn := ir.MatMulAcc{MatMul: p.Fn.(ops.MatMul)}
			l.region.At = p.At
			sum = l.region.Apply(fn, sum, now[p.Args[0]], now[p.Args[1]])
		}
		l.region.At = v.At
		sum = l.region.Apply(ops.Reshape{Shape: v.Shape}, sum)
		for _, t := range rest {
			sum = l.region.Apply(ops.Elementwise{Kind: ops.KindAdd}, sum, now[t])
		}
		return sum
	})
}

// unadded notes why a product that is a term of the sum v is not added straight to another term, if there is one to add to.
func (l *level) unadded(t, v *ir.Value, others bool) {
	p := t
	if _, ok := t.Fn.(ops.Reshape); ok {
		p = t.Args[0]
	}
	if fn, ok := p.Fn.(ops.MatMul); !ok || !others {
		return
	} else if fn.TransA || len(p.Shape) != 2 {
		l.notes.Add("%v is added to its neighbours afterwards: it is a stack of products or has its left operand transposed", p.At)
		return
	}
	why := "the sum is " + ops.ShapeString(v.Shape) + ", the product " + ops.ShapeString(t.Shape)
	if len(l.users[t]) > 1 || len(l.users[p]) > 1 {
		why = "something else reads it too"
	}
	l.notes.Add("%v is added to its neighbours afterwards, not while it is computed: %s", p.At, why)
}

// product is the matrix product that t is, or is a reshaping of; nil if it is none or has other readers.
func (l *level) product(t *ir.Value) *ir.Value {
	if _, ok := t.Fn.(ops.Reshape); ok {
		if t = t.Args[0]; len(l.users[t]) != 1 {
			return nil
		}
	}
	if _, ok := t.Fn.(ops.MatMul); ok && len(t.Shape) == 2 {
		return t
	}
	return nil
}

// terms are what v adds up, from left to right.
func (l *level) terms(v *ir.Value, inner map[*ir.Value]bool) []*ir.Value {
	var out []*ir.Value
	for _, a := range v.Args {
		if inner[a] {
			out = append(out, l.terms(a, inner)...)
		} else {
			out = append(out, a)
		}
	}
	return out
}

// productOutside reports whether a leaf of a body is one time of a product that nothing but the loop reads.
func (l *level) productOutside(leaf *ir.Value) bool {
	if l.loop == nil {
		return false
	}
	for _, p := range l.loop.Seqs {
		if p.Leaf != leaf {
			continue
		}
		o := l.value.Args[p.Arg]
		for {
			if len(l.outer.users[o]) != 1 {
				return false
			}
			switch o.Fn.(type) {
			case ops.Reshape:
				o = o.Args[0]
				continue
			case ops.MatMul, ir.MatMulAcc:
				return true
			}
			return false
		}
	}
	return false
}

// slice moves slices through element-wise operations of which nothing else is read, down to what can be sliced for
// nothing.
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
				args[i] = cut(ops.Slice{Axis: axis, From: fn.From, To: fn.To}, a, len(l.users[a]) == 1)
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

// gateWidth is the least number of columns of a product of its own: narrower ones waste the width of a kernel.
const gateWidth = 96

// gates makes products of which only column slices are read into a product for each slice. The gates then lie apart,
// each contiguous, and those that add up with another product accumulate. In a GRU r and z do, n does not.
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
		l.notes.Add("%v stays one product for all its slices: the narrowest has %d columns, fewer than %d", m.At, narrowest, gateWidth)
	}
}

// apart notes products of one operand that stay products of their own, as their weights are several.
func apart(l *level) {
	type product struct {
		at      ops.Place
		weights *ir.Value
	}
	of := map[*ir.Value][]product{}
	var lefts []*ir.Value
	for _, v := range l.order {
		left, right := (*ir.Value)(nil), (*ir.Value)(nil)
		var fn ops.MatMul
		switch f := v.Fn.(type) {
		case ops.MatMul:
			fn, left, right = f, v.Args[0], v.Args[1]
		case ir.MatMulAcc:
			fn, left, right = f.MatMul, v.Args[1], v.Args[2]
		}
		if left == nil || len(v.Shape) != 2 || fn.TransA { // gradients of weights share their right operand
			continue
		}
		for len(right.Args) > 0 && !ir.Computed(right) { // a part of a matrix, or a view of it
			right = right.Args[0]
		}
		if of[left] == nil {
			lefts = append(lefts, left)
		}
		if !slices.ContainsFunc(of[left], func(p product) bool { return p.weights == right }) {
			of[left] = append(of[left], product{v.At, right})
		}
	}
	for _, left := range lefts {
		if ps := of[left]; len(ps) > 1 {
			l.notes.Add("%v: %d products of one operand are not joined to one: their weights lie apart", ps[0].at, len(ps))
		}
	}
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
			args = append(args, l.region.Apply(ops.Fill{Dtype: a.Dtype, Shape: a.Shape[1:], Value: f}))
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
