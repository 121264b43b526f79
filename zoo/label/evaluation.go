package label

import (
	"context"

	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
	"github.com/seqzoo/seqzoo/zoo/metrics"
)

// Evaluation scores a model on examples whose labels are known.
type Evaluation struct {
	Loss      float64               // as in training, unweighted
	Confusion *metrics.Confusion    // nil where a sequence has several labels
	Several   *metrics.LabelScores  // of a classifier of several labels
	Entities  *metrics.EntityScores // of a tagger whose labels are all tags of entities
}

// measure evaluates examples for a training.
func measure[L any, E interface {
	metrics() (map[string]float64, error)
}](evaluate func(context.Context, []L) (E, error),
) func(context.Context, []L) (map[string]float64, error) {
	return func(ctx context.Context, examples []L) (map[string]float64, error) {
		e, err := evaluate(ctx, examples)
		if err != nil {
			return nil, err
		}
		return e.metrics()
	}
}

// metrics are the values that a training watches.
func (e *Evaluation) metrics() (map[string]float64, error) {
	if e.Several != nil {
		return map[string]float64{"valid_loss": e.Loss, "valid_accuracy": e.Several.Exact(),
			"valid_f1": e.Several.Macro().F1}, nil
	}
	macro, err := e.Confusion.Macro()
	if err != nil {
		return nil, err
	}
	m := map[string]float64{"valid_loss": e.Loss, "valid_accuracy": e.Confusion.Accuracy(),
		"valid_f1": macro.F1}
	if e.Entities != nil {
		m["valid_entity_f1"] = e.Entities.Micro().F1
	}
	return m, nil
}

// evaluation has counted nothing yet.
func (m *labeller) evaluation() *Evaluation {
	if m.several {
		return &Evaluation{Several: &metrics.LabelScores{}}
	}
	e := &Evaluation{Confusion: metrics.NewConfusion(m.labels.Len())}
	if m.pool != eachStep {
		return e
	}
	for id := range m.labels.Len() {
		if tag, _ := m.labels.Token(id); !metrics.IsEntityTag(tag) {
			return e
		}
	}
	e.Entities = &metrics.EntityScores{}
	return e
}

// add counts the prediction for an example.
func (m *labeller) add(e *Evaluation, found []Prediction, truth []int) error {
	if e.Several != nil {
		return e.Several.Add(found[0].IDs, truth)
	}
	tags, right := make([]string, len(found)), make([]string, len(found))
	for t, p := range found {
		if err := e.Confusion.Add(p.ID, truth[t]); err != nil {
			return err
		}
		tags[t] = p.Label
		right[t], _ = m.labels.Token(truth[t])
	}
	if e.Entities != nil {
		return e.Entities.Add(tags, right)
	}
	return nil
}

// unpredicted is the error of an example that has no predictions, in a batch of a loss. One that
// is not finite is an error of its own, which names the example that is the cause.
func (m *labeller) unpredicted(example int, loss float64, err error) error {
	if shared.CheckLoss(loss) != nil {
		return nil
	}
	return m.prefix.Wrap(check.Example("example", example, "%w", err))
}

// evaluationBatch is how many sequences are read at a time where nothing is learned.
const evaluationBatch = 32

// Evaluate measures the model on examples.
func (m *labeller) Evaluate(ctx context.Context, examples []Labelled) (*Evaluation, error) {
	if err := m.checkAll(examples); err != nil {
		return nil, m.errorf("%w", err)
	}
	batch := min(evaluationBatch, max(len(examples), 1))
	batches, err := shared.BatchesBy(m.length, examples, train.BatchesConfig{Batch: batch,
		Bucket: len(examples), InOrder: true})
	if err != nil {
		return nil, m.errorf("%w", err)
	}
	graphs := m.graphs(batch, unroll.Options{}, labelsKnown, nil)
	defer graphs.Close()
	e := m.evaluation()
	e.Loss, err = shared.MeanLossAnd(ctx, batches, func(order []int) (b train.Batch,
		all [][]Prediction,
		err error) {
		g, err := m.load(graphs, examples, shared.Whole(order))
		if err != nil {
			return b, nil, err
		}
		if b.Loss, err = g.Measured.Run(0, 0); err != nil {
			return b, nil, m.errorf("%w", err)
		}
		b.Count = g.counted
		rows := g.rows()
		for k, i := range order {
			found, err := m.predictions(rows(k, m.steps(examples[i].Sequence)))
			if err != nil {
				return b, nil, m.unpredicted(i, b.Loss, err)
			}
			for t := range found {
				found[t].Probs = nil // which nobody counts, and which may travel
			}
			all = append(all, found)
		}
		return b, all, nil
	}, func(order []int, all [][]Prediction) error {
		for k, found := range all {
			if err := m.add(e, found, examples[order[k]].Labels); err != nil {
				return m.errorf("%w", err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return e, nil
}
