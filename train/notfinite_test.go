package train_test

import (
	"bytes"
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/train"
)

// measuring is a bowl whose validation measures given numbers, one after another.
type measuring struct {
	*bowl
	values []float64
	at     int
}

func (m *measuring) Validate(context.Context) (map[string]float64, error) {
	m.at++
	return map[string]float64{"valid_loss": m.values[m.at-1]}, nil
}

// What is not finite is never the best, for an early stop, a plateau and the best checkpoint.
func TestNotFiniteIsNeverTheBest(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		e := must(train.NewEarlyStop(train.EarlyStopConfig{Patience: 9}))
		p := must(train.NewPlateau(train.PlateauConfig{LR: 1, Patience: 1}))
		for _, m := range []float64{bad, 3, bad, 2, bad} {
			e.Observe(m)
			p.Observe(m)
		}
		best, at := e.Best()
		require.Equal(t, 2.0, best)
		require.Equal(t, 4, at)
		require.Equal(t, 1.0, p.LR(0))

		var said bytes.Buffer
		dir := tempDir(t)
		checkpoints, err := train.OpenCheckpoints(dir, 0)
		require.NoError(t, err)
		task := &measuring{bowl: newBowl(2), values: []float64{bad, 3, bad}}
		r, err := train.Fit(context.Background(), task, train.Config{
			Optimizer: adam(0.1), Epochs: 3, Checkpoints: checkpoints,
			Progress:  train.NewProgress(&said, "bowl", "points"),
			EarlyStop: must(train.NewEarlyStop(train.EarlyStopConfig{Patience: 9})),
		})
		require.NoError(t, err)
		require.Equal(t, 3, r.Epochs)
		c, err := checkpoints.Best()
		require.NoError(t, err)
		require.Equal(t, 4, c.Step)
		require.NoError(t, checkpoints.Close())
		require.Contains(t, said.String(), "epoch 1: not finite: valid_loss")
		require.NotContains(t, said.String(), "epoch 2: not finite")
	}
}

// A validation that never knew a number ends a training with an error, when all is done.
func TestValidationThatIsNeverFinite(t *testing.T) {
	task := &measuring{bowl: newBowl(2), values: []float64{math.NaN(), math.Inf(1)}}
	r, err := train.Fit(context.Background(), task, train.Config{Optimizer: adam(0.1), Epochs: 2})
	require.ErrorContains(t, err,
		"valid_loss is +Inf after the last of 2 epochs, and was not finite after any")
	require.Equal(t, 2, r.Epochs)
	require.Equal(t, 4, r.Steps)
}
