package seq2seq

import (
	"io"
	"slices"

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
const prefix = check.Prefix("zoo: seq2seq: ")

// Model turns a sequence into another one (Sutskever, Vinyals and Le, 2014; Cho et al., 2014),
// with attention to the former if wanted:
//
//	memory, final = encoder(source),  s_0 = bridge(final)
//	none      h_t = decoder(e_t),                logits = h_t·W + b
//	bahdanau  as cells.Bahdanau over the memory,  logits = [h_t; context]·W + b
//	luong     as cells.Luong over the memory,     logits = h̃_t·W + b
//
// where e_t is the embedding of the target's token before. The bridge tanh is, for each layer and
// part of the state, tanh([forward; backward]·W + b).
//
// A peeky model sees the summary c of the source, which is the h of s_0's top layer, at every
// step: [e_t; c] takes the place of e_t, and [y; c] that of what the output layer reads (Cho et
// al., 2014). With a readout the output layer reads tanh(y·W_r + b_r) instead of y, a narrower
// vector, which is cheaper where the vocabulary is large.
//
// A model that copies writes as well what it attends to, with the weights a of the attention:
//
//	p = σ([y; e_t]·w + b),  P(word) = p·softmax(logits)[word] + (1 − p)·Σ of a_s over its places s
//
// so that it says words that its vocabulary lacks, but the source has.
//
// Its parameters are source/E [Vs, Es], encoder/l0/… (forward and backward below, if it reads
// both ways), target/E [Vt, Et], decoder/l0/…, bridge/l0/W_h …, attention/…, combine/W_c (luong),
// readout/W and readout/b, out/W (not if tied: then it is Eᵀ) and out/b, copy/W and copy/b (if it
// copies).
//
// Its methods other than training are safe for concurrent use.
type Model struct {
	cfg              Config
	sources, targets *text.Vocabulary
	bos, eos         int
	unk              [2]int // of sources and targets, if it copies
	store            *nodes.Store
	source, target   *nodes.Param // embeddings
	encoder          unroll.Stack
	decoder          cells.Layers
	attention        *cells.Attention // or nil
	combine          *nodes.Param     // of luong
	bridge           []shared.Starts  // of each layer; none without a bridge
	readW, readB     *nodes.Param     // nil without a readout
	out              nodes.Linear
	gate             nodes.Linear // of a model that copies
	identity         shared.Identity
	translators      run.Pool[translatorSize, *translator]
}

// New makes a model with initial weights drawn from seed. The vocabulary of the targets needs
// <bos> and <eos>.
func New(cfg Config, source, target *text.Vocabulary, seed uint64) (m *Model, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, prefix.Wrap(err)
	}
	if source == nil || target == nil || source.Len() < 1 {
		return nil, prefix.Errorf("it needs a vocabulary of the sources and one of the targets, " +
			"with tokens in them")
	}
	if err := cfg.Text.Check(source, target); err != nil {
		return nil, prefix.Wrap(err)
	}
	cfg = cfg.withDefaults()
	m = &Model{cfg: cfg, sources: source, targets: target,
		store: nodes.NewStore(shared.DtypeOf(cfg.Float64), seed)}
	m.identity.Is(architecture, cfg, m.store, source, target)
	var begins, ends bool
	m.bos, begins = target.ID(text.BOS)
	m.eos, ends = target.ID(text.EOS)
	if !begins || !ends {
		return nil, prefix.Errorf("the vocabulary of the targets needs the special "+
			"tokens %s and %s", text.BOS, text.EOS)
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
	embedding := nodes.Uniform(-0.1, 0.1)
	if c.EmbedStd > 0 {
		embedding = nodes.Normal(0, c.EmbedStd)
	}
	m.source = root.In("source").Param("E", embedding, m.sources.Len(), c.EmbedSource)
	m.target = root.In("target").Param("E", embedding, m.targets.Len(), c.EmbedTarget)
	m.encoder = unroll.Stack{Dropout: c.Encoder.Dropout, Residual: c.Encoder.Residual}
	m.decoder = cells.Layers{Dropout: c.Decoder.Dropout, Residual: c.Decoder.Residual}

	if c.Attention == LuongAttention {
		H := c.Decoder.Width()
		m.combine = root.In("combine").Param("W_c", nodes.XavierUniform(1), c.memory()+H, H)
	}
	if c.Attention != NoAttention {
		m.attention = cells.NewAttention(root.In("attention"), c.attention())
	}
	for k := range c.Decoder.WithDefaults().Layers {
		encoder, decoder := c.layer(root, k)
		m.encoder.Layers = append(m.encoder.Layers, encoder)
		m.decoder.Cells = append(m.decoder.Cells, decoder)
		m.declareBridge(k, decoder)
	}
	read := c.read()
	if c.Readout > 0 {
		s := root.In("readout")
		m.readW = s.Param("W", nodes.XavierUniform(1), read, c.Readout)
		m.readB = s.Param("b", nodes.Zeros(), c.Readout)
		read = c.Readout
	}
	out := nodes.LinearConfig{In: read, Out: m.targets.Len()}
	if c.Tied {
		out.Tied = m.target
	}
	m.out = nodes.NewLinear(root.In("out"), out)
	if c.Copy {
		m.gate = nodes.NewLinear(root.In("copy"),
			nodes.LinearConfig{In: c.shown() + c.EmbedTarget, Out: 1})
	}
}

// encode reads sources [S, B] with lengths [B] and returns what the decoder attends to (nil if it
// does not) and the state in which its layers start, from which summary takes what it peeks at.
func (m *Model) encode(src, lengths *nodes.Node, o unroll.Options) (memory *cells.Memory,
	start cells.State) {
	x := nodes.Dropout(nodes.Embedding(m.source, src, -1), m.cfg.IODropout)
	r := m.encoder.Unroll(x, nil,
		unroll.Options{Strategy: o.Strategy, Recompute: o.Recompute, Lengths: lengths})
	if m.attention != nil {
		memory = m.attention.Over(r.Y(), nil, lengths)
	}
	return memory, m.start(r.Final())
}

// decoderCell is a cell with the state that starts from that of its layers.
type decoderCell interface {
	cells.Cell
	Initial(layers cells.State) cells.State
}

// summary is the source as a peeky decoder sees it, [B, H]: the h of the top layer in which it
// starts. Nil if it does not peek.
func (m *Model) summary(start cells.State) *nodes.Node {
	if !m.cfg.Peeky {
		return nil
	}
	top := m.decoder.Cells[len(m.decoder.Cells)-1]
	return start[len(start)-len(top.Parts())]
}

// over is the decoder as it attends to a memory and peeks at a summary, which are nil if it does
// not.
func (m *Model) over(memory *cells.Memory, summary *nodes.Node) (d decoderCell) {
	switch m.cfg.Attention {
	case BahdanauAttention:
		d = cells.Bahdanau{Layers: m.decoder, Memory: memory}
	case LuongAttention:
		d = cells.Luong{Layers: m.decoder, Memory: memory, Combine: m.combine}
	default:
		d = cells.Stacked{Layers: m.decoder}
	}
	if summary != nil {
		d = peeking{d, summary}
	}
	if m.cfg.Copy {
		d = pointing{d, m.gate}
	}
	return d
}

// seen are the places of what concerns the memory among the parts of the decoder; −1 where there is
// no such part.
func (m *Model) seen(d decoderCell) (weights, coverage, gate int) {
	n := len(d.Parts()) - 1
	weights, coverage, gate = -1, -1, -1
	if m.cfg.Copy {
		gate, n = n, n-1
	}
	if m.cfg.Coverage > 0 {
		coverage, n = n, n-1
	}
	if m.attention != nil {
		weights = n
	}
	return weights, coverage, gate
}

// peeking is a decoder that reads [x; summary].
type peeking struct {
	decoderCell
	summary *nodes.Node
}

func (p peeking) Step(x *nodes.Node, s cells.State) cells.State {
	return p.decoderCell.Step(nodes.Concat(-1, x, p.summary), s)
}

// logits of outputs y of the decoder, [..., H] to [..., V], with the given dropout before the
// output layer. The summary is nil if it does not peek.
func (m *Model) logits(y, summary *nodes.Node, dropout float64) *nodes.Node {
	if summary != nil {
		shape := slices.Clone(y.Shape())
		shape[len(shape)-1] = summary.Dim(-1)
		y = nodes.Concat(-1, y, nodes.Broadcast(summary, shape...))
	}
	if m.readW != nil {
		y = nodes.Tanh(nodes.Add(nodes.MatMul(y, m.readW), m.readB))
	}
	return m.out.Of(nodes.Dropout(y, dropout))
}

// Graph is a Model in a graph.
type Graph struct {
	Logits   *nodes.Node // [T, B, V]
	Weights  *nodes.Node // of the attention, [T, B, S]; nil if there is none
	Coverage *nodes.Node // after each step, [T, B, S]; nil without coverage
	Gate     *nodes.Node // logit of writing rather than copying, [T, B]; nil if it does not copy
}

// Forward builds the model into the graph of its operands: source ids [S, B] with lengths [B],
// and the target's tokens as the decoder reads them, [T, B], each after the one before, <bos>
// first. All steps are decoded, also behind the end of a target; a loss masks them. It panics
// with a *nodes.BuildError, as package nodes does.
//
// Teacher, if not nil, is scheduled sampling (Bengio et al., 2015): an input [1], the probability
// with which each step but the first reads the true token; otherwise it reads the likeliest token
// by the step before.
func (m *Model) Forward(src, lengths, tgtIn, teacher *nodes.Node, s unroll.Strategy) Graph {
	return m.ForwardOver(src, lengths, tgtIn, teacher, unroll.Options{Strategy: s})
}

// ForwardOver is Forward with an encoder and a decoder that are unrolled by the Strategy and the
// Recompute of o, and a decoder by its Cut.
func (m *Model) ForwardOver(src, lengths, tgtIn, teacher *nodes.Node, o unroll.Options) Graph {
	shared.NeedMade("Seq2Seq", m.store)
	memory, start := m.encode(src, lengths, o)
	summary := m.summary(start)
	decoder := m.over(memory, summary)
	var cell cells.Cell = decoder
	x := nodes.Dropout(nodes.Embedding(m.target, tgtIn, -1), m.cfg.IODropout)
	if T, B := tgtIn.Dim(0), tgtIn.Dim(1); teacher != nil && T > 1 {
		g := x.Graph()
		u := g.Noise(nodes.NoiseRequest{Label: "scheduled sampling", Kind: nodes.UniformNoise,
			Shape: []int{T - 1, B, 1}})
		x = nodes.Concat(-1, x, nodes.Concat(0, g.Const(1, 1, B, 1), nodes.Less(u, teacher)))
		cell = scheduled{decoder, m, summary}
	}
	o = unroll.Options{Strategy: o.Strategy, Cut: o.Cut, Recompute: o.Recompute}
	r := unroll.Over(cell).Unroll(x, decoder.Initial(start), o)
	out := Graph{Logits: m.logits(r.Y(), summary, m.cfg.IODropout)}
	weights, coverage, gate := m.seen(decoder)
	if coverage >= 0 {
		out.Coverage = r.Part(coverage)
	}
	if weights >= 0 {
		out.Weights = r.Part(weights)
	}
	if gate >= 0 {
		out.Gate = nodes.Reshape(r.Part(gate), tgtIn.Shape()...)
	}
	return out
}

// scheduled is a decoder that reads [e; coin]: the embedding of the true token where the coin is
// 1, else that of the token that it found likeliest itself.
type scheduled struct {
	cells.Cell
	m       *Model
	summary *nodes.Node
}

func (c scheduled) Step(x *nodes.Node, s cells.State) cells.State {
	n := x.Dim(-1) - 1
	said := nodes.ArgMax(c.m.logits(s[0], c.summary, 0))
	own := nodes.Embedding(c.m.target, said, -1)
	return c.Cell.Step(nodes.Select(nodes.Slice(x, -1, n, n+1), nodes.Slice(x, -1, 0, n), own), s)
}

const architecture = "Seq2Seq"

// Architecture is "Seq2Seq".
func (m *Model) Architecture() string { return architecture }

// Params holds the weights.
func (m *Model) Params() *nodes.Store { return m.store }

// Config is the configuration that the model was made with, defaults filled in.
func (m *Model) Config() Config { return m.cfg }

// Vocabularies are the tokens of the sources and those of the targets.
func (m *Model) Vocabularies() (source, target *text.Vocabulary) { return m.sources, m.targets }

// The vocabularies of a Model.
const (
	sourceFile = "source.json"
	targetFile = "target.json"
)

// Save writes config.json, source.json and target.json, which are the vocabularies, and
// model.safetensors to path; see zoo.Save.
func (m *Model) Save(path string) error { return zoo.Save(path, m) }

// Files are the files that Save writes beside the weights.
func (m *Model) Files() zoo.Files {
	return zoo.Files{Config: m.cfg, Extra: shared.PutCut(map[string]func(io.Writer) error{
		sourceFile: func(w io.Writer) error { _, err := m.sources.WriteTo(w); return err },
		targetFile: func(w io.Writer) error { _, err := m.targets.WriteTo(w); return err },
	}, m.cfg.Text)}
}

func init() { zoo.Register(architecture, open, sourceFile, targetFile, zoo.TokeniserFile) }

func open(d *zoo.Dir, cfg Config) (*Model, error) {
	source, err := shared.ReadVocabulary(d, sourceFile)
	if err != nil {
		return nil, err
	}
	target, err := shared.ReadVocabulary(d, targetFile)
	if err != nil {
		return nil, err
	}
	if err := shared.ReadCut(d, &cfg.Text); err != nil {
		return nil, err
	}
	return New(cfg, source, target, 0)
}

// Load is Load for a directory that must hold a Model.
func Load(dir string) (*Model, error) { return zoo.LoadAs[*Model](dir, "a Seq2Seq") }
