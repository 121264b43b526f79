package cells_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/nodes"
)

// attended is a query to a memory of S places, with an outcome of values and all gradients.
type attended struct {
	dtype   tensor.Dtype
	lengths []int
	behind  float64 // what keys and values hold behind the lengths; 0: numbers like all others
	own     bool    // values of their own
	declare func(s *nodes.Scope) interface {
		Over(keys, values, lengths *nodes.Node) *cells.Memory
	}
}

func (a attended) run(t *testing.T, options ...graph.Option) [][]float64 {
	const S, E, Q = 3, 4, 2
	B := len(a.lengths)
	g, store := nodes.NewGraph(nodes.Options{Dtype: a.dtype}), nodes.NewStore(a.dtype, 1)
	places := func(name string) *nodes.Node {
		n := randomInput(g, name, S, B, E)
		for s := range S {
			for b := range B {
				for e := range E {
					if a.behind != 0 && s >= a.lengths[b] {
						v := n.Value().(*tensor.Dense)
						if a.dtype == nodes.Float32 {
							v.Set((s*B+b)*E+e, float32(a.behind))
						} else {
							v.Set((s*B+b)*E+e, a.behind)
						}
					}
				}
			}
		}
		return n
	}
	var want []*nodes.Node
	require.NoError(t, nodes.Try(func() {
		keys, query := places("keys"), randomInput(g, "query", Q, B, E)
		wrt := []nodes.Operand{keys, query}
		var values *nodes.Node
		if a.own {
			values = places("values")
			wrt = append(wrt, values)
		}
		context, weights := a.declare(store.Root()).Over(keys, values,
			lengthsOf(g, a.lengths...)).Attend(query, nil)
		loss := nodes.Add(nodes.Sum(nodes.Square(context)), nodes.Sum(nodes.Square(weights)))
		for _, p := range store.Params() {
			wrt = append(wrt, p)
		}
		want = append([]*nodes.Node{context, weights}, g.Gradients(loss, wrt...)...)
	}))
	var raw []*gorgonia.Node
	for _, n := range want {
		raw = append(raw, n.Gorgonia())
	}
	m, err := graph.Compile(g.Expr(), append(options, graph.Keep(raw...))...)
	require.NoError(t, err)
	require.NoError(t, m.RunAll())
	defer m.Close()
	return allFloats(want)
}

// What stands at places behind the end of a sequence is in no context and in no gradient.
func TestPlacesBehindTheEndAreNotRead(t *testing.T) {
	type memories = interface {
		Over(keys, values, lengths *nodes.Node) *cells.Memory
	}
	attentions := map[string]func(s *nodes.Scope) memories{
		"multi-head": func(s *nodes.Scope) memories {
			return cells.NewMultiHead(s, cells.MultiHeadConfig{Query: 4, Heads: 2})
		},
		"causal": func(s *nodes.Scope) memories {
			return cells.NewAttention(s, cells.AttentionConfig{Query: 4, Key: 4, Causal: true})
		},
	}
	for _, score := range []cells.Score{cells.AdditiveScore, cells.DotScore, cells.GeneralScore,
		cells.ConcatScore, cells.ScaledDotScore} {
		attentions[string(score)] = func(s *nodes.Scope) memories {
			return cells.NewAttention(s, cells.AttentionConfig{Score: score, Query: 4, Key: 4,
				Bias: score == cells.AdditiveScore})
		}
	}
	for name, declare := range attentions {
		for _, own := range []bool{false, true} {
			for i, options := range [][]graph.Option{nil, {graph.Plain()}} {
				a := attended{dtype: []tensor.Dtype{nodes.Float32, nodes.Float64}[i],
					lengths: []int{2, 0, 3, 1}, own: own, declare: declare}
				want := a.run(t, options...)
				for _, a.behind = range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
					require.Equal(t, want, a.run(t, options...),
						fmt.Sprintf("%s, own values %t, %v behind the ends", name, own, a.behind))
				}
			}
		}
	}
}
