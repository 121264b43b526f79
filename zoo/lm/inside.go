package lm

import (
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// Inside is what the layers compute while the model reads ids, from an empty state: embed [T,
// Embed], each part of the state of each layer after each token, such as layers/l0/h [T, Hidden],
// and out [T, V], the logits of what follows.
func (m *Model) Inside(ids []int) (zoo.Inside, error) {
	err := m.checkIDs(ids)
	if err == nil && len(ids) == 0 {
		err = errNothingToPredict
	}
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	found, err := shared.Look(m.store, func(r *shared.Reading) {
		y, _ := m.run(r.Ints("ids", ids, len(ids), 1), nil, 0, unroll.Options{})
		m.out.logits(y)
	})
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	return found, nil
}

// TrainingStep compiles a step of training on windows of steps tokens in batch tracks, to measure
// its memory and time (see zoo.SummariseFor) and to look into it (its Machine's Explain and
// Profile).
func (m *Model) TrainingStep(steps, batch int) (*run.Step, error) {
	if err := shared.CheckSizes(m.store, steps, batch); err != nil {
		return nil, prefix.Wrap(err)
	}
	r, err := newWindowRunner(m, m.out.loss(), batch, true, unroll.Options{})
	if err != nil {
		return nil, err
	}
	w, err := r.windows.Window(train.WindowShape{T: steps, Next: steps})
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	return w.Step.Step, nil
}
