package reduce

import (
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// rowLayouts are the layouts of a model of rows: "encode", rows to codes, and "decode", back.
func rowLayouts(store *nodes.Store, features, codes int, encode,
	decode func(x *nodes.Node) *nodes.Node) []zoo.Layout {
	if shared.Made(store) != nil {
		return nil
	}
	layout := func(name, from string, width int, to string,
		f func(x *nodes.Node) *nodes.Node) zoo.Layout {
		return zoo.Layout{Name: name, Sizes: []string{"batch"},
			Build: func(g *nodes.Graph, sizes []int) (in, out []zoo.Port) {
				x := g.Input(from, sizes[0], width)
				return []zoo.Port{{Name: from, Node: x}}, []zoo.Port{{Name: to, Node: f(x)}}
			}}
	}
	return []zoo.Layout{layout("encode", "rows", features, "codes", encode),
		layout("decode", "codes", codes, "rows", decode)}
}

// Layouts are "encode", from rows [batch, D] to codes [batch, K], and "decode", back.
func (m *Autoencoder) Layouts() []zoo.Layout {
	return rowLayouts(m.store, m.cfg.Features, m.Codes(), m.encode, m.decode)
}

// Layouts are "encode", from rows [batch, D] to the means of their codes [batch, K], and "decode",
// back.
func (m *VAE) Layouts() []zoo.Layout {
	mean := func(x *nodes.Node) *nodes.Node {
		mu, _ := m.posterior(x)
		return m.conditioned(mu, x)
	}
	return rowLayouts(m.store, m.Features(), m.Codes(), mean, m.decode)
}

// Layouts is "sequence": series [time, batch, V] and lengths [batch] to codes [batch, K] and to the
// series that they bring back.
func (m *RecurrentAutoencoder) Layouts() []zoo.Layout {
	if shared.Made(m.store) != nil {
		return nil
	}
	return []zoo.Layout{{Name: "sequence", Sizes: []string{"time", "batch"},
		Build: func(g *nodes.Graph, sizes []int) (in, out []zoo.Port) {
			x := g.Input("series", sizes[0], sizes[1], m.cfg.Variables)
			lengths := g.IntInput("lengths", sizes[1])
			code := m.encode(x, lengths, unroll.Scan)
			again := m.decode(code, lengths, sizes[0], unroll.Scan)
			return []zoo.Port{{Name: "series", Node: x}, {Name: "lengths", Node: lengths}},
				[]zoo.Port{{Name: "codes", Node: code}, {Name: "reconstruction", Node: again}}
		}}}
}
