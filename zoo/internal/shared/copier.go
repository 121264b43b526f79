package shared

import (
	"fmt"
	"math"
	"slices"

	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// A model that copies writes words of its vocabulary, and words of the source that the vocabulary
// lacks: these have the ids behind it, numbered as they come first in the source (See, Liu and
// Manning, 2017). A source keeps what is copied in its own ids: one of the vocabulary of the
// sources is that word, and a word that this vocabulary lacks is its length and the word's id
// among what may be written. So the ids alone tell what each place of a source is copied as.

// CopyIDs are the ids of the tokens of a source, and the words that the targets lack, in the order
// of the numbers that they have behind the vocabulary of the targets.
func CopyIDs(source []string, sources, targets *text.Vocabulary) (ids []int, more []string) {
	ids = make([]int, len(source))
	for i, token := range source {
		as, written := targets.ID(token)
		if !written {
			k := slices.Index(more, token)
			if k < 0 {
				k, more = len(more), append(more, token)
			}
			as = targets.Len() + k
		}
		id, read := sources.ID(token)
		if !read {
			id = sources.Len() + as
		}
		ids[i] = id
	}
	return ids, more
}

// CopyPlaces says as which id each place of a source is copied, and how many words there are behind
// the vocabulary of the targets.
func CopyPlaces(source []int, sources, targets *text.Vocabulary) (as []int, more int, err error) {
	if len(source) > MaxTokens {
		return nil, 0, fmt.Errorf("the source has %d tokens; at most %d are taken", len(source),
			MaxTokens)
	}
	as = make([]int, len(source))
	numbers := map[int]int{} // of ids of the source
	for i, id := range source {
		if id < 0 {
			return nil, 0, fmt.Errorf("the source has id %d at position %d", id, i)
		}
		word, known := sources.Token(id)
		if known {
			if t, written := targets.ID(word); written {
				as[i] = t
				continue
			}
		} else if t := id - sources.Len(); t < targets.Len() {
			as[i] = t
			continue
		}
		k, seen := numbers[id]
		if !seen {
			k, numbers[id] = more, more
			more++
		}
		as[i] = targets.Len() + k
		if !known && id != sources.Len()+as[i] {
			return nil, 0, fmt.Errorf("the source has id %d at position %d; the word number %d "+
				"that neither vocabulary has is %d", id, i, k+1, sources.Len()+as[i])
		}
	}
	return as, more, nil
}

// Read replaces ids behind a vocabulary by the one of its <unk>, in place.
func Read(ids []int, n, unk int) []int {
	for i, id := range ids {
		if id >= n {
			ids[i] = unk
		}
	}
	return ids
}

// Copier is the Stepper of a decoder that copies: its logits are the logarithms of the
// probabilities of the vocabulary and of the words behind it, which sum up to 1.
type Copier struct {
	Over   decode.Stepper    // must attend
	Gate   func() run.Floats // of each row after a step: the logit of writing, not copying
	V, Unk int               // the vocabulary, and what is read for what it lacks

	Places [][]int // of each row, as CopyPlaces has them
	More   int     // the most words behind the vocabulary that a source has

	tokens []int
	logits [][]float64
}

// Step implements decode.Stepper.
func (c *Copier) Step(from, tokens []int) (decode.Prediction, error) {
	c.tokens = Read(append(c.tokens[:0], tokens...), c.V, c.Unk)
	p, err := c.Over.Step(from, c.tokens)
	if err != nil {
		return p, err
	}
	gate := c.Gate()
	for i, logits := range p.Logits {
		if len(c.logits) <= i {
			c.logits = append(c.logits, nil)
		}
		c.logits[i] = Mixed(c.logits[i][:0], logits, gate.At(i), p.Attention[i], c.Places[i],
			c.More)
	}
	p.Logits = c.logits[:len(p.Logits)]
	return p, nil
}

// Mixed appends the logarithms of the probabilities p·softmax(logits) + (1−p)·copies of a row,
// where p is σ(gate), and the copies are the weights of the places of each word.
func Mixed(to, logits []float64, gate float64, weights []float64, places []int,
	more int) []float64 {
	top := slices.Max(logits)
	sum := 0.0
	for _, x := range logits {
		sum += math.Exp(x - top)
	}
	shift := logSigmoid(gate) - top - math.Log(sum)
	for _, x := range logits {
		to = append(to, x+shift)
	}
	for range more {
		to = append(to, math.Inf(-1))
	}
	mass := map[int]float64{}
	for s, id := range places {
		mass[id] += weights[s]
	}
	for id, w := range mass {
		if w > 0 {
			a, b := to[id], logSigmoid(-gate)+math.Log(w)
			to[id] = max(a, b) + math.Log1p(math.Exp(-math.Abs(a-b)))
		}
	}
	return to
}

// logSigmoid is log σ(x).
func logSigmoid(x float64) float64 {
	return min(x, 0) - math.Log1p(math.Exp(-math.Abs(x)))
}
