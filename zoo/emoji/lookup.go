package emoji

import (
	"strings"
	"unicode/utf8"
)

// Runes that emoji are made of beside pictures (Unicode Technical Standard 51).
const (
	textStyle    = "\uFE0E" // variation selectors, which choose an emoji's looks
	pictureStyle = "\uFE0F"
	joiner       = "\u200D" // between the parts of a sequence such as a family
	lightest     = '\U0001F3FB'
	darkest      = '\U0001F3FF'
	whiteFlag    = "\U0001F3F3" // begin flags that are sequences
	blackFlag    = "\U0001F3F4"
	tagsEnd      = '\U000E007F' // of the letters that say whose flag a black one is
	firstTag     = '\U000E0020'
)

var selectors = strings.NewReplacer(textStyle, "", pictureStyle, "")

// bare is an emoji without variation selectors: ☀ as a character of the text, as a picture, or as
// it comes, is one emoji.
func bare(emoji string) string { return selectors.Replace(emoji) }

// plain is a bare emoji without skin tones.
func plain(emoji string) string {
	return strings.Map(func(r rune) rune {
		if r >= lightest && r <= darkest {
			return -1
		}
		return r
	}, emoji)
}

// persons are the people of sequences; who has a profession or a gesture may be any of them.
var persons = []string{"\U0001F9D1", "\U0001F468", "\U0001F469"}

// standIns are the emoji that may stand for a bare one that is not known, the nearest first:
// without skin tones; the same profession of another person; and a sequence without its last parts,
// such as its sex, its hair or its profession. A flag has none: that of one country is not that of
// another.
func standIns(emoji string) (as []string) {
	if isFlag(emoji) {
		return nil
	}
	if p := plain(emoji); p != emoji && p != "" {
		as = append(as, p)
		emoji = p
	}
	for {
		parts := strings.Split(emoji, joiner)
		if len(parts) < 2 {
			return as
		}
		if len(parts) == 2 {
			for _, other := range persons {
				for _, one := range persons {
					if parts[0] == one && other != one {
						as = append(as, other+joiner+parts[1])
					}
				}
			}
		}
		emoji = strings.Join(parts[:len(parts)-1], joiner)
		if emoji == "" {
			return as
		}
		as = append(as, emoji)
	}
}

// isFlag reports whether an emoji is a flag: two letters of a country, or a sequence that begins
// with a plain flag.
func isFlag(emoji string) bool {
	first, _ := utf8.DecodeRuneInString(emoji)
	return first >= '\U0001F1E6' && first <= '\U0001F1FF' || first >= firstTag && first <= tagsEnd ||
		strings.HasPrefix(emoji, whiteFlag) || strings.HasPrefix(emoji, blackFlag)
}

// Lookup finds an emoji among those of the model, whatever its variation selectors are. If it has
// none of that skin tone it is the one without; a sequence that is not known is one of fewer parts,
// as 👩‍🦰 is 👩 (flags are not: another flag is another country's). Known is the emoji that was
// found, as Emoji lists it, and exact whether it is the one that was asked for. The error is a
// [*NoDescriptionError].
func (m *Model) Lookup(emoji string) (known string, exact bool, err error) {
	i, exact, ok := m.find(emoji)
	if !ok {
		return "", false, &NoDescriptionError{emoji}
	}
	known, _ = m.emoji.Token(i)
	return known, exact, nil
}

func (m *Model) find(emoji string) (id int, exact, ok bool) {
	e := bare(emoji)
	if id, ok = m.ids[e]; ok {
		return id, true, true
	}
	for _, other := range standIns(e) {
		if id, ok = m.ids[other]; ok {
			return id, false, true
		}
	}
	return 0, false, false
}
