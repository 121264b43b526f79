package onnx

import (
	"math"
	"slices"

	"github.com/seqzoo/seqzoo/onnx/internal/host"
	"github.com/seqzoo/seqzoo/onnx/internal/pb"
)

func controlOperators() map[string]operator {
	return map[string]operator{"If": branch, "Loop": loop, "Scan": scan}
}

// branch lays out the branch that is taken, or both where that is decided in each run. A branch
// that cannot be laid out for the shapes at hand, such as one for another rate of samples, may be
// one that is never taken: then the condition has to be known.
func branch(b *builder, c *call) []*value {
	cond := c.need(0)
	then, otherwise := c.Graph("then_branch"), c.Graph("else_branch")
	if cond.host == nil {
		var out []*value
		at, g := b.at, b.g
		err := guard(func() {
			out = b.chosen(cond, b.within(then, nil), b.within(otherwise, nil))
		})
		if err == nil && out != nil {
			return out
		}
		b.at, b.g = at, g
	}
	if b.known(cond).Int(0) != 0 {
		return b.within(then, nil)
	}
	return b.within(otherwise, nil)
}

// chosen takes x where cond holds, else y; nil if they differ in type or shape.
func (b *builder) chosen(cond *value, x, y []*value) []*value {
	if len(x) != len(y) {
		return nil
	}
	var out []*value
	for i := range x {
		if x[i].typ != y[i].typ || !slices.Equal(x[i].shape, y[i].shape) ||
			host.Size(x[i].shape) == 0 || x[i].typ == host.String {
			return nil
		}
		c := &call{op: "Where", version: 16, in: []*value{b.truth(cond), x[i], y[i]}, outputs: 1,
			Attrs: host.Attrs{}}
		out = append(out, b.operator(c)[0])
	}
	return out
}

// truth is a condition as a scalar.
func (b *builder) truth(cond *value) *value {
	if cond.typ != host.Bool || host.Size(cond.shape) != 1 {
		host.Failf("a condition of %v %v, want one truth value", cond.typ, cond.shape)
	}
	return b.reshaped(cond)
}

// maxExpanded is how many nodes a loop is laid out to, step by step, before it is made a scan.
const maxExpanded = 400

// maxSteps is how many steps a loop may have that is made a scan.
const maxSteps = 1 << 24

// loop repeats its body as often as M says and as long as the condition holds.
func loop(b *builder, c *call) []*value {
	body := c.Graph("body")
	if body == nil {
		host.Failf("the body is missing")
	}
	trips := math.MaxInt
	if m := c.arg(0); m != nil {
		trips = max(b.known(m).Int(0), 0)
	}
	cond := c.arg(1)
	if cond == nil {
		cond = constant(&host.Tensor{Type: host.Bool, Shape: []int{}, I: []int64{1}})
	}
	states := slices.Clone(c.in[min(2, len(c.in)):])
	if cond.host == nil && len(body.Output) > 1+len(states) {
		cond = constant(b.known(cond))
	}
	if c.arg(0) != nil && cond.host != nil && cond.host.Int(0) != 0 && trips > 1 &&
		trips > maxExpanded/max(len(body.Node), 1) {
		// A loop of many more steps than can be run is one that its condition ends, or is refused.
		some := trips
		if trips > maxSteps {
			some = maxNodes
		}
		if out := b.loopAsScan(body, some, states); out != nil {
			if trips > maxSteps {
				host.Failf("a loop of %d steps, want at most %d", trips, maxSteps)
			}
			return out
		}
	}
	return b.loopExpanded(body, trips, cond, states)
}

func (b *builder) loopExpanded(body *pb.GraphProto, trips int, cond *value,
	states []*value) []*value {
	n := len(states)
	var collected [][]*value
	var running *value // a condition that is not known; nil: all before were
	for i := range trips {
		if cond.host != nil && cond.host.Int(0) == 0 {
			break
		}
		if i == maxNodes {
			host.Failf("a loop of more than %d steps, which cannot be one operation", i)
		}
		if cond.host == nil {
			running = b.both(running, b.truth(cond))
		}
		out := b.within(body, slices.Concat([]*value{constant(host.Ints(i).As()), cond}, states))
		if len(out) < 1+n {
			host.Failf("the body has %d outputs, want at least %d", len(out), 1+n)
		}
		next := out[1 : 1+n]
		if running != nil {
			if next = b.chosen(running, next, states); next == nil {
				host.Failf("a state changes its shape in a loop whose end is not known")
			}
		}
		if cond, states = out[0], slices.Clone(next); len(out) > 1+n {
			cond = constant(b.known(cond))
			collected = append(collected, out[1+n:])
		} else if cond.host == nil && i == trips-1 {
			break
		} else if cond.host == nil && trips > maxNodes {
			cond = constant(b.known(cond)) // only the condition ends the loop
		}
	}
	outs := states
	for k := range len(body.Output) - 1 - n {
		outs = append(outs, b.stacked1(collected, k, body.Output[1+n+k]))
	}
	return outs
}

// both is x and y, of which x may be nil.
func (b *builder) both(x, y *value) *value {
	if x == nil {
		return y
	}
	c := &call{op: "And", version: 16, in: []*value{x, y}, outputs: 1, Attrs: host.Attrs{}}
	return b.operator(c)[0]
}

// stacked1 joins what the steps of a loop gave for its collected output k.
func (b *builder) stacked1(steps [][]*value, k int, info *pb.ValueInfoProto) *value {
	if len(steps) == 0 {
		t := info.GetType().GetTensorType()
		shape := []int{0}
		for _, d := range t.GetShape().GetDim() {
			shape = append(shape, int(min(max(d.GetDimValue(), 0), host.MaxElements)))
		}
		return empty(host.Type(t.GetElemType()), shape)
	}
	c := &call{op: "Concat", version: 13, Attrs: attrInts(map[string]int{"axis": 0}), outputs: 1}
	for _, s := range steps {
		if s[k] == nil {
			host.Failf("the body computes no output that is called %q", info.GetName())
		}
		c.in = append(c.in, b.reshaped(s[k], append([]int{1}, s[k].shape...)...))
	}
	v := b.operator(c)[0]
	return v
}

// loopAsScan makes one scan of a loop that is known to run to its end; nil if that cannot be done.
func (b *builder) loopAsScan(body *pb.GraphProto, trips int, states []*value) []*value {
	if !scannable(states) {
		return nil
	}
	counter := make([]int, trips)
	for i := range counter {
		counter[i] = i
	}
	yes := constant(&host.Tensor{Type: host.Bool, Shape: []int{}, I: []int64{1}})
	ends := false
	out, ok := b.asScan(trips, false, states, []*value{constant(host.Ints(counter...))},
		func(state, seqs []*value) []*value {
			outs := b.within(body, slices.Concat(seqs, []*value{yes}, state))
			ends = outs[0].host == nil || outs[0].host.Int(0) == 0
			return outs[1:]
		})
	if !ok || ends {
		return nil
	}
	return out
}
