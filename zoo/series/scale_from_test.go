package series_test

import (
	"errors"
	"iter"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/zoo/series"
)

// oneByOne gives series, and then an error if there is one.
func oneByOne(err error, all ...*series.Series) iter.Seq2[*series.Series, error] {
	return func(yield func(*series.Series, error) bool) {
		for _, s := range all {
			if !yield(s, nil) {
				return
			}
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

// The scale of series that come one by one is theirs at hand: with gaps, a variable that never
// changes, and one that is large beside its deviation.
func TestScaleFrom(t *testing.T) {
	r := rng.Stream{Key: rng.New(3)}
	var all []*series.Series
	for _, T := range []int{1, 7, 40} {
		var values []float64
		for i := range T {
			gap := r.Normal()
			if i%3 == 1 {
				gap = math.NaN()
			}
			values = append(values, r.Normal(), 5, 1e9+r.Normal(), gap)
		}
		s, err := series.NewGaps([]string{"a", "never", "large", "gaps"}, values)
		require.NoError(t, err)
		all = append(all, s)
	}
	want, err := all[0].Scale(all[1:]...)
	require.NoError(t, err)
	got, err := series.ScaleFrom(oneByOne(nil, all...))
	require.NoError(t, err)
	require.InEpsilonSlice(t, want.Mean, got.Mean, 1e-12)
	require.InEpsilonSlice(t, want.Deviation, got.Deviation, 1e-6)
	require.Equal(t, 1.0, got.Deviation[1])
}

func TestScaleFromErrors(t *testing.T) {
	of := func(name string, values ...float64) *series.Series {
		s, err := series.NewGaps([]string{name}, values)
		require.NoError(t, err)
		return s
	}
	broken := errors.New("the disk is gone")
	_, err := series.ScaleFrom(oneByOne(broken, of("a", 1)))
	require.ErrorIs(t, err, broken)
	for want, stream := range map[string]iter.Seq2[*series.Series, error]{
		"no stream":                          nil,
		"nothing to measure":                 oneByOne(nil),
		"number 1 of the stream: ":           oneByOne(broken, of("a", 1)),
		"number 1 of the stream is nil":      oneByOne(nil, of("a", 1), nil),
		"number 1 of the stream has the var": oneByOne(nil, of("a", 1), of("b", 1)),
		"a has no value":                     oneByOne(nil, of("a", math.NaN())),
		"the deviation +Inf":                 oneByOne(nil, of("a", 1e200, -1e200)),
	} {
		_, err := series.ScaleFrom(stream)
		require.ErrorContains(t, err, want)
	}
}
