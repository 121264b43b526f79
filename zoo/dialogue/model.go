package dialogue

import (
	"io"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// prefix stands before the errors of this package.
const prefix = check.Prefix("zoo: hred: ")

// Model is the hierarchical recurrent encoder-decoder for dialogues (Sordoni et al., 2015; Serban
// et al., 2016): it predicts each utterance from all those before it.
//
//	u_n = last state of the encoder over utterance n,  c_n = context layers over u_1 … u_n
//	d = c_{n−1},  s_0 = tanh(d·W + b) for each part of the decoder's state that may start as any numbers
//	h_t = decoder(e_t),  or decoder([e_t; d]) with ContextInput,  logits = h_t·W + b
//
// where e_t is the embedding of the token before, <bos> first. The first utterance of a dialogue
// is only read. With a latent variable it is the VHRED (Serban et al., 2017), where d = [c_{n−1};
// z_n]:
//
//	prior      p(z_n) = N(μ, σ²),  μ and σ² from tanh(c_{n−1}·W + b)
//	posterior  q(z_n) = N(μ, σ²),  μ and σ² from tanh([c_{n−1}; u_n]·W + b)
//
// In training z_n is drawn from the posterior, as μ + σ∘ε, and the bound is Σ log p(utterance |
// z) − KL(q‖p); a reply draws it from the prior.
//
// A model that copies attends to the encoder's outputs m_s for the last tokens of the turns before,
// and writes as well what it attends to (pointer-generator; See, Liu and Manning, 2017):
//
//	a = softmax over s of h_t·W_a·m_s,  y_t = [h_t; Σ_s a_s·m_s],  logits = y_t·W + b
//	p = σ([y_t; e_t]·w + b),  P(word) = p·softmax(logits)[word] + (1 − p)·Σ of a_s over its places s
//
// Its parameters are embed/E [V, E], which all parts share, encoder/l0/… (forward and backward
// below, if it reads both ways), context/l0/…, decoder/l0/…, init/l0/W_h …, out/W and out/b; with a
// latent variable hidden, mu and var under prior and posterior, each with W and b; and if it copies
// attention/W, copy/W and copy/b.
//
// Its methods other than training are safe for concurrent use.
type Model struct {
	cfg              Config
	vocabulary       *text.Vocabulary
	bos, eos         int
	store            *nodes.Store
	embed            *nodes.Param
	encoder          unroll.Stack
	context, decoder unroll.Stack
	init             shared.Starts // of the decoder
	prior, posterior gaussian
	out              nodes.Linear
	attention        *cells.Attention // of a model that copies, as are those below
	gate             nodes.Linear
	unk              int

	identity   shared.Identity
	readers    run.Pool[turnLength, *turnReader]
	responders run.Pool[responderSize, *responder]
}

// gaussian is a network that gives a diagonal normal distribution.
type gaussian struct{ hidden, mu, variance nodes.Linear }

func newGaussian(s *nodes.Scope, in int, l Latent) gaussian {
	return gaussian{
		hidden:   nodes.NewLinear(s.In("hidden"), nodes.LinearConfig{In: in, Out: l.Hidden}),
		mu:       nodes.NewLinear(s.In("mu"), nodes.LinearConfig{In: l.Hidden, Out: l.Width}),
		variance: nodes.NewLinear(s.In("var"), nodes.LinearConfig{In: l.Hidden, Out: l.Width}),
	}
}

// tiny keeps the logarithm of a variance finite where softplus is 0 in float32.
const tiny = 1e-30

// of gives mean and logarithm of the variance.
func (g gaussian) of(x *nodes.Node, variance Variance) (mu, logvar *nodes.Node) {
	h := nodes.Tanh(g.hidden.Of(x))
	v := g.variance.Of(h)
	if variance == SoftplusVariance {
		v = nodes.Log(nodes.Maximum(nodes.Softplus(v), nodes.Scalar(tiny)))
	}
	return g.mu.Of(h), v
}

// New makes a model with initial weights drawn from seed. The vocabulary needs <bos> and <eos>.
func New(cfg Config, v *text.Vocabulary, seed uint64) (m *Model, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, prefix.Wrap(err)
	}
	if v == nil {
		return nil, prefix.Errorf("it needs a vocabulary")
	}
	if err := cfg.Text.Check(v); err != nil {
		return nil, prefix.Wrap(err)
	}
	m = &Model{cfg: cfg.withDefaults(), vocabulary: v,
		store: nodes.NewStore(shared.DtypeOf(cfg.Float64), seed)}
	m.identity.Is(architecture, m.cfg, m.store, v)
	var begins, ends bool
	m.bos, begins = v.ID(text.BOS)
	m.eos, ends = v.ID(text.EOS)
	if !begins || !ends {
		return nil, prefix.Errorf("the vocabulary needs the special tokens %s and %s", text.BOS,
			text.EOS)
	}
	if err := m.checkCopy(); err != nil {
		return nil, prefix.Wrap(err)
	}
	if err := nodes.Try(m.declare); err != nil {
		return nil, prefix.Wrap(err)
	}
	return m, nil
}

func (m *Model) declare() {
	c, root := m.cfg, m.store.Root()
	m.embed = root.In("embed").Param("E", nodes.Normal(0, 1), m.vocabulary.Len(), c.Embed)
	m.encoder = c.Encoder.Stack(root.In("encoder"), c.Embed, c.Bidirectional)
	m.context = c.Context.Stack(root.In("context"), c.utterance(), false)
	in := c.Embed
	if c.ContextInput {
		in += c.condition()
	}
	m.decoder = c.Decoder.Stack(root.In("decoder"), in, false)
	for k, l := range m.decoder.Layers {
		m.init.Add(root.In("init").In("l%d", k), l, func(int) int { return c.condition() })
	}
	if c.Latent.Width > 0 {
		m.prior = newGaussian(root.In("prior"), c.Context.Width(), c.Latent)
		m.posterior = newGaussian(root.In("posterior"), c.Context.Width()+c.utterance(), c.Latent)
	}
	read := c.Decoder.Width()
	if c.Copy > 0 {
		m.attention = cells.NewAttention(root.In("attention"), cells.AttentionConfig{
			Score: cells.GeneralScore, Query: c.Decoder.Width(), Key: c.utterance()})
		read += c.utterance()
		m.gate = nodes.NewLinear(root.In("copy"), nodes.LinearConfig{In: read + c.Embed, Out: 1})
	}
	m.out = nodes.NewLinear(root.In("out"), nodes.LinearConfig{In: read, Out: m.vocabulary.Len()})
}

// embedded looks ids up.
func (m *Model) embedded(ids *nodes.Node) *nodes.Node {
	return nodes.Dropout(nodes.Embedding(m.embed, ids, -1), m.cfg.IODropout)
}

// utterances reads tokens [T, R] with lengths [R] and returns the vectors of the utterances, [R,
// U], and the encoder's outputs for each token, [T, R, U].
func (m *Model) utterances(words, lengths *nodes.Node, how unroll.Options) (u,
	each *nodes.Node) {
	how.Lengths = lengths
	r := m.encoder.Unroll(m.embedded(words), nil, how)
	return shared.FinalOutput(m.encoder, r.Final()), r.Y()
}

// start is the state in which the decoder starts, conditioned on d [R, D].
func (m *Model) start(d *nodes.Node) cells.State { return m.init.From(d) }

// decode reads tokens [T, R], each after the one before, conditioned on d [R, D].
func (m *Model) decode(start cells.State, in, d *nodes.Node, how unroll.Options) *unroll.Result {
	x := m.embedded(in)
	if m.cfg.ContextInput {
		x = nodes.Concat(-1, x, nodes.Broadcast(d, in.Dim(0), d.Dim(0), d.Dim(1)))
	}
	return m.decoder.Unroll(x, start, how)
}

// said is what the decoder says at its steps [...]: the logits of the vocabulary [..., V], and if
// the model copies the logit of writing rather than copying [...] and the weights of the places
// that it may copy [..., S].
type said struct{ logits, gate, weights *nodes.Node }

// say is what the decoder says with outputs y [..., H], after reading the tokens before [...]. The
// memory is what it may copy: y is then [T, R, H]; nil: it does not copy.
func (m *Model) say(y, before *nodes.Node, memory *cells.Memory) said {
	if memory == nil {
		return m.sayAttended(y, before, nil)
	}
	y, weights := m.attend(y, memory)
	return m.sayAttended(y, before, weights)
}

// sayAttended is say of outputs y [..., H] that have attended already, with the weights [..., S].
func (m *Model) sayAttended(y, before, weights *nodes.Node) said {
	s := said{logits: m.out.Of(nodes.Dropout(y, m.cfg.IODropout)), weights: weights}
	if weights != nil {
		s.gate = m.writes(y, before, weights)
	}
	return s
}

// latent is the latent variable of utterances with its two distributions, [R, Z] each.
type latent struct{ muPrior, logvarPrior, muPosterior, logvarPosterior, z *nodes.Node }

// condition is what the decoder of utterances is conditioned on, from the contexts before them
// [R, C] and their vectors [R, U]. Eps are standard normal numbers [R, Z]; nil: drawn by the
// graph. The latent is nil if there is none.
func (m *Model) condition(before, utterances, eps *nodes.Node) (d *nodes.Node, l *latent) {
	if m.cfg.Latent.Width == 0 {
		return before, nil
	}
	l = &latent{}
	l.muPrior, l.logvarPrior = m.prior.of(before, m.cfg.Latent.Variance)
	l.muPosterior, l.logvarPosterior = m.posterior.of(nodes.Concat(-1, before, utterances),
		m.cfg.Latent.Variance)
	if eps == nil {
		eps = before.Graph().Noise(nodes.NoiseRequest{Label: "latent", Kind: nodes.StandardNormal,
			Shape: l.muPosterior.Shape()})
	}
	l.z = nodes.Add(l.muPosterior, nodes.Mul(nodes.Exp(nodes.Scale(l.logvarPosterior, 0.5)), eps))
	return nodes.Concat(-1, before, l.z), l
}

// drawn is what a decoder is conditioned on, of a context [R, C] and a latent variable that eps
// [R, Z] draws from its prior.
func (m *Model) drawn(context, eps *nodes.Node) *nodes.Node {
	mu, logvar := m.prior.of(context, m.cfg.Latent.Variance)
	return nodes.Concat(-1, context, nodes.Add(mu,
		nodes.Mul(nodes.Exp(nodes.Scale(logvar, 0.5)), eps)))
}

// kl is KL(q‖p) of every unit, [R, Z].
func (l *latent) kl() *nodes.Node {
	unit := func(x *nodes.Node) *nodes.Node { return nodes.Reshape(x, append(x.Shape(), 1)...) }
	return nodes.KLGaussians(unit(l.muPosterior), unit(l.logvarPosterior), unit(l.muPrior),
		unit(l.logvarPrior))
}

// logRatio is log p(z)/q(z) of the z that was drawn, [R].
func (l *latent) logRatio() *nodes.Node {
	// halves are −2·log of a density, without what both have.
	halves := func(mu, logvar *nodes.Node) *nodes.Node {
		square := nodes.Square(nodes.Sub(l.z, mu))
		return nodes.Add(logvar, nodes.Mul(square, nodes.Exp(nodes.Neg(logvar))))
	}
	ratio := nodes.Sub(halves(l.muPosterior, l.logvarPosterior), halves(l.muPrior, l.logvarPrior))
	return nodes.Scale(nodes.Sum(ratio, -1), 0.5)
}

// Inputs are dialogues of N turns, B side by side, as nodes of one graph.
type Inputs struct {
	Words  *nodes.Node // ids [T, N, B]: the tokens of each turn, with the <eos> that ends it
	Before *nodes.Node // ids [T, N, B]: the token before each, <bos> first
	// [N, B]: tokens of each turn, 0 for one that is absent; only the last turns may be
	Lengths *nodes.Node
	Turns   *nodes.Node // [B]: turns of each dialogue
	// Of a model that copies, for the turns but the first: which tokens each may copy, as their
	// places in Words, (t·N + n)·B + b, [S, N−1, B], and how many of these S count, [N−1, B]
	Places, Counts *nodes.Node
	// standard normal numbers [N−1, B, Z] of the latent variable; nil: drawn by the graph
	Eps *nodes.Node
}

// Graph is a Model in a graph. What it says of an absent turn means nothing.
type Graph struct {
	Utterances *nodes.Node // [N, B, U]
	Context    *nodes.Node // after each turn, [N, B, C]
	Logits     *nodes.Node // of the turns but the first, [T, N−1, B, V]

	// Of a model that copies: the logit of writing a word of the vocabulary rather than copying
	// [T, N−1, B], and the weights of the places [T, N−1, B, S].
	Gate, Weights *nodes.Node

	// Of the turns but the first, [N−1, B, Z] and KL(q‖p) [N−1, B]; nil without a latent variable.
	MuPrior, LogvarPrior, MuPosterior, LogvarPosterior, KL *nodes.Node
}

// Forward builds the model into the graph of its inputs, for two turns or more. It panics with a
// *nodes.BuildError, as package nodes does.
func (m *Model) Forward(in Inputs, s unroll.Strategy) Graph {
	return m.ForwardOver(in, unroll.Options{Strategy: s})
}

// ForwardOver is Forward with encoders and a decoder that are unrolled by the Strategy and the
// Recompute of o, and a decoder by its Cut.
func (m *Model) ForwardOver(in Inputs, o unroll.Options) (out Graph) {
	shared.NeedMade("HRED", m.store)
	if shape := in.Words.Shape(); len(shape) != 3 || shape[1] < 2 {
		nodes.Failf("HRED",
			"words are %v, want [T, N, B] with N at least 2: the first turn is only read", shape)
	}
	T, N, B := in.Words.Dim(0), in.Words.Dim(1), in.Words.Dim(2)
	flat := func(x *nodes.Node) *nodes.Node { return nodes.Reshape(x, T, -1) }
	turns := func(x *nodes.Node, from, to int) *nodes.Node {
		return nodes.Reshape(nodes.Slice(x, 0, from, to), (to-from)*B, -1)
	}

	how := unroll.Options{Strategy: o.Strategy, Recompute: o.Recompute}
	u, each := m.utterances(flat(in.Words), nodes.Reshape(in.Lengths, N*B), how)
	out.Utterances = nodes.Reshape(u, N, B, -1)
	context := how
	context.Lengths, how.Cut = in.Turns, o.Cut
	out.Context = m.context.Unroll(out.Utterances, nil, context).Y()
	eps := in.Eps
	if eps != nil {
		eps = nodes.Reshape(eps, (N-1)*B, -1)
	}
	d, l := m.condition(turns(out.Context, 0, N-1), turns(out.Utterances, 1, N), eps)
	var memory *cells.Memory
	if m.cfg.Copy > 0 {
		if in.Places == nil || in.Counts == nil {
			nodes.Failf("HRED", "the model copies, and there are no Places and Counts")
		}
		memory = m.memory(nodes.Reshape(each, T*N*B, -1),
			nodes.Reshape(in.Places, -1, (N-1)*B), nodes.Reshape(in.Counts, (N-1)*B))
	}
	before := flat(nodes.Slice(in.Before, 1, 1, N))
	y := m.say(m.decode(m.start(d), before, d, how).Y(), before, memory)
	out.Logits = nodes.Reshape(y.logits, T, N-1, B, -1)
	if memory != nil {
		out.Gate = nodes.Reshape(y.gate, T, N-1, B)
		out.Weights = nodes.Reshape(y.weights, T, N-1, B, -1)
	}
	if l != nil {
		grid := func(x *nodes.Node) *nodes.Node { return nodes.Reshape(x, N-1, B, -1) }
		out.MuPrior, out.LogvarPrior = grid(l.muPrior), grid(l.logvarPrior)
		out.MuPosterior, out.LogvarPosterior = grid(l.muPosterior), grid(l.logvarPosterior)
		out.KL = nodes.Sum(grid(l.kl()), -1)
	}
	return out
}

const architecture = "HRED"

// Architecture is "HRED".
func (m *Model) Architecture() string { return architecture }

// Params holds the weights.
func (m *Model) Params() *nodes.Store { return m.store }

// Config is the configuration that the model was made with, defaults filled in.
func (m *Model) Config() Config { return m.cfg }

// Vocabulary are the model's tokens.
func (m *Model) Vocabulary() *text.Vocabulary { return m.vocabulary }

// Save writes config.json, vocabulary.json and model.safetensors to path; see zoo.Save.
func (m *Model) Save(path string) error { return zoo.Save(path, m) }

// Files are the files that Save writes beside the weights.
func (m *Model) Files() zoo.Files {
	return zoo.Files{Config: m.cfg, Extra: shared.PutCut(map[string]func(io.Writer) error{
		zoo.VocabularyFile: func(w io.Writer) error { _, err := m.vocabulary.WriteTo(w); return err },
	}, m.cfg.Text)}
}

func init() { zoo.Register(architecture, open, zoo.VocabularyFile, zoo.TokeniserFile) }

func open(d *zoo.Dir, cfg Config) (*Model, error) {
	v, err := shared.ReadWords(d, zoo.VocabularyFile, &cfg.Text)
	if err != nil {
		return nil, err
	}
	return New(cfg, v, 0)
}

// Load is Load for a directory that must hold a Model.
func Load(dir string) (*Model, error) { return zoo.LoadAs[*Model](dir, "an HRED") }
