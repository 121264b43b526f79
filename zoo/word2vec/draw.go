package word2vec

import (
	"math"

	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// draws are the random numbers of a sentence, a function of seed, epoch and sentence.
type draws struct {
	key   rng.Key
	at    uint64
	block [4]uint32
	left  int
}

// next is uniform over all numbers of 32 bits.
func (d *draws) next() uint32 {
	if d.left == 0 {
		d.block = d.key.Block(d.at)
		d.at++
		d.left = 4
	}
	d.left--
	return d.block[d.left&3]
}

// keepers are, for each word, 2³² times the probability that subsampling keeps it: √(s/f) + s/f for
// a word whose share of the text is f, and s the share above which words are thinned out. It is
// what the original tool computes; the paper has another formula.
func keepers(v *text.Vocabulary, sample float64) []uint64 {
	total := 0.0
	for i := range v.Len() {
		total += float64(v.Count(i))
	}
	keep := make([]uint64, v.Len())
	for i := range keep {
		keep[i] = 1 << 32
		if f := float64(v.Count(i)) / max(1, total); sample < 1 && f > 0 {
			keep[i] = uint64(min(1, math.Sqrt(sample/f)+sample/f) * (1 << 32))
		}
	}
	return keep
}

// sampler draws words by their count to the power of 0.75, with the alias method (Walker, 1977).
type sampler []column

// column stands for its own word below the threshold and for another above it.
type column struct{ threshold, other uint32 }

func newSampler(v *text.Vocabulary) sampler {
	n := v.Len()
	share, total := make([]float64, n), 0.0
	for i := range share {
		share[i] = math.Pow(float64(v.Count(i)), 0.75)
		total += share[i]
	}
	s := make(sampler, n)
	var low, high []uint32
	for i := range share {
		share[i] *= float64(n) / total
		if total == 0 {
			share[i] = 1
		}
		s[i] = column{math.MaxUint32, uint32(i)}
		if share[i] < 1 {
			low = append(low, uint32(i))
		} else {
			high = append(high, uint32(i))
		}
	}
	for len(low) > 0 && len(high) > 0 {
		l, h := low[len(low)-1], high[len(high)-1]
		low = low[:len(low)-1]
		s[l] = column{uint32(share[l] * math.MaxUint32), h}
		if share[h] -= 1 - share[l]; share[h] < 1 {
			high = high[:len(high)-1]
			low = append(low, h)
		}
	}
	return s
}

// word is the one for a uniform random number: its upper part picks a column, what is left decides
// within it.
func (s sampler) word(random uint32) uint32 {
	product := uint64(random) * uint64(len(s))
	i := uint32(product >> 32)
	if c := s[i]; uint32(product) > c.threshold {
		return c.other
	}
	return i
}
