package caption_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/zoo"
	zoocaption "github.com/seqzoo/seqzoo/zoo/caption"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// How captions are cut is saved with a model: one that is loaded cuts a sentence, and joins words,
// as it was done in training.
func TestTheTokeniserIsSaved(t *testing.T) {
	const sentence = "A bar, then a Cross"
	for _, c := range []struct {
		cut    text.Cut
		tokens int
		joined string
	}{
		{text.Cut{}, 6, "a bar, then a cross"},
		{text.Cut{KeepCase: true}, 6, sentence},
		{text.Cut{Spaced: true, KeepCase: true}, 5, sentence},
		{text.Cut{Level: "char"}, len(sentence), sentence},
	} {
		cut, err := c.cut.Tokeniser()
		require.NoError(t, err)
		tokens, err := cut.Tokens(sentence)
		require.NoError(t, err)
		m, err := zoocaption.New(zoocaption.Config{Height: 3, Width: 3, Patch: 3, Hidden: 2, Features: 2,
			Decoder: zoo.Recurrent{Cell: "gru", Hidden: 2}, Text: c.cut},
			signWords(t, [][]string{tokens}), 1)
		require.NoError(t, err)
		dir := t.TempDir()
		require.NoError(t, m.Save(dir))
		loaded, err := zoocaption.Load(dir)
		require.NoError(t, err)
		require.Equal(t, c.cut, loaded.Config().Text)
		cut, err = loaded.Config().Text.Tokeniser()
		require.NoError(t, err)
		again, err := cut.Tokens(sentence)
		require.NoError(t, err)
		require.Equal(t, tokens, again)
		require.Len(t, again, c.tokens)
		require.Equal(t, c.joined, cut.Join(again))
	}
}
