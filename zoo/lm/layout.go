package lm

import (
	"slices"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// Layouts are the model over whole sequences, "sequence", and over one token, "step": from ids
// [time, batch] and the layers' states to logits [time, batch, V] and the states after them. A step
// leaves the axis of time out.
func (m *Model) Layouts() []zoo.Layout {
	if shared.Made(m.store) != nil {
		return nil
	}
	return []zoo.Layout{
		{Name: "sequence", Sizes: []string{"time", "batch"},
			Build: func(g *nodes.Graph, sizes []int) (in, out []zoo.Port) {
				T, B := sizes[0], sizes[1]
				return m.ports(g.IntInput("ids", T, B), T, B, unroll.Scan, T, B)
			}},
		{Name: "step", Sizes: []string{"batch"},
			Build: func(g *nodes.Graph, sizes []int) (in, out []zoo.Port) {
				return m.ports(g.IntInput("ids", sizes[0]), 1, sizes[0], unroll.Expand, sizes[0])
			}},
	}
}

// ports lays out the model over ids, which are given a shape [T, B]; the logits get the shape lead
// with V behind it.
func (m *Model) ports(ids *nodes.Node, T, B int, s unroll.Strategy, lead ...int) (in,
	out []zoo.Port) {
	state, ports := shared.StatePorts(ids.Graph(), m.layers.Parts(), B)
	y, layers := m.run(nodes.Reshape(ids, T, B), state, 0, unroll.Options{Strategy: s})
	logits := nodes.Reshape(m.out.logits(y), append(slices.Clone(lead), m.vocabulary.Len())...)
	in = append([]zoo.Port{{Name: "ids", Node: ids}}, ports...)
	out = append([]zoo.Port{{Name: "logits", Node: logits}}, shared.NextPorts(ports,
		cells.State(layers.Final()))...)
	return in, out
}
