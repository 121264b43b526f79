package reduce

import (
	"cmp"
	"fmt"
	"slices"
)

// Cause is a number of a row with its part in the row's error, by which it is an anomaly.
type Cause struct {
	Feature         int     // of the row, from 0
	Step, Variable  int     // where the row is a window of a series
	Value, Expected float64 // the value, and its reconstruction, in the units of the data
	Share           float64 // of the row's error as Errors measures it; all together are 1
}

// Explain says which numbers of each row [N, D] make its error, the largest share first: [N][D].
// Variables is how many a step has, where rows are windows of a series as series.Windows makes
// them, and else 0 or D. Of a row that comes back exactly all shares are 0. A row that does not
// come back as finite numbers is a *RowError.
func Explain(m Reducer, x []float32, variables int) ([][]Cause, error) {
	if m == nil {
		return nil, errNoReducer
	}
	d := m.Features()
	if variables = cmp.Or(variables, d); variables < 1 || d%variables != 0 {
		return nil, fmt.Errorf("zoo: explain: %d variables of a row of %d numbers: want a divisor",
			variables, d)
	}
	y, err := Reconstruct(m, x)
	if err != nil {
		return nil, err
	}
	unit := units(m)
	all := make([][]Cause, 0, len(x)/d)
	for at := 0; at < len(x); at += d {
		causes, sum := make([]Cause, d), 0.0
		for j := range causes {
			c := Cause{Feature: j, Step: j / variables, Variable: j % variables,
				Value: float64(x[at+j]), Expected: float64(y[at+j])}
			e := c.Value - c.Expected
			if unit != nil {
				e /= unit[j%len(unit)]
			}
			c.Share = e * e
			sum += c.Share
			causes[j] = c
		}
		for j := range causes {
			if sum > 0 {
				causes[j].Share /= sum
			}
		}
		slices.SortStableFunc(causes, func(a, b Cause) int { return cmp.Compare(b.Share, a.Share) })
		all = append(all, causes)
	}
	return all, nil
}

// units are the deviations by which a model standardises, of each number or each variable; nil if
// it does not.
func units(m Reducer) []float64 {
	var s *scaling
	switch m := m.(type) {
	case *PCA:
		s = m.scaling
	case *Autoencoder:
		s = m.scaling
	case *VAE:
		s = m.scaling
	case *RecurrentAutoencoder:
		s = m.scaling
	}
	if s == nil {
		return nil
	}
	_, scale := s.values()
	return scale
}
