package word2vec

import (
	"context"
	"hash/fnv"
)

// corpus is a text without the words that the vocabulary lacks.
type corpus struct {
	ids    []uint32
	starts []int // sentence i is ids[starts[i]:starts[i+1]]
	digest uint64
}

func (m *Model) encode(ctx context.Context, sentences [][]string) (*corpus, error) {
	c := &corpus{starts: []int{0}}
	end := func() {
		if last := c.starts[len(c.starts)-1]; len(c.ids) > last {
			c.starts = append(c.starts, len(c.ids))
		}
	}
	n := 0
	for _, words := range sentences {
		for _, w := range m.cfg.Unicode.Tokens(words) {
			if n++; n%(1<<20) == 0 && ctx.Err() != nil {
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
