package caption

import (
	"cmp"
	"context"
	"errors"
	"image"
	"image/color"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// Caption is a description of a picture by a Model.
type Caption struct {
	Tokens   []string
	LogProb  float64   // of all tokens, <eos> included
	Score    float64   // by which captions are ranked
	LogProbs []float64 // of each token
	// [len(Tokens)][S]: how much each token looked at each patch (see Model.Cell); a row sums to 1
	Maps  [][]float64
	Ended bool // by <eos>, not by Max
}

// Peak is the patch that token t looked at most; 0 if there is no such token.
func (c Caption) Peak(t int) (cell int) {
	if t < 0 || t >= len(c.Maps) {
		return 0
	}
	for i, w := range c.Maps[t] {
		if w > c.Maps[t][cell] {
			cell = i
		}
	}
	return cell
}

// captionMax is the default for the number of tokens of a caption.
const captionMax = 64

// Caption says what a picture shows, best first. The options are those of seq2seq.Model.Translate;
// Max is 64 tokens by default. A cancelled context ends it with what there is and the context's
// error.
func (m *Model) Caption(ctx context.Context, picture image.Image,
	o decode.SearchOptions) ([]Caption, error) {
	all, err := m.CaptionAll(ctx, []image.Image{picture}, o)
	if len(all) == 0 {
		return nil, err
	}
	return all[0], err
}

// CaptionAll is Caption for many pictures, which are looked at side by side.
func (m *Model) CaptionAll(ctx context.Context, pictures []image.Image,
	o decode.SearchOptions) ([][]Caption, error) {
	if err := o.Check(); err != nil {
		return nil, prefix.Wrap(err)
	}
	for i, p := range pictures {
		if err := m.checkPicture(p); err != nil {
			return nil, prefix.Wrap(check.Example("picture", i, "%w", err))
		}
	}
	var out [][]Caption
	for i := 0; i < len(pictures); i += shared.SourcesAtATime {
		chunk, err := m.caption(ctx, pictures[i:min(i+shared.SourcesAtATime, len(pictures))], i, o)
		out = append(out, chunk...)
		if err != nil {
			return out, prefix.Wrap(err)
		}
	}
	return out, nil
}

// caption describes a few pictures, the first of which has number first.
func (m *Model) caption(ctx context.Context, pictures []image.Image, first int,
	o decode.SearchOptions) ([][]Caption, error) {
	if o.CopyUnknown {
		return nil, errors.New("the option CopyUnknown is set, and a picture has no tokens to copy")
	}
	size := captionSize{len(pictures), max(o.Beam, 1)}
	lease, err := m.writers.Take(run.Of[captionSize]{Key: size}, m.newWriter)
	if err != nil {
		return nil, err
	}
	defer lease.Put()
	w := lease.Graph
	for k, p := range pictures {
		if err := m.feed(w.patches, k, size.pictures, p); err != nil {
			return nil, err
		}
	}
	if err := w.Start(nil); err != nil {
		return nil, err
	}
	common := decode.Options{End: m.eos, KeepAttention: true, Max: cmp.Or(o.Max, captionMax),
		Never: shared.Silent(m.words)}
	cut, err := m.cfg.Text.Tokeniser()
	if err != nil {
		return nil, err
	}
	found, err := w.Write(ctx, m.bos, common, o, first, shared.Always(m.words), cut)
	out := make([][]Caption, len(found))
	for i, hs := range found {
		for _, h := range hs {
			t := shared.Found(h, m.words)
			out[i] = append(out[i], Caption{
				Tokens: t.Tokens, LogProb: t.LogProb, Score: t.Score, LogProbs: t.LogProbs,
				Maps: t.Alignment, Ended: t.Ended,
			})
		}
	}
	return out, err
}

// captionSize is the size that a captionWriter is compiled for.
type captionSize struct{ pictures, width int }

// captionWriter is a model compiled to caption.
type captionWriter struct {
	*shared.Writer
	patches run.Floats // [S, pictures, Patch²]
}

func (m *Model) newWriter(shape run.Of[captionSize]) (w *captionWriter, err error) {
	size := shape.Key
	w = &captionWriter{}
	var patches *nodes.Node
	var step decode.StepGraph
	var from, inputs []*nodes.Node
	err = nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{Dtype: m.store.Dtype()})
		patches = m.patches(g, size.pictures)
		memory, start := m.look(patches)

		rows, sg := size.pictures*size.width, nodes.NewGraph(nodes.Options{Dtype: m.store.Dtype()})
		in := memory.Input(sg, rows)
		from, inputs = append(memory.Nodes(), start...), in.Nodes()
		decoder := cells.Bahdanau{Layers: m.decoder, Memory: in}
		step.Tokens, step.State = sg.IntInput("tokens", rows),
			shared.InputState(sg, decoder.Parts(), rows)
		step.Next = cells.Advance(decoder, nodes.Embedding(m.embedding, step.Tokens, -1),
			step.State)
		step.Logits, step.Attention = m.logits(step.Next[0]), step.Next[len(step.Next)-1]
	})
	if err != nil {
		return nil, err
	}
	if w.Writer, err = shared.NewWriter(size.pictures, size.width, from, inputs, step); err != nil {
		return nil, err
	}
	var in run.Inputs
	w.patches = in.Floats(patches)
	return w, in.Err()
}

// grey is the brightness of a colour.
func grey(c color.Color) uint8 { return color.GrayModel.Convert(c).(color.Gray).Y }
