package dialogue

import (
	"github.com/seqzoo/seqzoo/cells"
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
//
// If the model copies, a turn gives memory, the encoder's outputs [time, batch, U], too; a step
// reads such outputs of the tokens that it may copy, memory [places, batch, U] with counts [batch],
// and gives the weights of these places, attention [batch, places], and gate [batch], the logit of
// writing rather than copying; whoever runs the step mixes in the weights.
func (m *Model) Layouts() []zoo.Layout {
	if shared.Made(m.store) != nil {
		return nil
	}
	return []zoo.Layout{
		{Name: "turn", Sizes: []string{"time", "batch"}, Build: m.turnPorts},
		{Name: "start", Sizes: []string{"batch"}, Build: m.startPorts},
		m.stepLayout(),
	}
}

func (m *Model) stepLayout() zoo.Layout {
	if m.cfg.Copy > 0 {
		return zoo.Layout{Name: "step", Sizes: []string{"places", "batch"}, Build: m.stepPorts}
	}
	return zoo.Layout{Name: "step", Sizes: []string{"batch"}, Build: m.stepPorts}
}

func (m *Model) turnPorts(g *nodes.Graph, sizes []int) (in, out []zoo.Port) {
	words, lengths := g.IntInput("words", sizes[0], sizes[1]), g.IntInput("lengths", sizes[1])
	state, ports := shared.StatePorts(g, m.context.Parts(), sizes[1])
	u, each := m.utterances(words, lengths, unroll.Options{})
	context := m.context.Unroll(nodes.Reshape(u, 1, sizes[1], -1), state,
		unroll.Options{Strategy: unroll.Expand})
	in = []zoo.Port{{Name: "words", Node: words}, {Name: "lengths", Node: lengths}}
	y := nodes.Reshape(context.Y(), sizes[1], -1)
	if out = []zoo.Port{{Name: "context", Node: y}}; m.cfg.Copy > 0 {
		out = append(out, zoo.Port{Name: "memory", Node: each})
	}
	return append(in, ports...), append(out, shared.NextPorts(ports, context.Final())...)
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
	batch := sizes[len(sizes)-1]
	tokens := g.IntInput("tokens", batch)
	in = []zoo.Port{{Name: "tokens", Node: tokens}}
	var memory *cells.Memory
	if m.cfg.Copy > 0 {
		each := g.Input("memory", sizes[0], batch, m.cfg.utterance())
		counts := g.IntInput("counts", batch)
		in = append(in, zoo.Port{Name: "memory", Node: each},
			zoo.Port{Name: "counts", Node: counts})
		memory = m.attention.Over(each, nil, counts)
	}
	var d *nodes.Node
	if m.cfg.ContextInput {
		d = g.Input("condition", batch, m.cfg.condition())
		in = append(in, zoo.Port{Name: "condition", Node: d})
	}
	return shared.StepPorts(g, in, m.decoder.Parts(), batch,
		func(state cells.State) (out []zoo.Port, next cells.State) {
			_, next, logits, attention := m.step(tokens, state, d, memory)
			out = []zoo.Port{{Name: "logits", Node: logits}}
			if memory != nil {
				gate := nodes.Reshape(next[len(next)-1], batch)
				out = append(out, zoo.Port{Name: "attention", Node: attention},
					zoo.Port{Name: "gate", Node: gate})
			}
			return out, next[1:]
		})
}
