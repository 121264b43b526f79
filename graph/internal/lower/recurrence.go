package lower

import (
	"slices"

	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// recurrence divides the values of a step between a loop and the graph around it, by dependence
// alone:
//
//   - constant: depends on nothing that changes with time; computed once, outside.
//   - series: depends on sequences but not on what is carried; computed for all steps at once
//     before the loop, unless it is element-wise, which costs less memory traffic inside.
//   - looped: depends on what is carried. In the loop if the next carry needs it, or if it is
//     element-wise; else it is computed for all steps at once after the loop, from values that the
//     loop stores.
//
// inner gives a value in the body of the loop, outer gives it outside: as it is if it is constant,
// else [T, ...].
type recurrence struct {
	l       *lowering
	region  *ir.Region // around the loop
	loop    *ir.Loop
	value   *ir.Value // of the loop, in region
	T       int
	step    *step
	fwd     *forward // the forward loop, if this is a backward one
	weights int      // bytes of all constants that the step multiplies by; 0 if not added up yet

	consts, series map[*ir.Value]*ir.Value // leaves of the step, and what they are outside
	// of values of the step: memories of inner, outer and before
	in, out, early map[*ir.Value]*ir.Value
	classes        map[*ir.Value]class
	core           map[*ir.Value]bool // what the next carries need
}

type class int

const (
	unknown class = iota
	constant
	series
	looped
)

// newRecurrence is a loop of T steps, the first of which stands at the time first of a longer one
// perhaps.
func newRecurrence(l *lowering, st *step, name string, T, first int, reverse bool) *recurrence {
	r := &recurrence{l: l, step: st, region: l.Region, T: T, consts: map[*ir.Value]*ir.Value{},
		series: map[*ir.Value]*ir.Value{},
		in:     map[*ir.Value]*ir.Value{}, out: map[*ir.Value]*ir.Value{},
		early:   map[*ir.Value]*ir.Value{},
		classes: map[*ir.Value]class{}, core: map[*ir.Value]bool{}}
	r.loop, r.value = l.Region.NewLoop(name, T, reverse)
	r.loop.Body.At, r.loop.First = l.Region.At, first
	return r
}

func (r *recurrence) class(v *ir.Value) class {
	if c := r.classes[v]; c != unknown {
		return c
	}
	c := constant
	_, isConst := r.consts[v]
	_, isSeries := r.series[v]
	switch {
	case isConst:
	case isSeries:
		c = series
	case r.in[v] != nil && len(v.Args) == 0: // a leaf that is carried
		c = looped
	case r.fwd != nil && r.forward(v):
		if r.fwd.class(v) != constant {
			c = series // the forward loop stores it, or it was a series there already
		}
	default:
		all := true
		for _, a := range v.Args {
			c = max(c, r.class(a))
			all = all && r.class(a) != constant
		}
		if c == series && (r.l.opts.NoHoist || !r.batchable(v)) {
			c = looped
			r.remains(v)
		}
	}
	r.classes[v] = c
	return c
}

// forward reports whether a value of the backward step is one of the forward step: whether no
// cotangent is in it.
func (r *recurrence) forward(v *ir.Value) bool {
	if len(v.Args) == 0 {
		return !slices.Contains(r.fwd.step.cots, v)
	}
	for _, a := range v.Args {
		if !r.forward(a) {
			return false
		}
	}
	return true
}

// markCore notes what the next carries need of the loop.
func (r *recurrence) markCore(next []*ir.Value) {
	for _, v := range next {
		if !r.core[v] && r.class(v) == looped {
			r.core[v] = true
			r.markCore(v.Args)
		}
	}
}

// inner is v in the body.
func (r *recurrence) inner(v *ir.Value) *ir.Value {
	if b := r.in[v]; b != nil {
		return b
	}
	defer r.at(v)()
	var b *ir.Value
	switch c := r.class(v); {
	case c == constant:
		if fill, ok := v.Fn.(ops.Fill); ok {
			b = r.loop.Body.Apply(fill)
		} else if o := r.outer(v); o.Fn == nil {
			b = r.loop.Const(r.value, o)
		} else if fill, ok := o.Fn.(ops.Fill); ok {
			b = r.loop.Body.Apply(fill)
		} else {
			b = r.loop.Const(r.value, o)
		}
	case c == series && !r.cheap(v):
		b = r.array(r.before(v))
	default:
		args := make([]*ir.Value, len(v.Args))
		for i, a := range v.Args {
			args[i] = r.inner(a)
		}
		b = r.loop.Body.Apply(v.Fn, args...)
	}
	r.in[v] = b
	return b
}

// at has what is made, in the loop and around it, belong to the place of v, until the returned
// function is called.
func (r *recurrence) at(v *ir.Value) (restore func()) {
	in, out := r.loop.Body.At, r.region.At
	r.loop.Body.At, r.region.At = v.At, v.At
	return func() { r.loop.Body.At, r.region.At = in, out }
}

// array is one time of an array [T, ...] in the body.
func (r *recurrence) array(o *ir.Value) *ir.Value {
	if f, ok := o.Fill(); ok {
		return r.loop.Body.Apply(ops.Fill{Dtype: o.Dtype, Shape: o.Shape[1:], Value: f})
	}
	return r.loop.Seq(r.value, o)
}

// cheap reports whether a series is better computed in the loop than read there.
func (r *recurrence) cheap(v *ir.Value) bool {
	if len(v.Args) == 0 || r.early[v] != nil {
		return false
	}
	if r.fwd != nil && r.forward(v) {
		return r.fwd.out[v] == nil && r.recomputed(v)
	}
	return light(v) || r.product(v)
}

// product reports whether v is a product with a constant that had better be taken step by step: if
// a step has enough rows to keep the multipliers busy, the result of all steps would only travel to
// memory and back. The weights of all products of a step must fit a core's cache together.
func (r *recurrence) product(v *ir.Value) bool {
	const (
		rows  = 8
		cache = 3 << 18 // bytes
	)
	fn, ok := v.Fn.(ops.MatMul)
	if !ok || len(v.Shape) != 2 || fn.TransA || v.Shape[0] < rows ||
		r.class(v.Args[0]) == constant || r.class(v.Args[1]) != constant {
		return false
	}
	if r.weights == 0 {
		for _, w := range r.step.values.Values {
			if _, ok := w.Fn.(ops.MatMul); ok && len(w.Shape) == 2 &&
				r.class(w.Args[1]) == constant && (r.fwd == nil || !r.forward(w)) {
				r.weights += w.Args[1].Size() * bytesOf(w.Dtype)
			}
		}
	}
	if r.weights > cache {
		return false
	}
	if r.class(v) == series {
		r.l.Notes.Add("%v, a product of inputs, stays in the loop: a step has %d rows, enough "+
			"for the multipliers, and its weights fit a core's cache", v.At, v.Shape[0])
	}
	return true
}

// remains notes why a value that does not depend on the state is computed step by step.
func (r *recurrence) remains(v *ir.Value) {
	_, product := v.Fn.(ops.MatMul)
	switch {
	case product && r.l.opts.NoHoist:
		r.l.Notes.Add("%v, a product of inputs, stays in the loop: the pass hoist is off", v.At)
	case product:
		r.l.Notes.Add("%v, a product of inputs, stays in the loop: what changes with time is not "+
			"the rows of its left operand", v.At)
	case !r.l.opts.NoHoist:
		r.l.Notes.Add("%v stays in the loop, though it does not depend on the state: it has no "+
			"form for all steps at once", v.At)
	}
}

func bytesOf(d tensor.Dtype) int { return int(d.Size()) }

// light reports whether a value is element-wise or a view.
func light(v *ir.Value) bool {
	switch v.Fn.(type) {
	case ops.Elementwise, ops.Slice, ops.Reshape, ops.Broadcast, ops.Transpose:
		return true
	}
	return false
}

// recomputed reports whether the backward pass computes a value of the forward pass anew instead of
// having it stored: if it takes arithmetic alone, on values that are there anyway.
func (r *recurrence) recomputed(v *ir.Value) bool {
	if r.fwd.class(v) == constant || len(v.Args) == 0 || r.fwd.out[v] != nil {
		return true
	}
	switch fn := v.Fn.(type) {
	case ops.Elementwise:
		if fn.Kind.Stored() {
			return false
		}
	case ops.Slice, ops.Reshape, ops.Broadcast, ops.Fill:
	default:
		return false
	}
	for _, a := range v.Args {
		if !r.recomputed(a) {
			return false
		}
	}
	return true
}

// outer is v outside of the loop.
func (r *recurrence) outer(v *ir.Value) *ir.Value {
	if o := r.out[v]; o != nil {
		return o
	}
	defer r.at(v)()
	var o *ir.Value
	switch c := r.class(v); {
	case c == constant:
		o = r.constant(v)
	case c == series && r.fwd != nil && r.forward(v):
		o = r.stored(v)
	case c == series && len(v.Args) == 0:
		o = r.series[v]
	case c == series && r.early[v] != nil:
		o = r.early[v]
	case c == series && r.kept(v):
		o = r.store(r.in[v])
	case c == series, r.after(v):
		o = r.batch(v, r.outer)
	default:
		o = r.store(r.inner(v))
	}
	r.out[v] = o
	return o
}

// before is a series at all steps, from what is there before the loop, which is to read it.
func (r *recurrence) before(v *ir.Value) *ir.Value {
	if r.class(v) == constant || len(v.Args) == 0 || r.fwd != nil && r.forward(v) {
		return r.outer(v)
	}
	if r.early[v] == nil {
		defer r.at(v)()
		r.early[v] = r.batch(v, r.before)
	}
	return r.early[v]
}

// kept reports whether a series that is wanted for all steps is stored by the loop, which computes
// it in any case, rather than computed once more for all steps at once. A slice is stored by itself,
// so that what it is a slice of can be computed slice by slice, unless that is there already.
func (r *recurrence) kept(v *ir.Value) bool {
	b := r.in[v]
	if b == nil || r.l.opts.NoHoist {
		return false
	}
	if _, ok := b.Fn.(ops.Slice); ok {
		return ir.Computed(b.Args[0]) && r.out[v.Args[0]] == nil
	}
	return ir.Computed(b)
}

func (r *recurrence) constant(v *ir.Value) *ir.Value {
	if o, ok := r.consts[v]; ok {
		return o
	}
	if r.fwd != nil && r.forward(v) {
		return r.fwd.outer(v)
	}
	args := make([]*ir.Value, len(v.Args))
	for i, a := range v.Args {
		args[i] = r.outer(a)
	}
	return r.region.Apply(v.Fn, args...)
}

// stored is a value of the forward pass, at all steps.
func (r *recurrence) stored(v *ir.Value) *ir.Value {
	for i, in := range r.fwd.step.inputs {
		if k := r.fwd.step.isState(i); in == v && k >= 0 {
			return r.fwd.loop.Out(r.region, r.fwd.value,
				ir.Output{Kind: ir.Before, Carry: r.fwd.carries[k]})
		}
	}
	return r.fwd.outer(v)
}

// store keeps a value of the body at all steps.
func (r *recurrence) store(b *ir.Value) *ir.Value {
	for _, p := range r.loop.Seqs {
		if p.Leaf == b {
			return r.value.Args[p.Arg]
		}
	}
	for _, p := range r.loop.Consts {
		if p.Leaf == b {
			return r.repeat(r.value.Args[p.Arg])
		}
	}
	if f, ok := b.Fn.(ops.Fill); ok {
		return r.repeat(r.region.Apply(f))
	}
	if !ir.Computed(b) {
		b = r.loop.Body.Copy(b)
	}
	return r.loop.Out(r.region, r.value, ir.Output{Kind: ir.Stored, Value: b})
}

// repeat is a constant at all steps.
func (r *recurrence) repeat(o *ir.Value) *ir.Value {
	shape := append([]int{r.T}, o.Shape...)
	if f, ok := o.Fn.(ops.Fill); ok {
		return r.region.Apply(ops.Fill{Dtype: f.Dtype, Shape: shape, Value: f.Value})
	}
	return r.region.Apply(ops.Broadcast{Shape: shape}, o)
}

// spread makes sure that what outer gave for v has a time axis.
func (r *recurrence) spread(o, v *ir.Value) *ir.Value {
	if r.class(v) == constant {
		return r.repeat(o)
	}
	return o
}

// after reports whether a looped value is computed for all steps at once after the loop.
func (r *recurrence) after(v *ir.Value) bool {
	if r.class(v) != looped || r.in[v] != nil || r.l.opts.NoHoist || !r.batchable(v) {
		return false
	}
	switch v.Fn.(type) {
	case ops.Slice, ops.Reshape, ops.Transpose, ops.Broadcast:
		return true // a view of what is stored
	}
	if r.core[v] {
		return false
	}
	late := false
	for _, a := range v.Args {
		late = late || r.after(a) && ir.Computed(a)
	}
	switch v.Fn.(type) {
	case ops.Elementwise, ops.Concat:
		return late
	case ops.MatMul:
		return late || !r.product(v)
	}
	return true
}
