package label

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/interrupt"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
	"github.com/seqzoo/seqzoo/zoo/metrics"
)

// Data says on what a Classifier or a Tagger is trained, and how it is read. The zero value of an
// optional field is its default.
type Data struct {
	Train  []Labelled
	Valid  []Labelled      // empty: nothing is validated
	Batch  int             // sequences side by side; default 32
	Bucket int             // of train.BatchesConfig; default 20
	Seed   uint64          // of the order
	Unroll unroll.Strategy // default: Scan
}

// Task makes a task for train.Fit. Its loss is the mean cross-entropy in nats a label. Its
// validation measures valid_loss and valid_accuracy. It keeps the examples, which must not change.
func (m *labeller) Task(d Data) (train.Task, error) {
	if err := m.checkAll(d.Train); err != nil {
		return nil, m.errorf("training: %w", err)
	}
	if err := m.checkAll(d.Valid); err != nil {
		return nil, m.errorf("validation: %w", err)
	}
	batch := cmp.Or(d.Batch, 32)
	batches, err := m.batches(d.Train, train.BatchesConfig{Batch: batch,
		Bucket: cmp.Or(d.Bucket, 20), Seed: d.Seed})
	if err != nil {
		return nil, m.errorf("training: %w", err)
	}
	vocabulary := []any{m.labels}
	if m.tokens != nil {
		vocabulary = append(vocabulary, m.tokens)
	}
	data, err := shared.NewTaskData(shared.TaskParts{
		Train: d.Train, Valid: d.Valid, Vocabulary: vocabulary, Model: []any{m.cfg, m.pool},
		Settings: []any{batch, cmp.Or(d.Bucket, 20), d.Seed, d.Unroll},
	})
	if err != nil {
		return nil, m.errorf("%w", err)
	}
	m.doubts(&data, d)
	graphs := m.graphs(batch, d.Unroll, labelsLearned)
	err = shared.Foresee(len(d.Train), func(i int) int { return m.steps(d.Train[i].Sequence) },
		func(i int) error {
			_, err := m.load(graphs, d.Train, shared.Whole([]int{i}))
			return err
		})
	if err != nil {
		return nil, m.errorf("training: %w", err)
	}
	task := &shared.ExampleTask{TaskData: data, Weights: m.store.Params(), Order: batches}
	task.RunBatch = func(p shared.Rows, seed uint64, counter int) (b train.Batch, err error) {
		g, err := m.load(graphs, d.Train, p)
		if err != nil {
			return b, err
		}
		if b.Loss, err = g.measured.RunRows(seed, counter, p.From, graphs.batch); err != nil {
			return b, m.errorf("%w", err)
		}
		b.Count, b.Grads = g.counted, g.measured.Grads()
		return b, nil
	}
	if len(d.Valid) > 0 {
		task.Measure = func(ctx context.Context) (map[string]float64, error) {
			e, err := m.Evaluate(ctx, d.Valid)
			if err != nil {
				return nil, err
			}
			return map[string]float64{"valid_loss": e.Loss,
				"valid_accuracy": e.Confusion.Accuracy()}, nil
		}
	}
	return task, nil
}

// doubts says what is likely a mistake in the data.
func (m *labeller) doubts(data *shared.TaskData, d Data) {
	things := "texts"
	switch {
	case m.pool == eachStep:
		things = "tokens"
	case m.tokens == nil:
		things = "sequences"
	}
	data.Empty(d.Valid != nil, len(d.Valid))
	doubtLabels(data, m.labels, d.Train, things)
	if m.tokens != nil {
		data.Unknown("training data", m.tokens, shared.SequencesOf(d.Train,
			func(e Labelled) []int { return e.IDs }))
		data.Unknown("validation data", m.tokens, shared.SequencesOf(d.Valid,
			func(e Labelled) []int { return e.IDs }))
	}
	shared.Overlap(data, d.Train, d.Valid,
		func(e Labelled) shared.Fingerprint { return shared.NoPrint.Ids(e.IDs).Floats(e.Features).Ids(e.Labels) })
}

func (m *labeller) batches(examples []Labelled, c train.BatchesConfig) (*train.Batches, error) {
	lengths := make([]int, len(examples))
	for i, e := range examples {
		lengths[i] = m.steps(e.Sequence)
	}
	return train.NewBatches(len(examples), lengths, c)
}

// Evaluation is what a model makes of examples whose labels are known.
type Evaluation struct {
	Loss      float64 // mean cross-entropy in nats a label
	Confusion *metrics.Confusion
}

// evaluationBatch is how many sequences are read at a time where nothing is learned.
const evaluationBatch = 32

// Evaluate measures the model on examples.
func (m *labeller) Evaluate(ctx context.Context, examples []Labelled) (*Evaluation, error) {
	if err := m.checkAll(examples); err != nil {
		return nil, m.errorf("%w", err)
	}
	batch := min(evaluationBatch, max(len(examples), 1))
	batches, err := m.batches(examples, train.BatchesConfig{Batch: batch, Bucket: len(examples),
		InOrder: true})
	if err != nil {
		return nil, m.errorf("%w", err)
	}
	graphs := m.graphs(batch, unroll.Scan, labelsKnown)
	defer graphs.Close()
	e := &Evaluation{Confusion: metrics.NewConfusion(m.labels.Len())}
	e.Loss, err = shared.MeanLoss(ctx, batches, func(order []int) (b train.Batch, err error) {
		g, err := m.load(graphs, examples, shared.Whole(order))
		if err != nil {
			return b, err
		}
		if b.Loss, err = g.measured.Run(0, 0); err != nil {
			return b, m.errorf("%w", err)
		}
		b.Count = g.counted
		probabilities := g.probabilities()
		for k, i := range order {
			for t, probs := range probabilities(k, m.steps(examples[i].Sequence)) {
				if checkProbs(probs) != nil {
					return b, nil // the loss is not finite either, and is named
				}
				if err := e.Confusion.Add(m.prediction(probs).ID,
					examples[i].Labels[t]); err != nil {
					return b, m.errorf("%w", err)
				}
			}
		}
		return b, nil
	})
	if err != nil {
		return nil, err
	}
	return e, nil
}

// predict calls found with the probabilities [labels] of each sequence, once or for each step of
// it.
func (m *labeller) predict(ctx context.Context, sequences []Sequence,
	found func(example int, probs [][]float64)) error {
	order := make([]int, len(sequences))
	for i, s := range sequences {
		if err := m.check(s); err != nil {
			return m.errorf("sequence %d: %w", i, err)
		}
		order[i] = i
	}
	slices.SortStableFunc(order, func(i,
		j int) int {
		return cmp.Compare(m.steps(sequences[i]), m.steps(sequences[j]))
	})
	for batch := range slices.Chunk(order, evaluationBatch) {
		if err := interrupt.Err(ctx); err != nil {
			return err
		}
		B := evaluationBatch
		if len(batch) == 1 {
			B = 1
		}
		of := func(k int) Sequence { return sequences[batch[k]] }
		shape := m.shape(B, len(batch), of)
		g, err := m.idle.Take(shape, func(s labelShape) (*labelGraph,
			error) {
			return m.build(s, unroll.Scan, labelsUnknown)
		})
		if err != nil {
			return m.errorf("%w", err)
		}
		g.clear()
		for k := range batch {
			g.put(k, of(k))
		}
		if err := g.Run(0, 0); err != nil {
			return m.errorf("%w", err)
		}
		probabilities := g.probabilities()
		for k, i := range batch {
			probs := probabilities(k, m.steps(sequences[i]))
			for _, p := range probs {
				if err := checkProbs(p); err != nil {
					return m.errorf("sequence %d: %w", i, err)
				}
			}
			found(i, probs)
		}
		m.idle.Put(shape, g)
	}
	return nil
}

// checkProbs refuses probabilities that are none: of NaN the first label would be the likeliest.
func checkProbs(probs []float64) error {
	for id, p := range probs {
		if p-p != 0 {
			return fmt.Errorf("the probability of label %d is %g: weights or features are too large for the model's numbers", id, p)
		}
	}
	return nil
}

// labelShape tells the graphs of batches apart. Lengths are rounded up, and batches filled up with
// sequences of length 0, so that few graphs serve all.
type labelShape struct {
	T, B   int
	padded bool // some sequences are shorter than T
}

// shape is that of a batch of B sequences, of which there are n.
func (m *labeller) shape(B, n int, of func(k int) Sequence) labelShape {
	longest, shortest := 0, 0
	for k := range n {
		steps := m.steps(of(k))
		longest = max(longest, steps)
		if k == 0 {
			shortest = steps
		}
		shortest = min(shortest, steps)
	}
	T := shared.Lengths.Up(longest)
	return labelShape{T: T, B: B, padded: n < B || shortest < T}
}

// labelGraph is the graph of batches of one shape, with what feeds it.
type labelGraph struct {
	*run.Step // its output is the probabilities [targets, labels], but in training
	labelShape
	measured *train.Step // the same with the loss; nil if it predicts
	perStep  bool
	width    int        // features of a step
	classes  int        // labels
	ids      []int      // [T, B]; nil if it reads features
	features run.Floats // [T, B, width]; empty if it reads tokens
	lengths  []int      // [B]; nil if not padded
	targets  []int      // [B] or [T, B]; nil if unknown
	counted  int        // targets in the batch at hand
}

// labelUse is what a graph is for.
type labelUse int

const (
	labelsUnknown labelUse = iota // it predicts
	labelsKnown                   // it predicts, and measures the loss
	labelsLearned                 // it measures the loss, with gradients
)

// Close releases the memory of the compiled graph.
func (g *labelGraph) Close() error {
	if g.measured != nil {
		return g.measured.Close()
	}
	return g.Step.Close()
}

// labelGraphs are the graphs of batches of one size.
type labelGraphs struct {
	*run.Cache[labelShape, *labelGraph]
	batch int
}

func (m *labeller) graphs(batch int, s unroll.Strategy, use labelUse) *labelGraphs {
	build := func(shape labelShape) (*labelGraph, error) { return m.build(shape, s, use) }
	return &labelGraphs{run.NewCache(build), batch}
}

// build makes the graph of a shape.
func (m *labeller) build(shape labelShape, s unroll.Strategy, use labelUse) (*labelGraph, error) {
	lg := &labelGraph{
		labelShape: shape, perStep: m.pool == eachStep, width: m.cfg.Features,
		classes: m.labels.Len(),
	}
	var x, lengths, targets, loss *nodes.Node
	var outputs []*nodes.Node
	err := nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{Dtype: m.store.Dtype(), Training: use == labelsLearned,
			Rows: shape.B})
		if m.embed != nil {
			x = g.IntInput("ids", shape.T, shape.B)
		} else {
			x = g.Input("features", shape.T, shape.B, m.cfg.Features)
		}
		if shape.padded {
			lengths = g.IntInput("lengths", shape.B)
		}
		logits := m.Forward(x, lengths, s)
		if use != labelsUnknown {
			targets = g.IntInput("labels", logits.Shape()[:len(logits.Shape())-1]...)
			loss = nodes.CrossEntropy(logits, targets,
				nodes.CrossEntropyOptions{Ignore: []int{shared.Ignored}})
		}
		if use != labelsLearned {
			outputs = append(outputs, nodes.Softmax(nodes.Reshape(logits, -1, m.labels.Len())))
		}
	})
	if err != nil {
		return nil, err
	}
	if loss == nil {
		lg.Step, err = run.New(outputs)
	} else if lg.measured, err = train.NewStep(loss, outputs...); err == nil {
		lg.Step = lg.measured.Step
	}
	if err != nil {
		return nil, err
	}
	var f run.Inputs
	if m.embed != nil {
		lg.ids = f.Ints(x)
	} else {
		lg.features = f.Floats(x)
	}
	if lengths != nil {
		lg.lengths = f.Ints(lengths)
	}
	if targets != nil {
		lg.targets = f.Ints(targets)
	}
	return lg, f.Err()
}

// load is the graph for a part of a batch of examples, with the part in it.
func (m *labeller) load(graphs *labelGraphs, examples []Labelled, p shared.Rows) (*labelGraph,
	error) {
	order := p.Examples()
	shape := m.shape(p.Room(graphs.batch), len(order),
		func(k int) Sequence { return examples[order[k]].Sequence })
	g, err := graphs.Get(shape)
	if err != nil {
		return nil, m.errorf("%w", err)
	}
	g.clear()
	for k, i := range order {
		g.put(k, examples[i].Sequence)
		for t, id := range examples[i].Labels {
			g.targets[t*g.B+k] = id
		}
		g.counted += len(examples[i].Labels)
	}
	return g, nil
}

// clear empties the batch.
func (g *labelGraph) clear() {
	clear(g.ids)
	clear(g.lengths)
	g.features.Fill(0)
	for i := range g.targets {
		g.targets[i] = shared.Ignored
	}
	g.counted = 0
}

// put makes s sequence k of the batch.
func (g *labelGraph) put(k int, s Sequence) {
	steps := len(s.IDs)
	for t, id := range s.IDs {
		g.ids[t*g.B+k] = id
	}
	if g.ids == nil {
		steps = len(s.Features) / g.width
		for t := range steps {
			g.features.Put32((t*g.B+k)*g.width, s.Features[t*g.width:(t+1)*g.width])
		}
	}
	if g.lengths != nil {
		g.lengths[k] = steps
	}
}

// probabilities are those of the sequences of a batch, by their place in it.
func (g *labelGraph) probabilities() func(k, steps int) [][]float64 {
	all, classes := g.Output(0).Float64s(), g.classes
	return func(k, steps int) [][]float64 {
		if !g.perStep {
			steps = 1
		}
		probs := make([][]float64, steps)
		for t := range probs {
			at := (t*g.B + k) * classes
			probs[t] = slices.Clone(all[at : at+classes])
		}
		return probs
	}
}

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
	graphs := m.graphs(len(examples), unroll.Scan, labelsLearned)
	defer graphs.Close()
	g, err := m.load(graphs, examples, shared.Whole(order))
	if err != nil {
		return nil, err
	}
	if _, err := g.measured.Run(0, 0); err != nil {
		return nil, m.errorf("%w", err)
	}
	return g.measured.GradientFlow()
}
