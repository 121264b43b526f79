package all_test

import (
	"context"
	"image"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/caption"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/dialogue"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// Models of every family cut text by byte pairs, keep them, and have them when they come back. Any
// text is read, whatever was learned from, and with a Unicode form as it is in it.
func TestModelsReadPieces(t *testing.T) {
	const learned, strange = "un caf\u00e9 noir, un caf\u00e9 au lait", "cafe\u0301 日本語"
	bpe := must(text.TrainBPE(context.Background(), text.BPEConfig{Size: 265}, learned))
	var pieces []string
	for id := range bpe.Size() {
		pieces = append(pieces, bpe.Token(id))
	}
	v := must(text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.BOS, text.EOS}},
		pieces))
	layer := zoo.Recurrent{Cell: "gru", Hidden: 4}
	for _, form := range []text.Form{text.AsIs, text.NFC} {
		cut := text.Cut{Level: "bpe", BPE: bpe, Unicode: form}
		read := func(c text.Cut) []string {
			require.NoError(t, c.Validate())
			k := must(c.Tokeniser())
			for _, s := range []string{learned, strange} {
				require.Equal(t, form.Of(s), k.Join(must(k.Tokens(s))))
			}
			return must(k.Tokens(strange))
		}
		tokens := read(cut)
		config := label.Config{Recurrent: layer, Text: cut}
		for _, m := range loaded(t, must(label.NewClassifier(label.ClassifierConfig{Config: config}, v,
			twoLabels(), 1))) {
			require.Equal(t, tokens, read(m.Config().Text))
			_, err := m.Predict(must(m.Encode(tokens)))
			require.NoError(t, err)
		}
		for _, m := range loaded(t, must(label.NewTagger(label.TaggerConfig{Config: config}, v,
			twoLabels(), 1))) {
			require.Equal(t, tokens, read(m.Config().Text))
		}
		for _, m := range loaded(t, must(label.NewJoint(label.JointConfig{Config: config}, v,
			twoLabels(), twoLabels(), 1))) {
			require.Equal(t, tokens, read(m.Config().Text))
		}
		for _, m := range loaded(t, must(seq2seq.New(seq2seq.Config{Encoder: layer, Text: cut}, v, v, 1))) {
			require.Equal(t, tokens, read(m.Config().Text))
			var said string
			found, err := m.Translate(t.Context(), tokens, decode.SearchOptions{Max: 5,
				Text: func(_ int, part string) { said += part }})
			require.NoError(t, err)
			require.Equal(t, bpe.Join(found[0].Tokens), said, "as it streams")
			_, err = m.Task(seq2seq.Data{Train: must(m.Pairs([][]string{tokens}, [][]string{tokens}))})
			require.NoError(t, err)
		}
		for _, m := range loaded(t, must(dialogue.New(dialogue.Config{Encoder: layer, Text: cut}, v, 1))) {
			require.Equal(t, tokens, read(m.Config().Text))
			_, err := m.Dialogue([][]string{tokens, tokens})
			require.NoError(t, err)
		}
		for _, m := range loaded(t, must(caption.New(caption.Config{Height: 4, Width: 4, Patch: 2,
			Hidden: 4, Features: 4, Decoder: layer, Text: cut}, v, 1))) {
			require.Equal(t, tokens, read(m.Config().Text))
			_, err := m.Encode(tokens)
			require.NoError(t, err)
			_, err = m.Caption(t.Context(), image.NewGray(image.Rect(0, 0, 4, 4)), decode.SearchOptions{Max: 3})
			require.NoError(t, err)
		}
	}
	require.ErrorContains(t, text.Cut{Level: "bpe"}.Validate(), "no BPE is given")
	require.ErrorContains(t, text.Cut{BPE: bpe}.Validate(), "a BPE is given")
}
