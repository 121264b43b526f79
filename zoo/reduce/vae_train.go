package reduce

import (
	"context"

	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/train"
)

// Bound is the negative evidence lower bound of rows, in nats a row, by one drawn code for each.
type Bound struct {
	Reconstruction float64 // −log p(x|z); Gaussian: without the constant ½·log 2π a feature
	KL             float64
}

// Total is the bound: at least −log p(x), up to the error of drawing.
func (b Bound) Total() float64 { return b.Reconstruction + b.KL }

// Bound measures rows [N, D]. The codes drawn are the same in every call.
func (m *VAE) Bound(ctx context.Context, x []float32) (b Bound, err error) {
	if err := (RowData{Train: x}).check(m.Features(), m.unit()); err != nil {
		return b, vaePrefix.Errorf("bound: %w", err)
	}
	return m.bound(ctx, m.scaling.apply(x))
}

// bound is Bound of rows as the model sees them.
func (m *VAE) bound(ctx context.Context, x []float32) (b Bound, err error) {
	losses := func(x *nodes.Node) []*nodes.Node {
		g := m.Forward(x, nil)
		return []*nodes.Node{g.Reconstruction, nodes.Sum(g.KL)}
	}
	sums, err := meanRowLoss(ctx, m.store.Dtype(), x, m.Features(), losses)
	if err != nil {
		return b, vaePrefix.Wrap(err)
	}
	return Bound{sums[0], sums[1]}, nil
}

// unit is how many numbers of a row, from the first, must be in [0, 1].
func (m *VAE) unit() int {
	if m.cfg.Likelihood == BernoulliDecoder {
		return m.cfg.Features
	}
	return 0
}

// VAEData says on what a VAE is trained. The zero value of an optional field is its default.
type VAEData struct {
	RowData
	// batches in which β rises from 0 (Bowman et al., 2016); 0: it is what it is from the start
	Warmup int
}

// Task makes a task for train.Fit. Its loss is that of the model; its validation measures
// valid_loss, the negative evidence lower bound in nats a row without β and free bits,
// valid_reconstruction and valid_kl. It keeps the rows, which must not change.
func (m *VAE) Task(d VAEData) (train.Task, error) {
	if d.Warmup < 0 {
		return nil, vaePrefix.Errorf("the warmup is %d batches, want 0 or more", d.Warmup)
	}
	cfg := m.cfg
	cfg.Threshold = 0 // training knows nothing of it
	r := rowModel{store: m.store, cfg: cfg, scaling: m.scaling, width: m.Features(),
		scaled: m.cfg.Features, unit: m.unit(), warmup: d.Warmup,
		loss: func(x, warm *nodes.Node) *nodes.Node { return m.Forward(x, warm).Loss }}
	task, valid, err := r.task(d.RowData)
	if err != nil {
		return nil, vaePrefix.Wrap(err)
	}
	if len(valid) > 0 {
		task.Measure = func(ctx context.Context) (map[string]float64, error) {
			b, err := m.bound(ctx, valid)
			if err != nil {
				return nil, err
			}
			return map[string]float64{"valid_loss": b.Total(),
				"valid_reconstruction": b.Reconstruction, "valid_kl": b.KL}, nil
		}
	}
	return task, nil
}
