package dialogue

import (
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// Layouts are what a conversation is made of. "turn" reads a turn, words [time, batch] with its
// <eos> and lengths [batch], and the state of the conversation, zeros at first, to the next state
// and the context [batch, C]. "start" makes of a context, and of standard normal numbers eps
// [batch, Z] if there is a latent variable, the state that the decoder's layers start from, and
// what each of its steps reads, if they do. "step" is one token [batch] of the decoder: to logits
// [batch, V] and the next state.
func (m *Model) Layouts() []zoo.Layout {
	if shared.Made(m.store) != nil {
		return nil
	}
	return []zoo.Layout{
		{Name: "turn", Sizes: []string{"time", "batch"}, Build: m.turnPorts},
		{Name: "start", Sizes: []string{"batch"}, Build: m.startPorts},
		{Name: "step", Sizes: []string{"batch"}, Build: m.stepPorts},
	}
}

func (m *Model) turnPorts(g *nodes.Graph, sizes []int) (in, out []zoo.Port) {
	words, lengths := g.IntInput("words", sizes[0], sizes[1]), g.IntInput("lengths", sizes[1])
	state, ports := shared.StatePorts(g, m.context.Parts(), sizes[1])
	u := nodes.Reshape(m.utterances(words, lengths, unroll.Options{}), 1, sizes[1], -1)
	context := m.context.Unroll(u, state, unroll.Options{Strategy: unroll.Expand})
	in = append([]zoo.Port{{Name: "words", Node: words}, {Name: "lengths", Node: lengths}}, ports...)
	y := nodes.Reshape(context.Y(), sizes[1], -1)
	return in, append([]zoo.Port{{Name: "context", Node: y}}, shared.NextPorts(ports,
		context.Final())...)
}

func (m *Model) startPorts(g *nodes.Graph, sizes []int) (in, out []zoo.Port) {
	d := g.Input("context", sizes[0], m.cfg.Context.Width())
	in = []zoo.Port{{Name: "context", Node: d}}
	if z := m.cfg.Latent.Width; z > 0 {
		eps := g.Input("eps", sizes[0], z)
		in = append(in, zoo.Port{Name: "eps", Node: eps})
		d = m.drawn(d, eps)
	}
	if m.cfg.ContextInput {
		out = append(out, zoo.Port{Name: "condition", Node: d})
	}
	return in, append(out, shared.NumberedPorts("start", m.start(d))...)
}

func (m *Model) stepPorts(g *nodes.Graph, sizes []int) (in, out []zoo.Port) {
	tokens := g.IntInput("tokens", sizes[0])
	in = []zoo.Port{{Name: "tokens", Node: tokens}}
	var d *nodes.Node
	if m.cfg.ContextInput {
		d = g.Input("condition", sizes[0], m.cfg.condition())
		in = append(in, zoo.Port{Name: "condition", Node: d})
	}
	state, ports := shared.StatePorts(g, m.decoder.Parts(), sizes[0])
	y := m.decode(state, nodes.Reshape(tokens, 1, sizes[0]), d,
		unroll.Options{Strategy: unroll.Expand})
	logits := m.logits(nodes.Reshape(y.Y(), sizes[0], -1))
	return append(in, ports...), append([]zoo.Port{{Name: "logits", Node: logits}},
		shared.NextPorts(ports, y.Final())...)
}
