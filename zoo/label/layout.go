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
	if shared.Made(m.store) != nil {
		return nil
	}
	return []zoo.Layout{{Name: "sequence", Sizes: []string{"time", "batch"},
		Build: func(g *nodes.Graph, sizes []int) (in, out []zoo.Port) {
			T, B := sizes[0], sizes[1]
			var x *nodes.Node
			if m.embed != nil {
				x = g.IntInput("ids", T, B)
				in = append(in, zoo.Port{Name: "ids", Node: x})
			} else {
				x = g.Input("features", T, B, m.cfg.Features)
				in = append(in, zoo.Port{Name: "features", Node: x})
			}
			lengths := g.IntInput("lengths", B)
			in = append(in, zoo.Port{Name: "lengths", Node: lengths})
			p := m.scores(m.Forward(x, lengths, unroll.Scan))
			if m.chain == nil {
				return in, []zoo.Port{{Name: "probabilities", Node: p}}
			}
			return in, []zoo.Port{{Name: "emissions", Node: p},
				{Name: "transitions", Node: g.Param(m.chain.transitions)},
				{Name: "start", Node: g.Param(m.chain.start)}, {Name: "end", Node: g.Param(m.chain.end)}}
		}}}
}
