package dialogue

import (
	"math"
	"slices"

	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// profile is what turns of the data are like, from which the shapes of all batches are scaled, so
// that there are few: the tokens of a turn in each group, and those predicted a turn.
type profile struct {
	T      [turnGroups]float64
	tokens float64
}

func profileOf(ds []Dialogue) (p profile) {
	var lengths []int
	sum := 0
	for _, d := range ds {
		for _, ids := range d {
			lengths = append(lengths, len(ids)+1)
			sum += len(ids) + 1
		}
	}
	if len(lengths) == 0 {
		return p
	}
	slices.Sort(lengths)
	for k, q := range [turnGroups]float64{0.5, 0.8, 0.95, 0.995} {
		p.T[k] = float64(lengths[int(q*float64(len(lengths)-1))])
	}
	// some turns are absent, and the first are not predicted
	p.tokens = 0.8 * float64(sum) / float64(len(lengths))
	return p
}

// fit is the least shape that has room for a batch and is the profile times a power of 1.15; but
// nothing is much more than twice what is needed, as it would be beside an outlier.
func (p profile) fit(need dialogueShape) dialogueShape {
	rows, turns := need.rows(), float64(need.N*need.B)
	level := math.Inf(-1) // the largest power that anything needs
	for k, n := range rows {
		if n > 0 {
			level = max(level, math.Log(float64(max(need.T[k], 1))/p.T[k]))
		}
	}
	level = max(level, math.Log(float64(max(need.Tokens, 1))/(p.tokens*turns)))
	scale := math.Pow(1.15, math.Ceil(level/math.Log(1.15)-1e-9))
	scaled := func(need int, of float64) int {
		if n := int(math.Ceil(of*scale - 1e-6)); n <= 2*need+8 {
			return n
		}
		return shared.Outliers.Up(need)
	}
	for k, n := range rows {
		if n > 0 {
			need.T[k] = scaled(need.T[k], p.T[k])
		}
	}
	need.Tokens = scaled(need.Tokens, p.tokens*turns)
	return need
}

// rows is the number of turns in each group.
func (s dialogueShape) rows() (n [turnGroups]int) {
	all := s.N * s.B
	n[turnGroups-1] = all
	if all >= 20 { // else they are not worth a group each
		for k := range turnGroups - 1 {
			n[k] = all * groupTwentieths[k] / 20
			n[turnGroups-1] -= n[k]
		}
	}
	return n
}
