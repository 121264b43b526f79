package word2vec

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
)

// all gives sentences that are at hand.
func all(sentences [][]string) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		for _, words := range sentences {
			if !yield(words, nil) {
				return
			}
		}
	}
}

// formed gives sentences in the form of the words.
func (c Config) formed(sentences iter.Seq2[[]string, error]) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		for words, err := range sentences {
			if !yield(c.Unicode.Tokens(words), err) {
				return
			}
		}
	}
}

var errNoSentences = errors.New("word2vec: there are no sentences to range over")

// corpus is a text without the words that the vocabulary lacks.
type corpus struct {
	ids    []uint32
	starts []int // sentence i is ids[starts[i]:starts[i+1]]
	digest uint64
	words  int // of the text, those that the vocabulary lacks included
}

func (m *Model) encode(ctx context.Context,
	sentences iter.Seq2[[]string, error]) (*corpus, error) {
	c := &corpus{starts: []int{0}}
	end := func() {
		if last := c.starts[len(c.starts)-1]; len(c.ids) > last {
			c.starts = append(c.starts, len(c.ids))
		}
	}
	sentence := 0
	for words, err := range m.cfg.formed(sentences) {
		if err != nil {
			return nil, fmt.Errorf("sentence %d: %w", sentence, err)
		}
		sentence++
		for _, w := range words {
			if c.words++; c.words%(1<<20) == 0 && ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if id, ok := m.vocabulary.ID(w); ok {
				c.ids = append(c.ids, uint32(id))
				if len(c.ids)-c.starts[len(c.starts)-1] == maxSentence {
					end()
				}
			}
		}
		end()
	}
	h := fnv.New64a()
	b := make([]byte, 0, 1<<12)
	put := func(x int) { b = append(b, byte(x), byte(x>>8), byte(x>>16), byte(x>>24)) }
	for i := range len(c.starts) - 1 {
		for _, id := range c.ids[c.starts[i]:c.starts[i+1]] {
			put(int(id))
		}
		put(-1)
		h.Write(b)
		b = b[:0]
	}
	c.digest = max(1, h.Sum64())
	return c, nil
}
