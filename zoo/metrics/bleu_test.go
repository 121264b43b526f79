package metrics_test

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/zoo/metrics"
)

func words(s string) []string { return strings.Fields(strings.ToLower(s)) }

func allWords(ss ...string) (out [][]string) {
	for _, s := range ss {
		out = append(out, words(s))
	}
	return out
}

// The worked examples of Papineni et al. (2002): the clipped unigram precision of section 2.1, the
// precisions that its section 2.1 states for candidates 1 and 2, and the brevity of section 2.2.
func TestBLEUOfThePaper(t *testing.T) {
	score := func(order int, candidate string, references ...string) metrics.BLEUScore {
		b := metrics.BLEU{Options: metrics.BLEUOptions{Order: order}}
		require.NoError(t, b.Add(words(candidate), allWords(references...)...))
		return b.Score()
	}
	the := score(2, "the the the the the the the", "The cat is on the mat",
		"There is a cat on the mat")
	testkit.RequireInDelta(t, []float64{2. / 7, 0}, the.Precisions, 1e-12)
	require.Zero(t, the.BLEU)

	references := []string{
		"It is a guide to action that ensures that the military will forever heed Party commands",
		"It is the guiding principle which guarantees the military forces always being under the " +
			"command of the Party",
		"It is the practical guide for the army always to heed the directions of the party",
	}
	one := score(2, "It is a guide to action which ensures that the military always obeys the "+
		"commands of the party", references...)
	testkit.RequireInDelta(t, []float64{17. / 18, 10. / 17}, one.Precisions, 1e-12)
	two := score(2, "It is to insure the troops forever hearing the activity guidebook "+
		"that party direct", references...)
	testkit.RequireInDelta(t, []float64{8. / 14, 1. / 13}, two.Precisions, 1e-12)

	// NLTK's documentation of sentence_bleu gives 0.5045… for the first, of corpus_bleu 0.5920… for
	// it and another.
	require.InDelta(t, 50.4566, score(4,
		"It is a guide to action which ensures that the military always obeys the "+
			"commands of the party", references...).BLEU, 1e-3)
	var corpus metrics.BLEU
	require.NoError(t, corpus.Add(words("It is a guide to action which ensures that the military "+
		"always obeys the commands of the party"), allWords(references...)...))
	require.NoError(t, corpus.Add(words("he read the book because he was interested "+
		"in world history"), words("he was interested in world history because he read the book")))
	require.InDelta(t, 59.2076, corpus.Score().BLEU, 1e-3)

	// Of references of 12, 15 and 17 words, 12 is nearest to 12; of 10 and 14 to a candidate of 12,
	// the shorter counts.
	long := strings.Repeat("a ", 12)
	require.Equal(t, 12, score(1, long, strings.Repeat("a ", 15), long,
		strings.Repeat("a ", 17)).Reference)
	require.Equal(t, 10, score(1, long, strings.Repeat("a ", 14),
		strings.Repeat("a ", 10)).Reference)
	short := score(1, "a a a", "a a a a")
	require.InDelta(t, math.Exp(1-4./3), short.BrevityPenalty, 1e-12)
	require.InDelta(t, 100*math.Exp(1-4./3), short.BLEU, 1e-10)
}

// oracle is BLEU by plain loops over strings, for one reference.
func oracle(translations, references [][]string, order int, smooth float64) float64 {
	var c, r float64
	sum := 0.0
	for n := 1; n <= order; n++ {
		var matches, total float64
		for i, t := range translations {
			var left []string
			for k := 0; k+n <= len(references[i]); k++ {
				left = append(left, strings.Join(references[i][k:k+n], " "))
			}
			for k := 0; k+n <= len(t); k++ {
				total++
				for j, g := range left {
					if g == strings.Join(t[k:k+n], " ") {
						matches++
						left = append(left[:j], left[j+1:]...)
						break
					}
				}
			}
		}
		if n > 1 {
			matches, total = matches+smooth, total+smooth
		}
		if matches == 0 {
			return 0
		}
		sum += math.Log(matches/total) / float64(order)
	}
	for i := range translations {
		c, r = c+float64(len(translations[i])), r+float64(len(references[i]))
	}
	if c < r {
		sum += 1 - r/c
	}
	return 100 * math.Exp(sum)
}

func TestBLEUAgainstPlainLoops(t *testing.T) {
	r := rng.Stream{Key: rng.New(3)}
	sentence := func() (s []string) {
		for range r.Intn(9) { // some have no words at all
			s = append(s, string(rune('a'+r.Intn(3))))
		}
		return s
	}
	scored := 0
	for range 200 {
		var ts, rs [][]string
		for range 1 + r.Intn(5) {
			ts, rs = append(ts, sentence()), append(rs, sentence())
		}
		for _, o := range []metrics.BLEUOptions{{}, {Order: 2}, {Order: 7}, {Smooth: 1},
			{Order: 3, Smooth: 0.1}} {
			b := metrics.BLEU{Options: o}
			for i := range ts {
				require.NoError(t, b.Add(ts[i], rs[i]))
			}
			order := o.Order
			if order == 0 {
				order = 4
			}
			want := oracle(ts, rs, order, o.Smooth)
			require.InDelta(t, want, b.Score().BLEU, 1e-9)
			if want > 0 {
				scored++
			}
		}
		s, err := metrics.CorpusBLEU(ts, rs)
		require.NoError(t, err)
		require.InDelta(t, oracle(ts, rs, 4, 0), s.BLEU, 1e-9)
	}
	require.Greater(t, scored, 300)
}

func TestBLEUOfOddInput(t *testing.T) {
	require.Zero(t, new(metrics.BLEU).Score().BLEU)
	var b metrics.BLEU
	require.ErrorContains(t, b.Add(words("a")), "sentence 1 has no reference")
	require.NoError(t, b.Add(nil, nil))
	require.Zero(t, b.Score().BLEU)
	require.NoError(t, b.Add(words("a b c d e"), words("a b c d e")))
	require.Equal(t, 100.0, b.Score().BLEU)
	require.Equal(t, "BLEU 100.00 (100.0 / 100.0 / 100.0 / 100.0; brevity penalty 1.000, "+
		"5 tokens for 5)", b.Score().String())
	for _, o := range []metrics.BLEUOptions{{Order: -1}, {Order: 17}, {Smooth: -1},
		{Smooth: math.NaN()}, {Smooth: math.Inf(1)}} {
		require.Error(t, (&metrics.BLEU{Options: o}).Add(nil, nil))
	}
	_, err := metrics.CorpusBLEU([][]string{nil}, nil)
	require.ErrorContains(t, err, "1 translations and 0 references")
}
