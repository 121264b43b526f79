package caption

import (
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// Inside is what the layers compute while the model looks at a picture and writes its caption,
// whatever it would have written itself: each part of the state of each layer after <bos> and each
// word, such as decoder/l0/h [T+1, H], the embeddings words [T+1, Embed], the logits out [T+1, V],
// and where it looked, decoder/weights [T+1, S], over the Cells of the picture.
func (m *Model) Inside(e Captioned) (zoo.Inside, error) {
	if err := m.checkCaptioned([]Captioned{e}); err != nil {
		return nil, prefix.Wrap(err)
	}
	patches, err := m.Patches(e.Picture)
	if err != nil {
		return nil, err
	}
	found, err := shared.Look(m.store, func(r *shared.Reading) {
		x := r.Floats("patches", patches, m.Cells(), 1, m.cfg.Patch*m.cfg.Patch)
		in := r.Ints("words", append([]int{m.bos}, e.Caption...), len(e.Caption)+1, 1)
		m.Forward(x, in, unroll.Scan)
	})
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	return found, nil
}

// TrainingStep compiles a step of training on batch pictures with captions of so many words, for
// what it needs (see zoo.SummariseFor) and what it is made of (its Machine's Explain and Profile).
func (m *Model) TrainingStep(steps, batch int) (*run.Step, error) {
	if err := shared.CheckSizes(m.store, steps, batch); err != nil {
		return nil, prefix.Wrap(err)
	}
	g, err := newCaptionRunner(m, Data{}, batch, true).graphs.Get(captionShape{steps, batch})
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	return g.Step.Step, nil
}
