package text_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/zoo/text"
)

// WikiText-2 comes tokenised; its published size counts one <eos> a line.
func TestWikiText2(t *testing.T) {
	dir := os.Getenv("SEQZOO_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	words := text.Words{Spaced: true, Lines: true}
	var train []string
	for name, want := range map[string]int{"train": 2_088_628, "valid": 217_646, "test": 245_569} {
		path := filepath.Join(dir, "wikitext-2", name+".txt.gz")
		if _, err := os.Stat(path); err != nil {
			t.Skipf("no WikiText-2: %v (SEQZOO_DATA names the folder of the data sets)", err)
		}
		s, err := text.ReadFile(path)
		require.NoError(t, err)
		tokens, err := words.Tokens(s)
		require.NoError(t, err)
		require.Len(t, tokens, want)
		if name == "train" {
			train = tokens
		}
	}
	v, err := text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.Unk, text.EOS}},
		train)
	require.NoError(t, err)
	require.Equal(t, 33_278, v.Len())
}
