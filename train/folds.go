package train

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"sort"

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
	return parted(examples, fold, k), nil
}

// StratifiedFolds is Folds with each class in all folds alike, as far as numbers allow: of a class,
// the folds have numbers of members that differ by at most 1, as scikit-learn's StratifiedKFold has
// them. The function class tells the class of an example:
//
//	folds, err := train.StratifiedFolds(examples, 5, 1,
//		func(e label.Labelled) int { return e.Labels[0] })
//
// It is an error if k is not 2 to the number of examples, or no class has k members. A class of
// fewer is in as many folds as it has members.
func StratifiedFolds[T any, C comparable](examples []T, k int, seed uint64,
	class func(T) C) (iter.Seq2[[]T, []T], error) {
	n := len(examples)
	switch {
	case class == nil:
		return nil, errors.New("train: StratifiedFolds: the function that tells the class is nil")
	case k < 2 || k > n:
		return nil, fmt.Errorf("train: %d folds of %d examples: want 2 to as many as there are "+
			"examples", k, n)
	}
	number, members := map[C]int{}, [][]int{} // of each class, in the order in which they come
	for i, e := range examples {
		c := class(e)
		at, known := number[c]
		if !known {
			at = len(members)
			number[c], members = at, append(members, nil)
		}
		members[at] = append(members[at], i)
	}
	largest := 0
	for _, m := range members {
		largest = max(largest, len(m))
	}
	if largest < k {
		return nil, fmt.Errorf("train: %d folds, and the largest of %d classes has %d examples: "+
			"none could be in every fold", k, len(members), largest)
	}
	random := rng.Stream{Key: rng.New(seed).Named("stratified folds")}
	fold, next := make([]int, n), 0
	for _, m := range members {
		// where the folds of one class end those of the next begin, so that folds are of like size
		for i, at := range random.Perm(make([]int, len(m))) {
			fold[m[at]] = (next + i) % k
		}
		next += len(m)
	}
	return parted(examples, fold, k), nil
}

// parted gives each of k folds with all others before it.
func parted[T any](examples []T, fold []int, k int) iter.Seq2[[]T, []T] {
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
	}
}

// Resample draws n examples with replacement, each with a probability in proportion to its weight,
// as PyTorch's WeightedRandomSampler: a rare class with a large weight is learned as often as the
// others. The draw is that of seed, and the same in every epoch of a training on it.
//
// It is an error if there are not as many weights as examples, one is not finite and 0 or more,
// none is above 0, or n is below 1.
func Resample[T any](examples []T, weights []float64, n int, seed uint64) ([]T, error) {
	if len(weights) != len(examples) {
		return nil, fmt.Errorf("train: Resample: %d weights of %d examples: want as many",
			len(weights), len(examples))
	}
	if n < 1 {
		return nil, fmt.Errorf("train: Resample: %d draws: want at least 1", n)
	}
	largest := 0.0
	for i, w := range weights {
		if !nonNegative(w) {
			return nil, fmt.Errorf("train: Resample: weight %d is %g: want a finite number, "+
				"0 or more", i, w)
		}
		largest = max(largest, w)
	}
	if largest == 0 {
		return nil, fmt.Errorf("train: Resample: none of %d weights is above 0", len(weights))
	}
	sums, sum := make([]float64, len(weights)), 0.0
	for i, w := range weights {
		sum += w / largest // the sum of large weights might leave the range of float64
		sums[i] = sum
	}
	random := rng.Stream{Key: rng.New(seed).Named("resample")}
	drawn := make([]T, n)
	for i := range drawn {
		x := min(random.Float64()*sum, math.Nextafter(sum, 0)) // it may be rounded up to the sum
		// the first whose sum is above x, which has a weight above 0
		at := sort.Search(len(sums)-1, func(k int) bool { return sums[k] > x })
		drawn[i] = examples[at]
	}
	return drawn, nil
}
