package text_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seqzoo/seqzoo/zoo/text"
)

func TestWords(t *testing.T) {
	for _, c := range []struct {
		name  string
		words text.Words
		in    string
		want  string // tokens, a space between them
	}{
		{"empty", text.Words{Lines: true}, "", ""},
		{"one word", text.Words{}, "Citizen", "Citizen"},
		{"punctuation", text.Words{}, "Speak, speak.", "Speak , speak ."},
		{"lower case", text.Words{Lower: true}, "First ÉTÉ:", "first été :"},
		{"apostrophes", text.Words{}, "don't 'tis o' the king’s", "don't ' tis o ' the king's"},
		{"hyphens", text.Words{}, "to-morrow sleep--die -x- a - b",
			"to-morrow sleep -- die - x - a - b"},
		{"numbers", text.Words{}, "3.14, 1,000. 1.a", "3.14 , 1,000 . 1 . a"},
		{"full stops", text.Words{}, "wait... what?!", "wait ... what ? !"},
		{"accents of their own", text.Words{}, "e\u0301te\u0301 ❤\ufe0f",
			"e\u0301te\u0301 ❤\ufe0f"},
		{"white space", text.Words{}, " a\t\u00a0b\v\n\nc ", "a b c"},
		{"specials cannot be forged", text.Words{}, "<eos>", "< eos >"},
		{"lines", text.Words{Lines: true}, "a b\n\nc", "a b <eos> <eos> c <eos>"},
		{"last line ended", text.Words{Lines: true}, "a\n", "a <eos>"},
		{"CRLF and byte order mark", text.Words{Lines: true}, "\ufeffa\r\nb\r\n",
			"a <eos> b <eos>"},
		{"spaced", text.Words{Spaced: true, Lines: true}, " role @-@ playing , <unk>'s \n",
			"role @-@ playing , <unk>'s <eos>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.words.Tokens(c.in)
			require.NoError(t, err)
			require.Equal(t, c.want, strings.Join(got, " "))
		})
	}
}

func TestWordsJoin(t *testing.T) {
	for _, in := range []string{
		"", "First Citizen:\nBefore we proceed (any further), hear me speak.\n",
		`He said "go away!" and "stop".`,
		"We know't -- 'all of it'; pay $3.50...", "50% of [them]\n\nlooks like",
	} {
		words := text.Words{Lines: strings.Contains(in, "\n")}
		tokens, err := words.Tokens(in)
		require.NoError(t, err)
		require.Equal(t, strings.TrimSuffix(in, "\n"), strings.TrimSuffix(words.Join(tokens), "\n"))
	}
	require.Equal(t, "a — b", text.Words{}.Join([]string{text.BOS, "a", "—", "", "b", text.Pad}))
	require.Equal(t, "a , b\nc",
		text.Words{Spaced: true}.Join([]string{"a", ",", "b", text.EOS, "c"}))
}

func TestChars(t *testing.T) {
	got, err := text.Chars{}.Tokens("\ufeffaé\r\n猫\r.")
	require.NoError(t, err)
	require.Equal(t, []string{"a", "é", "\n", "猫", " ", "."}, got)
	require.Equal(t, "aé\n猫 .", text.Chars{}.Join(append(got, text.EOS)))
	got, err = text.Chars{}.Tokens("")
	require.NoError(t, err)
	require.Empty(t, got)
}

func TestLongLineAndInvalidText(t *testing.T) {
	long := strings.Repeat("a", 10<<20)
	for _, tokeniser := range []text.Tokeniser{text.Words{}, text.Words{Spaced: true},
		text.Chars{}} {
		tokens, err := tokeniser.Tokens(long)
		require.NoError(t, err)
		require.Contains(t, []int{1, len(long)}, len(tokens))
		_, err = tokeniser.Tokens("one\ntwo\xc0")
		require.EqualError(t, err, "line 2: byte 0xc0 at offset 7 is not UTF-8")
	}
}

// Nothing but white space is lost, and no token holds white space.
func TestTokensHoldTheText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.StringOf(rapid.RuneFrom([]rune("aB1é猫'’-.,_ \t\n\r\u0301\u00a0!❤\ufeff"))).Draw(
			t, "text")
		words := text.Words{Lower: rapid.Bool().Draw(t, "lower"),
			Spaced: rapid.Bool().Draw(t, "spaced")}
		tokens, err := words.Tokens(in)
		require.NoError(t, err)
		want := strings.TrimPrefix(in, "\ufeff")
		if words.Lower {
			want = strings.ToLower(want)
		}
		if !words.Spaced {
			want = strings.ReplaceAll(want, "’", "'")
		}
		require.Equal(t, strings.Join(strings.Fields(want), ""), strings.Join(tokens, ""))
		for _, token := range tokens {
			require.NotEmpty(t, token)
			require.Equal(t, []string{token}, strings.Fields(token))
		}
		runes, err := text.Chars{}.Tokens(in)
		require.NoError(t, err)
		for _, r := range runes {
			require.Equal(t, 1, utf8.RuneCountInString(r))
		}
	})
}

// A token that the tokeniser made is cut out as itself again, so a phrase joined by spaces is read
// back as it was; but for a byte order mark, which is dropped where a text begins with it.
func TestWordsAreStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := strings.ReplaceAll(rapid.String().Draw(t, "text"), "\ufeff", "")
		first, err := text.Words{}.Tokens(in)
		require.NoError(t, err)
		// a byte order mark at the start is none of the text
		again, err := text.Words{}.Tokens(" " + strings.Join(first, " "))
		require.NoError(t, err)
		require.Equal(t, first, again)
	})
}
