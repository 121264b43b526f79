package main_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/zoo"
)

// importLSTM imports a module into an LSTM of 3 inputs and 4 units.
func importLSTM(t *testing.T, path, torch string) (*nodes.Store, error) {
	t.Helper()
	s := nodes.NewStore(nodes.Float32, 1)
	require.NoError(t, nodes.Try(func() {
		cells.NewLSTM(s.Root().In("rnn"),
			cells.LSTMConfig{In: 3, Hidden: 4})
	}))
	return s, zoo.ImportTorch(path, s, zoo.TorchModule{Torch: torch, Path: "rnn"})
}

func init() {
	checks["torch-lstmcell"] = func(t *testing.T, c *input) {
		s, err := importLSTM(t, c.file("cell.safetensors"), "cell")
		require.NoError(t, err)
		b, ok := s.Get("rnn/b")
		require.True(t, ok)
		require.NotContains(t, b.Value().Data(), float32(0))
	}
	checks["torch-shard-bias"] = func(t *testing.T, c *input) {
		first := c.file("model-00001-of-00002.safetensors")
		_, err := importLSTM(t, first, "rnn")
		require.ErrorContains(t, err, "is one shard of 2")
		renamed := c.file("renamed.safetensors")
		require.NoError(t, os.Rename(first, renamed))
		_, err = importLSTM(t, renamed, "rnn")
		require.ErrorContains(t, err, "rnn.bias_ih_l0 is missing")
		require.NoError(t, os.Rename(renamed, first))
		index := c.file("model.safetensors.index.json")
		require.NoError(t, os.WriteFile(index, []byte(`{"weight_map": {"rnn.weight_ih_l0": "model-00001-of-00002.safetensors",
			"rnn.weight_hh_l0": "model-00001-of-00002.safetensors", "rnn.bias_ih_l0": "model-00002-of-00002.safetensors",
			"rnn.bias_hh_l0": "model-00002-of-00002.safetensors"}}`), 0o666))
		_, err = importLSTM(t, index, "rnn")
		require.NoError(t, err)
	}
}
