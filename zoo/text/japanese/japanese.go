// Package japanese cuts Japanese text into words, by the morphological analyser kagome and the IPA
// dictionary, which are part of the program of whoever imports it. To import it is enough for a
// language model of the level "ja":
//
//	import _ "github.com/seqzoo/seqzoo/zoo/text/japanese"
package japanese

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/ikawaha/kagome-dict/ipa"
	"github.com/ikawaha/kagome/v2/tokenizer"

	"github.com/seqzoo/seqzoo/zoo/text"
)

// Level is the name under which the tokeniser is registered: words, with the token text.EOS behind
// every line.
const Level = "ja"

func init() {
	text.Register(Level, func() (text.Tokeniser, error) { return Words{Lines: true}, nil })
}

// Words cuts a text into words and signs as the dictionary has them; what it does not know, such as
// a foreign name, is one word. White space is no token. It is a [text.Tokeniser]. Any number of
// goroutines may use it; the dictionary, some 100 MB of memory, is read by the first call.
type Words struct {
	Lines bool // end every line, an empty one too, with the token text.EOS
}

var analyser = sync.OnceValues(func() (*tokenizer.Tokenizer, error) {
	t, err := tokenizer.New(ipa.Dict(), tokenizer.OmitBosEos())
	if err != nil {
		return nil, fmt.Errorf("japanese: %w", err)
	}
	return t, nil
})

// Tokens returns the words of s. The error is a [*text.EncodingError].
func (w Words) Tokens(s string) ([]string, error) {
	return w.TokensContext(context.Background(),
		s)
}

// TokensContext is Tokens until ctx is cancelled.
func (w Words) TokensContext(ctx context.Context, s string) ([]string, error) {
	// what stands between white space
	parts, err := text.Words{Spaced: true, Lines: true}.TokensContext(ctx, s)
	if err != nil {
		return nil, err
	}
	t, err := analyser()
	if err != nil {
		return nil, err
	}
	tokens := make([]string, 0, len(s)/6)
	for _, part := range parts {
		if part == text.EOS {
			if w.Lines {
				tokens = append(tokens, text.EOS)
			}
			continue
		}
		for len(part) > 0 {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			n := sentence(part)
			for _, token := range t.Analyze(part[:n], tokenizer.Normal) {
				if token.Surface != "" {
					tokens = append(tokens, token.Surface)
				}
			}
			part = part[n:]
		}
	}
	return tokens, nil
}

// sentence is the length of a part of s that can be analysed by itself: up to the end of a
// sentence, or a long stretch without one, because the analyser's time grows as the square of the
// length where it knows no word.
func sentence(s string) int {
	const longest = 1 << 11
	if len(s) > longest {
		end := longest
		for !utf8.RuneStart(s[end]) {
			end--
		}
		// no more is looked at: a search in the rest for each part of it would take the square of
		// its length
		s = s[:end]
	}
	if end := strings.IndexAny(s, "。！？"); end >= 0 {
		_, size := utf8.DecodeRuneInString(s[end:])
		return end + size
	}
	return len(s)
}

// Join is the words, one after another, with a space between two that are not Japanese. text.EOS
// ends a line; text.BOS and text.Pad are left out.
func (w Words) Join(tokens []string) string {
	var b strings.Builder
	foreign := false // what was written last
	for _, token := range tokens {
		switch token {
		case text.BOS, text.Pad, "":
			continue
		case text.EOS:
			b.WriteByte('\n')
			foreign = false
			continue
		}
		first, _ := utf8.DecodeRuneInString(token)
		if foreign && isForeign(first) {
			b.WriteByte(' ')
		}
		b.WriteString(token)
		last, _ := utf8.DecodeLastRuneInString(token)
		foreign = isForeign(last)
	}
	return b.String()
}

// isForeign says whether a rune is of a script that puts spaces between words.
func isForeign(r rune) bool {
	return (unicode.IsLetter(r) || unicode.IsDigit(r)) &&
		!unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) && r != 'ー' && r < 0xff00
}
