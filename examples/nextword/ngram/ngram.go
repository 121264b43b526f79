package ngram

import (
	"fmt"
	"math"
)

// Model gives the probability of a token from the one before it.
type Model interface {
	// P is the probability that next follows context. Both must be ids of the vocabulary.
	P(context, next int) float64
}

// Unigram forgets the context. With c(w) the count of w among N tokens,
//
//	P(w) = (c(w) + α) / (N + α·V)
type Unigram struct{ p []float64 }

// NewUnigram counts ids. The additive constant alpha is above 0; 1 is Laplace's rule.
func NewUnigram(ids []int, vocabulary int, alpha float64) (*Unigram, error) {
	if err := check(ids, vocabulary); err != nil {
		return nil, err
	}
	if !(alpha > 0) || math.IsInf(alpha, 1) {
		return nil, fmt.Errorf("ngram: the additive constant is %g; it must be above 0", alpha)
	}
	u := &Unigram{p: make([]float64, vocabulary)}
	for _, id := range ids {
		u.p[id]++
	}
	for id, count := range u.p {
		u.p[id] = (count + alpha) / (float64(len(ids)) + alpha*float64(vocabulary))
	}
	return u, nil
}

// P is the probability of next, whatever the context.
func (u *Unigram) P(_, next int) float64 { return u.p[next] }

// Bigram is Kneser and Ney's model in its interpolated form, with one absolute discount for each
// order (Ney, Essen and Kneser, 1994; Kneser and Ney, 1995; Chen and Goodman, 1998). With c(v,w)
// the count of the pair, c(v) that of v as a context, n(v,·) the number of kinds of token seen
// after v, n(·,w) before w, and n(·,·) the number of kinds of pair,
//
//	P(w|v) = max(c(v,w) − D, 0)/c(v) + D·n(v,·)/c(v) · P(w)
//	P(w)   = max(n(·,w) − D′, 0)/n(·,·) + D′·|{w : n(·,w) > 0}|/n(·,·) · 1/V
//
// and P(w|v) = P(w) after a v that was no context. A discount is n₁/(n₁ + 2·n₂), where n₁ and n₂
// are the numbers of counts that are 1 and 2 (of c for D, of n(·,w) for D′), and 1/2 where no count
// is 1.
type Bigram struct {
	pairs   map[[2]int]float64 // the discounted count of a pair over that of its context
	backoff []float64          // D·n(v,·)/c(v): the weight of lower after v
	lower   []float64          // P(w)
}

// NewBigram counts the pairs in ids, of which there must be at least one.
func NewBigram(ids []int, vocabulary int) (*Bigram, error) {
	if err := check(ids, vocabulary); err != nil {
		return nil, err
	}
	if len(ids) < 2 {
		return nil, fmt.Errorf("ngram: there are %d tokens; a bigram model needs at least 2",
			len(ids))
	}
	pairs := map[[2]int]float64{}
	contexts := make([]float64, vocabulary)
	for i, next := range ids[1:] {
		pairs[[2]int{ids[i], next}]++
		contexts[ids[i]]++
	}
	after, before := make([]float64, vocabulary), make([]float64, vocabulary) // n(v,·), n(·,w)
	var d, d1 discount
	for pair, count := range pairs {
		after[pair[0]]++
		before[pair[1]]++
		d.see(count)
	}
	kinds := 0.
	for _, n := range before {
		d1.see(n)
		if n > 0 {
			kinds++
		}
	}
	b := &Bigram{pairs: pairs, backoff: after, lower: before}
	for pair, count := range pairs {
		pairs[pair] = max(count-d.value(), 0) / contexts[pair[0]]
	}
	for v, n := range after {
		b.backoff[v] = 1
		if contexts[v] > 0 {
			b.backoff[v] = d.value() * n / contexts[v]
		}
	}
	total := float64(len(pairs))
	for w, n := range before {
		b.lower[w] = max(n-d1.value(), 0)/total + d1.value()*kinds/total/float64(vocabulary)
	}
	return b, nil
}

// P is the probability that next follows context.
func (b *Bigram) P(context, next int) float64 {
	return b.pairs[[2]int{context, next}] + b.backoff[context]*b.lower[next]
}

// discount estimates an absolute discount from the counts of counts.
type discount struct{ ones, twos float64 }

func (d *discount) see(count float64) {
	switch count {
	case 1:
		d.ones++
	case 2:
		d.twos++
	}
}

func (d *discount) value() float64 {
	if d.ones == 0 {
		return 0.5
	}
	return d.ones / (d.ones + 2*d.twos)
}

func check(ids []int, vocabulary int) error {
	if vocabulary < 1 {
		return fmt.Errorf("ngram: the vocabulary has %d tokens; it needs at least 1", vocabulary)
	}
	for i, id := range ids {
		if id < 0 || id >= vocabulary {
			return fmt.Errorf("ngram: ids[%d] is %d; the vocabulary has ids 0 to %d", i, id,
				vocabulary-1)
		}
	}
	return nil
}

// Perplexity is exp of the mean of −ln P over ids but the first, each predicted from the one
// before. It is NaN if there are fewer than two.
func Perplexity(m Model, ids []int) float64 {
	if len(ids) < 2 {
		return math.NaN()
	}
	sum := 0.
	for i, next := range ids[1:] {
		sum -= math.Log(m.P(ids[i], next))
	}
	return math.Exp(sum / float64(len(ids)-1))
}
