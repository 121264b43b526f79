package emoji

import (
	"cmp"
	"context"
	"math"

	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
	"github.com/seqzoo/seqzoo/zoo/metrics"
)

// Data says on what a Model is trained. The zero value of an optional field is its default.
type Data struct {
	Train []Pair // true pairs get negatives besides; false ones are learned as they are
	Valid []Pair // empty: nothing is validated
	Batch int    // pairs of Train at a time; default 16
	Seed  uint64 // of the order
}

// emojiExample is a pair as numbers.
type emojiExample struct {
	described
	v     []float32 // of the description
	match bool
}

// examples are the pairs whose emoji and some of whose words are known, and how many are not.
func (m *Model) examples(pairs []Pair) (examples []emojiExample, unknownWords, unknownEmoji int) {
	for _, p := range pairs {
		id, ok := m.ids[bare(p.Emoji)]
		v, known, _ := m.describe(p.Phrase)
		switch {
		case !known:
			unknownWords++
		case !ok:
			unknownEmoji++
		default:
			examples = append(examples, emojiExample{described{p.Phrase, id}, v, p.Match})
		}
	}
	return examples, unknownWords, unknownEmoji
}

// Forward builds the logits x·v of emoji [B] and descriptions [B, D] into the graph of its
// operands.
func (m *Model) Forward(emoji, descriptions *nodes.Node) *nodes.Node {
	shared.NeedMade("Emoji2Vec", m.store)
	return nodes.Sum(nodes.Mul(nodes.Embedding(m.table, emoji, -1), descriptions), -1)
}

// Task makes a task for train.Fit. Its loss is the cross-entropy in nats of a decision, negatives
// counted as the pairs are; its validation measures the same without drawing any, valid_loss, and
// valid_auc. Pairs without a known word, or whose emoji is not known, are left out.
func (m *Model) Task(d Data) (train.Task, error) {
	examples, unknownWords, unknownEmoji := m.examples(d.Train)
	watched, _, _ := m.examples(d.Valid)
	batches, err := train.NewBatches(len(examples), nil,
		train.BatchesConfig{Batch: cmp.Or(d.Batch, 16), Seed: d.Seed})
	if err != nil {
		return nil, prefix.Errorf("training: %w", err)
	}
	r, err := newEmojiRunner(m, examples, d)
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	data, err := shared.NewTaskData(shared.TaskParts{
		Train: examples, Valid: watched, Vocabulary: []any{m.emoji}, Model: m.cfg,
		Settings: []any{cmp.Or(d.Batch, 16), d.Seed},
	})
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	if left := unknownWords + unknownEmoji; float64(left) > shared.ManyUnknown*float64(len(d.Train)) {
		data.Doubt("%d of the %d training pairs (%.0f %%) are left out: %d have no word with a vector, "+
			"%d no emoji of the model", left, len(d.Train), 100*float64(left)/float64(len(d.Train)),
			unknownWords, unknownEmoji)
	}
	data.Empty(d.Valid != nil, len(d.Valid))
	shared.Overlap(&data, examples, watched, func(e emojiExample) shared.Fingerprint {
		return shared.NoPrint.Floats(e.v).Ids([]int{e.id, map[bool]int{true: 1}[e.match]})
	})
	task := &shared.ExampleTask{TaskData: data, Weights: m.store.Params(),
		Order: shared.Listed(batches), RunBatch: r.run}
	if len(d.Valid) > 0 {
		task.Measure = func(context.Context) (map[string]float64, error) {
			s, err := m.Evaluate(d.Valid)
			return map[string]float64{"valid_loss": s.Loss, "valid_auc": s.AUC}, err
		}
	}
	return task, nil
}

// emojiRunner runs batches.
type emojiRunner struct {
	*train.Step
	m        *Model
	examples []emojiExample
	has      map[described]bool // which descriptions an emoji has
	slots    int                // decisions in a batch
	ids      []int
	v        run.Floats // [slots, D]
	target   run.Floats
	weight   run.Floats
}

// described is a description of an emoji.
type described struct {
	phrase string
	id     int
}

func newEmojiRunner(m *Model, examples []emojiExample, d Data) (r *emojiRunner, err error) {
	r = &emojiRunner{m: m, examples: examples, has: map[described]bool{},
		slots: cmp.Or(d.Batch, 16) * (1 + m.cfg.Negatives)}
	for _, e := range examples {
		if e.match {
			r.has[e.described] = true
		}
	}
	var ids, v, target, weight, loss *nodes.Node
	err = nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{Dtype: m.store.Dtype(), Training: true})
		ids, v = g.IntInput("emoji", r.slots), g.Input("descriptions", r.slots, m.words.Dim())
		target, weight = g.Input("match", r.slots), g.Input("weight", r.slots)
		logits := m.Forward(ids, nodes.Dropout(v, m.cfg.Dropout))
		loss = nodes.Sum(nodes.Mul(nodes.BCEWithLogits(logits, target, nodes.ReduceNone), weight))
	})
	if err != nil {
		return nil, err
	}
	if r.Step, err = train.NewStep(loss); err != nil {
		return nil, err
	}
	var in run.Inputs
	r.ids, r.v = in.Ints(ids), in.Floats(v)
	r.target, r.weight = in.Floats(target), in.Floats(weight)
	return r, in.Err()
}

// run runs a part of a batch. All that stand before it draw their numbers too, so that a pair meets
// the same others in whichever part it is.
func (r *emojiRunner) run(part shared.Rows, seed uint64, counter int) (b train.Batch, err error) {
	random := rng.Stream{Key: rng.New(seed).Named("emoji2vec").Numbered(uint64(counter))}
	r.weight.Fill(0) // of what a short batch leaves over
	D := r.m.words.Dim()
	decide := func(e *emojiExample, id int, match float64) {
		r.ids[b.Count] = id
		r.target.Set(b.Count, match)
		r.v.Put32(b.Count*D, e.v)
		b.Count++
	}
	for i, k := range part.Batch[:part.To] {
		e, ours := &r.examples[k], i >= part.From
		if ours {
			decide(e, e.id, map[bool]float64{true: 1}[e.match])
		}
		if !e.match {
			continue
		}
		for range r.m.cfg.Negatives {
			if other := random.Intn(r.m.emoji.Len()); ours && !r.has[described{e.phrase, other}] {
				decide(e, other, 0)
			}
		}
	}
	for i := range b.Count {
		r.weight.Set(i, 1/float64(b.Count))
	}
	if b.Loss, err = r.RunRows(seed, counter, part.From, len(part.Batch)); err != nil {
		return b, prefix.Wrap(err)
	}
	b.Grads = r.Grads()
	return b, nil
}

// Score is how well pairs are told apart.
type Score struct {
	AUC          float64 // area under the ROC curve; 0.5 is chance
	Loss         float64 // mean cross-entropy, in nats
	Accuracy, F1 float64 // of calling a pair true whose probability is above ½
	Pairs        int     // that were decided
	// pairs left out: none of the words has a vector; else the emoji has none
	UnknownWords, Unknown int
}

// Evaluate decides pairs. Those of unknown words and those of unknown emoji are left out and
// counted apart. There must be both true and false ones among the others.
func (m *Model) Evaluate(pairs []Pair) (s Score, err error) {
	if err := shared.Made(m.store); err != nil {
		return s, prefix.Wrap(err)
	}
	var examples []emojiExample
	examples, s.UnknownWords, s.Unknown = m.examples(pairs)
	s.Pairs = len(examples)
	scores, matches := make([]float64, s.Pairs), make([]bool, s.Pairs)
	for i, e := range examples {
		x := m.score(e.id, e.v)
		scores[i], matches[i] = x, e.match
		if e.match {
			x = -x
		}
		s.Loss += (max(x, 0) + math.Log1p(math.Exp(-math.Abs(x)))) / float64(s.Pairs)
	}
	if s.AUC, err = metrics.ROCAUC(scores, matches); err != nil {
		return s, prefix.Errorf("of %d pairs %d have no known word and %d no known emoji: %w",
			len(pairs), s.UnknownWords, s.Unknown, err)
	}
	d, err := metrics.DetectAbove(0, scores, matches) // σ(0) = ½
	if err != nil {
		return s, prefix.Wrap(err)
	}
	if err := shared.CheckLoss(s.Loss); err != nil {
		return s, prefix.Wrap(err)
	}
	s.F1, s.Accuracy = d.F1(), float64(d.TruePositives+d.TrueNegatives)/float64(s.Pairs)
	return s, nil
}
