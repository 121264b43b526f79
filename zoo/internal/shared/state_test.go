package shared

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/check"
)

// Words come back as they were, with bytes that are no UTF-8; so does a plain list of JSON.
func TestWords(t *testing.T) {
	for _, words := range [][]string{{}, {""}, {"a", "\xff", "\xfe\"", "\u2028", "[\"YQ==\"]"}} {
		back, err := ParseWords(Words(words))
		require.NoError(t, err)
		require.Equal(t, words, back)
	}
	back, err := ParseWords(`["a", "\u00e9"]`)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "é"}, back)
	for _, note := range []string{"", "a", `{"a": 1}`, `[1]`, `["a", ["?"]]`} {
		_, err := ParseWords(note)
		require.ErrorIs(t, err, check.ErrMisfit, note)
	}
}
