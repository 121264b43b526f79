package vectors

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/seqzoo/seqzoo/internal/kernels"
)

// Match is a word that was found.
type Match struct {
	Word       string
	Similarity float64
}

// Similarity is the cosine of the angle between the vectors of two words, in [−1, 1].
func (v *Vectors) Similarity(a, b string) (float64, error) {
	at, err := v.indices([]string{a, b})
	if err != nil {
		return 0, err
	}
	return float64(v.cosine(at[0], at[1])), nil
}

var errNothing = errors.New("vectors: there is no word to search for")

// Similar lists the n words whose vectors are nearest to the sum of the positive ones less the
// negative ones, each at length 1 (3CosAdd), best first and without the words given.
func (v *Vectors) Similar(positive, negative []string, n int) ([]Match, error) {
	at, err := v.indices(positive, negative)
	if err != nil {
		return nil, err
	}
	if len(at) == 0 {
		return nil, errNothing
	}
	query := make([]float32, v.dim)
	for k, i := range at {
		sign := float32(1)
		if k >= len(positive) {
			sign = -1
		}
		kernels.Axpy(query, sign, v.row(v.units(), i))
	}
	return v.best(v.cosines(query), at, n), nil
}

// SimilarMul is Similar with 3CosMul: the product of the similarities to the positive words, each
// (1 + cosine) / 2, over that to the negative ones and 1e-6. It lets no single large similarity
// outweigh the others.
func (v *Vectors) SimilarMul(positive, negative []string, n int) ([]Match, error) {
	at, err := v.indices(positive, negative)
	if err != nil {
		return nil, err
	}
	if len(at) == 0 {
		return nil, errNothing
	}
	above, below := make([]float32, v.n), make([]float32, v.n)
	kernels.Fill(above, 1)
	kernels.Fill(below, 1)
	for k, i := range at {
		s := v.cosines(v.Row(i))
		kernels.AddScalar(s, s, 1)
		kernels.MulScalar(s, s, 0.5)
		if k < len(positive) {
			kernels.Mul(above, above, s)
		} else {
			kernels.Mul(below, below, s)
		}
	}
	kernels.AddScalar(below, below, 1e-6)
	kernels.Div(above, above, below)
	return v.best(above, at, n), nil
}

// SimilarTo lists the n words whose vectors are nearest to a vector.
func (v *Vectors) SimilarTo(vector []float32, n int) ([]Match, error) {
	if len(vector) != v.dim {
		return nil, fmt.Errorf("vectors: the vector has %d numbers, those of the words %d",
			len(vector), v.dim)
	}
	for i, x := range vector {
		if !finite(x) {
			return nil, fmt.Errorf("vectors: number %d of the vector is %v; it must be finite", i,
				x)
		}
	}
	return v.best(v.cosines(vector), nil, n), nil
}

// cosines are the similarities of all words to a vector.
func (v *Vectors) cosines(query []float32) []float32 {
	u, all := make([]float32, v.dim), make([]float32, v.n)
	unit(u, query)
	for i := range all {
		all[i] = kernels.Dot(v.row(v.units(), i), u)
	}
	return all
}

// best are the n words with the highest scores, without those at some positions. Equal scores keep
// the words' order.
func (v *Vectors) best(scores []float32, without []int, n int) []Match {
	n = max(0, min(n, len(scores)))
	better := func(i, j int) int {
		return cmp.Or(cmp.Compare(scores[j], scores[i]), cmp.Compare(i, j))
	}
	var top []int
	bar := float32(math.Inf(-1)) // the score that a word must exceed to be among the n best so far
	for i, s := range scores {
		if s <= bar || slices.Contains(without, i) {
			continue
		}
		if top = append(top, i); len(top) >= 2*n+100 {
			slices.SortFunc(top, better)
			top = top[:n]
			if n > 0 {
				bar = scores[top[n-1]]
			}
		}
	}
	slices.SortFunc(top, better)
	matches := make([]Match, min(n, len(top)))
	for k := range matches {
		matches[k] = Match{v.word(top[k]), float64(scores[top[k]])}
	}
	return matches
}

// Rank is the place of b among all words by their similarity to a: 1 for the nearest word other
// than a.
func (v *Vectors) Rank(a, b string) (int, error) {
	at, err := v.indices([]string{a, b})
	if err != nil {
		return 0, err
	}
	rank, scores := 1, v.cosines(v.Row(at[0]))
	for i, s := range scores {
		if s > scores[at[1]] && i != at[0] {
			rank++
		}
	}
	return rank, nil
}

// DoesntMatch is the word that is least similar to the mean of all the words, each at length 1.
func (v *Vectors) DoesntMatch(words ...string) (string, error) {
	at, err := v.indices(words)
	if err != nil {
		return "", err
	}
	if len(at) == 0 {
		return "", errNothing
	}
	mean := make([]float32, v.dim)
	for _, i := range at {
		kernels.Axpy(mean, 1, v.row(v.units(), i))
	}
	odd := slices.MinFunc(at, func(i, j int) int {
		return cmp.Compare(kernels.Dot(mean, v.row(v.units(), i)),
			kernels.Dot(mean, v.row(v.units(), j)))
	})
	return v.word(odd), nil
}
