package lm

import (
	"errors"

	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// lmOutput is the output layer of a language model, over the output y [..., Hidden] of its top
// layer.
type output interface {
	// logits are [..., V]; their softmax are the probabilities of the next token.
	logits(y *nodes.Node) *nodes.Node
	// loss is exact.
	loss() loss
}

// lmLoss is a cross-entropy with the inputs that it needs.
type loss interface {
	// variant is the number of the graph that a batch of targets needs, of several.
	variant(targets []int) int
	inputs(g *nodes.Graph, n, variant int) []*nodes.Node
	// of is the mean over n targets of y, n rows in all.
	of(y *nodes.Node, inputs []*nodes.Node) *nodes.Node
	fill(inputs []run.Input, targets []int, seed uint64, counter int) error
}

func newOutput(out *nodes.Scope, cfg Config, v *text.Vocabulary, embed *nodes.Param) output {
	if len(cfg.Cutoffs) > 0 {
		return adaptiveOutput{nodes.NewAdaptiveSoftmax(out,
			cfg.adaptive(v.Len(), tailShares(v, cfg.Cutoffs)))}
	}
	full := nodes.LinearConfig{In: cfg.Width(), Out: v.Len()}
	if cfg.Tied {
		full.Tied = embed
	}
	return fullOutput{nodes.NewLinear(out, full)}
}

// tailShares are the shares of a text whose ids lie at or behind each cutoff; nil if the vocabulary
// has no counts.
func tailShares(v *text.Vocabulary, cutoffs []int) []float64 {
	var total float64
	shares := make([]float64, len(cutoffs))
	tail := -1
	for id := range v.Len() {
		for tail+1 < len(cutoffs) && id >= cutoffs[tail+1] {
			tail++
		}
		total += float64(v.Count(id))
		if tail >= 0 {
			shares[tail] += float64(v.Count(id))
		}
	}
	if total == 0 {
		return nil
	}
	for i := range shares {
		shares[i] /= total
	}
	return shares
}

// fullOutput is a softmax over the vocabulary.
type fullOutput struct{ nodes.Linear }

func (o fullOutput) logits(y *nodes.Node) *nodes.Node { return o.Of(y) }

func (o fullOutput) loss() loss { return fullLoss{o} }

type fullLoss struct{ fullOutput }

func (fullLoss) variant([]int) int { return 0 }

func (fullLoss) inputs(g *nodes.Graph, n, _ int) []*nodes.Node {
	return []*nodes.Node{g.IntInput("targets", n)}
}

func (l fullLoss) of(y *nodes.Node, inputs []*nodes.Node) *nodes.Node {
	logits := l.logits(y)
	n := inputs[0].Dim(0)
	return nodes.CrossEntropy(nodes.Reshape(logits, n, l.B.Shape()[0]), inputs[0],
		nodes.CrossEntropyOptions{})
}

func (fullLoss) fill(inputs []run.Input, targets []int, _ uint64, _ int) error {
	copy(inputs[0].Ints(), targets)
	return nil
}

// trainingLoss is the loss to train on: the exact one, or a sampled softmax.
func (m *Model) trainingLoss(samples int) (loss, error) {
	if samples == 0 {
		return m.out.loss(), nil
	}
	full, ok := m.out.(fullOutput)
	if !ok {
		return nil, errors.New("the field Sampled is set, and the model has an adaptive softmax, " +
			"which is trained as it is")
	}
	s := sampledLoss{full, nodes.SampledSoftmax{V: m.vocabulary.Len(), Samples: samples}}
	return s, s.sampled.Validate()
}

type sampledLoss struct {
	fullOutput
	sampled nodes.SampledSoftmax
}

func (sampledLoss) variant([]int) int { return 0 }

func (l sampledLoss) inputs(g *nodes.Graph, n, _ int) []*nodes.Node {
	return l.sampled.Inputs(g,
		n)
}

func (l sampledLoss) of(y *nodes.Node, inputs []*nodes.Node) *nodes.Node {
	if l.Transposed {
		return l.sampled.Loss(y, l.W, l.B, inputs)
	}
	return l.sampled.Loss(y, nodes.Transpose(y.Graph().Param(l.W)), l.B, inputs)
}

func (l sampledLoss) fill(inputs []run.Input, targets []int, seed uint64, counter int) error {
	shifts := inputs[1].Floats()
	batch := nodes.SampledBatch{IDs: inputs[0].Ints(), Shifts: make([]float64, shifts.Len()),
		Places: inputs[2].Ints()}
	if err := l.sampled.Fill(batch, targets, seed, counter); err != nil {
		return err
	}
	shifts.Put64(0, batch.Shifts)
	return nil
}

// adaptiveOutput is a softmax in two steps. It trains on its exact loss.
type adaptiveOutput struct{ *nodes.AdaptiveSoftmax }

func (o adaptiveOutput) logits(y *nodes.Node) *nodes.Node { return o.LogProb(y) }
func (o adaptiveOutput) loss() loss                       { return o }

func (o adaptiveOutput) variant(targets []int) int { return o.Level(targets) }

func (o adaptiveOutput) inputs(g *nodes.Graph, n, level int) []*nodes.Node {
	return o.Inputs(g, n, level)
}

func (o adaptiveOutput) of(y *nodes.Node, inputs []*nodes.Node) *nodes.Node {
	return o.Loss(y,
		inputs)
}

func (o adaptiveOutput) fill(inputs []run.Input, targets []int, _ uint64, _ int) error {
	values := make([][]int, len(inputs))
	for i, in := range inputs {
		values[i] = in.Ints()
	}
	return o.Fill(values, targets)
}
