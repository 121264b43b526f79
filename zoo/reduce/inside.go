package reduce

import (
	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// rowsInside is what the layers compute of rows, standardised as the model sees them.
func rowsInside(prefix check.Prefix, store *nodes.Store, x []float32, width int,
	build func(x *nodes.Node)) (zoo.Inside, error) {
	found, err := shared.Look(store, func(r *shared.Reading) {
		build(r.Floats("rows", x, len(x)/width, width))
	})
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	return found, nil
}

// rowStep compiles a step of training.
func rowStep(prefix check.Prefix, store *nodes.Store, batch, width int,
	loss func(x *nodes.Node) *nodes.Node) (*run.Step, error) {
	if err := shared.CheckSizes(store, 1, batch); err != nil {
		return nil, prefix.Wrap(err)
	}
	g, err := newLossGraph(batch, store.Dtype(), width, true, graph.ResultsIn(graph.NewArena()),
		func(x *nodes.Node) []*nodes.Node { return []*nodes.Node{loss(x)} })
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	return g.Step.Step, nil
}

// Inside is what the layers compute of rows [N, D]: what each puts out before its activation, such
// as encoder/l0 [N, 64], and behind it, such as encoder/l0/tanh.
func (m *Autoencoder) Inside(x []float32) (zoo.Inside, error) {
	err := shared.Made(m.store)
	if err == nil {
		err = checkRows(x, m.Features(), "features")
	}
	if err != nil {
		return nil, autoencoderPrefix.Wrap(err)
	}
	return rowsInside(autoencoderPrefix, m.store, m.scaling.apply(x), m.Features(),
		func(x *nodes.Node) { m.Forward(x) })
}

// TrainingStep compiles a step of training on batch rows, whatever the steps, for what it needs
// (see zoo.SummariseFor) and what it is made of (its Machine's Explain and Profile).
func (m *Autoencoder) TrainingStep(_, batch int) (*run.Step, error) {
	return rowStep(autoencoderPrefix, m.store, batch, m.Features(),
		func(x *nodes.Node) *nodes.Node { return m.Forward(x).Loss })
}

// Inside is what the layers compute of rows [N, D], as that of an Autoencoder, with the mean of the
// codes for a code.
func (m *VAE) Inside(x []float32) (zoo.Inside, error) {
	err := shared.Made(m.store)
	if err == nil {
		err = checkRows(x, m.Features(), "features")
	}
	if err != nil {
		return nil, vaePrefix.Wrap(err)
	}
	return rowsInside(vaePrefix, m.store, m.scaling.apply(x), m.Features(), func(x *nodes.Node) {
		mu, _ := m.posterior(x)
		m.decode(m.conditioned(mu, x))
	})
}

// TrainingStep compiles a step of training, as that of an Autoencoder.
func (m *VAE) TrainingStep(_, batch int) (*run.Step, error) {
	return rowStep(vaePrefix, m.store, batch, m.Features(),
		func(x *nodes.Node) *nodes.Node { return m.Forward(x, nil).Loss })
}

// Inside is what the layers compute of a series [T, V]: each part of the state of each layer after
// each step, such as encoder/l0/h [T, H] and decoder/l0/h, the code [1, K], and the series as it
// comes back, out [T, V].
func (m *RecurrentAutoencoder) Inside(series []float32) (zoo.Inside, error) {
	err := shared.Made(m.store)
	if err == nil {
		err = m.checkSeries([][]float32{series})
	}
	if err != nil {
		return nil, recurrentPrefix.Wrap(err)
	}
	T := len(series) / m.cfg.Variables
	found, err := shared.Look(m.store, func(r *shared.Reading) {
		m.Forward(r.Floats("series", series, T, 1, m.cfg.Variables),
			r.Ints("lengths", []int{T}, 1), unroll.Scan)
	})
	if err != nil {
		return nil, recurrentPrefix.Wrap(err)
	}
	return found, nil
}

// TrainingStep compiles a step of training on batch series of so many steps, for what it needs (see
// zoo.SummariseFor) and what it is made of (its Machine's Explain and Profile).
func (m *RecurrentAutoencoder) TrainingStep(steps, batch int) (*run.Step, error) {
	if err := shared.CheckSizes(m.store, steps, batch); err != nil {
		return nil, recurrentPrefix.Wrap(err)
	}
	g, err := m.compile(seriesShape{trainSeries, steps, batch})
	if err != nil {
		return nil, recurrentPrefix.Wrap(err)
	}
	return g.Step, nil
}
