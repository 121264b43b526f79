package dialogue

import (
	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// responderSize is what a responder is compiled for: the width of the beam, and how many tokens may
// be copied, if the model copies.
type responderSize struct{ width, places int }

func (s responderSize) Round() responderSize {
	s.places = run.Round(s.places)
	return s
}

func (s responderSize) Serves(request responderSize) bool {
	return s.width == request.width && s.places >= request.places
}

func (s responderSize) Cost() int { return s.places }

// responder is the decoder with what starts it.
type responder struct {
	*shared.Writer
	after, eps run.Floats // eps is empty without a latent variable
	width      int

	// of a model that copies; else empty
	each   run.Floats // the encoder's outputs [S, U]
	count  []int      // [1]
	copier *shared.Copier
}

// start makes the responder start from what a conversation has said, which its inputs hold but for
// what may be copied, and returns what it writes.
func (r *responder) start(c *Conversation) (words shared.Extended, err error) {
	words.Vocabulary = c.m.vocabulary
	if r.copier == nil {
		return words, r.Start(nil)
	}
	r.each.Fill(0)
	r.each.Put64(0, c.said.outputs)
	r.count[0] = len(c.said.words)
	as, more := c.m.copied(c.said.words)
	words.More = more
	r.copier.More, r.copier.Places = len(more), r.copier.Places[:0]
	for range r.width {
		r.copier.Places = append(r.copier.Places, as)
	}
	return words, r.Start(r.count)
}

func (m *Model) newResponder(size responderSize) (r *responder, err error) {
	width := size.width
	r = &responder{width: width}
	var after, eps, each, count *nodes.Node
	var from, inputs []*nodes.Node
	var step decode.StepGraph
	err = nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{Dtype: m.store.Dtype()})
		after = g.Input("context", 1, m.cfg.Context.Width())
		d := after
		if z := m.cfg.Latent.Width; z > 0 {
			eps = g.Input("eps", 1, z)
			d = m.drawn(after, eps)
		}
		sg := nodes.NewGraph(nodes.Options{Dtype: m.store.Dtype()})
		step.Tokens = sg.IntInput("tokens", width)
		state := shared.InputState(sg, m.decoder.Parts(), width)
		var own *nodes.Node // d of each row
		if m.cfg.ContextInput {
			own = sg.Input("condition", width, m.cfg.condition())
			from, inputs = append(from, d), append(inputs, own)
		}
		var memory *cells.Memory
		if m.cfg.Copy > 0 {
			each = g.Input("each", size.places, 1, m.cfg.utterance())
			count = g.IntInput("count", 1)
			all := m.attention.Over(each, nil, count)
			memory = all.Input(sg, width)
			from, inputs = append(from, all.Nodes()...), append(inputs, memory.Nodes()...)
		}
		from = append(from, m.start(d)...)
		step.State, step.Next, step.Logits, step.Attention = m.step(step.Tokens, state, own, memory)
	})
	if err != nil {
		return nil, err
	}
	if r.Writer, err = shared.NewWriter(1, width, from, inputs, step); err != nil {
		return nil, err
	}
	var in run.Inputs
	r.after = in.Floats(after)
	if eps != nil {
		r.eps = in.Floats(eps)
	}
	if m.cfg.Copy > 0 {
		r.each, r.count = in.Floats(each), in.Ints(count)
		stepper := r.Stepper().(*decode.Recurrent)
		gate := len(step.Next) - 1
		r.copier = &shared.Copier{Over: stepper, V: m.vocabulary.Len(), Unk: m.unk,
			Gate: func() run.Floats { return stepper.After()[gate] }}
		r.Via = r.copier
	}
	return r, in.Err()
}

// step is one step of the decoder for tokens [rows], from the state of its layers: the state before
// and after it, which is that of the layers with the output before it and, if it copies, the gate
// behind it, the logits [rows, V] and what it attends to [rows, S]. Own is what each row is
// conditioned on, nil if steps do not read that; memory is nil if it does not copy.
func (m *Model) step(tokens *nodes.Node, state cells.State, own *nodes.Node,
	memory *cells.Memory) (before, after cells.State, logits, attention *nodes.Node) {
	g, rows := tokens.Graph(), tokens.Dim(0)
	y := m.decode(state, nodes.Reshape(tokens, 1, rows), own,
		unroll.Options{Strategy: unroll.Expand})
	output := nodes.Reshape(y.Y(), rows, -1)
	said := m.say(y.Y(), nodes.Reshape(tokens, 1, rows), memory)
	before = append(cells.State{g.Input("output", output.Shape()...)}, state...)
	after = append(cells.State{output}, y.Final()...)
	if memory != nil {
		before = append(before, g.Input("gate", rows, 1))
		after = append(after, nodes.Reshape(said.gate, rows, 1))
		attention = nodes.Reshape(said.weights, rows, -1)
	}
	return before, after, nodes.Reshape(said.logits, rows, -1), attention
}
