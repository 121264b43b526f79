package forecast

import (
	"context"
	"math"
	"testing"

	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/series"
	"github.com/stretchr/testify/require"
)

// A forecast that is not finite is an error, and so are errors of one.
func TestForecastThatOverflows(t *testing.T) {
	scale := &series.Scale{Mean: []float64{0}, Deviation: []float64{1e300}}
	m, err := New(Config{Recurrent: zoo.Recurrent{Cell: "rnn", Hidden: 2}, Variables: []string{"a"},
		Lookback: 2, Horizon: 1}, scale, 1)
	require.NoError(t, err)
	w := m.out.W.Value().Float32s()
	for i := range w {
		w[i] = 3e38
	}
	m.out.B.Value().Float32s()[0] = 3e38
	_, err = m.Forecast([][]float64{{1e300}, {-1e300}})
	require.ErrorContains(t, err, "step 1 of a is")
	for i := range w {
		w[i] = float32(math.NaN())
	}
	s, err := series.New([]string{"a"}, []float64{1, 2, 3, 4})
	require.NoError(t, err)
	_, err = m.Evaluate(context.Background(), s)
	require.ErrorContains(t, err, "step 1 of a")
}
