package seq2seq

import (
	"errors"
	"fmt"
	"slices"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// layer declares layer k of encoder and decoder.
func (c Config) layer(root *nodes.Scope, k int) (encoder unroll.Layer, decoder cells.Cell) {
	in, feed := c.EmbedSource, c.EmbedTarget // widths of what the layers read
	if k > 0 {
		in, feed = c.memoryOf(k-1), c.Decoder.LayerWidth(k-1)
	} else {
		switch c.Attention {
		case BahdanauAttention:
			feed += c.memory()
		case LuongAttention:
			feed += c.Decoder.Width()
		}
		if c.Peeky {
			feed += c.Decoder.Width()
		}
	}
	encoder = c.Encoder.Layer(root.In("encoder").In("l%d", k), k, in, c.Bidirectional)
	return encoder, c.Decoder.NewCell(root.In("decoder").In("l%d", k), k, feed)
}

// like says for each part of a decoder's layer k which part of the encoder's goes on in it without
// a bridge, −1 if none does. Cells of one kind whose states are alike hand on all of it. Otherwise
// a part is handed on to one of its name and width, if both may be any numbers: a normaliser means
// nothing to another cell.
func (c Config) like(k int, encoder, decoder interface{ Parts() []cells.Part }) []int {
	from, to := encoder.Parts(), decoder.Parts()
	same := c.Encoder.Same(k, c.Decoder) && slices.EqualFunc(from, to, cells.Part.Equal)
	out, left := cells.FreeParts(encoder), cells.FreeParts(decoder)
	likes := make([]int, len(to))
	for i, p := range to {
		likes[i] = slices.IndexFunc(from, p.Equal)
		if !same && (!slices.Contains(out, p.Name) || !slices.Contains(left, p.Name)) {
			likes[i] = -1
		}
	}
	return likes
}

// missing counts the parts of the decoder's state that nothing of the encoder's goes on in without
// a bridge, though they may start as any numbers. It is an error if a layer would start without
// anything of the encoder's: the decoder would not learn of the source.
func (c Config) missing() (n int, err error) {
	if c.Bidirectional {
		return 1, nil
	}
	failed := nodes.Try(func() {
		root := nodes.NewStore(nodes.Float32, 0).Root() // the weights of which are never drawn
		for k := range c.Decoder.WithDefaults().Layers {
			encoder, decoder := c.layer(root, k)
			free, handed := cells.FreeParts(decoder), 0
			for i, from := range c.like(k, encoder, decoder) {
				if from >= 0 {
					handed++
				} else if slices.Contains(free, decoder.Parts()[i].Name) {
					n++
				}
			}
			if handed == 0 || c.Peeky && c.like(k, encoder, decoder)[0] < 0 {
				err = fmt.Errorf("bridge is none: layer %d of the encoder has the state %v, and that of the decoder %v: "+
					"want parts of the same names and widths; else it is tanh", k, encoder.Parts(),
					decoder.Parts())
			}
		}
	})
	return n, errors.Join(failed, err)
}

// bridgeFrom are the parts of the encoder that the bridge tanh reads for each part of layer k of
// the decoder: the encoder's part of the same name, or its output where there is none, or one wider
// than the layer, such as a matrix.
func (m *Model) bridgeFrom(k int, decoder cells.Cell) (from []int) {
	parts := m.oneWay(k).Parts()
	widest := max(parts[0].Width, m.cfg.Encoder.Hidden)
	free := cells.FreeParts(m.oneWay(k))
	for _, p := range decoder.Parts() {
		at := slices.IndexFunc(parts, func(q cells.Part) bool { return q.Name == p.Name })
		if at < 0 || parts[at].Width > widest || !slices.Contains(free, p.Name) {
			at = 0
		}
		from = append(from, at)
	}
	return from
}

// oneWay is layer k of the encoder in one direction.
func (m *Model) oneWay(k int) unroll.Layer {
	if b, ok := m.encoder.Layers[k].(unroll.Bidirectional); ok {
		return b.Forward
	}
	return m.encoder.Layers[k]
}

// declareBridge declares what computes the start of layer k of the decoder.
func (m *Model) declareBridge(k int, decoder cells.Cell) {
	if m.cfg.Bridge != TanhBridge {
		return
	}
	parts, ways, from := m.oneWay(k).Parts(), 1, m.bridgeFrom(k, decoder)
	if m.cfg.Bidirectional {
		ways = 2
	}
	var starts shared.Starts
	starts.Add(m.store.Root().In("bridge").In("l%d", k), decoder,
		func(i int) int { return ways * parts[from[i]].Width })
	m.bridge = append(m.bridge, starts)
}

// start is the state in which the layers of the decoder start, from that of the encoder at the end.
func (m *Model) start(final cells.State) (start cells.State) {
	for k, decoder := range m.decoder.Cells {
		encoder := m.encoder.Layers[k]
		own := final[:len(encoder.Parts())]
		final = final[len(own):]
		if m.cfg.Bridge == TanhBridge {
			xs := make([]*nodes.Node, len(decoder.Parts()))
			for i, from := range m.bridgeFrom(k, decoder) {
				if xs[i] = own[from]; m.cfg.Bidirectional {
					xs[i] = nodes.Concat(-1, own[from], own[len(own)/2+from])
				}
			}
			start = append(start, m.bridge[k].Of(xs)...)
			continue
		}
		for i, from := range m.cfg.like(k, encoder, decoder) {
			if from >= 0 {
				start = append(start, own[from])
			} else {
				start = append(start, own[0].Graph().Zeros(own[0].Dim(0), decoder.Parts()[i].Width))
			}
		}
	}
	return start
}
