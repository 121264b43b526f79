package emoji

import (
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// Layouts is "probabilities": vectors of descriptions [batch, D] to how likely each is that of
// each emoji, [batch, emoji]. The vector of a description is the sum, or the mean, of those of its
// words, centred as the model's are.
func (m *Model) Layouts() []zoo.Layout {
	if shared.Made(m.store) != nil {
		return nil
	}
	return []zoo.Layout{{Name: "probabilities", Sizes: []string{"batch"},
		Build: func(g *nodes.Graph, sizes []int) (in, out []zoo.Port) {
			v := g.Input("descriptions", sizes[0], m.words.Dim())
			p := nodes.Sigmoid(nodes.MatMul(v, nodes.Transpose(g.Param(m.table), 1, 0)))
			return []zoo.Port{{Name: "descriptions", Node: v}},
				[]zoo.Port{{Name: "probabilities", Node: p}}
		}}}
}
