package golden_test

import (
	"fmt"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
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
		Bidirectional: enc.flag("bidirectional"), Bridge: c.word("bridge", "none", "tanh"),
		EmbedSource: c.whole("E_src"), EmbedTarget: c.whole("E_tgt"),
		Float64:   r.dtype == nodes.Float64,
		Attention: attention.word("kind", "none", "bahdanau", "luong"),
	}
	if cfg.Attention != "none" {
		cfg.Score = cells.Score(attention.word("score", "additive", "dot", "general", "concat"))
		cfg.ScoreHidden = attention.whole("A")
	}
	require.False(r, dec.flag("bidirectional"))
	require.EqualValues(r, cfg.EmbedSource, enc.whole("In"))
	dec.whole("In")
	cfg.Encoder, cfg.Decoder = recurrent(enc), recurrent(dec)
	for _, s := range []settings{enc, dec, attention} {
		s.done()
	}

	m, err := seq2seq.New(cfg, numbered(r, Vs), numbered(r, Vt), 1)
	require.NoError(r, err)
	r.store = m.Params()
	placeSeq2Seq(r, cfg)

	g := r.start(nodes.Options{})
	lengths := r.ints("tgt_lengths", B)
	out := m.Forward(r.ints("src", S, B), r.ints("src_lengths", B), r.ints("tgt_in", T, B), nil,
		r.strategy)
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

// recurrent reads what a cell configuration says of a stack.
func recurrent(c settings) zoo.Recurrent {
	r := zoo.Recurrent{Cell: c.word("cell", "rnn", "lstm", "gru"), Hidden: c.whole("H"),
		Layers: c.whole("layers")}
	require.True(c.t, c.flag("bias"))
	c.word("merge", "concat")
	switch r.Cell {
	case "rnn":
		r.Cell += ",activation=" + c.word("activation", "tanh")
	case "lstm":
		c.word("peephole", "none")
		require.False(c.t, c.flag("coupled"))
		require.Zero(c.t, c.whole("proj_size"))
	case "gru":
		c.word("reset", "after")
	}
	if _, ok := c.keys["bidirectional"]; ok {
		c.flag("bidirectional")
	}
	return r
}

// numbered is a vocabulary of n tokens.
func numbered(r *goldenRun, n int) *text.Vocabulary {
	specials := []string{text.BOS, text.EOS}
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
func placeSeq2Seq(r *goldenRun, cfg seq2seq.Config) {
	root := r.store.Root()
	r.place("src_embed.weight", verbatim(root.In("source").Shared("E")))
	r.place("tgt_embed.weight", verbatim(root.In("target").Shared("E")))
	r.place("out.weight", all(root.In("out").Shared("W")))
	r.place("out.bias", all(root.In("out").Shared("b")))
	parts := []string{"h"}
	if strings.HasPrefix(cfg.Encoder.Cell, "lstm") {
		parts = append(parts, "c")
	}
	for k := range cfg.Encoder.Layers {
		suffix := fmt.Sprintf("_l%d", k)
		s := root.In("encoder").In("l%d", k)
		if cfg.Bidirectional {
			placeCell(r, s.In("forward"), "encoder.", suffix, cfg.Encoder)
			placeCell(r, s.In("backward"), "encoder.", suffix+"_reverse", cfg.Encoder)
		} else {
			placeCell(r, s, "encoder.", suffix, cfg.Encoder)
		}
		placeCell(r, root.In("decoder").In("l%d", k), "decoder.", suffix, cfg.Decoder)
		if cfg.Bridge == "tanh" {
			for _, p := range parts {
				r.place(fmt.Sprintf("bridge_%s_l%d.weight", p, k),
					all(root.In("bridge").In("l%d", k).Shared("W_"+p)))
				r.place(fmt.Sprintf("bridge_%s_l%d.bias", p, k),
					all(root.In("bridge").In("l%d", k).Shared("b_"+p)))
			}
		}
	}
	if cfg.Attention == "luong" {
		r.place("attn_combine.weight", all(root.In("combine").Shared("W_c")))
	}
	if cfg.Attention != "none" {
		placeAttention(r, "attn.", root.In("attention"), cells.AttentionConfig{Score: cfg.Score})
	}
}

// placeCell says where the parameters of one layer in one direction are.
func placeCell(r *goldenRun, s *nodes.Scope, prefix, suffix string, c zoo.Recurrent) {
	r.place(prefix+"weight_ih"+suffix, all(s.Shared("W_ih")))
	r.place(prefix+"weight_hh"+suffix, all(s.Shared("W_hh")))
	r.place(prefix+"bias_ih"+suffix, all(s.Shared("b")))
	r.place(prefix+"bias_hh"+suffix, all(s.Shared("b")))
	if strings.HasPrefix(c.Cell, "gru") {
		r.place(prefix+"bias_hh"+suffix, []part{{param: s.Shared("b"), n: 2 * c.Hidden},
			{param: s.Shared("b_hn"), from: 2 * c.Hidden, n: c.Hidden}})
	}
}
