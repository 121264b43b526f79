package label

import (
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// Inside is what the layers compute while the model reads a sequence: embed [T, Embed], if it reads
// tokens, each part of the state of each layer after each step, such as layers/l0/h [T, Hidden] or
// layers/l0/backward/h, and out, the logits of the labels.
func (m *labeller) Inside(s Sequence) (zoo.Inside, error) {
	if err := m.check(s); err != nil {
		return nil, m.errorf("%w", err)
	}
	found, err := shared.Look(m.store, func(r *shared.Reading) {
		m.forward(m.reading(r, s), nil, unroll.Options{})
	})
	if err != nil {
		return nil, m.errorf("%w", err)
	}
	return found, nil
}

// reading is the input of one sequence.
func (m *labeller) reading(r *shared.Reading, s Sequence) *nodes.Node {
	if m.embed != nil {
		return r.Ints("ids", s.IDs, len(s.IDs), 1)
	}
	return r.Floats("features", s.Features, m.steps(s), 1, m.cfg.Features)
}

// TrainingStep compiles a step of training on batch sequences of so many steps, for what it needs
// (see zoo.SummariseFor) and what it is made of (its Machine's Explain and Profile).
func (m *labeller) TrainingStep(steps, batch int) (*run.Step, error) {
	if err := shared.CheckSizes(m.store, steps, batch); err != nil {
		return nil, m.errorf("%w", err)
	}
	g, err := m.build(labelShape{T: steps, B: batch, padded: true}, unroll.Options{},
		labelsLearned, nil)
	if err != nil {
		return nil, m.errorf("%w", err)
	}
	return g.Step, nil
}

// Inside is what the layers compute while the model reads a sequence, as that of a Classifier. The
// logits of the label are out, and those of the tags tags/out.
func (m *Joint) Inside(s Sequence) (zoo.Inside, error) {
	if err := shared.Made(m.label.store); err != nil {
		return nil, jointPrefix.Wrap(err)
	}
	if err := m.label.check(s); err != nil {
		return nil, jointPrefix.Wrap(err)
	}
	found, err := shared.Look(m.label.store, func(r *shared.Reading) {
		m.forward(m.label.reading(r, s), nil, unroll.Options{})
	})
	if err != nil {
		return nil, jointPrefix.Wrap(err)
	}
	return found, nil
}

// TrainingStep compiles a step of training, as that of a Classifier.
func (m *Joint) TrainingStep(steps, batch int) (*run.Step, error) {
	if err := shared.CheckSizes(m.label.store, steps, batch); err != nil {
		return nil, jointPrefix.Wrap(err)
	}
	g, err := m.build(labelShape{T: steps, B: batch, padded: true}, unroll.Options{}, labelsLearned)
	if err != nil {
		return nil, jointPrefix.Wrap(err)
	}
	return g.Step, nil
}
