package zoo

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Configurations that were written before a cell was a spec say the same cell as a spec, at every
// place where layers are.
func TestTranslated(t *testing.T) {
	for old, want := range map[string]string{
		`{"cell":"gru","hidden":3}`:                                      `{"cell":"gru","hidden":3}`,
		`{"cell":"rnn","activation":"relu","init":"uniform"}`:            `{"cell":"rnn,activation=relu,uniform"}`,
		`{"cell":"gru","reset_before":true,"memory":9,"embed":2}`:        `{"cell":"gru,reset_before,memory=9","embed":2}`,
		`{"cell":"lstm","peephole":"full","layer_norm":"gates"}`:         `{"cell":"lstm,peephole=full,layer_norm=gates"}`,
		`{"cell":"","coupled":true}`:                                     `{"cell":"lstm,coupled"}`,
		`{"encoder":{"cell":"gru","memory":4},"decoder":{"cell":"rnn"}}`: `{"encoder":{"cell":"gru,memory=4"},"decoder":{"cell":"rnn"}}`,
		`{"activation":"tanh","memory":3}`:                               `{"activation":"tanh","memory":3}`,
	} {
		got, err := translated([]byte(old))
		require.NoError(t, err, old)
		require.JSONEq(t, want, string(got))
	}
	for old, want := range map[string]string{
		`{"cell":"gru","memory":1,"memory":2}`:        "comes twice",
		`{"a":{"cell":"gru","memory":1,"memory":2}}`:  "comes twice",
		`{"cell":"rnn","activation":"relu,no_bias"}`:  "which no cell has",
		`{"cell":"gru","init":"zero"}`:                `init is "zero"`,
		`{"encoder":{"cell":"gru","memory":"many"}}`:  "encoder: ",
		`{"cell":"gru","memory":9223372036854775808}`: "memory",
		`[]`: "an object expected",
	} {
		_, err := translated([]byte(old))
		require.ErrorContains(t, err, want, old)
	}
}
