package label

import (
	"cmp"
	"iter"

	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// Data says on what a Classifier or a Tagger is trained, and how it is read. The zero value of an
// optional field is its default.
type Data struct {
	Train  []Labelled
	Valid  []Labelled      // empty: nothing is validated
	Batch  int             // sequences side by side; default 32, with Tokens no limit
	Bucket int             // of train.BatchesConfig; default 20
	Tokens int             // of train.BatchesConfig: steps of a batch, in place of Batch
	Seed   uint64          // of the order
	Unroll unroll.Strategy // default: Scan

	// Recompute saves memory with long sequences; see unroll.Options. 0: everything is kept
	Recompute int

	// Stream is read in place of Train: data that need not fit in memory. Each time that it is
	// ranged over, it gives the same examples from the first on, which it does not change any more;
	// an error ends the training with the number of the example. Buffer examples, by default 8,192,
	// are in memory at a time, and shuffled among each other
	Stream iter.Seq2[Labelled, error]
	Buffer int

	// what the loss of each label counts, by its id, and that of each example of Train; nil: 1. The
	// loss is the sum of weighted losses over the number of labels, as in Keras (see Balanced).
	// With a CRF only examples have weights. Validation knows none
	ClassWeights, Weights []float64
}

// Task makes a task for train.Fit. Its loss is the mean cross-entropy in nats a label; that of a
// classifier of several labels the mean of their binary cross-entropies; that of a CRF −log p of
// all labels of a sequence, over their number. Its validation measures valid_loss, valid_accuracy
// (with several labels the share of sequences all of whose labels are right) and valid_f1, the mean
// of all labels' F1, and for a tagger whose tags name entities valid_entity_f1. It keeps the
// examples, which must not change.
func (m *labeller) Task(d Data) (train.Task, error) {
	if err := shared.Made(m.store); err != nil {
		return nil, m.errorf("training: %w", err)
	}
	if err := shared.CheckRecompute(d.Recompute, d.Unroll); err != nil {
		return nil, m.errorf("%w", err)
	}
	batching := shared.Batching{Batch: d.Batch, Bucket: d.Bucket, Tokens: d.Tokens, Seed: d.Seed}
	feed, err := shared.NewFeed(shared.Source[Labelled]{
		Kind: "example", Train: d.Train, Stream: d.Stream, Buffer: d.Buffer,
		Check: m.checkAll, Size: m.length, Gather: batching.Config(32, 20),
	})
	if err != nil {
		return nil, m.errorf("training: %w", err)
	}
	if err := m.checkValid(d.Valid); err != nil {
		return nil, m.prefix.Wrap(check.Validation(err))
	}
	weights, err := m.weights(d)
	if err != nil {
		return nil, m.errorf("training: %w", err)
	}
	vocabulary := []any{m.labels}
	if m.tokens != nil {
		vocabulary = append(vocabulary, m.tokens)
	}
	data, err := shared.NewTaskData(shared.TaskParts{
		Train: feed.Data(), Valid: d.Valid, Vocabulary: vocabulary, Model: []any{m.cfg, m.output},
		Settings: batching.More([]any{cmp.Or(d.Batch, 32), cmp.Or(d.Bucket, 20), d.Seed, d.Unroll,
			d.ClassWeights, d.Weights}, d.Recompute),
	})
	if err != nil {
		return nil, m.errorf("%w", err)
	}
	m.doubts(&data, feed.At, d)
	how := unroll.Options{Strategy: d.Unroll, Recompute: d.Recompute}
	graphs := m.graphs(batching.Rows(32), how, labelsLearned, weights)
	err = feed.Foresee(func(largest []Labelled, whole shared.Rows) error {
		_, err := m.load(graphs, largest, whole)
		return err
	})
	if err != nil {
		return nil, m.errorf("training: %w", err)
	}
	task := shared.TaskOf(feed, data, m.store.Params(), m.length)
	task.RunBatch = func(p shared.Rows, seed uint64, counter int) (b train.Batch, err error) {
		g, err := m.load(graphs, feed.At, p)
		if err != nil {
			return b, err
		}
		b.Loss, err = g.Measured.RunRows(seed, counter, p.From, p.Width(graphs.batch))
		if err != nil {
			return b, m.errorf("%w", err)
		}
		b.Count, b.Grads = g.counted, g.Measured.Grads()
		return b, nil
	}
	if len(d.Valid) > 0 {
		task.Measure = measure(m.Evaluate, d.Valid)
	}
	return task, nil
}

// checkValid refuses what cannot be validated on, and tries the graph of the longest.
func (m *labeller) checkValid(examples []Labelled) error {
	if err := m.checkAll(examples); err != nil {
		return err
	}
	return shared.ForeseeValid(examples, func(e Labelled) int { return m.steps(e.Sequence) },
		func(longest []Labelled, whole shared.Rows) error {
			graphs := m.graphs(min(evaluationBatch, len(examples)), unroll.Options{}, labelsKnown, nil)
			defer graphs.Close()
			_, err := m.load(graphs, longest, whole)
			return err
		})
}

// doubts says what is likely a mistake in the data.
func (m *labeller) doubts(data *shared.TaskData, learn []Labelled, d Data) {
	things := "texts"
	switch {
	case m.pool == eachStep:
		things = "tokens"
	case m.tokens == nil:
		things = "sequences"
	}
	data.Empty(d.Valid != nil, len(d.Valid))
	data.Doubts(m.cfg.Recurrent.Idle()...)
	doubtLabels(data, m.labels, shared.SequencesOf(learn,
		func(e Labelled) []int { return e.Labels }), things)
	if m.tokens != nil {
		ids := func(e Labelled) []int { return e.IDs }
		data.Unknown("training data", m.tokens, shared.SequencesOf(learn, ids))
		data.Unknown("validation data", m.tokens, shared.SequencesOf(d.Valid, ids))
	}
	shared.Overlap(data, learn, d.Valid, func(e Labelled) shared.Fingerprint {
		return shared.NoPrint.Ids(e.IDs).Floats(e.Features).Ids(e.Labels)
	})
}

func (m *labeller) length(e Labelled) int { return m.steps(e.Sequence) }

// GradientFlow measures how the gradient travels through the layers for a batch of examples, as in
// training.
func (m *labeller) GradientFlow(examples []Labelled) (*graph.FlowReport, error) {
	if err := m.checkAll(examples); err != nil {
		return nil, m.errorf("%w", err)
	}
	if len(examples) == 0 {
		return nil, m.errorf("there are 0 examples")
	}
	order := make([]int, len(examples))
	for i := range order {
		order[i] = i
	}
	graphs := m.graphs(len(examples), unroll.Options{}, labelsLearned, nil)
	defer graphs.Close()
	g, err := m.load(graphs, examples, shared.Whole(order))
	if err != nil {
		return nil, err
	}
	if _, err := g.Measured.Run(0, 0); err != nil {
		return nil, m.errorf("%w", err)
	}
	return g.Measured.GradientFlow()
}
