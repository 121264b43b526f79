package label

import (
	"cmp"
	"context"
	"iter"
	"slices"

	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// jointGraph is the graph of batches of one shape. Label has what the layers read.
type jointGraph struct {
	shared.Compiled
	label, tags labelGraph
}

func (m *Joint) build(shape labelShape, how unroll.Options, use labelUse,
	o ...graph.Option) (*jointGraph, error) {
	j := &jointGraph{
		label: labelGraph{labelShape: shape, width: m.cfg.Features, classes: m.Labels().Len()},
		tags:  labelGraph{labelShape: shape, perStep: true, classes: m.Tags().Len(), output: 1},
	}
	var one, each labelNodes
	var loss *nodes.Node
	var outputs []*nodes.Node
	err := nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{Dtype: m.Params().Dtype(), Training: use == labelsLearned,
			Rows: shape.B})
		m.label.inputs(&one, g, shape)
		label, tags := m.forward(one.x, one.lengths, how)
		if use != labelsUnknown {
			m.label.measure(&one, label, how.Strategy, new(weights))
			m.tags.measure(&each, tags, how.Strategy, new(weights))
			loss = nodes.Add(one.loss, nodes.Scale(each.loss, m.cfg.TagWeight))
		}
		if use != labelsLearned {
			outputs = append(outputs, m.label.probabilities(label), m.tags.probabilities(tags))
		}
	})
	if err != nil {
		return nil, err
	}
	if j.Compiled, err = shared.Compile(outputs, loss, o...); err != nil {
		return nil, err
	}
	j.label.Compiled, j.tags.Compiled = j.Compiled, j.Compiled
	if err := j.label.feed(one); err != nil {
		return nil, err
	}
	return j, j.tags.feed(each)
}

func (j *jointGraph) clear() {
	j.label.clear()
	j.tags.clear()
}

// load is the graph for a part of a batch of examples, with the part in it. Each example counts
// alike, and its tags together as much as its label.
func (m *Joint) load(graphs *run.Cache[labelShape, *jointGraph], batch int,
	examples []JointLabelled, p shared.Rows) (*jointGraph, error) {
	order := p.Examples()
	shape := m.label.shape(p.Room(batch), len(order),
		func(k int) Sequence { return examples[order[k]].Sequence })
	j, err := graphs.Get(shape)
	if err != nil {
		return nil, jointPrefix.Wrap(err)
	}
	j.clear()
	j.label.counted, j.tags.counted = len(order), len(order)
	for k, i := range order {
		e := examples[i]
		j.label.put(k, e.Sequence)
		j.label.label(k, []int{e.Label}, 1, nil)
		j.tags.label(k, e.Tags, 1/float64(len(e.Tags)), nil)
	}
	return j, nil
}

func (m *Joint) graphs(how unroll.Options, use labelUse) *run.Cache[labelShape, *jointGraph] {
	return run.NewCache(func(shape labelShape, o graph.Option) (*jointGraph, error) {
		return m.build(shape, how, use, o)
	})
}

// JointData says on what a Joint is trained, and how it is read. The zero value of an optional
// field is its default.
type JointData struct {
	Train  []JointLabelled
	Valid  []JointLabelled // empty: nothing is validated
	Batch  int             // sequences side by side; default 32, with Tokens no limit
	Bucket int             // of train.BatchesConfig; default 20
	Tokens int             // of train.BatchesConfig: steps of a batch, in place of Batch
	Seed   uint64          // of the order
	Unroll unroll.Strategy // default: Scan

	Recompute int                             // of unroll.Options; 0: everything is kept
	Stream    iter.Seq2[JointLabelled, error] // as in Data, in place of Train
	Buffer    int                             // as in Data
}

func (m *Joint) length(e JointLabelled) int { return m.label.steps(e.Sequence) }

// Task makes a task for train.Fit. Its loss is that of the model, in nats a sequence. Its
// validation measures valid_loss, of the label valid_accuracy and valid_f1, of the tags
// valid_tag_accuracy, and if they name entities valid_entity_f1, and valid_exact, the share of
// sequences of which all is right. It keeps the examples, which must not change.
func (m *Joint) Task(d JointData) (train.Task, error) {
	if err := shared.Learns(m.label.store, d.Recompute, d.Unroll); err != nil {
		return nil, jointPrefix.Wrap(err)
	}
	batching := shared.Batching{Batch: d.Batch, Bucket: d.Bucket, Tokens: d.Tokens, Seed: d.Seed}
	graphs := m.graphs(unroll.Options{Strategy: d.Unroll, Recompute: d.Recompute}, labelsLearned)
	rows := batching.Rows(32)
	return shared.Learner[JointLabelled]{
		Prefix: jointPrefix, Params: m.Params().Params(), Length: m.length,
		Source: shared.Source[JointLabelled]{
			Kind: "example", Train: d.Train, Stream: d.Stream, Buffer: d.Buffer,
			Check: m.check, Size: m.length, Gather: batching.Config(32, 20),
		},
		Begin: func(feed *shared.Feed[JointLabelled]) (data shared.TaskData, err error) {
			vocabularies := m.label.vocabularies()
			data, err = shared.NewTaskData(shared.TaskParts{
				Train: feed.Data(), Valid: d.Valid, Model: m.cfg,
				Vocabulary: slices.Insert(vocabularies, 1, any(m.tags.labels)),
				Settings: batching.More([]any{cmp.Or(d.Batch, 32), cmp.Or(d.Bucket, 20), d.Seed,
					d.Unroll}, d.Recompute),
			})
			if err == nil {
				m.doubts(&data, feed.At, d)
			}
			return data, err
		},
		Compile: func(examples []JointLabelled, part shared.Rows) error {
			_, err := m.load(graphs, rows, examples, part)
			return err
		},
		Run: func(examples []JointLabelled, p shared.Rows, seed uint64,
			counter int) (b train.Batch, err error) {
			j, err := m.load(graphs, rows, examples, p)
			if err != nil {
				return b, err
			}
			if b.Loss, err = j.Measured.RunRows(seed, counter, p.From, p.Width(rows)); err != nil {
				return b, jointPrefix.Wrap(err)
			}
			b.Count, b.Grads = len(p.Examples()), j.Measured.Grads()
			return b, nil
		},
		Valid: d.Valid, CheckValid: m.checkValid,
		Measure: measure(m.Evaluate),
	}.Task()
}

// checkValid refuses what cannot be validated on, and tries the graph of the longest.
func (m *Joint) checkValid(examples []JointLabelled) error {
	if err := m.check(examples); err != nil {
		return err
	}
	return shared.ForeseeValid(examples,
		func(e JointLabelled) int { return m.label.steps(e.Sequence) },
		func(longest []JointLabelled, whole shared.Rows) error {
			graphs := m.graphs(unroll.Options{}, labelsKnown)
			defer graphs.Close()
			_, err := m.load(graphs, min(evaluationBatch, len(examples)), longest, whole)
			return err
		})
}

// doubts notes likely mistakes in the data.
func (m *Joint) doubts(data *shared.TaskData, learn []JointLabelled, d JointData) {
	data.Empty(d.Valid != nil, len(d.Valid))
	data.Doubts(m.cfg.Recurrent.Idle()...)
	doubtLabels(data, m.Labels(), shared.SequencesOf(learn,
		func(e JointLabelled) []int { return []int{e.Label} }), "sequences")
	doubtLabels(data, m.Tags(), shared.SequencesOf(learn,
		func(e JointLabelled) []int { return e.Tags }), "steps")
	if v := m.label.tokens; v != nil {
		ids := func(e JointLabelled) []int { return e.IDs }
		data.Unknown("training data", v, shared.SequencesOf(learn, ids))
		data.Unknown("validation data", v, shared.SequencesOf(d.Valid, ids))
	}
	shared.Overlap(data, learn, d.Valid, func(e JointLabelled) shared.Fingerprint {
		return shared.NoPrint.Ids(e.IDs).Floats(e.Features).Ids([]int{e.Label}).Ids(e.Tags)
	})
}

// JointEvaluation scores a Joint on examples whose labels and tags are known.
type JointEvaluation struct {
	Loss        float64
	Label, Tags *Evaluation // without their losses
	Exact       float64     // the share of sequences whose label and tags are all right
}

func (e *JointEvaluation) metrics() (map[string]float64, error) {
	all, err := e.Label.metrics()
	if err != nil {
		return nil, err
	}
	all["valid_loss"], all["valid_exact"] = e.Loss, e.Exact
	all["valid_tag_accuracy"] = e.Tags.Confusion.Accuracy()
	if e.Tags.Entities != nil {
		all["valid_entity_f1"] = e.Tags.Entities.Micro().F1
	}
	return all, nil
}

// Evaluate measures the model on examples.
func (m *Joint) Evaluate(ctx context.Context, examples []JointLabelled) (*JointEvaluation, error) {
	if err := shared.Made(m.label.store); err != nil {
		return nil, jointPrefix.Wrap(err)
	}
	if err := m.check(examples); err != nil {
		return nil, jointPrefix.Wrap(err)
	}
	batch := min(evaluationBatch, max(len(examples), 1))
	batches, err := shared.BatchesBy(m.length, examples, train.BatchesConfig{Batch: batch,
		Bucket: len(examples), InOrder: true})
	if err != nil {
		return nil, jointPrefix.Wrap(err)
	}
	graphs := m.graphs(unroll.Options{}, labelsKnown)
	defer graphs.Close()
	e := &JointEvaluation{Label: m.label.evaluation(), Tags: m.tags.evaluation()}
	right := 0
	e.Loss, err = shared.MeanLossAnd(ctx, batches, func(order []int) (b train.Batch,
		all []JointPrediction,
		err error) {
		j, err := m.load(graphs, batch, examples, shared.Whole(order))
		if err != nil {
			return b, nil, err
		}
		if b.Loss, err = j.Measured.Run(0, 0); err != nil {
			return b, nil, jointPrefix.Wrap(err)
		}
		b.Count = len(order)
		rows, tags := j.label.rows(), j.tags.rows()
		for k, i := range order {
			found, err := m.found(rows(k, 1), tags(k, m.label.steps(examples[i].Sequence)))
			if err != nil {
				return b, nil, m.label.unpredicted(i, b.Loss, err)
			}
			found.Label.Probs = nil // nobody counts them, and they may travel
			for t := range found.Tags {
				found.Tags[t].Probs = nil
			}
			all = append(all, found)
		}
		return b, all, nil
	}, func(order []int, all []JointPrediction) error {
		for k, found := range all {
			exact, err := m.add(e, found, examples[order[k]])
			if err != nil {
				return jointPrefix.Wrap(err)
			}
			if exact {
				right++
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	e.Exact = float64(right) / float64(len(examples))
	return e, nil
}

// add counts the prediction for an example, and reports whether all of it is right.
func (m *Joint) add(e *JointEvaluation, found JointPrediction, truth JointLabelled) (exact bool,
	err error) {
	exact = found.Label.ID == truth.Label
	for t, p := range found.Tags {
		exact = exact && p.ID == truth.Tags[t]
	}
	err = m.label.add(e.Label, []Prediction{found.Label}, []int{truth.Label})
	if err == nil {
		err = m.tags.add(e.Tags, found.Tags, truth.Tags)
	}
	return exact, err
}

// JointPrediction is the label of a sequence and the tags of its steps.
type JointPrediction struct {
	Label Prediction
	Tags  []Prediction
}

func (m *Joint) found(label, tags [][]float64) (p JointPrediction, err error) {
	one, err := m.label.predictions(label)
	if err != nil {
		return p, err
	}
	p.Label = one[0]
	p.Tags, err = m.tags.predictions(tags)
	return p, err
}

// Predict finds the label of a sequence and the tag of every step of it.
func (m *Joint) Predict(s Sequence) (JointPrediction, error) {
	all, err := m.PredictAll(context.Background(), []Sequence{s})
	if err != nil {
		return JointPrediction{}, err
	}
	return all[0], nil
}

// PredictAll finds the labels and tags of sequences, many at a time.
func (m *Joint) PredictAll(ctx context.Context, sequences []Sequence) ([]JointPrediction, error) {
	if err := shared.Made(m.label.store); err != nil {
		return nil, jointPrefix.Wrap(err)
	}
	out := make([]JointPrediction, len(sequences))
	build := func(s labelShape) (*jointGraph, error) {
		return m.build(s, unroll.Options{}, labelsUnknown)
	}
	err := m.label.inBatches(ctx, sequences, func(shape labelShape, batch []int) error {
		return m.idle.Do(shape, build, func(j *jointGraph) error {
			return m.predictBatch(j, sequences, batch, out)
		})
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// predictBatch writes to out what it finds of those of sequences that a graph takes at once.
func (m *Joint) predictBatch(j *jointGraph, sequences []Sequence, batch []int,
	out []JointPrediction) error {
	j.clear()
	for k, i := range batch {
		j.label.put(k, sequences[i])
	}
	if err := j.Run(0, 0); err != nil {
		return err
	}
	label, tags := j.label.rows(), j.tags.rows()
	for k, i := range batch {
		found, err := m.found(label(k, 1), tags(k, m.label.steps(sequences[i])))
		if err != nil {
			return check.Example("sequence", i, "%w", err)
		}
		out[i] = found
	}
	return nil
}
