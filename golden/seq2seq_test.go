package golden_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// runSeq2Seq runs the family seq2seq.
func runSeq2Seq(r *goldenRun) {
	c := r.config
	B, S, T := c.whole("B"), c.whole("S"), c.whole("T")
	Vs, Vt := c.whole("V_src"), c.whole("V_tgt")
	enc, dec, attention := c.object("encoder"), c.object("decoder"), c.object("attention")
	cfg := seq2seq.Config{
		Bidirectional: enc.flag("bidirectional"), Bridge: seq2seq.Bridge(c.word("bridge", "none", "tanh")),
		EmbedSource: c.whole("E_src"), EmbedTarget: c.whole("E_tgt"),
		Float64:   r.dtype == nodes.Float64,
		Attention: seq2seq.Attention(attention.word("kind", "none", "bahdanau", "luong")),
	}
	if cfg.Attention == "none" {
		attention.without("score", "A")
	} else {
		cfg.Score = cells.Score(attention.word("score", "additive", "dot", "general", "concat"))
		cfg.ScoreHidden = attention.whole("A")
	}
	require.False(r, dec.flag("bidirectional"))
	require.EqualValues(r, cfg.EmbedSource, enc.whole("In"))
	dec.whole("In")
	var cellsOf [2][]goldenCell
	cfg.Encoder, cellsOf[0] = recurrent(enc, cfg.Bidirectional)
	cfg.Decoder, cellsOf[1] = recurrent(dec, false)
	cut := cutOf(c)
	for _, s := range []settings{enc, dec, attention} {
		s.done()
	}

	m, err := seq2seq.New(cfg, numbered(r, Vs), numbered(r, Vt), 1)
	require.NoError(r, err)
	r.store = m.Params()
	placeSeq2Seq(r, cfg, cellsOf[0], cellsOf[1])

	g := r.start(nodes.Options{})
	lengths := r.ints("tgt_lengths", B)
	out := m.ForwardOver(r.ints("src", S, B), r.ints("src_lengths", B), r.ints("tgt_in", T, B), nil,
		unroll.Options{Strategy: r.strategy, Cut: cut})
	live := nodes.LengthMask(lengths, T) // [T, B, 1]
	r.output("logits", nodes.Mul(out.Logits, live))
	if out.Weights != nil {
		r.output("weights", nodes.Transpose(nodes.Mul(out.Weights, live), 1, 0, 2))
	}
	nll := nodes.CrossEntropy(out.Logits, r.ints("tgt_out", T, B),
		nodes.CrossEntropyOptions{Reduction: nodes.ReduceNone})
	sum, tokens := nodes.Sum(nodes.Mul(nll, nodes.Reshape(live, T, B))), nodes.Sum(live)
	r.output("nll_sum", sum)
	r.output("tokens", tokens)
	if c.word("reduction", "mean", "batch") == "mean" {
		r.check(nodes.Div(sum, tokens))
	} else {
		r.check(nodes.Div(sum, g.Const(float64(B))))
	}
}

// cutOf is k1, before every how many steps a decoder's gradient is cut; 0 where nothing is said of
// it.
func cutOf(c settings) int {
	if c.keys["k1"] == nil {
		delete(c.keys, "k1")
		return 0
	}
	return c.whole("k1")
}

// recurrent reads what a cell configuration says of a stack. How it merges says nothing of one that
// does not read both ways.
func recurrent(c settings, bothWays bool) (zoo.Recurrent, []goldenCell) {
	layers, mixed := layersOf(c)
	stack := zoo.Recurrent{Cell: layers[0].spec, Hidden: layers[0].hidden, Layers: len(layers)}
	if merge := mergeOf(c); bothWays {
		stack.Merge = merge
	}
	if mixed {
		var specs []string
		for _, l := range layers {
			specs = append(specs, fmt.Sprintf("%s,hidden=%d", l.spec, l.hidden))
		}
		stack.Cell, stack.Residual = strings.Join(specs, "/"), c.flag("residual")
	}
	return stack, layers
}

// numbered is a vocabulary of n tokens.
func numbered(r *goldenRun, n int) *text.Vocabulary {
	specials := []string{text.BOS, text.EOS}[:min(n, 2)]
	var tokens []string
	for i := range n - len(specials) {
		tokens = append(tokens, fmt.Sprint(i))
	}
	v, err := text.NewVocabulary(text.VocabularyConfig{Specials: specials},
		append(tokens, specials...))
	require.NoError(r, err)
	return v
}

// placeSeq2Seq says where the parameters of a case are in the model.
func placeSeq2Seq(r *goldenRun, cfg seq2seq.Config, encoder, decoder []goldenCell) {
	root := r.store.Root()
	r.place("src_embed.weight", verbatim(root.In("source").Shared("E")))
	r.place("tgt_embed.weight", verbatim(root.In("target").Shared("E")))
	r.place("out.weight", all(root.In("out").Shared("W")))
	r.place("out.bias", all(root.In("out").Shared("b")))
	for k := range cfg.Encoder.Layers {
		suffix := fmt.Sprintf("_l%d", k)
		s := root.In("encoder").In("l%d", k)
		if cfg.Bidirectional {
			encoder[k].place(r, s.In("forward"), "encoder.", suffix)
			encoder[k].place(r, s.In("backward"), "encoder.", suffix+"_reverse")
		} else {
			encoder[k].place(r, s, "encoder.", suffix)
		}
		decoder[k].place(r, root.In("decoder").In("l%d", k), "decoder.", suffix)
		if cfg.Bridge == "tanh" {
			placeBridge(r, k, decoder[k], encoder[k])
		}
	}
	if cfg.Attention == "luong" {
		r.place("attn_combine.weight", all(root.In("combine").Shared("W_c")))
	}
	if cfg.Attention != "none" {
		placeAttention(r, "attn.", root.In("attention"), cells.AttentionConfig{Score: cfg.Score})
	}
}

// placeBridge says where the parameters of the bridge between layers k are. A file may have one for
// each part of the encoder's state, also for those that the decoder lacks: nothing reads them.
func placeBridge(r *goldenRun, k int, decoder, encoder goldenCell) {
	s := r.store.Root().In("bridge").In("l%d", k)
	name := func(part, of string) string { return fmt.Sprintf("bridge_%s_l%d.%s", part, k, of) }
	for _, p := range decoder.states() {
		r.place(name(p, "weight"), all(s.Shared("W_"+p)))
		r.place(name(p, "bias"), all(s.Shared("b_"+p)))
	}
	for _, p := range encoder.states() {
		if !slices.Contains(decoder.states(), p) {
			r.spare(name(p, "weight"))
			r.spare(name(p, "bias"))
		}
	}
}
