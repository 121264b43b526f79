package data_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/examples/nextword/data"
	"github.com/seqzoo/seqzoo/zoo/text"
)

func TestText(t *testing.T) {
	s, err := data.Text()
	require.NoError(t, err)
	require.Equal(t, 1_115_394, len(s))
	require.Equal(t, 40_000, strings.Count(s, "\n"))
	require.True(t, strings.HasPrefix(s,
		"First Citizen:\nBefore we proceed any further, hear me speak.\n"))

	chars, err := text.Chars{}.Tokens(s)
	require.NoError(t, err)
	v, err := text.NewVocabulary(text.VocabularyConfig{}, chars)
	require.NoError(t, err)
	require.Equal(t, 65, v.Len())
}
