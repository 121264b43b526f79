package cli_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/examples/cli"
)

// What programs make of their flags gives no doubt of the library's about dropout.
func TestRecurrent(t *testing.T) {
	for _, c := range []struct {
		spec          string
		layers, want  int
		dropout, kept float64
	}{
		{"gru", 1, 1, 0.3, 0},
		{"gru", 2, 2, 0.3, 0.3},
		{"gru/lstm", 1, 2, 0.3, 0.3},
		{"gru", 1, 1, 0, 0},
	} {
		r := cli.Recurrent(c.spec, 8, c.layers, c.dropout)
		require.Equal(t, c.want, r.WithDefaults().Layers, c.spec)
		require.Equal(t, c.kept, r.Dropout, c.spec)
		require.Empty(t, r.Idle())
	}
}

// A default goes to the layers whose cells have it, and which say nothing else of the kind.
func TestWithDefault(t *testing.T) {
	for spec, want := range map[string]string{
		"gru":                         "gru,uniform",
		"mlstm,heads=2":               "mlstm,heads=2",
		"lstm,uniform":                "lstm,uniform",
		"lstm,uniform=false":          "lstm,uniform=false",
		"gru,memory=5/lstm/convlstm":  "gru,memory=5/lstm,uniform/convlstm",
		"/nothing,x/ gru ,norm/gru/,": "/nothing,x/ gru ,norm,uniform/gru,uniform/,",
	} {
		require.Equal(t, want, cli.WithDefault(spec, "uniform", "memory"), spec)
	}
	require.Equal(t, "gru", cli.WithDefault("gru", ""))
}
