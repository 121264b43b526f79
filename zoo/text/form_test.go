package text_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	_ "github.com/seqzoo/seqzoo/internal/testkit" // one seed

	"github.com/seqzoo/seqzoo/zoo/text"
)

const (
	composed   = "caf\u00e9"
	decomposed = "cafe\u0301"
)

// In a form, texts that look the same are the same tokens; without one they stay as they are.
func TestForms(t *testing.T) {
	for _, c := range []struct {
		cut       text.Cut
		in, other string
		want      []string
	}{
		{text.Cut{Unicode: text.NFC}, composed + " noir", decomposed + " noir",
			[]string{composed, "noir"}},
		{text.Cut{Unicode: text.NFD}, decomposed, composed, []string{decomposed}},
		{text.Cut{Level: "char", Unicode: text.NFC}, composed, decomposed,
			[]string{"c", "a", "f", "\u00e9"}},
		{text.Cut{Unicode: text.NFKC, Spaced: true}, "ガラス", "ｶﾞﾗｽ", []string{"ガラス"}},
		{text.Cut{Unicode: text.NFKC}, "Go 123", "Ｇｏ　１２３", []string{"go", "123"}},
		{text.Cut{Unicode: text.NFKC, KeepCase: true}, "fine", "ﬁne", []string{"fine"}},
		// composed in small letters only
		{text.Cut{Unicode: text.NFC}, "T\u0308", "\u1e97", []string{"\u1e97"}},
	} {
		words, err := c.cut.Tokeniser()
		require.NoError(t, err)
		for _, s := range []string{c.in, c.other} {
			got, err := words.Tokens(s)
			require.NoError(t, err)
			require.Equal(t, c.want, got, "%+v %+q", c.cut, s)
		}
	}
	words, err := text.Cut{}.Tokeniser()
	require.NoError(t, err)
	got, err := words.Tokens(composed + " " + decomposed)
	require.NoError(t, err)
	require.Equal(t, []string{composed, decomposed}, got)
	lines, err := text.Cut{Unicode: text.NFC}.LineTokeniser()
	require.NoError(t, err)
	got, err = lines.Tokens(decomposed)
	require.NoError(t, err)
	require.Equal(t, []string{composed, text.EOS}, got)

	// An error is where it is in what was given.
	_, err = lines.Tokens(decomposed + "\n\xff")
	require.EqualError(t, err, "line 2: byte 0xff at offset 7 is not UTF-8")
	for want, c := range map[string]text.Cut{
		`the Unicode form is "nfx"`: {Unicode: "nfx"},
		"only words are folded":     {Level: "char", KeepCase: true},
		"only words are cut":        {Level: "char", Spaced: true},
		`level is "xx"`:             {Level: "xx"},
	} {
		require.ErrorContains(t, c.Validate(), want)
	}
	v, err := text.NewVocabulary(text.VocabularyConfig{}, []string{"a", decomposed})
	require.NoError(t, err)
	require.NoError(t, text.AsIs.Check(v))
	require.NoError(t, text.NFD.Check(v, nil))
	require.ErrorContains(t, text.NFC.Check(v),
		`the vocabulary has the token "cafe\u0301", which is not in the Unicode form nfc`)
}

// What a tokeniser in a form cuts is in the form, token by token.
func TestTokensAreInTheForm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.OneOf(rapid.String(),
			rapid.StringOf(rapid.RuneFrom([]rune("aTAıİé ｶﾞ゛ﾊﾟ\u0301\u0308\u0323ﬁẛ̣가\u1100\u1161Å’")))).Draw(t, "text")
		form := rapid.SampledFrom([]text.Form{text.NFC, text.NFD, text.NFKC, text.NFKD}).Draw(t,
			"form")
		level := rapid.SampledFrom([]string{"word", "char"}).Draw(t, "level")
		words, err := text.Cut{Level: level, Unicode: form}.Tokeniser()
		require.NoError(t, err)
		got, err := words.Tokens(in)
		require.NoError(t, err)
		require.Equal(t, got, form.Tokens(got))
		same, err := words.Tokens(norm.NFD.String(in))
		require.NoError(t, err)
		require.Equal(t, got, same)
		for _, token := range got {
			require.True(t, utf8.ValidString(token))
			if level == "word" {
				require.Equal(t, strings.ToLower(token), token)
			}
		}
	})
}
