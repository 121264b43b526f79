package text_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/zoo/text"
)

// slow is a tokeniser of a stranger, with a Join of its own.
type slow struct{ text.Words }

func (s slow) Join(tokens []string) string { return strings.ToUpper(s.Words.Join(tokens)) }

const streamed = "\"Well,\" said he (a 猫), it's 3.14 – café naïve 👩‍👩‍👧 don't -- !\n\nNew " +
	"'line' $5 ok\n"

// Whatever the tokens, the pieces of a stream are Join's text, and each is whole characters.
func TestStreamIsJoin(t *testing.T) {
	bpe, err := text.TrainBPE(context.Background(), text.BPEConfig{Size: 270}, streamed)
	require.NoError(t, err)
	var bytes []string // pieces of one byte each, of which no character is whole
	for _, c := range []byte(streamed) {
		bytes = append(bytes, bpe.Token(int(c)))
	}
	for name, tk := range map[string]text.Tokeniser{
		"words": text.Words{Lines: true}, "spaced": text.Words{Spaced: true, Lines: true},
		"chars": text.Chars{}, "bpe": bpe, "nfc": text.NFC.Tokeniser(text.Words{Lower: true}),
		"slow": slow{text.Words{Lines: true}}, "bytes": bpe,
	} {
		tokens, err := tk.Tokens(streamed)
		require.NoError(t, err)
		if name == "bytes" {
			tokens = bytes
		}
		for cut := range len(tokens) {
			s := text.NewStream(tk, tokens[:cut]...)
			said := tk.Join(tokens[:cut])
			if strings.HasPrefix(name, "b") { // half a character, which comes with the rest of it
				said = strings.TrimRight(said, "\ufffd")
			}
			for _, token := range tokens[cut:] {
				piece := s.Add(token)
				require.True(t, utf8.ValidString(piece))
				require.NotContains(t, piece, "\ufffd")
				said += piece
			}
			require.Equal(t, tk.Join(tokens), said+s.Rest(), "%s from %d", name, cut)
		}
	}
}

// Pieces in an order that no text has: runs of bytes that are no UTF-8 become one sign each.
func TestStreamOfAnyPieces(t *testing.T) {
	bpe, err := text.TrainBPE(context.Background(), text.BPEConfig{Size: 260}, streamed)
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var tokens []string
		for range r.IntN(9) {
			tokens = append(tokens, bpe.Token([]int{'a', 0xe7, 0x8c, 0xab, 0xff, 0xc3}[r.IntN(6)]))
		}
		var all strings.Builder
		s := text.NewStream(bpe)
		for _, token := range tokens {
			all.WriteString(s.Add(token))
			require.True(t, utf8.ValidString(all.String()))
		}
		require.Equal(t, bpe.Join(tokens), all.String()+s.Rest(), "%q", tokens)
	}
}

func TestStreamHasNoSpecials(t *testing.T) {
	specials := []string{text.BOS, "a", text.Unk, text.Pad, "b", "", text.EOS, text.BOS, "c"}
	for want, tk := range map[string]text.Tokeniser{
		"a b\nc": text.Words{}, "abc": text.Chars{}, "A B\nC": slow{},
	} {
		var all string
		s := text.NewStream(tk)
		for _, token := range specials {
			all += s.Add(token)
		}
		require.Equal(t, want, all+s.Rest())
	}
	var zero text.Stream
	require.Empty(t, zero.Rest())
	require.Equal(t, "a", zero.Add("a"))
	require.Equal(t, " b", zero.Add("b"))
}

// A line without an end costs no more a token as it grows.
func TestStreamOfALongLine(t *testing.T) {
	s := text.NewStream(slow{})
	n := 0
	for range 3000 {
		n += len(s.Add("word"))
	}
	require.Equal(t, 3000*5-1, n)
}
