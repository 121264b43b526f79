package text

import (
	"strings"
	"unicode/utf8"
)

// Stream is the text of tokens that come one by one, such as those that a model writes: each Add
// gives what has become certain of it. Put together, and with Rest at the end, it is what Join
// makes of all tokens, but for the specials, which are no text. It never gives a part of a
// character, also where a token is a part of one, as a piece of [BPE] may be.
//
// The zero value puts tokens together as Words does.
type Stream struct {
	joiner joiner
}

// joiner puts tokens together one by one.
type joiner interface {
	add(token string) string // the text that is certain now
	rest() string            // the text that was held back
}

// NewStream begins behind the tokens before, of which nothing is given again: they tell whether a
// space or the end of a character comes first. Without a tokeniser tokens are joined as Words does.
func NewStream(t Tokeniser, before ...string) *Stream {
	s := &Stream{joinerOf(t)}
	for _, token := range before {
		s.Add(token)
	}
	return s
}

func joinerOf(t Tokeniser) joiner {
	switch t := t.(type) {
	case nil:
		return &wordJoiner{}
	case Words:
		return &wordJoiner{words: t}
	case Chars:
		return charJoiner{}
	case *BPE:
		return &pieceJoiner{}
	case formed:
		return joinerOf(t.Tokeniser)
	case withoutLines:
		return joinerOf(t.Tokeniser)
	}
	return &anyJoiner{t: t}
}

// Add takes the next token, and gives the text that has become certain. [EOS] is the end of a line
// where the tokeniser makes it one; other specials have no text.
func (s *Stream) Add(token string) string {
	switch token {
	case BOS, Pad, Unk, "":
		return ""
	}
	if s.joiner == nil {
		s.joiner = joinerOf(nil)
	}
	return s.joiner.add(token)
}

// Rest is what Add has held back: bytes that a further token might have made a character, as the
// sign U+FFFD. Mostly there is nothing.
func (s *Stream) Rest() string {
	if s.joiner == nil {
		return ""
	}
	return s.joiner.rest()
}

// charJoiner puts characters together.
type charJoiner struct{}

func (charJoiner) add(token string) string { return Chars{}.Join([]string{token}) }
func (charJoiner) rest() string            { return "" }

// pieceJoiner puts the bytes of pieces together.
type pieceJoiner struct{ held []byte } // bytes after the last whole character

func (j *pieceJoiner) add(token string) string {
	j.held = appendPiece(j.held, token)
	certain := 0
	for i := 0; i < len(j.held); {
		r, n := utf8.DecodeRune(j.held[i:])
		i += n
		if r != utf8.RuneError || n > 1 {
			certain = i
		}
	}
	text := strings.ToValidUTF8(string(j.held[:certain]), "\ufffd")
	j.held = append(j.held[:0], j.held[certain:]...)
	return text
}

func (j *pieceJoiner) rest() string {
	text := strings.ToValidUTF8(string(j.held), "\ufffd")
	j.held = nil
	return text
}

// anyJoiner puts tokens together by the Join of a tokeniser that is not known here: what the text
// of all tokens of a line has more than it had. A text that a token changes is given from there on.
type anyJoiner struct {
	t      Tokeniser
	tokens []string
	said   string
}

// longLine is how many tokens of a line without an end are joined at most.
const longLine = 512

func (j *anyJoiner) add(token string) string {
	if n := len(j.tokens); n >= longLine {
		j.tokens = append(j.tokens[:0], j.tokens[n-longLine/2:]...)
		j.said = j.t.Join(j.tokens)
	}
	j.tokens = append(j.tokens, token)
	all := j.t.Join(j.tokens)
	same := 0
	for same < min(len(all), len(j.said)) && all[same] == j.said[same] {
		same++
	}
	for same > 0 && same < len(all) && !utf8.RuneStart(all[same]) {
		same--
	}
	if j.said = all; token == EOS {
		j.tokens, j.said = j.tokens[:0], ""
	}
	return all[same:]
}

func (j *anyJoiner) rest() string { return "" }

// appendPiece adds the bytes of a piece. One that ends or fills a sequence has none.
func appendPiece(out []byte, token string) []byte {
	switch token {
	case BOS, EOS, Pad:
		return out
	case Unk:
		return append(out, token...)
	}
	for _, r := range token {
		if c, ok := bytesOf[r]; ok {
			out = append(out, c)
		} else {
			out = utf8.AppendRune(out, r)
		}
	}
	return out
}
