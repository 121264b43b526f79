package ngram_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	_ "github.com/seqzoo/seqzoo/internal/testkit" // one seed

	"github.com/seqzoo/seqzoo/examples/nextword/ngram"
)

func TestUnigram(t *testing.T) {
	u, err := ngram.NewUnigram([]int{0, 1, 0}, 3, 0.5)
	require.NoError(t, err)
	require.InDelta(t, 2.5/4.5, u.P(0, 0), 1e-15)
	require.InDelta(t, 1.5/4.5, u.P(2, 1), 1e-15)
	require.InDelta(t, 0.5/4.5, u.P(1, 2), 1e-15)
	u, err = ngram.NewUnigram(nil, 4, 1)
	require.NoError(t, err)
	require.InDelta(t, 4, ngram.Perplexity(u, []int{0, 1, 2, 3}), 1e-12)
}

// Worked by hand: the pairs of 0 1 0 1 2 0 are 01 twice, 10, 12 and 20 once.
func TestBigram(t *testing.T) {
	b, err := ngram.NewBigram([]int{0, 1, 0, 1, 2, 0}, 4)
	require.NoError(t, err)
	const d = 3. / (3 + 2*1)  // three pairs once, one twice
	const d1 = 2. / (2 + 2*1) // 1 and 2 follow one kind, 0 follows two
	lower := func(n float64) float64 { return max(n-d1, 0)/4 + d1*3/4/4 }
	for _, c := range []struct {
		context, next int
		want          float64
	}{
		{0, 0, d / 2 * lower(2)},
		{0, 1, (2-d)/2 + d/2*lower(1)},
		{1, 0, (1-d)/2 + 2*d/2*lower(2)},
		{1, 3, 2 * d / 2 * lower(0)},
		{2, 0, (1 - d) + d*lower(2)},
		{3, 0, lower(2)}, // 3 was never a context
		{3, 3, lower(0)},
	} {
		require.InDelta(t, c.want, b.P(c.context, c.next), 1e-15, "%d after %d", c.next, c.context)
	}
}

// Nothing is impossible, and the probabilities after every context sum to 1.
func TestNormalised(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.IntRange(1, 13).Draw(t, "vocabulary")
		ids := rapid.SliceOfN(rapid.IntRange(0, v-1), 2, 60).Draw(t, "ids")
		b, err := ngram.NewBigram(ids, v)
		require.NoError(t, err)
		u, err := ngram.NewUnigram(ids, v, 1)
		require.NoError(t, err)
		for _, m := range []ngram.Model{u, b} {
			for context := range v {
				sum := 0.
				for next := range v {
					p := m.P(context, next)
					require.Greater(t, p, 0.)
					sum += p
				}
				require.InDelta(t, 1, sum, 1e-12)
			}
		}
	})
}

func TestPerplexity(t *testing.T) {
	ids := make([]int, 1000) // 0 1 2 0 1 2 …: what follows is certain, but for the discount
	for i := range ids {
		ids[i] = i % 3
	}
	b, err := ngram.NewBigram(ids, 3)
	require.NoError(t, err)
	require.InDelta(t, 1, ngram.Perplexity(b, ids), 0.01)
	u, err := ngram.NewUnigram(ids, 3, 1)
	require.NoError(t, err)
	require.InDelta(t, 3, ngram.Perplexity(u, ids), 0.01)
	require.True(t, math.IsNaN(ngram.Perplexity(u, ids[:1])))
	require.True(t, math.IsNaN(ngram.Perplexity(u, nil)))
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		ids        []int
		vocabulary int
		want       string
	}{
		{[]int{0, 1}, 0, "the vocabulary has 0 tokens"},
		{[]int{0, 2}, 2, "ids[1] is 2; the vocabulary has ids 0 to 1"},
		{[]int{-1, 1}, 2, "ids[0] is -1"},
	} {
		_, err := ngram.NewBigram(c.ids, c.vocabulary)
		require.ErrorContains(t, err, c.want)
		_, err = ngram.NewUnigram(c.ids, c.vocabulary, 1)
		require.ErrorContains(t, err, c.want)
	}
	_, err := ngram.NewBigram([]int{0}, 1)
	require.ErrorContains(t, err, "there are 1 tokens; a bigram model needs at least 2")
	for _, alpha := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		_, err := ngram.NewUnigram([]int{0}, 1, alpha)
		require.ErrorContains(t, err, "additive constant")
	}
}
