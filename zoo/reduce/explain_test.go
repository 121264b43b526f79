package reduce_test

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/reduce"
	"github.com/seqzoo/seqzoo/zoo/series"
)

// The variable and the time at which a series is unlike itself are found, in its units, by models
// that read windows of it.
func TestExplainFindsVariableAndTime(t *testing.T) {
	if testing.Short() {
		t.Skip("it trains")
	}
	ctx := context.Background()
	r := rng.Stream{Key: rng.New(1)}
	var values []float64
	for i := range 600 { // 1000 times as large, and in step
		x := 2 * math.Pi * float64(i) / 12
		values = append(values, math.Sin(x)+0.02*r.Normal(), 5000+1000*math.Sin(x+1)+20*r.Normal())
	}
	s, err := series.New([]string{"small", "large"}, values)
	require.NoError(t, err)
	learn, err := s.Slice(0, 500).Windows(12, 1)
	require.NoError(t, err)
	test, err := s.Slice(500, 600).Windows(12, 12)
	require.NoError(t, err)
	strange := append([]float32{}, test[2*24:3*24]...)
	strange[7*2] += 2 // the small variable, in the eighth row of the window
	pca, err := reduce.FitPCA(ctx, learn, reduce.PCAConfig{Features: 24, Components: 3,
		Standardise: true})
	require.NoError(t, err)
	auto, err := reduce.NewRecurrentAutoencoder(reduce.RecurrentAutoencoderConfig{
		Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 16}, Variables: 2, Window: 12, Code: 4,
		Standardise: true}, 1)
	require.NoError(t, err)
	task, err := auto.Task(reduce.RowData{Train: learn})
	require.NoError(t, err)
	adam, err := train.NewAdam(train.AdamConfig{LR: 0.01})
	require.NoError(t, err)
	_, err = train.Fit(ctx, task, train.Config{Optimizer: adam, Epochs: 25})
	require.NoError(t, err)
	for _, m := range []reduce.Reducer{pca, auto} {
		all, err := reduce.Explain(m, strange, 2)
		require.NoError(t, err)
		first := all[0][0]
		t.Logf("%s: step %d, variable %d, %.3g in place of %.3g, %.0f %% of the error",
			m.Architecture(), first.Step, first.Variable, first.Value, first.Expected, 100*first.Share)
		require.Equal(t, []int{7, 0}, []int{first.Step, first.Variable})
		require.InDelta(t, float64(strange[14]), first.Value, 1e-6)
		require.InDelta(t, float64(strange[14])-2, first.Expected, 1.2)
		require.Greater(t, first.Share, 0.3)
		// the shares are those of Errors
		errs, err := m.Errors(strange)
		require.NoError(t, err)
		sum := 0.0
		for _, c := range all[0] {
			sum += c.Share
		}
		require.InDelta(t, 1, sum, 1e-9)
		require.Greater(t, errs[0], 0.0)
	}
	_, err = reduce.Explain(pca, strange, 5)
	require.ErrorContains(t, err, "5 variables of a row of 24 numbers")
	_, err = reduce.Explain(nil, strange, 1)
	require.Error(t, err)
	_, err = reduce.Explain(pca, strange[:3], 2)
	require.ErrorContains(t, err, "3 values are no rows of 24")
}
