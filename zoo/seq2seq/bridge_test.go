package seq2seq_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/zootest"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// A decoder starts from the parts of the encoder's state, whatever cells both have: as they are
// where each has its like, and through a bridge for what has none. What means something to its own
// cell alone has no weights in a bridge.
func TestBridgeByParts(t *testing.T) {
	for _, c := range []struct {
		from, to, bridge string
		shapes           map[string][]int
	}{
		{"gru", "rnn", "none", nil},
		{"lstm", "gru", "none", nil},
		{"slstm", "slstm", "none", nil},
		{"gru", "lstm", "tanh", map[string][]int{"W_h": {3, 3}, "W_c": {3, 3}}},
		{"gru,hidden=5", "lstm", "tanh", map[string][]int{"W_h": {5, 3}, "W_c": {5, 3}}},
		{"gru", "lem", "tanh", map[string][]int{"W_y": {3, 3}, "W_z": {3, 3}}},
		{"lstm,projection=2", "lstm", "tanh", map[string][]int{"W_h": {2, 3}, "W_c": {3, 3}}},
		{"mlstm,hidden=4", "mlstm", "tanh", map[string][]int{"W_h": {4, 3}, "W_C": {4, 9}}},
		{"lem", "slstm", "tanh", map[string][]int{"W_h": {3, 3}}},
	} {
		m, err := seq2seq.New(seq2seq.Config{Encoder: zoo.Recurrent{Cell: c.from, Hidden: 3}, Decoder: zoo.Recurrent{Cell: c.to, Hidden: 3}},
			zootest.Letters(t, 2), zootest.Letters(t, 2, text.BOS, text.EOS), 1)
		require.NoError(t, err, "%s to %s", c.from, c.to)
		require.EqualValues(t, c.bridge, m.Config().Bridge, "%s to %s", c.from, c.to)
		for _, leaf := range []string{"W_h", "W_c", "W_y", "W_z", "W_C", "W_n", "W_m"} {
			p, ok := m.Params().Get("bridge/l0/" + leaf)
			require.Equal(t, c.shapes[leaf] != nil, ok, "%s to %s: %s", c.from, c.to, leaf)
			if ok {
				require.Equal(t, c.shapes[leaf], p.Shape(), "%s to %s: %s", c.from, c.to, leaf)
			}
		}
	}
}
