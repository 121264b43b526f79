package moments

import "math"

// Running are the means and the standard deviations of columns of numbers that come one by one, of
// which none is kept (Welford, 1962). A column that never varies has exactly its number as the mean
// and the deviation 0; squares above the range of float64 give one that is not finite.
type Running struct {
	Count, Mean []float64 // numbers of each column, and their mean
	squares     []float64 // of the differences from the mean, in all
}

// NewRunning is of so many columns, without numbers.
func NewRunning(columns int) *Running {
	return &Running{make([]float64, columns), make([]float64, columns), make([]float64, columns)}
}

// Add adds a number to column j.
func (r *Running) Add(j int, x float64) {
	r.Count[j]++
	off := x - r.Mean[j]
	r.Mean[j] += off / r.Count[j]
	r.squares[j] += off * (x - r.Mean[j])
}

// Deviations are those of the columns; 0 of one without numbers.
func (r *Running) Deviations() []float64 {
	d := make([]float64, len(r.Mean))
	for j, s := range r.squares {
		d[j] = math.Sqrt(s / max(r.Count[j], 1))
	}
	return d
}
