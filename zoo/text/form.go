package text

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// Form is one of the Unicode normalisation forms (Unicode Standard Annex 15), in which characters
// that look the same are the same: "nfc" writes é as one character, "nfd" as an e and an accent;
// "nfkc" and "nfkd" also make ordinary characters of half-width katakana, full-width letters,
// ligatures and the like. The zero value leaves texts as they are.
type Form string

// The forms.
const (
	AsIs Form = ""
	NFC  Form = "nfc"
	NFD  Form = "nfd"
	NFKC Form = "nfkc"
	NFKD Form = "nfkd"
)

// forms are all forms.
var forms = map[Form]norm.Form{NFC: norm.NFC, NFD: norm.NFD, NFKC: norm.NFKC, NFKD: norm.NFKD}

// Validate refuses a form that there is not.
func (f Form) Validate() error {
	if _, ok := forms[f]; !ok && f != AsIs {
		return fmt.Errorf("the Unicode form is %.40q; want nfc, nfd, nfkc or nfkd, or none",
			string(f))
	}
	return nil
}

// Of is s in the form.
func (f Form) Of(s string) string {
	if n, ok := forms[f]; ok {
		return n.String(s)
	}
	return s
}

// Tokens are tokens in the form. The slice is the same one if they all are already.
func (f Form) Tokens(tokens []string) []string {
	if _, ok := forms[f]; !ok {
		return tokens
	}
	out := tokens
	for i, token := range tokens {
		formed := f.Of(token)
		if formed == token {
			continue
		}
		if &out[0] == &tokens[0] {
			out = slices.Clone(tokens)
		}
		out[i] = formed
	}
	return out
}

// Check refuses vocabularies with a token that is not in the form, which no text could ever have. A
// nil one has none.
func (f Form) Check(vocabularies ...*Vocabulary) error {
	if err := f.Validate(); err != nil || f == AsIs {
		return err
	}
	for _, v := range vocabularies {
		if v == nil {
			continue
		}
		for id := range v.Len() {
			if token := v.token(id); f.Of(token) != token {
				return fmt.Errorf("the vocabulary has the token %+q, which is not in the Unicode "+
					"form %s that texts are read in (it would be %+q): "+
					"make the vocabulary of tokens in that form", token, f, f.Of(token))
			}
		}
	}
	return nil
}

// Cut says how texts are cut into tokens, in words that a model's file holds, so that a text is cut
// after the training as it was in it. Its zero value leaves that to those who use the model;
// {Level: "word"} cuts as Words{Lower: true} does.
type Cut struct {
	// "word" (default), "char", "bpe", or the name of a registered tokeniser, such as "ja"
	Level    string `json:"level,omitempty"`
	KeepCase bool   `json:"keep_case,omitempty"` // words: do not fold to lower case
	// words: the text is tokenised already, and cut at white space alone
	Spaced  bool `json:"spaced,omitempty"`
	Unicode Form `json:"unicode,omitempty"` // texts are brought to this form first

	// of the level bpe; a model keeps it in a file of its own. Its vocabulary is of the BPE's
	// pieces
	BPE *BPE `json:"-"`
}

// bpeLevel is the Level of texts that are cut by byte pairs.
const bpeLevel = "bpe"

// Check refuses vocabularies with a token that no text could have, cut so; see Form.Check.
func (c Cut) Check(vocabularies ...*Vocabulary) error {
	if c.Level == bpeLevel { // whose pieces are written in bytes
		return c.Unicode.Validate()
	}
	return c.Unicode.Check(vocabularies...)
}

// Formed are tokens that were cut elsewhere, in the form in which texts are read.
func (c Cut) Formed(tokens []string) []string {
	if c.Level == bpeLevel {
		return tokens
	}
	return c.Unicode.Tokens(tokens)
}

// Validate reports what is wrong.
func (c Cut) Validate() error {
	_, err := c.Tokeniser()
	return err
}

// Tokeniser returns the tokeniser of c. It puts no [EOS] behind lines.
func (c Cut) Tokeniser() (Tokeniser, error) { return c.tokeniser(false) }

// LineTokeniser returns the tokeniser of c, which puts [EOS] behind lines if c cuts words.
func (c Cut) LineTokeniser() (Tokeniser, error) { return c.tokeniser(true) }

func (c Cut) tokeniser(lines bool) (t Tokeniser, err error) {
	words := c.Level == "" || c.Level == "word"
	errs := []error{c.Unicode.Validate()}
	if c.KeepCase && !words {
		errs = append(errs, fmt.Errorf("keep_case is set, and only words are folded to lower "+
			"case, not the level %q", c.Level))
	}
	if c.Spaced && !words {
		errs = append(errs, fmt.Errorf("spaced is set, and only words are cut at spaces, not the "+
			"level %q", c.Level))
	}
	if c.BPE != nil && c.Level != bpeLevel {
		errs = append(errs, fmt.Errorf("a BPE is given, and the level is %q", c.Level))
	}
	drop := false
	switch {
	case c.Level == bpeLevel:
		if t = c.BPE; c.BPE == nil {
			errs = append(errs, errors.New("level is \"bpe\", and no BPE is given"))
		}
	case words:
		t = Words{Lower: !c.KeepCase, Lines: lines, Spaced: c.Spaced}
	case c.Level == "char":
		t = Chars{}
	default:
		drop = !lines
		if t, err = Registered(c.Level); err != nil {
			errs = append(errs, fmt.Errorf("level is %q, want word, char, bpe or that of a "+
				"registered tokeniser: %w", c.Level, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if drop {
		t = withoutLines{t}
	}
	return c.Unicode.Tokeniser(t), nil
}

// Tokeniser is t for texts that are first brought to the form. In lower case, if t is words in
// lower case, for an accent on a capital letter may be a character of its own where that on the
// small letter is not.
func (f Form) Tokeniser(t Tokeniser) Tokeniser {
	if _, ok := forms[f]; !ok {
		return t
	}
	return formed{t, f}
}

type formed struct {
	Tokeniser
	form Form
}

func (f formed) Tokens(s string) ([]string, error) {
	return f.TokensContext(context.Background(),
		s)
}

func (f formed) TokensContext(ctx context.Context, s string) ([]string, error) {
	s, err := clean(s) // so that an error says where it is in what was given
	if err != nil {
		return nil, err
	}
	if w, ok := f.Tokeniser.(Words); ok && w.Lower {
		s = strings.ToLower(f.form.Of(s))
	}
	return TokensContext(ctx, f.Tokeniser, f.form.Of(s))
}

// withoutLines is a registered tokeniser without the ends of lines.
type withoutLines struct{ Tokeniser }

func (w withoutLines) Tokens(s string) ([]string, error) {
	return w.TokensContext(context.Background(), s)
}

func (w withoutLines) TokensContext(ctx context.Context, s string) ([]string, error) {
	tokens, err := TokensContext(ctx, w.Tokeniser, s)
	return slices.DeleteFunc(tokens, func(token string) bool { return token == EOS }), err
}
