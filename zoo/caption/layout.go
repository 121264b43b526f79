package caption

import (
	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// Layouts are "look", from the patches of pictures [S, batch, Patch²], as Patches cuts them, to
// what the decoder attends to and the state that its layers start from, and "step", one token
// [batch] of the decoder: from these and its state to logits [batch, V] and the next state, the
// last part of which is where it looked, [batch, S]. Parts of the state that "look" does not give
// start at 0.
func (m *Model) Layouts() []zoo.Layout {
	if shared.Made(m.store) != nil {
		return nil
	}
	return []zoo.Layout{
		{Name: "look", Sizes: []string{"batch"}, Build: m.lookPorts},
		{Name: "step", Sizes: []string{"batch"}, Build: m.stepPorts},
	}
}

// patches is the input of n pictures.
func (m *Model) patches(g *nodes.Graph, n int) *nodes.Node {
	return g.Input("patches", m.Cells(), n, m.cfg.Patch*m.cfg.Patch)
}

func (m *Model) lookPorts(g *nodes.Graph, sizes []int) (in, out []zoo.Port) {
	patches := m.patches(g, sizes[0])
	memory, start := m.look(patches)
	return []zoo.Port{{Name: "patches", Node: patches}},
		append(shared.NumberedPorts("memory", memory.Nodes()),
			shared.NumberedPorts("start", start)...)
}

func (m *Model) stepPorts(g *nodes.Graph, sizes []int) (in, out []zoo.Port) {
	// What is looked at gives the shapes of what the decoder attends to.
	memory, _ := m.look(m.patches(nodes.NewGraph(nodes.Options{Dtype: g.Dtype()}), sizes[0]))
	tokens := g.IntInput("tokens", sizes[0])
	in = append(in, zoo.Port{Name: "tokens", Node: tokens})
	seen := memory.Input(g, sizes[0])
	in = append(in, shared.NumberedPorts("memory", seen.Nodes())...)
	decoder := cells.Bahdanau{Layers: m.decoder, Memory: seen}
	return shared.StepPorts(g, in, decoder.Parts(), sizes[0],
		func(state cells.State) (out []zoo.Port, next cells.State) {
			next = cells.Advance(decoder, nodes.Embedding(m.embedding, tokens, -1), state)
			return []zoo.Port{{Name: "logits", Node: m.logits(next[0])}}, next
		})
}
