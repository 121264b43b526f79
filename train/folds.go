package train

import (
	"fmt"
	"iter"

	"github.com/seqzoo/seqzoo/rng"
)

// Folds parts examples into k folds of like size, drawn from seed, and gives for each fold the
// examples of all others, to learn from, and its own, which are held out (cross-validation). Each
// example is held out once, and all keep their order:
//
//	folds, err := train.Folds(examples, 5, 1)
//	for learn, held := range folds {
//		task, err := fresh().Task(label.Data{Train: learn, Valid: held})
//		// …
//	}
//
// The first of five folds alone holds a fifth of the data out. It is an error if k is not 2 to the
// number of examples.
func Folds[T any](examples []T, k int, seed uint64) (iter.Seq2[[]T, []T], error) {
	n := len(examples)
	if k < 2 || k > n {
		return nil, fmt.Errorf("train: %d folds of %d examples: want 2 to as many as there are "+
			"examples", k, n)
	}
	random := rng.Stream{Key: rng.New(seed).Named("folds")}
	fold := make([]int, n) // of each example
	for i, at := range random.Perm(make([]int, n)) {
		fold[at] = i * k / n
	}
	return func(yield func(learn, held []T) bool) {
		for f := range k {
			var learn, held []T
			for i, e := range examples {
				if fold[i] == f {
					held = append(held, e)
				} else {
					learn = append(learn, e)
				}
			}
			if !yield(learn, held) {
				return
			}
		}
	}, nil
}
