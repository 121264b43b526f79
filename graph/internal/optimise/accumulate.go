package optimise

import (
	"slices"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/graph/internal/pass"
	"github.com/seqzoo/seqzoo/internal/ops"
)

func init() {
	register(accumulate, pass.Pass{
		Name: "accumulate",
		Does: "products that are terms of a sum are added straight to another term",
		Runs: []pass.Place{
			{After: "pull",
				Why: "a sum that pull brings into a loop has its products added in place, too"},
			{After: "gates", Why: "the products of single gates are terms of sums anew"},
		},
	})
}

// accumulate finds sums of several terms, one of which at least is a matrix product that nothing
// else reads, and has the products added to another product, or to one time of a product that was
// taken for all steps. In an LSTM that is x·W_ih + h·W_hh, where x·W_ih was computed before the
// loop.
func accumulate(l *level) {
	inner := map[*ir.Value]bool{} // sums that are terms of another
	for _, v := range l.order {
		if kind(v) == ops.KindAdd {
			for _, a := range v.Args {
				inner[a] = inner[a] || kind(a) == ops.KindAdd && slices.Equal(a.Shape, v.Shape) &&
					len(l.users[a]) == 1
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
			case same && p != nil && (len(products) == 0 ||
				slices.Equal(p.Shape, products[0].Shape)):
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

// unadded notes why a product that is a term of the sum v is not added straight to another term, if
// there is one to add to.
func (l *level) unadded(t, v *ir.Value, others bool) {
	p := t
	if _, ok := t.Fn.(ops.Reshape); ok {
		p = t.Args[0]
	}
	if fn, ok := p.Fn.(ops.MatMul); !ok || !others {
		return
	} else if fn.TransA || len(p.Shape) != 2 {
		l.notes.Add("%v is added to its neighbours afterwards: it is a stack of products or has "+
			"its left operand transposed", p.At)
		return
	}
	why := "the sum is " + ops.ShapeString(v.Shape) + ", the product " + ops.ShapeString(t.Shape)
	if len(l.users[t]) > 1 || len(l.users[p]) > 1 {
		why = "something else reads it too"
	}
	l.notes.Add("%v is added to its neighbours afterwards, not while it is computed: %s", p.At, why)
}

// product is the matrix product that t is, or is a reshaping of; nil if it is none or has other
// readers.
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

// productOutside reports whether a leaf of a body is one time of a product that nothing but the
// loop reads.
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
