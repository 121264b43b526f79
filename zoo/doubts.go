package zoo

import (
	"fmt"
	"iter"
	"math"

	"github.com/seqzoo/seqzoo/zoo/text"
)

// Data from which hardly anything can be learned are most often a slip: the wrong tokeniser,
// columns that have changed places, one file given twice. The model trains on them all the same,
// and these doubts are said.
const (
	manyUnknown = 1. / 3 // share of <unk> among the tokens
	muchKnown   = 0.9    // share of the validation examples that are training examples too
	fewExamples = 4      // so few have as many labels by chance
)

// doubt notes what is likely a mistake.
func (d *taskData) doubt(format string, args ...any) {
	d.warnings = append(d.warnings, fmt.Sprintf(format, args...))
}

// unknown doubts sequences of ids of which many are <unk>.
func (d *taskData) unknown(what string, v *text.Vocabulary, sequences iter.Seq[[]int]) {
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
	if share := float64(lacks) / float64(max(all, 1)); share > manyUnknown {
		d.doubt("%.1f %% of the %d tokens of the %s are %s, with a vocabulary of %d: hardly anything can be learned from them. "+
			"Is the tokeniser made for the language (Japanese and Chinese put no spaces between words), is the text the one "+
			"that the vocabulary was made of, and are not too many words left out as rare?", 100*share, all, what, text.Unk, v.Len())
	}
}

// alone is the only sequence.
func alone(ids []int) iter.Seq[[]int] { return func(yield func([]int) bool) { yield(ids) } }

// sequencesOf are those that of takes from examples.
func sequencesOf[E any](examples []E, of func(E) []int) iter.Seq[[]int] {
	return func(yield func([]int) bool) {
		for _, e := range examples {
			if !yield(of(e)) {
				return
			}
		}
	}
}

// empty doubts a set of validation examples that was made, but has nothing in it.
func (d *taskData) empty(made bool, n int) {
	if made && n == 0 {
		d.doubt("the validation data are empty: nothing is validated, and nothing tells when the model is best")
	}
}

// overlap doubts validation examples most of which are training examples too. Examples that are
// equal have the same print.
func overlap[E any](d *taskData, learn, valid []E, print func(E) fingerprint) {
	if len(valid) == 0 {
		return
	}
	times := map[fingerprint]int{}
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
		d.doubt("%d of the %d validation examples (%.0f %%) are training examples too: the validation shows what the model "+
			"knows by heart, not what it makes of others", found, len(valid), 100*share)
	}
}

// fingerprint is a hash of an example (FNV-1a by numbers in place of bytes, the high half mixed
// in).
type fingerprint uint64

const noPrint fingerprint = 14695981039346656037

func (f fingerprint) number(x uint64) fingerprint {
	f = (f ^ fingerprint(x)) * 1099511628211
	return f ^ f>>32
}

// ids adds a sequence with its length.
func (f fingerprint) ids(ids []int) fingerprint {
	f = f.number(uint64(len(ids)))
	for _, id := range ids {
		f = f.number(uint64(id))
	}
	return f
}

// floats adds a sequence of numbers with its length.
func (f fingerprint) floats(x []float32) fingerprint {
	f = f.number(uint64(len(x)))
	for _, v := range x {
		f = f.number(uint64(math.Float32bits(v)))
	}
	return f
}

// text adds a text with its length.
func (f fingerprint) text(s string) fingerprint {
	f = f.number(uint64(len(s)))
	for _, c := range []byte(s) {
		f = f.number(uint64(c))
	}
	return f
}

// part doubts a validation text, or series, that is a part of the training one.
func part[E comparable](d *taskData, what string, learn, valid []E) {
	if len(valid) > 0 && contains(learn, valid) {
		d.doubt("the validation %s is a part of the training %s: the validation shows what the model knows by heart, not what "+
			"it makes of another", what, what)
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

// labels doubts examples that all have one label, or nearly as many labels as there are things that
// are labelled.
func (d *taskData) labels(labels *text.Vocabulary, learn []Labelled, things string) {
	seen := map[int]bool{}
	n := 0
	for _, e := range learn {
		for _, id := range e.Labels {
			seen[id] = true
		}
		n += len(e.Labels)
	}
	switch {
	case len(seen) == 1 && n > 1:
		label, _ := labels.Token(learn[0].Labels[0])
		d.doubt("all %d %s of the training data have the label %.40q: there is nothing to tell apart", n, things, label)
	case n >= fewExamples && 2*len(seen) > n:
		d.doubt("there are %d labels for %d %s (%.0f %%): hardly any comes twice, so that nothing can be learned of them. "+
			"Have labels and %s changed places? In a file the columns are label TAB text, and token TAB tag",
			len(seen), n, things, 100*float64(len(seen))/float64(n), things)
	}
}
