package shared

import (
	"fmt"
	"iter"
	"math"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// Data from which hardly anything can be learned are most often a slip: the wrong tokeniser,
// columns that have changed places, one file given twice. The model trains on them all the same,
// and these doubts are said.
const (
	ManyUnknown = 1. / 3 // share of <unk> among the tokens
	muchKnown   = 0.9    // share of the validation examples that are training examples too
	FewExamples = 4      // so few have as many labels by chance
)

// Doubt notes a likely mistake.
func (d *TaskData) Doubt(format string, args ...any) {
	d.warnings = append(d.warnings, fmt.Sprintf(format, args...))
}

// Doubts notes what others doubt.
func (d *TaskData) Doubts(all ...string) { d.warnings = append(d.warnings, all...) }

// Score doubts a width of the hidden layer of an attention's score that has none.
func (d *TaskData) Score(c cells.AttentionConfig) {
	switch c.Score {
	case cells.DotScore, cells.ScaledDotScore, cells.GeneralScore:
		if c.Hidden != 0 {
			d.Doubt("score_hidden is %d, and is of the scores additive and concat, not of "+
				"%s: it does nothing", c.Hidden, c.Score)
		}
	}
}

// Unknown doubts sequences of ids of which many are <unk>.
func (d *TaskData) Unknown(what string, v *text.Vocabulary, sequences iter.Seq[[]int]) {
	unk, ok := v.ID(text.Unk)
	if !ok {
		return
	}
	lacks, all := 0, 0
	for ids := range sequences {
		for _, id := range ids {
			if id == unk {
				lacks++
			}
		}
		all += len(ids)
	}
	if share := float64(lacks) / float64(max(all, 1)); share > ManyUnknown {
		d.Doubt("%.1f %% of the %d tokens of the %s are %s, with a vocabulary of %d: hardly "+
			"anything can be learned from them. Is the tokeniser made for the language (Japanese "+
			"and Chinese put no spaces between words), is the text the one that the vocabulary "+
			"was made of, and are not too many words left out as rare?",
			100*share, all, what, text.Unk, v.Len())
	}
}

// Alone is the only sequence.
func Alone(ids []int) iter.Seq[[]int] { return func(yield func([]int) bool) { yield(ids) } }

// SequencesOf are the sequences that of takes from the examples.
func SequencesOf[E any](examples []E, of func(E) []int) iter.Seq[[]int] {
	return func(yield func([]int) bool) {
		for _, e := range examples {
			if !yield(of(e)) {
				return
			}
		}
	}
}

// Empty doubts a set of validation examples that was made, but has nothing in it.
func (d *TaskData) Empty(made bool, n int) {
	if made && n == 0 {
		d.Doubt("the validation data are empty: nothing is validated, and nothing tells when the " +
			"model is best")
	}
}

// Overlap doubts validation examples most of which are training examples too. Examples that are
// equal have the same print.
func Overlap[E any](d *TaskData, learn, valid []E, print func(E) Fingerprint) {
	if len(valid) == 0 {
		return
	}
	times := map[Fingerprint]int{}
	for _, e := range valid {
		times[print(e)]++
	}
	found := 0
	for _, e := range learn {
		p := print(e)
		found += times[p]
		delete(times, p) // it counts once
	}
	if share := float64(found) / float64(len(valid)); share >= muchKnown {
		d.Doubt("%d of the %d validation examples (%.0f %%) are training examples too: the "+
			"validation shows what the model knows by heart, not what it makes of others", found,
			len(valid), 100*share)
	}
}

// Fingerprint is a hash of an example (FNV-1a by numbers in place of bytes, the high half mixed
// in).
type Fingerprint uint64

// NoPrint is the Fingerprint of nothing, to which Ids and Floats add.
const NoPrint Fingerprint = 14695981039346656037

func (f Fingerprint) number(x uint64) Fingerprint {
	f = (f ^ Fingerprint(x)) * 1099511628211
	return f ^ f>>32
}

// Ids adds a sequence with its length.
func (f Fingerprint) Ids(ids []int) Fingerprint {
	f = f.number(uint64(len(ids)))
	for _, id := range ids {
		f = f.number(uint64(id))
	}
	return f
}

// Floats adds a sequence of numbers with its length.
func (f Fingerprint) Floats(x []float32) Fingerprint {
	f = f.number(uint64(len(x)))
	for _, v := range x {
		f = f.number(uint64(math.Float32bits(v)))
	}
	return f
}

// Text adds a text with its length.
func (f Fingerprint) Text(s string) Fingerprint {
	f = f.number(uint64(len(s)))
	for _, c := range []byte(s) {
		f = f.number(uint64(c))
	}
	return f
}

// Part doubts a validation text, or series, that is a part of the training one.
func Part[E comparable](d *TaskData, what string, learn, valid []E) {
	if len(valid) > 0 && contains(learn, valid) {
		d.Doubt("the validation %s is a part of the training %s: the validation shows what "+
			"the model knows by heart, not what it makes of another", what, what)
	}
}

// contains reports whether part stands in whole, in one go (Knuth, Morris and Pratt, 1977).
func contains[E comparable](whole, part []E) bool {
	if len(part) > len(whole) {
		return false
	}
	border := make([]int, len(part)) // of part[:i+1], the longest beginning that is its end too
	match := func(k int, x E) int {
		for k > 0 && (k == len(part) || part[k] != x) {
			k = border[k-1]
		}
		if k < len(part) && part[k] == x {
			k++
		}
		return k
	}
	for i := 1; i < len(part); i++ {
		border[i] = match(border[i-1], part[i])
	}
	for i, k := 0, 0; i < len(whole); i++ {
		if k = match(k, whole[i]); k == len(part) {
			return true
		}
	}
	return len(part) == 0
}
