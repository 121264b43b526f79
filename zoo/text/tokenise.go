package text

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seqzoo/seqzoo/internal/interrupt"
)

// Tokeniser cuts a text into tokens and puts tokens together for display.
type Tokeniser interface {
	// Tokens returns the tokens of s in order; none if s is empty. The error is an
	// [*EncodingError].
	Tokens(s string) ([]string, error)

	// Join is the text of tokens, for people to read. It need not undo Tokens exactly.
	Join(tokens []string) string
}

// TokensContext is t.Tokens(s) that ends soon with the context's error when that is cancelled, if t
// has a method of this name, as the tokenisers of this library do: to cut a large text takes long.
func TokensContext(ctx context.Context, t Tokeniser, s string) ([]string, error) {
	if err := interrupt.Err(ctx); err != nil {
		return nil, err
	}
	if t == nil {
		return nil, errors.New("there is no tokeniser: it is nil")
	}
	if t, ok := t.(interface {
		TokensContext(ctx context.Context, s string) ([]string, error)
	}); ok && !promoted(t, "TokensContext") {
		return t.TokensContext(ctx, s)
	}
	return t.Tokens(s)
}

// promoted reports whether a method may be that of an embedded field: a type that embeds a
// tokeniser, and has Tokens of its own, means that one to be called.
func promoted(x any, method string) bool {
	t := reflect.TypeOf(x)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	for i := 0; t.Kind() == reflect.Struct && i < t.NumField(); i++ {
		f := t.Field(i)
		if _, has := f.Type.MethodByName(method); f.Anonymous && has {
			return true
		}
	}
	return false
}

// often is how many tokens are cut, or counted, between two looks at a context.
const often = 1 << 12

// Chars makes every rune a token, line ends included.
type Chars struct{}

// Tokens returns the runes of s.
func (c Chars) Tokens(s string) ([]string, error) {
	return c.TokensContext(context.Background(),
		s)
}

// TokensContext is Tokens until ctx is cancelled.
func (Chars) TokensContext(ctx context.Context, s string) ([]string, error) {
	s, err := clean(s)
	if err != nil {
		return nil, err
	}
	tokens := make([]string, 0, utf8.RuneCountInString(s))
	for len(s) > 0 {
		if len(tokens)%often == 0 && interrupt.Err(ctx) != nil {
			return nil, interrupt.Err(ctx)
		}
		_, n := utf8.DecodeRuneInString(s)
		tokens = append(tokens, s[:n])
		s = s[n:]
	}
	return tokens, nil
}

// Join is the tokens, one after another, without the specials [BOS], [EOS] and [Pad].
func (Chars) Join(tokens []string) string {
	var b strings.Builder
	for _, token := range tokens {
		if token != BOS && token != EOS && token != Pad {
			b.WriteString(token)
		}
	}
	return b.String()
}

// Words cuts a text into words and punctuation marks, for languages that put spaces between words.
//
// A word is a run of letters, digits and underscores. An apostrophe or a hyphen between two of them
// belongs to the word (don't, to-morrow), as does a full stop or a comma between two digits (3.14).
// Every other rune is a token of its own, except that a run of hyphens or of full stops stays
// together (--, ...). The typographic apostrophe ’ is taken for '.
type Words struct {
	Lower  bool // fold to lower case
	Lines  bool // end every line, an empty one too, with the token [EOS]
	Spaced bool // the text is tokenised already: cut it at white space and nowhere else
}

// Tokens returns the words and punctuation marks of s.
func (w Words) Tokens(s string) ([]string, error) {
	return w.TokensContext(context.Background(),
		s)
}

// TokensContext is Tokens until ctx is cancelled.
func (w Words) TokensContext(ctx context.Context, s string) ([]string, error) {
	s, err := clean(s)
	if err != nil {
		return nil, err
	}
	if w.Lower {
		s = strings.ToLower(s)
	}
	if !w.Spaced {
		s = strings.ReplaceAll(s, "’", "'")
	}
	tokens := make([]string, 0, len(s)/5)
	for len(s) > 0 {
		line, rest, _ := strings.Cut(s, "\n")
		s = rest
		for {
			line = strings.TrimLeftFunc(line, unicode.IsSpace)
			if line == "" {
				break
			}
			if len(tokens)%often == 0 && interrupt.Err(ctx) != nil {
				return nil, interrupt.Err(ctx)
			}
			n := w.next(line)
			tokens = append(tokens, line[:n])
			line = line[n:]
		}
		if w.Lines {
			tokens = append(tokens, EOS)
		}
	}
	return tokens, nil
}

// next is the length of the token that s starts with; s does not start with white space.
func (w Words) next(s string) int {
	if w.Spaced {
		if n := strings.IndexFunc(s, unicode.IsSpace); n >= 0 {
			return n
		}
		return len(s)
	}
	last, n := utf8.DecodeRuneInString(s)
	switch {
	case inWord(last):
		for n < len(s) {
			r, size := utf8.DecodeRuneInString(s[n:])
			if !inWord(r) {
				after, _ := utf8.DecodeRuneInString(s[n+size:])
				if !joins(last, r, after) {
					break
				}
			}
			last, n = r, n+size
		}
	case last == '-' || last == '.':
		for n < len(s) && s[n] == s[0] {
			n++
		}
	default: // a sign and the accents on it
		for n < len(s) {
			r, size := utf8.DecodeRuneInString(s[n:])
			if !unicode.IsMark(r) {
				break
			}
			n += size
		}
	}
	return n
}

func inWord(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) || r == '_'
}

// joins says whether r, which stands between before and after, keeps them in one word.
func joins(before, r, after rune) bool {
	switch r {
	case '\'', '-':
		return inWord(before) && inWord(after)
	case '.', ',':
		return unicode.IsDigit(before) && unicode.IsDigit(after)
	}
	return false
}

// Join puts spaces between words and none inside brackets and before punctuation; quotation marks
// open and close by turns within a line. [EOS] ends a line; [BOS] and [Pad] are left out. With
// Spaced there is a space between all tokens.
func (w Words) Join(tokens []string) string {
	j := wordJoiner{words: w}
	var b strings.Builder
	for _, token := range tokens {
		b.WriteString(j.add(token))
	}
	return b.String()
}

// wordJoiner puts words together one by one: what was added is never changed by what follows.
type wordJoiner struct {
	words   Words
	written bool            // something in this line
	glued   bool            // no space before the next token
	quoted  map[string]bool // quotation marks that are open
}

func (j *wordJoiner) add(token string) string {
	const opening, closing = "([{$£€", ",.;:!?)]}%…"
	switch token {
	case BOS, Pad, "":
		return ""
	case EOS:
		*j = wordJoiner{words: j.words}
		return "\n"
	}
	var left, right bool // token clings to its neighbour on that side
	if !j.words.Spaced {
		quote := token == `"` || token == "'"
		first, _ := utf8.DecodeRuneInString(token)
		left = strings.ContainsRune(closing, first) || quote && j.quoted[token]
		right = strings.Contains(opening, token) || quote && !j.quoted[token]
		if quote {
			if j.quoted == nil {
				j.quoted = map[string]bool{}
			}
			j.quoted[token] = !j.quoted[token]
		}
	}
	if j.written && !j.glued && !left {
		token = " " + token
	}
	j.written, j.glued = true, right
	return token
}

// rest implements joiner: nothing is held back.
func (j *wordJoiner) rest() string { return "" }
