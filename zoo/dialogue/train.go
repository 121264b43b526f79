package dialogue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/seqzoo/seqzoo/internal/interrupt"
	"github.com/seqzoo/seqzoo/internal/rng"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// Data says on what an Model is trained, and how. The zero value of an optional field is its
// default.
type Data struct {
	Train  []Dialogue
	Valid  []Dialogue      // empty: nothing is validated
	Batch  int             // dialogues side by side; default 8
	Bucket int             // of train.BatchesConfig; default 20
	Seed   uint64          // of the order
	Unroll unroll.Strategy // default: Scan

	// WordDropout is the probability with which the decoder reads <unk> in place of the token
	// before, so that it cannot do without the latent variable (Bowman et al., 2016).
	WordDropout float64

	// KLWeight is the weight of the divergence in batch number n (annealing; Bowman et al., 2016);
	// nil: 1. See RisingTo.
	KLWeight func(n int) float64

	// FreeBits is the divergence, in nats an utterance and unit of the latent variable, that costs
	// nothing: each unit counts with max(FreeBits, its mean over the batch) (Kingma et al., 2016).
	FreeBits float64
}

func (d *Data) check(m *Model) error {
	if err := shared.Made(m.store); err != nil {
		return err
	}
	var errs []error
	if !(d.WordDropout >= 0 && d.WordDropout < 1) {
		errs = append(errs, fmt.Errorf("WordDropout is %g, want [0, 1)", d.WordDropout))
	}
	if _, ok := m.vocabulary.ID(text.Unk); !ok && d.WordDropout > 0 {
		errs = append(errs, fmt.Errorf("WordDropout is %g, and the vocabulary has no %s to read instead", d.WordDropout, text.Unk))
	}
	if !(d.FreeBits >= 0) || math.IsInf(d.FreeBits, 1) {
		errs = append(errs, fmt.Errorf("FreeBits is %g, want 0 or more", d.FreeBits))
	}
	if m.cfg.Latent.Width == 0 && (d.FreeBits > 0 || d.KLWeight != nil) {
		errs = append(errs, errors.New("FreeBits and KLWeight are of a latent variable, and the model has none"))
	}
	if err := m.checkDialogues(d.Train); err != nil {
		errs = append(errs, fmt.Errorf("training: %w", err))
	}
	if err := m.checkDialogues(d.Valid); err != nil {
		errs = append(errs, fmt.Errorf("validation: %w", err))
	}
	return errors.Join(errs...)
}

// RisingTo is the schedule min(1, n/batches) for Data.KLWeight.
func RisingTo(batches int) func(n int) float64 {
	return func(n int) float64 { return min(1, float64(n)/float64(max(batches, 1))) }
}

// Task makes a task for train.Fit. Its loss is, in nats a predicted token, <eos> included, the
// cross-entropy, and with a latent variable the divergence as KLWeight and FreeBits have it. Its
// validation measures valid_loss, which is the bound, and valid_perplexity; with a latent variable
// also valid_reconstruction, a token, and valid_kl, an utterance. It keeps the dialogues, which
// must not change.
func (m *Model) Task(d Data) (train.Task, error) {
	d.Batch, d.Bucket = cmp.Or(d.Batch, 8), cmp.Or(d.Bucket, 20)
	if err := d.check(m); err != nil {
		return nil, prefix.Wrap(err)
	}
	batches, err := dialogueBatches(d.Train, train.BatchesConfig{Batch: d.Batch, Bucket: d.Bucket,
		Seed: d.Seed})
	if err != nil {
		return nil, prefix.Errorf("training: %w", err)
	}
	data, err := shared.NewTaskData(shared.TaskParts{
		Train: d.Train, Valid: d.Valid, Vocabulary: []any{m.vocabulary}, Model: m.cfg,
		Settings:  []any{d.Batch, d.Bucket, d.Seed, d.Unroll, d.WordDropout, d.FreeBits},
		Schedules: []func(int) float64{d.KLWeight},
	})
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	data.Empty(d.Valid != nil, len(d.Valid))
	data.Unknown("training dialogues", m.vocabulary, turnsOf(d.Train))
	data.Unknown("validation dialogues", m.vocabulary, turnsOf(d.Valid))
	shared.Overlap(&data, d.Train, d.Valid, func(turns Dialogue) shared.Fingerprint {
		p := shared.NoPrint
		for _, ids := range turns {
			p = p.Ids(ids)
		}
		return p
	})
	runner := newDialogueRunner(m, d, true)
	tokens := func(i int) (n int) {
		for _, turn := range d.Train[i] {
			n += len(turn)
		}
		return n
	}
	err = shared.Foresee(len(d.Train), tokens, func(i int) error {
		_, _, _, err := runner.graph(d.Train, shared.Whole([]int{i}))
		return err
	})
	if err != nil {
		return nil, prefix.Errorf("training: %w", err)
	}
	task := &shared.ExampleTask{TaskData: data, Weights: m.store.Params(), Order: batches}
	task.RunBatch = func(p shared.Rows, seed uint64, counter int) (b train.Batch, err error) {
		g, err := runner.run(d.Train, p, seed, counter)
		if err != nil {
			return b, err
		}
		return train.Batch{Loss: g.loss, Count: len(g.rowOf), Grads: g.Grads()}, nil
	}
	if len(d.Valid) > 0 {
		task.Measure = func(ctx context.Context) (map[string]float64, error) {
			s, err := m.Evaluate(ctx, d.Valid, EvaluateOptions{})
			if err != nil {
				return nil, err
			}
			measured := map[string]float64{"valid_loss": s.Bound,
				"valid_perplexity": s.Perplexity()}
			if m.cfg.Latent.Width > 0 {
				measured["valid_reconstruction"], measured["valid_kl"] = s.Reconstruction, s.KL
			}
			return measured, nil
		}
	}
	return task, nil
}

// turnsOf are all turns of dialogues.
func turnsOf(ds []Dialogue) iter.Seq[[]int] {
	return func(yield func([]int) bool) {
		for _, d := range ds {
			for _, ids := range d {
				if !yield(ids) {
					return
				}
			}
		}
	}
}

// dialogueBatches gathers dialogues of as many turns, and then of like length.
func dialogueBatches(ds []Dialogue, c train.BatchesConfig) (*train.Batches, error) {
	lengths := make([]int, len(ds))
	for i, d := range ds {
		tokens := 0
		for _, ids := range d {
			tokens += len(ids) + 1
		}
		lengths[i] = len(d)<<24 + min(tokens, 1<<24-1)
	}
	return train.NewBatches(len(ds), lengths, c)
}

// EvaluateOptions say how an Model is evaluated. The zero value of a field is its default.
type EvaluateOptions struct {
	Samples int    // draws of each latent variable; default 1
	Seed    uint64 // of the draws
}

// Score is how well a model predicts dialogues, all turns but the first of each.
type Score struct {
	Turns, Tokens int // that were predicted; tokens with the <eos> of each turn

	// mean of −log p(token | z), in nats a token; without a latent variable −log p(token)
	Reconstruction float64
	KL             float64 // mean of KL(q‖p), in nats an utterance
	// mean of −log p(token) or, with a latent variable, a bound of it: both the above, in nats a
	// token
	Bound float64

	// Weighted is the tighter bound −log mean of p(u|z)·p(z)/q(z) over the samples (Burda et al.,
	// 2016), in nats a token.
	Weighted float64

	// ActiveUnits are those units of the latent variable whose posterior mean has a variance above
	// 0.01 over all turns (Burda et al., 2016). Since the prior moves with the context too, that
	// alone does not show that a unit says something of its utterance: InformativeUnits are those
	// whose KL(q‖p) is above 0.01 nats on average.
	ActiveUnits, InformativeUnits int
}

// Perplexity is exp(reduce.Bound).
func (s Score) Perplexity() float64 { return math.Exp(s.Bound) }

// maxSamples is a number beyond all use.
const maxSamples = 1 << 16

// Evaluate measures how well the model predicts dialogues, each turn from the true ones before it,
// each token from the true ones before it.
func (m *Model) Evaluate(ctx context.Context, ds []Dialogue, o EvaluateOptions) (s Score,
	err error) {
	if o.Samples < 0 || o.Samples > maxSamples {
		return s, prefix.Errorf("the option Samples is %d, want 1 … %d, or 0 for 1",
			o.Samples, maxSamples)
	}
	if err := m.checkDialogues(ds); err != nil {
		return s, prefix.Wrap(err)
	}
	batches, err := dialogueBatches(ds, train.BatchesConfig{Batch: 8, Bucket: max(len(ds), 1),
		InOrder: true})
	if err != nil {
		return s, prefix.Wrap(err)
	}
	samples := 1
	if m.cfg.Latent.Width > 0 {
		samples = max(o.Samples, 1)
	}
	r := newDialogueRunner(m, Data{Train: ds, Batch: 8}, false)
	defer r.graphs.Close()
	var t totals
	for counter := 0; ; counter += samples {
		examples, ok := batches.Next()
		if !ok {
			if s = t.score(samples); shared.CheckLoss(s.Bound) != nil ||
				shared.CheckLoss(s.Weighted) != nil {
				return s, prefix.Errorf("%w",
					errors.Join(shared.CheckLoss(s.Bound), shared.CheckLoss(s.Weighted)))
			}
			return s, nil
		}
		weights := make([][]float64, samples)
		for k := range weights {
			if err := interrupt.Err(ctx); err != nil {
				return s, err
			}
			g, err := r.run(ds, shared.Whole(examples), o.Seed, counter+k)
			if err != nil {
				return s, err
			}
			weights[k] = t.add(g, k == 0)
		}
		t.weigh(weights)
	}
}

// totals are sums over all that was evaluated.
type totals struct {
	turns, tokens     int
	nll, kl, weighted float64
	// of each unit of the latent variable: the posterior mean, its square, KL(q‖p)
	means, squares, kls []float64
}

// add counts a batch as it was run for one sample, and returns log p(u|z)·p(z)/q(z) of each turn
// that was predicted.
func (t *totals) add(g *dialogueGraph, first bool) []float64 {
	rows := make([]float64, len(g.live)) // log p(u|z)
	for i, x := range g.Output(keptNLL).Float64s()[:len(g.rowOf)] {
		t.nll += x
		rows[g.rowOf[i]] -= x
	}
	if first {
		t.turns += len(g.predicted)
		t.tokens += len(g.rowOf)
	}
	if g.latent {
		t.addLatent(g, rows, first)
	}
	weights := make([]float64, len(g.predicted))
	for i, row := range g.predicted {
		weights[i] = rows[row]
	}
	return weights
}

func (t *totals) addLatent(g *dialogueGraph, rows []float64, first bool) {
	ratio, kl := g.Output(keptLogRatio).Float64s(), g.Output(keptKL).Float64s()
	mu := g.Output(keptMu).Float64s()
	z := len(kl) / len(rows)
	if t.kls == nil {
		t.means, t.squares, t.kls = make([]float64, z), make([]float64, z), make([]float64, z)
	}
	for _, row := range g.predicted {
		rows[row] += ratio[row]
		for j := range z {
			if x, mean := kl[row*z+j], mu[row*z+j]; first {
				t.kl += x
				t.kls[j] += x
				t.means[j] += mean
				t.squares[j] += mean * mean
			}
		}
	}
}

// weigh adds the bound of many samples [samples][turns].
func (t *totals) weigh(weights [][]float64) {
	for i := range weights[0] {
		top, sum := math.Inf(-1), 0.0
		for _, w := range weights {
			top = max(top, w[i])
		}
		for _, w := range weights {
			sum += math.Exp(w[i] - top)
		}
		t.weighted -= top + math.Log(sum/float64(len(weights)))
	}
}

func (t *totals) score(samples int) (s Score) {
	s.Turns, s.Tokens = t.turns, t.tokens
	turns, tokens := float64(t.turns), float64(t.tokens)
	s.Reconstruction, s.KL = t.nll/float64(samples)/tokens, t.kl/turns
	s.Bound, s.Weighted = s.Reconstruction+t.kl/tokens, t.weighted/tokens
	for j := range t.kls {
		if mean := t.means[j] / turns; t.squares[j]/turns-mean*mean > 0.01 {
			s.ActiveUnits++
		}
		if t.kls[j]/turns > 0.01 {
			s.InformativeUnits++
		}
	}
	return s
}

// A batch of dialogues is a pool of turns: they are read, and predicted, in rows side by side,
// sorted by length and cut into a few groups, so that short turns are not padded to the length of
// the longest; and only true tokens are given to the output layer, which is most of the work. The
// turns meet again where the context is computed.

// turnGroups is how many groups the turns of a batch are cut into, and groupTwentieths how large
// each is.
const turnGroups = 4

var groupTwentieths = [turnGroups]int{10, 6, 3, 1}

// dialogueShape is what a graph is compiled for.
type dialogueShape struct {
	N, B   int             // turns, dialogues
	T      [turnGroups]int // tokens of a turn in each group
	Tokens int             // that are predicted
}

// dialogueRunner runs batches of dialogues, with a compiled graph for each shape.
type dialogueRunner struct {
	m        *Model
	data     Data
	profile  profile
	training bool
	unknown  int
	graphs   *run.Cache[dialogueShape, *dialogueGraph]
}

// newDialogueRunner makes one for the dialogues to train on.
func newDialogueRunner(m *Model, d Data, training bool) *dialogueRunner {
	r := &dialogueRunner{m: m, data: d, profile: profileOf(d.Train), training: training}
	r.unknown, _ = m.vocabulary.ID(text.Unk)
	r.graphs = run.NewCache(r.build)
	return r
}

// dialogueGraph is the graph of batches of one shape, with what feeds it and what was kept.
type dialogueGraph struct {
	*train.Step
	groups   [turnGroups]turnGroup
	place    []int // [N, B]: the row of each turn
	previous []int // [R]: the place of the turn before each
	live     []int // [R]: 1 for a turn that is predicted
	turns    []int // [B]
	// [P]: where each token is predicted in the rows of all groups, and what it is
	tokens, targets []int
	klWeight        run.Floats // empty without a latent variable

	latent bool // there is a latent variable, and what is kept of it

	loss      float64
	rowOf     []int // the row of each predicted token
	predicted []int // the rows of predicted turns
}

// What is kept for evaluation, and its shape.
const (
	keptNLL      = iota // [P]
	keptKL              // [R, Z]
	keptLogRatio        // [R]
	keptMu              // [R, Z], of the posterior
)

// turnGroup is the turns of like length: ids [T, R] and lengths [R].
type turnGroup struct {
	T, R                   int
	words, before, lengths []int
}

// turn is one of a batch.
type turn struct {
	n, b int
	ids  []int
	live bool // it is there
}

// graph is that of a part of a batch, with its turns in order.
func (r *dialogueRunner) graph(ds []Dialogue, part shared.Rows) (*dialogueGraph, []turn,
	dialogueShape, error) {
	examples := part.Examples()
	shape := dialogueShape{B: part.Room(r.data.Batch)}
	tokens := 0
	for _, e := range examples {
		shape.N = max(shape.N, shared.Turns.Up(len(ds[e])))
		for _, ids := range ds[e][1:] {
			tokens += len(ids) + 1
		}
	}
	turns := make([]turn, 0, shape.N*shape.B)
	for n := range shape.N {
		for b := range shape.B {
			t := turn{n: n, b: b}
			if b < len(examples) && n < len(ds[examples[b]]) {
				t.ids, t.live = ds[examples[b]][n], true
			}
			turns = append(turns, t)
		}
	}
	slices.SortStableFunc(turns, func(a, b turn) int { return cmp.Compare(a.tokens(), b.tokens()) })
	row := 0
	for k, n := range shape.rows() {
		if row += n; n > 0 {
			shape.T[k] = turns[row-1].tokens()
		}
	}
	shape.Tokens = tokens
	shape = r.profile.fit(shape)
	g, err := r.graphs.Get(shape)
	return g, turns, shape, err
}

// run runs a part of a batch. What it returns holds until the next call.
func (r *dialogueRunner) run(ds []Dialogue, part shared.Rows, seed uint64,
	counter int) (*dialogueGraph, error) {
	examples := part.Examples()
	g, turns, shape, err := r.graph(ds, part)
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	g.fill(turns, shape, r.m.bos, r.m.eos)
	for b := range g.turns {
		g.turns[b] = 0
		if b < len(examples) {
			g.turns[b] = len(ds[examples[b]])
		}
	}
	if r.training {
		if err := r.disturb(g, part.From, seed, counter); err != nil {
			return nil, prefix.Wrap(err)
		}
	}
	if g.loss, err = g.RunRows(seed, counter, part.From, len(part.Batch)); err != nil {
		return nil, prefix.Wrap(err)
	}
	return g, nil
}

// tokens is how many a turn has, <eos> included.
func (t turn) tokens() int {
	if !t.live {
		return 0
	}
	return len(t.ids) + 1
}

// fill writes the turns of a batch, sorted by length, to the inputs.
func (g *dialogueGraph) fill(turns []turn, shape dialogueShape, bos, eos int) {
	g.rowOf, g.predicted = g.rowOf[:0], g.predicted[:0]
	row, at := 0, 0 // at: where the outputs of a group begin among those of all
	for _, k := range g.groups {
		clear(k.words)
		clear(k.before)
		for r := range k.R {
			t := turns[row]
			k.lengths[r] = t.tokens()
			g.place[t.n*shape.B+t.b] = row
			g.previous[row] = max(t.n-1, 0)*shape.B + t.b
			g.live[row] = 0
			if t.live && t.n > 0 {
				g.live[row] = 1
				g.predicted = append(g.predicted, row)
			}
			last := bos
			for i := range t.tokens() {
				id := eos
				if i < len(t.ids) {
					id = t.ids[i]
				}
				k.words[i*k.R+r], k.before[i*k.R+r] = id, last
				last = id
				if g.live[row] == 1 {
					g.tokens[len(g.rowOf)], g.targets[len(g.rowOf)] = at+i*k.R+r, id
					g.rowOf = append(g.rowOf, row)
				}
			}
			row++
		}
		at += k.T * k.R
	}
	for i := len(g.rowOf); i < len(g.tokens); i++ {
		g.tokens[i], g.targets[i] = 0, shared.Ignored
	}
}

// disturb hides words from the decoder, and sets the weight of the divergence. First is the first
// dialogue of the part in its batch.
func (r *dialogueRunner) disturb(g *dialogueGraph, first int, seed uint64, counter int) error {
	if p := r.data.WordDropout; p > 0 {
		random := rng.Stream{Key: rng.New(seed).Named("word dropout").Numbered(uint64(counter))}
		if first > 0 {
			random.Key = random.Key.Numbered(uint64(first))
		}
		for _, k := range g.groups {
			for i := k.R; i < len(k.before); i++ { // behind <bos>
				if random.Float64() < p {
					k.before[i] = r.unknown
				}
			}
		}
	}
	if g.klWeight.Len() > 0 {
		w := 1.0
		if r.data.KLWeight != nil {
			w = r.data.KLWeight(counter)
		}
		if !(w >= 0) || math.IsInf(w, 1) {
			return fmt.Errorf("KLWeight(%d) is %g, want 0 or more", counter, w)
		}
		g.klWeight.Fill(w)
	}
	return nil
}

func (r *dialogueRunner) build(shape dialogueShape) (out *dialogueGraph, err error) {
	m, s := r.m, r.data.Unroll
	out = &dialogueGraph{}
	type inputs struct{ words, before, lengths *nodes.Node }
	var in [turnGroups]inputs
	var place, previous, live, turns, tokens, targets, klWeight, loss *nodes.Node
	var nll, kl, ratio, mu *nodes.Node // for evaluation
	err = nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{Dtype: m.store.Dtype(), Training: r.training})
		N, B, R := shape.N, shape.B, shape.N*shape.B
		var us []*nodes.Node
		for k, n := range shape.rows() {
			if n == 0 {
				continue
			}
			T, label := shape.T[k], fmt.Sprintf("group %d ", k)
			out.groups[k].T, out.groups[k].R = T, n
			in[k] = inputs{g.IntInput(label+"words", T, n), g.IntInput(label+"before", T, n),
				g.IntInput(label+"lengths", n)}
			us = append(us, m.utterances(in[k].words, in[k].lengths, s))
		}
		place, previous = g.IntInput("place", N, B), g.IntInput("previous", R)
		live, turns = g.IntInput("live", R), g.IntInput("turns", B)
		tokens, targets = g.IntInput("tokens", shape.Tokens), g.IntInput("targets", shape.Tokens)

		u := nodes.Concat(0, us...) // [R, U]
		context := m.context.Unroll(nodes.Embedding(u, place, -1), nil,
			unroll.Options{Strategy: s, Lengths: turns}).Y()
		d, l := m.condition(nodes.Embedding(nodes.Reshape(context, R, -1), previous, -1), u, nil)
		var ys []*nodes.Node
		row := 0
		for _, k := range in {
			if k.words == nil {
				continue
			}
			n := k.words.Dim(1)
			own := nodes.Slice(d, 0, row, row+n)
			ys = append(ys, nodes.Reshape(m.decode(m.start(own), k.before, own, s).Y(), -1,
				m.cfg.Decoder.Width()))
			row += n
		}
		logits := m.logits(nodes.Embedding(nodes.Concat(0, ys...), tokens, -1)) // [P, V]
		nll = nodes.CrossEntropy(logits, targets,
			nodes.CrossEntropyOptions{Ignore: []int{shared.Ignored}, Reduction: nodes.ReduceNone})
		count := nodes.Maximum(nodes.Sum(nodes.NotIn(targets, shared.Ignored)), nodes.Scalar(1))
		loss = nodes.Div(nodes.Sum(nll), count)
		if l == nil {
			return
		}
		alive := nodes.NotIn(live, 0)
		n := nodes.Maximum(nodes.Sum(alive), nodes.Scalar(1))
		kl, mu, ratio = l.kl(), l.muPosterior, l.logRatio()
		units := nodes.Div(nodes.Sum(nodes.Mul(kl, nodes.Reshape(alive, R, 1)), 0), n) // [Z]
		klWeight = g.Input("kl weight", 1)
		cost := nodes.Sum(nodes.Mul(nodes.Maximum(units, nodes.Scalar(r.data.FreeBits)), klWeight))
		loss = nodes.Add(loss, nodes.Div(nodes.Mul(cost, n), count))
	})
	if err != nil {
		return nil, err
	}
	var keep []*nodes.Node
	if !r.training {
		keep = append(keep, nll)
		if kl != nil {
			keep, out.latent = append(keep, kl, ratio, mu), true
		}
	}
	if out.Step, err = train.NewStep(loss, keep...); err != nil {
		return nil, err
	}
	var f run.Inputs
	for k, i := range in {
		if i.words != nil {
			out.groups[k].words, out.groups[k].before, out.groups[k].lengths = f.Ints(i.words),
				f.Ints(i.before), f.Ints(i.lengths)
		}
	}
	out.place, out.previous, out.turns = f.Ints(place), f.Ints(previous), f.Ints(turns)
	out.tokens, out.targets, out.live = f.Ints(tokens), f.Ints(targets),
		make([]int, shape.N*shape.B)
	if klWeight != nil {
		out.live, out.klWeight = f.Ints(live), f.Floats(klWeight)
		out.klWeight.Fill(1)
	}
	return out, f.Err()
}
