package onnx

import (
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/internal/steps"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/onnx/internal/host"
	"github.com/seqzoo/seqzoo/onnx/internal/pb"
)

// scannable reports whether states are floats, as an engine's scan has them.
func scannable(vs []*value) bool {
	return !slices.ContainsFunc(vs, func(v *value) bool {
		return v == nil || !v.typ.IsFloat() && v.typ != host.Bool || host.Size(v.shape) == 0
	})
}

// asScan makes one operation of T steps. Sequences [T, ...] are cut; step returns the next states,
// which keep their shapes, and what is collected [T, ...]. ok is false if a step does not allow it.
func (b *builder) asScan(T int, reverse bool, states, seqs []*value,
	step func(states, seqs []*value) []*value) (out []*value, ok bool) {
	st := &ops.Step{Mask: -1}
	var from []string
	inside := func(in *nodes.Graph, v *value, name string, shape []int) (*value, *nodes.Node) {
		from = append(from, v.from...)
		n := in.InputLike(b.node(v), name, shape...)
		return &value{typ: v.typ, shape: shape, node: n, from: []string{""}}, n
	}
	var operands, inner []*nodes.Node
	var outs []*value
	var lifts []steps.Lift
	ok = true
	outer := b.g
	steps.Inner(outer, nil, func(in *nodes.Graph) {
		b.g = in
		defer func() { b.g = outer }()
		var sv, qv []*value
		for i, q := range seqs {
			v, n := inside(in, q, fmt.Sprintf("sequence %d", i), q.shape[1:])
			qv, inner = append(qv, v), append(inner, n)
			st.Seqs = append(st.Seqs, n.Gorgonia())
		}
		for i, s := range states {
			v, n := inside(in, s, fmt.Sprintf("state %d", i), s.shape)
			sv = append(sv, v)
			st.States = append(st.States, n.Gorgonia())
		}
		outs = step(sv, qv)
		if len(outs) < len(states) || !scannable(outs) {
			ok = false
			return
		}
		for i, v := range outs {
			n := steps.LiftTo(in, b.node(v))
			if i >= len(states) {
				st.Ys = append(st.Ys, n.Gorgonia())
				continue
			}
			if !slices.Equal(v.shape, states[i].shape) || v.typ != states[i].typ {
				ok = false
				return
			}
			st.Next = append(st.Next, n.Gorgonia())
		}
		lifts = steps.Lifts(in)
	})
	if !ok {
		return nil, false
	}
	for _, v := range slices.Concat(seqs, states) {
		operands = append(operands, b.node(v))
	}
	for _, l := range lifts {
		st.Consts = append(st.Consts, l.Inner.Gorgonia())
		operands = append(operands, l.Outer)
	}
	for _, v := range outs {
		from = append(from, v.from...)
	}
	from = b.outside(from)
	fn := ops.Scan{Step: ops.NewStep(st), T: T, Reverse: reverse}
	packed := steps.Op(steps.Innermost(operands...), "Scan", fn, operands...)
	last := T - 1
	if reverse {
		last = 0
	}
	for i, v := range outs {
		inner, t := gorgoniaNode(st, i), -1
		if i < len(states) {
			t = last
		}
		w := made(v.typ, packed.Graph().Of(fn.View(packed.Gorgonia(), inner, t)))
		w.from = from
		out = append(out, w)
	}
	return out, true
}

// outside is what values of a step depend on, as the graph around it sees it.
func (b *builder) outside(from []string) []string {
	var out []string
	for _, name := range from {
		if name != "" {
			out = append(out, name)
		}
	}
	if b.inLoop() {
		out = append(out, "")
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// inLoop reports whether the graph at hand is that of a step.
func (b *builder) inLoop() bool { return b.g != b.root }

func gorgoniaNode(s *ops.Step, i int) *gorgonia.Node {
	if i < len(s.Next) {
		return s.Next[i]
	}
	return s.Ys[i-len(s.Next)]
}

// scan runs its body along axes of sequences.
func scan(b *builder, c *call) []*value {
	body := c.Graph("body")
	if body == nil {
		host.Failf("the body is missing")
	}
	in := c.in
	if c.version < 9 {
		return scan8(b, c, body)
	}
	for i := range in {
		c.need(i)
	}
	m := c.Int("num_scan_inputs", 0)
	if m < 1 || m > len(in) {
		host.Failf("num_scan_inputs is %d of %d operands", m, len(in))
	}
	states, seqs := slices.Clone(in[:len(in)-m]), slices.Clone(in[len(in)-m:])
	collected := len(body.Output) - len(states)
	if collected < 0 {
		host.Failf("the body has %d outputs for %d states", len(body.Output), len(states))
	}
	axes, outAxes := list(c, "scan_input_axes", m), list(c, "scan_output_axes", collected)
	back, outBack := list(c, "scan_input_directions", m),
		list(c, "scan_output_directions", collected)
	T := -1
	for i, s := range seqs {
		axis := host.Axis(axes[i], len(s.shape))
		if axis != 0 {
			seqs[i] = b.moved(s, axis, 0)
		}
		if n := seqs[i].shape[0]; T >= 0 && n != T {
			host.Failf("sequences of %d and %d steps", T, n)
		} else {
			T = n
		}
	}
	reverse := !slices.Contains(back, 0) && !slices.Contains(outBack, 0)
	for i := range seqs {
		if back[i] != 0 && !reverse {
			seqs[i] = b.flipped(seqs[i])
		}
	}
	outs := b.scanOver(body, T, reverse, states, seqs)
	for k := range collected {
		v := outs[len(states)+k]
		if outBack[k] != 0 && !reverse {
			v = b.flipped(v)
		}
		if axis := host.Axis(outAxes[k], len(v.shape)); axis != 0 {
			v = b.moved(v, 0, axis)
		}
		outs[len(states)+k] = v
	}
	return outs
}

// list is an attribute of n integers, by default zeros.
func list(c *call, name string, n int) []int {
	xs := c.Attrs.Ints(name)
	if xs == nil {
		return make([]int, n)
	}
	if len(xs) != n {
		host.Failf("%s has %d entries, want %d", name, len(xs), n)
	}
	return xs
}

// moved puts an axis elsewhere.
func (b *builder) moved(v *value, from, to int) *value {
	var perm []int
	for i := range v.shape {
		if i != from {
			perm = append(perm, i)
		}
	}
	perm = slices.Insert(perm, to, from)
	if slices.IsSorted(perm) {
		return v
	}
	if v.host != nil {
		return constant(host.Permuted(v.host, perm))
	}
	return &value{typ: v.typ, shape: permuted(v.shape, perm), from: v.from,
		node: nodes.Transpose(b.node(v), perm...)}
}

func permuted(shape, perm []int) []int {
	out := make([]int, len(perm))
	for i, p := range perm {
		out[i] = shape[p]
	}
	return out
}

// flipped turns axis 0 round.
func (b *builder) flipped(v *value) *value {
	at := make([]int, v.shape[0])
	for i := range at {
		at[i] = len(at) - 1 - i
	}
	c := &call{op: "Gather", version: 13, in: []*value{v, constant(host.Ints(at...))}, outputs: 1,
		Attrs: host.Attrs{}}
	return b.operator(c)[0]
}

// scanOver runs a body over sequences [T, ...].
func (b *builder) scanOver(body *pb.GraphProto, T int, reverse bool, states,
	seqs []*value) []*value {
	for i, v := range states {
		if v == nil {
			host.Failf("state %d is missing", i)
		}
	}
	run := func(states, seqs []*value) []*value {
		return b.within(body, slices.Concat(states, seqs))
	}
	if T > 0 && scannable(states) && !slices.ContainsFunc(seqs, func(v *value) bool {
		return host.Size(v.shape) == 0 || v.typ == host.String
	}) {
		if out, ok := b.asScan(T, reverse, states, seqs, run); ok {
			return out
		}
	}
	n := len(states)
	collected := make([][]*value, T)
	for i := range T {
		t := i
		if reverse {
			t = T - 1 - i
		}
		var at []*value
		for _, s := range seqs {
			c := &call{op: "Gather", version: 13, outputs: 1, Attrs: host.Attrs{},
				in: []*value{s, constant(host.Ints(t).As())}}
			at = append(at, b.operator(c)[0])
		}
		out := run(states, at)
		states, collected[t] = out[:n], out[n:]
	}
	for k := range len(body.Output) - n {
		states = append(slices.Clone(states), b.stacked1(collected, k, body.Output[n+k]))
	}
	return states
}

// scan8 is the operator's first version: it has a batch as axis 0, and lengths.
func scan8(b *builder, c *call, body *pb.GraphProto) []*value {
	if c.arg(0) != nil {
		host.Failf("lengths of a Scan of version 8 are not supported")
	}
	for i := 1; i < max(2, len(c.in)); i++ {
		c.need(i)
	}
	m := c.Int("num_scan_inputs", 0)
	in := c.in[1:]
	if m < 1 || m > len(in) {
		host.Failf("num_scan_inputs is %d of %d operands", m, len(in))
	}
	n := len(in) - m
	for _, d := range list(c, "directions", m) {
		if d != 0 {
			host.Failf("directions of a Scan of version 8 are not supported")
		}
	}
	for i, v := range in {
		if len(v.shape) == 0 || len(v.shape) < 2 && i >= n || len(in[n].shape) == 0 ||
			v.shape[0] != in[n].shape[0] {
			host.Failf("operands of shapes that have no common batch, and steps: %v", c.types())
		}
	}
	B := in[n].shape[0]
	var each [][]*value
	for k := range B {
		var row []*value
		for _, v := range in {
			g := &call{op: "Gather", version: 13, outputs: 1, Attrs: host.Attrs{},
				in: []*value{v, constant(host.Ints(k).As())}}
			row = append(row, b.operator(g)[0])
		}
		each = append(each, b.scanOver(body, row[n].shape[0], false, row[:n], row[n:]))
	}
	var out []*value
	for k := range body.Output {
		out = append(out, b.stacked1(each, k, body.Output[k]))
	}
	return out
}
