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
	Places int             // of tokens that a turn may copy; 0: it copies none
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
	copies          copies

	latent bool // there is a latent variable, and what is kept of it

	loss      float64
	rowOf     []int // the row of each predicted token
	predicted []int // the rows of predicted turns
}

// What is kept for evaluation, and its shape.
const (
	keptNLL      = iota // [P]
	keptKL              // [R, Z]; with a latent variable, as those that follow
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
		shape.Places = max(shape.Places, r.m.mayCopy(ds[e]))
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
	g.fill(turns, shape, r.m)
	if shape.Places > 0 {
		g.fillCopies(turns, shape, r.m)
	}
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
	if shape.Places > 0 {
		g.readBefore()
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
func (g *dialogueGraph) fill(turns []turn, shape dialogueShape, m *Model) {
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
			last := m.bos
			for i := range t.tokens() {
				id := m.eos
				if i < len(t.ids) {
					id = t.ids[i]
				}
				k.words[i*k.R+r], k.before[i*k.R+r] = m.readAs(id), last
				last = m.readAs(id)
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

// dialogueNodes are the inputs and outputs of a graph.
type dialogueNodes struct {
	groups [turnGroups]struct{ words, before, lengths *nodes.Node }

	place, previous, live, turns, tokens, targets *nodes.Node
	klWeight                                      *nodes.Node // nil without a latent variable

	// of a model that copies: [S, R], [R], [P, S] and [P]; see copies
	places, counts, here, after *nodes.Node

	loss *nodes.Node
	kept []*nodes.Node // for evaluation, by their numbers
}

func (r *dialogueRunner) build(shape dialogueShape, o graph.Option) (out *dialogueGraph,
	err error) {
	var n dialogueNodes
	err = nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{Dtype: r.m.store.Dtype(), Training: r.training})
		how := unroll.Options{Strategy: r.data.Unroll, Recompute: r.data.Recompute}
		u, each := n.read(r.m, g, shape, how)
		y, l := n.predict(r.m, u, each, how)
		n.measure(y, l, r.data.FreeBits)
	})
	if err != nil {
		return nil, err
	}
	out = &dialogueGraph{latent: n.klWeight != nil && !r.training}
	if r.training {
		n.kept = nil
	}
	c := train.StepConfig{Options: []graph.Option{o}}
	if out.Step, err = train.NewStepWith(c, n.loss, n.kept...); err != nil {
		return nil, err
	}
	return out, out.feed(n)
}

// read adds the inputs, and reads the turns of each group: the vectors of all, [R, U], and what the
// encoder puts out for each of their tokens, group by group, [·, U].
func (n *dialogueNodes) read(m *Model, g *nodes.Graph, shape dialogueShape,
	how unroll.Options) (u, each *nodes.Node) {
	var us, all []*nodes.Node
	for k, rows := range shape.rows() {
		if rows == 0 {
			continue
		}
		T, label, in := shape.T[k], fmt.Sprintf("group %d ", k), &n.groups[k]
		in.words = g.IntInput(label+"words", T, rows)
		in.before = g.IntInput(label+"before", T, rows)
		in.lengths = g.IntInput(label+"lengths", rows)
		u, each := m.utterances(in.words, in.lengths, how)
		us, all = append(us, u), append(all, nodes.Reshape(each, T*rows, -1))
	}
	R := shape.N * shape.B
	n.place, n.previous = g.IntInput("place", shape.N, shape.B), g.IntInput("previous", R)
	n.live, n.turns = g.IntInput("live", R), g.IntInput("turns", shape.B)
	n.tokens, n.targets = g.IntInput("tokens", shape.Tokens), g.IntInput("targets", shape.Tokens)
	if S := shape.Places; S > 0 {
		n.places, n.counts = g.IntInput("places", S, R), g.IntInput("counts", R)
		n.here, n.after = g.Input("here", shape.Tokens, S), g.IntInput("after", shape.Tokens)
	}
	return nodes.Concat(0, us...), nodes.Concat(0, all...)
}

// predict gives what is said of the P tokens that are predicted, from the vectors of the turns and
// the encoder's outputs for each token, and what there is of a latent variable.
func (n *dialogueNodes) predict(m *Model, u, each *nodes.Node, how unroll.Options) (said,
	*latent) {
	turns := how
	turns.Lengths = n.turns
	context := m.context.Unroll(nodes.Embedding(u, n.place, -1), nil, turns).Y()
	context = nodes.Embedding(nodes.Reshape(context, u.Dim(0), -1), n.previous, -1)
	d, l := m.condition(context, u, nil)
	var ys, weights []*nodes.Node
	row := 0
	for _, k := range n.groups {
		if k.words == nil {
			continue
		}
		rows := k.words.Dim(1)
		own := nodes.Slice(d, 0, row, row+rows)
		y := m.decode(m.start(own), k.before, own, how).Y()
		if n.places != nil {
			var w *nodes.Node
			y, w = m.attend(y, m.memory(each, nodes.Slice(n.places, 1, row, row+rows),
				nodes.Slice(n.counts, 0, row, row+rows)))
			weights = append(weights, nodes.Reshape(w, -1, w.Dim(-1)))
		}
		ys = append(ys, nodes.Reshape(y, -1, y.Dim(-1)))
		row += rows
	}
	predicted := func(of []*nodes.Node) *nodes.Node {
		return nodes.Embedding(nodes.Concat(0, of...), n.tokens, -1)
	}
	if n.places == nil {
		return m.sayAttended(predicted(ys), nil, nil), l
	}
	return m.sayAttended(predicted(ys), n.after, predicted(weights)), l
}

// measure adds the loss a predicted token, with the divergence of a latent variable.
func (n *dialogueNodes) measure(y said, l *latent, freeBits float64) {
	o := nodes.CrossEntropyOptions{Ignore: []int{shared.Ignored}, Reduction: nodes.ReduceNone}
	counts := nodes.NotIn(n.targets, shared.Ignored)
	var nll *nodes.Node
	if n.here == nil {
		nll = nodes.CrossEntropy(y.logits, n.targets, o)
	} else {
		nll = nodes.CopyCrossEntropy(y.logits, y.gate, y.weights, n.here, n.targets, o)
		counts = nodes.Maximum(counts, nodes.Max(n.here, -1))
	}
	tokens := nodes.Maximum(nodes.Sum(counts), nodes.Scalar(1))
	n.loss, n.kept = nodes.Div(nodes.Sum(nll), tokens), []*nodes.Node{keptNLL: nll}
	if l == nil {
		return
	}
	alive := nodes.NotIn(n.live, 0)
	turns := nodes.Maximum(nodes.Sum(alive), nodes.Scalar(1))
	kl := l.kl()
	n.kept = []*nodes.Node{keptNLL: nll, keptKL: kl, keptMu: l.muPosterior,
		keptLogRatio: l.logRatio()}
	alive = nodes.Reshape(alive, kl.Dim(0), 1)
	units := nodes.Div(nodes.Sum(nodes.Mul(kl, alive), 0), turns) // [Z]
	n.klWeight = y.logits.Graph().Input("kl weight", 1)
	units = nodes.Maximum(units, nodes.Scalar(freeBits))
	cost := nodes.Sum(nodes.Mul(units, n.klWeight))
	n.loss = nodes.Add(n.loss, nodes.Div(nodes.Mul(cost, turns), tokens))
}

// feed takes what the inputs of the graph read.
func (g *dialogueGraph) feed(n dialogueNodes) error {
	var f run.Inputs
	for k, in := range n.groups {
		if in.words != nil {
			g.groups[k] = turnGroup{T: in.words.Dim(0), R: in.words.Dim(1),
				words: f.Ints(in.words), before: f.Ints(in.before), lengths: f.Ints(in.lengths)}
		}
	}
	g.place, g.previous, g.turns = f.Ints(n.place), f.Ints(n.previous), f.Ints(n.turns)
	g.tokens, g.targets = f.Ints(n.tokens), f.Ints(n.targets)
	if n.here != nil {
		g.copies = copies{places: f.Ints(n.places), counts: f.Ints(n.counts),
			here: f.Floats(n.here), after: f.Ints(n.after)}
	}
	if n.klWeight == nil { // nothing reads which turns are live
		g.live = make([]int, n.live.Dim(0))
		return f.Err()
	}
	g.live, g.klWeight = f.Ints(n.live), f.Floats(n.klWeight)
	g.klWeight.Fill(1)
	return f.Err()
}
