package series

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/seqzoo/seqzoo/internal/moments"
)

// ScaleFrom is the scale of all series of a stream as if they were one, but for rounding what
// [Series.Scale] makes of them: series that need not fit in memory together. It ranges over them
// once. An error among them ends it, with the number of the series.
func ScaleFrom(stream iter.Seq2[*Series, error]) (*Scale, error) {
	if stream == nil {
		return nil, errors.New("series: there is no stream to measure the scale of")
	}
	var names []string
	var all *moments.Running
	n := 0
	for s, err := range stream {
		switch {
		case err != nil:
			return nil, fmt.Errorf("series: number %d of the stream: %w", n, err)
		case s == nil:
			return nil, fmt.Errorf("series: number %d of the stream is nil", n)
		case n == 0:
			names, all = slices.Clone(s.Names), moments.NewRunning(len(s.Names))
		case !slices.Equal(s.Names, names):
			return nil, fmt.Errorf("series: number %d of the stream has the variables %.200q, and "+
				"the first %.200q", n, s.Names, names)
		}
		n++
		for i, x := range s.Values {
			if !math.IsNaN(x) {
				all.Add(i%len(names), x)
			}
		}
	}
	if len(names) == 0 {
		return nil, errors.New("series: there is nothing to measure the scale of")
	}
	c := &Scale{Mean: all.Mean, Deviation: all.Deviations()}
	for v, d := range c.Deviation {
		if all.Count[v] == 0 {
			return nil, fmt.Errorf("series: %s has no value, of which a scale could be", names[v])
		}
		if d == 0 {
			c.Deviation[v] = 1
		}
	}
	return c, c.Check(len(names))
}
