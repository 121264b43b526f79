package forecast

import (
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// Inside is what the layers compute while the model reads the last Lookback rows of a history, as
// Forecast takes it: each part of the state of each layer after each step, such as layers/l0/h
// [steps, Hidden], and what the output layer makes of the last one. A step is a row, or a patch of
// rows. The variables of a Shared model are read one by one, and stand side by side: [steps,
// variables, Hidden].
func (m *Model) Inside(history [][]float64, ahead ...[]float64) (zoo.Inside, error) {
	if err := shared.Made(m.store); err != nil {
		return nil, prefix.Wrap(err)
	}
	w, err := m.lastWindow(history, ahead)
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	found, err := shared.Look(m.store, func(r *shared.Reading) {
		window := func(x run.Floats) { (&forecastGraph{B: 1, x: x}).load(w, []int{0}) }
		m.Forward(r.FloatsBy("window", window, m.cfg.Lookback, 1, m.inputs()), unroll.Scan)
	})
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	return found, nil
}

// TrainingStep compiles a step of training on batch windows, whose steps are the configuration's,
// for what it needs (see zoo.SummariseFor) and what it is made of (its Machine's Explain and
// Profile).
func (m *Model) TrainingStep(_, batch int) (*run.Step, error) {
	if err := shared.CheckSizes(m.store, m.cfg.Lookback, batch); err != nil {
		return nil, prefix.Wrap(err)
	}
	g, err := m.build(batch, unroll.Options{}, true)
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	return g.Step, nil
}
