package cells_test

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/gradcheck"
	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
)

func TestAttentionManifest(t *testing.T) {
	for name, declare := range map[string]func(s *nodes.Scope){
		"attention_additive": func(s *nodes.Scope) {
			cells.NewAttention(s, cells.AttentionConfig{Query: 3, Key: 4, Hidden: 5, Bias: true,
				Coverage: true})
		},
		"attention_general": func(s *nodes.Scope) {
			cells.NewAttention(s, cells.AttentionConfig{Score: cells.GeneralScore, Query: 3,
				Key: 4})
		},
		"attention_concat": func(s *nodes.Scope) {
			cells.NewAttention(s, cells.AttentionConfig{Score: cells.ConcatScore, Query: 3, Key: 4})
		},
		"multihead": func(s *nodes.Scope) {
			cells.NewMultiHead(s, cells.MultiHeadConfig{Query: 3, Key: 5, Value: 2, Width: 4,
				Heads: 2})
		},
	} {
		t.Run(name, func(t *testing.T) {
			store := nodes.NewStore(nodes.Float32, 1)
			declare(store.Root().In("attention"))
			var b strings.Builder
			for _, p := range store.Params() {
				fmt.Fprintf(&b, "%-16s %-8s %4d\n", p.Name(), ops.ShapeString(p.Shape()),
					ops.Size(p.Shape()))
			}
			requireGolden(t, filepath.Join("testdata", "manifest", name+".txt"), b.String())
		})
	}
}

// lengthsOf is an input of lengths.
func lengthsOf(g *nodes.Graph, lengths ...int) *nodes.Node {
	n := g.IntInput("lengths", len(lengths))
	if err := gorgonia.Let(n.Gorgonia(), tensor.New(tensor.WithShape(len(lengths)),
		tensor.WithBacking(lengths))); err != nil {
		panic(err)
	}
	return n
}

// Whatever is behind a length, also NaN, does not matter; an empty sequence has nothing, and no
// NaN.
func TestAttentionLengths(t *testing.T) {
	for _, dtype := range []tensor.Dtype{nodes.Float64, nodes.Float32} {
		for _, score := range []cells.Score{cells.AdditiveScore, cells.DotScore, cells.GeneralScore,
			cells.ConcatScore, cells.ScaledDotScore} {
			store := nodes.NewStore(dtype, 1)
			var context, weights *nodes.Node
			g := nodes.NewGraph(nodes.Options{Dtype: dtype})
			require.NoError(t, nodes.Try(func() {
				a := cells.NewAttention(store.Root(),
					cells.AttentionConfig{Score: score, Query: 2, Key: 2, Hidden: 3})
				keys := nodes.Scale(randomInput(g, "keys", 3, 3, 2), 1e4)
				m := a.Over(keys, nil, lengthsOf(g, 2, 0, 3))
				require.Equal(t, 3, m.Places())
				require.Equal(t, 2, m.Width())
				context, weights = m.Attend(randomInput(g, "query", 3, 2), nil)
			}))
			require.NoError(t, compile(t, g, context, weights).RunAll())
			w := testkit.Floats(weights.Value())
			sum := func(b int) float64 { return w[b*3] + w[b*3+1] + w[b*3+2] }
			require.InDelta(t, 1, sum(0), 1e-6, score)
			require.Zero(t, w[2], score)
			require.Zero(t, sum(1), score)
			require.InDelta(t, 1, sum(2), 1e-6, score)
			require.Equal(t, []float64{0, 0}, testkit.Floats(context.Value())[2:4], score)
			for _, c := range testkit.Floats(context.Value()) {
				require.False(t, math.IsNaN(c), score)
			}
		}
	}
}

// The score with coverage, by plain loops.
func TestAttentionCoverage(t *testing.T) {
	const B, S, Q, K, A = 2, 3, 2, 3, 4
	store := nodes.NewStore(nodes.Float64, 1)
	g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
	var query, keys, coverage, got, loss *nodes.Node
	require.NoError(t, nodes.Try(func() {
		a := cells.NewAttention(store.Root().In("cell"),
			cells.AttentionConfig{Query: Q, Key: K, Hidden: A, Bias: true, Coverage: true})
		query, keys, coverage = randomInput(g, "query", B, Q), randomInput(g, "keys", S, B, K),
			randomInput(g, "coverage", B, S)
		_, got = a.Over(keys, nil, nil).Attend(query, coverage)
		loss = cells.CoverageLoss(got, nodes.Add(got, coverage))
	}))
	for _, p := range store.Params() {
		randomise(p.Value(), p.Name())
	}
	require.NoError(t, compile(t, g, got, loss).RunAll())
	w, q, k, c := weights{store}, testkit.Floats(query.Value()), testkit.Floats(keys.Value()),
		testkit.Floats(coverage.Value())
	for b := range B {
		e, z := make([]float64, S), 0.0
		for s := range S {
			for j := range A {
				a := w.row(q[b*Q:(b+1)*Q], "W_q", j) + w.row(k[(s*B+b)*K:(s*B+b+1)*K], "W_k", j) +
					w.at("b", 0, j) + c[b*S+s]*w.at("w_c", 0, j)
				e[s] += math.Tanh(a) * w.at("v", 0, j)
			}
			e[s] = math.Exp(e[s])
			z += e[s]
		}
		overlap := 0.0
		for s := range S {
			e[s] /= z
			overlap += min(e[s], c[b*S+s])
		}
		testkit.RequireClose(t, e, testkit.Floats(got.Value())[b*S:(b+1)*S], 1e-12, "weights")
		require.InDelta(t, overlap, testkit.Floats(loss.Value())[b], 1e-12)
	}
}

// Decoders of two layers with attention, through both unrollers: gradients of everything, and the
// same from both.
func TestDecoderGradients(t *testing.T) {
	const T, B, In, H, S, K = 3, 2, 2, 3, 3, 2
	type decoder interface {
		cells.Cell
		Initial(cells.State) cells.State
	}
	decoders := map[string]func(root *nodes.Scope, m *cells.Memory) decoder{
		"bahdanau": func(root *nodes.Scope, m *cells.Memory) decoder {
			return cells.Bahdanau{Memory: m, Layers: cells.Layers{Residual: true,
				Cells: []cells.Cell{
					cells.NewLSTM(root.In("l0"), cells.LSTMConfig{In: In + K, Hidden: H}),
					cells.NewGRU(root.In("l1"), cells.GRUConfig{In: H, Hidden: H}),
				}}}
		},
		"luong": func(root *nodes.Scope, m *cells.Memory) decoder {
			return cells.Luong{Memory: m, Combine: root.Param("W_c", nodes.XavierUniform(1), K+H,
				4), Layers: cells.Layers{Cells: []cells.Cell{
				cells.NewLSTM(root.In("l0"), cells.LSTMConfig{In: In + 4, Hidden: H}),
				cells.NewGRU(root.In("l1"), cells.GRUConfig{In: H, Hidden: H}),
			}}}
		},
	}
	decoders["stacked"] = func(root *nodes.Scope, m *cells.Memory) decoder {
		return cells.Stacked{Layers: cells.Layers{Residual: true, Cells: []cells.Cell{
			cells.NewLSTM(root.In("l0"), cells.LSTMConfig{In: In, Hidden: H}),
			cells.NewGRU(root.In("l1"), cells.GRUConfig{In: H, Hidden: H}),
		}}}
	}
	for name, newDecoder := range decoders {
		for _, strategy := range []unroll.Strategy{unroll.Scan, unroll.Expand} {
			t.Run(fmt.Sprint(name, " ", strategy), func(t *testing.T) {
				build := func(g *nodes.Graph, in []*nodes.Node) *nodes.Node {
					root := nodes.NewStore(g.Dtype(), 1).Root()
					a := cells.NewAttention(root.In("attention"),
						cells.AttentionConfig{Query: H, Key: K, Coverage: true})
					m := a.Over(in[1], nil, lengthsOf(g, 3, 2))
					d := newDecoder(root, m)
					r := unroll.Over(d).Unroll(in[0], d.Initial(cells.State{in[2], in[3], in[4]}),
						unroll.Options{Strategy: strategy})
					n := len(d.Parts())
					if name == "stacked" {
						return nodes.Add(gradcheck.Weigh(r.Y()), gradcheck.Weigh(r.Part(2)))
					}
					again := cells.CoverageLoss(r.Part(n-2), r.Part(n-1))
					return nodes.Add(gradcheck.Weigh(r.Y()), nodes.Sum(again),
						gradcheck.Weigh(r.Part(n-2)))
				}
				gradcheck.Check(t, build, gradcheck.Between(-1, 1, 1, T, B, In),
					gradcheck.Between(-1, 1, 2, S, B, K),
					gradcheck.Between(-1, 1, 3, B, H), gradcheck.Between(-1, 1, 4, B, H),
					gradcheck.Between(-1, 1, 5, B, H))
			})
		}
	}
}

// A memory whose parts are fed to another graph is the same memory, also for more sequences.
func TestMemoryInput(t *testing.T) {
	store := nodes.NewStore(nodes.Float32, 1)
	g, step := nodes.NewGraph(nodes.Options{}), nodes.NewGraph(nodes.Options{})
	var m, in *cells.Memory
	var want, got *nodes.Node
	require.NoError(t, nodes.Try(func() {
		a := cells.NewMultiHead(store.Root(), cells.MultiHeadConfig{Query: 4, Heads: 2})
		m = a.Over(randomInput(g, "keys", 3, 2, 4), nil, lengthsOf(g, 3, 1))
		want, _ = m.Attend(randomInput(g, "query", 2, 4), nil)
		in = m.Input(step, 4)
		q := randomInput(step, "query", 2, 4)
		got, _ = in.Attend(nodes.Concat(0, q, q), nil)
	}))
	require.NoError(t, compile(t, g, append(m.Nodes(), want)...).RunAll())
	for i, n := range m.Nodes() {
		v := testkit.Floats(n.Value())
		fed := make([]float32, 0, 2*len(v))
		for range 2 {
			for _, x := range v {
				fed = append(fed, float32(x))
			}
		}
		to := in.Nodes()[i]
		require.NoError(t, gorgonia.Let(to.Gorgonia(),
			tensor.New(tensor.WithShape(to.Shape()...), tensor.WithBacking(fed))))
	}
	require.NoError(t, compile(t, step, got).RunAll())
	testkit.RequireClose(t, append(testkit.Floats(want.Value()), testkit.Floats(want.Value())...),
		testkit.Floats(got.Value()), 1e-6, "context")
}

func TestAttentionErrors(t *testing.T) {
	for _, c := range []struct {
		cfg  cells.AttentionConfig
		want string
	}{
		{cells.AttentionConfig{}, "Query is 0"},
		{cells.AttentionConfig{Query: 2}, "Key is 0"},
		{cells.AttentionConfig{Score: "cosine", Query: 2, Key: 2},
			"want additive, dot, general, concat or scaled_dot"},
		{cells.AttentionConfig{Score: cells.DotScore, Query: 2, Key: 3}, "want equal widths"},
		{cells.AttentionConfig{Query: 2, Key: 3, Hidden: -1}, "Hidden is -1"},
		{cells.AttentionConfig{Score: cells.DotScore, Query: 2, Coverage: true},
			"belong to the additive score"},
		{cells.AttentionConfig{Query: 2, Key: 2, Causal: true, Coverage: true}, "whole sequences"},
	} {
		require.ErrorContains(t, c.cfg.Validate(), c.want)
		require.Error(t, nodes.Try(func() {
			cells.NewAttention(nodes.NewStore(nodes.Float32,
				1).Root(), c.cfg)
		}))
	}
	require.ErrorContains(t, cells.MultiHeadConfig{Query: 4, Heads: 3}.Validate(),
		"multiple of the 3 heads")
	require.ErrorContains(t, cells.MultiHeadConfig{}.Validate(), "Query is 0")

	g := nodes.NewGraph(nodes.Options{})
	keys, query := g.Input("keys", 3, 2, 4), g.Input("query", 2, 4)
	root := nodes.NewStore(nodes.Float32, 1).Root()
	dot := cells.NewAttention(root, cells.AttentionConfig{Score: cells.DotScore, Query: 4})
	causal := cells.NewAttention(root, cells.AttentionConfig{Score: cells.DotScore, Query: 4,
		Causal: true})
	memory := dot.Over(keys, nil, nil)
	for want, build := range map[string]func(){
		"keys must be [S, B, Key]": func() { dot.Over(query, nil, nil) },
		"are 5 wide, want 4":       func() { dot.Over(g.Input("wide", 3, 2, 5), nil, nil) },
		"with the same S and B": func() {
			dot.Over(keys, g.Input("values", 3, 1, 4),
				nil)
		},
		"lengths are [3]: want one a sequence, [2]; the keys are [3 2 4], which looks like [B, S, Key]": func() {
			dot.Over(keys, nil,
				g.IntInput("lengths", 3))
		},
		"the query is nil":           func() { memory.Attend(nil, nil) },
		"want [Tq, 2, Query]":        func() { memory.Attend(g.Input("q3", 3, 4), nil) },
		"queries are 5 wide, want 4": func() { memory.Attend(g.Input("q5", 2, 5), nil) },
		"made with Coverage": func() {
			memory.Attend(query,
				g.Input("coverage", 2, 3))
		},
		"causal attention for a whole": func() {
			causal.Over(keys, nil, nil).Attend(query,
				nil)
		},
		"want one layer or more": func() { cells.Bahdanau{Memory: memory}.Parts() },
		"the memory is nil":      func() { cells.Bahdanau{Layers: oneLayer(root.In("a"))}.Parts() },
		"Combine is nil": func() {
			cells.Luong{Memory: memory,
				Layers: oneLayer(root.In("b"))}.Parts()
		},
		"a state of 0 parts for the layer": func() {
			cells.Bahdanau{Memory: memory,
				Layers: oneLayer(root.In("c"))}.Initial(nil)
		},
	} {
		require.ErrorContains(t, nodes.Try(build), want)
	}
}

func oneLayer(s *nodes.Scope) cells.Layers {
	return cells.Layers{Cells: []cells.Cell{cells.NewRNN(s, cells.RNNConfig{In: 2, Hidden: 3})}}
}
