package golden_test

import (
	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
)

// whole is no strategy: all queries of a case at once.
const whole unroll.Strategy = -1

var attentions = append([]mode{{"whole/float64", nodes.Float64, whole},
	{"whole/float32", nodes.Float32, whole}}, unrolled...)

// runAttention runs the family attention: all queries at once, and as the steps of a recurrence
// that attends.
func runAttention(r *goldenRun) {
	c := r.config
	B, Tq, S := c.whole("B"), c.whole("Tq"), c.whole("S")
	score := c.word("score", "additive", "dot", "general", "concat", "scaled_dot", "multihead")
	causal := c.flag("causal")
	r.start(nodes.Options{})
	var query, keys, values *nodes.Node
	var over func(keys, values, lengths *nodes.Node) *cells.Memory
	heads := 1
	if score == "multihead" {
		E := c.whole("E")
		heads = c.whole("heads")
		query = r.input("query", Tq, B, E)
		keys, values = query, query
		if !c.flag("self_attention") {
			keys, values = r.input("keys", S, B, E), r.input("values", S, B, E)
		}
		over = multiHead(r, cells.MultiHeadConfig{Query: E, Heads: heads, NoBias: !c.flag("bias"),
			Causal: causal}).Over
	} else {
		Q, K := c.whole("Q"), c.whole("K")
		query, keys = r.input("query", Tq, B, Q), r.input("keys", S, B, K)
		if Vd := c.whole("Vd"); c.word("values", "keys", "separate") == "separate" {
			values = r.input("values", S, B, Vd)
		}
		over = attention(r, "", cells.AttentionConfig{
			Score: cells.Score(score), Query: Q, Key: K, Hidden: c.whole("A"), Bias: c.flag("bias"),
			Causal: causal,
		}).Over
	}
	memory := over(keys, values, r.ints("source_lengths", B))

	var context, weights *nodes.Node
	if r.strategy == whole || causal {
		context, weights = memory.Attend(query, nil)
	} else {
		result := unroll.Over(attendCell{memory, heads}).Unroll(query, nil,
			unroll.Options{Strategy: r.strategy})
		context = result.Y()
		weights = nodes.Reshape(nodes.Transpose(nodes.Reshape(result.Part(1), Tq, B, heads, S), 1,
			2, 0, 3), B*heads, Tq, S)
		if score == "multihead" {
			weights = nodes.Reshape(weights, B, heads, Tq, S)
		}
	}
	r.output("context", context)
	r.output("weights", weights)
	r.check(r.cotangentLoss())
}

// attendCell answers each query of a sequence.
type attendCell struct {
	*cells.Memory
	heads int
}

func (a attendCell) Parts() []cells.Part {
	return []cells.Part{{Name: "context", Width: a.Width()},
		{Name: "weights", Width: a.heads * a.Places()}}
}

func (a attendCell) Step(x *nodes.Node, _ cells.State) cells.State {
	context, weights := a.Attend(x, nil)
	return cells.State{context, nodes.Reshape(weights, x.Dim(0), -1)}
}

// attention declares an attention and places its parameters, which have the given prefix.
func attention(r *goldenRun, prefix string, cfg cells.AttentionConfig) *cells.Attention {
	s := r.store.Root().In("attention")
	a := cells.NewAttention(s, cfg)
	placeAttention(r, prefix, s, cfg)
	return a
}

func placeAttention(r *goldenRun, prefix string, s *nodes.Scope, cfg cells.AttentionConfig) {
	place := func(name, leaf string) { r.place(prefix+name, all(s.Shared(leaf))) }
	switch cfg.Score {
	case cells.AdditiveScore:
		place("weight_q", "W_q")
		place("weight_k", "W_k")
		place("v", "v")
		if cfg.Bias {
			place("bias", "b")
		}
	case cells.GeneralScore:
		r.place(prefix+"weight", verbatim(s.Shared("W")))
	case cells.ConcatScore:
		place("weight", "W")
		place("v", "v")
	}
}

func multiHead(r *goldenRun, cfg cells.MultiHeadConfig) *cells.MultiHead {
	s, E := r.store.Root().In("attention"), cfg.Query
	m := cells.NewMultiHead(s, cfg)
	for weight, leaf := range map[string]string{"in_proj_weight": "W_", "in_proj_bias": "b_"} {
		var parts []part
		for i, of := range []string{"q", "k", "v"} {
			if _, ok := r.store.Get("attention/" + leaf + of); ok {
				parts = append(parts, part{param: s.Shared(leaf + of), from: i * E, n: E})
			}
		}
		if parts != nil {
			r.place(weight, parts)
		}
	}
	r.place("out_proj.weight", all(s.Shared("W_o")))
	if !cfg.NoBias {
		r.place("out_proj.bias", all(s.Shared("b_o")))
	}
	require.Equal(r, cfg.Heads*(E/cfg.Heads), E)
	return m
}
