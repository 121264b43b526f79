package series

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
)

// ScaleFrom is the scale of all series of a stream as if they were one, but for rounding what
// [Series.Scale] makes of them: series that need not fit in memory together. It ranges over them
// once (Welford, 1962). An error among them ends it, with the number of the series.
func ScaleFrom(stream iter.Seq2[*Series, error]) (*Scale, error) {
	if stream == nil {
		return nil, errors.New("series: there is no stream to measure the scale of")
	}
	var names []string
	var c Scale
	var known []float64 // values of each variable
	n := 0
	for s, err := range stream {
		switch {
		case err != nil:
			return nil, fmt.Errorf("series: number %d of the stream: %w", n, err)
		case s == nil:
			return nil, fmt.Errorf("series: number %d of the stream is nil", n)
		case n == 0:
			names, known = slices.Clone(s.Names), make([]float64, len(s.Names))
			c.Mean, c.Deviation = make([]float64, len(names)), make([]float64, len(names))
		case !slices.Equal(s.Names, names):
			return nil, fmt.Errorf("series: number %d of the stream has the variables %.200q, and "+
				"the first %.200q", n, s.Names, names)
		}
		n++
		for i, x := range s.Values {
			if v := i % len(names); !math.IsNaN(x) {
				known[v]++
				off := x - c.Mean[v]
				c.Mean[v] += off / known[v]
				c.Deviation[v] += off * (x - c.Mean[v]) // the sum of squares, for now
			}
		}
	}
	if len(names) == 0 {
		return nil, errors.New("series: there is nothing to measure the scale of")
	}
	for v, squares := range c.Deviation {
		if known[v] == 0 {
			return nil, fmt.Errorf("series: %s has no value, of which a scale could be", names[v])
		}
		if c.Deviation[v] = math.Sqrt(squares / known[v]); c.Deviation[v] == 0 {
			c.Deviation[v] = 1
		}
	}
	return &c, c.Check(len(names))
}
