package seq2seq

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"math"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// Pair is a source and its target, as ids of their vocabularies, without <bos> and <eos>. Of a
// model with Copy the words that the vocabulary of the targets lacks, but the source has, follow
// on behind it, numbered as they come first in the source; a source word that its own vocabulary
// lacks is the length of that vocabulary and the word's id in a target.
type Pair struct{ Source, Target []int }

// Pairs turns the tokens of sources and targets, line by line, into ids. Tokens that a vocabulary
// lacks become its <unk>, or are numbered to be copied, if the model has Copy or the vocabularies
// have text.Copies.
func (m *Model) Pairs(sources, targets [][]string) ([]Pair, error) {
	if len(sources) != len(targets) {
		return nil, prefix.Errorf("%d sources and %d targets: want as many",
			len(sources), len(targets))
	}
	if err := shared.Made(m.store); err != nil {
		return nil, prefix.Wrap(err)
	}
	pairs := make([]Pair, len(sources))
	for i := range pairs {
		if m.cfg.Copy {
			pairs[i] = m.copyPair(m.cfg.Text.Formed(sources[i]),
				m.cfg.Text.Formed(targets[i]))
			continue
		}
		var errs [2]error
		source, numbered := m.number(m.cfg.Text.Formed(sources[i]))
		pairs[i].Source, errs[0] = m.sources.Encode(source)
		pairs[i].Target, errs[1] = m.targets.Encode(
			m.copied(m.cfg.Text.Formed(targets[i]), numbered))
		if err := errors.Join(errs[:]...); err != nil {
			return nil, prefix.Wrap(check.Example("pair", i, "%w", err))
		}
	}
	if err := m.checkPairs(pairs); err != nil {
		return nil, prefix.Wrap(err)
	}
	return pairs, nil
}

func (m *Model) checkPairs(pairs []Pair) error {
	if err := shared.Made(m.store); err != nil {
		return err
	}
	for i, p := range pairs {
		places, err := m.places(p.Source)
		if err = errors.Join(err, m.checkSource(p.Source)); err == nil {
			err = shared.CheckIDs("target", p.Target, m.targets.Len()+places.more)
		}
		if err != nil {
			return check.Example("pair", i, "%w", err)
		}
	}
	return nil
}

func (m *Model) checkSource(ids []int) error {
	if len(ids) == 0 {
		return errors.New("the source is empty")
	}
	if m.cfg.Copy {
		return nil // places checks it
	}
	return shared.CheckIDs("source", ids, m.sources.Len())
}

// MaxTokens bounds a source and a target; a longer one is a slip, such as a file without line ends.
const MaxTokens = shared.MaxTokens

// Data says on what a Model is trained, and how it is read. The zero value of an optional field is
// its default.
type Data struct {
	Train  []Pair
	Valid  []Pair          // empty: nothing is validated
	Batch  int             // pairs side by side; default 32, with Tokens no limit
	Bucket int             // of train.BatchesConfig; default 50
	Tokens int             // of train.BatchesConfig: of the longer side, in place of Batch
	Seed   uint64          // of the order
	Unroll unroll.Strategy // default: Scan

	// Recompute saves memory with long sequences; see unroll.Options. 0: everything is kept
	Recompute int

	// Stream is read in place of Train: data that need not fit in memory. Each time that it is
	// ranged over, it gives the same pairs from the first on, which it does not change any more;
	// an error ends the training with the number of the pair. Buffer of them, by default 8,192,
	// are in memory at a time, and shuffled among each other
	Stream iter.Seq2[Pair, error]
	Buffer int

	// Smoothing is the label smoothing ε of the loss in training, in [0, 1) (Szegedy et al., 2016);
	// 0: none.
	Smoothing float64

	// Cut cuts the gradient of the decoder's state every Cut steps of the target; see
	// unroll.Options. 0: nowhere.
	Cut int

	// BLEU has validation translate the sources too, greedily, and measure valid_bleu.
	BLEU bool

	// Teacher is the probability with which the decoder reads the true token rather than its own,
	// in batch number n (scheduled sampling; Bengio et al., 2015); nil: always. See InverseSigmoid.
	Teacher func(n int) float64
}

// InverseSigmoid is the schedule k/(k + exp(n/k)) for Data.Teacher (Bengio et al., 2015): near 1 at
// first, ½ at n = k·ln k. K is at least 1.
func InverseSigmoid(k float64) func(n int) float64 {
	return func(n int) float64 { return k / (k + math.Exp(float64(n)/k)) }
}

// Task makes a task for train.Fit. Its loss is the cross-entropy in nats a token of the target,
// <eos> included, smoothed if asked for, and of the coverage loss what the configuration says. Its
// validation measures valid_loss, without those two, and valid_perplexity, with the true tokens
// read. It keeps the pairs, which must not change.
func (m *Model) Task(d Data) (train.Task, error) {
	if err := m.checkData(d); err != nil {
		return nil, err
	}
	batching := shared.Batching{Batch: d.Batch, Bucket: d.Bucket, Tokens: d.Tokens, Seed: d.Seed}
	runner := newPairRunner(m, d, batching.Rows(32), true)
	return shared.Learner[Pair]{
		Prefix: prefix, Params: m.store.Params(), Length: Pair.steps,
		Source: shared.Source[Pair]{
			Kind: "pair", Train: d.Train, Stream: d.Stream, Buffer: d.Buffer,
			Check: m.checkPairs, Size: Pair.tokens,
			Gather: batching.Config(32, 50), Batches: pairBatches,
		},
		Begin: func(feed *shared.Feed[Pair]) (shared.TaskData, error) {
			return m.taskData(d, feed, batching)
		},
		Compile: func(pairs []Pair, part shared.Rows) error {
			_, err := runner.graph(pairs, part)
			return err
		},
		Run:   runner.run,
		Valid: d.Valid, CheckValid: m.checkValid,
		Measure: func(ctx context.Context, valid []Pair) (map[string]float64, error) {
			return m.measure(ctx, valid, d.BLEU)
		},
	}.Task()
}

// taskData digests the pairs, and notes likely mistakes in them.
func (m *Model) taskData(d Data, feed *shared.Feed[Pair],
	batching shared.Batching) (data shared.TaskData, err error) {
	settings := []any{cmp.Or(d.Batch, 32), cmp.Or(d.Bucket, 50), d.Seed, d.Unroll, d.Smoothing,
		d.BLEU}
	if d.Cut > 0 { // else the digest is that of checkpoints from before there was a Cut
		settings = append(settings, d.Cut)
	}
	data, err = shared.NewTaskData(shared.TaskParts{
		Train: feed.Data(), Valid: d.Valid, Vocabulary: []any{m.sources, m.targets}, Model: m.cfg,
		Settings:  batching.More(settings, d.Recompute),
		Schedules: []func(int) float64{d.Teacher},
	})
	if err != nil {
		return data, err
	}
	data.Empty(d.Valid != nil, len(d.Valid))
	data.Doubts(m.cfg.Encoder.Idle()...)
	data.Score(m.cfg.attention())
	for _, part := range []struct {
		name  string
		pairs []Pair
	}{{"training", feed.At}, {"validation", d.Valid}} {
		data.Unknown(part.name+" sources", m.sources,
			shared.SequencesOf(part.pairs, func(p Pair) []int { return p.Source }))
		data.Unknown(part.name+" targets", m.targets,
			shared.SequencesOf(part.pairs, func(p Pair) []int { return p.Target }))
	}
	shared.Overlap(&data, feed.At, d.Valid,
		func(p Pair) shared.Fingerprint { return shared.NoPrint.Ids(p.Source).Ids(p.Target) })
	return data, nil
}

// measure returns the metrics of validation, with BLEU if asked for.
func (m *Model) measure(ctx context.Context, valid []Pair, bleu bool) (map[string]float64, error) {
	loss, err := m.Loss(ctx, valid)
	if err != nil {
		return nil, err
	}
	measured := map[string]float64{"valid_loss": loss, "valid_perplexity": math.Exp(loss)}
	if bleu {
		b, err := m.bleu(ctx, valid)
		if err != nil {
			return nil, err
		}
		measured["valid_bleu"] = b
	}
	return measured, nil
}

// checkData refuses what cannot be trained on.
func (m *Model) checkData(d Data) error {
	if err := shared.Learns(m.store, d.Recompute, d.Unroll); err != nil {
		return prefix.Wrap(err)
	}
	if !(d.Smoothing >= 0 && d.Smoothing < 1) {
		return prefix.Errorf("Smoothing is %g, want [0, 1)", d.Smoothing)
	}
	if d.BLEU && len(d.Valid) == 0 {
		return prefix.Errorf("BLEU is set, and Valid is empty: there is nothing to measure it on")
	}
	if d.Cut < 0 {
		return prefix.Errorf("Cut is %d, want a number of steps, or 0 for none", d.Cut)
	}
	if m.cfg.Copy && (d.Smoothing > 0 || d.Teacher != nil) {
		return prefix.Errorf("Smoothing and Teacher are of models that only write, and this " +
			"one has Copy")
	}
	return nil
}

// checkValid refuses what cannot be validated on, and tries the graph of the longest.
func (m *Model) checkValid(pairs []Pair) error {
	if err := m.checkPairs(pairs); err != nil {
		return err
	}
	return shared.ForeseeValid(pairs, Pair.tokens, func(longest []Pair, whole shared.Rows) error {
		r := newPairRunner(m, Data{}, 32, false)
		defer r.graphs.Close()
		_, err := r.graph(longest, whole)
		return err
	})
}

// pairRunner runs batches of pairs, with a compiled graph for each pair of lengths. Lengths are
// rounded up, those of targets and short ones less so, and batches filled up with pairs of length
// 0, so that few graphs serve all.
type pairRunner struct {
	m        *Model
	data     Data
	rows     int // to which batches are filled up; 0: to what each has, rounded up
	training bool
	graphs   *run.Cache[pairShape, *pairGraph]
}

// pairShape is the lengths of the sources and targets of B pairs.
type pairShape struct{ S, T, B int }

// pairGraph is the graph of batches of one shape, with what feeds it.
type pairGraph struct {
	*train.Step
	src     []int
	words   shared.Teaching
	lengths []int
	teacher run.Floats // empty without
	// of a model that copies: as which id each place of a source is copied [S, B], and what is to
	// be written [T, B], below 0 where there is none
	places, are run.Floats
	B           int
}

func newPairRunner(m *Model, d Data, rows int, training bool) *pairRunner {
	r := &pairRunner{m: m, data: d, rows: rows, training: training}
	r.graphs = run.NewCache(r.build)
	return r
}

func (r *pairRunner) run(pairs []Pair, part shared.Rows, seed uint64, counter int) (b train.Batch,
	err error) {
	g, err := r.graph(pairs, part)
	if err != nil {
		return b, prefix.Wrap(err)
	}
	g.words.Clear()
	clear(g.src)
	clear(g.lengths)
	if r.m.cfg.Copy {
		g.places.Fill(-1)
		g.are.Fill(-2) // unlike any place
	}
	for k, e := range part.Examples() {
		p := pairs[e]
		g.lengths[k] = len(p.Source)
		for s, id := range p.Source {
			g.src[s*g.B+k] = r.m.readAs(id)
		}
		g.words.Put(k, p.Target, r.m.bos, r.m.eos)
		if r.m.cfg.Copy {
			if err := r.m.fillCopy(g, k, p); err != nil {
				return b, prefix.Wrap(err)
			}
		}
		b.Count += len(p.Target) + 1
	}
	if g.teacher.Len() > 0 {
		rate := r.data.Teacher(counter)
		if !(rate >= 0 && rate <= 1) {
			return b, prefix.Errorf("Teacher(%d) is %g, want [0, 1]", counter, rate)
		}
		g.teacher.Fill(rate)
	}
	if b.Loss, err = g.RunRows(seed, counter, part.From, part.Width(r.rows)); err != nil {
		return b, prefix.Wrap(err)
	}
	b.Grads = g.Grads()
	return b, nil
}

// graph returns the graph of a part of a batch.
func (r *pairRunner) graph(pairs []Pair, part shared.Rows) (*pairGraph, error) {
	S, T := 1, 1
	for _, e := range part.Examples() {
		S, T = max(S, len(pairs[e].Source)), max(T, len(pairs[e].Target)+1)
	}
	return r.graphs.Get(pairShape{shared.Sources.Up(S), shared.Targets.Up(T),
		part.Room(r.rows)})
}

func (r *pairRunner) build(shape pairShape, o graph.Option) (p *pairGraph, err error) {
	S, T, B := shape.S, shape.T, shape.B
	p = &pairGraph{B: B}
	var src, lengths, in, out, teacher, places, are, loss *nodes.Node
	err = nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{Dtype: r.m.store.Dtype(), Training: r.training, Rows: B})
		src, lengths = g.IntInput("source", S, B), g.IntInput("source lengths", B)
		in, out = g.IntInput("target in", T, B), g.IntInput("target out", T, B)
		if r.training && r.data.Teacher != nil {
			teacher = g.Input("teacher", 1)
		}
		y := r.m.ForwardOver(src, lengths, in, teacher,
			unroll.Options{Strategy: r.data.Unroll, Cut: r.data.Cut, Recompute: r.data.Recompute})
		if r.m.cfg.Copy {
			places, are = g.Input("places", S, B), g.Input("target", T, B)
			loss = y.copyLoss(places, are, out)
		} else {
			loss = nodes.CrossEntropy(y.Logits, out, r.loss())
		}
		if r.training && y.Coverage != nil {
			counts := nodes.NotIn(out, shared.Ignored)
			if are != nil {
				counts = nodes.GreaterEqual(are, nodes.Scalar(0))
			}
			loss = nodes.Add(loss, nodes.Scale(y.coverageLoss(counts), r.m.cfg.Coverage))
		}
	})
	if err != nil {
		return nil, err
	}
	if p.Step, err = train.NewStepWith(train.StepConfig{Options: []graph.Option{o}},
		loss); err != nil {
		return nil, err
	}
	var inputs run.Inputs
	p.src, p.lengths = inputs.Ints(src), inputs.Ints(lengths)
	p.words = shared.Teaching{In: inputs.Ints(in), Out: inputs.Ints(out), B: B}
	if teacher != nil {
		p.teacher = inputs.Floats(teacher)
	}
	if places != nil {
		p.places, p.are = inputs.Floats(places), inputs.Floats(are)
	}
	return p, inputs.Err()
}

func (r *pairRunner) loss() nodes.CrossEntropyOptions {
	o := nodes.CrossEntropyOptions{Ignore: []int{shared.Ignored}}
	if r.training {
		o.Smoothing = r.data.Smoothing
	}
	return o
}

// coverageLoss is the mean over the tokens of targets, where counts [T, B] are 1.
func (y Graph) coverageLoss(counts *nodes.Node) *nodes.Node {
	again := nodes.Mul(cells.CoverageLoss(y.Weights, y.Coverage), counts)
	return nodes.Div(nodes.Sum(again), nodes.Maximum(nodes.Sum(counts), nodes.Scalar(1)))
}
