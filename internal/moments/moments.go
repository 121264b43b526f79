// Package moments has the spread of columns of numbers.
package moments

import "math"

// Deviations are the standard deviations, by the number of rows, of columns of the given means, in
// rows of n numbers in all. No square leaves the range of float64 on the way. It is 0 for a column
// that does not vary, and not finite if a difference from the mean is not.
func Deviations(n int, x func(i int) float64, mean []float64) []float64 {
	d := len(mean)
	s, unit := make([]float64, d), make([]float64, d)
	for i := range n {
		unit[i%d] = max(unit[i%d], math.Abs(x(i)-mean[i%d]))
	}
	// a power of two near the largest difference: dividing by it loses no bit
	for j, most := range unit {
		_, exp := math.Frexp(most)
		unit[j] = math.Ldexp(1, min(max(exp, -1021), 1023))
	}
	for i := range n {
		e := (x(i) - mean[i%d]) / unit[i%d]
		s[i%d] += e * e / float64(n/d)
	}
	for j, v := range s {
		s[j] = unit[j] * math.Sqrt(v)
	}
	return s
}
