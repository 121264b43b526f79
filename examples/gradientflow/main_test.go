package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStory(t *testing.T) {
	var out strings.Builder
	dir := t.TempDir()
	require.NoError(t, run([]string{"-quick", "-draw", dir}, &out))
	for _, n := range networks {
		require.Equal(t, 3, strings.Count(out.String(), "\n"+n.name+"  "), n.name)
	}
	for _, name := range []string{"before.svg", "loss.svg", "after.svg"} {
		_, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
	}
	require.ErrorContains(t, run([]string{"-length", "1"}, &out), "want 2 to 10000")
}

// What the story says of the gradients before training: small weights let them vanish, large ones
// explode, and the gates of an LSTM keep them.
func TestFlowBeforeTraining(t *testing.T) {
	factor := map[string]float64{}
	for _, n := range networks {
		k, err := newTask(n.cell, 30, 3)
		require.NoError(t, err)
		r, err := k.flow()
		require.NoError(t, err)
		factor[n.name] = r.Layers[0].Decay()
		require.NoError(t, k.step.Close())
	}
	require.Less(t, factor["RNN"], 0.6)
	require.Greater(t, factor["RNN, large weights"], 1.1)
	require.Greater(t, factor["GRU, biased to keep"], factor["GRU"])
	require.InDelta(t, 0.9, factor["LSTM"], 0.09)
}
