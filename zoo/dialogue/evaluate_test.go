package dialogue_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo/dialogue"
)

// oracle is the loss of one dialogue, laid out plainly: log p of each predicted turn, and its
// KL(q‖p). With eps 0 the latent variable is the posterior's mean.
func oracle(t *testing.T, m *dialogue.Model, d dialogue.Dialogue, s unroll.Strategy) (nll,
	kl []float64) {
	N, T := len(d), 1
	for _, ids := range d {
		T = max(T, len(ids)+1)
	}
	var in dialogue.Inputs
	S := 1 // places that may be copied, of the tokens of all turns
	for _, ids := range d {
		S += len(ids)
	}
	var loss, each, here *nodes.Node
	var out dialogue.Graph
	var target *nodes.Node
	require.NoError(t, nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{Dtype: m.Params().Dtype()})
		in = dialogue.Inputs{
			Words: g.IntInput("words", T, N, 1), Before: g.IntInput("before", T, N, 1),
			Lengths: g.IntInput("lengths", N, 1), Turns: g.IntInput("turns", 1),
		}
		if z := m.Config().Latent.Width; z > 0 {
			in.Eps = g.Const(0, N-1, 1, z)
		}
		if m.Config().Copy > 0 {
			in.Places, in.Counts = g.IntInput("places", S, N-1, 1), g.IntInput("counts", N-1, 1)
			here = g.Input("here", T, N-1, 1, S)
		}
		out = m.Forward(in, s)
		target = g.IntInput("target", T, N-1, 1)
		o := nodes.CrossEntropyOptions{Ignore: []int{-1}, Reduction: nodes.ReduceNone}
		if here == nil {
			each = nodes.Sum(nodes.CrossEntropy(out.Logits, target, o), 0, 2)
		} else {
			each = nodes.Sum(nodes.CopyCrossEntropy(out.Logits, out.Gate, out.Weights, here,
				target, o), 0, 2)
		}
		loss = nodes.Sum(each)
	}))
	keep := []*nodes.Node{each}
	if out.KL != nil {
		keep = append(keep, out.KL)
	}
	step, err := train.NewStep(loss, keep...)
	require.NoError(t, err)
	defer step.Close()
	var fed run.Inputs
	words, before, lengths := fed.Ints(in.Words), fed.Ints(in.Before), fed.Ints(in.Lengths)
	targets := fed.Ints(target)
	fed.Ints(in.Turns)[0] = N
	require.NoError(t, fed.Err())
	for i := range targets {
		targets[i] = -1
	}
	for n, ids := range d {
		lengths[n] = len(ids) + 1
		last := 0
		for k, id := range append(slices.Clone(ids), 1) {
			words[k*N+n], before[k*N+n] = id, last
			if last = id; n > 0 {
				targets[k*(N-1)+n-1] = id
			}
		}
	}
	if here != nil {
		feedCopies(&fed, d, m.Config().Copy, in, here)
		require.NoError(t, fed.Err())
	}
	_, err = step.Run(0, 0)
	require.NoError(t, err)
	return valuesOf(each), valuesOf(out.KL)
}

// feedCopies says what each turn of a dialogue of known words may copy: the last so many tokens.
func feedCopies(fed *run.Inputs, d dialogue.Dialogue, last int, in dialogue.Inputs,
	here *nodes.Node) {
	places, counts, is := fed.Ints(in.Places), fed.Ints(in.Counts), fed.Floats(here)
	N, S := len(d), in.Places.Dim(0)
	for n := 1; n < N; n++ {
		var at, said []int
		for before := range n {
			for t, id := range d[before] {
				at, said = append(at, t*N+before), append(said, id)
			}
		}
		first := max(0, len(at)-last)
		at, said = at[first:], said[first:]
		counts[n-1] = len(at)
		for s := range at {
			places[s*(N-1)+n-1] = at[s]
			for t, id := range append(slices.Clone(d[n]), 1) {
				if id == said[s] {
					is.Set((t*(N-1)+n-1)*S+s, 1)
				}
			}
		}
	}
}

func valuesOf(n *nodes.Node) (out []float64) {
	if n == nil {
		return nil
	}
	switch d := n.Value().Data().(type) {
	case []float32:
		for _, x := range d {
			out = append(out, float64(x))
		}
	case []float64:
		out = slices.Clone(d)
	}
	return out
}

func total(xs ...float64) (sum float64) {
	for _, x := range xs {
		sum += x
	}
	return sum
}

// What is measured of many dialogues side by side, sorted and cut into groups, is what each gives
// alone, laid out plainly.
func TestHREDEvaluatesAsLaidOutPlainly(t *testing.T) {
	for name, cfg := range hredConfigs {
		t.Run(name, func(t *testing.T) {
			m := newHRED(t, cfg)
			ds := dialogues(11, 7, 9, 3)
			var o dialogue.EvaluateOptions
			if cfg.Latent.Width > 0 {
				o.Samples = 2
			}
			score, err := m.Evaluate(context.Background(), ds, o)
			require.NoError(t, err)
			var nll, kl float64
			var turns, tokens int
			for i, d := range ds {
				a, b := oracle(t, m, d, unroll.Strategy(i%2))
				nll, kl = nll+total(a...), kl+total(b...)
				turns += len(d) - 1
				for _, ids := range d[1:] {
					tokens += len(ids) + 1
				}
			}
			require.Equal(t, turns, score.Turns)
			require.Equal(t, tokens, score.Tokens)
			require.InDelta(t, kl/float64(turns), score.KL, 1e-4)
			require.InDelta(t, score.Bound, score.Reconstruction+kl/float64(tokens), 1e-5)
			if cfg.Latent.Width == 0 {
				require.InDelta(t, nll/float64(tokens), score.Bound, 1e-5)
				require.InDelta(t, score.Bound, score.Weighted, 1e-9)
				require.InDelta(t, math.Exp(score.Bound), score.Perplexity(), 1e-9)
			} else {
				require.Less(t, score.Weighted, score.Bound)
			}
		})
	}
}
