package word2vec

import (
	"github.com/seqzoo/seqzoo/nodes"
)

// NetworkConfig sizes a Network.
type NetworkConfig struct {
	Model  Architecture
	Output Output
	V, E   int  // words, width
	Sum    bool // CBOW: h is the sum of the neighbours' vectors, not their mean
}

// Network is the model as a symbolic graph: the definition that the trainer is held to.
type Network struct {
	cfg     NetworkConfig
	in, out *nodes.Param
}

// NewNetwork declares in [V, E] and out [V, E] under s, for a hierarchical softmax out [V−1, E] (at
// least one row). They begin as in [New]: in uniform in ±½/E, out 0.
func NewNetwork(s *nodes.Scope, cfg NetworkConfig) *Network {
	if cfg.Model != SkipGram && cfg.Model != CBOW {
		nodes.Failf("word2vec", "Model is %q; want %q or %q", cfg.Model, SkipGram, CBOW)
	}
	outputs := cfg.V
	switch cfg.Output {
	case Hierarchical:
		outputs = max(1, cfg.V-1)
	case Negative, Full:
	default:
		nodes.Failf("word2vec", "Output is %q; want %q, %q or %q", cfg.Output, Negative,
			Hierarchical, Full)
	}
	if cfg.V < 1 || cfg.E < 1 {
		nodes.Failf("word2vec", "V is %d and E is %d; both must be at least 1", cfg.V, cfg.E)
	}
	bound := 0.5 / float64(cfg.E)
	return &Network{
		cfg: cfg,
		in:  s.Param("in", nodes.Uniform(-bound, bound), cfg.V, cfg.E),
		out: s.Param("out", nodes.Zeros(), outputs, cfg.E),
	}
}

// Examples are inputs of ids. A network uses the ones that its Model and its Output name below.
type Examples struct {
	Centers                  *nodes.Node // [B]: skip-gram
	Contexts, ContextLengths *nodes.Node // [B, W], [B]: CBOW; ids past the length are ignored
	Targets                  *nodes.Node // [B]: Negative and Full
	Negatives                *nodes.Node // [B, K]: Negative
	// [B, L], [B, L], [B]: Hierarchical: the path, 1 − label at each node, its length
	Points, Codes, Lengths *nodes.Node
}

// Losses gives h [B, E] and the losses [B] of examples.
func (n *Network) Losses(x Examples) (hidden, losses *nodes.Node) {
	if n.in == nil {
		nodes.Failf("word2vec", "the network is an empty value: NewNetwork makes one")
	}
	h := n.hidden(x)
	column := func() *nodes.Node { return nodes.Reshape(h, h.Dim(0), 1, n.cfg.E) }
	switch n.cfg.Output {
	case Negative:
		// [B]
		positive := nodes.Sum(nodes.Mul(h, nodes.Embedding(n.out, x.Targets, -1)), 1)
		// [B, K]
		negative := nodes.Sum(nodes.Mul(column(), nodes.Embedding(n.out, x.Negatives, -1)), 2)
		// −log σ(x) = softplus(−x)
		return h, nodes.Add(nodes.Softplus(nodes.Neg(positive)),
			nodes.Sum(nodes.Softplus(negative), 1))
	case Hierarchical:
		scores := nodes.Sum(nodes.Mul(column(), nodes.Embedding(n.out, x.Points, -1)), 2) // [B, L]
		sign := nodes.Affine(nodes.NotIn(x.Codes, 0), 2, -1)
		step := nodes.Softplus(nodes.Mul(sign, scores)) // −log σ((1 − 2·code)·score)
		return h, nodes.Sum(nodes.Select(mask(x.Lengths, x.Points.Dim(1)), step, nodes.Scalar(0)),
			1)
	default:
		return h, nodes.CrossEntropy(nodes.MatMulT(h, n.out), x.Targets,
			nodes.CrossEntropyOptions{Reduction: nodes.ReduceNone})
	}
}

func (n *Network) hidden(x Examples) *nodes.Node {
	if n.cfg.Model == SkipGram {
		return nodes.Embedding(n.in, x.Centers, -1)
	}
	live := mask(x.ContextLengths, x.Contexts.Dim(1)) // [B, W]
	each := nodes.Select(nodes.Reshape(live, live.Dim(0), live.Dim(1), 1),
		nodes.Embedding(n.in, x.Contexts, -1), nodes.Scalar(0))
	h := nodes.Sum(each, 1)
	if !n.cfg.Sum {
		h = nodes.Div(h, nodes.Maximum(nodes.SumKeep(live, 1), nodes.Scalar(1)))
	}
	return h
}

// mask turns lengths [B] into [B, n]: 1 before the length, 0 behind.
func mask(lengths *nodes.Node, n int) *nodes.Node {
	return nodes.Transpose(nodes.Reshape(nodes.LengthMask(lengths, n), n, lengths.Dim(0)))
}
