package label

import (
	"iter"
	"maps"
	"slices"

	"github.com/seqzoo/seqzoo/zoo/internal/shared"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// doubtLabels doubts the labels of examples that are all one label, or nearly as many labels as
// there are things that are labelled.
func doubtLabels(d *shared.TaskData, labels *text.Vocabulary, learn iter.Seq[[]int],
	things string) {
	seen := map[int]bool{}
	n := 0
	for ids := range learn {
		for _, id := range ids {
			seen[id] = true
		}
		n += len(ids)
	}
	switch {
	case n == 0:
	case len(seen) == 1 && n > 1:
		label, _ := labels.Token(slices.Sorted(maps.Keys(seen))[0])
		d.Doubt("all %d %s of the training data have the label %.40q: there is "+
			"nothing to tell apart",
			n, things, label)
	case n >= shared.FewExamples && 2*len(seen) > n:
		d.Doubt("there are %d labels for %d %s (%.0f %%): hardly any comes twice, so that nothing can "+
			"be learned of them. Have labels and %s changed places? In a file the columns are "+
			"label TAB text, and token TAB tag",
			len(seen), n, things, 100*float64(len(seen))/float64(n), things)
	}
}
