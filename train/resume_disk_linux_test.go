package train_test

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/train"
)

// A training whose disk is full says so and ends. Once there is room again it goes on from its last
// whole checkpoint, to the bits of one that never stopped.
func TestResumeAfterFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("cannot mount a tmpfs (%v): needs root", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, 0) })
	filler := filepath.Join(dir, "filler")
	fill := func() error {
		f, err := os.Create(filler)
		if err != nil {
			return err
		}
		defer f.Close()
		for block := make([]byte, 4096); err == nil; {
			_, err = f.Write(block)
		}
		return nil
	}
	config := func() train.Config {
		return train.Config{Optimizer: adam(0.1), Epochs: 4, Seed: 5, SaveEvery: 2, RecordEvery: 1}
	}
	want, r, err := fit(t, context.Background(), tempDir(t), newBowl(5), config())
	require.NoError(t, err)
	require.Equal(t, 20, r.Steps)
	for _, full := range []int{3, 8, 13} {
		c := config()
		c.AfterStep = func(step int) error {
			if step == full {
				return fill()
			}
			return nil
		}
		_, r, err := fit(t, context.Background(), dir, newBowl(5), c)
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.ErrorContains(t, err, dir)
		require.LessOrEqual(t, r.Steps, full+2)
		require.NoError(t, os.Remove(filler))
		require.LessOrEqual(t, lastStep(t, dir), full)
		require.Positive(t, lastStep(t, dir))
	}
	got, _, err := fit(t, context.Background(), dir, newBowl(5), config())
	require.NoError(t, err)
	require.True(t, want == got)
}
