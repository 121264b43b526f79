package main

import (
	"fmt"

	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/zoo/images"
)

// parity asks after every step whether the number of ones so far is odd. A state that only adds up
// cannot answer that for long sequences; one that is read by its own gates can (Beck et al., 2024).
func parity() question {
	return question{name: "parity", in: 1, classes: 2,
		draw: func(r *rng.Stream, T int, x []float32, _, answers []int) {
			odd := 0
			for t := range T {
				bit := r.Intn(2)
				odd ^= bit
				x[t], answers[t] = float32(bit), odd
			}
		}}
}

// recall shows pairs of a key and a value, and asks later, in any order and at any step, for the
// values of the keys: multi-query associative recall (Arora et al., 2024). Token 0 stands between,
// then come the keys and then the values; T is at least 3·pairs.
func recall(pairs, keys, values int) question {
	return question{name: "recall", ids: 1 + keys + values, classes: values,
		draw: func(r *rng.Stream, T int, _ []float32, tokens, answers []int) {
			for t := range T {
				tokens[t], answers[t] = 0, unasked
			}
			chosen, at := r.Perm(make([]int, keys))[:pairs], r.Perm(make([]int, T-2*pairs))[:pairs]
			for i, key := range chosen {
				value := r.Intn(values)
				tokens[2*i], tokens[2*i+1] = 1+key, 1+keys+value
				tokens[2*pairs+at[i]], answers[2*pairs+at[i]] = 1+key, value
			}
		}}
}

// timing asks for a spike every interval steps, with nothing to read but the start: the steps must
// be counted in the state (Gers, Schraudolph and Schmidhuber, 2002: generating timed spikes).
func timing(interval int) question {
	return question{name: "timing", in: 1, classes: 2,
		draw: func(_ *rng.Stream, T int, x []float32, _, answers []int) {
			for t := range T {
				x[t], answers[t] = 0, 0
				if t%interval == interval-1 {
					answers[t] = 1
				}
			}
			x[0] = 1
		}}
}

// pixels asks which digit a picture shows whose pixels were read one a step, in the order given:
// row by row (Le, Jaitly and Hinton, 2015), or shuffled once for all (the permuted task).
func pixels(set *images.Set, order []int) question {
	pick := func(i int, x []float32, answers []int) {
		picture := set.At(i)
		for t := range x {
			x[t], answers[t] = float32(picture[order[t]])/255, unasked
		}
		answers[len(x)-1] = int(set.Labels[i])
	}
	return question{name: "pixels", in: 1, classes: 10, last: true, size: set.Len(), pick: pick,
		draw: func(r *rng.Stream, _ int, x []float32, _, answers []int) {
			pick(r.Intn(set.Len()), x, answers)
		}}
}

// readPixels reads the pictures of a file of MNIST's format and the labels of another.
func readPixels(pictures, labels string) (*images.Set, error) {
	set, err := images.ReadLabelled(pictures, labels)
	if err != nil {
		return nil, err
	}
	for i, label := range set.Labels {
		if label > 9 {
			return nil, fmt.Errorf("%s: label %d is %d; want a digit", labels, i, label)
		}
	}
	return set, nil
}
