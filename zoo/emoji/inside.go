package emoji

import (
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// TrainingStep compiles a step of training on batch pairs, whatever the steps, for what it needs
// (see zoo.SummariseFor) and what it is made of (its Machine's Explain and Profile).
func (m *Model) TrainingStep(_, batch int) (*run.Step, error) {
	if err := shared.CheckSizes(m.store, 1, batch); err != nil {
		return nil, prefix.Wrap(err)
	}
	r, err := newEmojiRunner(m, nil, Data{Batch: batch})
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	return r.Step.Step, nil
}
