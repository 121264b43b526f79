package word2vec

import (
	"cmp"
	"context"
	"fmt"
	"iter"

	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// ExtendConfig says how a model goes on with another text; see [Model.Extend].
type ExtendConfig struct {
	Epochs int     // passes over the new text; 0 means as many as the model had
	LR     float64 // learning rate at the start; 0 means the model's
	MinLR  float64 // and at the end; 0 means the model's, or LR where that is less
	Seed   uint64  // of what is drawn in the new training
}

// Extend returns a model that goes on from the vectors of m with another text: Train it with the
// same sentences. Words that the text brings, by the model's MinCount and MaxVocab, begin as in
// [New]; counts of both texts are added up, for the drawing of negatives and for subsampling. A
// hierarchical softmax keeps its words, since its tree stands on them, and new ones are left out.
//
// Words that the new text lacks keep their vectors while others move away from them: mix old
// sentences into the new ones where they should still compare. The model m does not change.
func (m *Model) Extend(ctx context.Context, c ExtendConfig, sentences [][]string) (*Model, error) {
	return m.ExtendFrom(ctx, c, all(sentences))
}

// ExtendFrom is Extend with a text as NewFrom takes it.
func (m *Model) ExtendFrom(ctx context.Context, c ExtendConfig,
	sentences iter.Seq2[[]string, error]) (*Model, error) {
	if sentences == nil {
		return nil, errNoSentences
	}
	if err := m.made(); err != nil {
		return nil, fmt.Errorf("word2vec: %w", err)
	}
	cfg := m.cfg
	cfg.Epochs, cfg.Seed = cmp.Or(c.Epochs, cfg.Epochs), c.Seed
	cfg.LR = cmp.Or(c.LR, cfg.LR)
	cfg.MinLR = cmp.Or(c.MinLR, min(cfg.MinLR, cfg.LR))
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	v := m.vocabulary
	if cfg.Output == Negative {
		brought, err := text.NewVocabularyFrom(ctx, text.VocabularyConfig{MinCount: cfg.MinCount,
			MaxSize: cfg.MaxVocab, FirstSeen: true}, cfg.formed(sentences))
		if err != nil {
			return nil, fmt.Errorf("word2vec: %w", err)
		}
		if v, err = v.Merge(brought); err != nil {
			return nil, fmt.Errorf("word2vec: %w", err)
		}
	}
	next, err := newModel(cfg, v)
	if err != nil {
		return nil, err
	}
	next.instructions = m.instructions
	if err := next.start(ctx); err != nil {
		return nil, err
	}
	for id := range v.Len() {
		word, _ := v.Token(id)
		if old, ok := m.vocabulary.ID(word); ok {
			copy(row(next.in, uint32(id), cfg.Dim), row(m.in, uint32(old), cfg.Dim))
			if cfg.Output == Negative {
				copy(row(next.out, uint32(id), cfg.Dim), row(m.out, uint32(old), cfg.Dim))
			}
		}
	}
	if cfg.Output == Hierarchical {
		copy(next.out, m.out)
	}
	return next, nil
}

// start gives a model its first weights, if there is memory for them.
func (m *Model) start(ctx context.Context) error {
	if err := m.fits(); err != nil {
		return err
	}
	m.in = make([]float32, m.vocabulary.Len()*m.cfg.Dim)
	m.out = make([]float32, m.outputs()*m.cfg.Dim)
	key := rng.New(m.cfg.Seed).Named("word2vec/in")
	for i := range m.in {
		if i%often == 0 && ctx.Err() != nil {
			return fmt.Errorf("word2vec: %w", ctx.Err())
		}
		m.in[i] = float32((key.Float64(uint64(i)) - 0.5) / float64(m.cfg.Dim))
	}
	return nil
}
