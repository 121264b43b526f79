package train_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/train"
)

// A training that is interrupted was cancelled, and where its time was up that can be seen too.
func TestInterruptedIsCancelled(t *testing.T) {
	require.ErrorIs(t, train.ErrInterrupted, context.Canceled)
	require.EqualError(t, train.ErrInterrupted, "interrupted")

	ctx, cancel := context.WithTimeout(context.Background(), 0)
	defer cancel()
	_, _, err := fit(t, ctx, tempDir(t), childTask(t), childConfig())
	require.ErrorIs(t, err, train.ErrInterrupted)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

// A checkpoint that is not to be resumed from is refused by an error of a kind.
func TestKindsOfRefusals(t *testing.T) {
	dir := tempDir(t)
	_, _, err := fit(t, context.Background(), dir, childTask(t), shortened(childConfig(), 3))
	require.NoError(t, err)

	fresh := shortened(childConfig(), 5)
	fresh.Checkpoints, err = train.OpenCheckpoints(dir, 0)
	require.NoError(t, err)
	_, err = train.Fit(context.Background(), childTask(t), fresh)
	require.NoError(t, fresh.Checkpoints.Close())
	require.ErrorIs(t, err, train.ErrCheckpoint, "%v", err)

	other := shortened(childConfig(), 5)
	other.Accumulate = 3
	_, _, err = fit(t, context.Background(), dir, childTask(t), other)
	require.ErrorIs(t, err, train.ErrOtherSettings)
	require.False(t, errors.Is(err, train.ErrOtherData))
}

// shortened is c, for a few steps.
func shortened(c train.Config, steps int) train.Config {
	c.MaxSteps = steps
	return c
}
