package all_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/dialogue"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/text"
	"github.com/seqzoo/seqzoo/zoo/word2vec"
)

// A model whose texts are in a Unicode form reads one that is in another as the same, before it is
// saved and after.
func TestModelsReadUnicodeForms(t *testing.T) {
	const composed, decomposed = "un caf\u00e9 noir", "un cafe\u0301 noir"
	layer := zoo.Recurrent{Cell: "gru", Hidden: 4}
	cut := text.Cut{Unicode: text.NFC}
	words, err := cut.Tokeniser()
	require.NoError(t, err)
	tokens := func(s string) []string {
		found, err := text.Words{}.Tokens(s) // as it is
		require.NoError(t, err)
		return found
	}
	learn, err := words.Tokens(decomposed)
	require.NoError(t, err)
	v, err := text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.BOS, text.EOS,
		text.Unk}}, learn)
	require.NoError(t, err)
	raw, err := text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.BOS, text.EOS,
		text.Unk}}, tokens(decomposed))
	require.NoError(t, err)

	save := func(m zoo.Model) (again zoo.Model) {
		dir := t.TempDir()
		require.NoError(t, m.Save(dir))
		again, err := zoo.Load(dir)
		require.NoError(t, err)
		return again
	}
	ctx := context.Background()

	language, err := lm.New(lm.Config{Recurrent: layer, Unicode: text.NFC}, v, 1)
	require.NoError(t, err)
	for _, m := range []*lm.Model{language, save(language).(*lm.Model)} {
		a, err := m.Encode(composed)
		require.NoError(t, err)
		b, err := m.Encode(decomposed)
		require.NoError(t, err)
		require.Equal(t, a, b)
		p, err := m.Prompt(decomposed)
		require.NoError(t, err)
		require.Empty(t, p.Unknown)
	}
	_, err = lm.New(lm.Config{Recurrent: layer, Unicode: text.NFC}, raw, 1)
	require.ErrorContains(t, err, "not in the Unicode form nfc")

	tagger, err := label.NewTagger(label.TaggerConfig{Config: label.Config{Recurrent: layer,
		Text: cut}}, v, v, 1)
	require.NoError(t, err)
	for _, m := range []*label.Tagger{tagger, save(tagger).(*label.Tagger)} {
		a, err := m.Encode(tokens(composed))
		require.NoError(t, err)
		b, err := m.Encode(tokens(decomposed))
		require.NoError(t, err)
		require.Equal(t, a, b)
	}
	_, err = label.NewTagger(label.TaggerConfig{Config: label.Config{Recurrent: layer, Text: cut}},
		raw, v, 1)
	require.ErrorContains(t, err, "not in the Unicode form nfc")
	_, err = label.NewTagger(label.TaggerConfig{Config: label.Config{Recurrent: layer, Text: cut,
		Features: 1}}, nil, v, 1)
	require.ErrorContains(t, err, "text says how texts are cut")

	translator, err := seq2seq.New(seq2seq.Config{Encoder: layer, Text: cut}, v, v, 1)
	require.NoError(t, err)
	for _, m := range []*seq2seq.Model{translator, save(translator).(*seq2seq.Model)} {
		pairs, err := m.Pairs([][]string{tokens(composed), tokens(decomposed)},
			[][]string{tokens(decomposed), tokens(composed)})
		require.NoError(t, err)
		require.Equal(t, pairs[0], pairs[1])
		a, err := m.Translate(ctx, tokens(composed), decode.SearchOptions{Max: 3})
		require.NoError(t, err)
		b, err := m.Translate(ctx, tokens(decomposed), decode.SearchOptions{Max: 3})
		require.NoError(t, err)
		require.Equal(t, a, b)
	}
	_, err = seq2seq.New(seq2seq.Config{Encoder: layer, Text: cut}, v, raw, 1)
	require.ErrorContains(t, err, "not in the Unicode form nfc")

	talker, err := dialogue.New(dialogue.Config{Encoder: layer, Text: cut}, v, 1)
	require.NoError(t, err)
	for _, m := range []*dialogue.Model{talker, save(talker).(*dialogue.Model)} {
		require.Equal(t, cut, m.Config().Text)
		d, err := m.Dialogue([][]string{tokens(composed), tokens(decomposed)})
		require.NoError(t, err)
		require.Equal(t, d[0], d[1])
		replies := make([][]dialogue.Reply, 2)
		for i, s := range []string{composed, decomposed} {
			c := m.NewConversation()
			require.NoError(t, c.Read(tokens(s)))
			replies[i], err = c.Reply(ctx, dialogue.ReplyOptions{Max: 3})
			require.NoError(t, err)
		}
		require.Equal(t, replies[0], replies[1])
	}
	_, err = dialogue.New(dialogue.Config{Encoder: layer, Text: cut}, raw, 1)
	require.ErrorContains(t, err, "not in the Unicode form nfc")

	vectors, err := word2vec.New(context.Background(),
		word2vec.Config{MinCount: 2, Dim: 2, Unicode: text.NFC},
		[][]string{tokens(composed), tokens(decomposed)})
	require.NoError(t, err)
	require.Equal(t, 3, vectors.Vocabulary().Len())
	require.NoError(t, vectors.Train(ctx, [][]string{tokens(composed), tokens(decomposed)},
		word2vec.TrainOptions{
			Warn: func(message string) { t.Error(message) },
		}))
}
