package all_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/caption"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/dialogue"
	"github.com/seqzoo/seqzoo/zoo/emoji"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/text"
	wordvectors "github.com/seqzoo/seqzoo/zoo/vectors"
	"github.com/seqzoo/seqzoo/zoo/word2vec"
)

// A model whose texts are in a Unicode form reads one that is in another as the same, before it is
// saved and after.
func TestModelsReadUnicodeForms(t *testing.T) {
	f := newForms(t)
	t.Run("language", f.language)
	t.Run("labels", f.labels)
	t.Run("translation", f.translation)
	t.Run("dialogue", f.dialogue)
	t.Run("captions", f.captions)
	t.Run("vectors", f.vectors)
}

// One text in two forms.
const composed, decomposed = "un caf\u00e9 noir", "un cafe\u0301 noir"

// forms is what models are made of that read texts in the form nfc.
type forms struct {
	layer  zoo.Recurrent
	cut    text.Cut
	v, raw *text.Vocabulary // in the form, and not in it
}

func newForms(t *testing.T) *forms {
	f := &forms{layer: zoo.Recurrent{Cell: "gru", Hidden: 4}, cut: text.Cut{Unicode: text.NFC}}
	words, err := f.cut.Tokeniser()
	require.NoError(t, err)
	learn, err := words.Tokens(decomposed)
	require.NoError(t, err)
	f.v, err = text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.BOS, text.EOS,
		text.Unk}}, learn)
	require.NoError(t, err)
	f.raw, err = text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.BOS, text.EOS,
		text.Unk}}, asTheyAre(t, decomposed))
	require.NoError(t, err)
	return f
}

// asTheyAre are the words of s in the form that it has.
func asTheyAre(t *testing.T, s string) []string {
	found, err := text.Words{}.Tokens(s)
	require.NoError(t, err)
	return found
}

// loaded is a model and the same model after it was saved.
func loaded[M zoo.Model](t *testing.T, m M) []M {
	dir := t.TempDir()
	require.NoError(t, m.Save(dir))
	again, err := zoo.LoadAs[M](dir, "this model")
	require.NoError(t, err)
	return []M{m, again}
}

func (f *forms) language(t *testing.T) {
	language, err := lm.New(lm.Config{Recurrent: f.layer, Unicode: text.NFC}, f.v, 1)
	require.NoError(t, err)
	for _, m := range loaded(t, language) {
		a, err := m.Encode(composed)
		require.NoError(t, err)
		b, err := m.Encode(decomposed)
		require.NoError(t, err)
		require.Equal(t, a, b)
		p, err := m.Prompt(decomposed)
		require.NoError(t, err)
		require.Empty(t, p.Unknown)
	}
	_, err = language.Generate(context.Background(), composed, lm.GenerateOptions{Max: 1, Stop: "cafe\u0301"})
	require.NoError(t, err)
	_, err = lm.New(lm.Config{Recurrent: f.layer, Unicode: text.NFC}, f.raw, 1)
	require.ErrorContains(t, err, "not in the Unicode form nfc")
}

func (f *forms) labels(t *testing.T) {
	tagger, err := label.NewTagger(label.TaggerConfig{Config: label.Config{Recurrent: f.layer,
		Text: f.cut}}, f.v, f.v, 1)
	require.NoError(t, err)
	for _, m := range loaded(t, tagger) {
		a, err := m.Encode(asTheyAre(t, composed))
		require.NoError(t, err)
		b, err := m.Encode(asTheyAre(t, decomposed))
		require.NoError(t, err)
		require.Equal(t, a, b)
	}
	_, err = label.NewTagger(label.TaggerConfig{Config: label.Config{Recurrent: f.layer, Text: f.cut}},
		f.raw, f.v, 1)
	require.ErrorContains(t, err, "not in the Unicode form nfc")
	_, err = label.NewTagger(label.TaggerConfig{Config: label.Config{Recurrent: f.layer, Text: f.cut,
		Features: 1}}, nil, f.v, 1)
	require.ErrorContains(t, err, "text says how texts are cut")
}

func (f *forms) translation(t *testing.T) {
	ctx := context.Background()
	translator, err := seq2seq.New(seq2seq.Config{Encoder: f.layer, Text: f.cut}, f.v, f.v, 1)
	require.NoError(t, err)
	for _, m := range loaded(t, translator) {
		pairs, err := m.Pairs([][]string{asTheyAre(t, composed), asTheyAre(t, decomposed)},
			[][]string{asTheyAre(t, decomposed), asTheyAre(t, composed)})
		require.NoError(t, err)
		require.Equal(t, pairs[0], pairs[1])
		a, err := m.Translate(ctx, asTheyAre(t, composed), decode.SearchOptions{Max: 3})
		require.NoError(t, err)
		b, err := m.Translate(ctx, asTheyAre(t, decomposed), decode.SearchOptions{Max: 3})
		require.NoError(t, err)
		require.Equal(t, a, b)
	}
	writing, err := translator.NewWriting(asTheyAre(t, composed))
	require.NoError(t, err)
	require.NoError(t, writing.Read(asTheyAre(t, decomposed)))
	_, err = seq2seq.New(seq2seq.Config{Encoder: f.layer, Text: f.cut}, f.v, f.raw, 1)
	require.ErrorContains(t, err, "not in the Unicode form nfc")
}

func (f *forms) dialogue(t *testing.T) {
	ctx := context.Background()
	talker, err := dialogue.New(dialogue.Config{Encoder: f.layer, Text: f.cut}, f.v, 1)
	require.NoError(t, err)
	for _, m := range loaded(t, talker) {
		require.Equal(t, f.cut, m.Config().Text)
		d, err := m.Dialogue([][]string{asTheyAre(t, composed), asTheyAre(t, decomposed)})
		require.NoError(t, err)
		require.Equal(t, d[0], d[1])
		replies := make([][]dialogue.Reply, 2)
		for i, s := range []string{composed, decomposed} {
			c := m.NewConversation()
			require.NoError(t, c.Read(asTheyAre(t, s)))
			replies[i], err = c.Reply(ctx, dialogue.ReplyOptions{Max: 3})
			require.NoError(t, err)
		}
		require.Equal(t, replies[0], replies[1])
	}
	_, err = dialogue.New(dialogue.Config{Encoder: f.layer, Text: f.cut}, f.raw, 1)
	require.ErrorContains(t, err, "not in the Unicode form nfc")
}

func (f *forms) captions(t *testing.T) {
	captioner, err := caption.New(caption.Config{Height: 2, Width: 2, Patch: 2, Decoder: f.layer,
		Text: f.cut}, f.v, 1)
	require.NoError(t, err)
	for _, m := range loaded(t, captioner) {
		require.Equal(t, f.cut, m.Config().Text)
		a, err := m.Encode(asTheyAre(t, composed))
		require.NoError(t, err)
		b, err := m.Encode(asTheyAre(t, decomposed))
		require.NoError(t, err)
		require.Equal(t, a, b)
		unk, _ := f.v.ID(text.Unk)
		require.NotContains(t, a, unk)
	}
	_, err = caption.New(caption.Config{Height: 2, Width: 2, Patch: 2, Decoder: f.layer, Text: f.cut},
		f.raw, 1)
	require.ErrorContains(t, err, "not in the Unicode form nfc")
}

func (f *forms) vectors(t *testing.T) {
	ctx := context.Background()
	known, err := wordvectors.New([]string{"caf\u00e9", "noir"}, 2, []float32{1, 0, 0, 1})
	require.NoError(t, err)
	for _, phrase := range []string{composed, decomposed} {
		pictures, err := emoji.New(emoji.Config{Unicode: text.NFC}, known,
			[]emoji.Pair{{Phrase: phrase, Emoji: "☕", Match: true}})
		require.NoError(t, err)
		for _, m := range loaded(t, pictures) {
			a, err := m.Probability("caf\u00e9", "☕")
			require.NoError(t, err)
			b, err := m.Probability("cafe\u0301", "☕")
			require.NoError(t, err)
			require.Equal(t, a, b)
		}
	}

	vectors, err := word2vec.New(context.Background(),
		word2vec.Config{MinCount: 2, Dim: 2, Unicode: text.NFC},
		[][]string{asTheyAre(t, composed), asTheyAre(t, decomposed)})
	require.NoError(t, err)
	require.Equal(t, 3, vectors.Vocabulary().Len())
	require.NoError(t, vectors.Train(ctx, [][]string{asTheyAre(t, composed), asTheyAre(t, decomposed)},
		word2vec.TrainOptions{
			Warn: func(message string) { t.Error(message) },
		}))
}
