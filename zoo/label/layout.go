package label

import (
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// Layouts is the model over a batch of padded sequences, "sequence": ids [time, batch], or
// features [time, batch, Features], and lengths [batch], to the probabilities of the labels,
// [batch, labels] or, of a tagger, [time, batch, labels]. Of a conditional random field they are
// the emissions [time, batch, labels], with its transitions [labels, labels], start and end
// [labels], by which Viterbi's algorithm finds the best labels.
func (m *labeller) Layouts() []zoo.Layout {
	return m.layouts(func(x, lengths *nodes.Node) []zoo.Port {
		return m.ports("probabilities", m.Forward(x, lengths, unroll.Scan))
	})
}

// Layouts is the model over a batch of padded sequences, as those of a Classifier: to the
// probabilities of the labels [batch, labels], and what a Tagger puts out, where the probabilities
// of the tags [time, batch, tags] are called "tags".
func (m *Joint) Layouts() []zoo.Layout {
	return m.label.layouts(func(x, lengths *nodes.Node) []zoo.Port {
		label, tags := m.Forward(x, lengths, unroll.Scan)
		return append(m.label.ports("probabilities", label), m.tags.ports("tags", tags)...)
	})
}

// layouts is that of a model whose layers are those of m. There is none of an empty model.
func (m *labeller) layouts(outputs func(x, lengths *nodes.Node) []zoo.Port) []zoo.Layout {
	if shared.Made(m.store) != nil {
		return nil
	}
	return []zoo.Layout{{Name: "sequence", Sizes: []string{"time", "batch"},
		Build: func(g *nodes.Graph, sizes []int) (in, out []zoo.Port) {
			var n labelNodes
			m.inputs(&n, g, labelShape{T: sizes[0], B: sizes[1], padded: true})
			name := "ids"
			if m.embed == nil {
				name = "features"
			}
			return []zoo.Port{{Name: name, Node: n.x}, {Name: "lengths", Node: n.lengths}},
				outputs(n.x, n.lengths)
		}}}
}

// ports are what logits are in a layout: probabilities of that name, or what Viterbi's algorithm
// reads.
func (m *labeller) ports(name string, logits *nodes.Node) []zoo.Port {
	if m.chain == nil {
		return []zoo.Port{{Name: name, Node: m.scores(logits)}}
	}
	g := logits.Graph()
	return []zoo.Port{{Name: "emissions", Node: logits},
		{Name: "transitions", Node: g.Param(m.chain.transitions)},
		{Name: "start", Node: g.Param(m.chain.start)}, {Name: "end", Node: g.Param(m.chain.end)}}
}
