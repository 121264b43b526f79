package label

import (
	"slices"

	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// labelShape tells the graphs of batches apart. Lengths are rounded up, and batches filled up with
// sequences of length 0, so that few graphs serve all.
type labelShape struct {
	T, B   int
	padded bool // some sequences may be shorter than T
}

func (s labelShape) Round() labelShape {
	s.T, s.B = run.Round(s.T), run.Round(s.B)
	return s
}

func (s labelShape) Serves(request labelShape) bool {
	return s.T >= request.T && s.B >= request.B && s.padded == request.padded
}

func (s labelShape) Cost() int { return s.T * s.B }

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
	// its output is the probabilities [targets, labels], emissions with a CRF, but in training; it
	// has a loss unless it only predicts
	shared.Compiled
	labelShape
	perStep  bool
	width    int        // features of a step
	classes  int        // labels
	ids      []int      // [T, B]; nil if it reads features
	features run.Floats // [T, B, width]; empty if it reads tokens
	lengths  []int      // [B]; nil if not padded
	targets  []int      // [B] or [T, B]; nil if unknown, or if hot
	hot      run.Floats // [B, labels], 1 for each label of several; or empty
	weights  run.Floats // [B], [T, B] or [B, labels], over counted; or empty
	chain    [3][]int   // what crfInputs read; or nil
	counted  int        // targets in the batch at hand
	output   int        // of the step: the probabilities or emissions
}

// labelUse is the use of a graph.
type labelUse int

const (
	labelsUnknown labelUse = iota // it predicts
	labelsKnown                   // it predicts, and measures the loss
	labelsLearned                 // it measures the loss, with gradients
)

// labelGraphs are the graphs of batches of so many rows; of 0: of as many as each batch has.
type labelGraphs struct {
	*run.Cache[labelShape, *labelGraph]
	batch   int
	weights *weights
}

// graphs are the graphs of a use; w is nil if everything counts alike.
func (m *labeller) graphs(batch int, how unroll.Options, use labelUse, w *weights) *labelGraphs {
	build := func(shape labelShape, o graph.Option) (*labelGraph, error) {
		return m.build(shape, how, use, w, o)
	}
	return &labelGraphs{run.NewCache(build), batch, w}
}

// labelNodes are the inputs and outputs of a graph.
type labelNodes struct {
	x, lengths, targets, hot, weights, loss *nodes.Node
	chain                                   crfInputs
	outputs                                 []*nodes.Node
}

// build makes the graph of a shape.
func (m *labeller) build(shape labelShape, how unroll.Options, use labelUse,
	w *weights, o ...graph.Option) (*labelGraph, error) {
	lg := &labelGraph{
		labelShape: shape, perStep: m.pool == eachStep, width: m.cfg.Features,
		classes: m.labels.Len(),
	}
	var n labelNodes
	err := nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{Dtype: m.store.Dtype(), Training: use == labelsLearned,
			Rows: shape.B})
		m.inputs(&n, g, shape)
		logits := m.forward(n.x, n.lengths, how)
		if use != labelsUnknown {
			m.measure(&n, logits, how.Strategy, w)
		}
		if use != labelsLearned {
			n.outputs = append(n.outputs, m.probabilities(logits))
		}
	})
	if err != nil {
		return nil, err
	}
	if lg.Compiled, err = shared.Compile(n.outputs, n.loss, o...); err != nil {
		return nil, err
	}
	return lg, lg.feed(n)
}

// inputs adds what the layers read.
func (m *labeller) inputs(n *labelNodes, g *nodes.Graph, shape labelShape) {
	if m.embed != nil {
		n.x = g.IntInput("ids", shape.T, shape.B)
	} else {
		n.x = g.Input("features", shape.T, shape.B, m.cfg.Features)
	}
	if shape.padded {
		n.lengths = g.IntInput("lengths", shape.B)
	}
}

// probabilities are those of logits, [targets, labels]; with a CRF they are emissions.
func (m *labeller) probabilities(logits *nodes.Node) *nodes.Node {
	return m.scores(nodes.Reshape(logits, -1, m.labels.Len()))
}

// scores are the probabilities of labels, or what their emissions in a CRF are.
func (m *labeller) scores(logits *nodes.Node) *nodes.Node {
	switch {
	case m.several:
		return nodes.Sigmoid(logits)
	case m.chain == nil:
		return nodes.Softmax(logits)
	}
	return logits
}

// measure adds the loss of logits, and the inputs that it reads: weights, unless w is nil.
func (m *labeller) measure(n *labelNodes, logits *nodes.Node, s unroll.Strategy, w *weights) {
	g, shape := logits.Graph(), logits.Shape()
	of := shape[:len(shape)-1]
	switch {
	case m.several:
		n.hot = g.Input(m.scope+"labels", shape...)
		n.weights = g.Input(m.scope+"weights", shape...)
		losses := nodes.BCEWithLogits(logits, n.hot, nodes.ReduceNone)
		n.loss = nodes.Sum(nodes.Mul(losses, n.weights))
	case m.chain != nil:
		n.targets = g.IntInput(m.scope+"labels", of...)
		n.weights = g.Input(m.scope+"weights", shape[1])
		n.chain = newCRFInputs(g, shape[1])
		n.loss = nodes.Sum(nodes.Mul(m.chain.loss(logits, n.targets, n.chain, s), n.weights))
	case w != nil:
		n.targets = g.IntInput(m.scope+"labels", of...)
		n.weights = g.Input(m.scope+"weights", of...)
		losses := nodes.CrossEntropy(logits, n.targets, nodes.CrossEntropyOptions{
			Ignore: []int{shared.Ignored}, Smoothing: w.smoothing, Reduction: nodes.ReduceNone})
		n.loss = nodes.Sum(nodes.Mul(losses, n.weights))
	default:
		n.targets = g.IntInput(m.scope+"labels", of...)
		n.loss = nodes.CrossEntropy(logits, n.targets,
			nodes.CrossEntropyOptions{Ignore: []int{shared.Ignored}})
	}
}

// feed takes what the inputs of the graph read.
func (g *labelGraph) feed(n labelNodes) error {
	var f run.Inputs
	switch {
	case n.x == nil: // another labeller of the graph reads it
	case n.x.Dtype() == nodes.Int:
		g.ids = f.Ints(n.x)
	default:
		g.features = f.Floats(n.x)
	}
	if n.lengths != nil {
		g.lengths = f.Ints(n.lengths)
	}
	if n.targets != nil {
		g.targets = f.Ints(n.targets)
	}
	if n.hot != nil {
		g.hot = f.Floats(n.hot)
	}
	if n.weights != nil {
		g.weights = f.Floats(n.weights)
	}
	if n.chain.steps != nil {
		g.chain = [3][]int{f.Ints(n.chain.steps), f.Ints(n.chain.rest), f.Ints(n.chain.last)}
	}
	return f.Err()
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
	for _, i := range order {
		if m.several {
			g.counted++
		} else {
			g.counted += len(examples[i].Labels)
		}
	}
	for k, i := range order {
		g.put(k, examples[i].Sequence)
		g.label(k, examples[i].Labels, graphs.weights.example(i), graphs.weights)
	}
	return g, nil
}

// clear empties the batch.
func (g *labelGraph) clear() {
	clear(g.ids)
	clear(g.lengths)
	g.features.Fill(0)
	none := shared.Ignored
	if g.chain[0] != nil {
		none = 0 // what is behind the end counts nothing, by the number of steps
	}
	for i := range g.targets {
		g.targets[i] = none
	}
	for _, c := range g.chain {
		clear(c)
	}
	g.hot.Fill(0)
	g.weights.Fill(0)
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

// label gives sequence k of the batch its labels, and what it and each label count.
func (g *labelGraph) label(k int, labels []int, weight float64, w *weights) {
	if g.hot.Len() > 0 {
		set := func(id int, has bool) {
			g.hot.Set(k*g.classes+id, w.smooth(has))
			g.weights.Set(k*g.classes+id, weight*w.of(id, has)/float64(g.counted*g.classes))
		}
		for id := range g.classes {
			set(id, false)
		}
		for _, id := range labels {
			set(id, true)
		}
		return
	}
	for t, id := range labels {
		g.targets[t*g.B+k] = id
		if g.weights.Len() == len(g.targets) && g.chain[0] == nil {
			g.weights.Set(t*g.B+k, weight*w.class(id)/float64(g.counted))
		}
	}
	if n := len(labels); g.chain[0] != nil && n > 0 {
		g.chain[0][k], g.chain[1][k], g.chain[2][k] = n, n-1, labels[n-1]
		g.weights.Set(k, weight/float64(g.counted))
	}
}

// rows are the outputs for the sequences of a batch, by their place in it.
func (g *labelGraph) rows() func(k, steps int) [][]float64 {
	all, classes := g.Output(g.output).Float64s(), g.classes
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
