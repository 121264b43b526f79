package metrics

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Pearson is the correlation coefficient of two lists of numbers, in [−1, 1]: 1 where one is a
// rising straight line of the other. It is an error if either does not vary.
func Pearson(x, y []float64) (float64, error) {
	if err := checkPaired("Pearson", x, y); err != nil {
		return 0, err
	}
	return pearson("Pearson", x, y)
}

// Spearman is the correlation of the ranks of two lists of numbers (Spearman, 1904), in [−1, 1]: 1
// where one rises whenever the other does. Equal numbers share the mean of their ranks. It is an
// error if either does not vary.
func Spearman(x, y []float64) (float64, error) {
	if err := checkPaired("Spearman", x, y); err != nil {
		return 0, err
	}
	return pearson("Spearman", ranks(x), ranks(y))
}

// checkPaired reports lists of different lengths, empty ones, and numbers that are not finite.
func checkPaired(what string, x, y []float64) error {
	if len(x) != len(y) {
		return lengthError("metrics: %s: %d numbers and %d: want as many", what, len(x), len(y))
	}
	if len(x) == 0 {
		return fmt.Errorf("metrics: %s: there is nothing to measure", what)
	}
	for i := range x {
		for _, v := range [2]float64{x[i], y[i]} {
			if v-v != 0 {
				return fmt.Errorf("metrics: %s: number %d is %g: want a finite number", what, i, v)
			}
		}
	}
	return nil
}

// pearson divides both lists by their greatest deviation first, so that no square leaves the range
// of float64.
func pearson(what string, x, y []float64) (float64, error) {
	for i, v := range [2][]float64{x, y} {
		if slices.Max(v) == slices.Min(v) {
			return math.NaN(), fmt.Errorf("metrics: %s: list %d does not vary: there is no "+
				"correlation with a constant", what, i+1)
		}
	}
	x, y = centred(x), centred(y)
	var xx, xy, yy float64
	for i := range x {
		xx += x[i] * x[i]
		xy += x[i] * y[i]
		yy += y[i] * y[i]
	}
	return xy / math.Sqrt(xx*yy), nil
}

// centred returns x minus its mean, scaled so that the greatest absolute value is 1. X varies.
func centred(x []float64) []float64 {
	scale, mean, out := 0.0, 0.0, make([]float64, len(x))
	for _, v := range x {
		scale = max(scale, math.Abs(v))
	}
	scale = max(scale, math.SmallestNonzeroFloat64)
	for i, v := range x {
		out[i] = v / scale
		mean += out[i] / float64(len(x))
	}
	greatest := 0.0
	for i := range out {
		out[i] -= mean
		greatest = max(greatest, math.Abs(out[i]))
	}
	for i := range out {
		out[i] /= greatest
	}
	return out
}

// ranks are the places of the elements in ascending order; equal ones share the mean of theirs.
func ranks(x []float64) []float64 {
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(x[i], x[j]) })
	r := make([]float64, len(x))
	for from := 0; from < len(x); {
		to := from + 1
		for to < len(x) && x[order[to]] == x[order[from]] {
			to++
		}
		for _, i := range order[from:to] {
			r[i] = float64(from+to-1) / 2
		}
		from = to
	}
	return r
}
