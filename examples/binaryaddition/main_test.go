package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/examples/binaryaddition/adder"
)

func TestStory(t *testing.T) {
	var out strings.Builder
	dir := t.TempDir()
	require.NoError(t, run([]string{"-quick", "-draw", dir}, &out))
	for _, s := range []string{"1. A network", "2. How one", "3. Why", "relu, he, clipped at 1"} {
		require.Contains(t, out.String(), s)
	}
	for _, name := range []string{"initialisation.svg", "spikes.svg"} {
		_, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
	}
	require.ErrorContains(t, run([]string{"-examples", "3"}, &out), "at least 200")
}

// The network learns to add, and is right where it was not trained.
func TestLearnsToAdd(t *testing.T) {
	n, err := adder.New(adder.Setting{Activation: cells.Tanh, Init: "xavier", LR: 0.1}, 1)
	require.NoError(t, err)
	defer n.Step.Close()
	r, err := train(n, 2000)
	require.NoError(t, err)
	require.NoError(t, r.failed)
	require.Positive(t, r.learned)
	_, wrong := r.last(300)
	require.Zero(t, wrong)
}

func TestCarries(t *testing.T) {
	for _, c := range []struct{ a, b, want int }{{0, 0, 0}, {1, 1, 1}, {127, 1, 7}, {5, 5, 1},
		{3, 1, 2}, {85, 42, 0}} {
		require.Equal(t, c.want, carries(c.a, c.b), "%d + %d", c.a, c.b)
	}
}
