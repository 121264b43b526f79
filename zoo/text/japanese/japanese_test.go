package japanese_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/zoo/text"
	"github.com/seqzoo/seqzoo/zoo/text/japanese"
)

func TestWords(t *testing.T) {
	for s, want := range map[string][]string{
		"": {},
		"吾輩は猫である。名前はまだ無い。":   {"吾輩", "は", "猫", "で", "ある", "。", "名前", "は", "まだ", "無い", "。"},
		"すもももももももものうち":       {"すもも", "も", "もも", "も", "もも", "の", "うち"},
		"\u3000どこで　生れた\n\nか": {"どこ", "で", "生れ", "た", "か"},
		"GoはGoogle社":         {"Go", "は", "Google", "社"},
	} {
		tokens, err := japanese.Words{}.Tokens(s)
		require.NoError(t, err)
		require.Equal(t, want, tokens, s)
	}
	tokens, err := japanese.Words{Lines: true}.Tokens("\ufeff猫だ\r\n\n犬だ\n")
	require.NoError(t, err)
	require.Equal(t, []string{"猫", "だ", text.EOS, text.EOS, "犬", "だ", text.EOS}, tokens)
	require.Equal(t, "猫だ\n\n犬だ\n", japanese.Words{}.Join(tokens))
	require.Equal(t, "New York市のGo 1言語",
		japanese.Words{}.Join([]string{text.BOS, "New", "York", "市", "の", "Go", "1", "言語",
			text.Pad}))
	_, err = japanese.Words{}.Tokens("猫\n\xff")
	var bad *text.EncodingError
	require.ErrorAs(t, err, &bad)
	require.Equal(t, 2, bad.Line)
}

// A line of a megabyte without a full stop is cut between runes, and nothing is lost.
func TestLongLine(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second")
	}
	s := strings.Repeat("猫である", 30_000)
	tokens, err := japanese.Words{}.Tokens(s)
	require.NoError(t, err)
	require.Equal(t, s, strings.Join(tokens, ""))
}

func TestRegistered(t *testing.T) {
	tokeniser, err := text.Registered(japanese.Level)
	require.NoError(t, err)
	require.Equal(t, japanese.Words{Lines: true}, tokeniser)
	_, err = text.Registered("xx")
	require.ErrorContains(t, err, `no tokeniser "xx"`)
	require.ErrorContains(t, err, "imported are [ja]")
	require.Panics(t, func() {
		text.Register(japanese.Level,
			func() (text.Tokeniser, error) { return nil, nil })
	})
}

// Many goroutines at once give what one gives.
func TestConcurrently(t *testing.T) {
	s := "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。"
	want, err := japanese.Words{}.Tokens(s)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for range 20 {
				got, err := japanese.Words{}.Tokens(s)
				if err != nil || strings.Join(got, "|") != strings.Join(want, "|") {
					t.Errorf("%v, %v; alone it was %v", got, err, want)
					return
				}
			}
		})
	}
	wg.Wait()
}

func FuzzWords(f *testing.F) {
	for _, s := range []string{"", "猫である", "a b\r\nｱｲｳ", "\xff", "。。！", "🦊\u200d🔥"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tokens, err := japanese.Words{Lines: true}.Tokens(s)
		if err != nil {
			return
		}
		for _, token := range tokens {
			require.NotEmpty(t, token)
		}
	})
}
