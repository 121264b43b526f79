package series

import (
	"fmt"
	"math"
	"slices"
)

// Filling says which value stands in for a gap.
type Filling int

const (
	FillLast Filling = iota // the value before it, or if there is none the first behind it
	FillMean                // the mean of the variable
)

// Gaps is how many values of each variable are not known.
func (s *Series) Gaps() []int {
	gaps := make([]int, len(s.Names))
	if len(gaps) == 0 {
		return gaps
	}
	for i, x := range s.Values {
		if math.IsNaN(x) {
			gaps[i%len(gaps)]++
		}
	}
	return gaps
}

// Filled is the series without gaps, copied. A variable without any value is an error.
func (s *Series) Filled(with Filling) (*Series, error) {
	if with != FillLast && with != FillMean {
		return nil, fmt.Errorf("series: gaps cannot be filled with %d; want FillLast or FillMean",
			with)
	}
	n, out := len(s.Names), &Series{Names: s.Names, Values: slices.Clone(s.Values),
		Warnings: s.Warnings}
	if !slices.ContainsFunc(s.Gaps(), func(gaps int) bool { return gaps > 0 }) {
		return out, nil
	}
	scale, err := s.Scale()
	if err != nil {
		return nil, err
	}
	last := slices.Clone(scale.Mean)
	if with == FillLast {
		for i := len(s.Values) - 1; i >= 0; i-- { // to the first value of each variable
			if x := s.Values[i]; !math.IsNaN(x) {
				last[i%n] = x
			}
		}
	}
	for i, x := range s.Values {
		switch {
		case math.IsNaN(x):
			out.Values[i] = last[i%n]
		case with == FillLast:
			last[i%n] = x
		}
	}
	return out, nil
}

// Split cuts a series into one for each value of a variable, such as the number of a shop. They
// come in the order in which their values come first, and rows keep their order.
func (s *Series) Split(by string) ([]*Series, error) {
	at := slices.Index(s.Names, by)
	if at < 0 {
		return nil, fmt.Errorf("series: there is no variable %q; there are %.200q", by, s.Names)
	}
	var all []*Series
	of := map[float64]*Series{}
	for t := range s.Len() {
		row := s.Row(t)
		if math.IsNaN(row[at]) {
			return nil, fmt.Errorf("series: %s has a gap at row %d, so that it is not known which "+
				"series that is", by, t)
		}
		one := of[row[at]]
		if one == nil {
			one = &Series{Names: s.Names}
			of[row[at]], all = one, append(all, one)
		}
		one.Values = append(one.Values, row...)
	}
	return all, nil
}

// Windows are the windows of a length, one every stride rows, each as a row of numbers: [N,
// length·variables], time after time, for a reduce.Reducer. It has no gaps, and no number beyond
// float32.
func (s *Series) Windows(length, stride int) ([]float32, error) {
	if length < 1 || stride < 1 || length > s.Len() {
		return nil, fmt.Errorf("series: windows of %d rows, one every %d, of a series of %d: want "+
			"windows of 1 to all rows, and a stride of 1 or more", length, stride, s.Len())
	}
	n := len(s.Names)
	for i, x := range s.Values {
		if y := float32(x); y-y != 0 {
			return nil, fmt.Errorf("series: %s is %g at row %d: want a finite number", s.Names[i%n],
				x, i/n)
		}
	}
	count := (s.Len()-length)/stride + 1
	if count > math.MaxInt32/(length*n) {
		return nil, fmt.Errorf("series: %d windows of %d numbers are too many: take a "+
			"larger stride", count, length*n)
	}
	out := make([]float32, 0, count*length*n)
	for w := range count {
		for _, x := range s.Values[w*stride*n : (w*stride+length)*n] {
			out = append(out, float32(x))
		}
	}
	return out, nil
}
