package reduce

import (
	"iter"
	"math"

	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/internal/moments"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
)

// scaling brings features to mean 0 and, unless centre is set, to variance 1, by parameters mean
// and scale [D] that no training changes.
type scaling struct {
	mean, scale *nodes.Param
	centre      bool
}

func newScaling(s *nodes.Scope, features int, centre bool) *scaling {
	return &scaling{s.Param("mean", nodes.Zeros(), features),
		s.Param("scale", nodes.Ones(), features), centre}
}

// fit takes mean and standard deviation of rows, unless that was done before: a model that is
// trained further keeps its units. The scale of a feature that does not vary is 1.
func (s *scaling) fit(x []float32) {
	if s.fitted() {
		return
	}
	mean, _ := s.values()
	d := len(mean)
	at := func(i int) float64 { return float64(x[i]) }
	for j := range mean {
		mean[j] = 0
	}
	for i := range x {
		mean[i%d] += at(i) / float64(len(x)/d)
	}
	run.ParamFloats(s.mean).Put64(0, mean)
	if !s.centre {
		scale := deviations(len(x), at, mean)
		for j, v := range scale {
			if float32(v) == 0 { // as weights of 32 bits have it
				scale[j] = 1
			}
		}
		run.ParamFloats(s.scale).Put64(0, scale)
	}
}

// fitted reports whether mean and scale are of some rows.
func (s *scaling) fitted() bool {
	mean, scale := s.values()
	for j := range mean {
		if mean[j] != 0 || scale[j] != 1 {
			return true
		}
	}
	return false
}

// fitFrom is fit, but for rounding, of rows that come one by one, or series of them; kind is what
// comes.
func (s *scaling) fitFrom(kind string, rows iter.Seq2[[]float32, error]) error {
	if s.fitted() {
		return nil
	}
	mean, _ := s.values()
	all, d := moments.NewRunning(len(mean)), len(mean)
	n := 0
	for x, err := range rows {
		if err != nil {
			return check.Example(kind, n, "the stream fails: %w", err)
		}
		n++
		for i, v := range x {
			all.Add(i%d, float64(v))
		}
	}
	if n == 0 {
		return nil // what learns from them says so
	}
	run.ParamFloats(s.mean).Put64(0, all.Mean)
	if !s.centre {
		scale := all.Deviations()
		for j, v := range scale {
			if float32(v) == 0 {
				scale[j] = 1
			}
		}
		run.ParamFloats(s.scale).Put64(0, scale)
	}
	return nil
}

// deviations are the standard deviations of features of the given means, in rows of n numbers; 1
// where a feature does not vary.
func deviations(n int, x func(i int) float64, mean []float64) []float64 {
	s := moments.Deviations(n, x, mean)
	for j, v := range s {
		if v <= 1e-12*math.Abs(mean[j]) {
			s[j] = 1
		}
	}
	return s
}

// leave keeps features from a place on as they are, such as a condition.
func (s *scaling) leave(from int) {
	if s == nil {
		return
	}
	mean, _ := s.values()
	for j := from; j < len(mean); j++ {
		run.ParamFloats(s.mean).Set(j, 0)
		run.ParamFloats(s.scale).Set(j, 1)
	}
}

func (s *scaling) values() (mean, scale []float64) {
	return run.ParamFloats(s.mean).Float64s(), run.ParamFloats(s.scale).Float64s()
}

// apply returns rows as the model sees them; without a scaling, x itself.
func (s *scaling) apply(x []float32) []float32 {
	if s == nil {
		return x
	}
	mean, scale := s.values()
	y := make([]float32, len(x))
	for i, v := range x {
		j := i % len(mean)
		y[i] = float32((float64(v) - mean[j]) / scale[j])
	}
	return y
}

// restore takes rows of the model back to the units of the data, in place.
func (s *scaling) restore(y []float32) []float32 {
	if s == nil {
		return y
	}
	mean, scale := s.values()
	for i, v := range y {
		j := i % len(mean)
		y[i] = float32(float64(v)*scale[j] + mean[j])
	}
	return y
}

// applied are the rows of a stream as the model sees them.
func (s *scaling) applied(stream iter.Seq2[[]float32, error]) iter.Seq2[[]float32, error] {
	return func(yield func([]float32, error) bool) {
		for x, err := range stream {
			if err == nil {
				x = s.apply(x)
			}
			if !yield(x, err) {
				return
			}
		}
	}
}
