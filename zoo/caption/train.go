package caption

import (
	"cmp"
	"context"
	"errors"
	"image"
	"iter"

	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// Captioned is a picture and what it shows, as ids of the vocabulary, without <bos> and <eos>.
type Captioned struct {
	Picture image.Image
	Caption []int
}

// Data says on what a Model is trained, and how it is read. The zero value of an optional field is
// its default.
type Data struct {
	Train  []Captioned
	Valid  []Captioned     // empty: nothing is validated
	Batch  int             // pictures side by side; default 32, with Tokens no limit
	Tokens int             // of train.BatchesConfig: words of a batch, in place of Batch
	Seed   uint64          // of the order
	Unroll unroll.Strategy // default: Scan

	// Recompute saves memory with long captions; see unroll.Options. 0: everything is kept
	Recompute int

	// Stream is read in place of Train: data that need not fit in memory. Each time that it is
	// ranged over, it gives the same pictures from the first on, which it does not change any more;
	// an error ends the training with the number of the picture. Buffer of them, by default 8,192,
	// are in memory at a time, and shuffled among each other
	Stream iter.Seq2[Captioned, error]
	Buffer int
}

func (m *Model) checkCaptioned(examples []Captioned) error {
	if err := shared.Made(m.store); err != nil {
		return err
	}
	for i, e := range examples {
		if err := errors.Join(m.checkPicture(e.Picture),
			shared.CheckIDs("caption", e.Caption, m.words.Len())); err != nil {
			return check.Example("picture", i, "%w", err)
		}
	}
	return nil
}

// Task makes a task for train.Fit. Its loss is the cross-entropy in nats a word, <eos> included;
// its validation measures the same as valid_loss. It keeps the examples, which must not change.
func (m *Model) Task(d Data) (train.Task, error) {
	if err := shared.Learns(m.store, d.Recompute, d.Unroll); err != nil {
		return nil, prefix.Wrap(err)
	}
	batching := shared.Batching{Batch: d.Batch, Tokens: d.Tokens, Seed: d.Seed}
	r := newCaptionRunner(m, d, batching.Rows(32), true)
	return shared.Learner[Captioned]{
		Prefix: prefix, Params: m.store.Params(), Length: Captioned.words,
		Source: shared.Source[Captioned]{
			Kind: "picture", Train: d.Train, Stream: d.Stream, Buffer: d.Buffer,
			Check: m.checkCaptioned, Size: Captioned.words, Digest: m.digest,
			Gather: batching.Config(32, 0),
		},
		Begin: func(feed *shared.Feed[Captioned]) (shared.TaskData, error) {
			return m.taskData(d, feed, batching)
		},
		Compile: func(examples []Captioned, part shared.Rows) error {
			_, err := r.graph(examples, part)
			return err
		},
		Run:   r.run,
		Valid: d.Valid, CheckValid: m.checkCaptioned,
		Measure: func(ctx context.Context, valid []Captioned) (map[string]float64, error) {
			loss, err := m.Loss(ctx, valid)
			return map[string]float64{"valid_loss": loss}, err
		},
	}.Task()
}

// words is how many are written, <eos> included.
func (c Captioned) words() int { return len(c.Caption) + 1 }

// digests are the digests of pictures, by their pixels as the model sees them, with their captions.
func (m *Model) digests(examples []Captioned) (all []string, err error) {
	all = make([]string, len(examples))
	for i, e := range examples {
		pixels, e1 := m.pixels(e.Picture)
		digest, e2 := train.DigestOf(pixels, e.Caption)
		all[i], err = digest, errors.Join(err, e1, e2)
	}
	return all, err
}

// digest is one of all.
func (m *Model) digest(examples []Captioned) (string, error) {
	all, err := m.digests(examples)
	if err != nil {
		return "", err
	}
	return train.DigestOf(all)
}

// taskData digests the pictures.
func (m *Model) taskData(d Data, feed *shared.Feed[Captioned],
	batching shared.Batching) (data shared.TaskData, err error) {
	learn, err := m.digests(feed.At)
	if err != nil {
		return data, err
	}
	valid, err := m.digests(d.Valid)
	if err != nil {
		return data, err
	}
	parts := shared.TaskParts{
		Train: learn, Valid: valid, Vocabulary: []any{m.words}, Model: m.cfg,
		Settings: batching.More([]any{cmp.Or(d.Batch, 32), d.Seed, d.Unroll}, d.Recompute),
	}
	if feed.Streamed() {
		parts.Train = feed.Data()
	}
	if data, err = shared.NewTaskData(parts); err != nil {
		return data, err
	}
	data.Empty(d.Valid != nil, len(d.Valid))
	data.Doubts(m.cfg.Decoder.Idle()...)
	data.Score(m.cfg.attention())
	data.Unknown("training captions", m.words, shared.SequencesOf(feed.At,
		func(e Captioned) []int { return e.Caption }))
	data.Unknown("validation captions", m.words, shared.SequencesOf(d.Valid,
		func(e Captioned) []int { return e.Caption }))
	shared.Overlap(&data, learn, valid, shared.NoPrint.Text)
	return data, nil
}

// Loss is the mean cross-entropy of captions in nats a word, <eos> included, each word predicted
// from the true ones before it.
func (m *Model) Loss(ctx context.Context, examples []Captioned) (float64, error) {
	if err := m.checkCaptioned(examples); err != nil {
		return 0, prefix.Wrap(err)
	}
	batches, err := train.NewBatches(len(examples), nil,
		train.BatchesConfig{Batch: 32, InOrder: true})
	if err != nil {
		return 0, prefix.Wrap(err)
	}
	r := newCaptionRunner(m, Data{}, 32, false)
	defer r.graphs.Close()
	return shared.MeanLoss(ctx, batches, func(batch []int) (train.Batch, error) {
		return r.run(examples, shared.Whole(batch), 0, 0)
	})
}

// captionRunner runs batches, with a compiled graph for each length of captions.
type captionRunner struct {
	m        *Model
	data     Data
	rows     int // to which batches are filled up; 0: to what each has, rounded up
	training bool
	graphs   *run.Cache[captionShape, *captionGraph]
}

// captionShape is the length of B captions.
type captionShape struct{ T, B int }

// captionGraph is the graph of batches of one shape.
type captionGraph struct {
	*train.Step
	patches run.Floats
	words   shared.Teaching
	B       int
}

func newCaptionRunner(m *Model, d Data, rows int, training bool) *captionRunner {
	r := &captionRunner{m: m, data: d, rows: rows, training: training}
	r.graphs = run.NewCache(r.build)
	return r
}

func (r *captionRunner) build(shape captionShape, o graph.Option) (p *captionGraph, err error) {
	T, B, m := shape.T, shape.B, r.m
	p = &captionGraph{B: B}
	var patches, in, out, loss *nodes.Node
	err = nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{Dtype: m.store.Dtype(), Training: r.training, Rows: B})
		patches, in, out = m.patches(g, B),
			g.IntInput("words in", T, B), g.IntInput("words out", T, B)
		how := unroll.Options{Strategy: r.data.Unroll, Recompute: r.data.Recompute}
		y := m.forward(patches, in, how)
		loss = nodes.CrossEntropy(y.Logits, out,
			nodes.CrossEntropyOptions{Ignore: []int{shared.Ignored}})
	})
	if err != nil {
		return nil, err
	}
	if p.Step, err = train.NewStepWith(train.StepConfig{Options: []graph.Option{o}},
		loss); err != nil {
		return nil, err
	}
	var inputs run.Inputs
	p.patches = inputs.Floats(patches)
	p.words = shared.Teaching{In: inputs.Ints(in), Out: inputs.Ints(out), B: B}
	return p, inputs.Err()
}

// graph is that for a part of a batch.
func (r *captionRunner) graph(all []Captioned, part shared.Rows) (*captionGraph, error) {
	T := 1
	for _, e := range part.Examples() {
		T = max(T, all[e].words())
	}
	return r.graphs.Get(captionShape{shared.Lengths.Up(T), part.Room(r.rows)})
}

func (r *captionRunner) run(all []Captioned, part shared.Rows, seed uint64,
	counter int) (b train.Batch, err error) {
	g, err := r.graph(all, part)
	if err != nil {
		return b, prefix.Wrap(err)
	}
	g.words.Clear()
	g.patches.Fill(0)
	for k, e := range part.Examples() {
		if err := r.m.feed(g.patches, k, g.B, all[e].Picture); err != nil {
			return b, prefix.Wrap(err)
		}
		g.words.Put(k, all[e].Caption, r.m.bos, r.m.eos)
		b.Count += all[e].words()
	}
	if b.Loss, err = g.RunRows(seed, counter, part.From, part.Width(r.rows)); err != nil {
		return b, prefix.Wrap(err)
	}
	b.Grads = g.Grads()
	return b, nil
}

// feed writes the patches of picture k of B to [S, B, Patch²].
func (m *Model) feed(patches run.Floats, k, B int, picture image.Image) error {
	pixels, err := m.pixels(picture)
	if err != nil {
		return err
	}
	n := m.cfg.Patch * m.cfg.Patch
	patch := make([]float64, n)
	for s := range m.Cells() {
		cutPatch(m, patch, pixels, s)
		patches.Put64((s*B+k)*n, patch)
	}
	return nil
}
