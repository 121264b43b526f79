package seq2seq

import (
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// tokens is how many a pair has on both sides.
func (p Pair) tokens() int { return len(p.Source) + len(p.Target) }

// steps is how many the longer side takes, <eos> included.
func (p Pair) steps() int { return max(len(p.Source), len(p.Target)+1) }

// pairBatches puts targets of one length side by side, since a step of the decoder, with the output
// layer, costs most; and of those, sources of like length.
func pairBatches(pairs []Pair, c train.BatchesConfig) (*train.Batches, error) {
	lengths := make([]int, len(pairs))
	for i, p := range pairs {
		lengths[i] = len(p.Target)*(shared.MaxTokens+1) + len(p.Source)
		if c.Tokens > 0 { // pairs whose longer sides are alike
			c.Sizes = append(c.Sizes, p.steps())
			lengths[i] += p.steps() << 40
		}
	}
	return train.NewBatches(len(pairs), lengths, c)
}
