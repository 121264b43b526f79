package reduce_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/reduce"
)

// Every reducer has a Load of its own, which refuses the directory of another.
func TestLoads(t *testing.T) {
	dir := t.TempDir() + "/model"
	m, err := reduce.NewAutoencoder(reduce.AutoencoderConfig{Features: 3, Widths: []int{1}}, 1)
	require.NoError(t, err)
	require.NoError(t, m.Save(dir))

	again, err := reduce.LoadAutoencoder(dir)
	require.NoError(t, err)
	require.Equal(t, m.Features(), again.Features())
	_, err = reduce.LoadPCA(dir)
	require.ErrorIs(t, err, zoo.ErrArchitecture)
	_, err = reduce.LoadVAE(dir)
	require.ErrorIs(t, err, zoo.ErrArchitecture)
	_, err = reduce.LoadRecurrentAutoencoder(dir)
	require.ErrorIs(t, err, zoo.ErrArchitecture)
}
