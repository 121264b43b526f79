package seq2seq

import (
	"slices"

	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// number puts <copy1>, <copy2>, … in the place of the tokens of a source that its vocabulary lacks,
// in the order in which they come first, as far as both vocabularies have such specials
// (text.Copies): the copyable model of Luong et al. (2015). Numbered are the tokens by what stands
// in their place.
func (m *Model) number(source []string) (ids []string, numbered map[string]string) {
	copies := m.copies()
	if copies == 0 {
		return source, nil
	}
	ids, numbered = slices.Clone(source), map[string]string{}
	for i, token := range source {
		if !m.unknown(token) {
			continue
		}
		if numbered[token] == "" && len(numbered) < copies {
			numbered[token] = text.Copies(len(numbered) + 1)[len(numbered)]
		}
		if special := numbered[token]; special != "" {
			ids[i] = special
		}
	}
	return ids, numbered
}

// copies is how many tokens can be numbered.
func (m *Model) copies() int {
	for n, special := range text.Copies(maxCopies) {
		_, read := m.sources.ID(special)
		_, written := m.targets.ID(special)
		if !read || !written {
			return n
		}
	}
	return maxCopies
}

const maxCopies = 100

// copied puts what is numbered in the place of the tokens of a target that its vocabulary lacks.
func (m *Model) copied(target []string, numbered map[string]string) []string {
	target = slices.Clone(target)
	for i, token := range target {
		if _, known := m.targets.ID(token); !known && numbered[token] != "" {
			target[i] = numbered[token]
		}
	}
	return target
}

// uncopy puts the tokens of the source in the place of their numbers. A number that no token of the
// source has is <unk>.
func (m *Model) uncopy(found []decode.Found, source []string) {
	_, numbered := m.number(source)
	of := map[string]string{}
	for token, special := range numbered {
		of[special] = token
	}
	copies := text.Copies(m.copies())
	for i, f := range found {
		for k, token := range f.Tokens {
			if word := of[token]; word != "" {
				f.Tokens[k] = word
				found[i].Copied = append(found[i].Copied, k)
			} else if slices.Contains(copies, token) {
				f.Tokens[k] = text.Unk
			}
		}
	}
}

// copyUnknown puts in the place of each <unk> the token of the source that it looks at most: of
// those that are unknown themselves, if there are any, since a layer that reads in context may be
// looked at beside the word that is meant.
func (m *Model) copyUnknown(found []decode.Found, source []string) {
	any := slices.ContainsFunc(source, m.unknown)
	for i, f := range found {
		for k, token := range f.Tokens {
			if token != text.Unk || k >= len(f.Alignment) {
				continue
			}
			best := -1
			for at, weight := range f.Alignment[k][:min(len(f.Alignment[k]), len(source))] {
				if any && !m.unknown(source[at]) {
					continue
				}
				if best < 0 || weight > f.Alignment[k][best] {
					best = at
				}
			}
			if best >= 0 {
				f.Tokens[k] = source[best]
				found[i].Copied = append(found[i].Copied, k)
			}
		}
	}
}

// unknown reports whether the vocabulary of the sources lacks a token.
func (m *Model) unknown(token string) bool {
	_, ok := m.sources.ID(token)
	return !ok
}
