package text

import (
	"cmp"
	"fmt"
	"slices"
)

// Merge returns a vocabulary with the tokens of v and of other, whose counts are added up. Both
// must have the same specials. Tokens are numbered as by [NewVocabulary]; of equal counts those of
// v come first, in the order that they have.
func (v *Vocabulary) Merge(other *Vocabulary) (*Vocabulary, error) {
	for _, each := range []*Vocabulary{v, other} {
		if err := each.made(); err != nil {
			return nil, fmt.Errorf("vocabulary: merge: %w", err)
		}
	}
	if !slices.Equal(v.Specials(), other.Specials()) {
		return nil, fmt.Errorf("vocabulary: merge: the specials are %q and %q; they must be the "+
			"same", v.Specials(), other.Specials())
	}
	special := slices.Clone(v.counts[:v.specials])
	for id := range special {
		special[id] += other.counts[id]
	}
	counts := map[string]int64{}
	var kept []string
	for _, each := range []*Vocabulary{v, other} {
		for id := each.specials; id < each.Len(); id++ {
			token := each.token(id)
			if _, met := counts[token]; !met {
				kept = append(kept, token)
			}
			counts[token] += each.counts[id]
		}
	}
	slices.SortStableFunc(kept, func(a, b string) int { return cmp.Compare(counts[b], counts[a]) })
	return VocabularyConfig{Specials: v.Specials()}.listed(special, kept, counts)
}
