package cells

import (
	"fmt"
	"slices"

	"github.com/seqzoo/seqzoo/nodes"
)

// Layers are the cells of a decoder, from the bottom up.
type Layers struct {
	Cells   []Cell
	Dropout float64 // probability of dropping an input of the layers above the first
	// adds its input to the output of every layer above the first (Wu et al., 2016)
	Residual bool
}

// parts of a decoder with outputs of the given width: its output, and those of all layers.
func (l Layers) parts(op string, width int) []Part {
	if len(l.Cells) == 0 || slices.Contains(l.Cells, nil) {
		nodes.Failf(op, "%v: want one layer or more, none of them nil", l.Cells)
	}
	parts := []Part{{Name: "output", Width: width}}
	for i, c := range l.Cells {
		for _, p := range c.Parts() {
			parts = append(parts, Part{fmt.Sprintf("l%d %s", i, p.Name), p.Width, p.Shape})
		}
	}
	return parts
}

// seen lists the state parts that attention adds to those of the layers.
func (m *Memory) seen(op string) []Part {
	m.check(op)
	parts := []Part{{Name: "weights", Width: m.heads * m.Places()}}
	if m.covers {
		parts = append(parts, Part{Name: "coverage", Width: m.Places()})
	}
	return parts
}

// top is the output of the top layer in s, which starts with the output of the decoder.
func (l Layers) top(s State) *nodes.Node {
	k := 1
	for _, c := range l.Cells[:len(l.Cells)-1] {
		k += len(c.Parts())
	}
	return s[k]
}

// outputWidth is the width of the top layer's output.
func (l Layers) outputWidth() int {
	if len(l.Cells) == 0 || l.Cells[len(l.Cells)-1] == nil {
		return 1 // parts refuses it
	}
	return l.Cells[len(l.Cells)-1].Parts()[0].Width
}

// step runs all layers on x and the state s of the decoder, and returns the output of the top layer
// and their states.
func (l Layers) step(x *nodes.Node, s State) (h *nodes.Node, next State) {
	h, s = x, s[1:]
	for i, c := range l.Cells {
		in, n := h, len(c.Parts())
		if i > 0 {
			in = nodes.Dropout(h, l.Dropout)
		}
		after := c.Step(in, slices.Clone(s[:n]))
		next, s = append(next, after...), s[n:]
		if h = after[0]; l.Residual && i > 0 {
			h = nodes.Add(in, h)
		}
	}
	return h, next
}

// attend reads the memory and returns the context, and the parts of the next state that concern it.
func attend(m *Memory, query *nodes.Node, s State) (context *nodes.Node, next State) {
	var coverage *nodes.Node
	if m.covers {
		coverage = s[len(s)-1]
	}
	context, w := m.Attend(query, coverage)
	next = State{nodes.Reshape(w, w.Dim(0), -1)}
	if m.covers {
		next = append(next, nodes.Add(coverage, w))
	}
	return context, next
}

// initial is the state of the layers, between zeros for the other parts.
func initial(parts []Part, layers State) State {
	if len(layers) == 0 || len(layers) >= len(parts) || slices.Contains(layers, nil) {
		nodes.Failf("Initial", "a state of %d parts for the layers of a decoder that carries %v",
			len(layers), parts)
	}
	zeros := Zero(layers[0].Graph(), partsOf(parts), layers[0].Dim(0))
	return slices.Concat(zeros[:1], layers, zeros[1+len(layers):])
}

// partsOf is a list of parts as Zero takes it.
type partsOf []Part

// Parts is the list.
func (p partsOf) Parts() []Part { return p }

// Stacked is one step of a decoder that does not attend. State: the output, which is that of the
// top layer, and the states of the layers from the bottom up. To run layers over a whole sequence
// unroll.Stack does more at once.
type Stacked struct{ Layers }

// Parts are output and those of the layers.
func (d Stacked) Parts() []Part { return d.parts("Stacked", d.outputWidth()) }

// Initial is the state before the first step, made of the state of the layers.
func (d Stacked) Initial(layers State) State { return initial(d.Parts(), layers) }

// Step advances one time step.
func (d Stacked) Step(x *nodes.Node, s State) State {
	checkStep("Stacked", d, x, s)
	h, next := d.step(x, s)
	return slices.Concat(State{h}, next)
}

// Bahdanau is one step of a decoder that looks before it moves (Bahdanau, Cho and Bengio, 2015).
// The query is the output of its top layer at the step before; the layers read [x; context], and
// its output is [h; context]:
//
//	context = attend(h),  h' = layers([x; context]),  output = [h'; context]
//
// So the lowest layer is In + Memory.Width() wide, and the query as wide as the top layer. The
// memory is a node of the graph that the decoder is unrolled in. State: the output, the states of
// the layers from the bottom up, the weights [B, S] of the step, and the coverage [B, S] if the
// attention keeps one.
type Bahdanau struct {
	Layers
	Memory *Memory
}

// Parts are output, those of the layers, weights, and coverage if there is one.
func (d Bahdanau) Parts() []Part {
	seen := d.Memory.seen("Bahdanau")
	return append(d.parts("Bahdanau", d.outputWidth()+d.Memory.Width()), seen...)
}

// Initial is the state before the first step, made of the state of the layers.
func (d Bahdanau) Initial(layers State) State { return initial(d.Parts(), layers) }

// Step advances one time step.
func (d Bahdanau) Step(x *nodes.Node, s State) State {
	checkStep("Bahdanau", d, x, s)
	context, seen := attend(d.Memory, d.top(s), s)
	h, next := d.step(nodes.Concat(-1, x, context), s)
	return slices.Concat(State{nodes.Concat(-1, h, context)}, next, seen)
}

// Luong is one step of a decoder that looks after it has moved, and is fed with what it saw at the
// step before (input feeding; Luong, Pham and Manning, 2015). The query is the output of its top
// layer:
//
//	h' = layers([x; h̃]),  context = attend(h'),  h̃' = tanh([context; h']·W_c)
//
// Its output is the attentional vector h̃, as wide as W_c has columns; the lowest layer is In +
// that wide. State: as Bahdanau's.
type Luong struct {
	Layers
	Memory  *Memory
	Combine *nodes.Param // W_c [Memory.Width() + H, ·]
}

// Parts are output, those of the layers, weights, and coverage if there is one.
func (d Luong) Parts() []Part {
	if d.Combine == nil {
		nodes.Failf("Luong", "Combine is nil: want the matrix W_c")
	}
	return append(d.parts("Luong", d.Combine.Shape()[1]), d.Memory.seen("Luong")...)
}

// Initial is the state before the first step, made of the state of the layers.
func (d Luong) Initial(layers State) State { return initial(d.Parts(), layers) }

// Step advances one time step.
func (d Luong) Step(x *nodes.Node, s State) State {
	checkStep("Luong", d, x, s)
	h, next := d.step(nodes.Concat(-1, x, s[0]), s)
	context, seen := attend(d.Memory, h, s)
	out := nodes.Tanh(nodes.MatMul(nodes.Concat(-1, context, h), d.Combine))
	return slices.Concat(State{out}, next, seen)
}

// CoverageLoss punishes attending to a place again: Σ_s min(w_s, c_s), where c is the coverage
// before the step (See, Liu and Manning, 2017). It takes the weights of steps and the coverage
// after them, [..., S] each, and gives [...].
func CoverageLoss(weights, coverage *nodes.Node) *nodes.Node {
	return nodes.Sum(nodes.Minimum(weights, nodes.Sub(coverage, weights)), -1)
}
