package train

import (
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/ops"
)

// touched are the ranges of a gradient's numbers outside of which it is +0, ascending and apart;
// nil: it may differ from 0 anywhere. The gradient of an embedding is touched in the rows of the
// ids that were looked up. What is computed of a gradient is then computed of these ranges, where
// it gives the bits that it would give as a whole: a number that is +0 stays so when it is
// multiplied by a factor of 0 or more, or added to another +0, and changes no sum. No number of the
// ranges is −0, since each is a sum that began with +0.
type touched []reach

// reach is a range.
type reach struct{ from, to int }

// withTouched is a parameter whose gradient may be touched in part only. Whoever calls Grad may
// write anywhere, then or later, so that from then on it counts as a whole; inside has no such
// effect.
type withTouched interface {
	touched() touched
	inside() gorgonia.Value
}

// gradOf is a gradient and what is known of it.
func gradOf(vg gorgonia.ValueGrad) (gorgonia.Value, touched, error) {
	if t, ok := vg.(withTouched); ok {
		return t.inside(), t.touched(), nil
	}
	v, err := vg.Grad()
	return v, nil, err
}

// in calls do with the ranges of numbers from … to−1, of which those are all if t is nil.
func (t touched) in(from, to int, do func(from, to int)) {
	if t == nil {
		if from < to {
			do(from, to)
		}
		return
	}
	i, _ := slices.BinarySearchFunc(t, from, func(r reach, from int) int {
		if r.to <= from {
			return -1
		}
		return 1
	})
	for ; i < len(t) && t[i].from < to; i++ {
		do(max(t[i].from, from), min(t[i].to, to))
	}
}

// size is how many numbers from … to−1 are touched.
func (t touched) size(from, to int) (n int) {
	t.in(from, to, func(a, b int) { n += b - a })
	return n
}

// join appends the ranges of both to room; nil if either is nil.
func (t touched) join(other, room touched) touched {
	if t == nil || other == nil {
		return nil
	}
	out := room[:0]
	if out == nil {
		out = touched{}
	}
	for len(t) > 0 || len(other) > 0 {
		if len(other) > 0 && (len(t) == 0 || other[0].from < t[0].from) {
			t, other = other, t
		}
		if n := len(out); n > 0 && out[n-1].to >= t[0].from {
			out[n-1].to = max(out[n-1].to, t[0].to)
		} else {
			out = append(out, t[0])
		}
		t = t[1:]
	}
	return out
}

// lookups is the gradient of an embedding: the ids whose rows it has.
type lookups struct {
	ids         []*gorgonia.Node // inputs
	rows, width int
	sorted      []int // room
	found       touched
	shown       bool // to somebody who may write anywhere
}

// lookupsOf finds out whether a gradient is that of an embedding, or a sum of such; nil if not.
func lookupsOf(n *gorgonia.Node) *lookups {
	l := &lookups{}
	if len(n.Shape()) != 2 || !l.collect(n) {
		return nil
	}
	l.rows, l.width = n.Shape()[0], n.Shape()[1]
	return l
}

func (l *lookups) collect(n *gorgonia.Node) bool {
	op, ok := n.Op().(*ops.Op)
	if !ok {
		return false
	}
	var operands []*gorgonia.Node
	for it := n.Graph().From(n.ID()); it.Next(); {
		operands = append(operands, it.Node().(*gorgonia.Node))
	}
	switch fn := op.Fn.(type) {
	case ops.ScatterAdd:
		ids := operands[0]
		l.ids = append(l.ids, ids)
		return ids.Op() == nil && ids.Dtype() == tensor.Int
	case ops.Elementwise:
		return fn.Kind == ops.KindAdd && len(operands) == 2 && l.collect(operands[0]) &&
			l.collect(operands[1])
	}
	return false
}

// update notes the rows of the ids that the inputs hold. Where they are most of the rows, it is not
// worth the while to tell them apart.
func (l *lookups) update() {
	if l.sorted, l.found = l.sorted[:0], l.found[:0]; l.shown {
		l.found = nil
		return
	}
	for _, n := range l.ids {
		v, ok := n.Value().(*tensor.Dense)
		var ids []int
		if ok {
			ids, ok = v.Data().([]int)
		}
		if !ok {
			l.found = nil
			return
		}
		l.sorted = append(l.sorted, ids...)
	}
	slices.Sort(l.sorted)
	l.sorted = slices.Compact(l.sorted)
	if 2*len(l.sorted) > l.rows {
		l.found = nil
		return
	}
	if l.found == nil {
		l.found = touched{}
	}
	for _, id := range l.sorted {
		from := id * l.width
		if n := len(l.found); n > 0 && l.found[n-1].to == from {
			l.found[n-1].to = from + l.width
		} else {
			l.found = append(l.found, reach{from, from + l.width})
		}
	}
}
