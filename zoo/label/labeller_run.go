package label

import (
	"cmp"
	"fmt"
	"iter"

	"github.com/seqzoo/seqzoo/graph"
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

	// of a classifier of several labels: what an example that has a label counts for it beside one
	// that has not, by the label's id; nil: 1 (see BalancedPositives). Validation knows none
	PositiveWeights []float64

	// label smoothing ε of the loss in training, in [0, 1) (Szegedy et al., 2016): of k labels the
	// true one has the probability 1 − ε + ε/k, of several each that there is 1 − ε/2. Not with a
	// CRF
	Smoothing float64
}

// Task makes a task for train.Fit. Its loss is the mean cross-entropy in nats a label; that of a
// classifier of several labels the mean of their binary cross-entropies; that of a CRF −log p of
// all labels of a sequence, over their number. Its validation measures valid_loss, valid_accuracy
// (with several labels the share of sequences all of whose labels are right) and valid_f1, the mean
// of all labels' F1, and for a tagger whose tags name entities valid_entity_f1. It keeps the
// examples, which must not change.
func (m *labeller) Task(d Data) (train.Task, error) {
	if err := shared.Learns(m.store, d.Recompute, d.Unroll); err != nil {
		return nil, m.prefix.Wrap(err)
	}
	batching := shared.Batching{Batch: d.Batch, Bucket: d.Bucket, Tokens: d.Tokens, Seed: d.Seed}
	how := unroll.Options{Strategy: d.Unroll, Recompute: d.Recompute}
	var graphs *labelGraphs
	return shared.Learner[Labelled]{
		Prefix: m.prefix, Params: m.store.Params(), Length: m.length,
		Source: shared.Source[Labelled]{
			Kind: "example", Train: d.Train, Stream: d.Stream, Buffer: d.Buffer,
			Check: m.checkAll, Size: m.length, Gather: batching.Config(32, 20),
		},
		Begin: func(feed *shared.Feed[Labelled]) (data shared.TaskData, err error) {
			weights, err := m.weights(d)
			if err != nil {
				return data, fmt.Errorf("training: %w", err)
			}
			graphs = m.graphs(batching.Rows(32), how, labelsLearned, weights)
			settings := []any{cmp.Or(d.Batch, 32), cmp.Or(d.Bucket, 20), d.Seed, d.Unroll,
				d.ClassWeights, d.Weights}
			if d.PositiveWeights != nil || d.Smoothing > 0 {
				settings = append(settings, d.PositiveWeights, d.Smoothing)
			}
			data, err = shared.NewTaskData(shared.TaskParts{
				Train: feed.Data(), Valid: d.Valid, Vocabulary: m.vocabularies(),
				Model: []any{m.cfg, m.output}, Settings: batching.More(settings, d.Recompute),
			})
			if err == nil {
				m.doubts(&data, feed.At, d)
			}
			return data, err
		},
		Compile: func(examples []Labelled, part shared.Rows) error {
			_, err := m.load(graphs, examples, part)
			return err
		},
		Run: func(examples []Labelled, p shared.Rows, seed uint64,
			counter int) (b train.Batch, err error) {
			g, err := m.load(graphs, examples, p)
			if err != nil {
				return b, err
			}
			b.Loss, err = g.Measured.RunRows(seed, counter, p.From, p.Width(graphs.batch))
			if err != nil {
				return b, m.prefix.Wrap(err)
			}
			b.Count, b.Grads = g.counted, g.Measured.Grads()
			return b, nil
		},
		Valid: d.Valid, CheckValid: m.checkValid,
		Measure: measure(m.Evaluate),
	}.Task()
}

// vocabularies are those of the labels and, of a model of words, of the tokens.
func (m *labeller) vocabularies() []any {
	if m.tokens == nil {
		return []any{m.labels}
	}
	return []any{m.labels, m.tokens}
}

// checkValid refuses what cannot be validated on, and tries the graph of the longest.
func (m *labeller) checkValid(examples []Labelled) error {
	if err := m.checkAll(examples); err != nil {
		return err
	}
	return shared.ForeseeValid(examples, func(e Labelled) int { return m.steps(e.Sequence) },
		func(longest []Labelled, whole shared.Rows) error {
			graphs := m.graphs(min(evaluationBatch, len(examples)), unroll.Options{},
				labelsKnown, nil)
			defer graphs.Close()
			_, err := m.load(graphs, longest, whole)
			return err
		})
}

// doubts notes likely mistakes in the data.
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
