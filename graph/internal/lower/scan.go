package lower

import (
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// step is the graph of an ops.Step in the engine's form, forward and backward in one region, so
// that a value of the forward pass which the backward pass uses is one value.
type step struct {
	*ops.Step
	values *ir.Region
	inputs []*ir.Value // of Step.Inputs
	slots  []*ir.Value
	next   []*ir.Value
	cots   []*ir.Value // leaves
	grads  []*ir.Value // of inputs; nil is 0
	flows  []*ir.Value // gradients of Step.Raw; nil is 0
}

type stepLeaf struct {
	ir.BodyLeaf
}

func (l *lowering) step(st *ops.Step) (*step, error) {
	if s := l.steps[st]; s != nil {
		return s, nil
	}
	// Without a gradient the backward pass of a step is most of what would be compiled.
	var cots, grads, flows []*G.Node
	if l.learned[st] {
		var err error
		if cots, grads, err = st.Backward(); err != nil {
			cots, grads = nil, nil // whoever asks for the gradient gets the error
		} else {
			flows = st.Flows()
		}
	}
	s := &step{Step: st, values: ir.NewRegion()}
	l.steps[st] = s
	keep := slices.Clone(st.Slots())
	for _, g := range slices.Concat(grads, flows) {
		if g != nil {
			keep = append(keep, g)
		}
	}
	all, children, before, err := needed(keep)
	if err != nil {
		return nil, err
	}
	of := map[*G.Node]*ir.Value{}
	leaf := func(n *G.Node) *ir.Value {
		if of[n] == nil {
			s.values.At = ops.PlaceOf(n)
			of[n] = s.values.Leaf(stepLeaf{ir.BodyLeaf{Name: n.Name()}}, ops.TypeOf(n))
		}
		return of[n]
	}
	for _, n := range st.Inputs() {
		s.inputs = append(s.inputs, leaf(n))
	}
	for _, n := range cots {
		s.cots = append(s.cots, leaf(n))
	}
	inner := &lowering{Result: &Result{Region: s.values, Of: of, Notes: l.Notes}, opts: l.opts,
		children: children, before: before, inner: true}
	for _, n := range all {
		if of[n] != nil {
			continue
		}
		args := make([]*ir.Value, len(children[n]))
		for i, c := range children[n] {
			args[i] = of[c]
		}
		if of[n], err = inner.node(n, args); err != nil {
			return nil, err
		}
	}
	l.Fixed = append(l.Fixed, inner.Fixed...)
	for _, n := range st.Slots() {
		s.slots = append(s.slots, inner.plain(of[n]))
	}
	for _, n := range st.Next {
		s.next = append(s.next, inner.plain(of[n]))
	}
	s.grads, s.flows = inner.gradients(grads), inner.gradients(flows)
	return s, nil
}

// gradients are nodes as values; nil for what is known to be 0.
func (l *lowering) gradients(ns []*G.Node) []*ir.Value {
	vs := make([]*ir.Value, len(ns))
	for i, n := range ns {
		if n != nil {
			if vs[i] = l.plain(l.Of[n]); vs[i].IsZero() {
				vs[i] = nil
			}
		}
	}
	return vs
}

// isState gives the index in States of input i, or −1.
func (s *step) isState(i int) int {
	if k := i - len(s.Seqs); k >= 0 && k < len(s.States) {
		return k
	}
	return -1
}

// sendsBack reports whether the backward pass of a step carries the gradient of part k of the state:
// whether there can be one. If no part has one, all are carried, so that a loop has a state.
func (s *step) sendsBack(k int) bool {
	grads := s.grads[len(s.Seqs) : len(s.Seqs)+len(s.States)]
	return grads[k] != nil ||
		!slices.ContainsFunc(grads, func(g *ir.Value) bool { return g != nil })
}

// scan is a lowered Scan.
type scan struct {
	region *ir.Region
	fn     ops.Scan
	step   *step
	sizes  []int // of the slots in the packed vector
	last   int   // the time visited last
	forwardPass
}

// forwardPass is the forward pass through a recurrence, in one loop or in segments. What the
// backward pass needs of it is added to it later.
type forwardPass interface {
	slot(i int) *ir.Value  // slot i at all steps, [T, ...]
	final(k int) *ir.Value // part k of the state as the last step left it
	// back is the backward pass: cots are the cotangents of the slots, [T, ...] each, after that of
	// the final state.
	back(l *lowering, cots, after []*ir.Value) back
}

// back is the backward pass through a recurrence. What is not asked for is not computed.
type back interface {
	sequence(i int) *ir.Value // gradient of sequence i, [T, ...]
	initial(k int) *ir.Value  // of part k of the first state
	constant(i int) *ir.Value // of input i, which does not change
	flow(part int) *ir.Value  // of a part of the state as the cell left it, [T, ...]
}

func (l *lowering) scan(fn ops.Scan, t ops.Type, args []*ir.Value) (*ir.Value, error) {
	st, err := l.step(fn.Step)
	if err != nil {
		return nil, err
	}
	for i := range args {
		args[i] = l.plain(args[i])
	}
	s := &scan{region: l.Region, fn: fn, step: st}
	if !fn.Reverse {
		s.last = fn.T - 1
	}
	for _, slot := range st.slots {
		s.sizes = append(s.sizes, fn.T*slot.Size())
	}
	if fn.Segment > 0 && fn.Segment < fn.T {
		s.forwardPass = l.segmented(st, fn, args)
	} else {
		s.forwardPass = l.forward(st, fn.T, 0, fn.Reverse, args)
	}
	v := l.Region.Leaf(packed{what: "packed{}"}, t)
	l.scans[v] = s
	return v, nil
}

// forward is a loop of T steps, whose first has the time first.
type forward struct {
	*recurrence
	args    []*ir.Value
	carries []*ir.Carry
}

// forward lowers a loop whose operands are args. Its body has what its carries need; more is added
// as it is asked for.
func (l *lowering) forward(st *step, T, first int, reverse bool, args []*ir.Value) *forward {
	s := &forward{newRecurrence(l, st, "scan", T, first, reverse), args, nil}
	for i, in := range st.inputs {
		switch k := st.isState(i); {
		case k >= 0:
			c := s.loop.Carry(s.value, args[i])
			s.carries = append(s.carries, c)
			s.in[in] = c.Leaf
		case i < len(st.Seqs):
			s.series[in] = args[i]
		default:
			s.consts[in] = args[i]
		}
	}
	s.markCore(st.next)
	for k, next := range st.next {
		s.carries[k].Next = s.owned(s.inner(next))
	}
	for _, slot := range st.slots {
		for k, next := range st.next { // a carry is stored anyway
			if next == slot && s.out[slot] == nil && s.class(slot) == looped {
				s.out[slot] = s.store(s.carries[k].Next)
			}
		}
	}
	if st.Mask >= 0 {
		s.loop.Mask = s.inner(st.inputs[st.Mask])
	}
	return s
}

func (s *forward) slot(i int) *ir.Value {
	slot := s.step.slots[i]
	return s.spread(s.outer(slot), slot)
}

func (s *forward) final(k int) *ir.Value {
	return s.loop.Out(s.region, s.value, ir.Output{Kind: ir.Final, Carry: s.carries[k]})
}

// owned is a body value that a carry can have to itself: computed, not a view, and no other
// carry's.
func (r *recurrence) owned(v *ir.Value) *ir.Value {
	taken := false
	for _, c := range r.loop.Carries {
		taken = taken || c.Next == v
	}
	if !taken && ir.Computed(v) {
		return v
	}
	return r.loop.Body.Copy(v)
}

// cut is [from, to) of the packed vector.
func (s *scan) cut(from, to int) *ir.Value {
	at := 0
	for k, n := range s.sizes { // the final state alone: other times need not be kept for it
		one := n / s.fn.T
		if from == at+s.last*one && to == from+one {
			if i := slices.Index(s.step.next, s.step.slots[k]); i >= 0 {
				return s.region.Apply(ops.Reshape{Shape: []int{one}}, s.final(i))
			}
		}
		at += n
	}
	return cutPieces(s.region, s.sizes, s.slot, from, to)
}

// backward is the backward pass through a scan; args are the operands of the scan, its packed
// results and their cotangent. All gradients of the scan share one backward pass.
func (l *lowering) backward(fn ops.Scan, args []*ir.Value) (*step, back, error) {
	n := len(args)
	fwd, dy := l.scans[args[n-2]], l.plain(args[n-1])
	if fwd == nil || fwd.step.Step != fn.Step {
		return nil, nil, failf("ScanGrad", "its scan is not in the graph")
	}
	st := fwd.step
	key := [2]*ir.Value{args[n-2], dy}
	if b := l.backs[key]; b != nil {
		return st, b, nil
	}
	if _, _, err := st.Backward(); err != nil {
		return nil, nil, err
	}
	var cots, after []*ir.Value
	at := 0
	for _, slot := range st.slots {
		size := fn.T * slot.Size()
		cot := l.cotangent(dy, at, at+size)
		cots = append(cots, l.Region.Apply(ops.Reshape{Shape: append([]int{fn.T}, slot.Shape...)},
			cot))
		at += size
	}
	for _, s := range st.States {
		ty := ops.TypeOf(s)
		after = append(after, l.Region.Apply(ops.Fill{Dtype: ty.Dtype, Shape: ty.Shape}))
	}
	b := fwd.back(l, cots, after)
	l.backs[key] = b
	return st, b, nil
}

// backward is a lowered backward loop.
type backward struct {
	*recurrence
	carries []*ir.Carry
}

func (s *forward) back(l *lowering, cots, after []*ir.Value) back {
	st := s.step
	b := newRecurrence(l, st, "scan gradient", s.T, s.loop.First, !s.loop.Reverse)
	b.fwd = s
	for i, in := range st.inputs {
		switch k := st.isState(i); {
		case k >= 0:
			b.series[in] = nil // the state before each time, made when it is asked for
		case i < len(st.Seqs):
			b.series[in] = s.args[i]
		default:
			b.consts[in] = s.args[i]
		}
	}
	// What comes into slot k at a time is its own cotangent and what the time visited before sent
	// back to the state.
	carries := make([]*ir.Carry, len(st.States))
	for k := range st.States {
		if st.sendsBack(k) || !after[k].IsZero() {
			carries[k] = b.loop.Carry(b.value, after[k])
		}
	}
	for k, slot := range st.slots {
		cot := cots[k]
		var sum *ir.Value
		for i, next := range st.next {
			if next == slot && carries[i] != nil {
				if sum == nil {
					sum = carries[i].Leaf
				} else {
					sum = b.loop.Body.Apply(ops.Elementwise{Kind: ops.KindAdd}, sum,
						carries[i].Leaf)
				}
			}
		}
		switch {
		case sum == nil && cot.IsZero():
			b.consts[st.cots[k]] = l.Region.Apply(ops.Fill{Dtype: slot.Dtype, Shape: slot.Shape})
		case sum == nil:
			b.series[st.cots[k]] = cot
		case cot.IsZero():
			b.in[st.cots[k]] = sum
		default:
			b.in[st.cots[k]] = b.loop.Body.Apply(ops.Elementwise{Kind: ops.KindAdd}, b.array(cot),
				sum)
		}
	}
	var next []*ir.Value
	for k := range st.States {
		if g := st.grads[len(st.Seqs)+k]; g != nil {
			next = append(next, g)
		}
	}
	b.markCore(next)
	for k := range st.States {
		if carries[k] == nil {
			continue
		}
		if g := st.grads[len(st.Seqs)+k]; g != nil {
			carries[k].Next = b.owned(b.inner(g))
			continue
		}
		ty := ops.TypeOf(st.States[k])
		zero := b.loop.Body.Apply(ops.Fill{Dtype: ty.Dtype, Shape: ty.Shape})
		carries[k].Next = b.owned(zero)
	}
	return &backward{b, carries}
}

func (b *backward) sequence(i int) *ir.Value {
	g := b.step.grads[i]
	if g == nil {
		in := b.step.inputs[i]
		return b.region.Apply(ops.Fill{Dtype: in.Dtype, Shape: append([]int{b.T}, in.Shape...)})
	}
	b.masks()
	return b.spread(b.outer(g), g)
}

func (b *backward) initial(k int) *ir.Value {
	if b.carries[k] == nil {
		ty := ops.TypeOf(b.step.States[k])
		return b.region.Apply(ops.Fill{Dtype: ty.Dtype, Shape: ty.Shape})
	}
	b.masks()
	return b.loop.Out(b.region, b.value, ir.Output{Kind: ir.Final, Carry: b.carries[k]})
}

func (b *backward) constant(i int) *ir.Value {
	g := b.step.grads[i]
	if g == nil {
		in := b.step.inputs[i]
		return b.region.Apply(ops.Fill{Dtype: in.Dtype, Shape: in.Shape})
	}
	b.masks()
	return b.sum(g)
}

func (b *backward) flow(part int) *ir.Value {
	g := b.step.flows[part]
	if g == nil {
		ty := ops.TypeOf(b.step.Raw[part])
		return b.region.Apply(ops.Fill{Dtype: ty.Dtype, Shape: append([]int{b.T}, ty.Shape...)})
	}
	return b.spread(b.outer(g), g)
}

// masks tells the loop of the rows that have ended.
func (b *backward) masks() {
	if st := b.step; st.Mask >= 0 && b.loop.Mask == nil {
		b.loop.Mask = b.inner(st.inputs[st.Mask])
	}
}
