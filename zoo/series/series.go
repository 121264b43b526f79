// Package series holds series of numbers, measured at equal distances in time, and reads them from
// CSV files.
//
//	s, err := series.ReadFile("ETTh1.csv.gz", series.Options{Skip: []string{"date"}})
//	train, test := s.Slice(0, 8640), s.Slice(8640, s.Len())
//	scale, err := train.Scale() // mean and deviation of each variable
//
// # Files
//
// A file is plain or gzip, UTF-8, with a line of names and a line for each time. What separates
// fields is found out, and they may be quoted. Every column that is not left out must hold numbers;
// [Options] say what an empty cell means. If one of the columns left out holds times,
// they are looked at: those that run backwards, come twice or have holes are warned of.
package series

import (
	"fmt"
	"math"
	"slices"

	"github.com/seqzoo/seqzoo/internal/moments"
)

// Series is the values of some variables at times that follow each other.
type Series struct {
	Names    []string  // of the variables
	Values   []float64 // [Len, variables], row by row
	Warnings []string  // what looks wrong about the file that it was read from
}

// New checks that a series is whole: names that differ, as many values in every row, all finite.
func New(names []string, values []float64) (*Series, error) {
	s, err := NewGaps(names, values)
	if err != nil {
		return nil, err
	}
	for i, x := range values {
		if math.IsNaN(x) {
			return nil, fmt.Errorf("series: %s is %g at row %d: want a finite number; "+
				"NewGaps takes "+
				"gaps", names[i%len(names)], x, i/len(names))
		}
	}
	return s, nil
}

// NewGaps is New for values some of which may be NaN: gaps, where nothing is known.
func NewGaps(names []string, values []float64) (*Series, error) {
	if len(names) == 0 || len(values)%len(names) != 0 {
		return nil, fmt.Errorf("series: %d values of %d variables: want the same number of each",
			len(values), len(names))
	}
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return nil, fmt.Errorf("series: the variable %q comes twice", name)
		}
	}
	for i, x := range values {
		if math.IsInf(x, 0) {
			return nil, fmt.Errorf("series: %s is %g at row %d: want a finite number",
				names[i%len(names)], x, i/len(names))
		}
	}
	return &Series{Names: names, Values: values}, nil
}

// Len is the number of times.
func (s *Series) Len() int {
	if len(s.Names) == 0 {
		return 0
	}
	return len(s.Values) / len(s.Names)
}

// Row is the values at time t, from 0 to Len−1. They are part of s.
func (s *Series) Row(t int) []float64 {
	n := len(s.Names)
	return s.Values[t*n : (t+1)*n : (t+1)*n]
}

// Slice is the times from i up to j, 0 ≤ i ≤ j ≤ Len. It shares its memory with s.
func (s *Series) Slice(i, j int) *Series {
	n := len(s.Names)
	return &Series{Names: s.Names, Values: s.Values[i*n : j*n : j*n]}
}

// Select is the variables of the given names, in that order, copied.
func (s *Series) Select(names ...string) (*Series, error) {
	at := make([]int, len(names))
	for i, name := range names {
		if at[i] = slices.Index(s.Names, name); at[i] < 0 {
			return nil, fmt.Errorf("series: there is no variable %q; there are %.200q", name,
				s.Names)
		}
	}
	values := make([]float64, 0, s.Len()*len(names))
	for t := range s.Len() {
		row := s.Row(t)
		for _, i := range at {
			values = append(values, row[i])
		}
	}
	return NewGaps(names, values)
}

// Scale is the mean and the deviation of each variable: (x − Mean)/Deviation has the mean 0 and the
// deviation 1.
type Scale struct {
	Mean      []float64 `json:"mean"`
	Deviation []float64 `json:"deviation"` // 1 for a variable that never changes
}

// Scale measures the series, and more of the same variables beside it as if all were one. Gaps
// count nothing; a variable without any value is an error.
func (s *Series) Scale(more ...*Series) (*Scale, error) {
	n, values, T := len(s.Names), s.Values, s.Len()
	for _, other := range more {
		if other == nil || !slices.Equal(other.Names, s.Names) {
			return nil, fmt.Errorf("series: a scale of other variables than %.200q", s.Names)
		}
		T += other.Len()
	}
	if len(more) > 0 {
		all := [][]float64{s.Values}
		for _, other := range more {
			all = append(all, other.Values)
		}
		values = slices.Concat(all...)
	}
	if T == 0 {
		return nil, fmt.Errorf("series: there is nothing to measure the scale of")
	}
	c, known := &Scale{Mean: make([]float64, n)}, make([]int, n)
	first := make([]float64, n)
	for i, x := range values {
		if !math.IsNaN(x) {
			if known[i%n]++; known[i%n] == 1 {
				first[i%n] = x
			}
		}
	}
	for i, x := range values {
		// from the first, so that a variable that never changes has no deviation
		if !math.IsNaN(x) {
			c.Mean[i%n] += (x - first[i%n]) / float64(known[i%n])
		}
	}
	for i := range c.Mean {
		if c.Mean[i] += first[i]; known[i] == 0 {
			return nil, fmt.Errorf("series: %s has no value, of which a scale could be", s.Names[i])
		}
	}
	at := func(i int) float64 {
		if math.IsNaN(values[i]) {
			return c.Mean[i%n]
		}
		return values[i]
	}
	c.Deviation = moments.Deviations(n*T, at, c.Mean)
	for i, v := range c.Deviation {
		if known[i] < T { // the gaps have added nothing, and must not count
			c.Deviation[i] = v * math.Sqrt(float64(T)/float64(known[i]))
		}
		if v == 0 {
			c.Deviation[i] = 1
		}
	}
	return c, c.Check(n)
}

// Check reports a scale that has another number of variables, or values out of range.
func (c *Scale) Check(variables int) error {
	if len(c.Mean) != variables || len(c.Deviation) != variables {
		return fmt.Errorf("series: a scale with %d means and %d deviations of %d variables",
			len(c.Mean), len(c.Deviation), variables)
	}
	for i := range c.Mean {
		if m, d := c.Mean[i], c.Deviation[i]; !(d > 0) || math.IsInf(d, 0) || m-m != 0 {
			return fmt.Errorf("series: variable %d has the mean %g and the deviation %g: want "+
				"finite numbers, and a deviation above 0", i, m, d)
		}
	}
	return nil
}
