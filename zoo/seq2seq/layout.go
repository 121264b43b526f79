package seq2seq

import (
	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// Layouts are "encode", from sources [source, batch] and lengths [batch] to what the decoder reads
// and the state that its layers start from, and "step", one token [batch] of the decoder: from
// these and its state to logits [batch, V], the next state and, with attention, its weights. Of a
// model that copies the last part of the next state is its gate; whoever runs the step mixes in the
// weights.
func (m *Model) Layouts() []zoo.Layout {
	if shared.Made(m.store) != nil {
		return nil
	}
	return []zoo.Layout{
		{Name: "encode", Sizes: []string{"source", "batch"}, Build: m.encodePorts},
		{Name: "step", Sizes: []string{"source", "batch"}, Build: m.stepPorts},
	}
}

func (m *Model) encodePorts(g *nodes.Graph, sizes []int) (in, out []zoo.Port) {
	src, lengths := g.IntInput("source", sizes[0], sizes[1]), g.IntInput("lengths", sizes[1])
	memory, start := m.encode(src, lengths, unroll.Options{})
	if memory != nil {
		out = shared.NumberedPorts("memory", memory.Nodes())
	}
	if summary := m.summary(start); summary != nil {
		out = append(out, zoo.Port{Name: "summary", Node: summary})
	}
	return []zoo.Port{{Name: "source", Node: src}, {Name: "lengths", Node: lengths}},
		append(out, shared.NumberedPorts("start", start)...)
}

func (m *Model) stepPorts(g *nodes.Graph, sizes []int) (in, out []zoo.Port) {
	// What the encoder makes gives the shapes of what the decoder reads.
	eg := nodes.NewGraph(nodes.Options{Dtype: g.Dtype()})
	memory, start := m.encode(eg.IntInput("source", sizes[0], sizes[1]),
		eg.IntInput("lengths", sizes[1]), unroll.Options{})
	tokens := g.IntInput("tokens", sizes[1])
	in = append(in, zoo.Port{Name: "tokens", Node: tokens})
	var seen *cells.Memory
	if memory != nil {
		seen = memory.Input(g, sizes[1])
		in = append(in, shared.NumberedPorts("memory", seen.Nodes())...)
	}
	summary := m.summary(start)
	if summary != nil {
		summary = g.Input("summary", sizes[1], summary.Dim(-1))
		in = append(in, zoo.Port{Name: "summary", Node: summary})
	}
	decoder := m.over(seen, summary)
	return shared.StepPorts(g, in, decoder.Parts(), sizes[1],
		func(state cells.State) (out []zoo.Port, next cells.State) {
			next = cells.Advance(decoder, nodes.Embedding(m.target, tokens, -1), state)
			return []zoo.Port{{Name: "logits", Node: m.logits(next[0], summary, 0)}}, next
		})
}
