package metrics

import (
	"fmt"
	"math"
	"slices"
)

// BLEUOptions are optional. The zero value is the usual BLEU of up to four-grams, unsmoothed.
type BLEUOptions struct {
	Order int // longest n-gram, 1 … 16; default 4

	// Smooth is added to the matches and to the candidates of every order but the first (Lin and
	// Och, 2004, add 1), so that a sentence without a common four-gram does not score 0. 0: no
	// smoothing.
	Smooth float64
}

const maxBLEUOrder = 16

// BLEU measures how much translations have in common with reference translations (Papineni et al.,
// 2002), over a whole corpus:
//
//	BLEU = BP · exp(mean over n of log p_n),  BP = min(1, exp(1 − r/c))
//
// where p_n is the share of the translations' n-grams that a reference has too, each counted at
// most as often as it occurs in one reference; c is the number of tokens in all translations, and r
// the number of tokens in the references. Of several references of a sentence, r counts the one
// whose length is nearest to the translation's, and the shorter if two are as near.
//
// Its zero value, with options if wanted, is ready to use.
type BLEU struct {
	Options BLEUOptions

	matches, candidates [maxBLEUOrder]int
	length, reference   int // c, r
	sentences           int
}

// BLEUScore is a BLEU with its parts.
type BLEUScore struct {
	BLEU              float64   // in percent, 0 … 100
	Precisions        []float64 // p_1 … p_Order, 0 … 1; 0 where there are no n-grams
	BrevityPenalty    float64
	Length, Reference int // c and r
	Sentences         int
}

// String is the score as it is usually printed, with its parts.
func (s BLEUScore) String() string {
	out := fmt.Sprintf("BLEU %.2f (", s.BLEU)
	for i, p := range s.Precisions {
		if i > 0 {
			out += " / "
		}
		out += fmt.Sprintf("%.1f", 100*p)
	}
	return out + fmt.Sprintf("; brevity penalty %.3f, %d tokens for %d)", s.BrevityPenalty,
		s.Length, s.Reference)
}

// Add counts one translation against its references, of which there must be one or more.
func (b *BLEU) Add(translation []string, references ...[]string) error {
	if b.Options.Order < 0 || b.Options.Order > maxBLEUOrder {
		return fmt.Errorf("metrics: BLEU: Order is %d, want 1 … %d, or 0 for 4", b.Options.Order,
			maxBLEUOrder)
	}
	if !(b.Options.Smooth >= 0) || math.IsInf(b.Options.Smooth, 1) {
		return fmt.Errorf("metrics: BLEU: Smooth is %g, want a number of 0 or more",
			b.Options.Smooth)
	}
	if len(references) == 0 {
		return fmt.Errorf("metrics: BLEU: sentence %d has no reference", b.sentences+1)
	}
	b.sentences++
	b.length += len(translation)
	nearest := slices.MinFunc(references, func(x, y []string) int {
		if d := distance(x, translation) - distance(y, translation); d != 0 {
			return d
		}
		return len(x) - len(y)
	})
	b.reference += len(nearest)

	said := number(translation, references)
	for n := 1; n <= b.order(); n++ {
		limit := map[gram]int{} // the greatest count of the n-gram in one reference
		for _, ids := range said[1:] {
			for g, k := range count(ids, n) {
				limit[g] = max(limit[g], k)
			}
		}
		for g, k := range count(said[0], n) {
			b.candidates[n-1] += k
			b.matches[n-1] += min(k, limit[g])
		}
	}
	return nil
}

func (b *BLEU) order() int {
	if b.Options.Order == 0 {
		return 4
	}
	return b.Options.Order
}

func distance(x, y []string) int { return max(len(x)-len(y), len(y)-len(x)) }

// gram is an n-gram of numbered tokens, filled up with 0.
type gram [maxBLEUOrder]int32

// number gives the tokens of a sentence and its references numbers from 1.
func number(translation []string, references [][]string) [][]int32 {
	ids := map[string]int32{}
	out := make([][]int32, 1+len(references))
	for i, tokens := range slices.Concat([][]string{translation}, references) {
		out[i] = make([]int32, len(tokens))
		for k, token := range tokens {
			id, ok := ids[token]
			if !ok {
				id = int32(len(ids) + 1)
				ids[token] = id
			}
			out[i][k] = id
		}
	}
	return out
}

func count(ids []int32, n int) map[gram]int {
	counts := map[gram]int{}
	for i := 0; i+n <= len(ids); i++ {
		var g gram
		copy(g[:], ids[i:i+n])
		counts[g]++
	}
	return counts
}

// Score returns the BLEU of all translations that were added. It is 0 if an order has no match and
// there is no smoothing, or nothing was added.
func (b *BLEU) Score() BLEUScore {
	s := BLEUScore{Length: b.length, Reference: b.reference, Sentences: b.sentences,
		BrevityPenalty: 1}
	var logs float64
	for n := range b.order() {
		matches, candidates := float64(b.matches[n]), float64(b.candidates[n])
		if n > 0 {
			matches, candidates = matches+b.Options.Smooth, candidates+b.Options.Smooth
		}
		p := 0.0
		if candidates > 0 {
			p = matches / candidates
		}
		s.Precisions = append(s.Precisions, p)
		logs += math.Log(p) // −Inf for 0, which makes the score 0
	}
	if b.length < b.reference {
		// 0 if the translations are empty
		s.BrevityPenalty = math.Exp(1 - float64(b.reference)/float64(b.length))
	}
	s.BLEU = 100 * s.BrevityPenalty * math.Exp(logs/float64(b.order()))
	return s
}

// CorpusBLEU is the BLEU of translations with one reference each, with the usual options.
func CorpusBLEU(translations, references [][]string) (BLEUScore, error) {
	if len(translations) != len(references) {
		return BLEUScore{}, lengthError("metrics: BLEU: %d translations and %d references: "+
			"want as many", len(translations), len(references))
	}
	var b BLEU
	for i, t := range translations {
		if err := b.Add(t, references[i]); err != nil {
			return BLEUScore{}, err
		}
	}
	return b.Score(), nil
}
