package cells_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/nodes"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// Saved models are found again by the paths and shapes of their parameters. A change here makes
// older files unreadable.
func TestManifest(t *testing.T) {
	const in, hidden = 3, 4
	lstm := func(change func(c *cells.LSTMConfig)) build {
		cfg := cells.LSTMConfig{In: in, Hidden: hidden}
		change(&cfg)
		return newLSTM(cfg)
	}
	all := map[string]build{
		"rnn":                newRNN(cells.RNNConfig{In: in, Hidden: hidden}),
		"rnn_no_bias":        newRNN(cells.RNNConfig{In: in, Hidden: hidden, NoBias: true}),
		"lstm":               lstm(func(*cells.LSTMConfig) {}),
		"lstm_no_bias":       lstm(func(c *cells.LSTMConfig) { c.NoBias = true }),
		"lstm_peephole":      lstm(func(c *cells.LSTMConfig) { c.Peephole = cells.Diagonal }),
		"lstm_peephole_full": lstm(func(c *cells.LSTMConfig) { c.Peephole = cells.Full }),
		"lstm_coupled":       lstm(func(c *cells.LSTMConfig) { c.Coupled = true }),
		"lstm_coupled_peephole": lstm(func(c *cells.LSTMConfig) {
			c.Coupled, c.Peephole = true,
				cells.Diagonal
		}),
		"lstm_projection":    lstm(func(c *cells.LSTMConfig) { c.Projection = 2 }),
		"lstm_norm":          lstm(func(c *cells.LSTMConfig) { c.LayerNorm = cells.NormGates }),
		"gru":                newGRU(cells.GRUConfig{In: in, Hidden: hidden}),
		"gru_no_bias":        newGRU(cells.GRUConfig{In: in, Hidden: hidden, NoBias: true}),
		"gru_reset_before":   newGRU(cells.GRUConfig{In: in, Hidden: hidden, ResetBefore: true}),
		"minimal_gated_unit": newMGU(in, hidden),
	}
	for name, c := range newerCells {
		all[name] = c.cell(size{B: 1, In: in, H: hidden * max(c.wide, 1)})
	}
	for name, newCell := range all {
		t.Run(name, func(t *testing.T) {
			store := nodes.NewStore(nodes.Float32, 1)
			newCell(store.Root().In("cell"))
			var b strings.Builder
			for _, p := range store.Params() {
				fmt.Fprintf(&b, "%-16s %-8s %4d\n", p.Name(), ops.ShapeString(p.Shape()),
					ops.Size(p.Shape()))
			}
			fmt.Fprintf(&b, "%-25s %4d\n", "all", store.Count())
			requireGolden(t, filepath.Join("testdata", "manifest", name+".txt"), b.String())
		})
	}
}

func requireGolden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
		return
	}
	want, err := os.ReadFile(path)
	const mend = "if the change is meant, write the files anew with: go test ./cells -run " +
		"TestManifest -update"
	require.NoError(t, err, mend)
	require.Equal(t, string(want), got, "%s differs; %s", path, mend)
}
