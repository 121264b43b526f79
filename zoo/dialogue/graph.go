package dialogue

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
	"github.com/seqzoo/seqzoo/zoo/text"
)

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
	rows     int // to which batches are filled up; 0: to what each has, rounded up
	profile  profile
	training bool
	unknown  int
	graphs   *run.Cache[dialogueShape, *dialogueGraph]
}

// newDialogueRunner makes one for dialogues that are like some.
func newDialogueRunner(m *Model, d Data, like []Dialogue, rows int, training bool) *dialogueRunner {
	r := &dialogueRunner{m: m, data: d, rows: rows, profile: profileOf(like), training: training}
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
	shape := dialogueShape{B: part.Room(r.rows)}
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

func (r *dialogueRunner) build(shape dialogueShape, o graph.Option) (out *dialogueGraph,
	err error) {
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
	if out.Step, err = train.NewStepWith(train.StepConfig{Options: []graph.Option{o}}, loss, keep...); err != nil {
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
