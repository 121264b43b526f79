package word2vec

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// Files of earlier versions name negatives of a hierarchical softmax, which draws none; they are
// read, and the model is the same.
func TestNegativesOfOlderFiles(t *testing.T) {
	sentences := topics(20)
	m, err := New(context.Background(), Config{Output: Hierarchical, Dim: 4, MinCount: 1}, sentences)
	require.NoError(t, err)
	require.NoError(t, m.Train(context.Background(), sentences, TrainOptions{Workers: 1}))
	m.cfg.Negatives = 5
	dir := t.TempDir() + "/model"
	require.NoError(t, m.Save(dir))
	again, err := Load(dir)
	require.NoError(t, err)
	require.Zero(t, again.cfg.Negatives)
	require.Equal(t, m.in, again.in)
}
